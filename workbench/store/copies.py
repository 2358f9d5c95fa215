"""The log as lines of JSON: written before a migration, in an export, and read back into a new store.

The log is the whole truth; projection and outbox are recomputed from it, and mirrors report anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.durable import write_durably
from workbench.errors import AuditBroken, NotFound, StorageUnavailable, why_unreadable
from workbench.records import Event
from workbench.store.backend import Session


def log_lines(events: Iterable[Event]) -> Iterator[str]:
    """Return one line an event, each as it is stored, damaged ones too: it is evidence."""
    for event in events:
        row = {name: getattr(event, name) for name in ("seq", "prev_hash", "hash", "body")}
        yield json.dumps(row) + "\n"


def keep_log(session: Session, folder: Path, *, version: int) -> Path:
    """Write a store's log into a folder of copies, durably, and return where; raises StorageUnavailable."""
    events = session.read_events()
    store_id = session.meta().get("store_id", "store")
    path = folder / f"{store_id}.schema-{version}.{len(events)}-events.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(path, "".join(log_lines(events)).encode())
    except OSError as exc:
        raise StorageUnavailable(
            f"No copy of the log can be kept at {path}: {exc.strerror}. Nothing was changed.",
            next_step="let WORKBENCH_HOME name a folder that you may write to, with room for the log",
        ) from exc
    return path


def read_lines(path: Path) -> list[Mapping[str, Any]]:
    """Return the lines of a copy or an export; raises NotFound without a file, AuditBroken for what is no log."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise NotFound(
            f"{path} cannot be read: {why_unreadable(exc)}.",
            next_step="name the file of the copy",
        ) from exc
    except UnicodeDecodeError as exc:
        raise AuditBroken(f"{path} is not a copy of a log: {why_unreadable(exc)}.") from exc
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise AuditBroken(f"{path} is not a copy of a log: line {number} is not JSON.") from exc
        if not isinstance(row, dict):
            raise AuditBroken(f"{path} is not a copy of a log: line {number} is no event.")
        found.append(row)
    return found

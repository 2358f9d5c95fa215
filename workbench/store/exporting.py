"""Export of the log: the stored lines, the checkpoints, and a verifier that needs no workbench."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Refused, StorageUnavailable
from workbench.records import Event, HeadNote
from workbench.store.anchors import anchor_file
from workbench.store.store import Store

EVENTS = "events.jsonl"
VERIFIER = "verify.py"


@dataclass(frozen=True)
class Exported:
    """What an export holds."""

    event_count: int
    note_count: int
    head: HeadNote


def export_log(store: Store, folder: Path, *, anchors: Sequence[Path]) -> Exported:
    """Write log, checkpoints and verifier into a folder of its own; raises Refused where one is in use.

    Lines carry seq, prev_hash, hash and body as they are stored, damaged ones too: it is evidence.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            f"{folder} is not empty; nothing was written over.", next_step="name a new folder"
        )
    events, store_id = store.events(), store.meta().get("store_id", "")
    is_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        note_count = _write(folder, events, anchors=[anchor_file(a, store_id) for a in anchors])
    except OSError as exc:
        _take_away(folder, is_there=is_there)
        raise StorageUnavailable(
            f"The export to {folder} failed: {exc.strerror}.",
            next_step="name a folder that you may write to",
        ) from exc
    return Exported(len(events), note_count, store.head_note())


def _write(folder: Path, events: Sequence[Event], *, anchors: Sequence[Path]) -> int:
    """Write the files, the verifier last, and return the number of checkpoints."""
    note_count = 0
    with (folder / EVENTS).open("w", encoding="utf-8") as out:
        for event in events:
            row = {name: getattr(event, name) for name in ("seq", "prev_hash", "hash", "body")}
            out.write(json.dumps(row) + "\n")
    for number, source in enumerate(anchors, start=1):
        if source.exists():
            text = source.read_text(encoding="utf-8", errors="replace")
            note_count += text.count("\n----\n")
            (folder / f"{number}-{source.name}").write_text(text, encoding="utf-8")
    verifier = Path(__file__).with_name("standalone_verifier.py")
    (folder / VERIFIER).write_text(verifier.read_text(encoding="utf-8"), encoding="utf-8")
    return note_count


def _take_away(folder: Path, *, is_there: bool) -> None:
    """Leave no part of an export: a log that ends early would verify as a shorter one."""
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            file.unlink()
        if not is_there:
            folder.rmdir()

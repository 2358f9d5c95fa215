"""What gates were told, as it is read: the snapshot file, checked in every part before anything rests on it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

FORMAT = 1
SNAPSHOT_FILE = "snapshot.json"


class SnapshotFault(Exception):
    """The published files cannot be trusted; the text says why."""


class Published(NamedTuple):
    """A snapshot as read: the log position it stands for and the holds on each automation.

    Attributes:
        automations: automation id -> list of holds on it, each with its live probation or None.
        everything: holds of scope `*`, which cover unregistered automations too.
        named: automation id -> holds of exactly that automation, registered or not.
        doubt: why the log behind it cannot be trusted, or an empty text; then nothing is CLEAR.
        source: file that it was published from (path, device, inode, boot_id); empty for a store on a server.
        scopes: automation id -> scope key -> values, so that a scope can be read without the store.
        clocks: how the clocks of the publishing machine stood; empty where nobody noted it.
        moved_to: where the store went; empty where it did not. Its doubt then says so, and nothing is CLEAR.
    """

    store_id: str
    environment: str
    seq: int
    head_hash: str
    published_at: str
    automations: Mapping[str, list[dict[str, Any]]]
    everything: list[dict[str, Any]]
    named: Mapping[str, list[dict[str, Any]]]
    doubt: str = ""
    source: Mapping[str, Any] = MappingProxyType({})
    scopes: Mapping[str, Mapping[str, list[str]]] = MappingProxyType({})
    clocks: Mapping[str, Any] = MappingProxyType({})
    moved_to: str = ""


def read_snapshot(folder: Path) -> Published:
    """Read the snapshot file; raises SnapshotFault when it is absent or not one."""
    return parsed(folder, content_of(folder))


def content_of(folder: Path) -> bytes:
    """Return the snapshot file's bytes; raises SnapshotFault when it is absent."""
    try:
        with open(os.path.join(folder, SNAPSHOT_FILE), "rb", buffering=0) as file:
            return file.readall()
    except OSError as exc:
        raise SnapshotFault(f"no snapshot in {folder}: {exc.strerror}") from exc


def parsed(folder: Path, content: bytes) -> Published:
    """Check the bytes of a snapshot file; raises SnapshotFault when they are none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise SnapshotFault(f"the snapshot in {folder} is not JSON") from exc
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise SnapshotFault(f"the snapshot in {folder} has another format")
    try:
        _instant(body["published_at"])
        return Published(
            store_id=_typed(body["store_id"], str),
            environment=_typed(body["environment"], str),
            seq=_typed(body["seq"], int),
            head_hash=_typed(body["head_hash"], str),
            published_at=body["published_at"],
            automations={k: _holds(v) for k, v in _typed(body["automations"], dict).items()},
            everything=_holds(body["everything"]),
            named={k: _holds(v) for k, v in _typed(body["named"], dict).items()},
            doubt=_typed(body.get("doubt", ""), str),
            source=_typed(body.get("source", {}), dict),
            moved_to=_typed(body.get("moved_to", ""), str),
            clocks=_typed(body.get("clocks", {}), dict),
            scopes={k: _typed(v, dict) for k, v in _typed(body.get("scopes", {}), dict).items()},
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise SnapshotFault(f"the snapshot in {folder} lacks or misshapes {exc}") from exc


def _holds(value: Any) -> list[dict[str, Any]]:
    for hold in _typed(value, list):
        _typed(hold["hold_id"], str)
        _typed(hold["mode"], str)
        probation = hold["probation"]
        if probation is not None:
            _typed(probation["probation_id"], str)
            _typed(probation["max_runs"], int)
            _instant(probation["started_at"])
            if probation["until"] is not None:
                _instant(probation["until"])
            for share in _typed(probation.get("shares", []), list):
                _typed(share["host"], str)
                _typed(share["folder_id"], str)
                _typed(share["runs"], int)
            if probation.get("effects", "write") not in ("read", "write"):
                raise ValueError(f"{probation['effects']!r:.80}, effects that are none")
    found: list[dict[str, Any]] = value
    return found


def _typed(value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise TypeError(f"{value!r:.80} where {wanted.__name__} belongs")
    return value


def _instant(text: Any) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r:.80}, an instant without offset")

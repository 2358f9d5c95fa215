"""What the store publishes for gates: an epoch word of fixed size and a snapshot file.

Order of one publication, under the store's lock: epoch odd; COMMIT; snapshot file (temporary, fsync,
rename); epoch even. A reader that sees an odd epoch knows that the snapshot may be older than the store.
The epoch file is never replaced or truncated: a reader's memory map would stay on the old file and say
CLEAR for ever, or die of SIGBUS. Standard library only: automations import this through the gate.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EPOCH_FILE = "epoch"
SNAPSHOT_FILE = "snapshot.json"
SEEN_FOLDER = "seen"
TICKET_FOLDER = "tickets"
FORMAT = 1

_LAYOUT = struct.Struct("=8s16sQQQ16x")  # magic, store digest, epoch, seq, reserved for a heartbeat
EPOCH_SIZE_BYTES = _LAYOUT.size
_MAGIC = b"WBEPOCH1"
EPOCH_WORD = 3  # index of the epoch among the file's 64-bit words
SEQ_WORD = 4


class SnapshotFault(Exception):
    """The published files cannot be trusted; the text says why."""


@dataclass(frozen=True)
class Published:
    """A snapshot as read: the log position it stands for and the holds on each automation.

    Attributes:
        automations: automation id -> list of holds on it, each with its live probation or None.
        everything: holds of scope `*`, which cover unregistered automations too.
        named: automation id -> holds of exactly that automation, registered or not.
    """

    store_id: str
    environment: str
    seq: int
    head_hash: str
    published_at: str
    automations: Mapping[str, list[dict[str, Any]]]
    everything: list[dict[str, Any]]
    named: Mapping[str, list[dict[str, Any]]]


def store_digest(store_id: str) -> bytes:
    """Return the 16 bytes that name a store in the epoch file."""
    return hashlib.sha256(store_id.encode()).digest()[:16]


def fsync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new content, durable on return."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
    fsync_folder(path.parent)


class Publisher:
    """Writes the epoch word and the snapshot; used only by the store, under its lock."""

    def __init__(self, folder: Path, store_id: str) -> None:
        """Remember the folder; nothing is touched before `prepare`."""
        self.folder = folder
        self.store_id = store_id

    def prepare(self) -> None:
        """Make folder and epoch file where there are none; raises SnapshotFault for another store's."""
        for folder in (self.folder, self.folder / SEEN_FOLDER, self.folder / TICKET_FOLDER):
            folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / EPOCH_FILE
        if not path.exists():
            blank = _LAYOUT.pack(_MAGIC, store_digest(self.store_id), 1, 0, 0)
            write_durably(path, blank)
        self._check(path.read_bytes())

    def begin(self) -> None:
        """Make the epoch odd: from now on the snapshot may be older than the store."""
        with self._words() as words:
            words[EPOCH_WORD] |= 1

    def complete(self, document: Mapping[str, Any]) -> None:
        """Write the snapshot of a committed state, then make the epoch even."""
        body = {"format": FORMAT, **document}
        write_durably(self.folder / SNAPSHOT_FILE, json.dumps(body, sort_keys=True).encode())
        with self._words() as words:
            words[SEQ_WORD] = int(document["seq"])
            words[EPOCH_WORD] = (words[EPOCH_WORD] | 1) + 1

    def published_seq(self) -> int | None:
        """Return the seq of a complete publication, or None when it is incomplete or absent."""
        try:
            with self._words() as words:
                if words[EPOCH_WORD] & 1:
                    return None
                seq = words[SEQ_WORD]
            found = read_snapshot(self.folder)
        except (OSError, SnapshotFault):
            return None
        return seq if found.seq == seq and found.store_id == self.store_id else None

    def _check(self, content: bytes) -> None:
        if len(content) != EPOCH_SIZE_BYTES or content[:8] != _MAGIC:
            raise SnapshotFault(f"{self.folder / EPOCH_FILE} is not an epoch file")
        if content[8:24] != store_digest(self.store_id):
            raise SnapshotFault(
                f"{self.folder} is published by another store; set WORKBENCH_GATE to this store's own"
            )

    @contextlib.contextmanager
    def _words(self) -> Iterator[memoryview[int]]:
        with open(self.folder / EPOCH_FILE, "r+b") as file:
            self._check(file.read())
            with mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES) as area:
                view = memoryview(area).cast("Q")
                try:
                    yield view
                finally:
                    view.release()
                    area.flush()


def read_snapshot(folder: Path) -> Published:
    """Read the snapshot file; raises SnapshotFault when it is absent or not one."""
    try:
        body = json.loads((folder / SNAPSHOT_FILE).read_bytes())
    except OSError as exc:
        raise SnapshotFault(f"no snapshot in {folder}: {exc.strerror}") from exc
    except ValueError as exc:
        raise SnapshotFault(f"the snapshot in {folder} is not JSON") from exc
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise SnapshotFault(f"the snapshot in {folder} has another format")
    try:
        return Published(
            store_id=body["store_id"],
            environment=body["environment"],
            seq=int(body["seq"]),
            head_hash=body["head_hash"],
            published_at=body["published_at"],
            automations=body["automations"],
            everything=body["everything"],
            named=body["named"],
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise SnapshotFault(f"the snapshot in {folder} lacks {exc}") from exc

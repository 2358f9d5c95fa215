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
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from workbench.identity import folder_id

EPOCH_FILE = "epoch"
SNAPSHOT_FILE = "snapshot.json"
WAKE_FILE = "wake"
"""Written after each publication, so that who waits for one is woken; its content means nothing."""
SEEN_FOLDER = "seen"
TICKET_FOLDER = "tickets"
FORMAT = 1

_LAYOUT = struct.Struct("=8s16sQQQ8xQ")  # magic, store digest, epoch, seq, heartbeat, spool, number
EPOCH_SIZE_BYTES = _LAYOUT.size
_MAGIC = b"WBEPOCH1"
_LARGEST_WORD = 2**64 - 1
EPOCH_WORD = 3  # index of the epoch among the file's 64-bit words
SEQ_WORD = 4
HEARTBEAT_WORD = 5
"""When the source was last verified alive, in nanoseconds since 1970; 0 before the first time."""
SPOOL_WORD = 6
"""Changes with each change of a spool; apart from the epoch, which the store's lock belongs to."""
NUMBER_WORD = 7
"""Random number of the gate folder, drawn when it is made; 0 where an earlier version made it."""


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


def store_digest(store_id: str) -> bytes:
    """Return the 16 bytes that name a store in the epoch file."""
    return hashlib.sha256(store_id.encode()).digest()[:16]


def published_by(words: memoryview[int]) -> bytes:
    """Return the 16 bytes in an open epoch file that name its store."""
    return words[1].to_bytes(8, sys.byteorder) + words[2].to_bytes(8, sys.byteorder)


def nanoseconds(instant: datetime) -> int:
    """Return an instant as the epoch file holds it; what lies before 1970 is 0."""
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, since // timedelta(microseconds=1) * 1000)


def fsync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def wake_waiters(folder: Path) -> None:
    """Wake who waits for a publication; the file is there since the folder was prepared."""
    descriptor = os.open(folder / WAKE_FILE, os.O_WRONLY)
    try:
        os.pwrite(descriptor, b".", 0)
    finally:
        os.close(descriptor)


def touch_spool_word(folder: Path) -> None:
    """Let each gate look at the spools at its next question."""
    with (
        open(folder / EPOCH_FILE, "r+b") as file,
        mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES) as area,
        memoryview(area).cast("Q") as words,
    ):
        words[SPOOL_WORD] = (words[SPOOL_WORD] + 1) & _LARGEST_WORD


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
        self._path = folder / EPOCH_FILE

    def prepare(self) -> None:
        """Make folder and epoch file where there are none; raises SnapshotFault for another store's."""
        for folder in (self.folder, self.folder / SEEN_FOLDER, self.folder / TICKET_FOLDER):
            folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / EPOCH_FILE
        if not path.exists():
            blank = _LAYOUT.pack(_MAGIC, store_digest(self.store_id), 1, 0, 0, 0)
            write_durably(path, blank)
        content = path.read_bytes()
        self._check(content)
        if not _LAYOUT.unpack(content)[5]:
            self.renumber()
        if not (self.folder / WAKE_FILE).exists():
            with contextlib.suppress(OSError):  # who waits looks once a second all the same
                (self.folder / WAKE_FILE).touch()

    def check_owner(self) -> None:
        """Raise SnapshotFault where another store publishes into the folder."""
        path = self.folder / EPOCH_FILE
        if path.exists():
            self._check(path.read_bytes())

    def begin(self, seq: int) -> None:
        """Make the epoch odd: from now on the snapshot may be older than the store.

        Raises SnapshotFault where gates know a later position than the store will have: then this is an
        older copy of the store, and what it says could open what the newer one had closed. Whether the
        store has the very history that gates were told is the store's to see (`told`), before this.
        """
        with self._words() as words:
            told = words[SEQ_WORD]
            if told > seq:
                raise SnapshotFault(
                    f"gates know event {told} of this store and it ends at {seq}, so it is an older copy"
                )
            words[EPOCH_WORD] |= 1

    def complete(self, document: Mapping[str, Any]) -> None:
        """Write the snapshot of a committed state, then make the epoch even."""
        body = {"format": FORMAT, **document}
        write_durably(self.folder / SNAPSHOT_FILE, json.dumps(body, sort_keys=True).encode())
        with self._words() as words:
            words[SEQ_WORD] = int(document["seq"])
            words[HEARTBEAT_WORD] = nanoseconds(datetime.fromisoformat(document["published_at"]))
            words[EPOCH_WORD] = ((words[EPOCH_WORD] | 1) + 1) & _LARGEST_WORD
        with contextlib.suppress(OSError):  # who waits looks once a second all the same
            wake_waiters(self.folder)

    def beat(self, instant: datetime) -> None:
        """Say that the source of what was published was alive at an instant."""
        with self._words() as words:
            words[HEARTBEAT_WORD] = nanoseconds(instant)

    def renumber(self) -> None:
        """Draw a new number for the folder: from now on it is another one than it was, and than its copies."""
        with self._words() as words:
            words[NUMBER_WORD] = int.from_bytes(os.urandom(8)) | 1

    def identity(self) -> tuple[str, str]:
        """Return the folder's number as text and its id; both are empty before it was prepared."""
        try:
            content, found = self._path.read_bytes(), os.stat(self._path)
            self._check(content)
        except (OSError, SnapshotFault):
            return "", ""
        number = int(_LAYOUT.unpack(content)[5])
        return (f"{number:016x}" if number else "", folder_id(number, found))

    def beat_at(self) -> datetime | None:
        """Return when the source was last said to be alive, or None where nobody said so."""
        try:
            content = (self.folder / EPOCH_FILE).read_bytes()
            self._check(content)
        except (OSError, SnapshotFault):
            return None
        beat = _LAYOUT.unpack(content)[4]
        return (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=beat // 1000)
            if beat
            else None
        )

    def told(self) -> tuple[int, str]:
        """Return the newest position that gates were told and its hash.

        The hash is empty where no snapshot of that position can be read, and the position 0 where
        nothing was told. Raises SnapshotFault for another store's folder.
        """
        path = self.folder / EPOCH_FILE
        seq = 0
        if path.exists():
            content = path.read_bytes()
            self._check(content)
            seq = int(_LAYOUT.unpack(content)[3])
        try:
            found = read_snapshot(self.folder)
        except SnapshotFault:
            return seq, ""
        is_newest = found.store_id == self.store_id and found.seq >= seq
        return (found.seq, found.head_hash) if is_newest else (seq, "")

    def published_seq(self) -> int | None:
        """Return the seq of a complete publication, or None when it is incomplete or absent."""
        found = self.published()
        return found[0] if found else None

    def published(self) -> tuple[int, str] | None:
        """Return seq and head hash of a complete publication, or None when it is incomplete or absent."""
        try:
            content = (self.folder / EPOCH_FILE).read_bytes()
            self._check(content)
            found = read_snapshot(self.folder)
        except (OSError, SnapshotFault):
            return None
        _, _, epoch, seq, _, _ = _LAYOUT.unpack(content)
        if epoch & 1:
            return None
        is_whole = found.seq == seq and found.store_id == self.store_id
        return (seq, found.head_hash) if is_whole else None

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

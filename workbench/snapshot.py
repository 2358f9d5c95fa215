"""What the store publishes for gates: an epoch word of fixed size and a snapshot file.

Order of one publication, under the store's lock: epoch odd, synced; COMMIT; snapshot file (temporary, fsync,
rename); epoch even; folder and epoch synced. The temporary file may be written beside the commit: it gets its
name, and is seen, only afterwards. A reader that sees an odd epoch knows that the snapshot may be older than
the store. Nothing is acknowledged before the last sync; a machine that loses power earlier comes up with an odd
epoch, or with a snapshot that is not of the epoch's position, and gates take neither for CLEAR.
The epoch file is never replaced or truncated: a reader's memory map would stay on the old file and say
CLEAR for ever, or die of SIGBUS. Standard library only: automations import this through the gate.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from workbench.durable import Beside, Draft, drop_stale, fsync_folder, write_durably
from workbench.identity import folder_id
from workbench.published import FORMAT, content_of, parsed
from workbench.published import SNAPSHOT_FILE as SNAPSHOT_FILE
from workbench.published import Published as Published
from workbench.published import SnapshotFault as SnapshotFault
from workbench.published import read_snapshot as read_snapshot

EPOCH_FILE = "epoch"
WAKE_FILE = "wake"
"""Written after each publication, so that who waits for one is woken; its content means nothing."""
SEEN_FOLDER = "seen"
TICKET_FOLDER = "tickets"

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


Encode = Callable[[Mapping[str, Any]], bytes]
"""Writes a snapshot as JSON."""


class _Head(NamedTuple):
    """Which position of which store a snapshot stands for."""

    store_id: str
    seq: int
    hash: str
    moved_to: str = ""


@functools.lru_cache(maxsize=16)
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


def wake_waiters(folder: Path) -> None:
    """Wake who waits for a publication; the file is there since the folder was prepared."""
    descriptor = os.open(os.path.join(folder, WAKE_FILE), os.O_WRONLY)
    try:
        os.pwrite(descriptor, b".", 0)
    finally:
        os.close(descriptor)


class Publisher:
    """Writes the epoch word and the snapshot; used only by the store, under its lock."""

    def __init__(self, folder: Path, store_id: str, *, encode: Encode | None = None) -> None:
        """Remember the folder; nothing is touched before `prepare`."""
        self.folder = folder
        self.store_id = store_id
        # As text, for each publication opens it a few times.
        self._path = os.path.join(folder, EPOCH_FILE)
        self._encode = encode or _encoded
        self._last: tuple[bytes, _Head] | None = None

    def prepare(self) -> str:
        """Make folder and epoch file where there are none, and return the folder's id.

        Raises OSError, and SnapshotFault for another store's.
        """
        for name in ("", SEEN_FOLDER, TICKET_FOLDER):
            if not os.path.isdir(os.path.join(self.folder, name)):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        drop_stale(self.folder / SNAPSHOT_FILE)
        if not os.path.exists(self._path):
            blank = _LAYOUT.pack(_MAGIC, store_digest(self.store_id), 1, 0, 0, 0)
            write_durably(self.folder / EPOCH_FILE, blank)
        number = self._number()
        if not number:
            self.renumber()
            number = self._number()
        if not os.path.exists(os.path.join(self.folder, WAKE_FILE)):
            with contextlib.suppress(OSError):  # who waits looks once a second all the same
                (self.folder / WAKE_FILE).touch()
        return folder_id(number, os.stat(self._path))

    def check_owner(self) -> None:
        """Raise SnapshotFault where another store publishes into the folder."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._content()

    def begin(self, seq: int) -> None:
        """Make the epoch odd, durable on return; raises what `begin_beside` raises, and OSError."""
        self.begin_beside(seq).wait()

    def begin_beside(self, seq: int) -> Beside:
        """Make the epoch odd: from now on the snapshot may be older than the store; returns its sync, begun.

        Raises SnapshotFault where gates know a later position than the store will have: then this is an
        older copy of the store, and what it says could open what the newer one had closed. Whether the
        store has the very history that gates were told is the store's to see (`told`), before this.
        """
        with self._opened() as (descriptor, epoch, told):
            if told > seq:
                raise SnapshotFault(
                    f"gates know event {told} of this store and it ends at {seq}, so it is an older copy"
                )
            # Written by who has the lock, and synced in a thread: one that comes late changes nothing any more.
            _put(descriptor, EPOCH_WORD, epoch | 1)
        return self._sync_beside()

    def draft(self, document: Mapping[str, Any]) -> Draft:
        """Return the snapshot of a state that is about to be committed, for `complete` to put in place."""
        body = {"format": FORMAT, **document}
        return Draft(self.folder / SNAPSHOT_FILE, self._encode(body))

    def complete(
        self,
        document: Mapping[str, Any],
        draft: Draft | None = None,
        *,
        on_shown: Callable[[], object] | None = None,
    ) -> None:
        """Write the snapshot of a committed state and make the epoch even, both durable on return.

        Gates see it before: a machine that loses power until then comes up with an odd epoch, or with another
        snapshot than the epoch's, for which gates say PAUSED where the snapshot does and UNKNOWN elsewhere.
        `on_shown` is called once gates see it. Raises SnapshotFault, and puts nothing in place, where gates know a
        later position meanwhile.
        """
        draft = draft or self.draft(document)
        beat = nanoseconds(datetime.fromisoformat(document["published_at"]))
        with self._opened() as (descriptor, epoch, told):
            if told > document["seq"]:  # whoever comes late, by whatever way, takes no pause back
                draft.drop()
                raise SnapshotFault(f"gates know event {told} already")
            draft.put_in_place()
            _put(descriptor, SEQ_WORD, int(document["seq"]), beat)
            _put(descriptor, EPOCH_WORD, ((epoch | 1) + 1) & _LARGEST_WORD)
            with contextlib.suppress(OSError):  # who waits looks once a second all the same
                wake_waiters(self.folder)
        syncing = self._sync_beside()
        try:
            if on_shown is not None:
                on_shown()
            fsync_folder(self.folder)
        finally:
            syncing.wait()
        moved_to = document.get("moved_to", "")
        head = _Head(document["store_id"], document["seq"], document["head_hash"], moved_to)
        self._last = draft.content, head

    def close(self, seq: int, head_hash: str) -> bool:
        """Make the epoch even where the snapshot is already the one of this position; tells whether it is.

        So ends what was begun for a commit that never came. Nothing has to be written but one word, so that it
        also works on a full disk.
        """
        if self._head() != _Head(self.store_id, seq, head_hash):
            return False
        fsync_folder(self.folder)  # whoever put it there may have died before
        with self._opened() as (descriptor, epoch, told):
            if told != seq:
                return False
            _put(descriptor, EPOCH_WORD, (epoch + (epoch & 1)) & _LARGEST_WORD)
        self._sync_beside().wait()
        with contextlib.suppress(OSError):
            wake_waiters(self.folder)
        return True

    def _sync_beside(self) -> Beside:
        """Begin to sync the epoch file; opened here, so that the thread needs the interpreter as little as can be."""
        return Beside(functools.partial(_synced, os.open(self._path, os.O_RDWR | os.O_CLOEXEC)))

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
            number, found = self._number(), os.stat(self._path)
        except (OSError, SnapshotFault):
            return "", ""
        return (f"{number:016x}" if number else "", folder_id(number, found))

    def beat_at(self) -> datetime | None:
        """Return when the source was last said to be alive, or None where nobody said so."""
        try:
            content = self._content()
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
        seq = 0
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            seq = int(_LAYOUT.unpack(self._content())[3])
        try:
            found = self._head()
        except SnapshotFault:
            return seq, ""
        is_newest = found.store_id == self.store_id and found.seq >= seq
        return (found.seq, found.hash) if is_newest else (seq, "")

    def published_seq(self) -> int | None:
        """Return the seq of a complete publication, or None when it is incomplete or absent."""
        found = self.published()
        return found[0] if found else None

    def published(self) -> tuple[int, str] | None:
        """Return seq and head hash of a complete publication, or None when it is incomplete, absent or a move's."""
        try:
            content = self._content()
            found = self._head()
        except (OSError, SnapshotFault):
            return None
        _, _, epoch, seq, _, _ = _LAYOUT.unpack(content)
        if epoch & 1:
            return None
        is_whole = (found.store_id, found.seq, found.moved_to) == (self.store_id, seq, "")
        return (seq, found.hash) if is_whole else None

    def _head(self) -> _Head:
        """Read what the snapshot stands for; one that this object wrote or read before is not parsed again."""
        content = content_of(self.folder)
        if self._last is None or self._last[0] != content:
            found = parsed(self.folder, content)
            head = _Head(found.store_id, found.seq, found.head_hash, found.moved_to)
            self._last = content, head
        return self._last[1]

    def _number(self) -> int:
        return int(_LAYOUT.unpack(self._content())[5])

    def _content(self) -> bytes:
        """Return the epoch file's bytes; raises OSError, and SnapshotFault where they are not this store's."""
        with open(self._path, "rb", buffering=0) as file:
            content = file.readall()
        self._check(content)
        return content

    def _check(self, content: bytes) -> None:
        if len(content) != EPOCH_SIZE_BYTES or content[:8] != _MAGIC:
            raise SnapshotFault(f"{self.folder / EPOCH_FILE} is not an epoch file")
        if content[8:24] != store_digest(self.store_id):
            raise SnapshotFault(
                f"{self.folder} is published by another store; set WORKBENCH_GATE to this store's own"
            )

    @contextlib.contextmanager
    def _words(self) -> Iterator[memoryview[int]]:
        with open(self._path, "r+b") as file:
            self._check(file.read())
            with mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES) as area:
                view = memoryview(area).cast("Q")
                try:
                    yield view
                finally:
                    view.release()
                    area.flush()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[int, int, int]]:
        """Give a descriptor of the epoch file, its epoch and its position.

        What is written there is seen through every map of the file. A store through a map of our own would
        hold up all threads of this interpreter while the disk is busy with the page.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            content = os.pread(descriptor, EPOCH_SIZE_BYTES + 1, 0)
            self._check(content)
            _, _, epoch, seq, *_ = _LAYOUT.unpack(content)
            yield descriptor, epoch, seq
        finally:
            os.close(descriptor)


def _synced(descriptor: int) -> None:
    """Sync the data of an open file and close it."""
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _put(descriptor: int, word: int, *values: int) -> None:
    """Write words of an epoch file, from one on."""
    os.pwrite(descriptor, struct.pack(f"={len(values)}Q", *values), word * 8)


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True).encode()

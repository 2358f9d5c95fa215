"""Pauses that the store could not take: slots of a file made beforehand, which gates read as holds.

The file has its full size from the start, so that a full disk stops no pause, and a slot is written in place:
first the content, synced, then the mark that makes it count, synced. Only pauses are ever put here: nothing
that opens. The store takes them in by their command ids at its next command and frees the slots.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workbench.durable import fsync_folder
from workbench.snapshot import EPOCH_FILE, EPOCH_SIZE_BYTES, SPOOL_WORD, wake_waiters

SLOT_BYTES = 4096
SLOT_COUNT = 64
LOCK_WAIT_SECONDS = 2.0
_LOCK_STEP_SECONDS = 0.01
_READ_AGAIN_SECONDS = 0.05
"""How long a slot that does not verify is looked at again: it may be one that is being freed and used anew."""

_HEADER = struct.Struct("=8s16sQ")  # magic, store digest, number of changes so far
_HEADER_MAGIC = b"WBSPOOL1"
_SLOT = struct.Struct("=8sI32s20x")  # mark, length of the content, its SHA-256
_MARK = b"\0WBSLOT1"  # begins with a byte that no JSON has, so that no content can look like a mark
_FILE_BYTES = SLOT_BYTES * (1 + SLOT_COUNT)


class SpoolFault(Exception):
    """The spool cannot be used; the text says why."""


class SpooledPause(NamedTuple):
    """A pause that waits for the store.

    Attributes:
        request: content of the pause command, as the store would have recorded it.
        automation_ids: what the scope covered when it was asked for.
        is_everything: the scope is `*`, so that unregistered automations are held too.
        actor: who asked, unverified.
    """

    command_id: str
    request: Mapping[str, Any]
    automation_ids: tuple[str, ...]
    is_everything: bool
    actor: str
    written_at: str

    @property
    def name(self) -> str:
        """How gates name it among the holds."""
        return f"spool {self.command_id[:12]}"

    def covers(self, automation_id: str) -> bool:
        """Tell whether it holds an automation."""
        return self.is_everything or automation_id in self.automation_ids

    @property
    def hold(self) -> dict[str, Any]:
        """Return it as a published hold."""
        return {"hold_id": self.name, "mode": str(self.request["mode"]), "probation": None}


class Spooled(NamedTuple):
    """What a spool holds.

    Attributes:
        doubt: why there may be pauses that cannot be read, or an empty text; then nothing is CLEAR.
    """

    pauses: tuple[SpooledPause, ...] = ()
    doubt: str = ""


NOTHING = Spooled()


class _Slots(NamedTuple):
    """One reading of a spool's file: where each pause begins, how many slots it takes, and what is damaged."""

    found: tuple[tuple[int, int, SpooledPause], ...]
    damaged: tuple[int, ...]

    def free_run(self, count: int) -> int | None:
        """Return the first of so many free slots in a row."""
        taken = set(self.damaged)
        for first, size, _ in self.found:
            taken.update(range(first, first + size))
        starts = range(SLOT_COUNT - count + 1)
        return next((i for i in starts if taken.isdisjoint(range(i, i + count))), None)


class Spool(NamedTuple):
    """One file of slots, for one store."""

    folder: Path
    store_digest: bytes

    @property
    def path(self) -> Path:
        """Where the file is; its name says which store it belongs to."""
        return self.folder / f"{self.store_digest.hex()}.spool"

    def make(self) -> None:
        """Make the file where there is none, at its full size; raises SpoolFault where that fails."""
        temporary = self.folder / f".spool.{os.getpid()}.{threading.get_ident()}"
        try:
            if self.path.exists():
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
                header = _HEADER.pack(_HEADER_MAGIC, self.store_digest, 0)
                file.write(header.ljust(_FILE_BYTES, b"\0"))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # somebody else made it meanwhile
                os.link(temporary, self.path)
            fsync_folder(self.folder)
        except OSError as exc:
            raise self._fault("made", exc) from exc
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def write(self, pause: SpooledPause) -> None:
        """Keep a pause, durably on return; the same one again changes nothing.

        Raises SpoolFault where it was not kept: no file, no room, an error of the disk. After such an error the
        file is closed and the sync is not tried again, for a second one would tell nothing of the first.
        """
        content = _content(pause)
        count = -(-(_SLOT.size + len(content)) // SLOT_BYTES)
        with self._locked() as descriptor:
            slots = self._slots(os.pread(descriptor, _FILE_BYTES, 0))
            known = next((p for _, _, p in slots.found if p.command_id == pause.command_id), None)
            if known is not None and known.request != pause.request:
                raise SpoolFault(f"{self.path} has another pause under this command id")
            if known is not None:
                return
            first = slots.free_run(count)
            if first is None:
                raise SpoolFault(f"{self.path} has no room for another pause")
            place = SLOT_BYTES * (1 + first)
            os.pwrite(descriptor, content, place + _SLOT.size)
            os.fdatasync(descriptor)
            mark = _SLOT.pack(_MARK, len(content), hashlib.sha256(content).digest())
            _put_mark(descriptor, mark, place)

    def free(self, command_id: str) -> None:
        """Free the slots of a pause that the store has taken in and published.

        The change is counted before as well: whoever sees it gone sees by the count that somebody freed it.
        """
        with self._locked() as descriptor:
            for first, _, pause in self._slots(os.pread(descriptor, _FILE_BYTES, 0)).found:
                if pause.command_id == command_id:
                    _count_change(descriptor)
                    os.pwrite(descriptor, bytes(_SLOT.size), SLOT_BYTES * (1 + first))
                    _count_change(descriptor)
            os.fdatasync(descriptor)

    def change_count(self) -> int:
        """Return how often something was put here or freed; 0 where nothing can be read."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                header = file.read(_HEADER.size)
        except OSError:
            return 0
        return int(_HEADER.unpack(header)[2]) if len(header) == _HEADER.size else -1

    def identity(self) -> tuple[int, int, int] | None:
        """Return device, inode and time of the last change of the file, or None where none can be looked at."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def read(self) -> Spooled:
        """Return the pauses that wait, with a doubt where some may not be readable."""
        deadline = time.monotonic() + _READ_AGAIN_SECONDS
        while True:
            try:
                slots = self._slots(self.path.read_bytes())
            except FileNotFoundError:
                return NOTHING
            except OSError as exc:
                return Spooled(doubt=f"the spool {self.path} cannot be read: {exc.strerror}")
            except SpoolFault as exc:
                return Spooled(doubt=str(exc))
            pauses = tuple(pause for _, _, pause in slots.found)
            if not slots.damaged:
                return Spooled(pauses)
            if time.monotonic() >= deadline:
                return Spooled(pauses, f"the spool {self.path} has a damaged slot")
            time.sleep(0.001)

    def _slots(self, content: bytes) -> _Slots:
        if len(content) != _FILE_BYTES or content[:8] != _HEADER_MAGIC:
            raise SpoolFault(f"{self.path} is not a whole spool")
        if content[8:24] != self.store_digest:
            raise SpoolFault(f"{self.path} is the spool of another store")
        found, damaged, index = [], [], 0
        while index < SLOT_COUNT:
            size, pause = _slot_at(content, index)
            if pause is not None:
                found.append((index, size, pause))
            elif size:
                damaged.append(index)
                size = 1
            index += size or 1
        return _Slots(tuple(found), tuple(damaged))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as exc:
            raise self._fault("written", exc) from exc
        try:
            self._acquire(descriptor)
            yield descriptor
        except OSError as exc:
            raise self._fault("written", exc) from exc
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise SpoolFault(f"{self.path} is locked by another process") from None
                time.sleep(_LOCK_STEP_SECONDS)
            else:
                return

    def _fault(self, verb: str, exc: OSError) -> SpoolFault:
        return SpoolFault(f"the spool {self.path} cannot be {verb}: {exc.strerror}")


def _touch_spool_word(folder: Path) -> None:
    """Let each gate look at the spools at its next question."""
    with (
        open(folder / EPOCH_FILE, "r+b") as file,
        mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES) as area,
        memoryview(area).cast("Q") as words,
    ):
        words[SPOOL_WORD] = (words[SPOOL_WORD] + 1) % 2**64


def tell_gates(gate_folder: Path) -> None:
    """Let gates look at the spools now; where that fails they look within a second by themselves."""
    with contextlib.suppress(OSError, ValueError):
        _touch_spool_word(gate_folder)
    with contextlib.suppress(OSError):
        wake_waiters(gate_folder)


def _put_mark(descriptor: int, mark: bytes, place: int) -> None:
    """Let a slot count, durably; where that fails it counts for nobody, for who asked is told that it does not.

    The change is counted before: a mark that nobody is told to look for would hold gates that look anew, and
    the store would never take the pause in.
    """
    _count_change(descriptor)
    try:
        os.pwrite(descriptor, mark, place)
        os.fdatasync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, bytes(_SLOT.size), place)
            _count_change(descriptor)
        raise


def _count_change(descriptor: int) -> None:
    place = _HEADER.size - 8
    (count,) = struct.unpack("=Q", os.pread(descriptor, 8, place))
    os.pwrite(descriptor, struct.pack("=Q", (count + 1) % 2**63), place)


def _slot_at(content: bytes, index: int) -> tuple[int, SpooledPause | None]:
    """Return how many slots begin here and their pause; (0, None) for a free slot, (1, None) for a damaged one."""
    place = SLOT_BYTES * (1 + index)
    mark, length, digest = _SLOT.unpack_from(content, place)
    if mark != _MARK:
        return 0, None
    begin = place + _SLOT.size
    body = content[begin : begin + length]
    if len(body) != length or hashlib.sha256(body).digest() != digest:
        return 1, None
    try:
        return -(-(_SLOT.size + length) // SLOT_BYTES), _pause(json.loads(body))
    except (ValueError, KeyError, TypeError, RecursionError):
        return 1, None


def _content(pause: SpooledPause) -> bytes:
    body = {
        "command_id": pause.command_id,
        "request": dict(pause.request),
        "automation_ids": list(pause.automation_ids),
        "is_everything": pause.is_everything,
        "actor": pause.actor,
        "written_at": pause.written_at,
    }
    return json.dumps(body, sort_keys=True).encode()


def _pause(body: dict[str, Any]) -> SpooledPause:
    request = body["request"]
    if request["name"] != "pause" or not isinstance(request["mode"], str):
        raise ValueError("not a pause")
    return SpooledPause(
        command_id=str(body["command_id"]),
        request=request,
        automation_ids=tuple(str(one) for one in body["automation_ids"]),
        is_everything=body["is_everything"] is True,
        actor=str(body["actor"]),
        written_at=str(body["written_at"]),
    )

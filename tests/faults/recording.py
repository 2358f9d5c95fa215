"""Records what real commands do to their folders, step by step: every byte, name and sync.

What is written through a memory map leaves no call. The epoch file is the only file so written, now and then:
the recorded command (`tests.faults.recorded`) writes what the map holds to /dev/null just before each sync
of it, where strace sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disk import Cut, Ended, Naming, Said, Step, Sync, SyncFolder, Write
from tests.faults.tracing import Call, Point, run_traced

SHOWN = "/dev/null"
"""Where a recorded command shows what its memory map holds."""
EPOCH = "gate/epoch"
_HEX = re.compile(r"((?:\\x[0-9a-f]{2})*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OF_PATH = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")


@dataclass
class Recorder:
    """Turns calls into steps, and knows which file each name and descriptor means.

    Attributes:
        names: path under the root -> inode, as a running process sees them.
        opened: descriptor -> inode of a file, path of a folder, or None for what lies elsewhere.
    """

    root: str
    names: dict[str, int]
    sizes: dict[int, int]
    opened: dict[int, int | str | None] = field(default_factory=dict)
    places: dict[int, int | None] = field(default_factory=dict)
    shown: bytes = b""

    @classmethod
    def of(cls, root: Path) -> Recorder:
        """Begin with the files of a folder, in the order of `files_in`."""
        files = files_in(root)
        sizes = {number: len(content) for number, content in enumerate(files.values())}
        return cls(str(root), {name: number for number, name in enumerate(files)}, sizes)

    def steps(self, calls: Sequence[Call]) -> Iterator[Step]:
        """Give the steps of one process."""
        self.opened, self.places = {}, {}
        for call in calls:
            step = getattr(self, f"_{call.name}", None)
            if step is not None and (
                not call.is_failed or call.name in ("fsync", "fdatasync", "msync")
            ):
                yield from step(call)

    def _openat(self, call: Call) -> Iterator[Step]:
        path = _text(call.given, 0).decode(errors="replace")
        descriptor = int(call.result.partition("<")[0])
        name = self._below(path)
        if name is None:
            self.opened[descriptor] = SHOWN if path == SHOWN else None
            return
        if name not in self.names and "O_CREAT" not in call.given:
            self.opened[descriptor] = f"folder {name}"
            return
        if name not in self.names:
            inode = self.names[name] = len(self.sizes)
            self.sizes[inode] = 0
            yield Naming(((name, inode),))
        elif "O_TRUNC" in call.given:
            self.sizes[self.names[name]] = 0
            yield Cut(self.names[name], 0)
        self.opened[descriptor] = self.names[name]
        self.places[descriptor] = None if "O_APPEND" in call.given else 0

    def _close(self, call: Call) -> Iterator[Step]:
        self.opened.pop(call.descriptor, None)
        yield from ()

    def _write(self, call: Call) -> Iterator[Step]:
        content = _text(call.given, 0)[: int(call.result)]
        if call.descriptor in (1, 2) and call.descriptor not in self.opened:
            yield Said(content.decode(errors="replace"))
            return
        inode = self.opened.get(call.descriptor)
        if not isinstance(inode, int):
            return
        at = self.places[call.descriptor]
        place = self.sizes[inode] if at is None else at
        self.places[call.descriptor] = None if at is None else place + len(content)
        yield self._put(inode, place, content)

    def _pwrite64(self, call: Call) -> Iterator[Step]:
        inode, content = self.opened.get(call.descriptor), _text(call.given, 0)
        if inode == SHOWN:
            self.shown = content
        elif isinstance(inode, int):
            place = int(call.given.rpartition(", ")[2])
            yield self._put(inode, place, content[: int(call.result)])

    def _put(self, inode: int, place: int, content: bytes) -> Write:
        self.sizes[inode] = max(self.sizes[inode], place + len(content))
        return Write(inode, place, content)

    def _ftruncate(self, call: Call) -> Iterator[Step]:
        inode = self.opened.get(call.descriptor)
        if isinstance(inode, int):
            self.sizes[inode] = int(call.given.rpartition(", ")[2])
            yield Cut(inode, self.sizes[inode])

    def _fallocate(self, call: Call) -> Iterator[Step]:
        inode = self.opened.get(call.descriptor)
        if isinstance(inode, int):
            self.sizes[inode] = max(self.sizes[inode], int(call.given.rpartition(", ")[2]))
            yield Cut(inode, self.sizes[inode])

    def _fsync(self, call: Call) -> Iterator[Step]:
        found = self.opened.get(call.descriptor)
        if isinstance(found, int):
            yield Sync(found, is_failed=call.is_failed)
        elif found and found.startswith("folder ") and not call.is_failed:
            yield SyncFolder(found.removeprefix("folder "))

    _fdatasync = _fsync

    def _msync(self, call: Call) -> Iterator[Step]:
        """Take each word of the epoch file on its own: the page may reach the disk between any two of them."""
        inode = self.names[EPOCH]
        for place in range(0, len(self.shown), 8):
            yield Write(inode, place, self.shown[place : place + 8])
        yield Sync(inode, is_failed=call.is_failed)

    def _rename(self, call: Call) -> Iterator[Step]:
        old, new = (self._below(_text(call.given, at).decode()) for at in (0, 1))
        if old is not None and new is not None:
            self.names[new] = self.names.pop(old)
            yield Naming(((new, self.names[new]), (old, None)))

    def _link(self, call: Call) -> Iterator[Step]:
        old, new = (self._below(_text(call.given, at).decode()) for at in (0, 1))
        if old is not None and new is not None:
            self.names[new] = self.names[old]
            yield Naming(((new, self.names[new]),))

    def _unlink(self, call: Call) -> Iterator[Step]:
        name = self._below(_text(call.given, 0).decode())
        if name is not None and self.names.pop(name, None) is not None:
            yield Naming(((name, None),))

    def _below(self, path: str) -> str | None:
        return path.removeprefix(f"{self.root}/") if path.startswith(f"{self.root}/") else None


def _text(given: str, at: int) -> bytes:
    """Return one of the quoted texts among a call's arguments."""
    return bytes.fromhex(_TEXT.findall(given)[at].replace("\\x", ""))


def files_in(root: Path) -> dict[str, bytes]:
    """Return the files below a folder by their path in it; SQLite's shared memory is never on a disk to stay."""
    found = (p for p in sorted(root.rglob("*")) if p.is_file() and not p.name.endswith("-shm"))
    return {str(p.relative_to(root)): p.read_bytes() for p in found}


def record(
    recorder: Recorder,
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    seed: str = "",
    point: Point | None = None,
) -> list[Step]:
    """Run one command and return its steps, the last of which says how it ended.

    Where a point is to be hit it stays in one thread, so that calls are counted alike.
    """
    line = ["-m", "tests.faults.recorded", seed, "alone" if point else "", *words]
    ran = run_traced(line, environment, point=point, is_whole=True)
    return [*recorder.steps(ran.calls), Ended(ran.code)]

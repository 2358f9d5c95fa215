"""A disk that loses power: what a sync covered is there, of the rest any part, torn and out of order.

It keeps inodes and names apart, for a new file under an old name is another file: a model of names alone
reports damage that no disk does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECTORS = (512, 4096)
"""Sizes, in bytes, of what a disk writes at once."""


@dataclass(frozen=True)
class Write:
    """Bytes put somewhere into a file."""

    inode: int
    place: int
    content: bytes


@dataclass(frozen=True)
class Cut:
    """A file brought to a size, by cutting it or by zeros."""

    inode: int
    size: int


@dataclass(frozen=True)
class Naming:
    """Names of one folder given or taken in one step; no inode takes a name away."""

    changes: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Sync:
    """A file made durable; where it failed, what it was to cover is not on the disk and is never tried again."""

    inode: int
    is_failed: bool = False


@dataclass(frozen=True)
class SyncFolder:
    """The names of a folder made durable."""

    folder: str


@dataclass(frozen=True)
class Said:
    """Text that a command printed."""

    text: str


@dataclass(frozen=True)
class Ended:
    """A command that ended, with its exit code."""

    code: int


Step = Write | Cut | Naming | Sync | SyncFolder | Said | Ended


@dataclass
class Inode:
    """One file's bytes on the disk, and what waits to get there."""

    durable: bytes = b""
    waiting: list[Write | Cut] = field(default_factory=list)

    def lose(self, chance: random.Random, sector: int) -> bytes:
        """Return what is there after a power loss: of what waits nothing, all, the first or any part, some torn."""
        content = bytearray(self.durable)
        manner = chance.choice(("nothing", "all", "first", "some", "torn"))
        first = chance.randint(0, len(self.waiting))
        for number, step in enumerate(self.waiting):
            if manner == "nothing" or (manner == "first" and number >= first):
                break
            if manner in ("some", "torn") and chance.random() < 0.5:
                continue
            if isinstance(step, Cut) or manner != "torn":
                put(content, step)
            else:
                for part in torn(step, chance, sector):
                    put(content, part)
        return bytes(content)


def put(content: bytearray, step: Write | Cut) -> None:
    """Do to a file's bytes what was written or cut."""
    size = step.size if isinstance(step, Cut) else step.place + len(step.content)
    if size > len(content):
        content.extend(bytes(size - len(content)))
    if isinstance(step, Cut):
        del content[step.size :]
    else:
        content[step.place : size] = step.content


def torn(step: Write, chance: random.Random, sector: int) -> Iterable[Write]:
    """Give some of the sectors that a write falls into."""
    end = step.place + len(step.content)
    for begin in range(step.place - step.place % sector, end, sector):
        low, high = max(begin, step.place), min(begin + sector, end)
        if chance.random() < 0.5:
            yield Write(step.inode, low, step.content[low - step.place : high - step.place])


class Disk:
    """Files as a machine that is about to lose power has them.

    `is_ordered`: names reach the disk in order, and with any sync, as on a journalling file system; otherwise
    in any order, and only with a sync of their folder, which is all that POSIX promises.
    """

    def __init__(self, files: Mapping[str, bytes], *, is_ordered: bool) -> None:
        """Begin with files that are durable; the n-th of them is inode n."""
        self.is_ordered = is_ordered
        self.inodes = {number: Inode(content) for number, content in enumerate(files.values())}
        self.names: dict[str, int] = {name: number for number, name in enumerate(files)}
        self.waiting: list[Naming] = []

    def take(self, step: Step) -> None:
        """Take one step of a recorded run."""
        match step:
            case Write() | Cut():
                self._inode(step.inode).waiting.append(step)
            case Naming():
                self.waiting.append(step)
            case Sync(inode, is_failed):
                self._sync(self._inode(inode), is_failed=is_failed)
            case SyncFolder(folder):
                self._settle(folder)

    def lose_power(self, chance: random.Random, sector: int) -> dict[str, bytes]:
        """Return files as they are found afterwards."""
        names = dict(self.names)
        first = chance.randint(0, len(self.waiting))
        for number, naming in enumerate(self.waiting):
            if number < first if self.is_ordered else chance.random() < 0.5:
                _name(names, naming)
        return {name: self._inode(inode).lose(chance, sector) for name, inode in names.items()}

    def lose_most(self) -> dict[str, bytes]:
        """Return files as they are found when all that no sync covered is lost, but for names."""
        names = dict(self.names)
        for naming in self.waiting:
            _name(names, naming)
        return {name: self._inode(inode).durable for name, inode in names.items()}

    def _inode(self, number: int) -> Inode:
        return self.inodes.setdefault(number, Inode())

    def _sync(self, inode: Inode, *, is_failed: bool) -> None:
        # After an error the kernel holds the pages for clean: they are lost, and a second sync says that all is well.
        if not is_failed:
            content = bytearray(inode.durable)
            for step in inode.waiting:
                put(content, step)
            inode.durable = bytes(content)
        inode.waiting.clear()
        if self.is_ordered and not is_failed:
            self._settle(None)

    def _settle(self, folder: str | None) -> None:
        left = []
        for naming in self.waiting:
            if folder is None or str(Path(naming.changes[0][0]).parent) == folder:
                _name(self.names, naming)
            else:
                left.append(naming)
        self.waiting = left


def _name(names: dict[str, int], naming: Naming) -> None:
    for name, inode in naming.changes:
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode

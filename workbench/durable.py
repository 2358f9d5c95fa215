"""Files that are whole and durable or not there: written under a temporary name, synced, renamed. Standard library."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path


class Beside:
    """Does something in a thread while its maker does something else, best a sync: a disk joins two of them.

    Where no thread can be had it is done at once, and where the thread has not come to it until the wait, by
    who waits: neither a busy machine nor one without memory lets anybody wait for a thread that never ran.
    """

    def __init__(self, action: Callable[[], object], *, is_begun: bool = True) -> None:
        """Begin, now or with `begin`; whoever has it waits."""
        self._action = action
        self._fault: BaseException | None = None
        # Two bare locks: taking and releasing them needs no memory, and waiting for one no other thread's start.
        self._begun, self._ended = _thread.allocate_lock(), _thread.allocate_lock()
        self._ended.acquire()
        if is_begun:
            self.begin()

    def begin(self) -> None:
        """Begin where nobody has begun."""
        try:
            # Not Thread.start(): that waits until the thread runs, which on a busy machine takes longer than a sync.
            _thread.start_new_thread(self._act, ())
        except (RuntimeError, MemoryError):
            self._act()

    def wait(self) -> None:
        """Wait until it is done; raises what it raised."""
        self._act()
        with self._ended:
            pass
        if self._fault is not None:
            raise self._fault

    def _act(self) -> None:
        """Do it, unless another thread has begun with it."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._action()
        except BaseException as exc:  # noqa: BLE001  # raised again by who waits
            self._fault = exc
        finally:
            self._ended.release()


_numbers = itertools.count(1)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Draft:
    """A file that is written and synced under a temporary name, beside what its writer does if it is begun before.

    Until it gets its name nobody sees it. Whoever began it puts it in place or drops it.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        """Remember what is to come into a place."""
        self.path = path
        self.content = content
        # A number of its own: one that was interrupted before anybody could drop it spoils no later one.
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_numbers)}")
        self._writing = Beside(self._write, is_begun=False)
        self._is_begun = False

    def begin(self) -> None:
        """Begin to write, in a thread."""
        self._is_begun = True
        self._writing.begin()

    def put_in_place(self) -> None:
        """Give the file its name, once it is synced; raises OSError, and leaves nothing, where it cannot.

        The name itself lasts when the folder has been synced.
        """
        self._is_begun = True
        try:
            self._writing.wait()
            os.replace(self._temporary, self.path)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Take the temporary file away."""
        if not self._is_begun:
            return
        with contextlib.suppress(OSError, MemoryError):
            self._writing.wait()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _write(self) -> None:
        # Bare calls: each gives the interpreter away and has to get it back from who writes the store meanwhile.
        descriptor = os.open(self._temporary, _NEW, 0o666)
        try:
            left = memoryview(self.content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def drop_stale(path: Path) -> None:
    """Take away drafts that whoever was killed left beside a file; only for who alone writes it now."""
    beginning = f".{path.name}."
    with contextlib.suppress(OSError):  # what cannot be taken away is in nobody's way
        for name in os.listdir(path.parent):
            if name.startswith(beginning):
                os.unlink(path.parent / name)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new content, durable on return."""
    Draft(path, content).put_in_place()
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

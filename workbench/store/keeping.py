"""Connections to the store's file, kept open for a moment after their use.

The last connection that closes takes the write-ahead log back into the file and removes it, and the next one
makes it anew: five syncs, more than a command needs for itself. So a burst of calls shares one connection. A
moment after the last call it is closed, and then the file alone is the whole store again, as whoever copies it
expects.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import apsw

KEEP_SECONDS = 0.2

Identity = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""Device and inode of the file and of its write-ahead log; None where there is none."""


class _Kept(NamedTuple):
    connection: apsw.Connection
    identity: Identity
    since: float


_closing = threading.Lock()
"""Held from taking what was kept until it is closed, before `_mutex`: a fork in between would carry it along."""
_mutex = threading.Lock()
_kept: dict[Path, _Kept] = {}
_closers: list[threading.Thread] = []


def identity_of(path: Path) -> Identity:
    """Return what tells a store's file, with its log, from another under the same name."""
    return _inode(str(path)), _inode(f"{path}-wal")


def take(path: Path) -> apsw.Connection | None:
    """Return a connection that was kept for a file, unless another file has come into its place."""
    with _mutex:
        found = _kept.pop(path, None)
    if found is None:
        return None
    if found.identity == identity_of(path):
        return found.connection
    _close(found.connection)
    return None


def keep(path: Path, connection: apsw.Connection, *, opened: tuple[int, int] | None) -> None:
    """Keep a connection that is done with for who comes next; one file keeps one.

    Of two it is the one that was done with last: a writer's, which has read the schema and prepared its statements,
    and not that of a look within its turn. `opened` is the device and inode of the file when it was opened: where
    another lies there now, it is closed.
    """
    identity, other = identity_of(path), None
    with _mutex:
        is_kept = identity[0] == opened and opened is not None
        if is_kept:
            is_kept = bool(_closers) or _start_closer()
        if is_kept:
            other = _kept.get(path)
            _kept[path] = _Kept(connection, identity, time.monotonic())
    if not is_kept:
        connection.close()
    if other is not None:
        _close(other.connection)


def close_kept() -> None:
    """Close what is kept, now: at the end, or where somebody wants the bare file."""
    with _closing:
        with _mutex:
            found = list(_kept.values())
            _kept.clear()
        for one in found:
            _close(one.connection)


def _start_closer() -> bool:
    closer = threading.Thread(target=_close_idle, name="store closer", daemon=True)
    try:
        closer.start()
    except (RuntimeError, MemoryError):  # no thread can be had, so nothing is kept
        return False
    _closers.append(closer)
    return True


def _close_idle() -> None:
    """Close each connection a moment after its last use; ends when nothing is kept."""
    while True:
        time.sleep(KEEP_SECONDS)
        oldest = time.monotonic() - KEEP_SECONDS
        with _closing:
            with _mutex:
                idle = [path for path, one in _kept.items() if one.since <= oldest]
                found = [_kept.pop(path) for path in idle]
                is_over = not _kept
                if is_over:
                    _closers.clear()
            for one in found:
                _close(one.connection)
        if is_over:
            return


def _close(connection: apsw.Connection) -> None:
    # What it recorded is durable already; a log that cannot be taken back now, the next connection reads.
    with contextlib.suppress(apsw.Error):
        connection.close()


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _before_fork() -> None:
    """Close what is kept, once nobody closes any, and let nobody keep more until the fork is over."""
    _closing.acquire()
    _mutex.acquire()
    for one in _kept.values():
        _close(one.connection)
    _kept.clear()


def _go_on() -> None:
    """In the parent: kept and closed as before."""
    _mutex.release()
    _closing.release()


def _begin_anew() -> None:
    """In a forked child: nothing is kept, and the thread that closes is the parent's."""
    global _closing, _mutex
    _closing, _mutex = threading.Lock(), threading.Lock()
    _kept.clear()
    _closers.clear()


atexit.register(close_kept)
# A connection must not be carried into a child: closed there, it would remove the parent's log.
os.register_at_fork(before=_before_fork, after_in_parent=_go_on, after_in_child=_begin_anew)

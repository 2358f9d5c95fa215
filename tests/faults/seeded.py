"""The real command line in one thread, with one bug put into it: `python -m tests.faults.seeded BUG pause ...`.

BUG may be empty. In one thread, as where no other can be had, the same command makes the same calls each time.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import apsw
import click

from workbench.cli import main
from workbench.snapshot import Publisher
from workbench.store import connection, keeping
from workbench.store.publishing import GateFolder
from workbench.store.sqlite import SqliteSession


def acknowledges_before_the_commit() -> None:
    """The store says that the hold stands, and then commits."""
    right = SqliteSession.commit

    def commit(session: SqliteSession) -> None:
        click.echo("H-2 placed on kind=workflow")
        right(session)

    SqliteSession.commit = commit  # type: ignore[method-assign]


def tries_a_failed_sync_again() -> None:
    """The file system layer takes a second sync for the first one's."""

    class File(apsw.VFSFile):
        def xSync(self, flags: int) -> None:  # noqa: N802
            try:
                super().xSync(flags)
            except apsw.IOError:
                super().xSync(flags)

    class Layer(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("again", apsw.vfs_names()[0], makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return File(apsw.vfs_names()[1], name, flags)

    kept.append(Layer())


def tries_a_failed_sync_of_the_snapshot_again() -> None:
    """What gates are told is synced again after an error, and taken for durable."""
    right = os.fsync

    def fsync(descriptor: int) -> None:
        try:
            right(descriptor)
        except OSError:
            right(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


def commits_without_a_sync() -> None:
    """The database leaves it to the machine when a commit reaches the disk."""
    _synchronous("off")


def commits_with_few_syncs() -> None:
    """The database syncs at checkpoints alone, which keeps a file whole and loses the newest commits."""
    _synchronous("normal")


def _synchronous(how: str) -> None:
    right = connection.run

    def run(opened: Any, name: str, **values: Any) -> list[tuple[Any, ...]]:
        if name == "pragma_synchronous_full":
            return list(opened.execute(f"pragma synchronous = {how}"))
        return right(opened, name, **values)

    connection.run = run


def publishes_without_a_sync() -> None:
    """What gates are told is renamed into its place before it is on the disk."""
    os.fsync = lambda _: None  # type: ignore[assignment]


def leaves_the_epoch_to_the_machine() -> None:
    """The epoch word is written, and not synced."""
    sys.modules[Publisher.__module__]._synced = os.close  # type: ignore[attr-defined]


def tells_no_gate() -> None:
    """What is recorded is not published, and nobody hears of it."""
    GateFolder.begin = lambda *_, **__: None  # type: ignore[method-assign]
    GateFolder.tell = lambda *_, **__: ""  # type: ignore[method-assign]


kept: list[Any] = []
"""What must live as long as the command."""
BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        acknowledges_before_the_commit,
        tries_a_failed_sync_again,
        tries_a_failed_sync_of_the_snapshot_again,
        tells_no_gate,
        commits_without_a_sync,
        commits_with_few_syncs,
        publishes_without_a_sync,
        leaves_the_epoch_to_the_machine,
    )
}


def stay_alone() -> None:
    """Let the command have one thread; connections to the store are closed when it ends."""

    def refused(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    _thread.start_new_thread = refused  # type: ignore[assignment]
    keeping._closers.append(threading.current_thread())


if __name__ == "__main__":
    stay_alone()
    if sys.argv[1]:
        BUGS[sys.argv[1]]()
    main(sys.argv[2:])

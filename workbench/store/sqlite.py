"""The store's rows in one SQLite file: written ahead, synced at each commit, one writer at a time."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from workbench.durable import fsync_folder
from workbench.errors import Refused, StorageUnavailable, StoreMissing, in_words
from workbench.records import Event
from workbench.store import log
from workbench.store.backend import NOTHING_RECORDED, WAIT_SECONDS, Changer, Upgrade
from workbench.store.chain import Row
from workbench.store.connection import (
    STORE_FILE,
    apply_steps,
    connect,
    connect_any_version,
    run,
    schema_version,
    stream,
)
from workbench.store.lock import lease, store_lock
from workbench.store.migrations import SCHEMA_VERSION, refuse_other_version
from workbench.store.place import refuse_network_place, size_of
from workbench.store.schema import Drift, Part, differences


class SqliteSession:
    """One open connection to the file."""

    gate_fault = ""

    def __init__(self, connection: apsw.Connection) -> None:
        """Speak over a connection that somebody else opens and closes."""
        self._connection = connection

    def begin(self) -> None:
        """Start the writing transaction; the kernel lock has been taken before."""
        run(self._connection, "begin_write")

    def commit(self) -> None:
        """Make the transaction durable; raises StorageUnavailable where only the sync failed.

        Then all of it stands in the write-ahead log: this process dropped it, and whoever opens the file anew
        after a crash may take it for committed.
        """
        try:
            run(self._connection, "commit")
        except apsw.IOError as exc:
            if getattr(exc, "extendedresult", 0) != apsw.SQLITE_IOERR_FSYNC:
                raise
            raise StorageUnavailable(
                "The disk failed at the commit; whether the command was recorded is not known.",
                next_step="look with `workbench status` before you repeat the command",
            ) from exc

    def rollback(self) -> None:
        """Drop the transaction."""
        run(self._connection, "rollback")

    def read_events(self, after_seq: int = 0, *, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order, each as it is stored, damaged ones with their fault."""
        rows = run(self._connection, "list_events", after_seq=after_seq, until_seq=until_seq)
        return [
            log.read_event(seq, prev_hash=_text(prev), hash_text=_text(own), body=_text(body))
            for seq, prev, own, body in rows
        ]

    def read_rows(self) -> Iterator[Row]:
        """Give the rows of the log in order as they are stored, not read as events; only within the session."""
        return stream(self._connection, "list_events", after_seq=0, until_seq=None)

    def meta(self) -> dict[str, str]:
        """Return the facts about the store itself."""
        return {str(name): str(value) for name, value in run(self._connection, "list_meta")}

    def projection(self) -> list[tuple[Any, ...]]:
        """Return the projection rows: entity, entity_id, body."""
        return run(self._connection, "list_projection")

    def outbox(self) -> list[tuple[Any, ...]]:
        """Return the outbox rows: decided_seq, automation_id, hold_id, desired, delivered_at."""
        return run(self._connection, "list_outbox")

    def outbox_of(self, decided_seq: int) -> list[tuple[Any, ...]]:
        """Return the outbox rows that one event made, as `outbox` has them."""
        return run(self._connection, "list_outbox_of", decided_seq=decided_seq)

    def head(self) -> tuple[int, str]:
        """Return where the log stands according to the head row; 0 where there is none."""
        rows = run(self._connection, "get_head")
        return (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")

    def faults(self) -> list[str]:
        """Return what SQLite's own integrity check finds wrong."""
        return [str(row[0]) for row in run(self._connection, "check_integrity") if row[0] != "ok"]

    def drift(self) -> list[Drift]:
        """Return in what the schema of the file is not what its migrations make."""
        return differences(_parts(self._connection), _expected())

    def server_time(self) -> datetime | None:
        """Return None: the file is of this machine."""
        return None

    def changers(self) -> list[Changer]:
        """Return nobody: whoever may write the file may change it, and SQLite knows no roles."""
        return []

    def hosts(self, most: int) -> list[tuple[Any, ...]]:
        """Return what mirrors reported, the newest first, as `list_hosts` has its columns."""
        return run(self._connection, "list_hosts", most=most)

    def report_host(self, row: dict[str, Any]) -> bool:
        """Take the report of a host; False where another gate folder reports under its name and number."""
        return bool(run(self._connection, "report_host", **row))

    def insert_meta(self, name: str, value: str) -> None:
        """Record one fact about the store."""
        run(self._connection, "insert_meta", key=name, value=value)

    def insert_event(self, event: Event) -> None:
        """Append one event, as it is, and move the head row to it."""
        row = {name: getattr(event, name) for name in ("seq", "prev_hash", "hash", "body")}
        run(self._connection, "insert_event", **row)
        run(self._connection, "upsert_head", seq=event.seq, hash=event.hash)

    def write_projection(self, entity: str, entity_id: str, *, body: str) -> None:
        """Write one row of the projection."""
        run(self._connection, "upsert_projection", entity=entity, entity_id=entity_id, body=body)

    def insert_outbox(self, row: dict[str, Any]) -> None:
        """Record that the desired state of one automation changed."""
        run(self._connection, "insert_outbox", **row)

    def mark_delivered(self, seq: int, delivered_at: str) -> None:
        """Note that what was decided up to a position has been published.

        Not synced by itself: a note that power takes away is made again by the next command, as one that fails.
        """
        with self._unsynced():
            run(self._connection, "mark_outbox_delivered", seq=seq, delivered_at=delivered_at)

    @contextlib.contextmanager
    def _unsynced(self) -> Iterator[None]:
        """Write without a sync of its own; within a transaction it is the commit that is synced."""
        if self._connection.in_transaction:
            yield
            return
        run(self._connection, "pragma_synchronous_normal")
        try:
            yield
        finally:
            run(self._connection, "pragma_synchronous_full")


class SqliteWatch:
    """Looks at the file again and again; each time by its name, for another may have been put there."""

    def __init__(self, backend: SqliteBackend) -> None:
        """Remember the file."""
        self._backend = backend

    def look(self) -> AbstractContextManager[SqliteSession]:
        """Open a session on the file that is there now."""
        self._backend.require()
        return self._backend.reading()

    def wait(self, seconds: float) -> None:
        """Wait; nobody is told when a file changes."""
        time.sleep(seconds)


class SqliteBackend:
    """One folder with the store's file and the lock beside it."""

    failures: tuple[type[Exception], ...] = (apsw.Error,)

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is touched."""
        self.folder = folder

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.folder / STORE_FILE

    @property
    def place(self) -> str:
        """The folder, as screens show it."""
        return str(self.folder)

    def require(self) -> None:
        """Raise StoreMissing where no file is, StorageUnavailable for an empty one, Refused on a network."""
        size = size_of(self.path)
        if size is None:
            raise StoreMissing(f"There is no store in {self.folder}.")
        if size == 0:
            raise StorageUnavailable(
                f"{self.path} is empty; a store never is. Nothing was created in its place.",
                next_step="put the file back from a copy, and check it with `workbench audit verify`",
            )
        refuse_network_place(self.folder)

    @contextlib.contextmanager
    def reading(self) -> Iterator[SqliteSession]:
        """Open a session that only reads."""
        with connect(self.path) as connection:
            yield SqliteSession(connection)

    @contextlib.contextmanager
    def writing(self, wait_seconds: float = WAIT_SECONDS) -> Iterator[SqliteSession]:
        """Open a session behind the kernel lock."""
        with (
            store_lock(self.folder, wait_seconds),
            connect(self.path, NOTHING_RECORDED) as connection,
        ):
            yield SqliteSession(connection)

    def publishing(
        self, gate_folder: Path, wait_seconds: float = WAIT_SECONDS
    ) -> AbstractContextManager[None]:
        """Hold the store's lock: it is what a writer holds, from before its commit until gates are told."""
        return store_lock(self.folder, wait_seconds, what_then=f"{gate_folder} was told nothing")

    @contextlib.contextmanager
    def watching(self) -> Iterator[SqliteWatch]:
        """Begin to watch the file."""
        yield SqliteWatch(self)

    @contextlib.contextmanager
    def leasing(self, name: str) -> Iterator[bool]:
        """Hold a kernel lock on a file beside the store; it is free again when this process is gone."""
        with lease(self.folder, name) as is_held:
            yield is_held

    @contextlib.contextmanager
    def making(self) -> Iterator[SqliteSession]:
        """Make the file under a temporary name, then put it in its place with one rename."""
        refuse_network_place(self.folder)
        self._refuse_taken()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with store_lock(self.folder):
                self._refuse_taken()
                temporary = self.path.with_name(f".{self.path.name}.new")
                try:
                    _remove(temporary)  # left by a command that was killed
                    with _new_file(temporary) as connection:
                        yield SqliteSession(connection)
                    temporary.rename(self.path)
                    fsync_folder(self.folder)
                finally:
                    _remove(temporary)
        except (OSError, apsw.Error) as exc:
            raise StorageUnavailable(
                f"No store can be made in {self.folder}: {in_words(exc)}.",
                next_step="point WORKBENCH_STORE at a folder that you may write to",
            ) from exc

    def upgrade(self, copies: Path) -> Upgrade:
        """Copy the file beside itself, then run the steps to today's schema in one transaction."""
        with store_lock(self.folder), connect_any_version(self.path) as connection:
            found = schema_version(connection)
            if found == SCHEMA_VERSION:
                return Upgrade(found)
            if found > SCHEMA_VERSION or found < 1:
                refuse_other_version(found, str(self.path))
            copy = self.path.with_name(f"{self.path.name}.schema-{found}")
            _copy_durably(connection, copy)
            run(connection, "begin_write")
            try:
                apply_steps(connection, found)
                run(connection, "commit")
            except BaseException:
                with contextlib.suppress(apsw.Error):
                    run(connection, "rollback")
                raise
            return Upgrade(found, str(copy))

    def _refuse_taken(self) -> None:
        if self.path.exists():
            raise Refused(f"There is a store in {self.folder} already; it was left as it is.")


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path))
    try:
        run(connection, "pragma_synchronous_full")
        with connection:
            apply_steps(connection, 0)
            yield connection
        run(connection, "pragma_journal_wal")
    finally:
        connection.close()


@functools.cache
def _expected() -> tuple[Part, ...]:
    """Return the parts of a schema that was just made."""
    connection = apsw.Connection(":memory:")
    try:
        apply_steps(connection, 0)
        return tuple(_parts(connection))
    finally:
        connection.close()


def _parts(connection: apsw.Connection) -> Iterator[Part]:
    for row in run(connection, "list_schema"):
        yield Part(*map(str, row))


def _copy_durably(connection: apsw.Connection, path: Path) -> None:
    """Copy a whole database beside itself; under its name lies a whole copy or none."""
    temporary = path.with_name(f".{path.name}.new")
    _remove(temporary)
    target = apsw.Connection(str(temporary))
    try:
        with target.backup("main", connection, "main") as copying:
            copying.step()
    finally:
        target.close()
    try:
        temporary.rename(path)
        fsync_folder(path.parent)
    except OSError as exc:
        raise StorageUnavailable(f"No copy can be kept at {path}: {exc.strerror}.") from exc


def _remove(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _text(stored: bytes) -> str:
    # Read as bytes, so that a row damaged into something that is not UTF-8 does not hide the others.
    return stored.decode("utf-8", "replace")

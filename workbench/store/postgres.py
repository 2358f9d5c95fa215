"""The store's rows in a PostgreSQL database: one schema, writers in turn on one locked head row."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from workbench.errors import Refused, StorageUnavailable, StoreMissing
from workbench.records import Event
from workbench.settings import StoreUrl
from workbench.store import log
from workbench.store.backend import NOTHING_RECORDED, WAIT_SECONDS, Changer, Upgrade
from workbench.store.chain import Row
from workbench.store.copies import keep_log
from workbench.store.lock import gate_lock
from workbench.store.migrations import SCHEMA_VERSION, refuse_other_version
from workbench.store.postgres_connection import (
    Connection,
    apply_steps,
    connected,
    plain_error,
    run,
    schema_version,
)
from workbench.store.schema import Drift, Part, differences, expected_on_a_server

DOUBT_SECONDS = 15.0
"""How long a commit in doubt is looked for on a server that is away: a restart or a fail-over takes a while."""
AGAIN_SECONDS = 0.3


class PostgresSession:
    """One open connection to the database.

    Attributes:
        gate_fault: why the gate folder of this host may not be written now, or an empty text.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        reconnect: Callable[[], Connection] | None = None,
        gate_fault: str = "",
    ) -> None:
        """Speak over a connection that somebody else opens; `reconnect` settles a commit in doubt."""
        self.gate_fault = gate_fault
        self._connection = connection
        self._reconnect = reconnect
        self._newest: tuple[int, str] | None = None

    def begin(self) -> None:
        """Start the writing transaction with the head row locked: writers take turns there."""
        run(self._connection, "begin_write")
        run(self._connection, "lock_head")

    def commit(self) -> None:
        """Make the transaction durable; a connection that breaks meanwhile is not taken for a refusal."""
        try:
            run(self._connection, "commit")
        except psycopg.OperationalError as exc:
            if not self._is_there_after_all():
                raise StorageUnavailable(
                    "The connection to the store broke in the commit; the command was not recorded.",
                    next_step="run the command again",
                ) from exc

    def rollback(self) -> None:
        """Drop the transaction."""
        run(self._connection, "rollback")

    def read_events(self, after_seq: int = 0, *, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order, each as it is stored, damaged ones with their fault."""
        rows = run(self._connection, "list_events", after_seq=after_seq, until_seq=until_seq)
        return [
            log.read_event(seq, prev_hash=prev, hash_text=own, body=body)
            for seq, prev, own, body in rows
        ]

    def read_rows(self) -> Iterator[Row]:
        """Give the rows of the log in order as they are stored, not read as events; only within the session."""
        for seq, prev, own, body in run(
            self._connection, "list_events", after_seq=0, until_seq=None
        ):
            yield seq, prev.encode(), own.encode(), body.encode()

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
        """Return the settings of the server under which what it acknowledges may be lost."""
        return [str(row[0]) for row in run(self._connection, "list_faults")]

    def drift(self) -> list[Drift]:
        """Return in what the schema of the database, its rights and owners are not what its migrations make."""
        found = [Part(*map(str, row)) for row in run(self._connection, "list_schema")]
        return differences(found, expected_on_a_server())

    def server_time(self) -> datetime | None:
        """Return what the server's clock says now."""
        found: datetime = run(self._connection, "get_server_time")[0][0]
        return found

    def changers(self) -> list[Changer]:
        """Return the superusers, the owner and whoever else has a right to change rows of the log."""
        return [Changer(*row) for row in run(self._connection, "list_changers")]

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
        """Append one event, as it is, move the head row to it, and tell mirrors once it is committed."""
        row = {name: getattr(event, name) for name in ("seq", "prev_hash", "hash", "body")}
        run(self._connection, "insert_event", **row)
        run(self._connection, "set_head", seq=event.seq, hash=event.hash)
        run(self._connection, "notify_event", payload=f"{event.store_id} {event.seq}")
        self._newest = (event.seq, event.hash)

    def write_projection(self, entity: str, entity_id: str, *, body: str) -> None:
        """Write one row of the projection."""
        run(self._connection, "upsert_projection", entity=entity, entity_id=entity_id, body=body)

    def insert_outbox(self, row: dict[str, Any]) -> None:
        """Record that the desired state of one automation changed."""
        run(self._connection, "insert_outbox", **row)

    def mark_delivered(self, seq: int, delivered_at: str) -> None:
        """Note that what was decided up to a position has been published."""
        run(self._connection, "mark_outbox_delivered", seq=seq, delivered_at=delivered_at)

    def _is_there_after_all(self) -> bool:
        """Look over a new connection whether a commit in doubt took place; waits until the old one is over."""
        if self._reconnect is None or self._newest is None:
            return False
        seq, own = self._newest
        self._connection.close()  # so that the server ends a transaction that is still open
        until = time.monotonic() + DOUBT_SECONDS
        while True:
            try:
                fresh = self._reconnect()
                run(fresh, "begin_write")
                run(fresh, "lock_head")  # a transaction that still goes on holds it
                rows = run(fresh, "list_events", after_seq=seq - 1, until_seq=seq)
                run(fresh, "rollback")
            except (psycopg.Error, StorageUnavailable) as exc:
                if time.monotonic() >= until:
                    raise _in_doubt(seq) from exc
                # A server that is started again, or another that takes over, answers in a while.
                time.sleep(AGAIN_SECONDS * (0.5 + random.random()))  # no secret depends on it
            else:
                self._connection = fresh
                return bool(rows) and rows[0][2] == own


def _in_doubt(seq: int) -> StorageUnavailable:
    return StorageUnavailable(
        f"The connection to the store broke in the commit; whether event {seq} was recorded is not known.",
        next_step="when the server is back give the same command id again: what was recorded is not done twice",
    )


class PostgresWatch:
    """One connection that hears of each event when it is committed."""

    def __init__(self, connection: Connection) -> None:
        """Listen on a connection that somebody else opens and closes."""
        self._connection = connection

    @contextlib.contextmanager
    def look(self) -> Iterator[PostgresSession]:
        """Ask over the same connection: an answer shows that what would tell of an event is alive."""
        yield PostgresSession(self._connection)

    def wait(self, seconds: float) -> None:
        """Wait for a notification; raises what the driver raises when the connection is lost."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass


class PostgresBackend:
    """One database of a PostgreSQL server, and the gate folder of this host."""

    failures: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, url: StoreUrl, gate_folder: Path) -> None:
        """Remember address and gate folder; nothing is touched."""
        self.url = url
        self.gate_folder = gate_folder

    @property
    def place(self) -> str:
        """The address without its password."""
        return self.url.place

    def require(self) -> None:
        """Raise StoreMissing where the database holds no store."""
        with self.reading():
            pass

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresSession]:
        """Open a session that only reads."""
        with self._store_connection(WAIT_SECONDS) as connection:
            yield PostgresSession(connection)

    @contextlib.contextmanager
    def writing(self, wait_seconds: float = WAIT_SECONDS) -> Iterator[PostgresSession]:
        """Open a session for writing; the gate folder is this writer's until it is closed.

        A gate folder that cannot be had is in nobody's way: the session says so, and what is recorded
        reaches gates with the next publication.
        """
        with contextlib.ExitStack() as stack:
            gate_fault = ""
            try:
                stack.enter_context(gate_lock(self.gate_folder, wait_seconds))
            except StorageUnavailable as exc:
                gate_fault = exc.message

            def connect() -> Connection:
                opened = self._store_connection(wait_seconds, NOTHING_RECORDED)
                return stack.enter_context(opened)

            yield PostgresSession(
                connect(),
                reconnect=connect,
                gate_fault=gate_fault,
            )

    def publishing(
        self, gate_folder: Path, wait_seconds: float = WAIT_SECONDS
    ) -> AbstractContextManager[None]:
        """Hold the lock of the gate folder, as the writers on this host do."""
        return gate_lock(gate_folder, wait_seconds)

    @contextlib.contextmanager
    def watching(self) -> Iterator[PostgresWatch]:
        """Listen for events over one lasting connection."""
        with self._store_connection(WAIT_SECONDS) as connection:
            run(connection, "listen_event")
            run(connection, "acknowledge_early")
            yield PostgresWatch(connection)

    @contextlib.contextmanager
    def leasing(self, name: str) -> Iterator[bool]:
        """Hold an advisory lock of the server; it is free again when this connection is gone."""
        with self._store_connection(WAIT_SECONDS) as connection:
            yield bool(run(connection, "try_lease", lease=name)[0][0])

    @contextlib.contextmanager
    def making(self) -> Iterator[PostgresSession]:
        """Make schema, roles and rows in one transaction of an empty database."""
        with self._connection_to_make() as connection:
            run(connection, "begin_write")
            run(connection, "lock_making")
            is_there, encoding = run(connection, "get_place")[0]
            if is_there:
                raise Refused(f"There is a store in {self.place} already; it was left as it is.")
            if encoding != "UTF8":
                raise Refused(
                    f"The database {self.place} keeps text as {encoding}, and a store needs UTF8.",
                    next_step="make a database with `createdb --encoding UTF8 --template template0 NAME`",
                )
            apply_steps(connection, 0)
            yield PostgresSession(connection)
            run(connection, "commit")

    def upgrade(self, copies: Path) -> Upgrade:
        """Write the log to a file, then run the steps to today's schema, in one transaction; writers wait."""
        with self._connection_to_make() as connection:
            run(connection, "begin_write")
            run(connection, "lock_making")
            found = schema_version(connection)
            if found is None:
                raise StoreMissing(f"There is no store in {self.place}.")
            if found == SCHEMA_VERSION:
                return Upgrade(found)
            if found > SCHEMA_VERSION or found < 1:
                refuse_other_version(found, self.place)
            run(connection, "lock_head")
            copy = keep_log(PostgresSession(connection), copies, version=found)
            apply_steps(connection, found)
            run(connection, "commit")
            return Upgrade(found, str(copy))

    @contextlib.contextmanager
    def _connection_to_make(self) -> Iterator[Connection]:
        with (
            connected(self.url, WAIT_SECONDS, what_then=NOTHING_RECORDED) as connection,
            self._plain(connection, NOTHING_RECORDED),
        ):
            yield connection

    @contextlib.contextmanager
    def _store_connection(self, wait_seconds: float, what_then: str = "") -> Iterator[Connection]:
        with (
            connected(self.url, wait_seconds, what_then=what_then) as connection,
            self._plain(connection, what_then),
        ):
            found = schema_version(connection)
            if found is None:
                raise StoreMissing(f"There is no store in {self.place}.")
            refuse_other_version(found, self.place)
            yield connection

    @contextlib.contextmanager
    def _plain(self, connection: Connection, what_then: str = "") -> Iterator[None]:
        try:
            yield
        except psycopg.Error as exc:
            raise plain_error(
                self.url, exc, is_lost=connection.closed, what_then=what_then
            ) from exc

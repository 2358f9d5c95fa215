"""What the store asks of a database: sessions to read and to write in, whatever keeps the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from workbench.records import Event
from workbench.store.chain import Row
from workbench.store.schema import Drift

WAIT_SECONDS = 10.0
"""How long a writer waits for its turn."""
NOTHING_RECORDED = " Nothing was recorded."
"""Ends the sentence about a store that failed a writer; a reader cannot know what was recorded before it."""


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade of the schema did.

    Attributes:
        found: version that was there.
        copy: where a copy from before lies, or an empty text where none was made.
    """

    found: int
    copy: str = ""


@dataclass(frozen=True)
class Changer:
    """A role of the database's server that may change the log, whatever guards it.

    Attributes:
        is_own: this process is connected as it.
    """

    role: str
    reason: str
    is_own: bool

    def __str__(self) -> str:
        return f"{self.role} ({self.reason})"


class Session(Protocol):
    """One open connection; where it is for writing, this writer's turn lasts as long as it is open.

    Attributes:
        gate_fault: why nothing may be published in this session, or an empty text.
    """

    gate_fault: str

    def begin(self) -> None:
        """Start the writing transaction: from here on no other writer adds an event."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def rollback(self) -> None:
        """Drop the transaction."""

    def read_events(self, after_seq: int = 0, *, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order, each as it is stored, damaged ones with their fault."""

    def read_rows(self) -> Iterator[Row]:
        """Give the rows of the log in order as they are stored, not read as events; only within the session."""

    def meta(self) -> dict[str, str]:
        """Return the facts about the store itself."""

    def projection(self) -> list[tuple[Any, ...]]:
        """Return the projection rows: entity, entity_id, body."""

    def outbox(self) -> list[tuple[Any, ...]]:
        """Return the outbox rows: decided_seq, automation_id, hold_id, desired, delivered_at."""

    def outbox_of(self, decided_seq: int) -> list[tuple[Any, ...]]:
        """Return the outbox rows that one event made, as `outbox` has them."""

    def head(self) -> tuple[int, str]:
        """Return where the log stands according to the head row; 0 where there is none."""

    def faults(self) -> list[str]:
        """Return what the database's own check finds wrong."""

    def drift(self) -> list[Drift]:
        """Return in what the schema is not what its migrations make."""

    def server_time(self) -> datetime | None:
        """Return what the clock of the database's server says; None where that is this machine's."""

    def changers(self) -> list[Changer]:
        """Return who the database lets change the log; empty where it knows no roles."""

    def hosts(self, most: int) -> list[tuple[Any, ...]]:
        """Return what mirrors reported, the newest first, as `list_hosts` has its columns."""

    def report_host(self, row: dict[str, Any]) -> bool:
        """Take the report of a host; False where another gate folder reports under its name and number."""

    def insert_meta(self, name: str, value: str) -> None:
        """Record one fact about the store."""

    def insert_event(self, event: Event) -> None:
        """Append one event, as it is, and move the head row to it."""

    def write_projection(self, entity: str, entity_id: str, *, body: str) -> None:
        """Write one row of the projection."""

    def insert_outbox(self, row: dict[str, Any]) -> None:
        """Record that the desired state of one automation changed."""

    def mark_delivered(self, seq: int, delivered_at: str) -> None:
        """Note that what was decided up to a position has been published."""


class Watch(Protocol):
    """A lasting look at the store, for whoever has to see each event soon after it was recorded."""

    def look(self) -> AbstractContextManager[Session]:
        """Open a session on the store as it is now."""

    def wait(self, seconds: float) -> None:
        """Wait for an event, at most so long."""


class Backend(Protocol):
    """The database of one store; opened and closed for each session, so any thread may ask."""

    @property
    def place(self) -> str:
        """Where the store is, as screens show it; never with a password."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What the database's driver raises inside of a session."""

    def require(self) -> None:
        """Raise StoreMissing or StorageUnavailable where there is no store; makes none."""

    def reading(self) -> AbstractContextManager[Session]:
        """Open a session that only reads; raises StorageUnavailable where that fails."""

    def writing(self, wait_seconds: float = WAIT_SECONDS) -> AbstractContextManager[Session]:
        """Open a session as the only writer; raises StorageUnavailable naming who is in the way."""

    def publishing(
        self, gate_folder: Path, wait_seconds: float = WAIT_SECONDS
    ) -> AbstractContextManager[None]:
        """Have a gate folder to oneself, by the lock that writers hold while they tell it.

        Raises StorageUnavailable naming who is in the way.
        """

    def watching(self) -> AbstractContextManager[Watch]:
        """Begin to watch; raises StorageUnavailable where the store cannot be reached any more."""

    def leasing(self, name: str) -> AbstractContextManager[bool]:
        """Hold a lease while the block lasts, on whatever host; gives False where another process has it."""

    def making(self) -> AbstractContextManager[Session]:
        """Open a session in an empty store that is there, whole, once the block ends well, else not at all.

        Raises Refused where a store is already.
        """

    def upgrade(self, copies: Path) -> Upgrade:
        """Bring an older schema up to this workbench's, in one transaction; raises for a newer one.

        A copy from before is kept: beside a file, of a database the log in a folder for copies.
        """

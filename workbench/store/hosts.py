"""Hosts whose mirrors report: which gate folder each has, how far gates there were told, and what they said.

A host's row is its own word. It opens nothing: what gates let through stands in the log, and reaches each
gate folder by publication alone. Ages are measured by the store's clock, never by the host's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.clock import from_text, to_text
from workbench.presence import Presence
from workbench.store.backend import Session
from workbench.store.state import State
from workbench.tickets import Ticket

SILENT_SECONDS = 10.0
"""After so long without a report a host is UNREACHABLE: its mirror has stopped, or the network has."""
MOST_HOSTS = 1000
FORMAT = 1


@dataclass(frozen=True)
class ReportedBook:
    """Tickets of one narrow restart that were taken on a host.

    Attributes:
        taken_count: how many; `tickets` may hold fewer, for a report is bounded.
    """

    taken_count: int
    why_closed: str = ""
    tickets: tuple[Ticket, ...] = ()


@dataclass(frozen=True)
class Host:
    """One gate folder, as the mirror of its host reported it last.

    Attributes:
        number: random number of the gate folder; with the name it stays the same over a restart.
        folder_id: what tells the folder from its copies, until its machine is started again.
        beaten_at: when the report came, by the store's clock.
        skew_seconds: how far the host's clock is ahead of the store's.
        seq: position that gates there were told last.
        told_at: when that was, by the store's clock.
        said: automation id -> what its processes said, those that run and those that ended in one entry each.
        is_whole: False where it had more to say than a report holds.
        fault: why the report cannot be read, or an empty text.
    """

    name: str
    number: str
    folder_id: str
    gate_folder: str
    reported_by: str
    beaten_at: datetime
    age_seconds: float
    skew_seconds: float
    seq: int
    told_at: datetime | None = None
    said: Mapping[str, tuple[Presence, ...]] = field(default_factory=dict)
    books: Mapping[str, ReportedBook] = field(default_factory=dict)
    is_whole: bool = True
    fault: str = ""

    @property
    def key(self) -> str:
        """What a recorded command names the host by."""
        return f"{self.name}/{self.number}"

    @property
    def is_silent(self) -> bool:
        """Tell whether nothing was heard of it for too long, or nothing that can be read."""
        return self.age_seconds > SILENT_SECONDS or bool(self.fault)

    @property
    def last_heard(self) -> str:
        """Say when it was heard last, and how long ago that is."""
        how = f", and its report cannot be read: {self.fault}" if self.fault else ""
        at = f"{self.beaten_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"last heartbeat {at} ({self.age_seconds:.0f} s ago){how}"


@dataclass(frozen=True)
class Hosts:
    """The hosts that count, by name.

    Attributes:
        is_cut: there are more than can be looked at, so that nobody can say that all have confirmed.
    """

    known: tuple[Host, ...] = ()
    is_cut: bool = False

    def elsewhere(self, folder_id: str) -> tuple[Host, ...]:
        """Return the hosts with another gate folder than this one, which is looked at itself."""
        return tuple(host for host in self.known if not folder_id or host.folder_id != folder_id)

    def label(self, host: Host) -> str:
        """Return the host's name, with its number where another one has the same name."""
        is_alone = sum(other.name == host.name for other in self.known) == 1
        return host.name if is_alone else host.key


NO_HOSTS = Hosts()


def hosts_of(session: Session, state: State) -> Hosts:
    """Return the hosts that reported and were not struck off since."""
    rows = session.hosts(MOST_HOSTS + 1)
    found = [_host(row) for row in rows[:MOST_HOSTS]]
    found = [host for host in found if state.forgotten.get(host.key) != to_text(host.beaten_at)]
    return Hosts(tuple(sorted(found, key=lambda h: h.key)), len(rows) > MOST_HOSTS)


_UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    OverflowError,
)


def _host(row: tuple[Any, ...]) -> Host:
    """Return a host from its row; what cannot be read of it is said, and confirms nothing."""
    name, number, folder, place, account, beaten, age, said, seq, report = row
    beaten_at, ahead, fault, found = datetime.fromtimestamp(0, UTC), timedelta(), "", Report()
    try:
        beaten_at = from_text(str(beaten))
        ahead = from_text(str(said)) - beaten_at
        found = read_report(str(report), ahead)
    except _UNREADABLE as exc:
        fault = f"{type(exc).__name__} {exc}"[:200]
    return Host(
        name=str(name),
        number=str(number),
        folder_id=str(folder),
        gate_folder=str(place),
        reported_by=str(account),
        beaten_at=beaten_at,
        age_seconds=max(0.0, float(age or 0)),
        skew_seconds=ahead.total_seconds(),
        seq=int(seq),
        fault=fault,
        **vars(found),
    )


@dataclass(frozen=True)
class Report:
    """The part of a host's row that is text: what its gates said and counted."""

    told_at: datetime | None = None
    said: Mapping[str, tuple[Presence, ...]] = field(default_factory=dict)
    books: Mapping[str, ReportedBook] = field(default_factory=dict)
    is_whole: bool = True


def read_report(text: str, ahead: timedelta) -> Report:
    """Read a report, its instants set back by how far the host's clock is ahead.

    Raises one of `_UNREADABLE` for what is not one.
    """
    body = json.loads(text)
    if body["format"] != FORMAT:
        raise ValueError(f"format {body['format']!r:.40}")
    told_at = body["told_at"]
    return Report(
        told_at=from_text(told_at) - ahead if told_at else None,
        said={
            str(automation_id): tuple(_presence(automation_id, entry, ahead) for entry in entries)
            for automation_id, entries in body["automations"].items()
        },
        books={str(p): _book(entry) for p, entry in body["books"].items()},
        is_whole=body["is_whole"] is True,
    )


def _presence(automation_id: str, entry: Mapping[str, Any], ahead: timedelta) -> Presence:
    return Presence(
        automation_id=str(automation_id),
        pid=0,
        seen_seq=None if entry["seen_seq"] is None else int(entry["seen_seq"]),
        seen_at=from_text(entry["seen_at"]) - ahead,
        asked_at=from_text(entry["asked_at"]) - ahead,
        in_flight=(),
        is_alive=entry["is_alive"] is True,
        unnamed_count=max(0, int(entry["in_flight_count"])),
    )


def _book(entry: Mapping[str, Any]) -> ReportedBook:
    tickets = tuple(Ticket(*(str(part) for part in ticket)) for ticket in entry["tickets"])
    return ReportedBook(max(0, int(entry["taken_count"])), str(entry["why_closed"]), tickets)


def named_hosts(hosts: Iterable[Host], name: str) -> list[Host]:
    """Return the hosts that a name or a `name/number` means."""
    return [host for host in hosts if name in (host.name, host.key)]

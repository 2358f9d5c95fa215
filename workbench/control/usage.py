"""How many runs a narrow restart has let through, on which host, and how old that knowledge is."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workbench.errors import StorageUnavailable
from workbench.restarts import Probation, Share
from workbench.store.hosts import NO_HOSTS, Host, Hosts, ReportedBook
from workbench.store.state import State
from workbench.store.store import Store
from workbench.tickets import Ticket, TicketBook, TicketFault


@dataclass(frozen=True)
class Use:
    """What was let through of one share.

    Attributes:
        host: name of its host; empty where the restart has no shares, so that this host alone counts.
        runs: how many it may let through.
        heard: when and how that is known; empty where the book itself was looked at.
        why_closed: why it lets nothing more through, or an empty text.
    """

    host: str
    runs: int
    taken_count: int
    heard: str = ""
    why_closed: str = ""
    tickets: tuple[Ticket, ...] = ()

    @property
    def words(self) -> str:
        """Say how much of it was used, and how old that knowledge is."""
        about = "; ".join(part for part in (self.heard, self.why_closed) if part)
        return f"{self.host} {self.taken_count} of {self.runs}{f' ({about})' if about else ''}"


@dataclass(frozen=True)
class Counter:
    """Counts the runs of narrow restarts: in the book of this host, and by what others reported.

    What a host reports counts for its own share at most; it ends a narrow restart early at worst.
    """

    gate_folder: Path
    folder_id: str = ""
    hosts: Hosts = NO_HOSTS

    @classmethod
    def of(cls, store: Store, state: State) -> Counter:
        """Return the counter of a store; hosts are asked for only where one has a share of its own."""
        hosts = NO_HOSTS
        if any(probation.shares for probation in state.probations.values()):
            with contextlib.suppress(StorageUnavailable):  # what nobody counts ends nothing
                hosts = store.hosts(state)
        return cls(store.gate_folder, store.gates.identity(state)[1], hosts)

    def book(self, probation: Probation) -> TicketBook:
        """Return the book of this host."""
        runs = probation.runs_in(self.folder_id)
        return TicketBook(self.gate_folder, probation.probation_id, runs)

    def uses(self, probation: Probation) -> tuple[Use, ...]:
        """Return what was let through, by share; raises TicketFault where the only book cannot be read."""
        if not probation.shares:
            return (_use_of_book("", probation.max_runs, self.book(probation)),)
        return tuple(self._use(probation, share) for share in probation.shares)

    def close(self, probation: Probation, why: str, *, now: datetime) -> None:
        """Note in this host's book a limit that was seen reached, so that a clock set back does not open it again."""
        with contextlib.suppress(TicketFault):
            if not self.book(probation).why_closed():
                self.book(probation).close(why, now=now)

    def _use(self, probation: Probation, share: Share) -> Use:
        if share.folder_id == self.folder_id:
            try:
                return _use_of_book(share.host, share.runs, self.book(probation))
            except TicketFault as exc:
                return Use(share.host, share.runs, 0, heard=str(exc))
        host = _host_of(self.hosts.known, share)
        if host is None:
            return Use(share.host, share.runs, 0, heard="never heard of since")
        heard = "last heard" if host.is_silent else "heard"
        heard = f"{heard} {host.age_seconds:.0f} s ago"
        book = host.books.get(probation.probation_id, ReportedBook(0))
        if host.folder_id != share.folder_id:
            heard = f"{heard}; restarted or made anew since, so the rest is void"
        taken, tickets = min(share.runs, book.taken_count), book.tickets[: share.runs]
        return Use(share.host, share.runs, taken, heard, book.why_closed, tickets)


def limit_reached(probation: Probation, uses: Sequence[Use], *, now: datetime) -> str:
    """Return which limit of a narrow restart is reached, or an empty text."""
    if sum(use.taken_count for use in uses) >= probation.max_runs:
        return f"used its {probation.max_runs} runs"
    if probation.until is not None and now >= probation.until:
        return f"ended at {probation.until:%Y-%m-%d %H:%M:%S} UTC"
    closed = [use.why_closed for use in uses if use.why_closed]
    return closed[0] if len(closed) == len(uses) else ""


def _host_of(known: Sequence[Host], share: Share) -> Host | None:
    """Return the host that has a share: its gate folder, else the one that goes by its name by now."""
    same = [host for host in known if host.folder_id == share.folder_id]
    namesakes = [host for host in known if share.host in (host.name, host.key)]
    found = same or namesakes
    return found[0] if len(found) == 1 else None


def _use_of_book(host: str, runs: int, book: TicketBook) -> Use:
    tickets = tuple(book.taken())
    return Use(host, runs, len(tickets), "", book.why_closed(), tickets)

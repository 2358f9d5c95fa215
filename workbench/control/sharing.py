"""Which host's gates let the runs of a narrow restart through: shares that are recorded with it.

A gate answers without the store, so a count over all hosts cannot be asked for at each run, and whatever lends
out runs by time (a lease, a heartbeat) is only as right as the clocks. A share is neither asked for nor lent:
it stands in the log, belongs to one gate folder as it was when the restart was given, and all shares together
are the runs that were decided. So whichever hosts are cut off, late, cloned or set to another time, no more get
through. The price is that runs left over on one host are of no use to another until somebody resumes again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotFound, Refused, StorageUnavailable, UsageFault
from workbench.presence import read_presences
from workbench.restarts import Share
from workbench.store.state import State
from workbench.store.store import Store
from workbench.tickets import TicketBook

if TYPE_CHECKING:
    from workbench.control.resuming import ResumeRequest

HOW = "`--host NAME`, or `--host NAME=RUNS,OTHER=RUNS`"


@dataclass(frozen=True)
class Candidate:
    """One gate folder that could let the runs through.

    Attributes:
        label: how screens call its host.
        names: what a person may call it.
        asks: a gate there was asked for one of the automations.
        silence: when its host was heard last, where it is silent; else an empty text.
    """

    label: str
    folder_id: str
    names: tuple[str, ...]
    asks: bool
    silence: str = ""


class TicketOffice:
    """Shares out the runs of narrow restarts, and makes the book of what is let through on this host."""

    def __init__(self, store: Store) -> None:
        """Look at the hosts that report to a store."""
        self._store = store

    def shares(
        self, request: ResumeRequest, *, state: State, ids: Sequence[str]
    ) -> tuple[Share, ...]:
        """Return the shares of a narrow restart; none where a file tells gates of this host alone.

        Raises UsageFault for shares that are not the runs in all, NotFound for a host that does not report,
        Refused where it must be named and is not, or is silent.
        """
        candidates = self._candidates(state, ids)
        wanted = parse_hosts(request.hosts, request.runs or 0)
        if not candidates:
            _refuse_unknown(wanted, [])
            return ()
        if not wanted:
            return (_share(_only_one(candidates, ids), request.runs or 0),)
        _refuse_unknown(wanted, candidates)
        found = [(_named(candidates, name), runs) for name, runs in wanted]
        if len({candidate.folder_id for candidate, _ in found}) < len(found):
            raise UsageFault("A host is named twice; name each once.", next_step=HOW)
        return tuple(_share(candidate, runs) for candidate, runs in found)

    def maker(
        self, state: State, *, probation_id: str, runs: int, shares: Sequence[Share]
    ) -> Callable[[], None]:
        """Return what makes this host's ticket book durable before the narrow restart is recorded.

        Books of other hosts are made there, before their gates hear of it. Raises StorageUnavailable where it
        cannot be made.
        """
        folder, own = self._store.gate_folder, self._store.gates.identity(state)[1]
        here = sum(s.runs for s in shares if s.folder_id == own) if shares else runs

        def make() -> None:
            try:
                if here:
                    TicketBook(folder, probation_id, here).create()
            except OSError as exc:
                raise StorageUnavailable(
                    f"Tickets cannot be counted in {folder} ({exc.strerror}); nothing was restarted.",
                    next_step="make the gate folder writable",
                ) from exc

        return make

    def _candidates(self, state: State, ids: Sequence[str]) -> list[Candidate]:
        """Return the gate folders that could let the runs through; none where a file tells only this one.

        On a server this one has its share even when no other host reports: a cloned machine reaches it too.
        """
        hosts, own = self._store.hosts(state), self._store.gates.identity(state)[1]
        found = [
            Candidate(
                hosts.label(host),
                host.folder_id,
                (host.name, host.key),
                any(automation_id in host.said for automation_id in ids),
                host.last_heard if host.is_silent else "",
            )
            for host in hosts.elsewhere(own)
        ]
        mine = [hosts.label(host) for host in hosts.known if own and host.folder_id == own]
        here = read_presences(self._store.gate_folder)
        is_likely = (mine or here) if found else self._store.is_on_server
        if own and is_likely:
            label = mine[0] if mine else self._store.host
            asks = any(automation_id in here for automation_id in ids)
            found.append(Candidate(label, own, (label, self._store.host), asks))
        return found


def parse_hosts(text: str, runs: int) -> list[tuple[str, int]]:
    """Return host names with their runs from `a` or `a=10,b=10`; raises UsageFault for what does not add up."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and "=" not in parts[0]:
        return [(parts[0], runs)]
    found = []
    for part in parts:
        name, _, count = part.partition("=")
        if not count.strip().isdecimal() or int(count) < 1:
            raise UsageFault(f"{part!r:.80} does not say how many runs a host has.", next_step=HOW)
        found.append((name.strip(), int(count)))
    if found and runs and sum(count for _, count in found) != runs:
        total = sum(count for _, count in found)
        raise UsageFault(f"The hosts have {total} runs together, and {runs} were asked for.")
    return found


def _only_one(candidates: Sequence[Candidate], ids: Sequence[str]) -> Candidate:
    """Return the one host where the automations were seen, or the only one that there is."""
    asking = [c for c in candidates if c.asks]
    likely = asking or candidates
    if len(likely) == 1:
        return _heard(likely[0])
    names = ", ".join(sorted(c.label for c in likely))
    was = "was" if len(ids) == 1 else "were"
    seen = (
        f"{was} seen on several hosts"
        if asking
        else f"{was} seen on no host yet, and there are several"
    )
    raise Refused(
        f"{', '.join(ids)} {seen}: {names}. Say which lets the runs through, or how many on each.",
        next_step=HOW,
    )


def _named(candidates: Sequence[Candidate], name: str) -> Candidate:
    found = [c for c in candidates if name in c.names]
    if len(found) > 1:
        labels = ", ".join(sorted(c.label for c in found))
        raise UsageFault(
            f"Several hosts are named {name}: {labels}.", next_step="name one of these"
        )
    return _heard(found[0])


def _heard(candidate: Candidate) -> Candidate:
    if candidate.silence:
        raise Refused(
            f"Host {candidate.label} is UNREACHABLE: {candidate.silence}; nobody would see its runs.",
            next_step="name a host that reports, or start `workbench mirror --watch` there",
        )
    return candidate


def _refuse_unknown(wanted: Sequence[tuple[str, int]], known: Sequence[Candidate]) -> None:
    for name, _ in wanted:
        if not any(name in candidate.names for candidate in known):
            labels = ", ".join(sorted(c.label for c in known)) or "none, so leave `--host` out"
            raise NotFound(
                f"No host {name} reports to this store; there are: {labels}.",
                next_step="see them with `workbench status`",
            )


def _share(candidate: Candidate, runs: int) -> Share:
    return Share(candidate.label, candidate.folder_id, runs)

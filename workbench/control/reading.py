"""What screens read from the store and the gate folder; nothing here changes the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from workbench.control.at_work import Told, at_work_words
from workbench.control.cut_off import cut_off_flags
from workbench.control.drill_words import drill_words
from workbench.control.first_run import way_to_ready
from workbench.control.flagging import flags, pressing_flags
from workbench.control.usage import Counter, Use, limit_reached
from workbench.control.views import (
    AutomationStatus,
    Card,
    CardEntry,
    HoldView,
    HostView,
    Preview,
    ProbationView,
    Status,
    first_run_words,
)
from workbench.presence import Presence, cut_off_runs, read_presences
from workbench.records import Automation, Hold
from workbench.restarts import Probation
from workbench.store.hosts import Hosts
from workbench.store.readiness import hold_lacks
from workbench.store.state import State
from workbench.store.store import Store
from workbench.tickets import TicketFault

_NO_BOOK = "its tickets are not in this gate folder and cannot be read; the log tells no end; nothing is let through"


def probation_views(state: State, counter: Counter, *, now: datetime) -> tuple[ProbationView, ...]:
    """Return every narrow restart with the runs it has let through and why it is over, if it is."""
    found, said = [], read_presences(counter.gate_folder)
    for probation in state.probations.values():
        uses: tuple[Use, ...] = ()
        try:
            uses = counter.uses(probation)
            why = limit_reached(probation, uses, now=max(now, state.newest_at or now))
            if why and probation.until is not None and probation.ended_seq is None:
                counter.close(probation, why, now=now)
        except TicketFault as exc:
            why = str(exc) if counter.book(probation).path.exists() else _NO_BOOK
        taken = sum(use.taken_count for use in uses)
        if probation.ended_seq is not None:
            why = _both_ends(probation, taken)
        ids = tuple(sorted(state.let_through[probation.probation_id]))
        shown = uses if probation.shares else ()
        found.append(ProbationView(probation, taken, why, ids, shown, _cut_off(uses, said)))
    return tuple(found)


def _both_ends(probation: Probation, taken: int) -> str:
    """Return why a narrow restart ended by the log, and that it had used its runs where that alone was over before."""
    used = f"used its {probation.max_runs} runs"
    if taken < probation.max_runs or used in probation.ended_why:
        return probation.ended_why
    return f"{used}, then {probation.ended_why}"


def _cut_off(uses: tuple[Use, ...], said: Mapping[str, Sequence[Presence]]) -> tuple[str, ...]:
    """Return the runs that took a ticket and were cut off on this host."""
    lost = {(name, run_id) for name, found in said.items() for run_id in cut_off_runs(found)}
    taken = (ticket for use in uses for ticket in use.tickets)
    return tuple(t.run_id for t in taken if (t.automation_id, t.run_id) in lost)


def hold_views(
    state: State, counter: Counter, *, now: datetime, include_released: bool = False
) -> tuple[HoldView, ...]:
    """Return the holds with their narrow restarts and decisions, newest first."""
    probations = probation_views(state, counter, now=now)
    return tuple(
        HoldView(
            hold=hold,
            state=hold.state_at(now),
            automations=tuple(sorted(state.covered[hold.hold_id])),
            probations=tuple(p for p in probations if p.probation.hold_id == hold.hold_id),
            decisions=tuple(d for d in state.decisions.values() if d.hold_id == hold.hold_id),
            changed_seq=state.hold_changed_seq[hold.hold_id],
            lacks=(lacking := hold_lacks(state, hold, now=now)),
            way_out=way_to_ready(state, hold, now=now) if lacking else "",
            kept_by=state.kept_ready.get(hold.hold_id, ""),
        )
        for hold in reversed(state.holds.values())
        if include_released or hold.released_seq is None
    )


def host_views(hosts: Hosts, wanted_seq: int) -> tuple[HostView, ...]:
    """Return the hosts whose mirrors report, those that are not told first."""
    found = (HostView(hosts.label(host), host, wanted_seq) for host in hosts.known)
    return tuple(sorted(found, key=lambda v: (v.is_told, not v.host.is_silent, v.label)))


def status(store: Store, now: datetime) -> Status:
    """Return the state of every automation, the holds, and what is flagged."""
    state = store.state()
    holds = hold_views(state, Counter.of(store, state), now=now)
    live, hosts = _let_through(state, holds), store.hosts(state)
    rows, told = [], _told(store, state, hosts)
    for automation_id, automation in sorted(state.automations.items()):
        on_it = state.holds_on(automation_id)
        covering = [h.hold_id for h in on_it]
        if automation.is_retired and not covering:
            continue
        word = _state_word(state, automation, covering=covering, live=live)
        guards = [v for v in holds if v.hold.hold_id in covering and v.hold.is_first_run]
        first_run = first_run_words(guards[0].lacks, guards[0].kept_by) if guards else ""
        stopping = {
            hold.hold_id: _stops_from(state, hold, automation_id)
            for hold in on_it
            if (hold.hold_id, automation_id) not in live
        }
        at_work = ""
        if word == "paused" and automation.asks_gate:
            seen = _is_confirmed(state, stopping, automation_id)
            at_work = at_work_words(told.get(automation_id, ()), stopping, is_confirmed=seen)
        rows.append(AutomationStatus(automation, word, tuple(covering), first_run, at_work))
    fault = store.publication_fault(state)
    views = host_views(hosts, state.seq)
    silent = (view.sentence for view in views if view.host.is_silent)
    flagged = (*flags(state, holds, now=now), *cut_off_flags(_said(told)), *silent)
    pressing, head = pressing_flags(state, holds), store.head_of(state)
    return Status(head, now, tuple(rows), holds, flagged, fault, views, pressing)


def _let_through(state: State, holds: Iterable[HoldView]) -> set[tuple[str, str]]:
    """Return hold and automation of each narrow restart that lets runs through now."""
    return {
        (view.hold.hold_id, automation_id)
        for view in holds
        for one in view.probations
        if one.is_live
        for automation_id in state.let_through[one.probation.probation_id]
    }


def _is_confirmed(state: State, stopping: Iterable[str], automation_id: str) -> bool:
    """Tell whether the log says of one of the holds that it was seen; of first-run holds alone nobody asks that."""
    ids = list(stopping)
    seen = (state.observed.get((hold_id, automation_id), {}) for hold_id in ids)
    is_guard_alone = all(state.holds[hold_id].is_first_run for hold_id in ids)
    return is_guard_alone or any(one.get("confirmed_at") for one in seen)


def _stops_from(state: State, hold: Hold, automation_id: str) -> int:
    """Return from which position on a hold stops an automation: its own, or the end of what let it through."""
    ended = [
        p.ended_seq
        for p in state.probations.values()
        if p.hold_id == hold.hold_id
        and p.ended_seq is not None
        and automation_id in p.automation_ids
    ]
    return max([hold.placed_seq, *ended])


def _state_word(
    state: State, automation: Automation, *, covering: list[str], live: set[tuple[str, str]]
) -> str:
    if not covering:
        return "running"
    if not automation.asks_gate:
        return _word_of_engine(state, automation, covering)
    if all((hold_id, automation.automation_id) in live for hold_id in covering):
        return "narrow restart"
    return "paused"


def _word_of_engine(state: State, automation: Automation, covering: list[str]) -> str:
    """Say of what asks no gate whether its engine was read back as paused; without an engine nothing stops it."""
    seen = [state.observed.get((hold_id, automation.automation_id), {}) for hold_id in covering]
    gone = ("engine_cannot", "engine_lost")
    if any(one.get("engine_confirmed_at") and not any(map(one.get, gone)) for one in seen):
        return "paused"
    if any(one.get("engine_delivered_at") for one in seen):
        return "held, UNCONFIRMED in its engine"
    return "held, NOT stopped"


def card(store: Store, preview: Preview, *, now: datetime) -> Card:
    """Return the page about stopping and restarting what a preview covers."""
    state = store.state()
    presences = _said(_told(store, state, store.hosts(state)))
    found = status(store, now)
    rows = {row.automation.automation_id: row for row in found.automations}
    guards = {i: view for view in found.holds if view.hold.is_first_run for i in view.automations}
    entries = []
    for automation in preview.automations:
        said = presences.get(automation.automation_id, [])
        row, guard = rows[automation.automation_id], guards.get(automation.automation_id)
        entries.append(
            CardEntry(
                automation=automation,
                deputy=_deputy(state, automation),
                contact=_contact(state, automation),
                state=row.state,
                at_work=row.at_work,
                hold_ids=row.hold_ids,
                last_asked_at=max((p.asked_at for p in said), default=None),
                in_flight_count=sum(p.in_flight_count for p in said if p.is_alive),
                last_drill=drill_words(state, automation, now=now),
                first_run=row.first_run or _waiver(state, automation.automation_id),
                guard_id=guard.hold.hold_id if guard else "",
                way_out=guard.way_out if guard else "",
            )
        )
    return Card(preview.scope, tuple(entries), preview, store.head_of(state))


def _told(store: Store, state: State, hosts: Hosts) -> dict[str, list[Told]]:
    """Return what processes said here, and what other hosts reported of theirs, with the host's name."""
    found = {i: [("", p) for p in said] for i, said in read_presences(store.gate_folder).items()}
    for host in hosts.elsewhere(store.gates.identity(state)[1]):
        for automation_id, said in host.said.items():
            found.setdefault(automation_id, []).extend((hosts.label(host), p) for p in said)
    return found


def _said(told: Mapping[str, Sequence[Told]]) -> dict[str, list[Presence]]:
    return {automation_id: [p for _, p in found] for automation_id, found in told.items()}


def _waiver(state: State, automation_id: str) -> str:
    why = state.waived.get(automation_id, "")
    return f"taken over as already running by {why}" if why else ""


def _deputy(state: State, automation: Automation) -> str:
    owner = state.owners.get(automation.owner)
    return automation.deputy or (owner.deputy if owner else "")


def _contact(state: State, automation: Automation) -> str:
    owner = state.owners.get(automation.owner)
    return owner.contact if owner else ""

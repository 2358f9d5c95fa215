"""What screens read from the store and the gate folder; nothing here changes the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from workbench.control.at_work import at_work_words
from workbench.control.countersigning import waiting
from workbench.control.cut_off import cut_off_flags
from workbench.control.drill_words import drill_words
from workbench.control.first_run import way_to_ready
from workbench.control.shut_out import shut_out
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
from workbench.records import Automation, HoldState
from workbench.store.hosts import Hosts
from workbench.store.readiness import hold_lacks, lacks
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Store
from workbench.tickets import TicketFault


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
            why = str(exc)
        if probation.ended_seq is not None:
            why = probation.ended_why
        taken = sum(use.taken_count for use in uses)
        ids = tuple(sorted(state.let_through[probation.probation_id]))
        shown = uses if probation.shares else ()
        found.append(ProbationView(probation, taken, why, ids, shown, _cut_off(uses, said)))
    return tuple(found)


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
    live = {
        (view.hold.hold_id, automation_id)
        for view in holds
        for p in view.probations
        if p.is_live
        for automation_id in state.let_through[p.probation.probation_id]
    }
    rows, said = [], _presences(store, state)
    for automation_id, automation in sorted(state.automations.items()):
        on_it = state.holds_on(automation_id)
        covering = [h.hold_id for h in on_it]
        if automation.is_retired and not covering:
            continue
        word = _state_word(state, automation, covering=covering, live=live)
        guards = [v for v in holds if v.hold.hold_id in covering and v.hold.is_first_run]
        first_run = first_run_words(guards[0].lacks, guards[0].kept_by) if guards else ""
        at_work = at_work_words(said.get(automation_id, ()), on_it) if word == "paused" else ""
        rows.append(AutomationStatus(automation, word, tuple(covering), first_run, at_work))
    fault = store.publication_fault(state)
    hosts = host_views(store.hosts(state), state.seq)
    silent = (view.sentence for view in hosts if view.host.is_silent)
    flagged = (*flags(state, holds, now=now), *cut_off_flags(said), *silent)
    return Status(store.head_of(state), now, tuple(rows), holds, flagged, fault, hosts)


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


def flags(state: State, holds: tuple[HoldView, ...], *, now: datetime) -> tuple[str, ...]:
    """Return what somebody should look at: break-glass resumes, overrides and overdue holds."""
    found = [
        f"{view.hold.hold_id} is overdue, still paused"
        for view in holds
        if view.state is HoldState.LAPSED
    ]
    found += [
        f"{p.probation_id} restarted {p.scope} by break-glass: {p.break_glass_reason}"
        for p in state.probations.values()
        if p.break_glass_reason and not state.is_reviewed(p.probation_id)
    ]
    found += [
        f"{h.hold_id} was released by break-glass"
        for h in state.holds.values()
        if h.hold_id in state.break_glass_releases and not state.is_reviewed(h.hold_id)
    ]
    found += [
        f"{d.decision_id} overrides {d.report_id}: it said {d.verdict}, {d.decided_by} decided {d.decision}"
        for d in state.decisions.values()
        if d.is_override
    ]
    found += [
        f"event {seq} of the log: {why}; gates answer UNKNOWN, see `workbench audit verify`"
        for seq, why in state.doubts.items()
    ]
    found += [f"NOT OBEYED, event {seq}: {why}" for seq, why in state.refused.items()]
    unkeyed = why_unsigned(state, now=now)
    return (
        *found,
        *_not_to_be_had(state),
        *shut_out(state, now=now),
        *_taken_over(state),
        *_enrolled_alone(state),
        *_asked(state, now),
        *([unkeyed] if unkeyed else []),
    )


def why_unsigned(state: State, *, now: datetime) -> str:
    """Say that nobody can sign where policy asks for sign-offs, or return an empty text."""
    reached = max(now, state.newest_at or now)
    if not policy_of(state).signoffs_required or any(
        key.is_live(reached) for key in state.keys.values()
    ):
        return ""
    none = "no enrolled key signs any more" if state.keys else "no key is enrolled"
    return f"{state.environment} asks for sign-offs and {none}: what is paused resumes by break-glass only"


def why_alone(state: State, *, now: datetime) -> str:
    """Say that more persons than have a key are needed where policy asks for sign-offs, or return an empty text."""
    reached, wanted = max(now, state.newest_at or now), policy_of(state).signoffs_required
    persons = sorted({key.person for key in state.keys.values() if key.is_live(reached)})
    if not wanted or not persons or len(persons) > wanted:
        return ""
    whose = " and ".join(persons) if len(persons) < 3 else f"{len(persons)} persons"
    more = "another person" if wanted == 1 else f"{wanted} others"
    return (
        f"{state.environment} asks for a sign-off of {more} before a resume, and only {whose} can sign: "
        "what is paused resumes by break-glass only"
    )


ENROL_ANOTHER = (
    "the other person types `workbench key new`, then you `workbench key enrol PUBLIC-KEY "
    "--person NAME --role ROLE`"
)
"""What ends that: the second key is enrolled by who has the first."""


def _not_to_be_had(state: State) -> list[str]:
    """Return what engines cannot pause as the standing holds ask."""
    standing = {hold.hold_id for hold in state.standing_holds()}
    return [
        f"{hold_id}: {automation_id} CANNOT be paused in its engine: {known['engine_cannot']}"
        for (hold_id, automation_id), known in state.observed.items()
        if hold_id in standing and known.get("engine_cannot")
    ]


def _asked(state: State, now: datetime) -> list[str]:
    """Return what one person asked for and another must do."""
    return [
        f"{request.about}; another person may do it until {request.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        for request in waiting(state, now=now)
    ]


def _enrolled_alone(state: State) -> list[str]:
    """Return the keys that one person enrolled for another after the others' were revoked: one word stands for two."""
    found = []
    for key in state.keys.values():
        by = state.keys[key.enrolled_by].person
        if key.revoked_seq is not None or key.person == by:
            continue
        before = [k for k in state.keys.values() if k.enrolled_seq < key.enrolled_seq]
        gone = [k for k in before if k.person != by and (k.revoked_seq or 0) > 0]
        is_alone = all(
            (k.revoked_seq or key.enrolled_seq) < key.enrolled_seq for k in before if k.person != by
        )
        if gone and is_alone:
            whose = " and ".join(sorted({k.person for k in gone}))
            found.append(
                f"{by} alone enrolled the key {key.key_id} of {key.person}, after the keys of {whose} were revoked: "
                f"what {key.person} signs off rests on the word of {by}"
            )
    return found


def _taken_over(state: State) -> list[str]:
    """Return what was taken over as already running and would not be let into production today."""
    unready: dict[str, list[str]] = {}
    for automation_id, why in sorted(state.waived.items()):
        automation = state.automations.get(automation_id)
        if automation is not None and not automation.is_retired and lacks(state, automation):
            unready.setdefault(why, []).append(automation_id)
    return [
        f"taken over as already running, not ready for a first run: {', '.join(ids)} ({why})"
        for why, ids in unready.items()
    ]


def card(store: Store, preview: Preview, *, now: datetime) -> Card:
    """Return the page about stopping and restarting what a preview covers."""
    state = store.state()
    presences = _presences(store, state)
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


def _presences(store: Store, state: State) -> dict[str, list[Presence]]:
    """Return what processes said here, and what other hosts reported of theirs."""
    found = {i: list(said) for i, said in read_presences(store.gate_folder).items()}
    for host in store.hosts(state).elsewhere(store.gates.identity(state)[1]):
        for automation_id, said in host.said.items():
            found.setdefault(automation_id, []).extend(said)
    return found


def _waiver(state: State, automation_id: str) -> str:
    why = state.waived.get(automation_id, "")
    return f"taken over as already running by {why}" if why else ""


def _deputy(state: State, automation: Automation) -> str:
    owner = state.owners.get(automation.owner)
    return automation.deputy or (owner.deputy if owner else "")


def _contact(state: State, automation: Automation) -> str:
    owner = state.owners.get(automation.owner)
    return owner.contact if owner else ""

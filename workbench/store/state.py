"""State of the control plane as a pure fold over the log."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.errors import ScopeError
from workbench.records import (
    Automation,
    Category,
    Decision,
    Event,
    Hold,
    Mode,
    Owner,
    Probation,
    Purpose,
    ReportRef,
    VerdictKind,
)
from workbench.scope import Scope
from workbench.store.documents import automation_from


@dataclass
class State:
    """Everything the log says, as of its last event.

    Attributes:
        covered: hold id -> ids that it covers; grows while the hold stands and never shrinks, so that
            an edit of the registry un-pauses nothing.
        observed: (hold id, automation id) -> instants recorded of the pause at that automation.
        let_through: probation id -> ids that it still lets through; shrinks when an automation is edited
            out of its scope or retired and never grows, so that no later edit opens it again.
        commands: command id -> (digest, seq of its first event).
        doubts: seq -> why that event cannot be trusted or taken in; gates then never say CLEAR.
        touched: projection rows that the events since the last copy changed.
    """

    store_id: str = ""
    environment: str = ""
    seq: int = 0
    head_hash: str = ""
    newest_at: datetime | None = None
    automations: dict[str, Automation] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    covered: dict[str, set[str]] = field(default_factory=dict)
    observed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    probations: dict[str, Probation] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    reports: dict[str, ReportRef] = field(default_factory=dict)
    commands: dict[str, tuple[str, int]] = field(default_factory=dict)
    let_through: dict[str, set[str]] = field(default_factory=dict)
    hold_changed_seq: dict[str, int] = field(default_factory=dict)
    break_glass_releases: dict[str, str] = field(default_factory=dict)
    doubts: dict[int, str] = field(default_factory=dict)
    touched: set[tuple[str, str]] = field(default_factory=set)

    def copy(self) -> State:
        """Return a state that can take in further events without changing this one."""
        own: dict[str, Any] = {
            name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)
        }
        own["covered"] = {key: set(ids) for key, ids in self.covered.items()}
        own["let_through"] = {key: set(ids) for key, ids in self.let_through.items()}
        own["observed"] = {key: dict(known) for key, known in self.observed.items()}
        return replace(self, touched=set(), **own)

    def standing_holds(self) -> list[Hold]:
        """Return the unreleased holds, oldest first."""
        return [hold for hold in self.holds.values() if hold.released_seq is None]

    def holds_on(self, automation_id: str) -> list[Hold]:
        """Return the unreleased holds that cover an automation, registered or not."""
        return [
            hold
            for hold in self.standing_holds()
            if automation_id in self.covered[hold.hold_id]
            or scope_of(hold.scope).names(automation_id)
        ]

    def open_probation(self, hold_id: str, automation_id: str) -> Probation | None:
        """Return the probation on record that lets an automation through a hold, its limits not looked at.

        A newer one ends the older ones it overlaps, so there is at most one.
        """
        for probation in reversed(self.probations.values()):
            is_open = probation.hold_id == hold_id and probation.ended_seq is None
            if is_open and automation_id in self.let_through[probation.probation_id]:
                return probation
        return None

    def live_probation(
        self, hold_id: str, automation_id: str, *, instant: datetime
    ) -> Probation | None:
        """Return the probation that lets an automation through a hold at an instant, or None.

        A clock that stands before the newest event is behind: the newest event's time counts then. Used-up
        tickets are counted by the gate, not here.
        """
        probation = self.open_probation(hold_id, automation_id)
        if probation is None or probation.until is None:
            return probation
        reached = max(instant, self.newest_at or instant)
        return probation if reached < probation.until else None

    def paused_by(self, automation_id: str, instant: datetime) -> list[Hold]:
        """Return the holds that pause an automation at an instant; none means not paused (I1)."""
        return [
            h
            for h in self.holds_on(automation_id)
            if not self.live_probation(h.hold_id, automation_id, instant=instant)
        ]


@functools.lru_cache(maxsize=4096)
def scope_of(text: str) -> Scope:
    """Return the scope that a record holds as text; the same text is read once."""
    return Scope.parse(text)


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """Return the state that the events lead to, in order of seq; takes them into `state` where one is given.

    An event that cannot be taken in stops no pause: it is kept as a doubt, for which gates say UNKNOWN
    rather than CLEAR and a resume is refused.
    """
    found = state if state is not None else State()
    for event in events:
        try:
            apply(found, event)
        except (KeyError, ValueError, TypeError, AttributeError, ScopeError) as exc:
            found.doubts[event.seq] = f"its content cannot be taken in ({exc!r})"
    return found


def apply(state: State, event: Event) -> None:
    """Take one event into the state; actions that this version does not know change only the head."""
    state.seq, state.head_hash = event.seq, event.hash
    state.store_id = state.store_id or event.store_id
    if event.fault:
        state.doubts[event.seq] = event.fault
    state.newest_at = max(event.occurred_at, state.newest_at or event.occurred_at)
    command = event.payload.get("command")
    if command and command["id"] not in state.commands:
        state.commands[command["id"]] = (command["digest"], event.seq)
        state.touched.add(("command", command["id"]))
    handler = _HANDLERS.get(event.action)
    if handler is not None:
        handler(state, event)


def _on_init(state: State, event: Event) -> None:
    state.environment = event.payload["environment"]


def _on_automation(state: State, event: Event) -> None:
    record = automation_from(event.payload["automation"])
    state.automations[record.automation_id] = record
    state.touched.add(("automation", record.automation_id))
    for hold in state.standing_holds():
        if scope_of(hold.scope).covers(record):
            state.covered[hold.hold_id].add(record.automation_id)
            state.touched.add(("hold", hold.hold_id))
    _close_for(state, record.automation_id, record)


def _on_retire(state: State, event: Event) -> None:
    found = state.automations[event.target]
    state.automations[event.target] = replace(found, is_retired=True)
    state.touched.add(("automation", event.target))
    _close_for(state, event.target, None)


def _close_for(state: State, automation_id: str, record: Automation | None) -> None:
    """Take an automation out of the probations that it does not match any more, for good."""
    for probation in state.probations.values():
        if automation_id not in state.let_through[probation.probation_id]:
            continue
        if record is None or not scope_of(probation.scope).covers(record):
            state.let_through[probation.probation_id].discard(automation_id)
            state.touched.add(("probation", probation.probation_id))


def _on_owner(state: State, event: Event) -> None:
    body = event.payload["owner"]
    state.owners[body["owner_id"]] = Owner(**{**body, "members": tuple(body["members"])})
    state.touched.add(("owner", body["owner_id"]))


def _on_category(state: State, event: Event) -> None:
    body = event.payload["category"]
    state.categories[body["category_id"]] = Category(**body)
    state.touched.add(("category", body["category_id"]))


def _on_place(state: State, event: Event) -> None:
    body = event.payload
    ids = tuple(body["covered"])
    covered, scope = set(ids), scope_of(body["scope"])
    state.holds[event.target] = Hold(
        hold_id=event.target,
        scope=str(scope),
        purpose=Purpose(body["purpose"]),
        mode=Mode(body["mode"]),
        reason=event.reason,
        incident_id=body["incident_id"],
        placed_by=event.actor,
        placed_at=event.occurred_at,
        placed_seq=event.seq,
        review_by=_instant(body["review_by"]),
        covered_at_placement=ids,
    )
    state.covered[event.target] = covered
    state.hold_changed_seq[event.target] = event.seq
    state.touched.add(("hold", event.target))


def _on_release(state: State, event: Event) -> None:
    found = state.holds.get(event.target)
    if found is None or found.released_seq is not None:
        return  # RELEASED is final (I3); a second release in a foreign log changes nothing
    state.holds[event.target] = replace(
        found, released_at=event.occurred_at, released_by=event.actor, released_seq=event.seq
    )
    state.hold_changed_seq[event.target] = event.seq
    state.touched.add(("hold", event.target))
    if event.payload.get("break_glass_reason"):
        state.break_glass_releases[event.target] = event.payload["break_glass_reason"]
    for probation in list(state.probations.values()):
        if probation.hold_id == event.target and probation.ended_seq is None:
            _end(state, probation, event, "the hold was released")


def _on_probation(state: State, event: Event) -> None:
    body = event.payload
    known = {i: state.automations.get(i) for i in body["automation_ids"]}
    state.let_through[event.target] = {
        i for i, a in known.items() if a and not a.is_retired and scope_of(body["scope"]).covers(a)
    }
    state.probations[event.target] = Probation(
        probation_id=event.target,
        hold_id=body["hold_id"],
        scope=body["scope"],
        automation_ids=tuple(body["automation_ids"]),
        max_runs=body["max_runs"],
        until=_instant(body["until"]),
        started_by=event.actor,
        started_at=event.occurred_at,
        started_seq=event.seq,
        decision_id=body["decision_id"],
        break_glass_reason=body["break_glass_reason"],
    )
    state.hold_changed_seq[body["hold_id"]] = event.seq
    state.touched.add(("probation", event.target))


def _on_probation_end(state: State, event: Event) -> None:
    found = state.probations.get(event.target)
    if found is not None and found.ended_seq is None:
        _end(state, found, event, event.reason)


def _end(state: State, probation: Probation, event: Event, why: str) -> None:
    state.probations[probation.probation_id] = replace(
        probation, ended_at=event.occurred_at, ended_why=why, ended_seq=event.seq
    )
    state.touched.add(("probation", probation.probation_id))


def _on_observe(state: State, event: Event) -> None:
    for automation_id, instants in event.payload["targets"].items():
        known = state.observed.setdefault((event.target, automation_id), {})
        known.update(
            {key: value for key, value in instants.items() if value and not known.get(key)}
        )
        state.touched.add(("target", f"{event.target}/{automation_id}"))


def _on_report(state: State, event: Event) -> None:
    body = event.payload
    state.reports[event.target] = ReportRef(
        report_id=event.target,
        name=body["name"],
        hold_id=body["hold_id"],
        verdict=VerdictKind(body["verdict"]),
        is_complete=body["is_complete"],
        digest=body["digest"],
        automation_ids=tuple(body["automation_ids"]),
        manifest_version=body["manifest_version"],
        log_seq=body["log_seq"],
        log_hash=body["log_hash"],
        as_of=from_text(body["as_of"]),
        recorded_by=event.actor,
        recorded_at=event.occurred_at,
        recorded_seq=event.seq,
        reason=event.reason,
        folder=body["folder"],
        narrow_ids=None if body.get("narrow_ids") is None else tuple(body["narrow_ids"]),
        narrow_run_count=body.get("narrow_run_count"),
    )
    state.touched.add(("report", event.target))


def _on_decision(state: State, event: Event) -> None:
    body = event.payload
    state.decisions[event.target] = Decision(
        decision_id=event.target,
        hold_id=body["hold_id"],
        report_id=body["report_id"],
        verdict=VerdictKind(body["verdict"]),
        decision=VerdictKind(body["decision"]),
        reason=event.reason,
        automation_ids=tuple(body["automation_ids"]),
        report_digest=body["report_digest"],
        decided_by=event.actor,
        decided_at=event.occurred_at,
        decided_seq=event.seq,
    )
    state.touched.add(("decision", event.target))


_HANDLERS: Mapping[str, Callable[[State, Event], None]] = {
    "store.init": _on_init,
    "automation.register": _on_automation,
    "automation.change": _on_automation,
    "automation.retire": _on_retire,
    "owner.register": _on_owner,
    "category.register": _on_category,
    "hold.place": _on_place,
    "hold.release": _on_release,
    "hold.observe": _on_observe,
    "probation.start": _on_probation,
    "probation.end": _on_probation_end,
    "report.record": _on_report,
    "decision.record": _on_decision,
}


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None

"""State of the control plane as a pure fold over the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.clock import from_text, to_text
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

Documents = dict[tuple[str, str], dict[str, Any]]
"""Projection of the state: (entity, id) -> plain values, equal to fold(log) after every command."""


@dataclass
class State:
    """Everything the log says, as of its last event.

    Attributes:
        covered: hold id -> ids that it covers; grows while the hold stands and never shrinks, so that
            an edit of the registry un-pauses nothing.
        observed: (hold id, automation id) -> instants recorded of the pause at that automation.
        commands: command id -> (digest, seq of its first event).
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
    hold_changed_seq: dict[str, int] = field(default_factory=dict)
    break_glass_releases: dict[str, str] = field(default_factory=dict)

    def standing_holds(self) -> list[Hold]:
        """Return the unreleased holds, oldest first."""
        return [hold for hold in self.holds.values() if hold.released_seq is None]

    def holds_on(self, automation_id: str) -> list[Hold]:
        """Return the unreleased holds that cover an automation, registered or not."""
        return [
            hold
            for hold in self.standing_holds()
            if automation_id in self.covered[hold.hold_id]
            or Scope.parse(hold.scope).names(automation_id)
        ]

    def live_probation(
        self, hold_id: str, automation_id: str, instant: datetime
    ) -> Probation | None:
        """Return the probation that lets an automation through a hold, or None.

        The automation must be in the frozen list and still match the probation's scope. Used-up tickets
        are counted by the gate, not here.
        """
        automation = self.automations.get(automation_id)
        for probation in self.probations.values():
            if probation.hold_id != hold_id or probation.ended_seq is not None:
                continue
            is_over = probation.until is not None and instant >= probation.until
            if is_over or automation is None or automation_id not in probation.automation_ids:
                continue
            if Scope.parse(probation.scope).covers(automation):
                return probation
        return None

    def paused_by(self, automation_id: str, instant: datetime) -> list[Hold]:
        """Return the holds that pause an automation at an instant; none means not paused (I1)."""
        return [
            h
            for h in self.holds_on(automation_id)
            if not self.live_probation(h.hold_id, automation_id, instant)
        ]

    def documents(self) -> Documents:
        """Return the state as plain values for the projection."""
        found: Documents = {}
        for entity, records in (
            ("automation", self.automations),
            ("owner", self.owners),
            ("category", self.categories),
            ("hold", self.holds),
            ("probation", self.probations),
            ("decision", self.decisions),
            ("report", self.reports),
        ):
            for key, record in records.items():
                found[entity, key] = _plain(asdict(record))
        for hold_id, ids in self.covered.items():
            found["hold", hold_id]["covered"] = sorted(ids)
        for (hold_id, automation_id), instants in self.observed.items():
            found["target", f"{hold_id}/{automation_id}"] = dict(instants)
        for command_id, (digest_text, seq) in self.commands.items():
            found["command", command_id] = {"digest": digest_text, "seq": seq}
        return found


def fold(events: Iterable[Event]) -> State:
    """Return the state that the events lead to, in order of seq."""
    state = State()
    for event in events:
        apply(state, event)
    return state


def apply(state: State, event: Event) -> None:
    """Take one event into the state; actions that this version does not know change only the head."""
    state.seq, state.head_hash, state.store_id = event.seq, event.hash, event.store_id
    state.newest_at = max(event.occurred_at, state.newest_at or event.occurred_at)
    command = event.payload.get("command")
    if command:
        state.commands.setdefault(command["id"], (command["digest"], event.seq))
    handler = _HANDLERS.get(event.action)
    if handler is not None:
        handler(state, event)


def _on_init(state: State, event: Event) -> None:
    state.environment = event.payload["environment"]


def _on_automation(state: State, event: Event) -> None:
    record = automation_from(event.payload["automation"])
    state.automations[record.automation_id] = record
    for hold in state.standing_holds():
        if Scope.parse(hold.scope).covers(record):
            state.covered[hold.hold_id].add(record.automation_id)


def _on_retire(state: State, event: Event) -> None:
    found = state.automations[event.target]
    state.automations[event.target] = replace(found, is_retired=True)


def _on_owner(state: State, event: Event) -> None:
    body = event.payload["owner"]
    state.owners[body["owner_id"]] = Owner(**{**body, "members": tuple(body["members"])})


def _on_category(state: State, event: Event) -> None:
    body = event.payload["category"]
    state.categories[body["category_id"]] = Category(**body)


def _on_place(state: State, event: Event) -> None:
    body = event.payload
    ids = tuple(body["covered"])
    state.holds[event.target] = Hold(
        hold_id=event.target,
        scope=body["scope"],
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
    state.covered[event.target] = set(ids)
    state.hold_changed_seq[event.target] = event.seq


def _on_release(state: State, event: Event) -> None:
    found = state.holds.get(event.target)
    if found is None or found.released_seq is not None:
        return  # RELEASED is final (I3); a second release in a foreign log changes nothing
    state.holds[event.target] = replace(
        found, released_at=event.occurred_at, released_by=event.actor, released_seq=event.seq
    )
    state.hold_changed_seq[event.target] = event.seq
    if event.payload.get("break_glass_reason"):
        state.break_glass_releases[event.target] = event.payload["break_glass_reason"]
    for probation in list(state.probations.values()):
        if probation.hold_id == event.target and probation.ended_seq is None:
            _end(state, probation, event, "the hold was released")


def _on_probation(state: State, event: Event) -> None:
    body = event.payload
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


def _on_probation_end(state: State, event: Event) -> None:
    found = state.probations.get(event.target)
    if found is not None and found.ended_seq is None:
        _end(state, found, event, event.reason)


def _end(state: State, probation: Probation, event: Event, why: str) -> None:
    state.probations[probation.probation_id] = replace(
        probation, ended_at=event.occurred_at, ended_why=why, ended_seq=event.seq
    )


def _on_observe(state: State, event: Event) -> None:
    for automation_id, instants in event.payload["targets"].items():
        known = state.observed.setdefault((event.target, automation_id), {})
        known.update(
            {key: value for key, value in instants.items() if value and not known.get(key)}
        )


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
    )


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


def automation_from(body: Mapping[str, Any]) -> Automation:
    """Read an automation from plain values, as events and the registry file hold it."""
    return Automation(
        **{**body, "tools": tuple(body.get("tools", ())), "cleanup": tuple(body.get("cleanup", ()))}
    )


def automation_to(record: Automation) -> dict[str, Any]:
    """Return an automation as plain values for an event."""
    body: dict[str, Any] = _plain(asdict(record))
    return body


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    return value


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None

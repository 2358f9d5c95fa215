"""The fold: which event changes what in the state. One handler an action, grouped by what they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from workbench.clock import from_text
from workbench.records import (
    Automation,
    Category,
    Decision,
    Event,
    Hold,
    Mode,
    Owner,
    Purpose,
    ReportRef,
    VerdictKind,
)
from workbench.restarts import Probation, Share
from workbench.store.documents import automation_from
from workbench.store.engine_events import (
    keep_choice,
    on_delivery_begin,
    on_delivery_end,
    on_drift,
    on_drill,
    on_drill_accept,
    on_receipt_close,
    on_receipt_open,
)
from workbench.store.merkle import grown
from workbench.store.none_events import ON_NONE
from workbench.store.once import NOT_TAKEN_IN, is_said_once
from workbench.store.readiness import keep_or_free
from workbench.store.record_events import ON_RECORDS
from workbench.store.signatures import signer_of
from workbench.store.state import State, scope_of
from workbench.store.trigger_events import ON_TRIGGERS
from workbench.store.trusting import (
    is_entitled_to_decide,
    may_open,
    on_enrol,
    on_policy,
    on_request,
    on_review,
    on_revoke,
    on_run_review,
    on_signoff_give,
    on_signoff_request,
    on_waiver,
    refuse,
)


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """Return the state that the events lead to, in order of seq; takes them into `state` where one is given.

    An event that cannot be taken in stops no pause: it is kept as a doubt, for which gates say UNKNOWN
    rather than CLEAR and a resume is refused.
    """
    found = state if state is not None else State()
    for event in events:
        try:
            apply(found, event)
        except NOT_TAKEN_IN as exc:
            found.doubts[event.seq] = f"its content cannot be taken in ({exc!r})"
    return found


def apply(state: State, event: Event) -> None:
    """Take one event into the state; actions that this version does not know change only the head."""
    state.seq, state.head_hash = event.seq, event.hash
    state.peaks = grown(state.peaks, state.event_count, body=event.body)
    state.event_count += 1
    state.store_id = state.store_id or event.store_id
    if event.fault:
        state.doubts[event.seq] = event.fault
    state.newest_at = max(event.occurred_at, state.newest_at or event.occurred_at)
    command = event.payload.get("command")
    if command and command["id"] not in state.commands:
        state.commands[command["id"]] = (command["digest"], event.seq)
        state.touched.add(("command", command["id"]))
    handler = _HANDLERS.get(event.action)
    if handler is not None and is_said_once(state, event):
        handler(state, event)


def _on_init(state: State, event: Event) -> None:
    state.environment = event.payload["environment"]
    state.asks_drills = bool(event.payload.get("asks_drills"))
    state.asks_verifiers = bool(event.payload.get("asks_verifiers"))
    state.asks_deeds = bool(event.payload.get("asks_deeds"))


def _on_automation(state: State, event: Event) -> None:
    record = automation_from(event.payload["automation"])
    state.automations[record.automation_id] = record
    state.touched.add(("automation", record.automation_id))
    for hold in state.standing_holds():
        if scope_of(hold.scope).covers(record):
            state.covered[hold.hold_id] |= {record.automation_id}
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
            state.let_through[probation.probation_id] -= {automation_id}
            state.touched.add(("probation", probation.probation_id))


def _on_owner(state: State, event: Event) -> None:
    if state.keys and signer_of(state, event) is None:
        refuse(state, event, why="roles change by an enrolled key only, once there is one")
        return
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
    covered, scope = frozenset(ids), scope_of(body["scope"])
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
        is_first_run=bool(body.get("is_first_run")),
    )
    state.covered[event.target] = covered
    state.standing[event.target] = None
    state.hold_changed_seq[event.target] = event.seq
    state.touched.add(("hold", event.target))


def _on_take_over(state: State, event: Event) -> None:
    found = state.holds.get(event.target)
    if found is None or found.released_seq is not None:
        return
    state.holds[event.target] = replace(
        found, taken_over_by=event.actor, review_by=_instant(event.payload["review_by"])
    )
    state.touched.add(("hold", event.target))


def _on_release(state: State, event: Event) -> None:
    found = state.holds.get(event.target)
    if found is None or found.released_seq is not None:
        return  # RELEASED is final (I3); a second release in a foreign log changes nothing
    if not may_open(state, event):
        return
    state.holds[event.target] = replace(
        found, released_at=event.occurred_at, released_by=event.actor, released_seq=event.seq
    )
    state.standing.pop(event.target, None)
    state.hold_changed_seq[event.target] = event.seq
    state.touched.add(("hold", event.target))
    keep_choice(
        state, event.target, automation_ids=event.payload.get("covered", ()), body=event.payload
    )
    if event.payload.get("break_glass_reason"):
        state.break_glass_releases[event.target] = event.payload["break_glass_reason"]
    for probation in list(state.probations.values()):
        if probation.hold_id == event.target and probation.ended_seq is None:
            _end(state, probation, event, "the hold was released")


def _on_probation(state: State, event: Event) -> None:
    body = event.payload
    shares = tuple(Share(**share) for share in body.get("shares", ()))
    runs = [share.runs for share in shares]
    if shares and (min(runs) < 1 or sum(runs) != body["max_runs"]):
        refuse(state, event, why="the runs of its hosts are not its runs in all")
        return
    if not may_open(state, event):  # asked last: it uses up the sign-off
        return
    known = {i: state.automations.get(i) for i in body["automation_ids"]}
    state.let_through[event.target] = frozenset(
        i for i, a in known.items() if a and not a.is_retired and scope_of(body["scope"]).covers(a)
    )
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
        effects=body.get("effects", "write"),
        shares=shares,
    )
    state.hold_changed_seq[body["hold_id"]] = event.seq
    keep_choice(state, body["hold_id"], automation_ids=state.let_through[event.target], body=body)
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
        known = dict(state.observed.get((event.target, automation_id), {}))
        state.observed[event.target, automation_id] = known
        known.update(
            {key: value for key, value in instants.items() if value and not known.get(key)}
        )
        for name in ("engine_cannot", "engine_lost"):  # unlike an instant they may come and go
            if name in instants:
                known[name] = instants[name]
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
    if not is_entitled_to_decide(state, event):
        return
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
    if signer := signer_of(state, event):
        state.decision_keys[event.target] = signer.key_id
    keep_or_free(state, state.decisions[event.target])
    state.touched.add(("decision", event.target))


def _on_forget(state: State, event: Event) -> None:
    state.forgotten[event.target] = event.payload["beaten_at"]
    state.touched.add(("forgotten_host", event.target))


_HANDLERS: Mapping[str, Callable[[State, Event], None]] = {
    "store.init": _on_init,
    "automation.register": _on_automation,
    "automation.change": _on_automation,
    "automation.retire": _on_retire,
    "owner.register": _on_owner,
    "category.register": _on_category,
    "hold.place": _on_place,
    "hold.release": _on_release,
    "hold.take_over": _on_take_over,
    "hold.observe": _on_observe,
    "probation.start": _on_probation,
    "probation.end": _on_probation_end,
    "report.record": _on_report,
    "decision.record": _on_decision,
    "key.enrol": on_enrol,
    "key.revoke": on_revoke,
    "break_glass.review": on_review,
    "run.review": on_run_review,
    "first_run.waive": on_waiver,
    "policy.apply": on_policy,
    "policy.request": on_request,
    "key.request": on_request,
    "signoff.request": on_signoff_request,
    "signoff.give": on_signoff_give,
    "delivery.begin": on_delivery_begin,
    "delivery.end": on_delivery_end,
    "receipt.open": on_receipt_open,
    "receipt.close": on_receipt_close,
    "target.drift": on_drift,
    "drill.record": on_drill,
    "drill.accept": on_drill_accept,
    "host.forget": _on_forget,
    **ON_RECORDS,
    **ON_NONE,
    **ON_TRIGGERS,
}


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None

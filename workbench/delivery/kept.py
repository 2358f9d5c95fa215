"""What the log keeps of engines: receipts, deliveries that were begun, and what others changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from workbench.clock import from_text, to_text
from workbench.delivery.wanted import Want
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    NativeCall,
    Plan,
    Reading,
    Receipt,
)
from workbench.store.log import Draft
from workbench.store.state import State

ACTOR = "system"
FLAP_LIMIT = 3
"""Pauses that others took away and that were brought back, before it is left alone and escalated (SEMANTICS 5)."""


def receipts_of(state: State, engine_id: str) -> dict[str, Receipt]:
    """Return the open receipts of an engine by target."""
    return {
        target: _receipt(engine_id, target, body)
        for (engine, target), body in state.receipts.items()
        if engine == engine_id
    }


def _receipt(engine_id: str, target: str, body: Mapping[str, Any]) -> Receipt:
    return Receipt(
        engine=engine_id,
        target_id=target,
        name=str(body["name"]),
        before=body["before"],
        after=body["after"],
        opened_at=from_text(body["opened_at"]),
        hold_id=str(body["hold_id"]),
        altered_run_ids=tuple(body["altered_run_ids"]),
        is_runs_only=bool(body.get("is_runs_only")),
    )


def begun(engine_id: str, plan: Plan, *, now: datetime, hold_id: str, reason: str) -> Draft:
    """Return the event of an intent: recorded before the first call goes out."""
    switched = {target for call in plan.calls for target in call.target_ids}
    scope_of = {target: key for key, targets in plan.members.items() for target in targets}
    payload = {
        "mode": str(plan.mode) if plan.mode else "resume",
        "version": plan.version,
        "calls": [_call(call) for call in plan.calls],
        "before": [_before(r, scope_of) for r in plan.before if r.target_id in switched],
        "cannot": [{"scope": key, "why": why} for key, why in sorted(plan.cannot.items())],
        "forecast": [
            {"target_id": f.target_id, "count": f.count, "sentence": f.sentence}
            for f in plan.forecast
        ],
    }
    return Draft(
        now,
        ACTOR,
        "delivery.begin",
        engine_id,
        outcome="pending",
        reason=reason,
        correlation_id=hold_id,
        payload=payload,
    )


def _call(call: NativeCall) -> dict[str, Any]:
    kept = {
        "call_id": call.call_id,
        "target_id": call.target_id,
        "request": f"{call.method} {call.path}",
        "sentence": call.sentence,
        "run_id": "" if call.is_lossy else call.run_id,
    }
    return {**kept, "covers": list(call.covers)} if call.covers else kept


def _before(reading: Reading, scope_of: Mapping[str, str]) -> dict[str, Any]:
    return {
        "target_id": reading.target_id,
        "name": reading.name,
        "scope": scope_of.get(reading.target_id, ""),
        "is_paused": reading.is_paused,
        "settings": plain(reading.settings),
    }


def ended(
    engine_id: str,
    outcomes: Sequence[CallOutcome],
    *,
    unmet: Mapping[str, str],
    calls: Sequence[NativeCall],
    now: datetime,
    hold_id: str,
) -> Draft:
    """Return the event of how the calls ended and what was read back."""
    sure = {o.call_id for o in outcomes if o.result is not CallResult.UNKNOWN}
    unsure = {target for call in calls if call.call_id not in sure for target in call.target_ids}
    touched = {target for call in calls for target in call.target_ids}
    results = {one.result for one in outcomes}
    outcome = "success"
    if unmet or CallResult.UNKNOWN in results:
        outcome = "unknown" if CallResult.REFUSED not in results else "failure"
    payload = {
        "calls": [
            {"call_id": o.call_id, "result": str(o.result), "answer": o.answer[:300]}
            for o in outcomes
        ],
        "settled": sorted(touched - unsure - set(unmet)),
        "unmet": [{"target_id": target, "why": why} for target, why in sorted(unmet.items())],
    }
    return Draft(
        now,
        ACTOR,
        "delivery.end",
        engine_id,
        outcome=outcome,
        correlation_id=hold_id,
        payload=payload,
    )


def settled(engine_id: str, targets: Iterable[str], *, now: datetime) -> Draft:
    """Return the event that forgets intents of which nothing is to come any more."""
    payload = {"calls": [], "settled": sorted(targets), "unmet": []}
    why = "nothing of it is under way any more"
    return Draft(now, ACTOR, "delivery.end", engine_id, reason=why, payload=payload)


def opened(
    engine_id: str,
    reading: Reading,
    *,
    before: Mapping[str, Any],
    want: Want,
    altered: Iterable[str],
    is_runs_only: bool = False,
) -> Draft:
    """Return the event of a receipt: our hold took this target from running to paused, or runs of it alone."""
    payload = {
        "engine": engine_id,
        "name": reading.name,
        "hold_id": want.hold.hold_id,
        "before": plain(before),
        "after": plain(reading.settings),
        "opened_at": to_text(reading.observed_at),
        "altered_run_ids": sorted(set(altered)),
        "automation_ids": [want.automation_id] if want.automation_id else [],
        **({"is_runs_only": True} if is_runs_only else {}),
    }
    return Draft(
        reading.observed_at,
        ACTOR,
        "receipt.open",
        reading.target_id,
        correlation_id=want.hold.hold_id,
        payload=payload,
    )


def closed(
    engine_id: str,
    receipt: Receipt,
    *,
    now: datetime,
    why: str,
    is_ours: bool,
) -> Draft:
    """Return the event that ends a receipt: brought back by us, or left as others made it."""
    return Draft(
        now,
        ACTOR,
        "receipt.close",
        receipt.target_id,
        reason=why,
        correlation_id=receipt.hold_id,
        payload={"engine": engine_id, "is_ours": is_ours},
    )


def drifted(engine_id: str, reading: Reading, *, receipt: Receipt, now: datetime) -> Draft:
    """Return the event of a pause that others took away: who and when, where the engine tells."""
    who = reading.changed_by or "somebody the engine does not name"
    when = f" at {to_text(reading.changed_at)}" if reading.changed_at else ""
    return Draft(
        now,
        ACTOR,
        "target.drift",
        reading.target_id,
        reason=f"{who} un-paused {reading.name} in {engine_id}{when}",
        correlation_id=receipt.hold_id,
        payload={"engine": engine_id, "name": reading.name, "changed_by": reading.changed_by},
    )


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an adapter's settings as the log can keep them: no floats, ASCII keys."""
    return {str(key): _plain(value) for key, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value!r}"
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return to_text(value)
    return value

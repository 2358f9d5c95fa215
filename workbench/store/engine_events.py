"""The fold's handlers for what delivery records of engines: receipts, intents and what others changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from workbench.clock import to_text
from workbench.policy import PRODUCTION
from workbench.records import Event
from workbench.store.rehearsed import acceptance_fault
from workbench.store.state import State
from workbench.store.trusting import refuse


def on_delivery_begin(state: State, event: Event) -> None:
    """Keep what each target was like before the calls, until a receipt or the end of a resume settles it."""
    body = event.payload
    state.engine_versions[event.target] = body["version"]
    for row in body["before"]:
        runs = [call["run_id"] for call in body["calls"] if call["target_id"] == row["target_id"]]
        is_covered = any(row["target_id"] in call.get("covers", ()) for call in body["calls"])
        key = event.target, row["target_id"]
        intent = {
            "name": row["name"],
            "was_paused": row["is_paused"] is not False,
            "before": row["settings"],
            "mode": body["mode"],
            "run_ids": [run_id for run_id in runs if run_id],
            "is_switched": is_covered or not all(runs),
            "scope": row["scope"],
            "begun_at": to_text(event.occurred_at),
        }
        known = state.intents.get(key)
        state.intents[key] = intent if known is None else _over(known, intent)
    _count_let_go(state, event, event.target)


def _over(known: Mapping[str, Any], intent: Mapping[str, Any]) -> dict[str, Any]:
    """Return an intent over one that was not answered: the target is as the first found it, the runs are of both."""
    return {
        **intent,
        "was_paused": known["was_paused"],
        "before": known["before"],
        "is_switched": known["is_switched"] or intent["is_switched"],
        "run_ids": list(dict.fromkeys([*known["run_ids"], *intent["run_ids"]])),
    }


def on_delivery_end(state: State, event: Event) -> None:
    """Forget the intents of calls that were answered and read back; the others may still take effect."""
    for target in event.payload["settled"]:
        state.intents.pop((event.target, target), None)


def _count_let_go(state: State, event: Event, engine_id: str) -> None:
    """Count for a minute what may be let go under a rate: as it is sent, in older logs as it was found."""
    if "started_count" in event.payload:
        since = event.occurred_at - timedelta(minutes=1)
        recent = [one for one in state.let_go.get(engine_id, ()) if one[0] > since]
        state.let_go[engine_id] = (*recent, (event.occurred_at, event.payload["started_count"]))


def on_receipt_open(state: State, event: Event) -> None:
    """Keep a receipt; it belongs to the target, so a second hold opens none."""
    body = event.payload
    key = body["engine"], event.target
    known = state.receipts.get(key)
    if known is None:
        state.receipts[key] = {k: v for k, v in body.items() if k != "command"}
    else:
        state.receipts[key] = _joined(known, body)
    state.intents.pop(key, None)


def _joined(known: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a receipt with what a later hold did; the target itself is as its first real pause found and left it."""
    more = {
        "altered_run_ids": sorted({*known["altered_run_ids"], *body["altered_run_ids"]}),
        "automation_ids": sorted({*known["automation_ids"], *body["automation_ids"]}),
    }
    if body.get("is_runs_only"):
        return {**known, **more}
    if known.get("is_runs_only"):
        return {**{k: v for k, v in body.items() if k != "command"}, **more}
    return {**known, **more, "after": body["after"]}


def on_receipt_close(state: State, event: Event) -> None:
    """Drop a receipt and what was counted against its target; what was let go under a rate counts for a minute."""
    body, key = event.payload, (event.payload["engine"], event.target)
    _count_let_go(state, event, body["engine"])
    state.receipts.pop(key, None)
    state.intents.pop(key, None)
    state.drifts.pop(key, None)


def keep_choice(
    state: State, hold_id: str, *, automation_ids: Iterable[str], body: Mapping[str, Any]
) -> None:
    """Keep what a resume asks of engines; one that asks nothing ends what an older one asked."""
    choice = {name: body[name] for name in ("catch_up", "rate_per_minute") if name in body}
    for key in (hold_id, *automation_ids):
        state.resume_choices.pop(key, None)
        if choice:
            state.resume_choices[key] = choice


def on_drill(state: State, event: Event) -> None:
    """Keep what the newest drill found, newest last; in production none is held, so none is believed."""
    if state.environment == PRODUCTION:
        refuse(state, event, why="drills are held outside production")
        return
    _keep(state, {**event.payload, "drilled_by": event.actor})


def on_drill_accept(state: State, event: Event) -> None:
    """Keep a drill that was held in another store, where somebody who may vouches for it."""
    if why := acceptance_fault(state, event):
        refuse(state, event, why=why)
        return
    _keep(state, {**event.payload, "accepted_by": event.actor})


def _keep(state: State, payload: Mapping[str, Any]) -> None:
    body = {k: v for k, v in payload.items() if k != "command"}
    key = (body["engine"], body["version"], body["kind"], body["mode"], body["environment"])
    state.drills.pop(key, None)
    state.drills[key] = body


def on_drift(state: State, event: Event) -> None:
    """Count that others took a pause away."""
    key = event.payload["engine"], event.target
    state.drifts[key] = (*state.drifts.get(key, ()), (event.seq, event.reason))

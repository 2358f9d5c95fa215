"""What the store tells gates: for each automation, the holds on it and what lets it through them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.records import Hold, Probation
from workbench.scope import Scope
from workbench.store.state import State


def published_document(state: State, instant: datetime) -> dict[str, Any]:
    """Return the snapshot document of a state.

    Probations are published with their limits rather than judged here: the gate looks at the clock and
    at the tickets each time it is asked, so a limit that is reached closes without a publication.
    """
    standing = state.standing_holds()
    return {
        "store_id": state.store_id,
        "environment": state.environment,
        "seq": state.seq,
        "head_hash": state.head_hash,
        "published_at": to_text(instant),
        "automations": {
            automation_id: [
                _entry(state, hold, automation_id) for hold in state.holds_on(automation_id)
            ]
            for automation_id, automation in sorted(state.automations.items())
            if not automation.is_retired or state.holds_on(automation_id)
        },
        "everything": [
            _entry(state, hold, "") for hold in standing if Scope.parse(hold.scope).is_everything
        ],
        "named": _named(state, standing),
    }


def _named(state: State, standing: list[Hold]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for hold in standing:
        terms = Scope.parse(hold.scope).terms
        if len(terms) == 1 and terms[0][0] == "automation":
            found.setdefault(terms[0][1], []).append(_entry(state, hold, terms[0][1]))
    return found


def _entry(state: State, hold: Hold, automation_id: str) -> dict[str, Any]:
    probation = _current_probation(state, hold.hold_id, automation_id)
    return {
        "hold_id": hold.hold_id,
        "mode": str(hold.mode),
        "probation": None
        if probation is None
        else {
            "probation_id": probation.probation_id,
            "max_runs": probation.max_runs,
            "started_at": to_text(probation.started_at),
            "until": to_text(probation.until) if probation.until else None,
        },
    }


def _current_probation(state: State, hold_id: str, automation_id: str) -> Probation | None:
    automation = state.automations.get(automation_id)
    if automation is None or automation.is_retired:
        return None
    for probation in reversed(state.probations.values()):
        is_open = probation.hold_id == hold_id and probation.ended_seq is None
        if (
            is_open
            and automation_id in probation.automation_ids
            and Scope.parse(probation.scope).covers(automation)
        ):
            return probation
    return None

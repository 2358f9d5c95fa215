"""What the store tells gates and engines: the holds on each automation and what lets it through them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.records import Automation, Event, Hold
from workbench.restarts import Probation
from workbench.scope import KEYS, values_of
from workbench.store.state import State, scope_of

Desired = dict[str, tuple[str, str]]
"""automation id -> (hold id, paused | running | probation): what an event asks of automations."""


def published_document(
    state: State,
    instant: datetime,
    *,
    source: Mapping[str, Any] | None = None,
    folder_id: str = "",
) -> dict[str, Any]:
    """Return the snapshot document of a state for one gate folder, with what names the file that it comes from.

    Probations are published with their limits rather than judged here: the gate looks at the clock and
    at the tickets each time it is asked, so a limit that is reached closes without a publication.
    """
    standing = state.standing_holds()
    entry = functools.partial(_entry, state, folder_id)
    on_each = _holds_by_automation(state, standing)
    scopes: dict[str, dict[str, list[str]]] = {}
    automations: dict[str, list[dict[str, Any]]] = {}
    for automation_id, record in state.automations.items():
        if not record.is_retired:
            scopes[automation_id] = _scopes_of(record)
            automations[automation_id] = []
    for automation_id, holds in on_each.items():
        automations[automation_id] = [entry(hold, automation_id) for hold in holds]
    doubts = [f"event {seq} of the log: {why}" for seq, why in sorted(state.doubts.items())]
    return {
        "store_id": state.store_id,
        "environment": state.environment,
        "seq": state.seq,
        "head_hash": state.head_hash,
        "published_at": to_text(instant),
        "doubt": doubts[0] if doubts else "",
        "source": dict(source or {}),
        "scopes": scopes,
        "automations": automations,
        "everything": [entry(hold, "") for hold in standing if scope_of(hold.scope).is_everything],
        "named": _named(standing, entry),
    }


_known_scopes: dict[str, tuple[Automation, dict[str, list[str]]]] = {}
"""automation id -> the record that was published last, and its values: states share records that did not change."""


def _scopes_of(record: Automation) -> dict[str, list[str]]:
    """Return the values that a scope can name of an automation."""
    known = _known_scopes.get(record.automation_id)
    if known is not None and known[0] is record:
        return known[1]
    values = {key: list(found) for key in KEYS if (found := values_of(record, key))}
    _known_scopes[record.automation_id] = record, values
    return values


def _holds_by_automation(state: State, standing: list[Hold]) -> dict[str, list[Hold]]:
    """Return what `state.holds_on` says of each automation that is held, looking at each hold once."""
    found: dict[str, list[Hold]] = {}
    known = state.automations
    for hold in standing:
        ids = state.covered[hold.hold_id]
        scope = scope_of(hold.scope)
        reached = known if scope.is_everything else {*ids, *(v for _, v in scope.terms[:1])}
        for automation_id in reached:
            if automation_id in known and (automation_id in ids or scope.names(automation_id)):
                found.setdefault(automation_id, []).append(hold)
    return found


def _named(
    standing: list[Hold], entry: Callable[[Hold, str], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for hold in standing:
        terms = scope_of(hold.scope).terms
        if len(terms) == 1 and terms[0][0] == "automation":
            found.setdefault(terms[0][1], []).append(entry(hold, terms[0][1]))
    return found


def _entry(state: State, folder_id: str, hold: Hold, automation_id: str) -> dict[str, Any]:
    probation = state.open_probation(hold.hold_id, automation_id) if state.probations else None
    found = None if probation is None else _published(probation, folder_id)
    return {"hold_id": hold.hold_id, "mode": str(hold.mode), "probation": found}


def _published(probation: Probation, folder_id: str) -> dict[str, Any]:
    """Return a narrow restart as one folder's gates are told it: with the runs that are theirs.

    A gate counts against `max_runs`, which is this folder's share already, so that a gate of an earlier
    version, which does not read `shares`, gives no more than that either.
    """
    found: dict[str, Any] = {
        "probation_id": probation.probation_id,
        "max_runs": probation.runs_in(folder_id),
        "started_at": to_text(probation.started_at),
        "until": to_text(probation.until) if probation.until else None,
        "effects": probation.effects,
    }
    if probation.shares:
        found["shares"] = [asdict(share) for share in probation.shares]
    return found


def desired_by(state: State, event: Event) -> Desired:
    """Return what an event that was just taken in asks of automations: the rows of the outbox."""
    if event.seq in state.refused:
        return {}
    if event.action == "hold.place":
        return dict.fromkeys(event.payload["covered"], (event.target, "paused"))
    if event.action == "probation.start":
        ids = event.payload["automation_ids"]
        return dict.fromkeys(ids, (event.payload["hold_id"], "probation"))
    if event.action == "hold.release":
        free = [a for a in event.payload["covered"] if not state.holds_on(a)]
        return dict.fromkeys(free, (event.target, "running"))
    return {}

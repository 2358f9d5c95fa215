"""What a resume rests on must be loaded: since its decision, and lately enough for the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import to_text
from workbench.errors import Refused
from workbench.evidence import Evidence, EvidenceQuestion, staleness
from workbench.store.log import Draft
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Change

SERVES_SINCE = timedelta(days=8)
"""A source that told of an automation so long before its pause still serves it: a review's week, and its lookback."""


def opening_of(change: Change) -> Draft:
    """Return the event of a change that opens: a release or a narrow restart."""
    return next(d for d in change.drafts if d.action in ("hold.release", "probation.start"))


def question_about(state: State, opening: Draft, *, now: datetime) -> EvidenceQuestion | None:
    """Return what the warehouse is asked before a resume; None where it goes by break-glass, on no evidence."""
    body = opening.payload or {}
    if not body["decision_id"]:
        return None
    ids = _opened(body)
    known = (state.automations.get(automation_id) for automation_id in ids)
    hold = state.holds[state.decisions[body["decision_id"]].hold_id]
    return EvidenceQuestion(
        automation_ids=ids,
        providers=tuple(sorted({a.provider for a in known if a and a.provider})),
        since=hold.placed_at - SERVES_SINCE,
        as_of=now,
    )


def with_evidence(state: State, change: Change, *, found: Evidence | None, now: datetime) -> Change:
    """Return a resume with the evidence that it rests on; raises Refused naming the source that is too old."""
    opening = opening_of(change)
    body = dict(opening.payload or {})
    if not body["decision_id"]:
        return change
    decision = state.decisions[body["decision_id"]]
    again = f"look again with `workbench hold list`, then resume {decision.hold_id}"
    if found is None or set(_opened(body)) - set(found.automation_ids):
        raise Refused(f"{decision.hold_id} changed while it was resumed.", next_step=again)
    stale = staleness(
        found,
        decided_at=decision.decided_at,
        max_age_seconds=policy_of(state).evidence_max_age_seconds,
        now=max(now, state.newest_at or now),
    )
    if stale is not None:
        raise Refused(
            f"{decision.hold_id} is not resumed on {decision.decision_id}: {stale.why}. That nothing new "
            "failed means nothing where nothing was loaded.",
            next_step=stale.next_step,
        )
    marks = [[m.source_id, m.table_name, to_text(m.loaded_until_at)] for m in found.marks]
    rested = replace(opening, payload={**body, "evidence": marks})
    return replace(change, drafts=[rested if d is opening else d for d in change.drafts])


def _opened(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what an event lets run: all that a release covers, or what a narrow restart names."""
    return tuple(sorted(body["covered"] if "covered" in body else body["automation_ids"]))

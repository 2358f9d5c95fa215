"""Bringing back what our receipts changed in one engine and nothing wants paused any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from workbench.delivery import kept
from workbench.delivery.hand import Hand
from workbench.delivery.runs_only import runs_let_go
from workbench.delivery.strays import stray_receipts
from workbench.delivery.wanted import is_still_wanted
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    CatchUp,
    Note,
    Plan,
    Receipt,
    Verification,
)
from workbench.store.log import Draft


def resume(hand: Hand, wanted: Set[str], *, catch_up: CatchUp) -> str:
    """Bring back the targets that are free, and say what is not yet; an empty text where all is.

    `wanted` are targets that a hold wants paused. Raises EngineError where the engine cannot be read.
    """
    hand.record(stray_receipts(hand, wanted))
    free = {receipt.target_id: receipt for receipt in _free(hand, wanted)}
    if not free:
        return ""
    first = next(iter(free.values()))
    plan = runs_let_go(hand.engine.plan_resume(tuple(free.values()), catch_up), free)
    if plan.calls:
        why = f"{first.hold_id} does not pause it any more"
        hand.record([hand.begin(plan, hold_id=first.hold_id, reason=why)])
    note = Note(kept.ACTOR, "released", first.hold_id)
    outcomes = hand.send(plan.calls, lambda call: hand.engine.apply(call, note))
    checked = hand.engine.verify(plan) if plan.calls else Verification(())
    lacking = _lacking(plan, outcomes, checked, free)
    drafts = hand.end(plan, outcomes, checked=checked, hold_id=first.hold_id)
    hand.record([*drafts, *_closed(hand, free, plan=plan, lacking=lacking)])
    names = [free[t].name for t in lacking if t in free and t not in plan.cannot]
    return f"{', '.join(sorted(names))} still paused" if names else ""


def _free(hand: Hand, wanted: Set[str]) -> list[Receipt]:
    """Return receipts whose targets no hold wants, whatever the registry says of their engine by now."""
    state, now = hand.state(), hand.clock.now()
    return [
        receipt
        for target, receipt in kept.receipts_of(state, hand.engine_id).items()
        if target not in wanted
        and not is_still_wanted(
            state, state.receipts[hand.engine_id, target]["automation_ids"], instant=now
        )
    ]


def _lacking(
    plan: Plan,
    outcomes: Sequence[CallOutcome],
    checked: Verification,
    free: Mapping[str, Receipt],
) -> set[str]:
    """Return targets that were not brought back, or of which nobody knows.

    A run that the engine refuses to let go has ended; one whose call was lost is asked for again.
    """
    calls = sorted(plan.calls, key=lambda call: call.stage)
    pairs = zip(calls, outcomes, strict=True)
    refused = {
        target
        for call, one in pairs
        for target in call.target_ids
        if one.result is not CallResult.DONE
        and (not call.run_id or (one.can_retry and target in free and free[target].is_runs_only))
    }
    return refused | set(checked.unmet)


def _closed(
    hand: Hand, free: Mapping[str, Receipt], *, plan: Plan, lacking: Set[str]
) -> list[Draft]:
    drafts, now = [], hand.clock.now()
    for target, receipt in free.items():
        if target in plan.cannot or target not in lacking:
            done = "its runs go on; it stays as it was found"
            why = plan.cannot.get(target, done if receipt.is_runs_only else "brought back")
            is_ours = target not in plan.cannot
            drafts.append(kept.closed(hand.engine_id, receipt, now=now, why=why, is_ours=is_ours))
    return drafts

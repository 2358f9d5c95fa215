"""Bringing back what our receipts changed in one engine and nothing wants paused any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from workbench.delivery import kept
from workbench.delivery.hand import Hand
from workbench.delivery.pacing import (
    Choice,
    Paced,
    choice_of,
    seconds_to_wait,
    spent,
    within_rate,
)
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


@dataclass(frozen=True)
class Left:
    """What is free and not yet brought back.

    Attributes:
        why: in words; empty where all is brought back.
        paced_seconds: until more may be let go, where a rate alone keeps it back.
    """

    why: str = ""
    paced_seconds: float = 0.0


def resume(
    hand: Hand, wanted: Set[str], *, catch_up: CatchUp, only: Set[str] | None = None
) -> Left:
    """Bring back the targets that are free, and say what is not yet.

    `wanted` are targets that a hold wants paused; `catch_up` counts where the resume chose none; `only` keeps to
    some targets, all others are somebody else's to bring back. Raises EngineError where the engine cannot be read.
    """
    strays = stray_receipts(hand, wanted)
    hand.record([one for one in strays if only is None or one.target in only])
    groups: dict[Choice, dict[str, Receipt]] = {}
    state = hand.state()
    for receipt in _free(hand, wanted):
        if only is not None and receipt.target_id not in only:
            continue
        choice = choice_of(state, hand.engine_id, target=receipt.target_id)
        groups.setdefault(choice, {})[receipt.target_id] = receipt
    ordered = sorted(groups.items(), key=lambda one: one[0].rate_per_minute or 0)
    return _joined([_bring_back(hand, free, choice, catch_up) for choice, free in ordered])


def _joined(lefts: Sequence[Left]) -> Left:
    found = [left for left in lefts if left.why]
    is_paced = bool(found) and all(left.paced_seconds for left in found)
    seconds = min(left.paced_seconds for left in found) if is_paced else 0.0
    return Left("; ".join(left.why for left in found), seconds)


def _bring_back(hand: Hand, free: Mapping[str, Receipt], choice: Choice, catch_up: CatchUp) -> Left:
    """Bring back what was resumed in one way, as much of it as its rate lets go now."""
    state, now, rate = hand.state(), hand.clock.now(), choice.rate_per_minute
    already = spent(state, hand.engine_id, now=now)
    if rate is not None and already >= rate:
        return _later(hand, len(free), rate)
    plan = hand.engine.plan_resume(tuple(free.values()), choice.catch_up or catch_up)
    plan = runs_let_go(plan, free)
    paced = Paced(plan, {}, frozenset())
    if rate is not None:
        paced = within_rate(plan, free, rate=rate, already=already)
    now_free = {target: one for target, one in free.items() if target not in paced.later}
    why = _carry_out(hand, now_free, paced) if now_free else ""
    left = _later(hand, len(paced.later), rate) if rate is not None and paced.later else Left()
    return _joined([Left(why), left])


def _later(hand: Hand, count: int, rate: int) -> Left:
    wait = seconds_to_wait(hand.state(), hand.engine_id, now=hand.clock.now())
    return Left(f"{count} more wait their turn, at most {rate} runs a minute", wait)


def _carry_out(hand: Hand, free: Mapping[str, Receipt], paced: Paced) -> str:
    """Send a plan, read back and close receipts; returns what is still paused, in words."""
    plan, first = paced.plan, next(iter(free.values()))
    begun = _begun_before(hand)
    if plan.calls:
        why = f"{first.hold_id} does not pause it any more"
        hand.record([_counted(hand.begin(plan, hold_id=first.hold_id, reason=why), paced)])
    note = Note(kept.ACTOR, "released", first.hold_id)
    outcomes = hand.send(plan.calls, lambda call: hand.engine.apply(call, note))
    checked = hand.engine.verify(plan) if plan.calls else Verification(())
    lacking = _lacking(plan, outcomes, checked, free)
    drafts = hand.end(plan, outcomes, checked=checked, hold_id=first.hold_id)
    kept_open = lacking & free.keys() - (plan.cannot.keys() - _with_runs(plan))
    closing = {target: one for target, one in free.items() if target not in kept_open}
    open_now = {r.target_id for r in (*plan.before, *checked.readings) if r.is_paused is False}
    ours = (free.keys() - plan.cannot.keys()) | (begun & open_now)
    hand.record([*drafts, *_closed(hand, closing, cannot=plan.cannot, ours=ours)])
    return _still_there({t: free[t].name for t in kept_open}, open_now | plan.cannot.keys())


def _counted(begin: Draft, paced: Paced) -> Draft:
    """Return the intent with what it may let go: counted before it is sent, whatever becomes of the answers."""
    if not paced.counts:
        return begin
    return replace(
        begin, payload={**(begin.payload or {}), "started_count": sum(paced.counts.values())}
    )


def _begun_before(hand: Hand) -> set[str]:
    """Return targets that calls of an earlier pass were to switch back, and of which not all is answered."""
    return {
        target
        for (engine, target), one in hand.state().intents.items()
        if engine == hand.engine_id and one["mode"] == "resume" and one["is_switched"]
    }


def _with_runs(plan: Plan) -> set[str]:
    """Return targets of which the plan lets runs go on: they are ours, whoever opened the target meanwhile."""
    return {call.target_id for call in plan.calls if call.run_id}


def _still_there(names: Mapping[str, str], is_open: Set[str]) -> str:
    """Say what is not brought back yet: targets, and runs of targets that are open already."""
    paused = sorted(name for target, name in names.items() if target not in is_open)
    stopped = sorted(name for target, name in names.items() if target in is_open)
    said = [f"{', '.join(paused)} still paused"] if paused else []
    return "; ".join(
        [*said, *(f"runs of {name} that we stopped do not go on yet" for name in stopped)]
    )


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
        and (not call.run_id or (one.can_retry and _hangs_on_runs(plan, free, target)))
    }
    return refused | set(checked.unmet)


def _hangs_on_runs(plan: Plan, free: Mapping[str, Receipt], target: str) -> bool:
    """Tell whether all that is left to do for a target is to let its runs go on."""
    return target in free and (free[target].is_runs_only or target in plan.cannot)


def _closed(
    hand: Hand, closing: Mapping[str, Receipt], *, cannot: Mapping[str, str], ours: Set[str]
) -> list[Draft]:
    """Return the ends of receipts; `ours` are targets that our calls brought back, now or in an earlier pass."""
    drafts, now = [], hand.clock.now()
    for target, receipt in closing.items():
        done = (
            "its runs go on; it stays as it was found" if receipt.is_runs_only else "brought back"
        )
        drafts.append(
            kept.closed(
                hand.engine_id,
                receipt,
                now=now,
                why=done if target in ours else cannot[target],
                is_ours=target in ours,
            )
        )
    return drafts

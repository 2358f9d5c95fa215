"""Pausing in one engine what is wanted in one mode: plan, intent, calls, reading back, receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.delivery import kept
from workbench.delivery.hand import Hand
from workbench.delivery.parts import Part, observed, parts_of
from workbench.delivery.wanted import Want
from workbench.engines.switching import CallOutcome, NativeCall, Note, Plan, Verification
from workbench.records import Hold
from workbench.store.log import Draft


@dataclass(frozen=True)
class Paused:
    """What came of it: the targets that are wanted paused, and how far each automation is.

    Attributes:
        scopes: keys of what the engine was asked about and answered.
        met: targets that were read back and are as wanted.
        unmet: targets that are not.
    """

    targets: frozenset[str]
    parts: Mapping[str, Part]
    scopes: frozenset[str]
    met: frozenset[str]
    unmet: frozenset[str]


def pause(hand: Hand, wants: Sequence[Want]) -> Paused:
    """Bring what is wanted in one mode there; raises EngineError where the engine cannot be read."""
    plan = hand.engine.plan_pause([want.scope for want in wants], wants[0].mode)
    plan, drift, given_up = _without_flaps(hand, plan)
    owner, hold = _owners(plan, wants), wants[0].hold
    outcomes: list[CallOutcome] = []
    if plan.calls:
        begin = hand.begin(plan, hold_id=hold.hold_id, reason=hold.reason)
        hand.record([*drift, begin])
        asked_by = _asked_by(plan, wants, owner)
        outcomes = hand.send(plan.calls, lambda call: _send(hand, call, asked_by[call.call_id]))
    checked = hand.engine.verify(plan)
    checked = replace(checked, unmet={**checked.unmet, **given_up})
    parts = parts_of(plan, wants, checked=checked, outcomes=outcomes, left_alone={*given_up})
    drafts = hand.end(plan, outcomes, checked=checked, hold_id=hold.hold_id)
    drafts += _receipts(hand, checked, owner)
    drafts += observed(hand.state(), wants, parts=parts, now=hand.clock.now())
    hand.record(drafts)
    read, unmet = {reading.target_id for reading in checked.readings}, frozenset(checked.unmet)
    return Paused(
        frozenset(t for ids in plan.members.values() for t in ids),
        parts,
        scopes=frozenset(plan.members),
        met=frozenset(read - unmet),
        unmet=unmet,
    )


def _send(hand: Hand, call: NativeCall, hold: Hold) -> CallOutcome:
    return hand.engine.apply(call, Note(hold.placed_by, hold.reason, hold.hold_id))


def _asked_by(plan: Plan, wants: Sequence[Want], owner: Mapping[str, Want]) -> dict[str, Hold]:
    """Return for each call the hold that it is told to the engine for; a bulk call's is one on all that it covers."""
    found = {}
    for call in plan.calls:
        of_all = (w for w in wants if {*call.covers} <= {*plan.members.get(w.scope.key, ())})
        whole = next(of_all, wants[0])
        found[call.call_id] = (whole if call.covers else owner.get(call.target_id, whole)).hold
    return found


def _owners(plan: Plan, wants: Sequence[Want]) -> dict[str, Want]:
    """Return for each target whose want it is paused for; what has a name of its own comes before everything."""
    found: dict[str, Want] = {}
    for want in sorted(wants, key=lambda w: w.automation_id == ""):
        for target in plan.members.get(want.scope.key, ()):
            found.setdefault(target, want)
    return found


def _without_flaps(hand: Hand, plan: Plan) -> tuple[Plan, list[Draft], dict[str, str]]:
    """Return the plan without targets that others un-pause again and again, and events of what they did."""
    state = hand.state()
    receipts = kept.receipts_of(state, hand.engine_id)
    drift, given_up = [], {}
    switched = {t for call in plan.calls if not call.run_id for t in call.target_ids}
    for reading in plan.before:
        target = reading.target_id
        key = hand.engine_id, target
        ours = receipts.get(target)
        is_ours = ours is not None and not ours.is_runs_only
        is_open = reading.is_paused is False and is_ours and target in switched
        if not is_open or key in state.intents:
            continue  # nobody opened it, or a call of ours may have been cut short
        times = state.drifts.get(key, ())
        if len(times) >= kept.FLAP_LIMIT:
            last = times[-1][1]
            given_up[target] = f"un-paused {len(times)} times ({last}); left alone, stop it there"
            continue
        now = hand.clock.now()
        drift.append(kept.drifted(hand.engine_id, reading, receipt=receipts[target], now=now))
    calls = tuple(call for call in plan.calls if not given_up.keys() >= {*call.target_ids})
    # A bulk call that others need takes it along: then it is paused again, not left alone.
    taken_along = {target for call in calls for target in call.covers}
    left_alone = {target: why for target, why in given_up.items() if target not in taken_along}
    return replace(plan, calls=calls), drift, left_alone


def _receipts(hand: Hand, checked: Verification, owner: Mapping[str, Want]) -> list[Draft]:
    """Return the receipts of targets that our calls took from running to paused, and of runs that they stopped.

    Runs under a target that was paused already are ours all the same: without a receipt nobody would let them go.
    """
    state, drafts = hand.state(), []
    for reading in checked.readings:
        intent = state.intents.get((hand.engine_id, reading.target_id))
        want = owner.get(reading.target_id)
        if intent is None or want is None or intent["mode"] == "resume":
            continue
        was_paused, run_ids = intent["was_paused"], intent["run_ids"]
        if (was_paused and not run_ids) or not (was_paused or reading.is_paused):
            continue
        drafts.append(
            kept.opened(
                hand.engine_id,
                reading,
                before=intent["before"],
                want=want,
                altered=run_ids,
                is_runs_only=was_paused,
            )
        )
    return drafts

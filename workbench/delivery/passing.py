"""One pass over one engine: what the log wants, compared with what is, brought there, read back and recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.clock import Clock, to_text
from workbench.delivery import kept
from workbench.delivery.strays import stray_receipts
from workbench.delivery.wanted import Want, by_mode, is_still_wanted, wanted_of
from workbench.engines.interface import EngineSwitch
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    CatchUp,
    NativeCall,
    Note,
    Plan,
    Reading,
    Verification,
)
from workbench.errors import EngineError
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Store

CALLS_AT_ONCE = 16
"""Native calls side by side: 200 targets at 50 ms a call take 0.7 s."""


@dataclass(frozen=True)
class Part:
    """How far a pause has come at one automation in its engine; None means not yet.

    Attributes:
        why: what is in the way, in one sentence.
        in_flight_count: runs that go on working.
        frozen_count: runs that the engine calls running and the pause keeps from their next step.
        is_final: trying again does not help; somebody has to do something else.
    """

    delivered_at: datetime | None = None
    confirmed_at: datetime | None = None
    quiet_at: datetime | None = None
    why: str = ""
    in_flight_count: int = 0
    frozen_count: int = 0
    is_final: bool = False


@dataclass(frozen=True)
class Look:
    """What one pass found.

    Attributes:
        fault: why the engine could not be asked, or an empty text.
        parts: automation id -> how far it has come; the id is empty for the whole engine.
        is_settled: nothing is left to bring about.
        unresumed: what is free and not yet brought back, in words, or an empty text.
    """

    engine_id: str
    at: datetime
    fault: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict)
    is_settled: bool = True
    unresumed: str = ""


class EnginePass:
    """Carries out passes over one engine; one at a time, under its lease."""

    def __init__(self, engine_id: str, engine: EngineSwitch, store: Store, *, clock: Clock) -> None:
        """Remember engine and store; nothing is asked yet."""
        self._id, self._engine, self._store, self._clock = engine_id, engine, store, clock

    def run(self, catch_up: CatchUp = CatchUp.ALL) -> Look:
        """Bring the engine where the log wants it now and return how far that is."""
        state, now = self._store.state(), self._clock.now()
        wants = wanted_of(state, self._id, now)
        try:
            looks = [self._pause(mode_wants) for mode_wants in by_mode(wants).values()]
            reached = {t for look in looks for t in look.targets}
            unresumed = self._resume(reached, catch_up)
        except EngineError as exc:
            parts = {want.automation_id: Part(why=exc.message) for want in wants}
            return Look(self._id, now, exc.message, parts, is_settled=False)
        parts = {key: part for look in looks for key, part in look.parts.items()}
        is_settled = not unresumed and all(part.quiet_at for part in parts.values())
        return Look(self._id, now, "", parts, is_settled, unresumed)

    def _pause(self, wants: Sequence[Want]) -> _Paused:
        """Plan, record the intent, apply, read back and record, for what is wanted in one mode."""
        plan = self._engine.plan_pause([want.scope for want in wants], wants[0].mode)
        state = self._store.state()
        plan, drift, given_up = self._without_flaps(plan, state)
        owner = _owners(plan, wants)
        outcomes: list[CallOutcome] = []
        if plan.calls or drift:
            begin = [self._begin(plan, wants[0])] if plan.calls else []
            self._record([*drift, *begin])
            outcomes = self._apply(plan, owner)
        checked = self._engine.verify(plan)
        checked = replace(checked, unmet={**checked.unmet, **given_up})
        parts = _parts(plan, wants, checked, outcomes)
        drafts = self._receipts(plan, checked, owner)
        if outcomes:
            drafts.insert(
                0,
                self._ended(plan, outcomes, checked, wants[0].hold.hold_id),
            )
        drafts += observed(self._store.state(), wants, parts, now=self._clock.now())
        self._record(drafts)
        targets = frozenset(t for ids in plan.members.values() for t in ids)
        return _Paused(targets, parts)

    def _without_flaps(self, plan: Plan, state: State) -> tuple[Plan, list[Draft], dict[str, str]]:
        """Return the plan without targets that others un-pause again and again, and events of what they did."""
        receipts = kept.receipts_of(state, self._id)
        drift, given_up = [], {}
        switched = {call.target_id for call in plan.calls if not call.run_id}
        for reading in plan.before:
            key = self._id, reading.target_id
            if reading.is_paused is not False or reading.target_id not in receipts:
                continue
            if key in state.intents or reading.target_id not in switched:
                continue  # a call of ours may have been cut short; that is no drift
            times = state.drifts.get(key, ())
            if len(times) >= kept.FLAP_LIMIT:
                given_up[reading.target_id] = (
                    f"un-paused {len(times)} times ({times[-1][1]}); left alone, stop it at its engine"
                )
                continue
            receipt = receipts[reading.target_id]
            drift.append(kept.drifted(self._id, reading, receipt, now=self._clock.now()))
        calls = tuple(call for call in plan.calls if call.target_id not in given_up)
        return replace(plan, calls=calls), drift, given_up

    def _begin(self, plan: Plan, want: Want) -> Draft:
        return kept.begun(
            self._id,
            plan,
            now=self._clock.now(),
            hold_id=want.hold.hold_id,
            reason=want.hold.reason,
        )

    def _apply(self, plan: Plan, owner: Mapping[str, Want]) -> list[CallOutcome]:
        """Send the calls stage by stage; a stage is sent whatever became of the one before it."""

        def send(call: NativeCall) -> CallOutcome:
            want = owner.get(call.target_id) or next(iter(owner.values()))
            hold = want.hold
            return self._engine.apply(call, Note(hold.placed_by, hold.reason, hold.hold_id))

        return _in_stages(plan.calls, send)

    def _receipts(
        self, plan: Plan, checked: Verification, owner: Mapping[str, Want]
    ) -> list[Draft]:
        """Return the receipts of targets that our calls took from running to paused."""
        state, drafts = self._store.state(), []
        runs: dict[str, list[str]] = {}
        for call in plan.calls:
            if call.run_id and not call.is_lossy:
                runs.setdefault(call.target_id, []).append(call.run_id)
        for reading in checked.readings:
            intent = state.intents.get((self._id, reading.target_id))
            want = owner.get(reading.target_id)
            if intent is None or want is None or not reading.is_paused or intent["was_paused"]:
                continue
            if intent["mode"] == "resume":
                continue
            altered = {*intent["run_ids"], *runs.get(reading.target_id, ())}
            drafts.append(
                kept.opened(self._id, reading, before=intent["before"], want=want, altered=altered)
            )
        return drafts

    def _resume(self, wanted_targets: set[str], catch_up: CatchUp) -> str:
        """Bring back what our receipts changed and nothing wants paused any more; says what is not yet."""
        now = self._clock.now()
        self._record(
            stray_receipts(
                self._id, self._engine, self._store.state(), wanted=wanted_targets, now=now
            )
        )
        state = self._store.state()
        free = [
            receipt
            for target, receipt in kept.receipts_of(state, self._id).items()
            if target not in wanted_targets
            and not is_still_wanted(
                state, state.receipts[self._id, target].get("automation_ids", ()), now
            )
        ]
        if not free:
            return ""
        plan = self._engine.plan_resume(free, catch_up)
        by_target = {receipt.target_id: receipt for receipt in free}
        begin = kept.begun(
            self._id,
            plan,
            now=now,
            hold_id=free[0].hold_id,
            reason=f"{free[0].hold_id} is released",
        )
        if plan.calls:
            self._record([begin])
        note = Note(kept.ACTOR, "released", free[0].hold_id)
        outcomes = _in_stages(plan.calls, lambda call: self._engine.apply(call, note))
        checked = self._engine.verify(plan) if plan.calls else Verification(())
        drafts: list[Draft] = []
        ended_at = self._clock.now()
        if outcomes:
            drafts.append(self._ended(plan, outcomes, checked, free[0].hold_id))
        refused = {
            call.target_id
            for call, one in zip(_sorted(plan.calls), outcomes, strict=True)
            if one.result is not CallResult.DONE and not call.run_id
        }
        for target, receipt in by_target.items():
            if target in plan.cannot:
                drafts.append(
                    kept.closed(
                        self._id, receipt, now=ended_at, why=plan.cannot[target], is_ours=False
                    )
                )
            elif target not in checked.unmet and target not in refused:
                drafts.append(
                    kept.closed(self._id, receipt, now=ended_at, why="brought back", is_ours=True)
                )
        self._record(drafts)
        lacking = {*checked.unmet, *refused}
        names = [r.name for t, r in by_target.items() if t in lacking and t not in plan.cannot]
        return f"{', '.join(sorted(names))} still paused" if names else ""

    def _ended(
        self, plan: Plan, outcomes: Sequence[CallOutcome], checked: Verification, hold_id: str
    ) -> Draft:
        now = self._clock.now()
        return kept.ended(
            self._id, outcomes, checked.unmet, calls=plan.calls, now=now, hold_id=hold_id
        )

    def _record(self, drafts: Sequence[Draft]) -> None:
        if drafts:
            content = {"name": "deliver", "engine": self._id, "count": len(drafts)}
            self._store.transact(Command(uuid.uuid4().hex, content), lambda _: Change(list(drafts)))


@dataclass(frozen=True)
class _Paused:
    targets: frozenset[str]
    parts: Mapping[str, Part]


def _sorted(calls: Sequence[NativeCall]) -> list[NativeCall]:
    return sorted(calls, key=lambda call: call.stage)


def _in_stages(
    calls: Sequence[NativeCall], send: Callable[[NativeCall], CallOutcome]
) -> list[CallOutcome]:
    outcomes: list[CallOutcome] = []
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        for stage in sorted({call.stage for call in calls}):
            outcomes += pool.map(send, [call for call in calls if call.stage == stage])
    return outcomes


def _owners(plan: Plan, wants: Sequence[Want]) -> dict[str, Want]:
    """Return for each target whose want it is paused for; what has a name of its own comes before everything."""
    found: dict[str, Want] = {}
    for want in sorted(wants, key=lambda w: w.automation_id == ""):
        for target in plan.members.get(want.scope.key, ()):
            found.setdefault(target, want)
    return found


def _parts(
    plan: Plan,
    wants: Sequence[Want],
    checked: Verification,
    outcomes: Sequence[CallOutcome],
) -> dict[str, Part]:
    readings = {reading.target_id: reading for reading in checked.readings}
    calls = _sorted(plan.calls)
    failed = {
        call.target_id: f"{call.sentence}: {one.answer}"
        for call, one in zip(calls, outcomes, strict=True)
        if one.result is CallResult.REFUSED
    }
    delivered = max((one.ended_at for one in outcomes), default=None)
    return {
        want.automation_id: _part(want, plan, readings, checked.unmet, failed, delivered)
        for want in wants
    }


def _part(
    want: Want,
    plan: Plan,
    readings: Mapping[str, Reading],
    unmet: Mapping[str, str],
    failed: Mapping[str, str],
    delivered: datetime | None,
) -> Part:
    if why := plan.cannot.get(want.scope.key):
        return Part(why=why, is_final=True)
    ids = plan.members.get(want.scope.key, ())
    own = [readings[target] for target in ids if target in readings]
    if not ids or len(own) < len(ids):
        return Part(why="the engine did not say how it is with it")
    read_at = max(reading.observed_at for reading in own)
    refused = [failed[target] for target in ids if target in failed]
    lacking = [unmet[target] for target in ids if target in unmet]
    part = Part(
        delivered_at=None if refused else delivered or read_at,
        in_flight_count=sum(len(reading.running_ids) for reading in own),
        frozen_count=sum(len(reading.frozen_ids) for reading in own),
        why="; ".join([*lacking, *refused][:1]),
    )
    if lacking:
        return part
    is_quiet = part.in_flight_count == 0
    return replace(
        part,
        delivered_at=part.delivered_at or read_at,
        confirmed_at=read_at,
        quiet_at=read_at if is_quiet else None,
    )


def observed(
    state: State, wants: Sequence[Want], parts: Mapping[str, Part], *, now: datetime
) -> list[Draft]:
    """Return the events of what was seen for the first time of each hold at each automation."""
    by_hold: dict[str, dict[str, Any]] = {}
    for want in wants:
        part = parts[want.automation_id]
        for hold_id in want.hold_ids if want.automation_id else ():
            known = state.observed.get((hold_id, want.automation_id), {})
            new = {
                f"engine_{name}": to_text(value)
                for name in ("delivered_at", "confirmed_at", "quiet_at")
                if (value := getattr(part, name)) and not known.get(f"engine_{name}")
            }
            if new:
                by_hold.setdefault(hold_id, {})[want.automation_id] = new
    return [
        Draft(
            now,
            kept.ACTOR,
            "hold.observe",
            hold_id,
            correlation_id=hold_id,
            payload={"targets": targets},
        )
        for hold_id, targets in sorted(by_hold.items())
    ]

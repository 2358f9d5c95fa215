"""Stops and reads back parts of a Prefect server: plan, apply, verify; how it is let go again is in prefect_resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.clock import Clock
from workbench.engines.calls import send_call
from workbench.engines.prefect_api import PrefectApi
from workbench.engines.prefect_calls import (
    is_to_stop,
    put_off_calls,
    ready,
    refusal_in,
    run_calls,
    switch_calls,
    why_not,
)
from workbench.engines.prefect_effects import capabilities, effects_of
from workbench.engines.prefect_readings import Found, find, is_held
from workbench.engines.prefect_resume import plan_resume as resume_planned
from workbench.engines.prefect_resume import unmet_after_resume
from workbench.engines.prefect_sight import Sight, look, scope_of
from workbench.engines.prefect_words import Phase
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    Capability,
    CatchUp,
    EngineScope,
    NativeCall,
    Note,
    Plan,
    Reading,
    Receipt,
    ScopeKind,
    Verification,
)
from workbench.errors import EngineError
from workbench.records import Mode


class PrefectSwitch:
    """The switching half for one Prefect server."""

    engine = "prefect"
    _api: PrefectApi
    _clock: Clock

    def capabilities(self) -> Sequence[Capability]:
        """Return what it can and cannot do, for every kind of scope and every mode."""
        return capabilities()

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        """Return a reading of each native target that stands for these scopes."""
        sight = look(self._api, scopes, at=self._clock.now())
        return find(self._api, sight, target_ids=_members_of(sight, scopes)).readings()

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        """Work out the calls; changes nothing."""
        sight = look(self._api, scopes, at=self._clock.now())
        found = find(self._api, sight, target_ids=_members_of(sight, scopes))
        calls: list[NativeCall] = []
        cannot = {s.key: sight.why_not(s) for s in scopes if not sight.members(s)}
        for target_id in found.runs:
            calls += switch_calls(found, target_id)
            for stopping in (put_off_calls, run_calls):
                stops, left = stopping(found, target_id, mode=mode)
                calls += stops
                cannot.update(left)
        return Plan(
            self.engine,
            self._api.version(),
            tuple(scopes),
            mode,
            found.readings(),
            tuple({call.call_id: call for call in calls}.values()),
            effects_of(scopes, mode),
            collateral=_collateral_of(sight, scopes),
            cannot=cannot,
            members={scope.key: sight.members(scope) for scope in scopes},
        )

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        """Send one call; never raises for what the engine does or does not answer."""
        began_at = self._clock.now()
        try:
            sent = ready(self._api, call, note=note)
        except EngineError as exc:
            return CallOutcome(
                call.call_id,
                CallResult.REFUSED,
                exc.message,
                began_at,
                self._clock.now(),
                can_retry=True,
            )
        if isinstance(sent, str):
            return CallOutcome(
                call.call_id, CallResult.REFUSED, sent, began_at, self._clock.now(), can_retry=True
            )
        outcome = send_call(self._api.client, sent, clock=self._clock, refusal=refusal_in)
        gone = sent.method == "DELETE" and outcome.answer.startswith("404")
        return replace(outcome, result=CallResult.DONE) if gone else outcome

    def verify(self, plan: Plan) -> Verification:
        """Read every target of a plan back and say what is not as wanted."""
        wanted = [reading.target_id for reading in plan.before]
        scopes = [
            *plan.scopes,
            *(
                EngineScope(ScopeKind.RUN, one.removeprefix("run:"))
                for one in wanted
                if one.startswith("run:")
            ),
        ]
        sight = look(self._api, scopes, at=self._clock.now())
        found = find(self._api, sight, target_ids=wanted)
        gone = {
            reading.target_id: f"{reading.name} is not at {self._api.place} any more"
            for reading in plan.before
            if reading.target_id not in found.runs
        }
        if plan.mode is None:
            unmet = unmet_after_resume(self._api, found, plan=plan)
        else:
            unmet = {
                target_id: why
                for target_id in found.runs
                if (why := _unmet(found, target_id, plan=plan, mode=plan.mode))
            }
        return Verification(found.readings(), {**gone, **unmet})

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        """Work out the calls that bring back what these receipts changed and nobody else changed since."""
        sight = look(self._api, (), at=self._clock.now())
        queues = [
            scope_of(r.target_id, sight)
            for r in receipts
            if r.target_id.startswith(("queue:", "run:"))
        ]
        if queues:
            sight = look(self._api, queues, at=self._clock.now())
        found = find(self._api, sight, target_ids=[receipt.target_id for receipt in receipts])
        plan = resume_planned(self._api, found, receipts=receipts, catch_up=catch_up)
        return replace(plan, engine=self.engine, version=self._api.version())


def _members_of(sight: Sight, scopes: Sequence[EngineScope]) -> list[str]:
    return [target_id for scope in scopes for target_id in sight.members(scope)]


def _collateral_of(sight: Sight, scopes: Sequence[EngineScope]) -> tuple[str, ...]:
    """Name what else a pool, a queue or a schedule takes along."""
    said = []
    for target_id in _members_of(sight, [s for s in scopes if s.kind is not ScopeKind.ENGINE]):
        kind, _, key = target_id.partition(":")
        pool, _, queue = key.partition("/")
        if kind in ("pool", "queue"):
            names = [
                sight.name_of(f"deployment:{one}")
                for one, row in sight.deployments.items()
                if row.get("work_pool_name") == pool and queue in ("", row.get("work_queue_name"))
            ]
            held = ", ".join(sorted(names)[:10]) or "no deployment"
            said.append(f"the {kind} {key} holds {len(names)} deployments: {held}")
        others = sight.deployments.get(pool, {}).get("schedules") or ()
        if kind == "schedule" and len(others) > 1:
            said.append(
                f"{sight.name_of(target_id)}: planned starts of the {len(others) - 1} other "
                "schedules of its deployment are deleted too, and planned anew within a minute"
            )
    return tuple(said)


def _unmet(found: Found, target_id: str, *, plan: Plan, mode: Mode) -> str:
    """Say what of a target is not as a pause wants it, or an empty text."""
    name, reading = found.sight.name_of(target_id), found.reading(target_id)
    said = []
    if not reading.is_paused and not _drains(found, target_id, mode):
        place = found.sight.place
        said.append(f"{name} is not paused at {place}: send the pause again, or pause it there")
    elif starts := _would_start(found, target_id, plan):
        said.append(f"{name}: {starts}")
    if mode is not Mode.DRAIN:
        said += _still_at_work(found, target_id, mode)
    return "; ".join(said)


def _still_at_work(found: Found, target_id: str, mode: Mode) -> list[str]:
    """Say which runs a freeze or halt has not stopped yet, and why where it cannot."""
    name = found.sight.name_of(target_id)
    in_step = [run for run in found.runs[target_id] if str(run["id"]) in found.in_step]
    left = [run for run in found.runs[target_id] if found.is_working(run) and run not in in_step]
    said = []
    if in_step:
        said.append(f"{name}: {len(in_step)} suspended runs end the step that they are in; wait")
    if left:
        verb = "suspended" if mode is Mode.FREEZE else "cancelled"
        told = (why_not(found, run, mode=mode) for run in left if is_to_stop(found, run, mode=mode))
        why = next(filter(None, told), "wait, or send the plan again")
        said.append(f"{name}: {len(left)} runs still work and are not {verb}: {why}")
    return said


def _drains(found: Found, target_id: str, mode: Mode) -> bool:
    """Tell whether a target is one run that may go on to its end."""
    if mode is not Mode.DRAIN or not target_id.startswith("run:"):
        return False
    return all(found.is_working(run) for run in found.runs[target_id])


def _would_start(found: Found, target_id: str, plan: Plan) -> str:
    """Say what of a paused deployment still starts: runs made by hand, unless our limit keeps them."""
    settings = found.reading(target_id).settings
    if not target_id.startswith("deployment:") or is_held(settings):
        return ""
    waiting = [r for r in found.runs[target_id] if found.phase(r) in (Phase.DUE, Phase.AHEAD)]
    if any(call.target_id == target_id and not call.run_id for call in plan.calls):
        return (
            "our limit of 0 is not on it, so a run made by hand still starts; send the plan again"
        )
    if not waiting:
        return ""
    return (
        f"somebody else paused it, and {len(waiting)} runs made by hand still start "
        f"({', '.join(str(run['id']) for run in waiting[:3])}): cancel them in Prefect, "
        "or unpause it there so that this pause takes hold of it"
    )

"""Pauses part of a Temporal namespace and reads back whether it is paused: schedules, runs in flight, task queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.clock import Clock
from workbench.engines.calls import send_call
from workbench.engines.switching import (
    CallOutcome,
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
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_calls import Calls, with_note
from workbench.engines.temporal_effects import (
    BY_HAND,
    NOTHING_TO_DRAIN,
    capabilities_of,
    effects_of,
    pausing_is_off,
)
from workbench.engines.temporal_found import Finding, Found
from workbench.engines.temporal_readings import readings_of
from workbench.engines.temporal_resuming import Resuming, unresumed
from workbench.engines.temporal_unmet import unmet_of
from workbench.errors import EngineError
from workbench.records import Mode


class TemporalSwitch:
    """The switching half for one namespace."""

    engine = "temporal"

    def __init__(self, namespace: Namespace, clock: Clock) -> None:
        """Switch in this namespace."""
        self._namespace, self._clock = namespace, clock

    def capabilities(self) -> Sequence[Capability]:
        """Return what it can do; whether runs can be paused is asked of the server."""
        try:
            return capabilities_of(self._why_no_freeze())
        except EngineError as exc:
            return capabilities_of(f"whether runs can be paused could not be asked: {exc.message}")

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        """Return a reading of each schedule, run in flight and task queue that stands for the scopes."""
        return readings_of(self._find(scopes), self._namespace, now=self._clock.now())

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        """Work out the calls: schedules and queues first, then each run in flight."""
        found, now, calls = self._find(scopes), self._clock.now(), Calls(self._namespace)
        why_no_freeze = self._why_no_freeze() if mode is Mode.FREEZE else ""
        made = [
            call
            for target in found.targets.values()
            if not (why_no_freeze and target.run) and (call := calls.close(target, mode, now=now))
        ]
        return Plan(
            engine=self.engine,
            version=self._namespace.version(),
            scopes=tuple(scopes),
            mode=mode,
            before=readings_of(found, self._namespace, now=now),
            calls=tuple(made),
            effects=effects_of(scopes[0].kind, mode) if scopes else (),
            collateral=tuple(_collateral(found)),
            cannot=_cannot(found, scopes, mode, why_no_freeze=why_no_freeze),
            members=found.members,
        )

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        """Send one call with the note as reason; never raises."""
        sent = replace(call, body=with_note(call, note))
        return send_call(self._namespace.client, sent, clock=self._clock)

    def verify(self, plan: Plan) -> Verification:
        """Ask anew for every target of a plan, and say what is not as wanted."""
        found = self._find(plan.scopes)
        expected = [target for ids in plan.members.values() for target in ids]
        readings = readings_of(found, self._namespace, now=self._clock.now(), expected=expected)
        if plan.mode is None:
            return Verification(readings, unresumed(plan, found))
        unmet = {
            target.target_id: why
            for target in found.targets.values()
            if (why := unmet_of(target, plan.mode, found=found))
        }
        return Verification(readings, unmet)

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        """Work out what brings back schedules, queues and runs that are as we left them.

        Temporal makes up no start that fell into a pause, whatever `catch_up` allows; the forecast says so.
        """
        return Resuming(self._namespace, self._clock, catch_up).plan(receipts)

    def _find(self, scopes: Sequence[EngineScope]) -> Found:
        return Finding(self._namespace, self._clock).find(scopes)

    def _why_no_freeze(self) -> str:
        if self._namespace.can_pause_runs():
            return ""
        return pausing_is_off(self._namespace.place, self._namespace.name)


def _cannot(
    found: Found, scopes: Sequence[EngineScope], mode: Mode, *, why_no_freeze: str
) -> dict[str, str]:
    said = dict(found.missing)
    for scope in scopes:
        if scope.kind is ScopeKind.RUN and mode is Mode.DRAIN:
            said.setdefault(scope.key, NOTHING_TO_DRAIN)
        elif why_no_freeze and scope.kind is not ScopeKind.CATEGORY:
            said.setdefault(scope.key, why_no_freeze)
        elif scope.kind is ScopeKind.WORKFLOW and f"workflow:{scope.key}" in found.targets:
            said.setdefault(scope.key, f"no schedule starts {scope.key}. {BY_HAND}")
    return said


def _collateral(found: Found) -> Iterator[str]:
    for target in found.targets.values():
        switch, limit = target.switch, target.limit
        if switch is not None and switch.buffered_count and not switch.is_paused:
            yield (
                f"{switch.buffered_count} starts in the buffer of the schedule {switch.schedule_id} "
                "are lost"
            )
        if limit is not None:
            kinds = [one.run.kind for one in found.targets.values() if one.run is not None]
            kinds += [one.switch.kind for one in found.targets.values() if one.switch is not None]
            names = ", ".join(sorted(set(kinds))) or "whatever runs there"
            yield f"the task queue {limit.queue} serves {names}"

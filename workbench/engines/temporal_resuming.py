"""Opens what we closed in a Temporal namespace, if nobody else was there since, and says what starts then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.clock import Clock, to_text
from workbench.engines.at_once import side_by_side
from workbench.engines.switching import (
    CatchUp,
    EngineScope,
    Firing,
    NativeCall,
    Plan,
    Receipt,
    ScopeKind,
)
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_audit import ScheduleAudit
from workbench.engines.temporal_calls import Calls
from workbench.engines.temporal_found import Finding, Found, Native
from workbench.engines.temporal_readings import readings_of
from workbench.engines.temporal_schedules import MOST_TICKS, Switch, ticks

_KINDS = {
    "schedule": ScopeKind.TRIGGER,
    "task_queue": ScopeKind.CATEGORY,
    "workflow": ScopeKind.WORKFLOW,
    "run": ScopeKind.RUN,
}


@dataclass
class Resuming:
    """One look at what receipts name; `plan` is what it comes to."""

    namespace: Namespace
    clock: Clock
    catch_up: CatchUp = CatchUp.SKIP
    _made: list[NativeCall] = field(default_factory=list)
    _cannot: dict[str, str] = field(default_factory=dict)
    _forecast: list[Firing] = field(default_factory=list)
    _runs: dict[str, list[str]] = field(default_factory=dict)
    _missed: dict[str, int] = field(default_factory=dict)

    def plan(self, receipts: Sequence[Receipt]) -> Plan:
        """Return the calls that bring back what these receipts changed."""
        scopes = [_scope_of(receipt.target_id) for receipt in receipts]
        found = Finding(self.namespace, self.clock).find(scopes)
        self._missed = self._count_missed(receipts, found)
        for receipt in receipts:
            self._open(receipt, found.targets.get(receipt.target_id))
        for kind, run_ids in self._runs.items():
            said = f"{len(run_ids)} paused runs go on where they stood, and start nothing new"
            self._forecast.append(Firing(f"run:{run_ids[0]}", kind, 0, said, tuple(run_ids)))
        return Plan(
            engine="temporal",
            version=self.namespace.version(),
            scopes=tuple(scopes),
            mode=None,
            before=readings_of(found, self.namespace, now=self.clock.now()),
            calls=tuple(self._made),
            cannot=self._cannot,
            forecast=tuple(self._forecast),
            members={
                scope.key: (receipt.target_id,)
                for scope, receipt in zip(scopes, receipts, strict=True)
            },
        )

    def _count_missed(self, receipts: Sequence[Receipt], found: Found) -> dict[str, int]:
        """Return how many starts fell into the pause of each schedule that is as we left it."""

        def missed(receipt: Receipt) -> int:
            schedule_id = receipt.target_id.removeprefix("schedule:")
            now = self.clock.now()
            return len(ticks(self.namespace, schedule_id, begin=receipt.opened_at, end=now))

        ours = [one for one in receipts if _is_ours(one, found.targets.get(one.target_id))]
        paused = [one for one in ours if found.targets[one.target_id].switch is not None]
        ids = [one.target_id for one in paused]
        return dict(zip(ids, side_by_side(missed, paused), strict=True))

    def _open(self, receipt: Receipt, target: Native | None) -> None:
        if target is None:
            if not receipt.target_id.startswith("run:"):
                self._cannot[receipt.target_id] = f"Temporal does not have {receipt.name} any more"
            return
        if not _is_ours(receipt, target):
            self._cannot[receipt.target_id] = self._foreign(receipt, target)
            return
        calls = Calls(self.namespace)
        if target.switch is not None:
            note = str(receipt.before.get("notes") or "")
            if not receipt.before.get("paused"):
                self._made.append(calls.patch(target.switch, "unpause", note=note))
            self._foretell(receipt, target.switch)
        elif target.limit is not None:
            before = receipt.before.get("per_second")
            per_second = None if before is None else float(before)
            self._made.append(calls.limit(target.limit, per_second))
            said = "activities that wait in the task queue are handed out, the oldest first"
            self._forecast.append(Firing(receipt.target_id, receipt.name, None, said))
        elif target.run is not None and target.run.word == "PAUSED":
            self._made.append(calls.run(target.run, "unpause"))
            self._runs.setdefault(target.run.kind, []).append(target.run.run_id)

    def _foreign(self, receipt: Receipt, target: Native) -> str:
        """Return who changed a target since we paused it."""
        who, at = "", None
        if target.switch is not None:
            last = ScheduleAudit(self.namespace).last_switch(target.switch.schedule_id)
            who, at = ((last.actor or "", last.occurred_at)) if last else ("", None)
        elif target.limit is not None:
            who, at = target.limit.set_by, target.limit.set_at
        elif target.run is not None:
            who = target.run.paused_by
        when = f" at {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
        return (
            f"{who or 'somebody'} changed {receipt.name} in Temporal{when}, since we paused it; "
            "it stays as it is: look at it there"
        )

    def _foretell(self, receipt: Receipt, switch: Switch) -> None:
        """Say what a schedule starts at the resume: nothing of what it missed."""
        missed = self._missed[receipt.target_id]
        many = f"{missed} or more" if missed >= MOST_TICKS else str(missed)
        said = [f"{many} starts fell into the pause and are not made up"]
        if switch.next_start_at is not None:
            said.append(f"the next is due at {to_text(switch.next_start_at)}")
        if missed:
            said.append(f"to make them up: temporal schedule backfill -s {switch.schedule_id}")
        is_wanted = missed and self.catch_up in (CatchUp.LATEST, CatchUp.ALL)
        cannot = f"Temporal makes up none of {many} starts by itself" if is_wanted else ""
        words = "; ".join(said)
        self._forecast.append(Firing(receipt.target_id, receipt.name, 0, words, cannot=cannot))


def _is_ours(receipt: Receipt, target: Native | None) -> bool:
    """Tell whether a target is as our receipt left it."""
    return target is not None and settings_of(target) == dict(receipt.after)


def settings_of(target: Native) -> dict[str, Any]:
    """Return what shows that others were at a target since."""
    part = target.switch or target.limit or target.run
    return dict(part.settings) if part is not None else {}


def unresumed(plan: Plan, found: Found) -> Mapping[str, str]:
    """Return which targets of a resume are still paused, in words."""
    said: dict[str, str] = {}
    for target_id in {call.target_id for call in plan.calls}:
        target = found.targets.get(target_id)
        if target is None:
            continue
        is_paused = (
            (target.switch is not None and target.switch.is_paused)
            or (target.limit is not None and target.limit.is_shut)
            or (target.run is not None and target.run.word == "PAUSED")
        )
        if is_paused:
            said[target_id] = f"{target.name} is still paused in Temporal"
    return said


def _scope_of(target_id: str) -> EngineScope:
    kind, _, key = target_id.partition(":")
    return EngineScope(_KINDS.get(kind, ScopeKind.TRIGGER), key)

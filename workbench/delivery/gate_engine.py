"""The gate seen as an engine, for a drill of it: the probes are processes that ask, and the hold itself is the switch.

Nothing is called here: who asks is stopped because the store's events were published. What is read back is what the
probe processes noted themselves, never what we published.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workbench.clock import Clock, from_text
from workbench.delivery.gate_probe import STEP_COUNT
from workbench.drills import GATE
from workbench.engines.rows import (
    ApprovalRow,
    AuditRow,
    EngineTarget,
    Health,
    RunRow,
    StateRow,
    StepRow,
)
from workbench.engines.switching import (
    CallOutcome,
    Capability,
    CatchUp,
    Effect,
    EngineScope,
    Evidence,
    NativeCall,
    Note,
    OnPause,
    OnResume,
    Plan,
    ProbeWork,
    Reading,
    Receipt,
    ScopeKind,
    Verification,
    WorkClass,
)
from workbench.errors import EngineError
from workbench.gate import Gate, GateState
from workbench.records import Mode, RunStatus

_STEP_SECONDS = 4.0
_STOP_SECONDS = 5.0
_START_SECONDS = 20.0
_LOOK_SECONDS = 0.02
_BEGUN = (WorkClass.RUNNING, WorkClass.WAITING, WorkClass.RETRYING)
"""Work that a pause finds begun; the other classes are starts, which a pause may come before."""
_NO_QUEUE = "what asks the gate has no queue of its own: work waits in front of it or is refused"
_NO_EVENT = "a start by an event asks as one by hand does"
_DECLARED: tuple[tuple[WorkClass, OnPause, OnResume], ...] = (
    (WorkClass.RUNNING, OnPause.FINISHES_STEP_THEN_WAITS, OnResume.CONTINUES),
    (WorkClass.WAITING, OnPause.WAITS, OnResume.CONTINUES),
    (WorkClass.RETRYING, OnPause.WAITS, OnResume.CONTINUES),
    (WorkClass.SCHEDULED, OnPause.DROPPED, OnResume.LOST),
    (WorkClass.NEW_MANUAL, OnPause.DROPPED, OnResume.LOST),
)
"""What becomes of work that asks at its steps and waits there; a start that is refused is not made up for."""


@dataclass
class _Probe:
    work_class: WorkClass
    run_id: str
    journal: Path
    child: subprocess.Popen[bytes]
    begun_at: datetime

    def acts(self) -> list[dict[str, Any]]:
        """Return what the process noted so far; a line that is being written is left for the next look."""
        try:
            lines = self.journal.read_text(encoding="utf-8").splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_until_begun(self) -> None:
        """Wait until the process has noted anything, or is gone: on a busy machine it takes seconds to come up.

        A pause that comes before would meet a start, and what is drilled is work that had begun.
        """
        until = time.monotonic() + _START_SECONDS
        while not self.acts() and self.child.poll() is None and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def has_ended(self) -> bool:
        """Say whether the run noted its end."""
        return any(act["act"] == "ended" for act in self.acts())


class GateEngine:
    """Processes that ask one gate folder, started for a drill; both halves of the contract and the probes."""

    engine = GATE

    def __init__(self, folder: Path, *, clock: Clock, step_seconds: float = _STEP_SECONDS) -> None:
        """Start nothing yet; `step_seconds` is how long a probe's step lasts, three of them a probe's wait.

        A watch shorter than `least_watch_seconds` would end before what waits has asked.
        """
        self._folder, self._clock, self._step_seconds = folder, clock, step_seconds
        self._gate = Gate(folder)
        self.least_watch_seconds = (STEP_COUNT + 1) * step_seconds
        self._probes: list[_Probe] = []
        self._journals = Path(tempfile.mkdtemp(prefix="workbench-gate-drill-"))

    def probe(self) -> Health:
        """Say that the gate folder can be read; raises EngineError where a gate cannot tell."""
        view = self._gate.current_view()
        if isinstance(view, str):
            raise EngineError(f"the gate of {self._folder} cannot tell: {view}")
        return Health(GATE, version("workbench"))

    def targets(self) -> Sequence[EngineTarget]:
        """Return the one name that probes ask as."""
        return [EngineTarget(f"drill-{GATE}", (f"drill-{GATE}",))]

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        """Return the probe runs."""
        return self.runs_by_id([one.run_id for one in self._probes], until)

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        """Return those of the probe runs that were asked for, as their processes noted them."""
        wanted = set(run_ids)
        return [_row(one, until) for one in self._probes if one.run_id in wanted]

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        """Return nothing: a process keeps no history of states."""
        return []

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        """Return the steps that the processes ended."""
        wanted = set(run_ids)
        return [row for one in self._probes if one.run_id in wanted for row in _steps(one)]

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        """Return nothing: what happened stands in our own log."""
        return []

    def approvals(self) -> Sequence[ApprovalRow]:
        """Return nothing: a probe asks nobody."""
        return []

    def capabilities(self) -> Sequence[Capability]:
        """Return what a hold does to automations that ask; `drain` lets go on what had begun."""
        return [Capability(ScopeKind.WORKFLOW, mode, tuple(_effects(mode))) for mode in Mode]

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        """Return what a gate answers now, and which of the probe processes wait at it."""
        now = self._clock.now()
        return [self._reading(scope.key, now) for scope in scopes]

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        """Return a plan without a call: the published hold is what stops."""
        members = {scope.key: (scope.key,) for scope in scopes}
        before = tuple(self.state(scopes))
        return Plan(GATE, version("workbench"), tuple(scopes), mode, before, (), members=members)

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        """Refuse: there is no call that would stop what asks the gate."""
        raise EngineError("nothing is called to stop what asks the gate")

    def verify(self, plan: Plan) -> Verification:
        """Read back what the gate says now, and what the running process noted of it: it must wait, but for a drain."""
        readings = tuple(self.state(plan.scopes))
        unmet = {}
        for reading in readings:
            if not reading.is_paused:
                unmet[reading.target_id] = "a gate does not say PAUSED yet"
            elif reading.running_ids and plan.mode is not Mode.DRAIN:
                unmet[reading.target_id] = "the running process has not come to its next step yet"
        return Verification(readings, unmet)

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        """Return a plan without a call: the published release is what lets go."""
        return Plan(GATE, version("workbench"), (), None, (), ())

    def start(self, work_class: WorkClass) -> ProbeWork:
        """Start a process of a class, asking as `drill-gate`."""
        why = {WorkClass.QUEUED: _NO_QUEUE, WorkClass.NEW_EVENT: _NO_EVENT}.get(work_class)
        if why:
            return ProbeWork(work_class, cannot=why)
        run_id = f"probe-{work_class}-{uuid.uuid4().hex[:8]}"
        journal = self._journals / f"{run_id}.jsonl"
        name = f"drill-{GATE}"
        seconds = self._step_seconds * (1 if work_class is WorkClass.RUNNING else STEP_COUNT)
        child = subprocess.Popen(
            [sys.executable, "-m", "workbench.delivery.gate_probe", str(self._folder), str(journal),
             name, run_id, str(work_class), str(seconds), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        probe = _Probe(work_class, run_id, journal, child, self._clock.now())
        self._probes.append(probe)
        if work_class in _BEGUN:
            probe.wait_until_begun()
        return ProbeWork(work_class, run_id, name, f"process {child.pid}", scope_key=name)

    def clean_up(self) -> Sequence[str]:
        """End the processes and remove what they noted; returns what would not end."""
        left = []
        for one in self._probes:
            if one.child.poll() is None:
                one.child.terminate()
            try:
                one.child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                one.child.kill()
                left.append(f"process {one.child.pid} of {one.run_id} had to be killed")
        shutil.rmtree(self._journals, ignore_errors=True)
        return left

    def close(self) -> None:
        """End what a drill that broke off left behind."""
        with contextlib.suppress(OSError):
            self.clean_up()

    def _reading(self, key: str, now: datetime) -> Reading:
        # A run is over when it has noted its end: its process may take a while longer to go.
        alive = [
            one
            for one in self._probes
            if one.work_class is WorkClass.RUNNING
            and one.child.poll() is None
            and not one.has_ended()
        ]
        held = [one.run_id for one in alive if _is_held(one.acts())]
        return Reading(
            key,
            key,
            self._gate.check(key).state is GateState.PAUSED,
            now,
            running_ids=tuple(one.run_id for one in alive if one.run_id not in held),
            frozen_ids=tuple(held),
        )


def _effects(mode: Mode) -> Iterator[Effect]:
    for work_class, on_pause, on_resume in _DECLARED:
        if mode is Mode.DRAIN and work_class in _BEGUN:
            on_pause, on_resume = OnPause.CONTINUES, OnResume.NONE
        yield Effect(work_class, on_pause, on_resume, Evidence.DOCUMENTED, version("workbench"))


def _is_held(acts: Sequence[dict[str, Any]]) -> bool:
    told = [act["act"] for act in acts if act["act"] in ("held", "let go")]
    return bool(told) and told[-1] == "held"


def _row(one: _Probe, until: datetime) -> RunRow:
    acts = [act for act in one.acts() if from_text(act["at"]) <= until]
    names = [act["act"] for act in acts]
    first = {act["act"]: from_text(act["at"]) for act in reversed(acts)}
    return RunRow(
        run_id=one.run_id,
        automation_id=f"drill-{GATE}",
        status=_status(one, names),
        raw_status=names[-1] if names else "no act yet",
        first_seen_at=one.begun_at,
        updated_at=from_text(acts[-1]["at"]) if acts else one.begun_at,
        engine=GATE,
        started_at=first.get("started"),
        finished_at=first.get("ended"),
        attempt_count=2 if "attempt" in names else 1,
    )


def _status(one: _Probe, names: Sequence[str]) -> RunStatus:
    if "ended" in names:
        return RunStatus.SUCCEEDED
    if "refused" in names:
        return RunStatus.SKIPPED
    if one.child.poll() not in (None, 0):
        return RunStatus.CRASHED
    return RunStatus.RUNNING if "started" in names else RunStatus.SCHEDULED


def _steps(one: _Probe) -> Iterator[StepRow]:
    for act in one.acts():
        if act["act"] == "step ended":
            yield StepRow(
                run_id=one.run_id,
                step_id=f"step-{act['step']}",
                attempt=1,
                automation_id=f"drill-{GATE}",
                status=RunStatus.SUCCEEDED,
                raw_status="ended",
                finished_at=from_text(act["at"]),
            )

"""An engine in memory that has every class of work and every trick that real engines were seen to play.

It obeys the contract like an adapter; `Tricks` makes it lie, forget, refuse or fall silent, call by call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import Clock
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
    CallResult,
    Capability,
    CatchUp,
    Effect,
    EngineScope,
    Evidence,
    Firing,
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
from workbench.records import Mode

VERSION = "1.0"
STEPS = 3


@dataclass
class Job:
    """One workflow of the engine; `is_paused` is its switch."""

    name: str
    is_paused: bool = False
    changed_at: datetime | None = None
    changed_by: str = ""
    missed_count: int = 0
    """Ticks that fell into a pause; all of them start at a resume unless they are skipped."""


@dataclass
class Work:
    """One run."""

    run_id: str
    job: str
    status: str
    began_at: datetime | None = None
    ended_at: datetime | None = None
    done_steps: int = 0
    is_suspended: bool = False


@dataclass
class Tricks:
    """What the engine does to the next calls: each is asked before a call takes effect.

    `before` may raise EngineError (never sent) or return a result that is told without any effect; `after` may turn
    what took effect into another answer (a lost reply). `reads` may raise or change a reading.
    """

    before: Callable[[NativeCall], CallResult | None] = lambda _: None
    after: Callable[[NativeCall], CallResult] = lambda _: CallResult.DONE
    reads: Callable[[Reading], Reading] = lambda reading: reading


@dataclass
class FakeEngine:
    """The engine and its adapter in one."""

    clock: Clock
    jobs: dict[str, Job] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    tricks: Tricks = field(default_factory=Tricks)
    engine: str = "fake"
    calls: list[tuple[str, str]] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    has_bulk: bool = False
    """Everything is paused by one call that names no job, as Airflow does it."""
    keeps_frozen_running: bool = True
    """A frozen run goes on being called running, as Airflow does."""
    cannot: dict[Mode, str] = field(default_factory=dict)
    """Modes that the engine does not have, and why."""
    cannot_catch_up: dict[CatchUp, str] = field(default_factory=dict)
    opened_count: int = 0
    closed_count: int = 0
    plan_count: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    # What the engine itself does.

    def add(self, *names: str, is_paused: bool = False) -> None:
        """Give the engine workflows."""
        for name in names:
            self.jobs[name] = Job(name, is_paused)

    def tick(self) -> list[str]:
        """Let time pass: each unpaused workflow starts its scheduled run, runs do a step; returns what began."""
        began = []
        for job in self.jobs.values():
            if job.is_paused:
                job.missed_count += 1
            else:
                began.append(self.begin(job.name))
        for one in self.work.values():
            if one.status == "queued" and not self.jobs[one.job].is_paused:
                one.status, one.began_at = "running", self.clock.now()
                began.append(one.run_id)
        self.step()
        return began

    def step(self) -> None:
        """Let every running run do its next step, unless it is suspended."""
        for one in self.work.values():
            if one.status == "running" and not one.is_suspended:
                one.done_steps += 1
                if one.done_steps >= STEPS:
                    one.status, one.ended_at = "succeeded", self.clock.now()

    def begin(self, job: str, status: str = "running") -> str:
        """Make a run of a workflow, whatever its switch says: by hand, as people do."""
        with self._lock:
            self._count += 1
            run_id = f"{job}-{self._count}"
            now = self.clock.now()
            self.work[run_id] = Work(run_id, job, status, now if status == "running" else None)
            return run_id

    def flip(self, job: str, is_paused: bool, who: str) -> None:
        """Set a switch as somebody else than we does."""
        one = self.jobs[job]
        one.is_paused, one.changed_at, one.changed_by = is_paused, self.clock.now(), who

    # The adapter's own.

    def close(self) -> None:
        self.closed_count += 1

    # Reading.

    def probe(self) -> Health:
        return Health(self.engine, VERSION)

    def targets(self) -> Sequence[EngineTarget]:
        return [
            EngineTarget(f"job:{j.name}", (j.name,), (), j.is_paused) for j in self.jobs.values()
        ]

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        return [self._row(one, until) for one in self.work.values()]

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        return [self._row(self.work[r], until) for r in run_ids if r in self.work]

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        return []

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        return [
            StepRow(r, f"step-{n}", 1, self.work[r].job, "succeeded", "done")
            for r in run_ids
            if r in self.work
            for n in range(self.work[r].done_steps)
        ]

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        return []

    def approvals(self) -> Sequence[ApprovalRow]:
        return []

    def _row(self, one: Work, now: datetime) -> RunRow:
        return RunRow(
            one.run_id,
            one.job,
            one.status,
            one.status,
            one.began_at or now,
            now,
            started_at=one.began_at,
        )

    # Switching.

    def capabilities(self) -> Sequence[Capability]:
        found = []
        for kind in (ScopeKind.ENGINE, ScopeKind.WORKFLOW):
            found += [
                Capability(kind, mode, () if mode in self.cannot else effects_of(mode), why)
                for mode in Mode
                for why in [self.cannot.get(mode, "")]
            ]
        return [
            *found,
            *(Capability(ScopeKind.TRIGGER, m, cannot="it has no schedules") for m in Mode),
        ]

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        return [self.tricks.reads(self._reading(job)) for job in self._jobs(scopes)]

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        self.plan_count += 1
        if why := self.cannot.get(mode):
            said = {scope.key: why for scope in scopes}
            return Plan(self.engine, VERSION, tuple(scopes), mode, (), (), cannot=said)
        jobs = self._jobs(scopes)
        calls = [
            NativeCall(
                f"{j.name}.pause",
                f"job:{j.name}",
                "PATCH",
                f"/jobs/{j.name}",
                {"paused": True},
                "pauses it",
            )
            for j in jobs
            if not j.is_paused
        ]
        if self.has_bulk and calls and any(s.kind is ScopeKind.ENGINE for s in scopes):
            covers = tuple(call.target_id for call in calls)
            said = f"pauses all jobs, {len(covers)} of them not paused yet"
            body = {"paused": True}
            calls = [
                NativeCall(
                    "engine.*.pause", "engine:*", "PATCH", "/jobs/*", body, said, covers=covers
                )
            ]
        if mode is not Mode.DRAIN:
            verb = "suspend" if mode is Mode.FREEZE else "cancel"
            calls += [
                NativeCall(
                    f"{one.run_id}.{verb}",
                    f"job:{one.job}",
                    "POST",
                    f"/runs/{one.run_id}/{verb}",
                    None,
                    f"{verb}s a run",
                    stage=2,
                    is_lossy=mode is Mode.HALT,
                    run_id=one.run_id,
                )
                for one in self._open(jobs)
                if not (mode is Mode.FREEZE and one.is_suspended)
            ]
        names = {j.name for j in jobs}
        cannot = {
            s.key: f"the engine has no workflow {s.key}"
            for s in scopes
            if s.kind is ScopeKind.WORKFLOW and s.key not in names
        }
        members = {s.key: tuple(f"job:{j.name}" for j in self._jobs([s])) for s in scopes}
        before = tuple(self.state(scopes))
        return Plan(
            self.engine,
            VERSION,
            tuple(scopes),
            mode,
            before,
            tuple(calls),
            effects_of(mode),
            cannot=cannot,
            members=members,
        )

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        now = self.clock.now()

        def ended(result: CallResult, words: str, can_retry: bool = False) -> CallOutcome:
            return CallOutcome(call.call_id, result, words, now, self.clock.now(), can_retry)

        with self._lock:
            self.calls.append((call.method, call.path))
        try:
            told = self.tricks.before(call)
        except EngineError as exc:
            return ended(CallResult.REFUSED, exc.message, can_retry=True)
        if told is not None:
            return ended(told, "made up", can_retry=told is CallResult.UNKNOWN)
        self._take_effect(call, note)
        result = self.tricks.after(call)
        return ended(result, "200", can_retry=result is CallResult.UNKNOWN)

    def verify(self, plan: Plan) -> Verification:
        readings = self.state(plan.scopes)
        if plan.mode is None:
            wanted = {c.target_id for c in plan.calls if c.stage == 1}
            unmet = {
                r.target_id: "is still paused"
                for r in readings
                if r.target_id in wanted and r.is_paused
            }
            resumed = {c.run_id: c.target_id for c in plan.calls if c.run_id}
            for run_id, target in resumed.items():
                if run_id in self.work and self.work[run_id].is_suspended:
                    unmet[target] = f"run {run_id} is still suspended"
            return Verification(tuple(readings), unmet)
        unmet = {r.target_id: "is not paused" for r in readings if not r.is_paused}
        if plan.mode is not Mode.DRAIN:
            late = {
                r.target_id: f"{len(r.running_ids)} runs still work"
                for r in readings
                if r.running_ids
            }
            unmet = {**late, **unmet}
        return Verification(tuple(readings), unmet)

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        calls, cannot, forecast = [], {}, []
        scopes = [
            EngineScope(ScopeKind.WORKFLOW, r.target_id.removeprefix("job:")) for r in receipts
        ]
        before = {r.target_id: r for r in self.state(scopes)}
        for receipt in receipts:
            name = receipt.target_id.removeprefix("job:")
            reading = before.get(receipt.target_id)
            if reading is None:
                cannot[receipt.target_id] = "the engine does not have it any more"
                continue
            calls += [
                NativeCall(
                    f"{r}.resume",
                    receipt.target_id,
                    "POST",
                    f"/runs/{r}/resume",
                    None,
                    "lets a run go on",
                    stage=2,
                    run_id=r,
                )
                for r in receipt.altered_run_ids
                if r in self.work and self.work[r].is_suspended
            ]
            if dict(reading.settings) != dict(receipt.after):
                cannot[receipt.target_id] = f"{reading.changed_by or 'somebody'} changed it since"
                continue
            missed = {CatchUp.SKIP: 0, CatchUp.LATEST: min(1, self.jobs[name].missed_count)}.get(
                catch_up, self.jobs[name].missed_count
            )
            suspended = [
                r for r in receipt.altered_run_ids if r in self.work and self.work[r].is_suspended
            ]
            count = missed + len(reading.waiting_ids) + len(suspended)
            forecast.append(
                Firing(
                    receipt.target_id,
                    name,
                    count,
                    f"{count} runs start",
                    reading.waiting_ids,
                    self.cannot_catch_up.get(catch_up, ""),
                )
            )
            calls.append(
                NativeCall(
                    f"{name}.resume",
                    receipt.target_id,
                    "PATCH",
                    f"/jobs/{name}",
                    {"paused": False, "catch_up": missed},
                    "resumes it",
                )
            )
        return Plan(
            self.engine,
            VERSION,
            tuple(scopes),
            None,
            tuple(before.values()),
            tuple(calls),
            cannot=cannot,
            forecast=tuple(forecast),
        )

    # A drill's work.

    def start(self, work_class: WorkClass) -> ProbeWork:
        if work_class in (
            WorkClass.RETRYING,
            WorkClass.WAITING,
            WorkClass.NEW_EVENT,
            WorkClass.SCHEDULED,
        ):
            return ProbeWork(work_class, cannot="the engine has none of it")
        if "probe" not in self.jobs:
            self.add("probe")
        status = "running" if work_class is WorkClass.RUNNING else "queued"
        run_id = self.begin("probe", status)
        self.probes.append(run_id)
        return ProbeWork(work_class, run_id, "job:probe", f"run {run_id}", scope_key="probe")

    def clean_up(self) -> Sequence[str]:
        for run_id in self.probes:
            self.work.pop(run_id, None)
        self.jobs.pop("probe", None)
        self.probes.clear()
        return []

    # Inside.

    def _jobs(self, scopes: Sequence[EngineScope]) -> list[Job]:
        if any(s.kind is ScopeKind.ENGINE for s in scopes):
            return list(self.jobs.values())
        return [
            self.jobs[s.key] for s in scopes if s.kind is ScopeKind.WORKFLOW and s.key in self.jobs
        ]

    def _open(self, jobs: Sequence[Job]) -> list[Work]:
        names = {j.name for j in jobs}
        return [w for w in self.work.values() if w.job in names and w.status == "running"]

    def _reading(self, job: Job) -> Reading:
        own = [w for w in self.work.values() if w.job == job.name]
        return Reading(
            f"job:{job.name}",
            job.name,
            job.is_paused,
            self.clock.now(),
            running_ids=tuple(
                w.run_id for w in own if w.status == "running" and not w.is_suspended
            ),
            frozen_ids=tuple(w.run_id for w in own if w.status == "running" and w.is_suspended),
            waiting_ids=tuple(w.run_id for w in own if w.status == "queued"),
            next_start_at=self.clock.now() + timedelta(minutes=1),
            changed_at=job.changed_at,
            changed_by=job.changed_by,
            settings=settings_of(job),
        )

    def _take_effect(self, call: NativeCall, note: Note) -> None:
        body: dict[str, Any] = dict(call.body or {})
        if call.path == "/jobs/*":
            for name in [job.name for job in self.jobs.values() if not job.is_paused]:
                self.flip(name, True, note.actor)
            return
        if call.path.startswith("/jobs/"):
            job = self.jobs[call.path.removeprefix("/jobs/")]
            job.is_paused, job.changed_at, job.changed_by = (
                body["paused"],
                self.clock.now(),
                note.actor,
            )
            if not job.is_paused:
                for _ in range(body["catch_up"]):
                    self.begin(job.name)
                job.missed_count = 0
            return
        _, _, run_id, verb = call.path.split("/")
        one = self.work[run_id]
        if verb == "cancel":
            one.status, one.ended_at = "cancelled", self.clock.now()
        else:
            one.is_suspended = verb == "suspend"


def settings_of(job: Job) -> dict[str, Any]:
    """Return what a resume would have to bring back."""
    return {"paused": job.is_paused}


def effects_of(mode: Mode) -> tuple[Effect, ...]:
    """Return what a mode does to each class of work of this engine."""
    running = {
        Mode.DRAIN: (OnPause.CONTINUES, OnResume.NONE),
        Mode.FREEZE: (OnPause.FINISHES_STEP_THEN_WAITS, OnResume.CONTINUES),
        Mode.HALT: (OnPause.CANCELLED, OnResume.LOST),
    }[mode]
    found = {
        WorkClass.RUNNING: running,
        WorkClass.QUEUED: (OnPause.WAITS, OnResume.CONTINUES),
        WorkClass.SCHEDULED: (OnPause.WAITS, OnResume.CATCH_UP_ALL),
        WorkClass.RETRYING: (OnPause.UNKNOWN, OnResume.UNKNOWN),
        WorkClass.WAITING: (OnPause.UNKNOWN, OnResume.UNKNOWN),
        WorkClass.NEW_MANUAL: (OnPause.WAITS, OnResume.CONTINUES),
        WorkClass.NEW_EVENT: (OnPause.UNKNOWN, OnResume.UNKNOWN),
    }
    assumed = (OnPause.UNKNOWN, OnResume.UNKNOWN)
    return tuple(
        Effect(k, p, r, Evidence.ASSUMED if (p, r) == assumed else Evidence.DOCUMENTED, VERSION)
        for k, (p, r) in found.items()
    )


def with_flipped(reading: Reading, is_paused: bool) -> Reading:
    """Return a reading that lies about the switch."""
    return replace(reading, is_paused=is_paused)

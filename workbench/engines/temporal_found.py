"""What a scope stands for in a Temporal namespace now: schedules and runs in flight, each asked about by its id.

Temporal pauses schedules and single runs, so these are the targets, beside the task queues. A workflow type is
none: it stands for the schedules that start it and its runs. Lists lag behind by moments, so they only say what to
ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.clock import Clock
from workbench.engines.switching import EngineScope, ScopeKind
from workbench.engines.temporal_answers import ALL, Answers, RunsOf, is_askable
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_schedules import Limit, Switch, limit_of
from workbench.engines.temporal_words import (
    attribute,
    instant_of,
    quoted,
    run_id_of,
    type_of,
    word_of,
)

_WORKING = ("STARTED", "CANCEL_REQUESTED", "PAUSE_REQUESTED")


@dataclass(frozen=True)
class OpenRun:
    """One run in flight.

    Attributes:
        begins_at: when it begins, where that lies ahead; no code of it has run then.
        has_begun: a worker took it up; before, no code of it has run.
        is_working: an attempt or a turn of its code is under way, which a pause lets finish.
        version: grows with whatever happens to the run.
    """

    run_id: str
    kind: str
    queue: str
    schedule_id: str
    word: str
    begins_at: datetime | None = None
    has_begun: bool = True
    is_working: bool = False
    paused_by: str = ""
    paused_at: str = ""
    is_cancel_requested: bool = False
    version: str = ""

    @property
    def is_askable(self) -> bool:
        """Whether the server's HTTP interface can name it."""
        return is_askable(self.run_id)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What shows that others paused it or let it go on since."""
        return {"status": self.word, "paused_by": self.paused_by, "paused_at": self.paused_at}


@dataclass(frozen=True)
class Native:
    """One target: a schedule, a run in flight, a task queue, or (nothing of these) a type that no schedule starts."""

    target_id: str
    name: str
    switch: Switch | None = None
    run: OpenRun | None = None
    limit: Limit | None = None


@dataclass(frozen=True)
class Found:
    """What scopes stand for.

    Attributes:
        members: scope key -> ids of its targets.
        missing: scope key -> why nothing stands for it.
        unasked_count: runs that were taken from the list, because there are too many.
    """

    targets: Mapping[str, Native]
    members: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, str]
    unasked_count: int = 0

    def is_still(self, run: OpenRun) -> bool:
        """Tell whether a pause keeps a run from its next step and the step before is over.

        Temporal itself does not say when the last step under a pause has ended.
        """
        limits = (one.limit for one in self.targets.values() if one.limit is not None)
        is_limited = any(one.queue == run.queue and one.is_shut for one in limits)
        return not run.is_working and (run.word == "PAUSED" or is_limited)


@dataclass
class Finding:
    """One look at a namespace for some scopes."""

    namespace: Namespace
    clock: Clock
    _answers: Answers = field(init=False)
    _targets: dict[str, Native] = field(default_factory=dict)
    _members: dict[str, list[str]] = field(default_factory=dict)
    _missing: dict[str, str] = field(default_factory=dict)
    _unasked_count: int = 0

    def __post_init__(self) -> None:
        """Begin without an answer."""
        self._answers = Answers(self.namespace, self.clock)

    def find(self, scopes: Sequence[EngineScope]) -> Found:
        """Return the targets of these scopes as they are now."""
        self._answers.fetch(
            [one for scope in scopes for one in self._known_ids(scope)],
            [one for scope in scopes if (one := self._known_runs(scope)) is not None],
        )
        for scope in scopes:
            self._members.setdefault(scope.key, [])
            self._look(scope)
        members = {key: tuple(dict.fromkeys(ids)) for key, ids in self._members.items()}
        return Found(self._targets, members, self._missing, self._unasked_count)

    def run(self, run_id: str) -> OpenRun | None:
        """Return one run in flight as it is now, or None where it is over or gone."""
        return self._asked(run_id)

    def _known_ids(self, scope: EngineScope) -> list[str]:
        """Return the schedules that a scope needs, as far as the list of schedules says so."""
        if scope.kind in (ScopeKind.ENGINE, ScopeKind.CATEGORY):
            return self._ids()
        if scope.kind is ScopeKind.RUN:
            return []
        if scope.kind is ScopeKind.WORKFLOW and (ids := self._ids(scope.key)):
            return ids
        return [one for one in (scope.key, self._named(scope.key)) if one in self._ids()]

    def _known_runs(self, scope: EngineScope) -> RunsOf | None:
        """Return the list of runs that a scope needs, as far as the list of schedules says so."""
        if scope.kind is ScopeKind.ENGINE:
            return ALL
        if scope.kind is ScopeKind.WORKFLOW and self._ids(scope.key):
            return RunsOf(kind=scope.key)
        if scope.kind is ScopeKind.TRIGGER and scope.key in self._ids():
            return RunsOf(schedule_id=scope.key)
        return None

    def _look(self, scope: EngineScope) -> None:
        key = scope.key
        if scope.kind is ScopeKind.ENGINE:
            self._add_schedules(scope, self._ids())
            self._add_runs(scope, ALL)
        elif scope.kind is ScopeKind.CATEGORY:
            self._look_at_queue(scope)
        elif scope.kind is ScopeKind.RUN:
            self._look_at_run(scope)
        elif scope.kind is ScopeKind.WORKFLOW and self._is_type(key):
            self._add_schedules(scope, self._ids(key))
            if not self._ids(key):
                self._add(scope, Native(f"workflow:{key}", key))
            self._add_runs(scope, RunsOf(kind=key))
        else:
            schedule_id = key if scope.kind is ScopeKind.TRIGGER else self._named(key)
            if not self._add_schedules(scope, [schedule_id]):
                what = (
                    "schedule" if scope.kind is ScopeKind.TRIGGER else "workflow type or schedule"
                )
                self._missing[key] = (
                    f"Temporal at {self.namespace.place} has no {what} {key} "
                    f"in the namespace {self.namespace.name}; look for its name there"
                )
                return
            self._add_runs(scope, RunsOf(schedule_id=schedule_id))

    def _look_at_queue(self, scope: EngineScope) -> None:
        here = [
            one for one in map(self._answers.switch, self._ids()) if one and one.queue == scope.key
        ]
        self._add_schedules(scope, [one.schedule_id for one in here])
        limit = limit_of(self.namespace, scope.key)
        query = f"TaskQueue = {quoted(scope.key)}"
        is_known = here or limit.is_polled or any(self.namespace.executions(query, limit=1))
        if not is_known:
            self._missing[scope.key] = (
                f"Temporal at {self.namespace.place} has no worker, schedule or run on a task queue "
                f"{scope.key} in the namespace {self.namespace.name}; look for its name there"
            )
            return
        self._add(scope, Native(f"task_queue:{scope.key}", scope.key, limit=limit))
        self._add_runs(scope, RunsOf(queue=scope.key))

    def _look_at_run(self, scope: EngineScope) -> None:
        run = self._asked(scope.key)
        if run is None:
            self._missing[scope.key] = (
                f"Temporal at {self.namespace.place} has no run {scope.key} in flight"
            )
            return
        self._add(scope, Native(f"run:{run.run_id}", f"{run.kind} {run.run_id}", run=run))

    def _is_type(self, key: str) -> bool:
        if self._ids(key):
            return True
        if self._named(key) != key or key in self._ids():
            return False
        return any(self.namespace.executions(f"WorkflowType = {quoted(key)}", limit=1))

    def _ids(self, kind: str | None = None) -> list[str]:
        """Return the ids of every schedule, or of those that start a workflow type."""
        return [
            str(row.get("scheduleId"))
            for row in self._answers.schedules()
            if kind in (None, ((row.get("info") or {}).get("workflowType") or {}).get("name"))
        ]

    def _named(self, key: str) -> str:
        """Return the id of the schedule that is meant by `type/schedule`, or the key itself."""
        kind, _, schedule_id = key.partition("/")
        return schedule_id if schedule_id in self._ids(kind) else key

    def _add_schedules(self, scope: EngineScope, ids: Sequence[str]) -> bool:
        found = [one for one in map(self._answers.switch, ids) if one is not None]
        for one in found:
            name = f"{one.kind}/{one.schedule_id}"
            self._add(scope, Native(f"schedule:{one.schedule_id}", name, switch=one))
        return bool(found)

    def _add(self, scope: EngineScope, target: Native) -> None:
        self._targets.setdefault(target.target_id, target)
        self._members[scope.key].append(target.target_id)

    def _add_runs(self, scope: EngineScope, of: RunsOf) -> None:
        """Add each run in flight, those that only their schedule knows of yet included."""
        found = map(self._as_it_is, self._answers.open_runs(of))
        runs = {run.run_id: run for run in found if run}
        switches = [self._targets[one].switch for one in self._members[scope.key]]
        for switch in filter(None, switches):
            for run_id in switch.running_ids:
                if run_id not in runs and (run := self._asked(run_id)) is not None:
                    runs[run_id] = run
        for run in runs.values():
            self._add(scope, Native(f"run:{run.run_id}", f"{run.kind} {run.run_id}", run=run))

    def _as_it_is(self, row: Mapping[str, Any]) -> OpenRun | None:
        listed = self._from_list(row)
        if not listed.is_askable or not self._answers.is_asked(listed.run_id):
            self._unasked_count += 1
            return listed
        return self._asked(listed.run_id)

    def _asked(self, run_id: str) -> OpenRun | None:
        """Return a run as it is now, or None where it is over or gone."""
        found = self._answers.run(run_id)
        row = (found or {}).get("workflowExecutionInfo") or {}
        if found is None or not row or row.get("closeTime"):
            return None
        more = found.get("workflowExtendedInfo") or {}
        paused = more.get("pauseInfo") or {}
        turn = (found.get("pendingWorkflowTask") or {}).get("state")
        states = [one.get("state") for one in found.get("pendingActivities") or ()]
        is_in_turn = word_of(turn, "PENDING_WORKFLOW_TASK_STATE_") == "STARTED"
        return replace(
            self._from_list(row),
            # Begun and put on its queue: a run of two events has been taken up by nobody.
            has_begun=is_in_turn or int(row.get("historyLength") or 3) > 2,
            is_working=is_in_turn
            or any(word_of(state, "PENDING_ACTIVITY_STATE_") in _WORKING for state in states),
            paused_by=str(paused.get("identity") or ""),
            paused_at=str(paused.get("pausedTime") or ""),
            is_cancel_requested=bool(more.get("cancelRequested")),
            version=str(row.get("historyLength") or ""),
        )

    def _from_list(self, row: Mapping[str, Any]) -> OpenRun:
        begins_at = instant_of(row.get("executionTime"))
        return OpenRun(
            run_id=run_id_of(row.get("execution")),
            kind=type_of(row),
            queue=str(row.get("taskQueue") or ""),
            schedule_id=str(attribute(row, "TemporalScheduledById") or ""),
            word=word_of(row.get("status")),
            begins_at=begins_at if begins_at and begins_at > self.clock.now() else None,
        )

"""Reads run history from one Temporal namespace: lists lag behind and are read with overlap, histories are exact.

Each run costs one question for its history, and one more while it is in flight. An id is `workflow id/run id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import Clock, to_text
from workbench.engines.interface import Binding
from workbench.engines.rows import (
    ApprovalRow,
    AuditRow,
    Bound,
    EngineTarget,
    Health,
    RunRow,
    StateRow,
    StepRow,
)
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_audit import ScheduleAudit
from workbench.engines.temporal_history import Telling, Told
from workbench.engines.temporal_words import (
    ERROR_STATUSES,
    OPEN_QUERY,
    attribute,
    instant_of,
    labels_of,
    other_run,
    parts_of,
    pending_status,
    quoted,
    run_id_of,
    status_of,
    tags_of,
    trigger_of,
    type_of,
    word_of,
)
from workbench.errors import EngineError

TRIED = "1.32."
MAX_TYPES_RUNS = 2_000
"""Newest runs that are looked through for workflow types which no schedule starts."""
LATE = timedelta(minutes=5)


class TemporalReader:
    """The reading half for one namespace.

    Attributes:
        unbound: workflow types for which the registry has no automation.
    """

    engine = "temporal"

    def __init__(self, namespace: Namespace, binding: Binding, *, clock: Clock) -> None:
        """Read this namespace; `binding` says which automation a workflow type or schedule is."""
        self.unbound: set[str] = set()
        self._namespace, self._binding, self._clock = namespace, binding, clock
        self._told: dict[str, Told] = {}
        self._described: dict[str, dict[str, Any] | None] = {}
        self._bound: dict[str, Bound] = {}

    def probe(self) -> Health:
        """Ask for version and features, and look whether schedules start what they should."""
        version = self._namespace.version()
        findings = []
        if not version.startswith(TRIED):
            findings.append(f"version {version} was never tried; {TRIED}0 was")
        if not self._namespace.can_pause_runs():
            findings.append(
                f"pausing runs is off in {self._namespace.name}, so nothing can be frozen; "
                "the server's setting frontend.WorkflowPauseEnabled turns it on"
            )
        findings += [
            f"the schedule {schedule_id} was due at {to_text(due)} and started nothing"
            for schedule_id, due in self._overdue()
        ]
        return Health(self.engine, version, tuple(findings))

    def targets(self) -> Sequence[EngineTarget]:
        """Return every workflow type that a schedule starts or that ran of late, with its schedules."""
        schedules: dict[str, list[dict[str, Any]]] = {}
        for one in self._namespace.schedules():
            name = ((one.get("info") or {}).get("workflowType") or {}).get("name")
            if name:
                schedules.setdefault(str(name), []).append(one)
        tags: dict[str, set[str]] = {}
        for row in self._namespace.executions("", limit=MAX_TYPES_RUNS):
            tags.setdefault(type_of(row), set()).update(tags_of(row))
        found = []
        for kind in sorted({*schedules, *tags}):
            own = schedules.get(kind, [])
            ids = [str(one["scheduleId"]) for one in own]
            paused = [bool((one.get("info") or {}).get("paused")) for one in own]
            own_tags = {tag for one in own for tag in tags_of(one)} | tags.get(kind, set())
            names = (kind, *(f"{kind}/{one}" for one in ids), *ids)
            is_paused = all(paused) if paused else None
            found.append(
                EngineTarget(f"workflow:{kind}", names, tuple(sorted(own_tags)), is_paused)
            )
        return found

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        """Return every run that began or ended since, or is in flight, each once."""
        self._forget()
        query = ""
        if since is not None:
            after = quoted(to_text(since))
            query = f"StartTime >= {after} OR CloseTime >= {after} OR {OPEN_QUERY}"
        rows = [self._run_row(row, until) for row in self._namespace.executions(query)]
        return sorted(rows, key=lambda row: row.run_id)

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        """Return those of these runs that Temporal still has; it deletes them after its retention time."""
        self._forget(run_ids)
        found = []
        for run_id in run_ids:
            row = self._listed(run_id) if "/" in parts_of(run_id)[0] else self._describe(run_id)
            if row is not None:
                found.append(self._run_row(row, until))
        return found

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        """Return the states that these runs entered."""
        return [state for run_id in run_ids for state in self._tell(run_id).states]

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        """Return the attempts at the activities of these runs, as far as Temporal keeps them."""
        return [
            StepRow(
                run_id=run_id,
                step_id=one.step_id,
                attempt=one.attempt,
                automation_id=self._bound[run_id].automation_id
                if run_id in self._bound
                else "unknown",
                category=self._bound[run_id].category if run_id in self._bound else None,
                status=one.status,
                raw_status=one.raw_status,
                started_at=one.started_at,
                finished_at=one.finished_at,
                error_message=one.error_message,
            )
            for run_id in run_ids
            for one in self._tell(run_id).attempts
        ]

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        """Return who paused, cancelled, ended or signalled runs, and who switched schedules, where that is recorded."""
        query = ""
        if since is not None:
            query = f"CloseTime >= {quoted(to_text(since))} OR {OPEN_QUERY}"
        rows = [
            act
            for row in self._namespace.executions(query)
            for act in self._acts(run_id_of(row.get("execution")))
        ]
        rows += ScheduleAudit(self._namespace).rows(since)
        wanted = {
            row.event_id: row
            for row in rows
            if (since is None or row.occurred_at >= since) and row.occurred_at <= until
        }
        return sorted(wanted.values(), key=lambda row: (row.occurred_at, row.event_id))

    def approvals(self) -> Sequence[ApprovalRow]:
        """Return nothing: that a run waits for a signal does not say whether a person is asked."""
        return []

    def _overdue(self) -> Iterator[tuple[str, datetime]]:
        """Give each schedule that is not paused and whose next start is long past."""
        latest = self._clock.now() - LATE
        for one in self._namespace.schedules():
            info = one.get("info") or {}
            due = instant_of(next(iter(info.get("futureActionTimes") or ()), None))
            if due is not None and due < latest and not info.get("paused"):
                yield str(one.get("scheduleId")), due

    def _forget(self, run_ids: Sequence[str] | None = None) -> None:
        """Ask anew for runs that are read again."""
        for held in (self._told, self._described):
            for run_id in list(held) if run_ids is None else run_ids:
                held.pop(run_id, None)

    def _describe(self, run_id: str) -> dict[str, Any] | None:
        """Return a run's row out of its description, and keep what that says of steps."""
        found = self._described[run_id] = self._namespace.run(run_id)
        if found is None:
            return None
        row = found.get("workflowExecutionInfo")
        if not isinstance(row, dict):
            raise EngineError(f"{self._namespace.place} does not answer like a Temporal server")
        return row

    def _listed(self, run_id: str) -> dict[str, Any] | None:
        query = f"RunId = {quoted(parts_of(run_id)[1])}"
        return next(iter(self._namespace.executions(query)), None)

    def _tell(self, run_id: str) -> Told:
        if run_id not in self._told:
            if run_id not in self._described:
                self._described[run_id] = self._namespace.run(run_id)
            telling = Telling(run_id).take(self._namespace.events(run_id))
            self._told[run_id] = telling.told(self._described[run_id])
        return self._told[run_id]

    def _acts(self, run_id: str) -> Sequence[AuditRow]:
        if run_id in self._told:
            return self._told[run_id].acts
        return Telling(run_id).take(self._namespace.events(run_id)).told().acts

    def _run_row(self, row: Mapping[str, Any], until: datetime) -> RunRow:
        run_id = run_id_of(row.get("execution"))
        if run_id not in self._described:
            # The list lags, and says nothing of activities: a run in flight is asked about by its id.
            self._described[run_id] = None
            row = row if row.get("closeTime") else self._describe(run_id) or row
        bound = self._bound_of(run_id, row)
        told = self._tell(run_id)
        word = word_of(row.get("status"))
        status = status_of(word)
        if status == "running":
            status = self._open_status(told, row, until, run_id=run_id)
        return RunRow(
            run_id=run_id,
            automation_id=bound.automation_id,
            environment=bound.environment,
            kind=bound.kind,
            category=bound.category,
            provider=bound.provider,
            engine=self.engine,
            trigger=trigger_of(row),
            status=status,
            raw_status=word,
            run_mode="live",
            started_at=told.begun_at,
            attempt_count=told.attempt,
            parent_run_id=other_run(row.get("parentExecution"), run_id),
            root_run_id=other_run(row.get("rootExecution"), run_id),
            triggered_by=told.started_by,
            error_message=told.error if status in ERROR_STATUSES else None,
            labels=labels_of(row),
            **self._moments(row, told),
        )

    def _moments(self, row: Mapping[str, Any], told: Told) -> dict[str, Any]:
        """Return when a run was seen, due, queued, over and changed; a schedule's tick may lie before the run."""
        made = self._required_instant(row, "startTime")
        finished = instant_of(row.get("closeTime"))
        due = instant_of(attribute(row, "TemporalScheduledStartTime"))
        delayed = instant_of(row.get("executionTime"))
        return {
            "first_seen_at": min(made, due or made),
            "scheduled_at": due or (delayed if delayed and delayed > made else None),
            "queued_at": made,
            "finished_at": finished,
            "updated_at": max(filter(None, (finished, told.last_at, made))),
        }

    def _open_status(
        self, told: Told, row: Mapping[str, Any], until: datetime, *, run_id: str
    ) -> str:
        """Return how far a run has come that Temporal calls running."""
        pending = (self._described.get(run_id) or {}).get("pendingActivities") or []
        due = instant_of(row.get("executionTime"))
        if not told.states:
            return "running"  # its history cannot be asked for
        if told.begun_at is None:
            return "scheduled" if due and due > until else "queued"
        found = {
            pending_status(
                word_of(one.get("state"), "PENDING_ACTIVITY_STATE_"), int(one.get("attempt") or 1)
            )
            for one in pending
        }
        for status in ("running", "retrying"):
            if status in found:
                return status
        return "running" if found else told.states[-1].status

    def _bound_of(self, run_id: str, row: Mapping[str, Any]) -> Bound:
        kind, schedule = type_of(row), attribute(row, "TemporalScheduledById")
        names = [kind] if not schedule else [f"{kind}/{schedule}", str(schedule), kind]
        bound = self._binding.find(names, tags_of(row))
        if not bound.is_known:
            self.unbound.add(kind)
        self._bound[run_id] = bound
        return bound

    def _required_instant(self, row: Mapping[str, Any], name: str) -> datetime:
        found = instant_of(row.get(name))
        if found is None:
            raise EngineError(
                f"{self._namespace.place} gives a run without {name}; nothing was loaded"
            )
        return found

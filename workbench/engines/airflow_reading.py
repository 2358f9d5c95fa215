"""Reads runs, attempts, states, approvals and health of Airflow 3; its package is not needed.

Airflow answers "changed since" for runs itself. Nothing here is asked by a POST that Airflow would write into its
own audit log. A run's states are those that its instants tell: Airflow keeps no other history of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from workbench.clock import Clock, to_text
from workbench.engines.airflow_audit import read_audit
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_health import read_health
from workbench.engines.airflow_words import (
    NOT_SET,
    STEPS_AT_WORK,
    approval_key,
    instant_of,
    newest,
    parts_of,
    run_key,
    run_path,
    run_status,
    step_status,
    trigger_of,
)
from workbench.engines.http import BadStatus
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
from workbench.errors import EngineError

Row = Mapping[str, Any]

WINDOW_RUNS = 100
WINDOW_GAP = timedelta(hours=6)
"""Attempts are read by windows of time over so many runs; a gap between two runs begins a new window."""


class AirflowReader:
    """The reading half for one Airflow.

    Attributes:
        unbound: dags for which the registry has no automation.
    """

    engine = "airflow"

    def __init__(self, client: AirflowClient, binding: Binding, *, clock: Clock) -> None:
        """Read through this client; `binding` says which automation a dag is."""
        self.unbound: set[str] = set()
        self._client, self._binding, self._clock = client, binding, clock
        self._dags: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, Row] = {}

    def probe(self) -> Health:
        """Ask for version and health, and whether what is due was started."""
        return read_health(self._client, self._clock.now())

    def targets(self) -> Sequence[EngineTarget]:
        """Return every dag with its tags; the name on screens counts as a name too."""
        self._learn_dags()
        return [
            EngineTarget(
                f"dag:{dag_id}",
                tuple(dict.fromkeys((dag_id, str(dag.get("dag_display_name") or dag_id)))),
                tags_of(dag),
                bool(dag.get("is_paused")),
            )
            for dag_id, dag in sorted(self._dags.items())
        ]

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        """Return every run that Airflow changed since, each once."""
        changed = {} if since is None else {"updated_at_gte": to_text(since)}
        found = self._client.pages(f"{API}/dags/~/dagRuns", key="dag_runs", query=changed)
        return self._run_rows(found, until)

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        """Return those of these runs that Airflow still has; one call per run."""
        return self._run_rows(self._asked_for(run_ids), until)

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        """Return when each run was queued, began and ended."""
        return [state for run in self._known(list(run_ids)) for state in _states_of(run)]

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        """Return every attempt at every task of these runs; one of a mapped task is `task[index]`."""
        wanted = {run_key(run["dag_id"], run["dag_run_id"]): run for run in self._known(run_ids)}
        rows: list[StepRow] = []
        for begin, end in _windows(wanted.values()):
            asked = {"run_after_gte": to_text(begin), "run_after_lte": to_text(end)}
            path = f"{API}/dags/~/dagRuns/~/taskInstances"
            for one in self._client.pages(path, key="task_instances", query=asked):
                if run_key(one.get("dag_id"), one.get("dag_run_id")) in wanted:
                    rows += self._attempts(one)
        unique = {(row.run_id, row.step_id, row.attempt): row for row in rows}
        return [unique[key] for key in sorted(unique)]

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        """Return what people and the engine did, bulk pauses told for each dag; no task's state changes."""
        self._learn_dags()
        bound = {dag_id: self._bound(dag_id) for dag_id in self._dags}
        return read_audit(self._client, self._dags, bound=bound, since=since, until=until)

    def approvals(self) -> Sequence[ApprovalRow]:
        """Return what tasks asked people, answered or not."""
        self._learn_dags()
        path = f"{API}/dags/~/dagRuns/~/hitlDetails"
        found = self._client.listed(path, key="hitl_details", query={"order_by": "created_at"})
        return [self._approval(row) for row in found]

    def _run_rows(self, found: Iterable[Row], until: datetime) -> list[RunRow]:
        self._learn_dags()
        rows = {run_key(row.get("dag_id"), row.get("dag_run_id")): row for row in found}
        self._runs.update(rows)
        frozen = self._frozen_among(rows)
        return [self._run_row(rows[key], until, key in frozen) for key in sorted(rows)]

    def _frozen_among(self, rows: Mapping[str, Row]) -> set[str]:
        """Return the runs that Airflow calls running although a pause keeps them from their next task."""
        held = {
            key
            for key, row in rows.items()
            if row.get("state") == "running" and self._dags.get(row["dag_id"], {}).get("is_paused")
        }
        return held - working_runs(self._client) if held else set()

    def _run_row(self, row: Row, until: datetime, is_frozen: bool) -> RunRow:
        bound = self._bound(str(row["dag_id"]))
        if not bound.is_known:
            self.unbound.add(str(row["dag_id"]))
        queued, started, finished = (
            instant_of(row.get(name)) for name in ("queued_at", "start_date", "end_date")
        )
        due = instant_of(row.get("run_after"))
        decided = instant_of(row.get("last_scheduling_decision"))
        first = queued or due or started
        if first is None:
            raise EngineError(f"{self._client.place} gives a run without run_after")
        return RunRow(
            run_id=run_key(row["dag_id"], row["dag_run_id"]),
            automation_id=bound.automation_id,
            environment=bound.environment,
            kind=bound.kind,
            category=bound.category,
            provider=bound.provider,
            engine=self.engine,
            trigger=trigger_of(row),
            status=run_status(row, until, is_frozen=is_frozen),
            raw_status=str(row.get("state")),
            run_mode="live",
            first_seen_at=first,
            scheduled_at=due,
            queued_at=queued,
            started_at=started,
            finished_at=max(started, finished) if started and finished else finished,
            updated_at=newest(queued, started, finished, decided) or first,
            triggered_by=row.get("triggering_user_name"),
            version=_version_of(row),
            labels=_labels_of(row),
        )

    def _attempts(self, one: Row) -> Iterator[StepRow]:
        """Give the attempt that counts now, and those before it where there were some."""
        if int(one.get("try_number") or 0) > 1:
            run = run_path(run_key(one["dag_id"], one["dag_run_id"]))
            path = f"{run}/taskInstances/{quote(one['task_id'], safe='')}"
            index = one.get("map_index", -1)
            tries = self._client.get(f"{path}/tries" if index < 0 else f"{path}/{index}/tries")
            for earlier in tries.get("task_instances") or ():
                if earlier.get("try_number") != one.get("try_number"):
                    yield self._step_row(earlier)
        yield self._step_row(one)

    def _step_row(self, one: Row) -> StepRow:
        bound = self._bound(str(one["dag_id"]))
        started, finished = instant_of(one.get("start_date")), instant_of(one.get("end_date"))
        index = one.get("map_index", -1)
        return StepRow(
            run_id=run_key(one["dag_id"], one["dag_run_id"]),
            step_id=str(one["task_id"]) if index < 0 else f"{one['task_id']}[{index}]",
            attempt=max(1, int(one.get("try_number") or 1)),
            automation_id=bound.automation_id,
            category=bound.category,
            status=step_status(one.get("state")),
            raw_status=str(one.get("state") or NOT_SET),
            started_at=started,
            finished_at=max(started, finished) if started and finished else finished,
        )

    def _approval(self, row: Row) -> ApprovalRow:
        step = row.get("task_instance") or {}
        run_id = run_key(step.get("dag_id"), step.get("dag_run_id"))
        asked = instant_of(row.get("created_at"))
        if asked is None:
            raise EngineError(f"{self._client.place} gives an approval without created_at")
        answer = ", ".join(map(str, row.get("chosen_options") or ()))
        return ApprovalRow(
            approval_id=approval_key(run_id, step.get("task_id"), index=step.get("map_index", -1)),
            run_id=run_id,
            automation_id=self._bound(str(step.get("dag_id"))).automation_id,
            action=str(row.get("subject")),
            requested_at=asked,
            requested_by=str(step.get("task_id")),
            decided_at=instant_of(row.get("responded_at")),
            decided_by=(row.get("responded_by_user") or {}).get("name"),
            decision=answer or None,
        )

    def _asked_for(self, run_ids: Sequence[str]) -> Iterator[Row]:
        for run_id in run_ids:
            try:
                yield self._client.get(run_path(run_id))
            except BadStatus as exc:
                if exc.status != 404:
                    raise

    def _known(self, run_ids: Sequence[str]) -> list[Row]:
        unread = [run_id for run_id in run_ids if run_id not in self._runs]
        for row in self._asked_for(unread):
            self._runs[run_key(row["dag_id"], row["dag_run_id"])] = row
        return [self._runs[run_id] for run_id in run_ids if run_id in self._runs]

    def _bound(self, dag_id: str) -> Bound:
        dag = self._dags.get(dag_id, {})
        shown = str(dag.get("dag_display_name") or dag_id)
        return self._binding.find(list(dict.fromkeys((shown, dag_id))), tags_of(dag))

    def _learn_dags(self) -> None:
        self._dags = read_dags(self._client)


def read_dags(client: AirflowClient) -> dict[str, dict[str, Any]]:
    """Return every dag by its id, also those whose file is gone: it may come back with its switch as it was."""
    rows = client.listed(
        f"{API}/dags", key="dags", query={"exclude_stale": "false", "order_by": "dag_id"}
    )
    return {str(row["dag_id"]): row for row in rows}


def working_runs(client: AirflowClient) -> set[str]:
    """Return the runs of which a worker has a task, or will get one whatever becomes of the dag."""
    path = f"{API}/dags/~/dagRuns/~/taskInstances"
    found = client.pages(path, key="task_instances", query={"state": STEPS_AT_WORK})
    return {run_key(one["dag_id"], one["dag_run_id"]) for one in found}


def tags_of(dag: Row) -> tuple[str, ...]:
    """Return the names of a dag's tags."""
    return tuple(sorted(str(tag.get("name")) for tag in dag.get("tags") or ()))


def _states_of(run: Row) -> Iterator[StateRow]:
    run_id = run_key(*parts_of(run_key(run["dag_id"], run["dag_run_id"])))
    raw = str(run.get("state"))
    queued, started, ended = (
        instant_of(run.get(name)) for name in ("queued_at", "start_date", "end_date")
    )
    if queued is not None:
        yield StateRow(run_id, queued, "queued", "queued")
    if started is not None:
        yield StateRow(run_id, started, "running", "running")
    if ended is not None and raw in ("success", "failed"):
        note = str(run.get("note") or "") or None
        yield StateRow(run_id, ended, run_status(run, ended), raw, message=note)


def _version_of(row: Row) -> str | None:
    versions = [one.get("version_number") for one in row.get("dag_versions") or ()]
    return row.get("bundle_version") or (str(versions[-1]) if versions else None)


def _labels_of(row: Row) -> dict[str, str]:
    said = {"run_type": row.get("run_type"), "note": row.get("note")}
    return {name: str(text) for name, text in said.items() if text}


def _windows(runs: Iterable[Row]) -> Iterator[tuple[datetime, datetime]]:
    """Give stretches of time that hold the due instants of all these runs."""
    due = sorted(at for run in runs if (at := instant_of(run.get("run_after"))) is not None)
    window: list[datetime] = []
    for at in due:
        if window and (len(window) >= WINDOW_RUNS or at - window[-1] > WINDOW_GAP):
            yield window[0], window[-1]
            window = []
        window.append(at)
    if window:
        yield window[0], window[-1]

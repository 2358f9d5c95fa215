"""What Airflow's words mean in ours: states of runs and of task attempts, triggers, ids and instants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from workbench.clock import from_text
from workbench.errors import EngineError

RUNS_AT_WORK = ("running", "queued")
"""States of runs that have not ended."""

STEPS_AT_WORK = ("running", "queued", "restarting")
"""States of task attempts that a worker has, or gets whatever becomes of the dag."""

NOT_SET = "no_status"
"""Stands for the state `null` of an attempt that nobody has decided about yet."""

_RUNS = {"queued": "queued", "running": "running", "success": "succeeded", "failed": "failed"}
_STEPS = {
    NOT_SET: "scheduled",
    "scheduled": "queued",
    "queued": "starting",
    "running": "running",
    "restarting": "running",
    "success": "succeeded",
    "failed": "failed",
    "upstream_failed": "skipped",
    "skipped": "skipped",
    "removed": "skipped",
    "up_for_retry": "retrying",
    "up_for_reschedule": "waiting",
    "deferred": "waiting",
    "awaiting_input": "waiting",
}
_TRIGGERS = {
    "scheduled": "schedule",
    "manual": "manual",
    "backfill": "backfill",
    "operator_triggered": "parent",
    "asset_triggered": "event",
    "asset_materialization": "manual",
}
_OUR_NOTE = re.compile(r"^[A-Z]-\d+ by \S")
"""How the note begins that we leave on a run which a halt cancels."""


def run_status(row: Mapping[str, Any], now: datetime, *, is_frozen: bool = False) -> str:
    """Return our word for a run's state; one that is not known becomes `unknown`.

    Airflow knows no cancelled runs: one that our halt set to failed carries our note. It calls a run `running`
    for ever that a pause keeps from its next task: that one is `held`.
    """
    status = _RUNS.get(str(row.get("state")), "unknown")
    if status == "running" and is_frozen:
        return "held"
    if status == "failed" and _OUR_NOTE.match(str(row.get("note") or "")):
        return "cancelled"
    due = instant_of(row.get("run_after"))
    return "scheduled" if status == "queued" and due is not None and due > now else status


def step_status(state: Any) -> str:
    """Return our word for the state of one attempt at a task; one that is not known becomes `unknown`."""
    return _STEPS.get(NOT_SET if state is None else str(state), "unknown")


def trigger_of(row: Mapping[str, Any]) -> str:
    """Return what started a run; a type of run that is not known keeps Airflow's word."""
    return _TRIGGERS.get(str(row.get("run_type")), str(row.get("run_type")))


def run_key(dag_id: Any, dag_run_id: Any) -> str:
    """Return a run's id in its source: Airflow's own is unique within the dag alone."""
    return f"{dag_id}/{dag_run_id}"


def approval_key(run_id: str, step_id: Any, *, index: Any) -> str:
    """Return the id of what a task asked people."""
    own = step_id if int(index) < 0 else f"{step_id}[{index}]"
    return f"{run_id}/{own}"


def parts_of(run_id: str) -> tuple[str, str]:
    """Return dag and Airflow's own id of a run; raises EngineError for what is no id of ours."""
    dag_id, slash, dag_run_id = run_id.partition("/")
    if not (dag_id and slash and dag_run_id):
        raise EngineError(f"{run_id!r} is no run of Airflow; write it as DAG/RUN")
    return dag_id, dag_run_id


def run_path(run_id: str) -> str:
    """Return the path of a run; ids hold signs that mean something in an address."""
    dag_id, dag_run_id = parts_of(run_id)
    return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(dag_run_id, safe='')}"


def instant_of(text: Any) -> datetime | None:
    """Return an instant of an answer, or None; raises EngineError when it is none."""
    if text is None:
        return None
    try:
        return from_text(str(text))
    except ValueError as exc:
        raise EngineError(f"Airflow gives an instant that is none: {str(text)[:60]!r}") from exc


def newest(*instants: datetime | None) -> datetime | None:
    """Return the latest of those that are known."""
    known = [one for one in instants if one is not None]
    return max(known) if known else None

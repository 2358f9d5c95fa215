"""Asks Airflow how it is, and looks for proof that it schedules: a healthy scheduler may still start nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_words import instant_of, newest
from workbench.engines.http import BadStatus
from workbench.engines.rows import Health
from workbench.errors import EngineError

OVERDUE = timedelta(seconds=60)
"""So long after it was due a start has not happened any more just because the machine is slow."""

SKEW = timedelta(seconds=15)
"""Clocks that differ by more make "since" and "after the pause" doubtful."""

_TRIED = "3.3"
_PARTS = {
    "metadatabase": "its database does not answer",
    "scheduler": "nothing starts, so that nothing started proves no pause",
    "dag_processor": "new and changed dags are not seen, and stay out of any pause",
}


def read_health(client: AirflowClient, now: datetime) -> Health:
    """Return version and findings; raises EngineError where no Airflow answers."""
    told = client.get(f"{API}/version")
    version = told.get("version") if isinstance(told, dict) else None
    health = client.get(f"{API}/monitor/health")
    if not isinstance(version, str) or not isinstance(health, dict):
        raise EngineError(f"{client.place} does not answer like Airflow 3")
    findings = [
        *_of_version(version),
        *_of_parts(health),
        *_of_clock(health, now),
        *_overdue(client, now),
        *_broken_files(client),
    ]
    return Health("airflow", version, tuple(findings))


def _of_version(version: str) -> Iterator[str]:
    if not version.startswith(f"{_TRIED}."):
        yield f"Airflow {version} was never tried; {_TRIED} was"


def _of_parts(health: Mapping[str, Any]) -> Iterator[str]:
    for part, means in _PARTS.items():
        said = (health.get(part) or {}).get("status")
        if said != "healthy":
            yield f"Airflow's {part.replace('_', ' ')} is {said or 'not there'}: {means}"
    if (health.get("triggerer") or {}).get("status") == "unhealthy":
        yield "Airflow's triggerer is unhealthy: deferred tasks wait for ever"


def _of_clock(health: Mapping[str, Any], now: datetime) -> Iterator[str]:
    beats = [
        instant_of((health.get(part) or {}).get(f"latest_{part}_heartbeat"))
        for part in ("scheduler", "dag_processor")
    ]
    latest = newest(*beats)
    if latest is not None and latest - now > SKEW:
        ahead = (latest - now).total_seconds()
        yield f"Airflow's clock is {ahead:.0f} s ahead of ours: starts near a pause may be told wrong"


def _overdue(client: AirflowClient, now: datetime) -> Iterator[str]:
    """Name dags that should have started and did not, unless they run as often as they may already."""
    rows = client.listed(f"{API}/dags", key="dags", query={"paused": "false", "order_by": "dag_id"})
    late = []
    for dag in rows:
        due = instant_of(dag.get("next_dagrun_run_after"))
        if due is None or now - due <= OVERDUE or dag.get("has_import_errors"):
            continue
        running = client.get(f"{API}/dags/{dag['dag_id']}/dagRuns", state="running", limit="1")
        if int(running.get("total_entries") or 0) < int(dag.get("max_active_runs") or 1):
            late.append(f"{dag['dag_id']} (due {due:%H:%M:%S})")
    if late:
        shown = ", ".join(late[:3]) + (f" and {len(late) - 3} more" if len(late) > 3 else "")
        yield f"Airflow says that it is healthy and has not started what is due: {shown}"


def _broken_files(client: AirflowClient) -> Iterator[str]:
    try:
        found = client.get(f"{API}/importErrors", limit="1")
    except BadStatus as exc:
        if exc.status != 403:
            raise
        return
    if count := int(found.get("total_entries") or 0):
        name = str((found.get("import_errors") or [{}])[0].get("filename", "")).rsplit("/", 1)[-1]
        yield f"{count} of Airflow's dag files cannot be read, {name} among them"

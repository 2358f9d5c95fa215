"""What Prefect's words mean in ours: states, triggers, labels, and which rows are plans or ordinary life."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workbench.clock import from_text
from workbench.errors import EngineError

OPEN_TYPES = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
_BY_NAME = {
    ("SCHEDULED", "Late"): "queued",
    ("SCHEDULED", "AwaitingConcurrencySlot"): "queued",
    ("SCHEDULED", "Resuming"): "queued",
    ("SCHEDULED", "AwaitingRetry"): "retrying",
    ("PENDING", "Submitting"): "starting",
    ("PENDING", "InfrastructurePending"): "starting",
    ("COMPLETED", "Skipped"): "skipped",
    ("COMPLETED", "RolledBack"): "failed",
}
_BY_TYPE = {
    "SCHEDULED": "scheduled",
    "PENDING": "queued",
    "RUNNING": "running",
    "PAUSED": "held",
    "CANCELLING": "running",
    "COMPLETED": "succeeded",
    "FAILED": "failed",
    "CRASHED": "crashed",
    "CANCELLED": "cancelled",
}
ERROR_STATUSES = ("failed", "crashed", "retrying")
_LIFE = ("Scheduled", "Late", "Pending", "Running", "Completed", "Failed", "Crashed", "heartbeat")
"""Events of a run's ordinary life: they are in the run's states, not in the audit."""


def status_of(state_type: str | None, state_name: str | None) -> str:
    """Return our word for a Prefect state; a type that is not known becomes `unknown`."""
    named = _BY_NAME.get((str(state_type), str(state_name)))
    return named or _BY_TYPE.get(str(state_type), "unknown")


def instant_of(text: Any) -> datetime | None:
    """Return an instant of an answer, or None; raises EngineError when it is none."""
    if text is None:
        return None
    try:
        return from_text(str(text))
    except ValueError as exc:
        raise EngineError(f"the engine gives an instant that is none: {str(text)[:60]!r}") from exc


def is_plan(run: Mapping[str, Any], until: datetime) -> bool:
    """Tell whether a run is only planned: Prefect writes 100 ahead per schedule and deletes them on a pause."""
    due = instant_of(run.get("expected_start_time"))
    return (
        bool(run.get("auto_scheduled"))
        and run.get("state_type") == "SCHEDULED"
        and bool(due and due > until)
    )


def trigger_of(run: Mapping[str, Any]) -> str:
    """Return what started a run."""
    if run.get("auto_scheduled"):
        return "schedule"
    return "parent" if run.get("parent_task_run_id") else "manual"


def labels_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Return what Prefect says of a run besides."""
    said = {
        "run_name": run.get("name"),
        "work_pool": run.get("work_pool_name"),
        "work_queue": run.get("work_queue_name"),
        "tags": ",".join(run.get("tags") or ()) or None,
    }
    return {name: str(value) for name, value in said.items() if value}


def is_act(event: Mapping[str, Any]) -> bool:
    """Tell an operator's act from a run's ordinary life, which is in the run's states."""
    raw = str(event.get("event"))
    return not (raw.startswith("prefect.flow-run.") and raw.rsplit(".", 1)[-1] in _LIFE)


def token_of(link: Any) -> str | None:
    """Return the page token of a link, or None at the last page."""
    if not link:
        return None
    return parse_qs(urlsplit(str(link)).query).get("page-token", [None])[0]

"""What Prefect's words mean in ours: states, triggers, labels, and which rows are plans or ordinary life."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
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
    ("SCHEDULED", "Held"): "held",
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
_POLLED = ("prefect.deployment.ready", "prefect.deployment.not-ready")
"""Events that only say whether a worker came by lately."""

OURS = "workbench "
"""How the message of a state begins that we set, so that it can be told from others'."""

HELD = "Held"
"""Name of the state of a run made by hand that a resume left put off."""


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
    """Tell an operator's act from a run's ordinary life, which is in the run's states, and from a worker's."""
    raw = str(event.get("event"))
    if raw.startswith("prefect.worker.") or raw in _POLLED:
        return False
    return not (raw.startswith("prefect.flow-run.") and raw.rsplit(".", 1)[-1] in _LIFE)


def action_of(event: Mapping[str, Any]) -> str:
    """Return an event as `object.verb`; an update of a deployment's switch is called what it does."""
    raw = str(event.get("event"))
    updates = (event.get("payload") or {}).get("updates")
    paused = updates.get("paused") if isinstance(updates, dict) else None
    if raw == "prefect.deployment.updated" and isinstance(paused, dict):
        return "deployment.paused" if paused.get("to") else "deployment.resumed"
    return ".".join(raw.removeprefix("prefect.").replace("-", "_").lower().rsplit(".", 1))


def token_of(link: Any) -> str | None:
    """Return the page token of a link, or None at the last page."""
    if not link:
        return None
    return parse_qs(urlsplit(str(link)).query).get("page-token", [None])[0]


class Phase(StrEnum):
    """How far an open run has come, as far as a pause is concerned."""

    RUNNING = "running"
    HANDED_OVER = "handed_over"  # a worker has it and will start it
    RETRYING = "retrying"  # its process is alive and waits for the next attempt
    SUSPENDED = "suspended"  # its process is gone; a resume starts another
    PAUSED = "paused"  # its process is alive and waits for a person
    DUE = "due"  # would be handed over now
    AHEAD = "ahead"  # made by hand for a later instant, or put off
    PLANNED = "planned"  # written ahead by a schedule
    OVER = "over"  # ended, or cancelled before it did anything


def phase_of(run: Mapping[str, Any], now: datetime) -> Phase:
    """Return how far a run has come."""
    kind, name = run.get("state_type"), run.get("state_name")
    if kind == "SCHEDULED":
        return _waiting_phase(run, now)
    if kind == "PAUSED":
        return Phase.SUSPENDED if name == "Suspended" else Phase.PAUSED
    if kind == "CANCELLING":
        # Cancelled before its first step: its process ends by itself and does nothing.
        return Phase.RUNNING if run.get("run_count") else Phase.OVER
    return {"RUNNING": Phase.RUNNING, "PENDING": Phase.HANDED_OVER}.get(str(kind), Phase.OVER)


def _waiting_phase(run: Mapping[str, Any], now: datetime) -> Phase:
    policy = run.get("empirical_policy") or {}
    if run.get("state_name") == "AwaitingRetry" and policy.get("retry_type") == "in_process":
        return Phase.RETRYING
    due = instant_of(run.get("next_scheduled_start_time"))
    if due is None or due <= now:
        return Phase.DUE
    return Phase.PLANNED if run.get("auto_scheduled") else Phase.AHEAD


def message_of(run: Mapping[str, Any]) -> str:
    """Return the message of a run's present state."""
    return str((run.get("state") or {}).get("message") or "")


def schedule_of(run: Mapping[str, Any]) -> str:
    """Return the id of the schedule that made a run, or an empty text."""
    by = run.get("created_by") or {}
    return str(by.get("id")) if by.get("type") == "SCHEDULE" else ""

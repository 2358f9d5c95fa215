"""Turns what Prefect answers about runs, states and task runs into rows of our tables; pure functions."""

from __future__ import annotations

from typing import Any

from tests.record.catalog import BY_ID
from tests.record.place import from_text, to_text

Row = dict[str, Any]
PREFECT_SOURCE = "prefect-production"
BAD = ("FAILED", "CRASHED", "CANCELLED")
STATUS = {
    "SCHEDULED": "scheduled",
    "PENDING": "starting",
    "RUNNING": "running",
    "COMPLETED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "CANCELLING": "running",
    "CRASHED": "crashed",
    "PAUSED": "held",
}
STATUS_BY_NAME = {
    "Late": "queued",
    "AwaitingRetry": "retrying",
    "Retrying": "running",
    "Submitting": "starting",
}
PREAMBLES = (
    "Flow run encountered an exception: ",
    "Task run encountered an exception ",
    "Flow run encountered an exception ",
)


def status_of(kind: str, name: str) -> str:
    """Return our word for a Prefect state."""
    return STATUS_BY_NAME.get(name) or STATUS.get(kind, "unknown")


def error_of(message: str | None) -> str | None:
    """Return the error text of a Prefect state message without Prefect's own preamble."""
    if not message:
        return None
    for preamble in PREAMBLES:
        if message.startswith(preamble):
            return message.removeprefix(preamble).strip()
    return message


def instant(text: str | None) -> str | None:
    """Return an engine's instant as fixed-width UTC text."""
    return to_text(from_text(text)) if text else None


def run_row(automation_id: str, row: Row, *, states: list[Row], facts: Row) -> Row:
    """Return the row of one run; `facts` are what the automation told of it: cost, context, trigger."""
    spec = BY_ID[automation_id]
    trigger = "schedule" if row["auto_scheduled"] else "manual"
    by_hand = (row["parameters"] or {}).get("triggered_by")
    return {
        "source_id": PREFECT_SOURCE,
        "run_id": row["id"],
        "automation_id": spec.automation_id,
        "environment": "production",
        "kind": spec.kind,
        "category": spec.category,
        "engine": "prefect",
        "trigger": facts.get("trigger") or trigger,
        "status": status_of(row["state_type"], row["state_name"]),
        "raw_status": row["state_name"],
        "run_mode": "live",
        **_run_instants(row, states),
        "attempt_count": row["run_count"],
        "parent_run_id": None,
        "root_run_id": row["id"],
        "triggered_by": facts.get("triggered_by") or by_hand or None,
        "version": facts.get("version") or spec.version,
        "provider": spec.provider or None,
        "tool": spec.tool or None,
        "cost_amount": facts.get("cost_amount"),
        "cost_currency": facts.get("cost_currency"),
        "token_count": facts.get("token_count"),
        "context_as_of": facts.get("context_as_of"),
        "error_signature": None,
        "error_message": _run_error(row, states),
        "labels": _labels(row),
    }


def _run_instants(row: Row, states: list[Row]) -> Row:
    first = min([s["timestamp"] for s in states] + [row["created"]], key=from_text)
    pending = next((s["timestamp"] for s in states if s["type"] == "PENDING"), None)
    return {
        "first_seen_at": instant(first),
        "scheduled_at": instant(row["expected_start_time"]),
        "queued_at": instant(pending),
        "started_at": instant(row["start_time"]),
        "finished_at": instant(row["end_time"]),
        "updated_at": instant(row["updated"]),
        "vanished_at": None,
    }


def _run_error(row: Row, states: list[Row]) -> str | None:
    failed = [s for s in states if s["type"] in BAD or s["name"] == "AwaitingRetry"]
    return error_of(failed[-1]["message"]) if failed and row["state_type"] in BAD else None


def _labels(row: Row) -> Row:
    tag = {"tag": ",".join(row["tags"])} if row["tags"] else {}
    return {"flow_run_name": row["name"], **tag}


def state_rows(run_id: str, states: list[Row]) -> list[Row]:
    """Return a row for each state a run entered."""
    return [
        {
            "source_id": PREFECT_SOURCE,
            "run_id": run_id,
            "entered_at": instant(state["timestamp"]),
            "status": status_of(state["type"], state["name"]),
            "raw_status": state["name"],
            "message": state["message"],
            "actor": None,
        }
        for state in states
    ]


def step_rows(automation_id: str, run_id: str, *, tasks: list[Row]) -> list[Row]:
    """Return a row for each step of a run; a step stopped by the gate is cancelled, not failed."""
    attempts: dict[str, int] = {}
    rows = []
    for task in sorted(tasks, key=lambda task: task["start_time"] or task["created"]):
        step_id = task["name"].rsplit("-", 1)[0]
        attempts[step_id] = attempts.get(step_id, 0) + max(1, int(task["run_count"]))
        message = error_of((task["state"] or {}).get("message"))
        is_held = task["state_type"] == "FAILED" and str(message).startswith("Paused: ")
        status = status_of(task["state_type"], task["state_name"])
        rows.append(
            {
                "source_id": PREFECT_SOURCE,
                "run_id": run_id,
                "step_id": step_id,
                "attempt": attempts[step_id],
                "automation_id": automation_id,
                "category": BY_ID[automation_id].category,
                "status": "cancelled" if is_held else status,
                "raw_status": task["state_name"],
                "started_at": instant(task["start_time"]),
                "finished_at": instant(task["end_time"]),
                "error_signature": None,
                "error_message": message if task["state_type"] in BAD else None,
            }
        )
    return rows

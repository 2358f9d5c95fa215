"""What Temporal's words mean in ours: statuses, ids, instants, failures, and payloads that are not looked into."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.errors import EngineError

_NUMBERS = {
    1: "RUNNING",
    2: "COMPLETED",
    3: "FAILED",
    4: "CANCELED",
    5: "TERMINATED",
    6: "CONTINUED_AS_NEW",
    7: "TIMED_OUT",
    8: "PAUSED",
}
"""A gateway that does not know a status passes its number on, as the Python client does with 8."""

_STATUSES = {
    "RUNNING": "running",
    "COMPLETED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "cancelled",
    "TERMINATED": "cancelled",
    "CONTINUED_AS_NEW": "succeeded",
    "TIMED_OUT": "failed",
    "PAUSED": "held",
}
_PENDING = {
    "STARTED": "running",
    "CANCEL_REQUESTED": "running",
    "PAUSE_REQUESTED": "running",
    "PAUSED": "held",
}
OPEN_QUERY = "CloseTime IS NULL"
"""Finds every run in flight, whatever status later versions may call it."""

PROBE = "workbench-probe"
PROBE_QUEUE = "workbench-probes"
"""Workflow type and task queue of made-up work."""

UNATTENDED = "-unattended"
"""Ending of the task queue from which the worker takes made-up work late, so that it is queued for a while."""

ERROR_STATUSES = ("failed", "crashed")

DEEPEST_CAUSE = 8
"""Causes of a failure that are read; more are cut."""


def word_of(value: Any, prefix: str = "WORKFLOW_EXECUTION_STATUS_") -> str:
    """Return Temporal's word for a status that came as a name, as a bare word or as a number."""
    text = str(value).strip()
    if text.isdigit():
        return _NUMBERS.get(int(text), f"STATUS_{text}")
    bare = text.removeprefix(prefix)
    if bare.isupper() or "_" in bare:
        return bare.upper()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", bare).upper()


def status_of(word: str) -> str:
    """Return our word for a status; one that is not known becomes `unknown`."""
    return _STATUSES.get(word, "unknown")


def pending_status(state: str, attempt: int) -> str:
    """Return our word for an activity that is not over."""
    if state == "SCHEDULED":
        return "retrying" if attempt > 1 else "queued"
    return _PENDING.get(state, "unknown")


def instant_of(text: Any) -> datetime | None:
    """Return an instant of an answer, or None for none and for the year 1, which means none here."""
    if text is None or str(text).startswith("0001-"):
        return None
    try:
        return from_text(str(text))
    except ValueError as exc:
        raise EngineError(f"Temporal gives an instant that is none: {str(text)[:60]!r}") from exc


def run_id_of(execution: Any) -> str:
    """Return our id of a run: `workflow id/run id`, which is what its command line asks for too."""
    found = execution if isinstance(execution, Mapping) else {}
    workflow_id, run_id = found.get("workflowId"), found.get("runId")
    if not workflow_id or not run_id:
        raise EngineError("Temporal gives a run without an id; nothing was loaded")
    return f"{workflow_id}/{run_id}"


def parts_of(run_id: str) -> tuple[str, str]:
    """Return workflow id and run id of one of our ids."""
    workflow_id, _, execution = run_id.rpartition("/")
    return workflow_id, execution


def decoded(payload: Any) -> Any:
    """Return the value of a JSON payload, or None where it is something else or encrypted."""
    try:
        if base64.b64decode(payload["metadata"]["encoding"]) != b"json/plain":
            return None
        return json.loads(base64.b64decode(payload["data"]))
    except (TypeError, KeyError, ValueError, binascii.Error, RecursionError):
        return None


def encoded(value: Any) -> dict[str, Any]:
    """Return a value as a JSON payload."""
    data = base64.b64encode(json.dumps(value).encode()).decode()
    return {"metadata": {"encoding": base64.b64encode(b"json/plain").decode()}, "data": data}


def attribute(row: Mapping[str, Any], name: str) -> Any:
    """Return one search attribute of a run, or None."""
    fields = (row.get("searchAttributes") or {}).get("indexedFields") or {}
    return decoded(fields.get(name))


def failure_text(failure: Any) -> str | None:
    """Return the messages of a failure and of its causes, the outermost first."""
    said: list[str] = []
    while isinstance(failure, Mapping) and len(said) < DEEPEST_CAUSE:
        said.append(str(failure.get("message") or "failed without a message"))
        failure = failure.get("cause")
    return ": ".join(said) or None


def quoted(text: str) -> str:
    """Return a text as a literal of Temporal's query language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def type_of(row: Mapping[str, Any]) -> str:
    """Return the workflow type of a run."""
    return str((row.get("type") or {}).get("name") or "unknown")


def tags_of(row: Mapping[str, Any]) -> list[str]:
    """Return the tag `automation:<id>` of a run or schedule whose memo `automation` names one."""
    named = decoded(((row.get("memo") or {}).get("fields") or {}).get("automation"))
    return [f"automation:{named}"] if isinstance(named, str) and named else []


def trigger_of(row: Mapping[str, Any]) -> str:
    """Return what started a run."""
    if attribute(row, "TemporalScheduledById"):
        return "schedule"
    return "parent" if row.get("parentExecution") else "manual"


def other_run(execution: Any, run_id: str) -> str | None:
    """Return the id of a run that is not this one, or None."""
    if not isinstance(execution, Mapping) or not execution.get("runId"):
        return None
    found = run_id_of(execution)
    return None if found == run_id else found


def labels_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what Temporal says of a run besides."""
    said = {
        "workflow_type": type_of(row),
        "task_queue": row.get("taskQueue"),
        "schedule": attribute(row, "TemporalScheduledById"),
    }
    return {name: str(value) for name, value in said.items() if value}

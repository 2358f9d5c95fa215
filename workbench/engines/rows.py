"""What is read of an engine: health, targets, runs, states, steps, audit events and approvals, under our names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Health:
    """What an engine says of itself.

    Attributes:
        findings: what makes its answers doubtful, one sentence each; empty when nothing does.
    """

    engine: str
    version: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineTarget:
    """Something the engine runs: a flow with its deployments.

    Attributes:
        names: all names under which a registry may bind it: flow, deployment, `flow/deployment`.
        is_paused: the engine says that it starts nothing of it.
    """

    target_id: str
    names: tuple[str, ...]
    tags: tuple[str, ...] = ()
    is_paused: bool | None = None


@dataclass(frozen=True)
class RunRow:
    """One run as the engine tells it; names are those of the table `run`."""

    run_id: str
    automation_id: str
    status: str
    raw_status: str
    first_seen_at: datetime
    updated_at: datetime
    environment: str | None = None
    kind: str | None = None
    category: str | None = None
    provider: str | None = None
    engine: str | None = None
    trigger: str | None = None
    run_mode: str | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt_count: int | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    triggered_by: str | None = None
    version: str | None = None
    error_message: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StateRow:
    """One state that a run entered; names are those of the table `run_state`."""

    run_id: str
    entered_at: datetime
    status: str
    raw_status: str
    message: str | None = None
    actor: str | None = None


@dataclass(frozen=True)
class StepRow:
    """One attempt at a step; names are those of the table `step`."""

    run_id: str
    step_id: str
    attempt: int
    automation_id: str
    status: str
    raw_status: str
    category: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error_message: str | None = None


@dataclass(frozen=True)
class AuditRow:
    """One audited action; names are those of the table `audit_event`."""

    event_id: str
    occurred_at: datetime
    action: str
    raw_action: str
    recorded_at: datetime | None = None
    actor: str | None = None
    target_kind: str | None = None
    target_id: str | None = None
    outcome: str = "unknown"
    reason: str | None = None
    correlation_id: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ApprovalRow:
    """One approval that a run asked of people; names are those of the table `approval`."""

    approval_id: str
    automation_id: str
    requested_at: datetime
    run_id: str | None = None
    action: str | None = None
    risk: str | None = None
    requested_by: str | None = None
    expires_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decision: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Bound:
    """What our registry knows of an automation that an engine runs.

    Attributes:
        is_known: False where no automation of the registry is bound; the engine's name stands in.
    """

    automation_id: str
    kind: str
    category: str | None = None
    environment: str | None = None
    provider: str | None = None
    is_known: bool = True


def as_row(record: Any) -> dict[str, Any]:
    """Return a record as a row for the warehouse, without what is not known."""
    found = {one.name: getattr(record, one.name) for one in fields(record)}
    return {name: value for name, value in found.items() if value is not None and value != {}}

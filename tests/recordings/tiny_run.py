"""A run folder as the recorder leaves it, five minutes long and made in no time: two holds, two batches."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.record.registry_file import write_registry
from workbench.clock import FixedClock, to_text
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store

BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
SCOPE = "kind=agent,provider=acme-llm"
FIRST, SECOND = "01-alert-resolved", "02-relapse"
ERROR = "ProviderFault: HTTP 429 rate limit reached: retry after 20s (request 1a2b3c4d)"
Row = dict[str, Any]


def at(minute: float) -> str:
    """Return the instant of a minute of the story as text."""
    return to_text(BEGIN + timedelta(minutes=minute))


def run_row(run_id: str, minute: float, **other: Any) -> Row:
    """Return a row of a run of invoice-triage, ended after half a minute."""
    return {
        "source_id": "prefect-production",
        "run_id": run_id,
        "automation_id": "invoice-triage",
        "environment": "production",
        "kind": "agent",
        "category": "commerce",
        "engine": "prefect",
        "status": "succeeded",
        "raw_status": "Completed",
        "run_mode": "live",
        "first_seen_at": at(minute),
        "started_at": at(minute),
        "finished_at": at(minute + 0.5),
        "updated_at": at(minute + 0.5),
        "attempt_count": 1,
        "cost_amount": "0.006144",
        "cost_currency": "USD",
        "context_as_of": at(minute),
        "error_signature": None,
        "error_message": None,
        **other,
    }


def in_flight(run_id: str, minute: float) -> Row:
    """Return a row of a run that has not ended."""
    return run_row(
        run_id,
        minute,
        status="running",
        raw_status="Running",
        finished_at=None,
        updated_at=at(minute),
        cost_amount=None,
        cost_currency=None,
    )


def failed(run_id: str, minute: float) -> Row:
    """Return a row of a run that failed at the provider."""
    return run_row(run_id, minute, status="failed", raw_status="Failed", error_message=ERROR)


def record_row(run_id: str, minute: float) -> Row:
    """Return a row of a record that a run changed."""
    return {
        "source_id": "acme-ledger",
        "run_id": run_id,
        "record_type": "invoice",
        "record_id": f"INV-{run_id}",
        "change_seq": 1,
        "automation_id": "invoice-triage",
        "changed_at": at(minute),
        "change": "update",
        "before": {"amount": "10.00"},
        "after": {"amount": "11.70"},
        "reversibility": "reversible",
        "customer_facing": False,
        "verified_at": None,
        "verified_by": None,
    }


def incident_row() -> Row:
    """Return the incident that both holds were placed for; its onset is minute 1."""
    return {
        "source_id": "acme-incidents",
        "incident_id": "I-2",
        "title": "agents fail",
        "severity": "high",
        "started_at": at(1),
        "scope": SCOPE,
    }


def watermark_rows(minute: float) -> list[Row]:
    """Return how far the engine was read at a minute."""
    return [
        {
            "source_id": "prefect-production",
            "table_name": "run",
            "loaded_until_at": at(minute),
            "checked_at": at(minute),
        }
    ]


def batches() -> dict[str, dict[str, list[Row]]]:
    """Return both batches: r3 is in flight in the first and has ended in the second, after the pause."""
    return {
        FIRST: {
            "run": [run_row("r1", 0.2), failed("r2", 1.5), in_flight("r3", 2.4)],
            "affected_record": [record_row("r1", 0.4), record_row("r3", 2.5)],
            "incident": [incident_row()],
            "source_watermark": watermark_rows(3),
        },
        SECOND: {
            "run": [run_row("r3", 2.4), run_row("r4", 3.7)],
            "source_watermark": watermark_rows(5),
        },
    }


def control_at(root: Path, minute: float, *, role: str | None = "ops-lead") -> Control:
    """Open the run's store with the clock at a minute."""
    settings = replace(settings_of(root), demo_clock_at=BEGIN + timedelta(minutes=minute))
    return open_control(settings, role=role)


def settings_of(root: Path) -> Settings:
    """Return the settings of a run folder."""
    return Settings(store=root / "store", gate=root / "gate", home=root / "home")


def make_run(root: Path) -> Path:
    """Write the run folder: its store with two holds, its batches, and the instants taken."""
    root.mkdir()
    clock = FixedClock(BEGIN)
    init_store(settings_of(root), clock, environment="production", actor="ops-lead")
    write_registry(root / "automations.toml")
    control_at(root, 0, role=None).apply_registry(
        read_registry(root / "automations.toml"), already_running="they ran before"
    )
    pause(root, 2.2)
    release = ResumeRequest("H-1", break_glass_reason="the alert is green")
    control_at(root, 3.5).resume_full(release)
    pause(root, 4)
    for name, tables in batches().items():
        folder = root / "batches" / name
        folder.mkdir(parents=True)
        for table, rows in tables.items():
            with gzip.open(folder / f"{table}.jsonl.gz", "wt") as out:
                out.writelines(json.dumps(row) + "\n" for row in rows)
    (root / "instants.json").write_text(json.dumps({FIRST: at(3), SECOND: at(5)}))
    return root


def pause(root: Path, minute: float) -> None:
    """Place a hold on the agents at a minute."""
    request = PauseRequest(SCOPE, "agents fail", incident_id="I-2")
    control_at(root, minute).pause(request, wait_seconds=0)

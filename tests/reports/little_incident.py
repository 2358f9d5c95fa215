"""A small synthetic incident: two agents and a workflow, an onset, a pause that leaks once, a green alert.

Everything is computed from the minute, nothing is random; hostile text stands where run history has text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.reports import hostile
from workbench.clock import FixedClock, to_text
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store
from workbench.warehouse import Warehouse

BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
ONSET_MINUTE, PAUSE_MINUTE, GREEN_MINUTE, END_MINUTE = 80, 100, 112, 118
SCOPE = "kind=agent,provider=acme-llm"
AGENTS = ("invoice-triage", "ticket-reply")
Rows = list[dict[str, Any]]


def at(minute: float) -> datetime:
    """Return the instant of a minute of the story."""
    return BEGIN + timedelta(minutes=minute)


def text_at(minute: float | None) -> str | None:
    """Return that instant as text, or None."""
    return None if minute is None else to_text(at(minute))


REGISTRY = """
[owners.agent-owner]
members = ["agent-owner"]
deputy = "ops-lead"
contact = "#agents"
[owners.ops-lead]
members = ["ops-lead"]
deputy = "agent-owner"
contact = "#ops"
[categories.commerce]
owner = "ops-lead"
restart_owner = "ops-lead"
"""

AUTOMATION = """
[automations.{name}]
kind = "{kind}"
category = "commerce"
environment = "production"
owner = "agent-owner"
restart_owner = "ops-lead"
deputy = "ops-lead"
engine = "prefect"
{provider}
tools = ["invoices"]
expected_interval_seconds = 120
asks_gate = true
alert_match = "{name}"
[automations.{name}.checklist]
trigger = "schedule"
input_data = "invoices"
output = "records"
approval_requirement = "none"
retry_behaviour = "once"
failure_notification = "alert"
kill_switch = "our gate"
"""


def registry_text() -> str:
    """Return the registry of the story."""
    provider = 'provider = "acme-llm"'
    agents = [AUTOMATION.format(name=name, kind="agent", provider=provider) for name in AGENTS]
    return "".join(
        [REGISTRY, *agents, AUTOMATION.format(name="order-sync", kind="workflow", provider="")]
    )


@dataclass(frozen=True)
class Run:
    """One run of the story."""

    number: int
    automation_id: str
    minute: float
    is_failed: bool

    @property
    def run_id(self) -> str:
        """Id as text with leading zeros, which must stay text."""
        return f"{self.number:04d}"


def runs() -> list[Run]:
    """Return the runs: every two minutes until the pause, for the workflow until the end; one leak."""
    found: list[Run] = []
    for name in (*AGENTS, "order-sync"):
        last = END_MINUTE - 2 if name == "order-sync" else PAUSE_MINUTE - 2
        for minute in range(0, last, 2):
            is_bad = name in AGENTS and minute >= ONSET_MINUTE and minute % 4 == 0
            found.append(Run(len(found) + 1, name, minute, is_bad))
    found.append(Run(len(found) + 1, "ticket-reply", PAUSE_MINUTE + 0.4, False))
    return found


def _run_rows(found: list[Run]) -> Rows:
    return [
        {
            "source_id": "engine",
            "run_id": run.run_id,
            "automation_id": run.automation_id,
            "environment": "production",
            "kind": "agent" if run.automation_id in AGENTS else "workflow",
            "category": "commerce",
            "engine": "prefect",
            "trigger": "schedule",
            "status": "failed" if run.is_failed else "succeeded",
            "raw_status": "Failed" if run.is_failed else "Completed",
            "run_mode": "live",
            "first_seen_at": text_at(run.minute),
            "scheduled_at": text_at(run.minute),
            "started_at": text_at(run.minute),
            "finished_at": text_at(run.minute + 0.5),
            "updated_at": text_at(run.minute + 0.5),
            "attempt_count": 1,
            "provider": "acme-llm" if run.automation_id in AGENTS else None,
            "cost_amount": 0.31 if run.is_failed else 0.12,
            "cost_currency": "USD",
            "error_message": _error(run) if run.is_failed else None,
        }
        for run in found
    ]


def _error(run: Run) -> str:
    return f"Timeout after 30 s {hostile.SCRIPT}{hostile.IMAGE}" if run.number % 2 else hostile.ANSI


def _step_rows(found: list[Run]) -> Rows:
    return [
        {
            "source_id": "engine",
            "run_id": run.run_id,
            "step_id": step,
            "attempt": 1,
            "automation_id": run.automation_id,
            "category": "commerce",
            "status": "failed" if run.is_failed and step == "ask" else "succeeded",
            "started_at": text_at(run.minute + offset),
            "finished_at": text_at(run.minute + offset + 0.2),
            "error_message": _error(run) if run.is_failed and step == "ask" else None,
        }
        for run in found
        for step, offset in (("read", 0.0), ("ask", 0.25))
    ]


def _audit_rows(found: list[Run]) -> Rows:
    rows: Rows = []
    for run in found:
        for step, (action, offset) in enumerate(
            (("record.proposed", 0.1), ("record.executed", 0.3))
        ):
            rows.append(
                {
                    "source_id": "audit",
                    "event_id": f"{run.run_id}-{step}",
                    "occurred_at": text_at(run.minute + offset),
                    "recorded_at": text_at(run.minute + offset),
                    "actor": run.automation_id,
                    "action": action,
                    "target_kind": "record",
                    "target_id": f"INV-{run.run_id}",
                    "outcome": "success",
                    "reason": hostile.BIDI if run.is_failed else None,
                    "correlation_id": run.run_id,
                    "payload": {"run_id": run.run_id},
                }
            )
    return rows


def _affected_rows(found: list[Run]) -> Rows:
    return [
        {
            "source_id": "ledger",
            "run_id": run.run_id,
            "record_type": "invoice",
            "record_id": f"INV-{run.run_id}",
            "change_seq": 1,
            "automation_id": run.automation_id,
            "changed_at": text_at(run.minute + 0.3),
            "change": "update",
            "before": {"amount": "10.00", "note": ""},
            "after": {"amount": "100.00", "note": hostile.FORMULA},
            "reversibility": "irreversible" if run.number % 3 == 0 else "reversible",
            "customer_facing": run.number % 3 == 0,
            "verified_at": None,
            "verified_by": None,
        }
        for run in found
        if run.automation_id in AGENTS and run.minute >= ONSET_MINUTE - 10
    ]


def _surroundings() -> dict[str, Rows]:
    return {
        "approval": [
            {"source_id": "approvals", "approval_id": "AP-1", "run_id": "0001", "automation_id": "invoice-triage",
             "action": "refund", "risk": "high", "requested_at": text_at(95), "requested_by": "invoice-triage",
             "expires_at": text_at(200), "reason": hostile.IMAGE},
        ],
        "provider_status": [
            {"source_id": "status", "provider": "acme-llm", "component": "completions", "since_at": text_at(0),
             "until_at": text_at(79), "status": "operational", "title": "fine"},
            {"source_id": "status", "provider": "acme-llm", "component": "completions", "since_at": text_at(79),
             "until_at": None, "status": "degraded", "impact": "major", "incident_ref": "INC-1",
             "title": hostile.STYLE},
        ],
        "alert": [
            {"source_id": "alerts", "alert_id": "A-1", "fired_at": text_at(84), "automation_id": name,
             "rule": "failure rate", "severity": "high", "resolved_at": text_at(GREEN_MINUTE),
             "acknowledged_at": text_at(90), "acknowledged_by": "agent-owner", "summary": hostile.SCRIPT}
            for name in AGENTS[:1]
        ],
        "change": [
            {"source_id": "changes", "change_id": "CH-1", "changed_at": text_at(77), "kind": "config",
             "target": SCOPE, "actor": "agent-owner", "summary": "max_tokens raised from 512 to 2048"},
        ],
        "incident": [
            {"source_id": "incidents", "incident_id": "I-1", "title": hostile.SCRIPT, "severity": "high",
             "started_at": text_at(ONSET_MINUTE), "detected_at": text_at(86), "acknowledged_at": text_at(90),
             "paused_at": text_at(PAUSE_MINUTE), "scope": SCOPE},
        ],
    }  # fmt: skip


def tables() -> dict[str, Rows]:
    """Return the rows of every table of the story, as they stood at its end."""
    found = runs()
    rows = {
        "run": _run_rows(found),
        "step": _step_rows(found),
        "audit_event": _audit_rows(found),
        "affected_record": _affected_rows(found),
        **_surroundings(),
    }
    rows["source_watermark"] = [
        {"source_id": each[0]["source_id"], "table_name": table, "loaded_until_at": text_at(END_MINUTE),
         "checked_at": text_at(END_MINUTE)}
        for table, each in rows.items()
    ]  # fmt: skip
    return rows


def set_up(root: Path) -> tuple[Settings, Control]:
    """Make store and warehouse of the story under a folder; the clock stands at its end."""
    folders = Settings(store=root / "store", gate=root / "gate", home=root / "home")
    settings = Settings(folders.store, folders.gate, folders.home, demo_clock_at=at(END_MINUTE))
    init_store(settings, FixedClock(at(-10)), environment="production", actor="ops-lead")
    registry = root / "automations.toml"
    registry.write_text(registry_text(), encoding="utf-8")
    open_control(settings, FixedClock(at(-5))).apply_registry(
        read_registry(registry), already_running="they ran before the story begins"
    )
    reason = f"agents fail {hostile.SCRIPT}"
    open_control(settings, FixedClock(at(PAUSE_MINUTE))).pause(
        PauseRequest(SCOPE, reason), wait_seconds=0
    )
    load(settings, root / "rows")
    return settings, open_control(settings)


def load(settings: Settings, folder: Path) -> None:
    """Load every table of the story by the ordinary path."""
    folder.mkdir()
    warehouse = Warehouse.open(settings.home)
    for table, rows in tables().items():
        path = folder / f"{table}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        report = warehouse.load_rows(table, path)
        assert report.rejected_count == 0, (table, report)

"""Copies what our own store says about holds, automations and decisions into the warehouse, before a review."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from workbench.clock import to_text
from workbench.records import CHECKLIST, Automation, Decision, Hold
from workbench.store.state import State
from workbench.warehouse import Warehouse

Rows = list[dict[str, Any]]


def store_rows(state: State) -> dict[str, Rows]:
    """Return the rows of each table that our own store feeds: a pure function of the log up to its head."""
    return {
        "automation": [
            _automation_row(record, state) for _, record in sorted(state.automations.items())
        ],
        "hold": [
            _hold_row(hold, state)
            for hold in sorted(state.holds.values(), key=lambda hold: hold.placed_seq)
        ],
        "hold_target": [
            _target_row(hold_id, automation_id, state)
            for hold_id in sorted(state.holds)
            for automation_id in sorted(state.covered[hold_id])
        ],
        "decision": [_decision_row(record, state) for _, record in sorted(state.decisions.items())],
    }


def load_store_rows(warehouse: Warehouse, rows: Mapping[str, Rows]) -> int:
    """Load the rows by the ordinary strict path and return the manifest version that has them all.

    Equal rows make an equal file, which is loaded once: equal logs give equal versions.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-own-store-") as folder:
        files = []
        for table, found in rows.items():
            path = Path(folder) / f"own-store-{table}.jsonl"
            lines = (orjson.dumps(row, option=orjson.OPT_SORT_KEYS) + b"\n" for row in found)
            path.write_bytes(b"".join(lines))
            files.append((table, path))
        warehouse.load_files([file for file in files if file[1].stat().st_size])
    return warehouse.version


def _automation_row(record: Automation, state: State) -> dict[str, Any]:
    answers = {question: record.checklist.get(question) or None for question in CHECKLIST}
    return {
        "source_id": state.store_id,
        "automation_id": record.automation_id,
        "kind": record.kind,
        "category": record.category,
        "environment": record.environment,
        "owner": record.owner or None,
        "restart_owner": record.restart_owner or None,
        "deputy": record.deputy or None,
        "engine": record.engine or None,
        "provider": record.provider or None,
        "tools": list(record.tools),
        "expected_interval_seconds": record.expected_interval_seconds,
        **answers,
    }


def _hold_row(hold: Hold, state: State) -> dict[str, Any]:
    return {
        "source_id": state.store_id,
        "store_id": state.store_id,
        "hold_id": hold.hold_id,
        "scope": hold.scope,
        "purpose": hold.purpose.value,
        "mode": hold.mode.value,
        "reason": hold.reason,
        "incident_id": hold.incident_id or None,
        "placed_at": to_text(hold.placed_at),
        "placed_by": hold.placed_by,
        "placed_seq": hold.placed_seq,
        "review_by": _text(hold.review_by),
        "released_at": _text(hold.released_at),
        "released_by": hold.released_by or None,
    }


def _target_row(hold_id: str, automation_id: str, state: State) -> dict[str, Any]:
    known = state.observed.get((hold_id, automation_id), {})
    return {
        "source_id": state.store_id,
        "hold_id": hold_id,
        "automation_id": automation_id,
        "recorded_at": to_text(state.holds[hold_id].placed_at),
        "delivered_at": known.get("delivered_at"),
        "confirmed_at": known.get("confirmed_at"),
        "quiet_at": known.get("quiet_at"),
        "last_write_at": known.get("last_write_at"),
    }


def _decision_row(record: Decision, state: State) -> dict[str, Any]:
    return {
        "source_id": state.store_id,
        "decision_id": record.decision_id,
        "hold_id": record.hold_id,
        "report_id": record.report_id,
        "verdict": record.verdict.value,
        "decision": record.decision.value,
        "decided_at": to_text(record.decided_at),
        "decided_by": record.decided_by,
        "reason": record.reason,
    }


def _text(instant: datetime | None) -> str | None:
    return to_text(instant) if instant else None

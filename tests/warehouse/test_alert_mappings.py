"""Alerts of Alertmanager, Grafana and PagerDuty: what their documented payloads say becomes our alerts, or is rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.warehouse.conftest import write_lines
from workbench.sources.mapping import load_mapping
from workbench.warehouse import LoadOptions, Warehouse

Ask = Callable[[str], list[dict[str, Any]]]
ALL = LoadOptions(allowed_reject_share=1)
FIRED = datetime(2026, 11, 20, 8, 0, 0, 828000, tzinfo=UTC)
ENDED = datetime(2026, 11, 20, 8, 20, tzinfo=UTC)
NEVER = "0001-01-01T00:00:00Z"
"""What both write as the end of an alert that fires."""


def an_alert(**other: Any) -> dict[str, Any]:
    """Return one member of `alerts`, with the fields that Alertmanager documents for its webhook, version 4."""
    return {
        "status": "firing",
        "labels": {
            "alertname": "ManyFailures",
            "automation": "invoice-triage",
            "severity": "critical",
        },
        "annotations": {"summary": "Invoices fail", "description": "more words"},
        "startsAt": "2026-11-20T08:00:00.828Z",
        "endsAt": NEVER,
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
        "fingerprint": "1a30ba71cca2921f",
        **other,
    }


def a_grafana_alert(**other: Any) -> dict[str, Any]:
    """Return one member of `alerts`, with the fields that Grafana documents beside those."""
    more = {
        "silenceURL": "https://grafana.example/silence", "dashboardURL": "", "panelURL": "", "orgId": 1,
        "imageURL": "", "values": {"B": 44.2, "C": 1}, "valueString": "[ metric='' labels={} value=44.2 ]",
    }  # fmt: skip
    return an_alert(**{"startsAt": "2026-11-20T10:00:00.828+02:00", **more, **other})


def a_webhook(event_type: str, at: str, **other: Any) -> dict[str, Any]:
    """Return a webhook of an incident, with the fields that PagerDuty documents for version 3."""
    incident = {
        "id": "PGR0VU2", "type": "incident", "number": 2, "status": event_type.partition(".")[2],
        "incident_key": "d3640fbd41094207", "created_at": "2026-11-20T08:00:00.828Z", "title": "Invoices fail",
        "service": {"id": "PF9KMXH", "summary": "invoice-triage", "type": "service_reference"},
        "assignees": [], "teams": [], "urgency": "high", "priority": None, "resolve_reason": None,
    }  # fmt: skip
    event = {
        "id": f"e-{at}", "event_type": event_type, "resource_type": "incident", "occurred_at": at,
        "agent": {"id": "PLH1HKV", "type": "user_reference"}, "client": None, "data": {**incident, **other},
    }  # fmt: skip
    return {"event": event}


def load(warehouse: Warehouse, tmp_path: Path, mapping: str, *lines: dict[str, Any] | str) -> Any:
    """Load lines as one new file under a shipped mapping."""
    path = tmp_path / f"{len(list(tmp_path.glob('*.jsonl')))}.jsonl"
    found = load_mapping(mapping)
    return warehouse.load_rows("alert", write_lines(path, lines), mapping=found, options=ALL)


def one_alert(rows_of: Ask) -> dict[str, Any]:
    """Return the one alert that there is, without what our own load adds; nothing is None."""
    (row,) = rows_of("select * from alert")
    return {k: None if pd.isna(v) else v for k, v in row.items() if k != "batch_id"}


PROMETHEUS = {
    "alert_id": "1a30ba71cca2921f", "fired_at": FIRED, "automation_id": "invoice-triage", "rule": "ManyFailures",
    "severity": "critical", "resolved_at": None, "acknowledged_at": None, "acknowledged_by": None,
    "summary": "Invoices fail",
}  # fmt: skip


@pytest.mark.parametrize(
    ("mapping", "source", "alert"),
    [
        ("alertmanager-alerts", "alertmanager", an_alert),
        ("grafana-alerts", "grafana", a_grafana_alert),
    ],
)
def test_an_alert_fires_and_is_resolved(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, mapping: str, source: str, alert: Any
) -> None:
    """The year 1 is no end; its resolution is the same alert with an end, and nothing is left unread."""
    report = load(warehouse, tmp_path, mapping, alert())
    assert (report.accepted_count, report.unknown_keys) == (1, ())
    assert one_alert(rows_of) == {"source_id": source, **PROMETHEUS}
    load(warehouse, tmp_path, mapping, alert(status="resolved", endsAt="2026-11-20T08:20:00Z"))
    assert one_alert(rows_of) == {"source_id": source, **PROMETHEUS, "resolved_at": ENDED}


def test_an_end_that_is_only_expected_is_none(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Alertmanager may write when it would give up a firing alert: that has not ended."""
    load(warehouse, tmp_path, "alertmanager-alerts", an_alert(endsAt="2026-11-20T08:20:00Z"))
    assert one_alert(rows_of)["resolved_at"] is None


def test_an_alert_without_the_label_is_of_no_automation(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """It is kept all the same, with its description where there is no summary."""
    bare = an_alert(labels={"alertname": "Disk"}, annotations={"description": "full"})
    load(warehouse, tmp_path, "alertmanager-alerts", bare)
    found = one_alert(rows_of)
    assert (found["automation_id"], found["severity"], found["summary"]) == (None, None, "full")


@pytest.mark.parametrize(
    ("event_type", "at", "expected"),
    [
        ("incident.triggered", "2026-11-20T08:00:01Z", {}),
        ("incident.acknowledged", "2026-11-20T08:20:00Z", {"acknowledged_at": ENDED, "acknowledged_by": "PLH1HKV"}),
        ("incident.resolved", "2026-11-20T08:20:00Z", {"resolved_at": ENDED}),
    ],
)  # fmt: skip
def test_an_incident_of_pagerduty(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, event_type: str, at: str, expected: Any
) -> None:
    """Triggered, acknowledged and resolved are one alert, at the instant of the incident, not of the webhook."""
    load(
        warehouse,
        tmp_path,
        "pagerduty-events",
        a_webhook("incident.triggered", "2026-11-20T08:00:01Z"),
    )
    load(warehouse, tmp_path, "pagerduty-events", a_webhook(event_type, at))
    known = {
        **PROMETHEUS, "source_id": "pagerduty", "alert_id": "PGR0VU2", "rule": "d3640fbd41094207", "severity": "high",
    }  # fmt: skip
    assert one_alert(rows_of) == {**known, **expected}


@pytest.mark.parametrize(
    ("mapping", "line", "reason"),
    [
        ("alertmanager-alerts", json.dumps({"version": "4", "alerts": [an_alert()]}), "alert_id"),
        ("alertmanager-alerts", an_alert(startsAt="2026-11-20T08:00:00"), "fired_at"),
        ("alertmanager-alerts", an_alert(status="resolved", endsAt="soon"), "resolved_at"),
        ("alertmanager-alerts", json.dumps(an_alert())[:-9], "is not JSON"),
        ("grafana-alerts", a_grafana_alert(fingerprint=""), "alert_id"),
        ("grafana-alerts", a_grafana_alert(startsAt=None), "fired_at"),
        ("pagerduty-events", a_webhook("service.updated", "2026-11-20T08:00:01Z", created_at=None), "fired_at"),
        ("pagerduty-events", {"event": "text"}, "alert_id"),
    ],
)  # fmt: skip
def test_what_is_broken_is_rejected_with_its_reason(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, mapping: str, line: Any, reason: str
) -> None:
    """A payload that was not taken apart, an instant without an offset, a cut line, another event: one reject each."""
    report = load(warehouse, tmp_path, mapping, line)
    assert (report.accepted_count, report.rejected_count, report.line_count) == (0, 1, 1)
    (reject,) = rows_of("select reason from ingest_reject")
    assert reason in reject["reason"]

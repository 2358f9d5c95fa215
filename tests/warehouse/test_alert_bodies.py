"""Webhook bodies of Alertmanager, Grafana and PagerDuty become alerts, one row for each firing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.conftest import write_lines
from workbench.sources.mapping import Mapping, load_mapping
from workbench.warehouse import LoadOptions, LoadReport, Warehouse

Ask = Callable[[str], list[dict[str, Any]]]
ALL = LoadOptions(allowed_reject_share=1)
NOT_YET = "0001-01-01T00:00:00Z"
ROWS = (
    "select alert_id, coalesce(automation_id, '(null)') as automation_id, rule, severity, summary, acknowledged_by, "
    "cast(fired_at at time zone 'UTC' as varchar) as fired, "
    "coalesce(cast(resolved_at at time zone 'UTC' as varchar), '') as resolved, "
    "coalesce(cast(acknowledged_at at time zone 'UTC' as varchar), '') as acknowledged "
    "from alert order by alert_id"
)


def member(fingerprint: str = "f1", *, end: str | None = None, **labels: str) -> dict[str, Any]:
    """Return one alert of a body, still firing unless an end is given."""
    return {
        "status": "resolved" if end else "firing",
        "labels": {"alertname": "TooManyFailures", "severity": "critical", **labels},
        "annotations": {"summary": "one in three failed"},
        "startsAt": "2026-11-20T10:00:00.123456789+01:00",
        "endsAt": end or NOT_YET,
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": fingerprint,
    }


def body(*members: Any, **other: Any) -> dict[str, Any]:
    """Return a webhook body around some alerts."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "workbench",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alerts.example",
        "alerts": list(members),
        **other,
    }


def event(kind: str, occurred_at: str, **other: Any) -> dict[str, Any]:
    """Return an incident event as PagerDuty sends it."""
    return {
        "event": {
            "id": f"e-{kind}",
            "event_type": f"incident.{kind}",
            "resource_type": "incident",
            "occurred_at": occurred_at,
            "agent": {"id": "P1", "type": "user_reference", "summary": "ops-lead"},
            "data": {
                "id": "PT1",
                "type": "incident",
                "incident_key": "k1",
                "created_at": "2026-11-20T09:00:00Z",
                "title": "refunds fail",
                "urgency": "high",
                "service": {"id": "PS1", "summary": "refund-agent"},
                **other,
            },
        }
    }


def load(
    warehouse: Warehouse, path: Path, rows: list[Any], mapping: str | Mapping = "alertmanager"
) -> LoadReport:
    """Load rows as lines of a file through a mapping."""
    found = load_mapping(mapping) if isinstance(mapping, str) else mapping
    file = write_lines(path, rows)
    return warehouse.load_files([("alert", file)], mapping=found, options=ALL)[0]


@pytest.mark.parametrize("name", ["alertmanager", "grafana"])
def test_a_body_gives_a_row_for_each_alert(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, name: str
) -> None:
    """Severity, rule and label are mapped, times are UTC, the year 1 is "still firing", no label is nobody's."""
    ended = member("f2", end="2026-11-20T09:05:00Z")
    report = load(
        warehouse, tmp_path / "a.jsonl", [body(member(automation="refund-agent"), ended)], name
    )
    assert (report.accepted_count, report.line_count, report.unknown_keys) == (2, 2, ())
    assert report.source_ids == (name,)
    first, second = rows_of(ROWS)
    assert first == {
        "alert_id": "f1",
        "automation_id": "refund-agent",
        "rule": "TooManyFailures",
        "severity": "critical",
        "summary": "one in three failed",
        "acknowledged_by": None,
        "fired": "2026-11-20 09:00:00.123456",
        "resolved": "",
        "acknowledged": "",
    }
    assert (second["automation_id"], second["resolved"]) == ("(null)", "2026-11-20 09:05:00")


@pytest.mark.parametrize("is_one_file", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_events_of_an_incident_meet_in_any_order(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, order: tuple[int, ...], is_one_file: bool
) -> None:
    """Triggered, acknowledged and resolved are one row, in one file or several, and twice is once."""
    events = [
        event("triggered", "2026-11-20T09:00:00Z"),
        event("acknowledged", "2026-11-20T09:02:00Z"),
        event("resolved", "2026-11-20T09:09:00Z"),
    ]
    came = [events[place] for place in order]
    files = [came + came] if is_one_file else [[one] for one in came]
    for number, rows in enumerate(files):
        load(warehouse, tmp_path / f"{number}.jsonl", rows, "pagerduty")
    (row,) = rows_of(ROWS)
    assert (row["acknowledged"], row["resolved"]) == ("2026-11-20 09:02:00", "2026-11-20 09:09:00")
    assert (row["alert_id"], row["severity"], row["rule"]) == ("PT1", "high", "refund-agent")
    assert (row["acknowledged_by"], row["automation_id"]) == ("ops-lead", "(null)")


def test_an_end_that_comes_first_is_kept(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A late firing does not reopen what was resolved, and fills nothing it does not know."""
    load(warehouse, tmp_path / "1.jsonl", [body(member(end="2026-11-20T09:05:00Z"))])
    load(warehouse, tmp_path / "2.jsonl", [body(member(automation="refund-agent"))])
    (row,) = rows_of(ROWS)
    assert (row["resolved"], row["automation_id"]) == ("2026-11-20 09:05:00", "refund-agent")


def test_a_broken_line_or_member_loses_nothing_else(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """What is broken is rejected with its reason; every other alert is loaded, and all are counted."""
    bad = {**member("f3"), "startsAt": "yesterday"}
    rows = [body(member(), 7, bad), '{"alerts": [', body(), body(member("f2"))]
    report = load(warehouse, tmp_path / "a.jsonl", rows)
    assert (report.accepted_count, report.rejected_count, report.line_count) == (2, 4, 6)
    assert [row["alert_id"] for row in rows_of(ROWS)] == ["f1", "f2"]
    said = " ".join(report.reasons)
    for reason in ("not an object", "fired_at is not", "is not JSON", "no list `alerts`"):
        assert reason in said


def test_another_event_is_rejected_by_name(warehouse: Warehouse, tmp_path: Path) -> None:
    """An event whose data is no incident never becomes an alert."""
    report = load(
        warehouse, tmp_path / "a.jsonl", [event("annotated", "2026-11-20T09:00:00Z")], "pagerduty"
    )
    assert (report.accepted_count, report.rejected_count) == (0, 1)
    assert "incident.annotated" in next(iter(report.reasons))


def test_a_lone_indented_body_is_read(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """A body as a person saves it, over many lines, is one body."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(body(member(), member("f2")), indent=2), encoding="utf-8")
    warehouse.load_files([("alert", path)], mapping=load_mapping("alertmanager"), options=ALL)
    assert len(rows_of(ROWS)) == 2


def test_a_mapping_without_the_status_is_caught(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Seeded fault: a mapping that takes any endsAt ends an alert that still fires; the shipped one does not."""
    shipped = load_mapping("alertmanager")
    faulty = Mapping(
        **{**shipped.model_dump(), "fields": {**shipped.fields, "resolved_at": "part.endsAt"}}
    )
    fires = {**member(), "endsAt": "2026-11-20T12:00:00Z"}
    load(warehouse, tmp_path / "a.jsonl", [body(fires)])
    assert rows_of(ROWS)[0]["resolved"] == ""
    load(warehouse, tmp_path / "a.jsonl", [body(fires)], faulty)
    assert rows_of(ROWS)[0]["resolved"] == "2026-11-20 12:00:00"


@pytest.mark.parametrize("label", ["service", "service.summary"])
def test_a_service_names_the_automation_by_its_text(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, label: str
) -> None:
    """A reference of PagerDuty is an object: its summary is the name, and no id is a piece of JSON."""
    known = load_mapping("pagerduty")
    mapping = Mapping(**{**known.model_dump(), "automation_label": label})
    load(warehouse, tmp_path / "a.jsonl", [event("triggered", "2026-11-20T09:00:00Z")], mapping)
    assert [row["automation_id"] for row in rows_of(ROWS)] == ["refund-agent"]

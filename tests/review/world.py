"""A small world in which everything is well, and ways to spoil it: tables written as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from workbench.review.ground import CHAIN, COLUMNS, PROBATION, Ground, shaped
from workbench.review.request import ReviewRequest

DAY = datetime(2026, 11, 20, tzinfo=UTC)
ONSET = DAY.replace(hour=10)
PAUSED = DAY.replace(hour=10, minute=30)
AS_OF = DAY.replace(hour=11)
Tables = dict[str, pd.DataFrame]


def at(text: str) -> datetime:
    """Read `10:30`, `10:30:05` or `10:30:05.250` of the day as an aware instant."""
    parts = [float(part) for part in text.split(":")]
    hours, minutes, seconds = (*parts, 0.0)[:3]
    return DAY + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def rows(text: str) -> pd.DataFrame:
    """Read a text table: a line of names, then a line per row, columns apart by `|`; `-` is nothing."""
    lines = [line.strip().strip("|") for line in text.strip().splitlines()]
    names, *body = ([cell.strip() for cell in line.split("|")] for line in lines)
    return pd.DataFrame(
        [{n: _cell(n, c) for n, c in zip(names, cells, strict=True)} for cells in body],
        columns=names,
    )


def _cell(name: str, text: str) -> Any:
    if text in ("", "-"):
        return None
    if name.endswith("_at"):
        return at(text)
    if name.endswith(("_count", "_seconds", "_seq", "attempt", "_amount", "max_runs")):
        return float(text)
    return {"yes": True, "no": False}.get(text, text)


def runs_of(automation_id: str, spans: list[tuple[str, str, str]], **more: Any) -> pd.DataFrame:
    """Return runs from (start, status, run_id) that take ten seconds each."""
    found = []
    for start, status, run_id in spans:
        begin = at(start)
        ends = status not in ("running", "scheduled")
        found.append(
            {
                "source_id": "engine", "run_id": run_id, "automation_id": automation_id, "status": status,
                "trigger": "schedule", "environment": "production", "first_seen_at": begin, "scheduled_at": begin,
                "started_at": None if status == "scheduled" else begin,
                "finished_at": begin + timedelta(seconds=10) if ends else None, "attempt_count": 1.0, **more,
            }
        )  # fmt: skip
    return pd.DataFrame(found)


def every(
    minutes: float, since: str, until: str, status: str, prefix: str
) -> list[tuple[str, str, str]]:
    """Return spans at a fixed pace: `every(5, "09:00", "10:00", "succeeded", "b")`."""
    found, instant = [], at(since)
    while instant < at(until):
        found.append((f"{instant:%H:%M:%S}", status, f"{prefix}{len(found)}"))
        instant += timedelta(minutes=minutes)
    return found


def calm_tables() -> Tables:
    """Return tables of one incident that is over: every check but the runs since the pause has what it needs."""
    spans = every(2, "06:00", "10:00", "succeeded", "b") + every(2, "10:00", "10:30", "failed", "f")
    given = {
        "review.registered_automations": rows(
            """
            automation_id | kind  | category | environment | owner | restart_owner | provider | tools      | expected_interval_seconds | approval_requirement | kill_switch | last_drill_at
            triage        | agent | commerce | production  | desk  | ops-lead      | acme     | ["ledger"] | 120                       | above 880            | our gate    | 01:00
            """
        ),
        "review.holds": rows(
            """
            hold_id | scope      | purpose  | mode   | reason | incident_id | placed_at | placed_by | placed_seq | released_at
            H-1     | kind=agent | incident | freeze | wrong  | I-1         | 10:30     | ops-lead  | 7          | -
            """
        ),
        "review.hold_targets": rows(
            """
            hold_id | automation_id | recorded_at | delivered_at | confirmed_at | quiet_at
            H-1     | triage        | 10:30       | 10:30:00.2   | 10:30:01     | 10:30:01
            """
        ),
        "review.runs": runs_of("triage", spans, provider="acme"),
        "review.failed_steps": pd.DataFrame(
            [
                {"source_id": "engine", "run_id": run_id, "step_id": "ask", "attempt": 1, "automation_id": "triage",
                 "failed_at": at(start), "error_signature": "HTTP 500", "run_status": "failed"}
                for start, status, run_id in spans if status == "failed"
            ]
        ),
        "review.audit_events": pd.concat([story("f0", "10:00", "run.started"), story("f0", "10:00:10", "run.failed")]),
        "review.provider_status": rows(
            """
            source_id | provider | component | since_at | until_at | status   | incident_ref
            page      | acme     | api       | 10:01    | 10:40    | degraded | INC-1
            """
        ),
        "review.affected_records": rows(
            """
            source_id | run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing | verified_at
            ledger    | b5     | invoice     | INV-1     | 1          | triage        | 10:05      | update | reversible    | no              | -
            ledger    | b6     | email       | M-1       | 1          | triage        | 10:06      | send   | irreversible  | yes             | 10:50
            """
        ),
        "review.alerts": rows(
            """
            source_id | alert_id | fired_at | automation_id | rule       | severity | resolved_at | acknowledged_at | acknowledged_by
            alerts    | AL-1     | 10:05    | triage        | error-rate | high     | 10:45       | 10:20           | desk
            """
        ),
        "review.changes": rows(
            """
            source_id | change_id | changed_at | kind   | target            | actor    | summary
            changes   | CH-1      | 09:50      | config | automation=triage | desk     | tokens up
            changes   | CH-2      | 10:50      | config | automation=triage | desk     | tokens back
            """
        ),
        "review.watermarks": watermarks(),
        "review.serving_sources": rows(
            """
            table_name      | source_id | provider
            run             | engine    | -
            affected_record | ledger    | -
            approval        | desk      | -
            provider_status | page      | acme
            """
        ),
        CHAIN: pd.DataFrame([{"is_ok": True, "event_count": 12, "finding": "ok to 12"}]),
    }  # fmt: skip
    return {name: shaped(name, given.get(name)) for name in COLUMNS}


def story(run_id: str, when: str, action: str, target: str = "", **more: Any) -> pd.DataFrame:
    """Return one audited event of a run of `triage`."""
    row = {
        "source_id": "audit", "event_id": f"{run_id}-{action}-{when}-{target}", "occurred_at": at(when), "actor": "triage",
        "action": action, "target_kind": target.partition("/")[0] or "run", "target_id": target.partition("/")[2] or run_id,
        "outcome": "success", "correlation_id": run_id, "automation_id": "triage", **more,
    }  # fmt: skip
    return pd.DataFrame([row])


def watermarks(**age_seconds: float) -> pd.DataFrame:
    """Return a fresh mark for every table; name a table to give its age instead."""
    sources = {
        "run": "engine", "run_state": "engine", "step": "engine", "audit_event": "audit", "approval": "desk",
        "affected_record": "ledger", "provider_status": "page", "alert": "alerts", "change": "changes",
    }  # fmt: skip
    ages = {name: age_seconds.get(name, 2.0) for name in sources}
    return pd.DataFrame(
        [
            {"source_id": sources[name], "table_name": name, "loaded_until_at": AS_OF - timedelta(seconds=age),
             "checked_at": AS_OF, "age_seconds": age}
            for name, age in ages.items()
        ]
    )  # fmt: skip


def request(**more: Any) -> ReviewRequest:
    """Return the question about H-1 of the calm tables."""
    given: dict[str, Any] = {
        "hold_id": "H-1", "scope": "kind=agent", "only": None, "automation_ids": ("triage",), "environment": "production",
        "baseline_since": DAY, "onset_at": ONSET, "paused_at": PAUSED, "since": DAY, "as_of": AS_OF, "providers": ("acme",),
    }  # fmt: skip
    return ReviewRequest(**{**given, **more})


def with_rows(tables: Mapping[str, pd.DataFrame], name: str, *more: pd.DataFrame) -> Tables:
    """Return the tables with rows added to one."""
    frames = [frame for frame in (tables[name], *(shaped(name, m) for m in more)) if len(frame)]
    return {**tables, name: shaped(name, pd.concat(frames, ignore_index=True))}


def with_probation(
    tables: Mapping[str, pd.DataFrame], since: str = "10:52", until: str | None = None
) -> Tables:
    """Return the tables with a narrow restart of `triage` under H-1."""
    row = {"probation_id": "P-1", "hold_id": "H-1", "automation_id": "triage", "max_runs": 100.0,
           "started_at": at(since), "ended_at": at(until) if until else None}  # fmt: skip
    return with_rows(tables, PROBATION, pd.DataFrame([row]))


def ground(tables: Mapping[str, pd.DataFrame] | None = None, **more: Any) -> Ground:
    """Return the calm ground, or that of other tables."""
    return Ground(request(**more), tables if tables is not None else calm_tables())

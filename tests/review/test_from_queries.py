"""From rows of the warehouse through the queries to the verdict: the whole way, once for each verdict."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from tests.queries.given import Given
from tests.review.world import AS_OF, at, every
from workbench.records import VerdictKind
from workbench.review.ground import CHAIN, PROBATION
from workbench.review.incident import assess_incident, incident_queries
from workbench.review.request import QueryCall, find_request
from workbench.review.restart import RestartReview, assess_restart, restart_queries

CHAIN_ROWS = pd.DataFrame([{"is_ok": True, "event_count": 9, "finding": "ok to 9"}])
PROBATIONS = pd.DataFrame(
    [{"probation_id": "P-1", "hold_id": "H-1", "automation_id": "triage", "max_runs": 60,
      "started_at": at("10:45"), "ended_at": None}]
)  # fmt: skip
MARKS = "source_id | table_name | loaded_until_at | checked_at\n" + "\n".join(
    f"source | {name} | 11:00 | 11:00"
    for name in (
        "run",
        "step",
        "audit_event",
        "approval",
        "affected_record",
        "provider_status",
        "alert",
        "change",
    )
)


def _line(start: str, status: str, run_id: str, automation_id: str = "triage") -> str:
    end = at(start) + timedelta(seconds=5)
    return f"{run_id} | {automation_id} | production | {status} | {start} | {start} | {start} | {end:%H:%M:%S}"


def _filled(*more_runs: str) -> Given:
    """Return a warehouse in which an incident is over and everything is settled."""
    calm = [_line(*span) for span in every(2, "06:00", "10:00", "succeeded", "b")]
    bad = [_line(*span) for span in every(2, "10:00", "10:30", "failed", "f")]
    other = [
        _line(start, "succeeded", f"o{n}", "mailer")
        for n, (start, _, _) in enumerate(every(9, "06:00", "11:00", "x", ""))
    ]
    head = "run_id | automation_id | environment | status | first_seen_at | scheduled_at | started_at | finished_at\n"
    given = Given().table("run", head + "\n".join([*calm, *bad, *other, *more_runs]))
    given.table(
        "automation",
        """
        automation_id | kind     | category | environment | owner | restart_owner | provider | tools      | expected_interval_seconds | approval_requirement | last_drill_at
        triage        | agent    | commerce | production  | desk  | ops-lead      | acme     | ["ledger"] | 120                       | above 880            | 01:00
        mailer        | workflow | commerce | production  | desk  | ops-lead      | -        | ["mail"]   | 540                       | none                 | 01:00
        """,
    )
    given.table(
        "hold",
        "hold_id | scope | mode | incident_id | placed_at | placed_by | reason\nH-1 | kind=agent | freeze | I-1 | 10:30 | ops-lead | wrong",
    )
    given.table(
        "hold_target",
        "hold_id | automation_id | recorded_at | delivered_at | confirmed_at\nH-1 | triage | 10:30 | 10:30:00.1 | 10:30:01",
    )
    given.table(
        "audit_event",
        """
        event_id | occurred_at | actor  | action        | target_kind | target_id | correlation_id
        e1       | 10:00       | triage | run.started   | run         | f0        | f0
        e2       | 10:00:05    | triage | run.failed    | run         | f0        | f0
        """,
    )
    given.table(
        "provider_status",
        "provider | component | since_at | until_at | status\nacme | api | 10:01 | 10:40 | degraded",
    )
    given.table(
        "alert",
        "alert_id | fired_at | automation_id | rule | resolved_at | acknowledged_at\nAL-1 | 10:05 | triage | rate | 10:45 | 10:20",
    )
    given.table(
        "change",
        "change_id | changed_at | kind | target | summary\nCH-1 | 10:41 | config | kind=agent | tokens back",
    )
    return given.table("source_watermark", MARKS)


def _review(
    given: Given, *, probations: pd.DataFrame | None = None, only: str | None = None
) -> RestartReview:
    def run(call: QueryCall) -> pd.DataFrame:
        return given.ask(call.name, **call.parameters)

    request = find_request(run, "H-1", as_of=AS_OF, only=only)
    tables = {call.name: run(call) for call in restart_queries(request)}
    extra = {
        CHAIN: CHAIN_ROWS,
        PROBATION: probations if probations is not None else PROBATIONS.iloc[:0],
    }
    return assess_restart(request, {**tables, **extra})


def test_a_settled_incident_restarts_narrowly() -> None:
    """Nothing failed and nothing ran: twenty runs of what is held."""
    found = _review(_filled())
    assert found.verdict.kind is VerdictKind.RESTART_NARROW
    assert found.verdict.next_command == "workbench resume H-1 --only automation=triage --runs 20"
    lacking = {check.name for check in found.checks if check.status == "NO EVIDENCE"}
    assert lacking == {"run_history", "failed_steps"}


def test_fifty_nine_clean_runs_restart_in_full() -> None:
    """With the probation's clean runs in the warehouse the verdict is to release."""
    clean = [
        _line(f"10:{46 + n // 6:02d}:{(n % 6) * 10:02d}", "succeeded", f"n{n}") for n in range(59)
    ]
    assert _review(_filled(*clean), probations=PROBATIONS).verdict.kind is VerdictKind.RESTART_FULL


def test_the_same_runs_without_the_narrow_restart_are_leaks() -> None:
    """Runs that nobody let through are what the pause should have stopped."""
    clean = [
        _line(f"10:{46 + n // 6:02d}:{(n % 6) * 10:02d}", "succeeded", f"n{n}") for n in range(59)
    ]
    found = _review(_filled(*clean))
    assert found.verdict.kind is VerdictKind.ESCALATE
    assert "59 runs" in found.verdict.reason


def test_a_provider_in_trouble_keeps_paused() -> None:
    """A second stretch of trouble that is still open stands in the way."""
    given = _filled().table(
        "provider_status",
        "provider | component | since_at | until_at | status\nacme | api | 10:50 | - | degraded",
    )
    found = _review(given)
    assert found.verdict.kind is VerdictKind.KEEP_PAUSED
    assert found.verdict.first_blocker.startswith("acme says degraded for api since 10:50:00 UTC")


def test_a_stale_source_keeps_paused() -> None:
    """When the runs were last read half an hour ago, a quiet history proves nothing."""
    given = _filled()
    given.connection.execute(
        "update source_watermark set loaded_until_at = loaded_until_at - interval 30 minute where table_name = 'run'"
    )
    found = _review(given)
    assert found.verdict.kind is VerdictKind.KEEP_PAUSED
    assert "run is 30 min old" in found.verdict.reason


@pytest.mark.parametrize("only", [None, "automation=triage"])
def test_what_is_outside_of_the_scope_does_not_matter(only: str | None) -> None:
    """The other automation runs on all the time, and is neither a leak nor evidence."""
    found = _review(_filled(), only=only)
    assert found.verdict.kind is VerdictKind.RESTART_NARROW
    assert "mailer" not in str(found.sections)


def test_the_incident_review_reads_the_same_warehouse() -> None:
    """The post-incident review comes from the same rows, with one query more."""
    given = _filled()

    def run(call: QueryCall) -> pd.DataFrame:
        return given.ask(call.name, **call.parameters)

    request = find_request(run, "H-1", as_of=AS_OF)
    calls = incident_queries(request)
    assert len(calls) == len(restart_queries(request)) + 1
    found = assess_incident(request, {call.name: run(call) for call in calls})
    assert found.summary.startswith(
        "Began at 2026-11-20 10:00:00 UTC, alerted after 5 min, paused after 30 min"
    )
    assert found.sections["switch"].sentence == "H-1 held."

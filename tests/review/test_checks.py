"""Each check ends as the evidence says: PASS, FAIL, or NO EVIDENCE."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.review.world import (
    AS_OF,
    Tables,
    at,
    calm_tables,
    every,
    ground,
    request,
    rows,
    runs_of,
    story,
    watermarks,
    with_probation,
    with_rows,
)
from workbench.records import Check, CheckStatus
from workbench.review.check_audit import check_approvals, check_audit_chain
from workbench.review.check_freshness import check_freshness
from workbench.review.check_pause import check_pause
from workbench.review.check_people import check_noise, check_ownership, check_prevention
from workbench.review.check_provider import check_provider
from workbench.review.check_records import check_records
from workbench.review.check_runs import check_backlog, check_run_history
from workbench.review.check_steps import check_failed_steps
from workbench.review.ground import CHAIN, Finding, Ground, shaped
from workbench.review.restart import CHECKS, assess_restart

PASS, FAIL, NONE = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.NO_EVIDENCE


def _check(check: Callable[[Ground], Finding], tables: Tables, **more: Any) -> Check:
    return check(ground(tables, **more)).check


def _with_clean_runs(count: int, failed: int = 0, tables: Tables | None = None) -> Tables:
    spans = [
        (
            f"10:{52 + n // 60:02d}:{n % 60:02d}",
            "failed" if n >= count - failed else "succeeded",
            f"n{n}",
        )
        for n in range(count)
    ]
    return with_probation(
        with_rows(tables or calm_tables(), "review.runs", runs_of("triage", spans))
    )


# Run history


def test_no_runs_since_the_pause_is_no_evidence() -> None:
    """Paused time is not run time: an empty history says nothing, and how many runs are needed."""
    found = _check(check_run_history, calm_tables())
    assert (found.status, found.number) == (NONE, 0.0)
    assert "59 clean runs are needed" in found.sentence


@pytest.mark.parametrize(
    ("count", "failed", "status"),
    [
        (20, 0, NONE),
        (58, 0, NONE),
        (59, 0, PASS),
        (59, 1, NONE),
        (93, 1, PASS),
        (20, 5, FAIL),
        (20, 4, NONE),
        (2, 2, FAIL),
        (1, 1, NONE),
    ],
)
def test_runs_since_the_pause_are_judged_by_exact_bounds(
    count: int, failed: int, status: CheckStatus
) -> None:
    """Few runs stay NO EVIDENCE, enough clean ones pass, and only what the guardrail aborts is a FAIL."""
    assert _check(check_run_history, _with_clean_runs(count, failed)).status is status


def test_a_leaked_run_is_no_evidence_of_health() -> None:
    """A run that slipped past the hold is not counted among the clean runs."""
    tables = with_rows(
        calm_tables(), "review.runs", runs_of("triage", [("10:40", "succeeded", "leak")])
    )
    found = _check(check_run_history, tables)
    assert (found.status, found.number) == (NONE, 0.0)
    assert "1 leaked run not counted" in found.sentence


def test_periods_stand_side_by_side() -> None:
    """Baseline, incident and the time since are rows with their counts and intervals."""
    section = check_run_history(ground(_with_clean_runs(20))).section
    rates = section.tables["Runs, failures, durations, retries and cost by period"].set_index(
        "period"
    )
    assert list(rates.index) == ["baseline", "incident", "since the pause"]
    assert list(rates["run_count"]) == [120, 15, 20]
    assert rates.loc["since the pause", "exact_upper_bound"] == pytest.approx(0.139, abs=0.001)
    assert set(section.figures) >= {"runs_over_time", "rate_intervals"}


# Failed steps


def test_explained_failures_do_not_fail_for_ever() -> None:
    """Failures of the incident alone leave the check without evidence, because nothing ran since."""
    assert _check(check_failed_steps, calm_tables()).status is NONE


def _failed(when: str, run_id: str, signature: str = "HTTP 500") -> pd.DataFrame:
    row = {"source_id": "engine", "run_id": run_id, "step_id": "ask", "attempt": 1, "automation_id": "triage",
           "failed_at": at(when), "error_signature": signature, "run_status": "failed"}  # fmt: skip
    return pd.DataFrame([row])


def test_a_failure_since_the_pause_fails() -> None:
    """One failed step in the narrow restart is a FAIL; none is a PASS."""
    tables = _with_clean_runs(5, failed=1)
    assert (
        _check(
            check_failed_steps, with_rows(tables, "review.failed_steps", _failed("10:52:05", "n0"))
        ).status
        is FAIL
    )
    assert _check(check_failed_steps, _with_clean_runs(5)).status is PASS


@pytest.mark.parametrize(("since", "status"), [(1, PASS), (6, FAIL)])
def test_the_noise_of_the_baseline_is_not_the_fault(since: int, status: CheckStatus) -> None:
    """A signature that the baseline knows passes while it is no more frequent than there, and fails when it is."""
    tables = _with_clean_runs(20)
    noise = [
        _failed(f"0{6 + n // 2}:{10 + 30 * (n % 2)}:05", f"b{5 + 15 * n}", "shop") for n in range(6)
    ]
    again = [_failed(f"10:52:{n:02d}", f"n{n}", "shop") for n in range(since)]
    found = _check(check_failed_steps, with_rows(tables, "review.failed_steps", *noise, *again))
    words = "no more" if status is PASS else "more"
    assert found.status is status
    assert found.sentence.endswith(
        f"{since} in 20 runs since the pause, {words} than the baseline knows."
    )


def _relapsed(*, is_mended: bool) -> Tables:
    tables = calm_tables()
    tables["review.holds"] = shaped(
        "review.holds",
        rows(
            """
            hold_id | scope      | purpose  | mode   | incident_id | placed_at | released_at
            H-1     | kind=agent | incident | freeze | I-1         | 10:30     | 10:40
            H-2     | kind=agent | incident | freeze | I-1         | 10:46     | -
            """
        ),
    )
    tables = with_rows(tables, "review.runs", runs_of("triage", [("10:42", "failed", "back")]))
    tables = with_rows(tables, "review.failed_steps", _failed("10:42:05", "back"))
    if not is_mended:
        tables["review.changes"] = tables["review.changes"].iloc[:1]
    return tables


@pytest.mark.parametrize(("is_mended", "status"), [(True, NONE), (False, FAIL)])
def test_a_failure_that_came_back_must_be_mended(is_mended: bool, status: CheckStatus) -> None:
    """What returned after an earlier restart is a FAIL until something was changed."""
    found = _check(
        check_failed_steps, _relapsed(is_mended=is_mended), hold_id="H-2", paused_at=at("10:46")
    )
    assert found.status is status


def test_signatures_tell_new_from_known() -> None:
    """A signature that an earlier incident was full of is known, and that incident is named."""
    old = [_failed(f"07:0{n}:05", f"b3{n}") for n in range(3)]
    tables = with_rows(calm_tables(), "review.failed_steps", *old)
    tables["review.incidents"] = shaped(
        "review.incidents", rows("incident_id | started_at | resolved_at\nI-0 | 07:00 | 07:30")
    )
    tables = with_rows(tables, "review.failed_steps", _failed("10:20", "f9", "timeout"))
    found = check_failed_steps(ground(tables)).section.tables[
        "Failures since the onset, by signature"
    ]
    assert list(found["error_signature"]) == ["HTTP 500", "timeout"]
    assert list(found["seen"]) == ["known before", "new"]
    assert list(found["known_from"]) == ["I-0", ""]
    assert list(found["failure_count"]) == [15, 1]


# Audit chain


@pytest.mark.parametrize(
    ("actions", "fault"),
    [
        (["proposal.created", "record.updated"], ""),
        (["proposal.created", "proposal.withdrawn"], ""),
        (["proposal.created", "approval.requested"], ""),
        (["proposal.created", "approval.requested", "approval.granted", "record.updated"], ""),
        (["proposal.created"], "proposed, then nothing"),
        (
            ["proposal.created", "approval.requested", "record.updated"],
            "executed without the approval that it asked for",
        ),
        (
            ["approval.requested", "approval.denied", "record.updated"],
            "executed without the approval that it asked for",
        ),
        (
            ["approval.requested", "record.updated", "approval.granted"],
            "executed without the approval that it asked for",
        ),
    ],
)
def test_a_story_is_whole_or_broken(actions: list[str], fault: str) -> None:
    """From proposal over approval to execution: each way to break off is named."""
    tables = calm_tables()
    for number, action in enumerate(actions):
        tables = with_rows(
            tables,
            "review.audit_events",
            story("f1", f"10:02:{number:02d}", action, "invoice/INV-9"),
        )
    found = check_audit_chain(ground(tables))
    broken = found.section.tables.get("Broken stories")
    assert found.check.status is (FAIL if fault else PASS)
    assert (list(broken["fault"]) if broken is not None else []) == ([fault] if fault else [])


def test_a_run_in_flight_is_not_broken_yet() -> None:
    """A story whose run still runs may still be told to the end; one whose run ended may not."""
    started = story("w1", "10:29:50", "run.started")
    for status, expected in (("running", PASS), ("failed", FAIL)):
        tables = with_rows(
            calm_tables(), "review.runs", runs_of("triage", [("10:29:50", status, "w1")])
        )
        assert (
            _check(check_audit_chain, with_rows(tables, "review.audit_events", started)).status
            is expected
        )


def test_a_run_that_wrote_something_else_than_it_proposed() -> None:
    """A proposal for one record and writes to others is broken, and called what it is."""
    tables = calm_tables()
    for when, action, target in (
        ("10:02", "proposal.created", "product/A"),
        ("10:03", "record.updated", "product/A-1"),
    ):
        tables = with_rows(tables, "review.audit_events", story("f1", when, action, target))
    found = check_audit_chain(ground(tables)).section.tables["Broken stories"]
    assert list(found["fault"]) == ["proposed one record, wrote others"]


def test_a_write_that_nobody_audited() -> None:
    """Where an automation audits its writes, one that is missing is a broken story."""
    tables = with_rows(
        calm_tables(),
        "review.audit_events",
        story("b5", "10:05", "record.updated", "invoice/INV-1"),
    )
    found = check_audit_chain(ground(tables))
    assert found.check.status is FAIL
    assert list(found.section.tables["Records written and not audited"]["record_id"]) == ["M-1"]


def test_our_own_log_counts_too() -> None:
    """A broken chain of our log is a FAIL; a chain that nobody verified is no evidence."""
    tables = calm_tables()
    tables[CHAIN] = shaped(
        CHAIN, pd.DataFrame([{"is_ok": False, "event_count": 3, "finding": "broken at 4"}])
    )
    found = _check(check_audit_chain, tables)
    assert (found.status, "broken at 4" in found.sentence) == (FAIL, True)
    tables[CHAIN] = shaped(CHAIN, None)
    assert _check(check_audit_chain, tables).status is NONE


def test_no_audited_action_is_no_evidence() -> None:
    """Silence of the audit is not a whole story."""
    tables = calm_tables()
    tables["review.audit_events"] = tables["review.audit_events"].iloc[:0]
    assert _check(check_audit_chain, tables).status is NONE


# Approvals


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ("A-1 | triage | r1 | 10:10 | -     | 12:00 | -", FAIL),
        ("A-1 | triage | r1 | 10:10 | -     | 10:50 | -", PASS),
        ("A-1 | triage | r1 | 10:10 | 10:20 | 12:00 | denied", PASS),
    ],
)
def test_an_undecided_approval_fails(row: str, status: CheckStatus) -> None:
    """An open request stands in the way; an expired or decided one does not."""
    text = f"approval_id | automation_id | run_id | requested_at | decided_at | expires_at | decision\n{row}"
    tables = with_rows(calm_tables(), "review.approvals", rows(text))
    assert _check(check_approvals, tables).status is status


@pytest.mark.parametrize(
    ("after", "status"), [("", FAIL), ("record.updated", PASS), ("proposal.withdrawn", PASS)]
)
def test_what_was_granted_and_not_carried_out_would_fire(after: str, status: CheckStatus) -> None:
    """A grant that waits for the next run fires on resume, unless it was carried out or withdrawn."""
    text = "approval_id | automation_id | run_id | requested_at | decided_at | decision\nA-1 | triage | f1 | 10:10 | 10:20 | granted"
    tables = with_rows(calm_tables(), "review.approvals", rows(text))
    events = [story("f1", "10:10", "approval.requested", "invoice/I", approval_id="A-1")]
    events += [story("f1", "10:20", "approval.granted", "invoice/I", approval_id="A-1")]
    events += [story("f1", "10:25", after, "invoice/I")] if after else []
    assert (
        _check(check_approvals, with_rows(tables, "review.audit_events", *events)).status is status
    )


def test_what_the_narrow_restart_asks_for_is_work_as_usual() -> None:
    """An approval that a run of the narrow restart asked for rests on today's facts and does not block."""
    row = rows("approval_id | automation_id | run_id | requested_at\nA-1 | triage | n0 | 10:53")
    assert (
        _check(check_approvals, with_rows(_with_clean_runs(5), "review.approvals", row)).status
        is PASS
    )
    leaked = with_rows(
        calm_tables(), "review.runs", runs_of("triage", [("10:52:00", "succeeded", "n0")])
    )
    assert _check(check_approvals, with_rows(leaked, "review.approvals", row)).status is FAIL


# Provider


@pytest.mark.parametrize(
    ("until", "said", "status"),
    [
        ("10:40", "degraded", PASS),
        ("-", "degraded", FAIL),
        ("-", "major_outage", FAIL),
        ("-", "unknown", NONE),
        ("-", "operational", PASS),
    ],
)
def test_the_provider_must_work_at_the_end(until: str, said: str, status: CheckStatus) -> None:
    """Trouble that is over passes, trouble that lasts fails, an unknown state is no evidence."""
    tables = calm_tables()
    text = f"provider | component | since_at | until_at | status | incident_ref\nacme | api | 10:01 | {until} | {said} | INC-1"
    tables["review.provider_status"] = shaped("review.provider_status", rows(text))
    assert _check(check_provider, tables).status is status


def test_a_provider_can_be_found_innocent() -> None:
    """Failures no more frequent in its trouble than outside are not explained by it."""
    tables = calm_tables()
    spans = [
        (f"{6 + n // 20:02d}:{3 * (n % 20):02d}", "failed" if n % 4 == 0 else "succeeded", f"r{n}")
        for n in range(90)
    ]
    tables["review.runs"] = shaped("review.runs", runs_of("triage", spans))
    tables["review.provider_status"] = shaped(
        "review.provider_status",
        rows(
            "provider | component | since_at | until_at | status | incident_ref\nacme | api | 08:00 | 09:00 | degraded | INC-1"
        ),
    )
    assert "It does not explain them" in _check(check_provider, tables).sentence
    assert "It explains them: 15 of 15" in _check(check_provider, calm_tables()).sentence


def test_without_a_provider_there_is_nothing_to_wait_for() -> None:
    """An automation that uses no provider passes, and needs no status page."""
    found = _check(check_provider, calm_tables(), providers=())
    assert (found.status, found.sentence) == (PASS, "None of these automations uses a provider.")


# Records


def _record(**more: Any) -> pd.DataFrame:
    row = {"source_id": "ledger", "run_id": "f3", "record_type": "invoice", "record_id": "X-1", "change_seq": 1,
           "automation_id": "triage", "changed_at": at("10:06"), "change": "update", "reversibility": "reversible",
           "customer_facing": False, **more}  # fmt: skip
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, PASS),
        ({"reversibility": "compensable"}, PASS),
        ({"reversibility": "irreversible"}, FAIL),
        ({"reversibility": "unknown"}, FAIL),
        ({"customer_facing": True}, FAIL),
        ({"reversibility": "irreversible", "verified_at": at("10:40")}, PASS),
        ({"reversibility": "irreversible", "changed_at": at("09:00")}, PASS),
    ],
)
def test_what_binds_must_be_verified(more: dict[str, Any], status: CheckStatus) -> None:
    """Irreversible, unknown and customer-facing records since the onset block until a person verified them."""
    assert (
        _check(
            check_records, with_rows(calm_tables(), "review.affected_records", _record(**more))
        ).status
        is status
    )


def test_a_write_while_paused_is_escalated_until_verified() -> None:
    """A leaked write means that production records may have changed; verifying it ends that."""
    tables = with_rows(calm_tables(), "review.affected_records", _record(changed_at=at("10:40")))
    found = check_records(ground(tables))
    assert found.check.status is FAIL
    assert found.escalations[0].startswith(
        "production records may have changed: 1 write while paused"
    )
    tables = with_rows(
        calm_tables(),
        "review.affected_records",
        _record(changed_at=at("10:40"), verified_at=at("10:50")),
    )
    assert check_records(ground(tables)).escalations == ()


def test_records_that_were_all_looked_at_are_said_so() -> None:
    """When a person verified every record, the sentence has no zeros to read past."""
    tables = calm_tables()
    tables["review.affected_records"]["verified_at"] = pd.Series([at("10:50")] * 2).astype(
        "datetime64[us, UTC]"
    )
    assert (
        _check(check_records, tables).sentence
        == "2 records written since the onset, all of them verified by a person."
    )


def test_the_record_named_first_stands_first_in_its_table() -> None:
    """What the sentence says to look at first is the first row of what is to be verified, whatever came when."""
    more = [
        _record(record_id="late", changed_at=at("10:40"), reversibility="reversible"),
        _record(record_id="mail", changed_at=at("10:20"), reversibility="irreversible"),
    ]
    found = check_records(ground(with_rows(calm_tables(), "review.affected_records", *more)))
    table = found.section.tables["Records to verify before a restart"]
    assert list(table["record_id"]) == ["mail", "late"]
    assert "the first to look at is invoice/mail" in found.check.sentence


def test_a_leak_is_marked_where_it_happened() -> None:
    """A run from before the pause that wrote inside of it leaked when it wrote, not when it began."""
    write = _record(run_id="f0", changed_at=at("10:40"))
    found = check_pause(ground(with_rows(calm_tables(), "review.affected_records", write)))
    bars = found.section.figures["pause_gantt"]
    assert list(bars[bars["what"] == "leak"]["leak_at"]) == [at("10:40")]
    assert bars["leak_at"].notna().sum() == 1


def test_what_was_sent_twice_is_looked_at() -> None:
    """A retry that sent the same thing twice blocks until verified."""
    twice = [_record(change="send", change_seq=n, changed_at=at(f"10:0{n}")) for n in (6, 7)]
    found = check_records(ground(with_rows(calm_tables(), "review.affected_records", *twice)))
    assert (found.check.status, found.check.number) == (FAIL, 2.0)
    assert list(found.section.tables["Written more than once"]["change_count"]) == [2]


# Backlog


@pytest.mark.parametrize(("count", "status"), [(0, PASS), (12, PASS), (13, FAIL)])
def test_a_burst_of_late_runs_fails(count: int, status: CheckStatus) -> None:
    """More late runs than the limit would fire at once."""
    spans = [(f"10:{31 + n}", "scheduled", f"s{n}") for n in range(count)]
    tables = (
        with_rows(calm_tables(), "review.runs", runs_of("triage", spans))
        if spans
        else calm_tables()
    )
    found = _check(check_backlog, tables)
    assert (found.status, found.number) == (status, float(count))


def test_every_started_run_is_somewhere() -> None:
    """A started run whose source has lost it breaks the balance; one still running does not."""
    for more, expected in (({}, PASS), ({"vanished_at": at("10:20")}, FAIL)):
        tables = with_rows(
            calm_tables(), "review.runs", runs_of("triage", [("10:01:30", "running", "v")], **more)
        )
        assert _check(check_backlog, tables).status is expected


# People


def test_prevention_needs_a_change_since_the_pause() -> None:
    """Without a recorded change to the scope the same thing would start again: no evidence of prevention."""
    tables = calm_tables()
    assert _check(check_prevention, tables).status is PASS
    tables["review.changes"]["target"] = "automation=other"
    assert _check(check_prevention, tables).status is NONE


def test_without_a_restart_owner_a_person_must_be_found() -> None:
    """An unclear restart owner is a FAIL and reason to escalate; so is an automation nobody registered."""
    for field, value in (("restart_owner", None), ("automation_id", "someone-else")):
        tables = calm_tables()
        tables["review.registered_automations"][field] = value
        found = check_ownership(ground(tables))
        assert found.check.status is FAIL
        assert found.escalations == ("the restart owner of triage is unclear",)


@pytest.mark.parametrize("drill", [None, AS_OF - timedelta(days=32)])
def test_a_missing_or_old_drill_is_no_evidence(drill: Any) -> None:
    """A pause that was not tried within a month is not known to work."""
    tables = calm_tables()
    tables["review.registered_automations"]["last_drill_at"] = pd.Series([drill]).astype(
        "datetime64[us, UTC]"
    )
    found = _check(check_ownership, tables)
    assert found.status is NONE
    assert "no pause drill within 31 days for triage" in found.sentence


@pytest.mark.parametrize(
    ("resolved", "acknowledged", "status"),
    [("10:45", "10:20", PASS), ("10:45", "-", NONE), ("-", "10:20", FAIL)],
)
def test_alerts_must_be_quiet_and_read(
    resolved: str, acknowledged: str, status: CheckStatus
) -> None:
    """A firing alert fails; one that nobody acknowledged proves nothing by going green."""
    tables = calm_tables()
    text = f"alert_id | fired_at | automation_id | resolved_at | acknowledged_at\nAL-1 | 10:05 | triage | {resolved} | {acknowledged}"
    tables["review.alerts"] = shaped("review.alerts", rows(text))
    assert _check(check_noise, tables).status is status


def test_the_longest_row_of_ignored_failures_is_counted() -> None:
    """How many runs went wrong in a row before anybody paused stands in the section."""
    streaks = check_noise(ground()).section.tables["Longest row of troubled runs before the pause"]
    assert list(streaks["longest_streak_count"]) == [15]


# Freshness


def _statuses(tables: Tables) -> dict[str, CheckStatus]:
    return {check.name: check.status for check in assess_restart(request(), tables).checks}


@pytest.mark.parametrize(
    ("table", "dependents"),
    [
        ("run", {"pause_held", "backlog"}),
        ("audit_event", {"audit_chain"}),
        ("approval", {"pending_approvals"}),
        ("provider_status", {"provider_status"}),
        ("affected_record", {"affected_records", "pause_held"}),
        ("change", {"prevention_actions"}),
        ("alert", {"noise"}),
    ],
)
def test_what_rests_on_old_data_is_no_evidence(table: str, dependents: set[str]) -> None:
    """A watermark that is too old takes the PASS from freshness and from what rests on that table, from nothing else."""
    calm = _statuses(calm_tables())
    stale = _statuses(
        {
            **calm_tables(),
            "review.watermarks": shaped("review.watermarks", watermarks(**{table: 901.0})),
        }
    )
    assert {name for name in calm if calm[name] != stale[name]} == {"freshness", *dependents}
    assert all(stale[name] is NONE for name in dependents)


def test_a_failure_stays_a_failure_when_data_are_old() -> None:
    """Old data cannot excuse what they already show."""
    tables = with_rows(
        calm_tables(), "review.affected_records", _record(reversibility="irreversible")
    )
    tables["review.watermarks"] = shaped("review.watermarks", watermarks(affected_record=9000.0))
    assert _statuses(tables)["affected_records"] is FAIL


def test_a_table_that_was_never_loaded_is_named() -> None:
    """No watermark at all is older than any."""
    tables = calm_tables()
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[marks["table_name"] != "approval"]
    found = _check(check_freshness, tables)
    assert (found.status, "Approval was never loaded" in found.sentence) == (NONE, True)


@pytest.mark.parametrize(("environment", "is_said"), [("production", True), (None, False)])
def test_runs_that_do_not_say_where_they_ran_are_told_of(
    environment: str | None, is_said: bool
) -> None:
    """Where one environment is asked about, the runs that count without saying theirs are numbered; age judges alone."""
    tables = calm_tables()
    total = len(tables["review.runs"])
    tables["review.runs"].loc[:5, "environment"] = None
    found = _check(check_freshness, tables, environment=environment)
    said = f"6 of {total} runs do not say their environment; they count here."
    assert (found.status, said in found.sentence) == (PASS, is_said)
    assert "environment" not in _check(check_freshness, calm_tables()).sentence


def test_a_source_that_nothing_needs_may_be_missing() -> None:
    """Without providers and approvals in scope their sources are not waited for."""
    tables = calm_tables()
    tables["review.registered_automations"]["approval_requirement"] = "none"
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[~marks["table_name"].isin(["approval", "provider_status"])]
    assert _check(check_freshness, tables, providers=()).status is PASS


# All of them


def test_every_check_says_what_it_rests_on() -> None:
    """Question, sentence, threshold with its source, query and unit are there for every check, and a section."""
    review = assess_restart(request(), calm_tables())
    assert [*(check.name for check in review.checks), "why"] == list(review.sections)
    for check in review.checks:
        texts = (
            check.question,
            check.sentence,
            check.threshold,
            check.threshold_source,
            check.query,
            check.unit,
        )
        assert all(texts), check.name
        assert check.sentence.endswith(".")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_stands_an_empty_warehouse(check: Callable[[Ground], Finding]) -> None:
    """With a hold and nothing else loaded, no check breaks; what depends on rows does not pass by their absence."""
    empty = {name: frame.iloc[:0] for name, frame in calm_tables().items()}
    empty["review.holds"] = calm_tables()["review.holds"]
    assert isinstance(check(ground(empty)).check.status, CheckStatus)


def test_an_empty_warehouse_keeps_everything_paused() -> None:
    """Nothing loaded means nothing known: at best everything stays paused."""
    empty = {name: frame.iloc[:0] for name, frame in calm_tables().items()}
    empty["review.holds"] = calm_tables()["review.holds"]
    assert assess_restart(request(), empty).verdict.kind in ("keep_paused", "escalate")


def test_the_text_world_is_what_it_says() -> None:
    """Two-minute runs from six to ten are a hundred and twenty."""
    assert len(every(2, "06:00", "10:00", "succeeded", "b")) == 120

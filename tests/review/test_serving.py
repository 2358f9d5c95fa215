"""That something was loaded is no evidence about these automations: its source must tell of them."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.review.world import Tables, at, calm_tables, ground, runs_of, with_probation, with_rows
from workbench.records import Check, CheckStatus, VerdictKind
from workbench.review.check_freshness import RESTS_ON, serving_marks, stale_tables
from workbench.review.ground import TICKETS, shaped
from workbench.review.pausing import LEAK, LET_THROUGH, REFUSED, audit_pause
from workbench.review.restart import assess_restart
from workbench.review.verdict import Proposal, conclude


def _from_elsewhere(*names: str) -> Tables:
    tables = calm_tables()
    marks = tables["review.watermarks"]
    marks.loc[marks["table_name"].isin(names), "source_id"] = "elsewhere"
    return tables


@pytest.mark.parametrize(
    ("table", "check"),
    [
        ("run", "pause_held"),
        ("run", "backlog"),
        ("affected_record", "affected_records"),
        ("provider_status", "provider_status"),
    ],
)
def test_another_source_is_no_evidence(table: str, check: str) -> None:
    """A fresh mark of a source that never told of these automations turns the PASS into NO EVIDENCE."""
    found = {c.name: c for c in assess_restart(ground().request, calm_tables()).checks}
    assert found[check].status is CheckStatus.PASS
    tables = _from_elsewhere(table)
    found = {c.name: c for c in assess_restart(ground().request, tables).checks}
    assert found[check].status is CheckStatus.NO_EVIDENCE
    assert found[check].sentence.startswith("No evidence, because")


def test_the_reason_names_the_source_that_was_loaded() -> None:
    """Somebody who loaded the wrong server reads which one it was."""
    assert stale_tables(ground(_from_elsewhere("run")))["run"] == (
        "run was loaded only from elsewhere, which never told of these automations"
    )


def test_every_provider_must_be_known() -> None:
    """The status page of one provider says nothing of the other."""
    _, why = serving_marks(ground(providers=("acme", "else")), "provider_status")
    assert why == "provider_status of else was never loaded"


def test_an_old_foreign_source_stands_in_nobodys_way() -> None:
    """What another team's server is behind does not make this evidence stale."""
    tables = calm_tables()
    old = {
        "source_id": "elsewhere",
        "table_name": "run",
        "age_seconds": 9e6,
        "loaded_until_at": at("01:00"),
        "checked_at": at("11:00"),
    }
    tables = with_rows(tables, "review.watermarks", pd.DataFrame([old]))
    assert "run" not in stale_tables(ground(tables))


def test_the_engines_own_mark_serves_for_records_of_none() -> None:
    """An engine that tells of these runs, and has a mark for records, says that there are none."""
    tables = calm_tables()
    tables["review.affected_records"] = shaped("review.affected_records", None)
    known = tables["review.serving_sources"]
    tables["review.serving_sources"] = known[known["table_name"] != "affected_record"]
    assert "affected_record" in stale_tables(ground(tables))
    marks = tables["review.watermarks"]
    marks.loc[marks["table_name"] == "affected_record", "source_id"] = "engine"
    assert "affected_record" not in stale_tables(ground(tables))


def test_the_next_command_loads_what_lacks() -> None:
    """After KEEP PAUSED for want of evidence, the next command is the one that brings it."""
    tables = _from_elsewhere("run", "step")
    verdict = assess_restart(ground().request, tables).verdict
    assert verdict.kind is VerdictKind.KEEP_PAUSED
    assert verdict.first_blocker.startswith("No evidence, because run was loaded only from")
    assert verdict.next_command == (
        "workbench load --table run --source engine FILE --complete-until INSTANT"
    )


@pytest.mark.parametrize(
    ("lacking", "loads"),
    [
        (("audit_event", "provider_status"), "--table audit_event --source"),
        (("alert", "provider_status"), "--table provider_status --source NAME"),
        (("change", "affected_record"), "--table affected_record --source"),
        (("alert", "change", "step", "affected_record"), "--table affected_record --source"),
    ],
)
def test_the_next_command_answers_the_blocker_that_is_shown(
    lacking: tuple[str, ...], loads: str
) -> None:
    """Where several tables lack, the command loads one that the shown blocker rests on, not the first of them."""
    tables = calm_tables()
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[~marks["table_name"].isin(lacking)]
    review = assess_restart(ground().request, tables)
    verdict = review.verdict
    assert verdict.kind is VerdictKind.KEEP_PAUSED
    named = verdict.next_command.split()[3]
    (blocker,) = [c for c in review.checks if c.sentence == verdict.first_blocker]
    assert named in RESTS_ON[blocker.name] and named in verdict.first_blocker
    assert loads in verdict.next_command


def test_a_table_that_grew_old_is_loaded_from_where_it_came() -> None:
    """The source that told of it before stands in the command."""
    tables = calm_tables()
    marks = tables["review.watermarks"]
    marks.loc[marks["table_name"] == "affected_record", "age_seconds"] = 9e6
    (source,) = set(marks[marks["table_name"] == "affected_record"]["source_id"])
    verdict = assess_restart(ground().request, tables).verdict
    assert f"--table affected_record --source {source} FILE" in verdict.next_command


def test_who_tells_of_the_runs_is_named_for_records_that_were_never_loaded() -> None:
    """A file of none under that name counts; under a new name it would say nothing of these automations."""
    tables = calm_tables()
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[marks["table_name"] != "affected_record"]
    known = tables["review.serving_sources"]
    tables["review.serving_sources"] = known[known["table_name"] == "run"]
    verdict = assess_restart(ground().request, tables).verdict
    assert "--table affected_record --source engine FILE" in verdict.next_command


@pytest.mark.parametrize(
    ("is_from_file", "command"),
    [(False, "workbench sync engine"), (True, "workbench load --table run --source engine FILE")],
)
def test_what_files_told_of_is_loaded_from_files(is_from_file: bool, command: str) -> None:
    """The registry's engine is read only where an engine's reading marked it; else the load that made it comes again."""
    tables = calm_tables()
    tables["review.registered_automations"]["engine"] = "engine"
    marks = tables["review.watermarks"]
    marks["is_from_file"] = is_from_file
    marks.loc[marks["table_name"] == "run", "age_seconds"] = 9e6
    assert assess_restart(ground().request, tables).verdict.next_command.startswith(command)


def test_nothing_that_loads_is_named_where_the_blocker_rests_on_what_is_there() -> None:
    """A gap that no file fills asks for the review again, not for another blocker's table."""
    checks = (Check("pause_held", "?", CheckStatus.NO_EVIDENCE, "not confirmed", is_critical=True),)
    proposal = Proposal("H-1", "kind=agent", missing_tables=("alert",))
    assert conclude(checks, (), proposal=proposal).next_command == "workbench review H-1"


def test_what_is_loaded_and_shows_nothing_asks_for_more_of_it() -> None:
    """The review that was just made is no next step where a source could bring what its blocker rests on."""
    checks = (Check("audit_chain", "?", CheckStatus.NO_EVIDENCE, "no event", is_critical=True),)
    said = conclude(checks, (), proposal=Proposal("H-1", "kind=agent")).next_command
    assert said.startswith("workbench load --table audit_event --source NAME FILE")


def test_without_alerts_nothing_is_green() -> None:
    """Where no alert was ever loaded, the headline says so rather than that the alert is green."""
    tables = calm_tables()
    tables["review.alerts"] = shaped("review.alerts", None)
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[marks["table_name"] != "alert"]
    headline = assess_restart(ground().request, tables).headline
    assert "no alert of these automations was ever loaded" in headline.alert_says
    assert headline.sentence.startswith("No alert of these automations was loaded")
    assert "green" not in headline.sentence


@pytest.mark.parametrize(
    "message",
    [
        "Paused: triage is paused by H-1",
        "Unknown: cannot tell whether triage is paused: no snapshot",
    ],
)
def test_a_refused_start_reported_as_failed_is_no_leak(message: str) -> None:
    """Engines report the gate's exception as a failure; without a write it shows that the gate worked."""
    more = runs_of("triage", [("10:35", "failed", "x1")], provider="acme", error_message=message)
    tables = with_rows(calm_tables(), "review.runs", more)
    audit = audit_pause(ground(tables), ground(tables).hold)
    assert list(audit.starts["kind"]) == [REFUSED]


def test_a_failure_of_its_own_is_still_a_leak() -> None:
    """A run that started under the pause and failed for another reason did start."""
    more = runs_of("triage", [("10:35", "failed", "x1")], provider="acme", error_message="HTTP 500")
    tables = with_rows(calm_tables(), "review.runs", more)
    audit = audit_pause(ground(tables), ground(tables).hold)
    assert list(audit.starts["kind"]) == [LEAK]


def test_the_ticket_book_says_which_runs_were_let_through() -> None:
    """A run without a ticket is a leak, even where there would have been tickets for it in order."""
    spans = [("10:53", "succeeded", "n1"), ("10:54", "succeeded", "n2")]
    tables = with_rows(with_probation(calm_tables()), "review.runs", runs_of("triage", spans))
    kinds = audit_pause(ground(tables), ground(tables).hold).starts.set_index("run_id")["kind"]
    assert list(kinds) == [LET_THROUGH, LET_THROUGH]
    taken = {
        "probation_id": "P-1",
        "run_id": "n2",
        "automation_id": "triage",
        "taken_at": at("10:54"),
    }
    tables[TICKETS] = shaped(TICKETS, pd.DataFrame([taken]))
    kinds = audit_pause(ground(tables), ground(tables).hold).starts.set_index("run_id")["kind"]
    assert kinds.to_dict() == {"n1": LEAK, "n2": LET_THROUGH}

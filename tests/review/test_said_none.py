"""Words that nothing was written: each stands only for its hold, its time and what was loaded, and proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.review.test_ledger import change
from tests.review.world import AS_OF, ONSET, at, calm_tables, ground, request, runs_of, with_rows
from workbench.records import Check, CheckStatus, VerdictKind
from workbench.review import said_none
from workbench.review.check_freshness import stale_tables
from workbench.review.ground import NONE_SAID, TICKETS, shaped
from workbench.review.restart import assess_restart, findings_of
from workbench.review.said_none import answer_of, faults_now, nothing_loaded, words_about

Tables = dict[str, pd.DataFrame]
LATER = AS_OF + timedelta(minutes=30)


def no_ledger() -> Tables:
    """Return the calm tables of automations of which no source tells records."""
    tables = calm_tables()
    marks, serving = tables["review.watermarks"], tables["review.serving_sources"]
    return {
        **tables,
        "review.affected_records": shaped("review.affected_records", None),
        "review.watermarks": marks[marks["table_name"] != "affected_record"],
        "review.serving_sources": serving[serving["table_name"] != "affected_record"],
    }


def said(tables: Tables, automation_id: str = "triage", **more: Any) -> Tables:
    """Return the tables with a word that was given at 11:00 of what was loaded then."""
    loaded = nothing_loaded(ground(tables, automation_ids=(automation_id,)), automation_id)
    row = {
        "hold_id": "H-1", "since_at": ONSET, "until_at": AS_OF, "said_at": AS_OF, "said_by": "ops-lead (ann)", "person": "ann",
        "reason": "it only reads", **vars(loaded), **more,
    }  # fmt: skip
    return with_rows(tables, NONE_SAID, pd.DataFrame([row]))


def lapsed(tables: Tables, **more: Any) -> str:
    """Return why the word does not stand half an hour later; '' where it does."""
    (found,) = words_about(ground(tables, **{"as_of": LATER, **more}))["lapsed"]
    return str(found)


def named(tables: Tables, name: str, **more: Any) -> Check:
    """Return one check of a review."""
    checks = {check.name: check for check in assess_restart(request(**more), tables).checks}
    return checks[name]


def test_without_a_word_nothing_loaded_blocks_and_with_one_it_is_named() -> None:
    """The check stays NO EVIDENCE and names the person, and what was blocked before is not any more."""
    before = assess_restart(request(), no_ledger())
    assert before.verdict.kind is VerdictKind.KEEP_PAUSED
    assert "affected_record was never loaded" in before.verdict.first_blocker
    found = assess_restart(request(), said(no_ledger()))
    assert found.verdict.kind is VerdictKind.RESTART_NARROW
    for name in ("affected_records", "pause_held", "freshness"):
        check = next(c for c in found.checks if c.name == name)
        assert check.status is CheckStatus.NO_EVIDENCE
        assert "Nothing loaded shows it, but a person says it: ops-lead (ann)" in check.sentence
    assert "Not on evidence but on a person's word: " in found.verdict.reason
    assert "ops-lead (ann) said at 2026-11-20 11:00:00 UTC" in found.verdict.reason
    assert "(3 of them answered by a person's word)" in found.headline.evidence_says
    table = found.sections["affected_records"].tables["Who said that nothing was written"]
    assert list(table["stands"]) == ["yes"]


def test_a_full_restart_on_a_word_says_so() -> None:
    """Every check passed is what nobody says of a restart that rests on a word."""
    found = assess_restart(request(), said(no_ledger()))
    checks = [c for c in found.checks if c.status is not CheckStatus.NO_EVIDENCE or c.answered_by]
    from workbench.review.verdict import CRITICAL, Proposal, conclude

    assert set(CRITICAL) <= {check.name for check in checks}
    proven = Proposal("H-1", "kind=agent", clean_run_count=59, needed_run_count=0)
    verdict = conclude(checks, (), proposal=proven)
    assert verdict.kind is VerdictKind.RESTART_FULL
    assert "Every check passed" not in verdict.reason
    assert "ops-lead (ann)" in verdict.reason


def a_run(when: str, status: str = "succeeded", run_id: str = "late") -> pd.DataFrame:
    """Return one more run of `triage`."""
    return runs_of("triage", [(when, status, run_id)])


def test_where_two_must_verify_two_must_say_that_nothing_was_written() -> None:
    """One person with two keys is one, a word that lapsed counts not, and of each automation two must say it."""
    two = {"thresholds": replace(request().thresholds, verifier_count=2)}
    one = said(said(no_ledger()), said_by="ops-lead (ann, 2nd key)")
    found = assess_restart(request(**two), one)
    assert found.verdict.kind is VerdictKind.KEEP_PAUSED
    assert "1 of 2 persons said so" in found.verdict.first_blocker
    bo = {"said_by": "ops-lead (bo)", "person": "bo"}
    both = assess_restart(request(**two), said(one, **bo))
    assert both.verdict.kind is VerdictKind.RESTART_NARROW
    assert "(ann, 2nd key)" in both.verdict.reason and "(bo)" in both.verdict.reason
    stale = said(one, **bo, run_count=9)
    assert assess_restart(request(**two), stale).verdict.kind is VerdictKind.KEEP_PAUSED
    ids = ground(said(said(one, **bo), "payer"), automation_ids=("triage", "payer"), **two)
    assert answer_of(ids, stale_tables(ids)) == ""


LAPSES = {
    "a record of that time": ("review.affected_records", change("10:07"), "loaded since, the first invoice/INV-9"),
    "a record of later": ("review.affected_records", change("11:10"), "loaded since, the first invoice/INV-9"),
    "a later run": ("review.runs", a_run("11:10"), "it ran afterwards, or has not ended: late"),
    "a run that begins at its end": ("review.runs", a_run("11:00"), "it ran afterwards"),
    "a run of that time that came late": ("review.runs", a_run("10:20"), "other runs are loaded of that time"),
    "a ticket of a narrow restart": (
        TICKETS,
        pd.DataFrame([{"probation_id": "P-1", "run_id": "t1", "automation_id": "triage", "taken_at": at("11:10")}]),
        "it ran afterwards, or has not ended: t1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LAPSES)
def test_a_word_lapses_with_what_is_loaded_after_it(what: str) -> None:
    """A record, a run or a ticket: what was said then is not said of now, and the review blocks again."""
    name, rows, why = LAPSES[what]
    tables = said(no_ledger())
    assert lapsed(tables) == ""
    tables = with_rows(tables, name, rows)
    assert why in lapsed(tables)
    check = named(tables, "affected_records", as_of=LATER)
    assert check.status is not CheckStatus.PASS
    assert check.answered_by == ""
    verdict = assess_restart(request(as_of=LATER), tables).verdict
    assert verdict.kind in (VerdictKind.KEEP_PAUSED, VerdictKind.ESCALATE)


def refused(when: str) -> pd.DataFrame:
    """Return a run that the gate refused."""
    return a_run(when, "failed").assign(error_message="Paused: triage is paused by H-1")


@pytest.mark.parametrize(
    "rows",
    [
        refused("11:10"),
        a_run("11:10", "scheduled"),
        a_run("11:10", "cancelled").assign(started_at=None),
    ],
    ids=["refused by the gate", "scheduled", "cancelled before it began"],
)
def test_what_never_worked_ends_no_word(rows: pd.DataFrame) -> None:
    """A hold is asked all day by what it refuses; a word would not outlive a minute otherwise."""
    assert lapsed(with_rows(said(no_ledger()), "review.runs", rows)) == ""


def test_a_word_is_about_its_hold_its_time_and_its_automations() -> None:
    """Of another hold, of a trouble that began earlier than was said, and of one automation of two it is no answer."""
    tables = said(no_ledger())
    other = said(no_ledger(), hold_id="H-2")
    assert words_about(ground(other)).empty
    assert "the trouble began at" in lapsed(tables, onset_at=ONSET - timedelta(minutes=5))
    both = ground(tables, automation_ids=("triage", "payer"))
    assert answer_of(both, stale_tables(both)) == ""
    both = ground(said(tables, "payer"), automation_ids=("triage", "payer"))
    assert "payer and triage wrote nothing" in answer_of(both, stale_tables(both))
    early = ground(tables, as_of=AS_OF - timedelta(minutes=5))
    assert words_about(early).empty, "a word that was not given yet"


def test_a_run_in_flight_lets_nobody_say_it_and_one_that_is_held_does() -> None:
    """What still works may write yet; what its engine holds writes nothing before it goes on, which ends the word."""
    working = with_rows(no_ledger(), "review.runs", a_run("10:29:58", "running"))
    (why,) = faults_now(ground(working), nothing_loaded(ground(working), "triage"))
    assert "has not ended: late" in why
    held = with_rows(no_ledger(), "review.runs", a_run("10:29:58", "held").assign(finished_at=None))
    assert faults_now(ground(held), nothing_loaded(ground(held), "triage")) == []
    tables = said(held)
    assert lapsed(tables) == ""
    runs = tables["review.runs"].copy()
    runs.loc[runs["run_id"] == "late", ["status", "finished_at"]] = ["succeeded", at("11:05")]
    assert "other runs are loaded" in lapsed({**tables, "review.runs": runs})


def test_where_runs_are_not_loaded_either_no_word_counts() -> None:
    """Nobody can tell that nothing ran afterwards, so the range may have grown."""
    tables = said(no_ledger())
    marks = tables["review.watermarks"].copy()
    marks.loc[marks["table_name"] == "run", "age_seconds"] = 7200.0
    found = findings_of(ground({**tables, "review.watermarks": marks}))
    assert all(finding.check.answered_by == "" for finding in found)


def test_a_word_answers_no_failure() -> None:
    """A leaked start is a FAIL with or without a word, and so is a record that blocks."""
    tables = with_rows(no_ledger(), "review.runs", a_run("10:40"))
    tables = said(tables)
    assert named(tables, "pause_held").status is CheckStatus.FAIL
    assert named(tables, "pause_held").answered_by == ""


def test_a_review_that_keeps_a_word_whatever_comes_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seeded bug: nobody looks at what was loaded since."""
    monkeypatch.setattr(said_none, "_faults", lambda *_: iter(()))
    with pytest.raises(AssertionError):
        test_a_word_lapses_with_what_is_loaded_after_it("a later run")

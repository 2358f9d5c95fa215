"""A narrow restart is held against what was usual: aborted early, or left narrow while nothing is sure."""

from __future__ import annotations

import pytest

from tests.review.world import (
    Tables,
    calm_tables,
    every,
    ground,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.records import CheckStatus, VerdictKind
from workbench.review.check_runs import check_run_history
from workbench.review.ground import shaped
from workbench.review.guarding import guard_rows, guarded
from workbench.review.restart import assess_restart
from workbench.review.sequential import GuardState
from workbench.review.statistics import upper_bound

TABLE = "Guardrail of the narrow restart, good at every look"


def let_through(outcomes: str, tables: Tables | None = None, until: str | None = None) -> Tables:
    """Return the calm world with runs of a narrow restart: `f` failed, `.` succeeded, one each ten seconds."""
    spans = [
        (
            f"10:{52 + n // 6:02d}:{10 * (n % 6):02d}",
            "failed" if outcome == "f" else "succeeded",
            f"n{n}",
        )
        for n, outcome in enumerate(outcomes)
    ]
    world = with_rows(tables or calm_tables(), "review.runs", runs_of("triage", spans))
    return with_probation(world, until=until)


def usually_failing() -> Tables:
    """Return the calm world with a baseline in which every fifth run failed."""
    spans = [
        (start, "failed" if n % 5 == 0 else status, run_id)
        for n, (start, status, run_id) in enumerate(every(2, "06:00", "10:00", "succeeded", "b"))
    ]
    return {**calm_tables(), "review.runs": shaped("review.runs", runs_of("triage", spans))}


def test_a_clean_baseline_is_held_against_the_tolerated_rate() -> None:
    """A hundred and twenty clean runs ask for no less than 5 %, and say where that comes from."""
    found = guarded(ground(let_through("....")))[0]
    assert (found.guardrail.rate, found.guardrail.alpha) == (0.05, 0.05)
    assert found.reading.state is GuardState.CONTINUE
    assert "tolerated" in found.guardrail.source


def test_what_always_failed_now_and_then_is_not_aborted_for_it() -> None:
    """Four of twelve abort where nothing failed before, and stay narrow where every fifth run did."""
    bad = "f..f..f..f.."
    assert guarded(ground(let_through(bad)))[0].is_aborted
    usual = guarded(ground(let_through(bad, usually_failing())))[0]
    assert usual.reading.state is GuardState.CONTINUE
    assert usual.guardrail.rate == upper_bound(24, 120, confidence=0.99)
    assert usual.guardrail.limit == pytest.approx(25)


def test_runs_of_the_incident_are_no_baseline() -> None:
    """What failed between onset and pause makes no failure usual."""
    tables = let_through("ffff")
    assert guarded(ground(tables))[0].guardrail.rate == 0.05


def test_an_abort_is_a_fail_with_the_bet_first() -> None:
    """The check says abort, its number is the e-value, its threshold the limit, and both have a source."""
    check = check_run_history(ground(let_through("..fff"))).check
    assert check.status is CheckStatus.FAIL
    assert check.sentence.startswith(
        "The guardrail says abort: 3 of 5 runs failed, and the e-value"
    )
    assert (check.number or 0) >= 20 and "e-value of a failure rate above 5.0 %" in check.unit
    assert check.threshold == "below 20, after whichever run one looks"
    assert "Ville" in check.threshold_source and "tolerated" in check.threshold_source


def test_an_abort_says_how_to_stop_what_is_still_let_through() -> None:
    """The verdict keeps paused, and the next command places a hold that this narrow restart does not open."""
    found = assess_restart(ground().request, let_through("..fff")).verdict
    assert found.kind is VerdictKind.KEEP_PAUSED
    assert found.first_blocker.startswith("The guardrail says abort")
    assert found.next_command == (
        "workbench pause automation=triage --reason 'the guardrail of the narrow restart says abort'"
    )


def test_an_abort_of_what_has_ended_needs_no_other_hold() -> None:
    """The hold was never gone: where the narrow restart is over the verdict alone keeps it paused."""
    found = assess_restart(ground().request, let_through("..fff", until="10:58")).verdict
    assert found.kind is VerdictKind.KEEP_PAUSED
    assert not found.next_command.startswith("workbench pause")


def test_what_is_inconclusive_stays_narrow_and_says_when_to_stop() -> None:
    """One failure of four is no abort: the verdict asks for more narrow runs and names the failures that stop it."""
    found = assess_restart(ground().request, let_through("...f")).verdict
    assert found.kind is VerdictKind.RESTART_NARROW
    own = guarded(ground(let_through("...f")))[0]
    more = own.aborting_count(found.narrow_run_count or 0) - 1
    assert f"stop at {more} failures among them" in found.reason
    assert own.aborting_count() > 1


def test_the_table_has_what_ran_and_nothing_else() -> None:
    """One row for each automation that ran, with bet, limit, reference and bounds; none before the first run."""
    section = check_run_history(ground(let_through("...f"))).section
    row = section.tables[TABLE].iloc[0]
    assert (row["automation_id"], row["run_count"], row["failure_count"]) == ("triage", 4, 1)
    assert row["low_rate"] < 0.25 < row["high_rate"]
    assert row["e_value"] < row["abort_e_value"] == 20
    assert TABLE not in check_run_history(ground()).section.tables
    assert guard_rows([]).empty


def test_the_one_nearest_to_its_abort_stands_first() -> None:
    """Of two automations the failing one is judged, whatever the other's clean runs say."""
    tables = let_through("." * 20)
    more = rows(
        """
        probation_id | hold_id | automation_id | max_runs | started_at
        P-2          | H-1     | other         | 20       | 10:52
        """
    )
    tables = with_rows(tables, "store.probation", more)
    tables = with_rows(
        tables, "review.runs", runs_of("other", every(1, "10:53", "10:57", "failed", "o"))
    )
    found = guarded(ground(tables, automation_ids=("triage", "other")))
    assert [(one.automation_id, one.is_aborted) for one in found] == [
        ("other", True),
        ("triage", False),
    ]
    check = check_run_history(ground(tables, automation_ids=("triage", "other"))).check
    assert check.status is CheckStatus.FAIL
    assert check.sentence.startswith("Of other: The guardrail says abort")


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ("..fff", "abort (3 of 5 runs of triage failed). The guardrail says abort: "),
        ("...f", "stay narrow (1 of 4 runs of triage failed). The guardrail says stay narrow: "),
        ("." * 40, "clean (0 of 40 runs of triage failed). The guardrail is clean: "),
    ],
)
def test_the_headline_says_abort_stay_narrow_or_clean(outcomes: str, said: str) -> None:
    """One of the three words and the reading, whenever something went through; nothing where nothing did."""
    tables = let_through(outcomes, calm_tables() if len(outcomes) < 9 else usually_failing())
    assert assess_restart(ground().request, tables).headline.restart_says.startswith(said)
    assert assess_restart(ground().request, calm_tables()).headline.restart_says == ""


def test_runs_that_have_not_ended_stay_narrow() -> None:
    """What was let through and is in flight shows nothing yet, and the headline says so."""
    busy = with_rows(
        calm_tables(), "review.runs", runs_of("triage", [("10:59:55", "running", "n0")])
    )
    said = assess_restart(ground().request, with_probation(busy)).headline.restart_says
    assert said.startswith("stay narrow (0 of 0 runs of triage failed). None of the runs")

"""Error budgets of a review: paused time is taken out, objectives come from the registry, a spent one stays narrow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.queries.given import TRIAGE, Given
from tests.review.world import (
    AS_OF,
    DAY,
    Tables,
    at,
    calm_tables,
    ground,
    request,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.records import CheckStatus
from workbench.review.burn_rate import RULES
from workbench.review.check_runs import check_run_history
from workbench.review.error_budget import (
    budget_tables,
    merged,
    objectives,
    outcome_query,
    running_age,
    with_ages,
)
from workbench.review.ground import OBJECTIVES

BURNS = "Error budget: burn rates over the time in which it ran"
BUDGETS = "Error budget of the last four weeks in which it ran"


def outcomes(*spans: tuple[str, int, int], automation_id: str = "triage") -> pd.DataFrame:
    """Return runs as (first start, how many, how many of them failed), one a second, each half a second long."""
    found: list[dict[str, Any]] = []
    for start, count, failed in spans:
        found += [
            {
                "source_id": "engine",
                "run_id": f"{start}-{n}",
                "automation_id": automation_id,
                "started_at": at(start) + timedelta(seconds=n),
                "finished_at": at(start) + timedelta(seconds=n + 0.5),
                "is_failed": n < failed,
            }
            for n in range(count)
        ]
    return pd.DataFrame(found)


def with_objective(
    tables: Tables, percent: str = "99", scope: str = "automation=triage", members: int = 1
) -> Tables:
    """Return the tables with an objective for `triage`."""
    row = {
        "scope": scope, "automation_id": "triage", "member_count": members, "objective_percent": percent,
    }  # fmt: skip
    return with_rows(tables, OBJECTIVES, pd.DataFrame([row]))


def told(tables: Tables, **more: Any) -> dict[str, pd.DataFrame]:
    """Return the tables of the section."""
    return budget_tables(ground(tables, **more))


def test_without_an_objective_there_is_no_table() -> None:
    """Nothing is invented: the registry states what is to succeed, or nothing is said."""
    tables = with_rows(calm_tables(), "review.outcomes", outcomes(("10:00", 500, 400)))
    assert told(tables) == {}
    assert BURNS not in check_run_history(ground(tables)).section.tables


def test_windows_end_where_the_pause_begins() -> None:
    """Paused at 10:30:00.2 and looked at at 11:00: the last hour in which it ran is the one before the pause."""
    tables = with_rows(
        calm_tables(), "review.outcomes", outcomes(("09:29:58", 1, 1), ("09:31", 900, 0), ("10:26", 200, 190))
    )  # fmt: skip
    burns = told(with_objective(tables))[BURNS]
    hour = burns.iloc[0]
    assert (hour["long_run_count"], hour["long_failure_count"]) == (1100, 190)
    assert (hour["short_run_count"], hour["short_failure_count"]) == (200, 190)
    assert hour["long_burn"] == pytest.approx(190 / 1100 / 0.01)
    assert list(burns["windows"]) == [
        "1 h 00 min and 5 min",
        "6 h 00 min and 30 min",
        "3 d 0 h and 6 h 00 min",
    ]
    assert list(burns["result"]) == ["fires"] * 3
    assert list(burns["needed_run_count"]) == [7, 17, 100]


def test_the_same_runs_in_wall_clock_time_would_be_gone() -> None:
    """Seeded bug: without the pause taken out nothing ran in the last five minutes."""
    frame = with_rows(calm_tables(), "review.outcomes", outcomes(("10:26", 200, 190)))
    held = with_ages(ground(frame))["age_seconds"]
    assert held.max() == pytest.approx(4 * 60 + 0.2 - 0.5)
    free = with_rows({**frame, "review.hold_targets": frame["review.hold_targets"].iloc[:0]}, "review.holds", rows(
        "hold_id | scope | placed_at | released_at\nH-0 | kind=agent | 01:00 | 01:00"))  # fmt: skip
    assert with_ages(ground(free, hold_id="H-0"))["age_seconds"].min() > 30 * 60


def test_a_run_that_ended_under_the_pause_counts_at_its_begin() -> None:
    """The clock stands still: begun before, ended after, its age is nought; begun under it, it does not count."""
    row = outcomes(("10:29", 1, 0), ("10:40", 1, 1))
    row.loc[0, "finished_at"] = at("10:45")
    found = with_ages(ground(with_rows(calm_tables(), "review.outcomes", row)))
    assert list(found["run_id"]) == ["10:29-0"]
    assert list(found["age_seconds"]) == [0.0]


def test_a_narrow_restart_is_time_in_which_it_ran() -> None:
    """From its begin to its end, or to the end of the last run in it; the pause around it is taken out."""
    runs = outcomes(("10:26", 10, 0), ("10:52", 10, 1))
    tables = with_rows(with_probation(calm_tables()), "review.outcomes", runs)
    found = with_ages(ground(tables)).sort_values("age_seconds")
    assert len(found) == 20
    # Nine and a half seconds of the narrow restart, then the minutes before the pause.
    assert found["age_seconds"].iloc[0] == 0.0
    assert found["age_seconds"].iloc[9] == pytest.approx(9.0)
    assert found["age_seconds"].iloc[19] == pytest.approx(9.5 + 4 * 60 + 0.2 - 0.5)
    ended = with_rows(with_probation(calm_tables(), until="10:53"), "review.outcomes", runs)
    assert with_ages(ground(ended))["age_seconds"].min() == pytest.approx(50.5)


def test_an_earlier_pause_is_taken_out_as_well() -> None:
    """Two holds that overlap stop the clock once."""
    tables = with_rows(calm_tables(), "review.holds", rows(
        "hold_id | scope | placed_at | released_at\nH-0 | kind=agent | 09:00 | 09:40\nH-9 | kind=agent | 09:10 | 09:50"
    ))  # fmt: skip
    tables = with_rows(tables, "review.hold_targets", rows(
        "hold_id | automation_id | recorded_at\nH-0 | triage | 09:00\nH-9 | triage | 09:10"
    ))  # fmt: skip
    tables = with_rows(tables, "review.outcomes", outcomes(("08:59:59", 1, 0), ("09:20", 1, 0)))
    found = with_ages(ground(tables))
    assert list(found["run_id"]) == ["08:59:59-0"]
    assert found["age_seconds"].iloc[0] == pytest.approx(40 * 60 + 0.2 + 0.5)


def test_stretches_that_touch_are_one() -> None:
    """Order does not matter, and what is empty is none."""
    assert merged([(50.0, 60.0), (10.0, 20.0), (15.0, 30.0), (30.0, 40.0), (45.0, 45.0)]) == [
        (10.0, 40.0),
        (50.0, 60.0),
    ]
    ages = pd.Series([5.0, 10.0, 25.0, 40.0, 100.0])
    assert list(running_age(ages, [(10.0, 40.0)])) == [5.0, 10.0, 10.0, 10.0, 70.0]


def test_a_spent_budget_stays_narrow() -> None:
    """Eleven failures of a thousand at 99 %: whatever the runs since the pause show, run history lacks evidence."""
    spans = [(f"10:{50 + n // 60:02d}:{n % 60:02d}", "succeeded", f"n{n}") for n in range(100)]
    clean = with_probation(calm_tables(), since="10:49")
    clean = with_rows(clean, "review.runs", runs_of("triage", spans, provider="acme"))
    enough = check_run_history(ground(clean))
    assert enough.check.status is CheckStatus.PASS

    def status(failed: int) -> tuple[CheckStatus, str]:
        told = with_rows(clean, "review.outcomes", outcomes(("08:00", 1000, failed)))
        check = check_run_history(ground(with_objective(told))).check
        return check.status, check.sentence

    assert status(10)[0] is CheckStatus.PASS
    found, sentence = status(11)
    assert found is CheckStatus.NO_EVIDENCE
    assert (
        " The error budget of automation=triage is spent: 11 failures in 1,000 runs of four weeks, 10 allowed at 99 %;"
        " stay narrow (error budget policy of the Site Reliability Workbook)."
    ) in sentence
    assert sentence.endswith(
        " automation=triage burned its error budget 1.1 times as fast as allowed over 3 d 0 h and 6 h 00 min."
    )


def test_what_the_gate_refused_spends_nothing() -> None:
    """Ten starts that the gate refused in a narrow restart, which the engine calls failed, are no failures and no runs."""
    ran, refused = outcomes(("10:20", 110, 0), ("10:53", 4, 1)), outcomes(("10:52:30", 10, 10))
    refused["error_message"] = "Paused: triage is paused by H-1"
    ran["error_message"] = "boom"
    tables = with_rows(with_probation(calm_tables()), "review.outcomes", pd.concat([ran, refused]))
    budget = told(with_objective(tables))[BUDGETS].iloc[0]
    assert (budget["run_count"], budget["failure_count"]) == (114, 1)
    assert budget["result"] == "not spent"


def test_too_few_runs_say_so() -> None:
    """Volumes decide: with sixty runs at 99.9 % one failure claims nothing, and the exact bounds are named."""
    tables = with_rows(calm_tables(), "review.outcomes", outcomes(("10:29", 60, 1)))
    found = told(with_objective(tables, "99.9"))
    assert set(found[BURNS]["result"]) == {"too few runs: see the exact bounds"}
    assert list(found[BUDGETS]["result"]) == ["too few runs: see the exact bounds"]


def test_a_category_counts_as_a_whole_only_where_all_of_it_is_under_review() -> None:
    """Pooled over its automations; with one of two under review its budget is not to be told."""
    both = pd.DataFrame(
        [("category=commerce", one, 2, "99") for one in ("triage", "mailer")],
        columns=["scope", "automation_id", "member_count", "objective_percent"],
    )
    tables = with_rows(calm_tables(), OBJECTIVES, both)
    tables = with_rows(tables, "review.outcomes", outcomes(("10:00", 60, 1)))
    tables = with_rows(
        tables, "review.outcomes", outcomes(("10:00", 60, 2), automation_id="mailer")
    )
    assert objectives(ground(tables)) == []
    whole = told(tables, automation_ids=("mailer", "triage"))[BUDGETS].iloc[0]
    assert (whole["scope"], whole["run_count"], whole["failure_count"]) == (
        "category=commerce",
        120,
        3,
    )
    assert whole["allowed_failures"] == pytest.approx(1.2)
    assert whole["budget_spent_share"] == pytest.approx(2.5)


def test_the_query_gives_what_ended_in_four_weeks_before_the_pause() -> None:
    """Given runs, expect outcomes: one that crashed before its start counts; cancelled ones, later ends, others are out."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | environment | status    | first_seen_at | started_at | finished_at | error_message
        r1     | triage        | production  | succeeded | 10:00         | 10:00      | 10:02       | -
        r2     | triage        | production  | crashed   | 10:00         | 10:00      | 10:01       | boom
        r3     | triage        | production  | cancelled | 10:00         | 10:00      | 10:01       | -
        r4     | triage        | production  | failed    | 10:59         | 10:59      | 11:00       | -
        r5     | triage        | staging     | failed    | 10:00         | 10:00      | 10:01       | -
        r6     | mailer        | production  | failed    | 10:00         | 10:00      | 10:01       | -
        r7     | triage        | production  | failed    | 10:00         | -          | 10:01       | -
        """,
    )
    call = outcome_query(request())
    assert call.parameters["since"] == request().paused_at - timedelta(days=28)
    found = given.ask("review.outcomes", **call.parameters)
    assert list(found["run_id"]) == ["r2", "r7", "r1"]
    assert list(found["is_failed"]) == [True, True, False]
    assert found["error_message"].iloc[0] == "boom"
    asked = {**TRIAGE, "environment": None, "since": DAY, "as_of": AS_OF}
    assert len(given.ask("review.outcomes", **asked)) == 4
    assert len(RULES) == 3


def test_a_run_of_a_narrow_restart_that_does_not_say_when_it_ended_counts() -> None:
    """It ends where it starts, at the last instant of the narrow restart, and spends the budget all the same."""
    row = outcomes(("10:55", 1, 1))
    row["finished_at"] = row["started_at"]
    found = with_ages(ground(with_rows(with_probation(calm_tables()), "review.outcomes", row)))
    assert list(found["run_id"]) == ["10:55-0"]

"""Given rows, expect rows: what a look at the triggers asks the warehouse, and what each query promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.queries.given import TRIAGE, WINDOW, Given
from tests.review.world import AS_OF, at
from workbench.queries import load_query, query_names
from workbench.review.triggers import look_queries
from workbench.trigger_rules import Subject, TriggerRules

NAMES = query_names("triggers.")
HOUR, A_DAY = AS_OF - timedelta(hours=1), AS_OF - timedelta(days=1)
MORE: dict[str, Any] = {
    "run_count": 2,
    "newest_count": 1,
    "hour_since": HOUR,
    "day_since": A_DAY,
    "ended_since": A_DAY,
}


def ask(given: Given, name: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query as tuples, instants as minutes of the day."""
    known = {**TRIAGE, **WINDOW, **MORE}
    wanted = load_query(name).parameters
    found = given.ask(name, **{k: v for k, v in known.items() if k in wanted})
    return [tuple(_plain(v) for v in row) for row in found.astype(object).itertuples(index=False)]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return f"{value:%H:%M}"
    return None if pd.isna(value) else value


@pytest.mark.parametrize("name", NAMES)
def test_a_look_gives_each_query_what_its_header_asks(name: str) -> None:
    """One statement, bounded on both sides, ordered, with exactly the parameters that a look brings."""
    subject = Subject("automation=triage", ("triage",), TriggerRules(), ("ops-lead",))
    brought = look_queries([subject], AS_OF)
    (statement,) = duckdb.connect().extract_statements(load_query(name).sql)
    assert set(statement.named_parameters) == set(brought[name]) == set(load_query(name).parameters)
    assert {"since", "as_of"} <= set(brought[name])
    assert "\norder by " in load_query(name).sql
    assert load_query(name).grain.startswith("one row per")
    assert Given().ask(name, **brought[name]).empty
    assert set(brought) == set(NAMES)


def test_recent_runs_are_the_last_that_ended() -> None:
    """Cancelled and running ones are left out, one that ends later is not known, and each has its own last two."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | started_at | finished_at
        r1     | triage        | failed    | 10:00         | 10:00      | 10:01
        r2     | triage        | succeeded | 10:02         | 10:02      | 10:03
        r3     | triage        | cancelled | 10:04         | 10:04      | 10:05
        r4     | triage        | crashed   | 10:06         | 10:06      | 10:07
        r5     | triage        | failed    | 10:59         | 10:59      | 11:00
        r6     | other         | failed    | 10:59         | 10:59      | 10:59:30
        """,
    )
    assert [row[1] for row in ask(given, "triggers.recent_runs")] == ["r2", "r4"]


def test_outcomes_are_what_ended_in_the_longest_window() -> None:
    """Begun earlier but ended in it counts; cancelled, ended before it or later does not."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | started_at | finished_at
        r1     | triage        | crashed   | 08:00         | 08:00      | 10:01
        r2     | triage        | succeeded | 10:02         | 10:02      | 10:03
        r3     | triage        | cancelled | 10:04         | 10:04      | 10:05
        r4     | triage        | failed    | 08:06         | 08:06      | 09:59
        r5     | triage        | failed    | 10:59         | 10:59      | 11:00
        """,
    )
    found = given.ask("triggers.outcomes", **TRIAGE, **WINDOW, ended_since=HOUR)
    assert list(found["run_id"]) == ["r1", "r2"]
    assert list(found["is_failed"]) == [True, False]


def test_the_usual_cost_leaves_out_the_newest_runs() -> None:
    """The median of what was priced before, for each currency apart."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | finished_at | cost_amount | cost_currency
        r1     | triage        | succeeded | 10:00         | 10:01       | 1           | USD
        r2     | triage        | succeeded | 10:02         | 10:03       | 3           | USD
        r3     | triage        | succeeded | 10:03         | 10:04       | -           | USD
        r4     | triage        | failed    | 10:04         | 10:05       | 5           | -
        r5     | triage        | succeeded | 10:06         | 10:07       | 900         | USD
        r6     | triage        | succeeded | 10:08         | 11:07       | 900         | USD
        """,
    )
    assert ask(given, "triggers.usual_cost") == [("triage", "", 1, 5.0), ("triage", "USD", 2, 2.0)]


def test_spend_of_the_hour_and_the_day() -> None:
    """Sums are exact decimals, by when a run ended; failed runs cost as well."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | finished_at | cost_amount | cost_currency
        r1     | triage        | succeeded | 09:00         | 09:59       | 0.1         | USD
        r2     | triage        | failed    | 09:58         | 10:00       | 0.2         | USD
        r3     | triage        | succeeded | 10:06         | 10:07       | 0.1         | USD
        r4     | triage        | succeeded | 10:08         | 11:00       | 900         | USD
        """,
    )
    assert ask(given, "triggers.spend") == [("triage", "USD", "0.300000", "0.400000")]


def test_customer_changes_by_run_with_what_the_run_was_like() -> None:
    """Changes of the last hour that customers see or may see; a run that ends later is at work."""
    given = (
        Given()
        .table(
            "run",
            """
            run_id | automation_id | status    | first_seen_at | started_at | finished_at
            r1     | triage        | failed    | 10:00         | 10:00      | 10:30
            r2     | triage        | succeeded | 10:20         | 10:20      | 11:30
            """,
        )
        .table(
            "affected_record",
            """
            run_id | automation_id | record_type | record_id | change_seq | changed_at | customer_facing
            r1     | triage        | mail        | m1        | 1          | 10:10      | yes
            r1     | triage        | mail        | m2        | 1          | 10:11      | -
            r1     | triage        | draft       | d1        | 1          | 10:12      | no
            r2     | triage        | mail        | m3        | 1          | 10:40      | yes
            r2     | triage        | mail        | m3        | 2          | 11:00      | yes
            r0     | triage        | mail        | m0        | 1          | 09:59      | yes
            r9     | triage        | mail        | m9        | 1          | 10:50      | yes
            """,
        )
    )
    assert [(*r[1:3], r[4]) for r in ask(given, "triggers.customer_changes")] == [
        ("r1", 2, "failed"),
        ("r2", 1, "running"),
        ("r9", 1, None),
    ]


def test_sources_tell_how_far_they_are_loaded() -> None:
    """A source without a mark for that table has none, and another table's mark says nothing."""
    given = (
        Given()
        .table(
            "run",
            """
            source_id | run_id | automation_id | status    | first_seen_at
            prefect   | r1     | triage        | succeeded | 10:00
            cron      | r2     | triage        | succeeded | 10:00
            old       | r3     | triage        | succeeded | 11:00
            """,
        )
        .table(
            "source_watermark",
            """
            source_id | table_name | loaded_until_at | checked_at
            prefect   | run        | 10:55           | 10:55
            cron      | step       | 10:55           | 10:55
            """,
        )
    )
    assert ask(given, "triggers.sources") == [
        ("triage", "run", "cron", None),
        ("triage", "run", "prefect", "10:55"),
    ]
    assert at("10:55") < AS_OF

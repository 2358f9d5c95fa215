"""Given runs that do not say when they ended, each query counts them by their status, and none before it knows of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.queries.given import TRIAGE, WINDOW, Given
from tests.review.world import at

RUNS = """
batch_id | run_id | automation_id | status    | first_seen_at | started_at | scheduled_at | cost_amount | cost_currency | error_message
b1       | good   | triage        | succeeded | 10:00         | 10:00      | -            | 1           | EUR           | -
b1       | bad    | triage        | failed    | 10:02         | 10:02      | -            | 2           | EUR           | boom
b1       | off    | triage        | cancelled | 10:03         | 10:03      | -            | 4           | EUR           | -
b1       | busy   | triage        | running   | 10:04         | 10:04      | -            | 8           | EUR           | -
b1       | unborn | triage        | crashed   | 10:05         | -          | 10:20        | -           | -             | -
b2       | late   | triage        | failed    | 09:00         | 10:40      | -            | 16          | EUR           | late
"""
MORE: dict[str, Any] = {
    **TRIAGE, **WINDOW, "environment": None, "ended_since": at("09:30"), "day_since": at("09:30"),
    "hour_since": at("10:01"), "run_count": 9, "newest_count": 1, "since": at("08:00"),
}  # fmt: skip


def _ask(name: str, wanted: str, *, as_of: str = "11:00") -> Any:
    from workbench.queries import load_query

    asked = {
        k: v for k, v in {**MORE, "as_of": at(as_of)}.items() if k in load_query(name).parameters
    }
    return Given().table("run", RUNS).ask(name, **asked)[wanted]


@pytest.mark.parametrize(
    "name", ["review.outcomes", "triggers.outcomes", "triggers.recent_runs", "month.failures"]
)
def test_outcomes_have_what_ended_without_saying_when(name: str) -> None:
    """By status, at the latest instant that is told; what is running, cancelled or began later is left out."""
    assert list(_ask(name, "run_id")) in (
        ["good", "bad", "unborn", "late"],
        ["late", "bad", "unborn"],
    )
    assert "late" not in list(_ask(name, "run_id", as_of="10:30"))
    assert "unborn" not in list(_ask(name, "run_id", as_of="10:15"))
    ends = dict(zip(_ask(name, "run_id"), _ask(name, "finished_at"), strict=True))
    assert (ends["bad"], ends["unborn"]) == (at("10:02"), at("10:20"))


def test_failed_steps_and_the_month_know_none_before_it_began() -> None:
    """A failed run without a step is a failure at its start; the month counts each status."""
    assert list(_ask("review.failed_steps", "run_id")) == ["bad", "unborn", "late"]
    assert list(_ask("review.failed_steps", "run_id", as_of="10:30")) == ["bad", "unborn"]
    counts = dict(
        zip(_ask("month.outcomes", "status"), _ask("month.outcomes", "run_count"), strict=True)
    )
    assert counts == {"cancelled": 1, "crashed": 1, "failed": 2, "succeeded": 1}
    assert sum(_ask("month.outcomes", "run_count", as_of="10:30")) == 4


def test_spend_counts_what_is_over() -> None:
    """A price counts once its run is over, in the hour of the latest instant told; what runs is not counted."""
    assert [float(one) for one in _ask("triggers.spend", "day_amount")] == [23.0]
    assert [float(one) for one in _ask("triggers.spend", "hour_amount")] == [22.0]
    assert list(_ask("triggers.usual_cost", "run_count")) == [3]


def test_a_write_of_a_run_that_ended_at_an_unknown_instant_has_its_status() -> None:
    """A failed run that wrote is not taken for one that is still at work; one that runs is."""
    records = "\n".join(
        [
            "run_id | automation_id | record_type | record_id | change_seq | changed_at | customer_facing"
        ]
        + [
            f"{run_id} | triage | invoice | {run_id} | 1 | 10:30 | yes"
            for run_id in ("bad", "busy")
        ]
    )
    given = Given().table("run", RUNS).table("affected_record", records)
    asked = {name: MORE[name] for name in ("automation_ids", "since", "as_of", "hour_since")}
    found = given.ask("triggers.customer_changes", **asked)
    assert dict(zip(found["run_id"], found["status"], strict=True)) == {
        "bad": "failed",
        "busy": "running",
    }


def test_a_backlog_that_ended_before_went_not_on() -> None:
    """What ended at an unknown instant before the pause did not go on after it; what runs did."""
    given = Given().table("run", RUNS)
    instants = {
        "since": at("08:00"),
        "paused_at": at("10:10"),
        "resumed_at": at("10:20"),
        "until": at("10:30"),
    }
    found = given.ask("engine.fired_backlog", source_id="source", **TRIAGE, **instants)
    assert list(found["went_on_count"]) == [1]


def test_a_load_counts_what_does_not_say_when() -> None:
    """Ended runs without an end, and those without a start, of this batch alone."""
    given = Given().table("run", RUNS)
    found = given.ask("load.endless_run", batch_id="b1").iloc[0]
    assert (found["endless_count"], found["startless_count"]) == (4, 1)
    assert given.ask("load.endless_run", batch_id="b9").empty

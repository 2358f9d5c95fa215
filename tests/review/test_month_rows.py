"""What a monthly review asks for is enough: runs left out or counted together change none of its figures."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.queries.given import with_month_rows
from tests.review.world import (
    AS_OF,
    DAY,
    Tables,
    at,
    calm_tables,
    rows,
    with_rows,
)
from workbench.review.ground import OBJECTIVES, PROBATION, TICKETS
from workbench.review.month import MonthRequest, assess_month

IDS = ("mailer", "triage")
ENDED_SINCE = at("04:00")
HOLDS = """
hold_id | scope      | purpose  | mode   | placed_at | released_at
H-1     | kind=agent | incident | drain  | 03:30     | 05:00
H-2     | kind=agent | guard    | freeze | 06:00     | 07:30
H-3     | kind=agent | drill    | freeze | 07:00     | 08:00
H-4     | kind=agent | incident | freeze | 10:30     | -
"""
NARROW = """
probation_id | hold_id | automation_id | max_runs | started_at | ended_at
P-1          | H-1     | triage        | 3        | 04:15      | 04:40
P-2          | H-2     | mailer        | -        | 06:45      | -
P-3          | H-4     | triage        | 5        | 10:40      | -
"""
ERRORS = (
    None,
    "HTTP 500",
    "triage is paused by H-2",
    "cannot tell whether it is paused",
    "paused by rain",
)


def request() -> MonthRequest:
    """Return the question about the day from four in the morning."""
    return MonthRequest(
        "2026-11", ENDED_SINCE, AS_OF, AS_OF, categories={"commerce": IDS}, environment=None
    )


def made(seed: int) -> Tables:
    """Return a world of random runs: bursts of failures, starts at the same minute, refusals, what never began."""
    chance = random.Random(seed)
    found = []
    for automation_id in IDS:
        rate = 0.1
        for number in range(300):
            rate = chance.choice((0.05, 0.9)) if chance.random() < 0.05 else rate
            found.append(_run(chance, f"{automation_id}-{number}", automation_id, rate=rate))
    tables = calm_tables()
    tables["review.runs"] = pd.DataFrame(found)
    tables["review.holds"] = rows(HOLDS).assign(placed_by="ops-lead")
    targets = [
        {"hold_id": hold, "automation_id": one, "recorded_at": placed, "delivered_at": _later(chance, placed)}
        for hold, placed in zip(tables["review.holds"]["hold_id"], tables["review.holds"]["placed_at"], strict=True)
        for one in IDS
        if chance.random() < 0.8
    ]  # fmt: skip
    tables["review.hold_targets"] = pd.DataFrame(targets)
    objectives = [(f"automation={one}", one, 1, "90") for one in IDS]
    columns = ["scope", "automation_id", "member_count", "objective_percent"]
    tables = with_rows(tables, OBJECTIVES, pd.DataFrame(objectives, columns=columns))
    ticket = {
        "probation_id": "P-1",
        "run_id": "triage-7",
        "automation_id": "triage",
        "taken_at": DAY,
    }
    return with_rows(with_rows(tables, PROBATION, rows(NARROW)), TICKETS, pd.DataFrame([ticket]))


def _later(chance: random.Random, placed: Any) -> Any:
    return chance.choice((None, placed + timedelta(seconds=2), placed + timedelta(minutes=3)))


def _run(chance: random.Random, run_id: str, automation_id: str, *, rate: float) -> dict[str, Any]:
    usual = ("succeeded", "succeeded", "succeeded", "cancelled", "running", "scheduled")
    status = (
        chance.choice(("failed", "crashed")) if chance.random() < rate else chance.choice(usual)
    )
    start = at(f"{chance.randrange(1, 11)}:{chance.randrange(60)}")
    is_over = status not in ("running", "scheduled")
    return {
        "source_id": "engine", "run_id": run_id, "automation_id": automation_id, "status": status,
        "first_seen_at": start - timedelta(minutes=chance.randrange(3)),
        "started_at": None if chance.random() < 0.03 or status == "scheduled" else start,
        "finished_at": start + timedelta(minutes=chance.choice((0, 1, 90))) if is_over else None,
        "attempt_count": chance.choice((1.0, 1.0, 1.0, 2.0)),
        "error_message": None if status == "succeeded" else chance.choice(ERRORS),
    }  # fmt: skip


def run_by_run(tables: Tables) -> Tables:
    """Return the tables with every run of the month where its own queries leave runs out or count them together."""
    runs = tables["review.runs"]
    runs = runs.assign(**{name: pd.to_datetime(runs[name], utc=True) for name in ("started_at", "finished_at")})  # fmt: skip
    is_later = runs["finished_at"] >= AS_OF
    runs["status"] = runs["status"].mask(is_later, "running")
    runs["finished_at"] = runs["finished_at"].mask(is_later)
    ended = runs[runs["finished_at"] >= ENDED_SINCE]
    began = ended["started_at"].fillna(pd.to_datetime(ended["first_seen_at"], utc=True))
    outcomes = ended.assign(started_at=began, run_count=1.0)
    return {**tables, "month.held_runs": runs, "month.failures": ended, "month.outcomes": outcomes}


def measures(tables: Tables) -> list[dict[str, Any]]:
    """Return every measure of the only category."""
    section = assess_month(request(), tables).sections["category-commerce"]
    return section.tables["Measures of the month"].to_dict("records")


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_out_or_counted_together_changes_no_figure(seed: int) -> None:
    """Random runs, looked at one by one and as the queries of the month give them, have the same measures."""
    tables = made(seed)
    asked = with_month_rows(request(), tables)
    assert measures(asked) == measures(run_by_run(tables))
    assert len(asked["month.outcomes"]) < len(tables["review.runs"])


def test_the_made_runs_can_tell_a_wrong_query() -> None:
    """So that the test above can fail: leaks, ignored failures and spent budgets all occur, and each row matters."""
    tables = made(0)
    told = {one["measure"]: one for one in measures(run_by_run(tables))}
    assert int(told["leaks"]["figure"]) and told["longest ignored failure streak"]["remark"] in IDS
    assert "spent: stay narrow" in told["error budget of automation=triage"]["remark"]
    asked = with_month_rows(request(), tables)
    whole = measures(asked)
    for name in ("month.held_runs", "month.outcomes"):
        assert measures({**asked, name: asked[name].iloc[::2]}) != whole, name
    failures = asked["month.failures"]
    alone = failures[failures["status"] != "succeeded"]
    assert measures({**asked, "month.failures": alone}) != whole

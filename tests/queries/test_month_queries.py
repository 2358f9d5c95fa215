"""Given rows, expect rows: the queries of a monthly review alone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.queries.given import STORE, TRIAGE, WINDOW, Given
from tests.review.world import at

RUN = {**TRIAGE, **WINDOW, "environment": None}
ENDED = {**RUN, "ended_since": at("10:00")}
HOLDS = """
hold_id | placed_at | released_at
H-1     | 10:00     | 10:30
H-2     | 01:00     | 02:00
"""
TARGETS = """
hold_id | automation_id | recorded_at | delivered_at
H-1     | triage        | 10:00:01    | 10:00:02
H-2     | mailer        | 01:00       | 01:00
"""


def _held() -> Given:
    return Given().table("hold", HOLDS).table("hold_target", TARGETS)


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in frame[name]]


def test_held_runs_are_those_that_a_pause_has_to_do_with() -> None:
    """Started under the hold, or in flight at it; what ended before, began after or is another's hold's is left out."""
    runs = """
    run_id | automation_id | status    | first_seen_at | started_at | finished_at
    before | triage        | succeeded | 09:00         | 09:00      | 09:59
    flight | triage        | succeeded | 09:01         | 09:50      | 10:00:01
    open   | triage        | running   | 09:02         | 09:55      | -
    under  | triage        | failed    | 09:03         | 10:10      | 10:11
    after  | triage        | succeeded | 09:04         | 10:31      | 10:32
    never  | triage        | cancelled | 09:05         | -          | 10:10
    other  | mailer        | succeeded | 09:06         | 10:10      | 10:11
    """
    asked = {**RUN, "automation_ids": ["triage", "mailer"]}
    found = _held().table("run", runs).ask("month.held_runs", **asked)
    assert _column(found, "run_id") == ["flight", "open", "under"]
    early = _held().table("run", runs).ask("month.held_runs", **{**asked, "as_of": at("10:05")})
    assert _column(early, "run_id") == ["flight", "open", "under"]
    assert _column(early, "status") == ["succeeded", "running", "scheduled"]
    assert _column(early, "started_at")[-1] is None


def test_holds_of_another_store_hold_nothing_here() -> None:
    """A warehouse may serve several stores, and each has a hold H-1."""
    run = "run_id | automation_id | status | first_seen_at | started_at | finished_at\na | triage | failed | 10:10 | 10:10 | 10:11"
    given = Given().table("hold", HOLDS.replace("H-1 ", "H-9 ")).table("hold_target", TARGETS)
    assert given.table("run", run).ask("month.held_runs", **RUN).empty
    assert list(_held().table("run", run).ask("month.held_runs", **RUN)["source_id"]) == [STORE]


def test_failures_come_with_what_started_beside_and_next() -> None:
    """A retry is trouble too; runs between two that went well are left out, those that started at once are not."""
    runs = """
    run_id | automation_id | status    | first_seen_at | started_at | finished_at | attempt_count
    a      | triage        | failed    | 08:00         | 08:00      | 09:59       | 1
    b      | triage        | succeeded | 10:01         | 10:01      | 10:02       | -
    c      | triage        | succeeded | 10:02         | 10:02      | 10:03       | 1
    d      | triage        | failed    | 10:03         | 10:03      | 10:04       | 1
    e      | triage        | succeeded | 10:04         | 10:03      | 10:05       | 1
    f      | triage        | cancelled | 10:05         | 10:04      | 10:05       | 1
    g      | triage        | succeeded | 10:06         | 10:06      | 10:07       | 1
    h      | triage        | succeeded | 10:07         | 10:07      | 10:08       | 1
    i      | triage        | succeeded | 10:08         | 10:08      | 10:09       | 2
    j      | mailer        | failed    | 10:09         | 10:09      | 10:10       | 1
    """
    found = Given().table("run", runs).ask("month.failures", **ENDED)
    assert _column(found, "run_id") == ["d", "e", "g", "i"]
    assert _column(found, "attempt_count") == [1, 1, 1, 2]


def test_outcomes_are_counted_but_for_what_a_hold_or_the_gate_may_take_out() -> None:
    """Alike ones are one row; under a hold each beginning is its own; an error that may be the gate's stays."""
    runs = """
    run_id | automation_id | status    | first_seen_at | started_at | finished_at | error_message
    a      | triage        | succeeded | 08:00         | 08:00      | 09:59       | -
    b      | triage        | succeeded | 09:00         | 09:50      | 10:00       | -
    c      | triage        | succeeded | 09:01         | 09:51      | 10:40       | -
    d      | triage        | failed    | 09:02         | 09:52      | 10:41       | HTTP 500
    e      | triage        | failed    | 09:03         | 09:53      | 10:42       | HTTP 501
    f      | triage        | failed    | 10:10         | 10:10      | 10:11       | triage is paused by H-1
    g      | triage        | cancelled | 10:20         | -          | 10:21       | -
    h      | triage        | running   | 10:40         | 10:40      | -           | -
    """
    found = _held().table("run", runs).ask("month.outcomes", **ENDED)
    rows = found[["status", "started_at", "finished_at", "error_message", "run_count"]]
    told = [tuple(None if pd.isna(v) else v for v in row) for row in rows.itertuples(index=False)]
    assert told == [
        ("cancelled", at("10:20"), at("10:21"), None, 1),
        ("failed", at("10:10"), at("10:11"), "triage is paused by H-1", 1),
        ("failed", at("09:53"), at("10:42"), None, 2),
        ("succeeded", at("09:51"), at("10:40"), None, 2),
    ]

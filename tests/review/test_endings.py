"""Runs whose source does not say when they ended: they count by their status, from the latest instant that they tell."""

from __future__ import annotations

import pandas as pd

from tests.review.world import (
    PAUSED,
    Tables,
    at,
    calm_tables,
    ground,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.review.check_people import failure_streaks
from workbench.review.durations import duration_shifts
from workbench.review.endings import ended_at
from workbench.review.guarding import guarded
from workbench.review.onset import find_onset
from workbench.review.pausing import audit_pause
from workbench.review.periods import period_rates, standings, with_period
from workbench.review.trust import failure_streaks as long_streaks


def _endless(tables: Tables) -> Tables:
    runs = tables["review.runs"].assign(finished_at=pd.NaT)
    runs["finished_at"] = pd.to_datetime(runs["finished_at"], utc=True)
    return {**tables, "review.runs": runs}


def test_the_end_is_told_by_the_status() -> None:
    """The told end, else the latest instant of what is over; what runs has none, whatever it tells."""
    runs = rows(
        """
        status    | first_seen_at | scheduled_at | queued_at | started_at | finished_at
        failed    | 10:00         | 10:01        | 10:02     | 10:03      | 10:09
        failed    | 10:00         | 10:01        | 10:02     | 10:03      | -
        crashed   | 10:00         | 10:01        | -         | -          | -
        cancelled | 10:00         | -            | -         | -          | -
        running   | 10:00         | 10:01        | 10:02     | 10:03      | -
        """
    )
    found = [None if pd.isna(one) else f"{one:%H:%M}" for one in ended_at(runs)]
    assert found == ["10:09", "10:03", "10:01", "10:00", None]


def test_onset_counts_and_streaks_are_those_of_runs_that_say_when() -> None:
    """The same incident without a single end: the same onset, failures, streaks; no duration at all."""
    told, endless = ground(), ground(_endless(calm_tables()))
    found = [
        find_onset(one.table("runs"), one.table("alerts"), paused_at=PAUSED)
        for one in (told, endless)
    ]
    assert found[0] == found[1]
    counts = ["period", "run_count", "failure_count", "exact_upper_bound"]
    rates = [period_rates(with_period(one)) for one in (told, endless)]
    assert rates[0][counts].equals(rates[1][counts])
    assert rates[1]["failure_count"].sum() == 15
    assert rates[1]["p50_seconds"].isna().all() and rates[0]["p50_seconds"].notna().any()
    assert failure_streaks(told).equals(failure_streaks(endless))
    acts = pd.DataFrame({"automation_id": [], "acted_at": pd.to_datetime([], utc=True)})
    streaks = [long_streaks(one.table("runs"), acts) for one in (told, endless)]
    assert list(streaks[0]["troubled_run_count"]) == list(streaks[1]["troubled_run_count"]) == [15]
    assert streaks[1]["until_at"].iloc[0] == at("10:28")


def test_runs_of_a_narrow_restart_count_and_what_runs_stays_in_flight() -> None:
    """Failed and clean ones without an end count for the guardrail; a running one is open, a cancelled one is neither."""
    spans = [("10:53", "failed", "p0"), ("10:54", "succeeded", "p1"), ("10:55", "cancelled", "p2"), ("10:59:55", "running", "p3")]  # fmt: skip
    tables = with_probation(with_rows(calm_tables(), "review.runs", runs_of("triage", spans)))
    tables = _endless(tables)
    assert sum(runs_of("triage", spans)["finished_at"].notna()) == 3
    (standing,) = standings(ground(tables))
    assert (standing.failure_count, standing.run_count, standing.open_run_count) == (1, 2, 1)
    (one,) = guarded(ground(tables))
    assert (one.reading.failure_count, one.reading.run_count) == (1, 2)
    assert duration_shifts(ground(tables)) == []


def test_what_may_have_crossed_a_pause_is_in_no_table_of_it_but_its_writes_may_drain() -> None:
    """Who ended at an unknown instant is not said to have been in flight; a write under a drain tells that it was."""
    last = runs_of("triage", [("10:29", "failed", "last")])
    tables = _endless(with_rows(calm_tables(), "review.runs", last))
    write = rows(
        """
        source_id | run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility
        ledger    | last   | invoice     | INV-2     | 1          | triage        | 10:31      | update | reversible
        """
    )
    tables = with_rows(tables, "review.affected_records", write)
    tables["review.holds"]["mode"] = "drain"
    one = ground(tables)
    audit = audit_pause(one, one.hold)
    assert audit.finished_after.empty
    assert list(audit.writes["kind"]) == ["in flight, drains"]

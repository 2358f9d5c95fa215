"""Runs by period: paused time is not run time, and each restart is a period of its own."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.review.world import (
    Tables,
    at,
    calm_tables,
    every,
    ground,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.review.check_runs import check_run_history, conservation, skipped_starts
from workbench.review.ground import shaped
from workbench.review.periods import (
    bands,
    moments,
    period_rates,
    restarts,
    run_buckets,
    since_counts,
    standings,
    with_period,
)

SECOND = {"hold_id": "H-2", "paused_at": at("10:46")}


def _two_holds() -> Tables:
    tables = calm_tables()
    tables["review.holds"] = shaped(
        "review.holds",
        rows(
            """
            hold_id | scope      | mode   | incident_id | placed_at | released_at
            H-1     | kind=agent | freeze | I-1         | 10:30     | 10:40
            H-2     | kind=agent | freeze | I-1         | 10:46     | -
            """
        ),
    )
    return with_rows(
        tables, "review.runs", runs_of("triage", every(1, "10:40", "10:46", "failed", "x"))
    )


def test_each_run_has_one_period() -> None:
    """Before the onset, before the pause, between release and next pause; what ran under a hold has none."""
    tables = with_rows(
        _two_holds(), "review.runs", runs_of("triage", [("10:35", "succeeded", "leak")])
    )
    runs = with_period(ground(tables, **SECOND))
    assert runs.groupby("period").size().to_dict() == {
        "baseline": 120,
        "incident": 15,
        "after the release of H-1": 6,
    }
    assert runs[runs["run_id"] == "leak"]["period"].isna().all()


def test_a_narrow_restart_is_the_time_since_the_pause() -> None:
    """What a probation let through is evidence; it stands under its own name."""
    tables = with_probation(
        with_rows(
            calm_tables(),
            "review.runs",
            runs_of("triage", every(1, "10:52", "10:57", "succeeded", "n")),
        )
    )
    assert since_counts(with_period(ground(tables))) == (0, 5)


def test_a_release_of_the_hold_under_review_begins_the_time_since() -> None:
    """After a full restart every run counts as evidence."""
    tables = with_rows(
        calm_tables(),
        "review.runs",
        runs_of("triage", every(1, "10:50", "10:55", "succeeded", "n")),
    )
    tables["review.holds"]["released_at"] = pd.Series([at("10:50")]).astype("datetime64[us, UTC]")
    assert [name for name, _, _ in restarts(ground(tables))] == ["since the pause"]
    assert since_counts(with_period(ground(tables))) == (0, 5)


@pytest.mark.parametrize(
    ("start", "counts", "open_count"), [("10:53", (1, 1), 0), ("10:59:55", (0, 0), 1)]
)
def test_a_hung_run_is_a_failure_and_a_young_one_leaves_it_open(
    start: str, counts: tuple[int, int], open_count: int
) -> None:
    """Without an end, a run older than any baseline run failed; a younger one is still in flight."""
    tables = with_probation(
        with_rows(calm_tables(), "review.runs", runs_of("triage", [(start, "running", "n1")]))
    )
    assert since_counts(with_period(ground(tables))) == counts
    assert standings(ground(tables))[0].open_run_count == open_count


@pytest.mark.parametrize("status", ["cancelled", "skipped", "unknown"])
def test_only_runs_that_ended_by_themselves_count(status: str) -> None:
    """A cancelled, skipped or unfinished run is neither clean nor failed."""
    tables = with_probation(
        with_rows(calm_tables(), "review.runs", runs_of("triage", [("10:53", status, "n1")]))
    )
    assert since_counts(with_period(ground(tables))) == (0, 0)


@pytest.mark.parametrize("mode", ["read_only", "dry_run", "staging"])
def test_a_rehearsal_shows_nothing_of_a_restart(mode: str) -> None:
    """A dry run that went well is no clean run, and the sentence says so; one that fails counts as failed."""
    spans = [("10:53", "succeeded", "d1"), ("10:54", "succeeded", "d2")]
    tables = with_probation(
        with_rows(calm_tables(), "review.runs", runs_of("triage", spans, run_mode=mode))
    )
    assert since_counts(with_period(ground(tables))) == (0, 0)
    said = check_run_history(ground(tables)).check.sentence
    assert "2 rehearsals (read-only, dry run or staging) do not count" in said

    failed = runs_of("triage", [("10:55", "failed", "d3")], run_mode=mode)
    assert since_counts(with_period(ground(with_rows(tables, "review.runs", failed)))) == (1, 1)
    open_one = runs_of("triage", [("10:59:55", "running", "d4")], run_mode=mode)
    later = ground(with_rows(tables, "review.runs", open_one))
    assert standings(later)[0].open_run_count == 0


def test_a_rehearsal_is_no_baseline() -> None:
    """Dry runs before the fault do not say how often the automation fails when it works."""
    spans = [("05:00", "failed", "d1"), ("05:10", "succeeded", "d2")]
    tables = with_rows(calm_tables(), "review.runs", runs_of("triage", spans, run_mode="dry_run"))
    rates = period_rates(with_period(ground(tables))).set_index("period")
    assert rates.loc["baseline", ["run_count", "failure_count"]].tolist() == [120, 0]


def test_what_never_ran_otherwise_is_proved_as_it_was() -> None:
    """An automation in staging that only knows staging runs is restarted on staging runs."""
    tables = calm_tables()
    tables["review.runs"]["run_mode"] = "staging"
    since = runs_of("triage", [("10:53", "succeeded", "n1")], run_mode="staging")
    tables = with_probation(with_rows(tables, "review.runs", since))
    assert since_counts(with_period(ground(tables))) == (0, 1)
    assert "rehearsal" not in check_run_history(ground(tables)).check.sentence


def test_durations_are_of_clean_runs() -> None:
    """A failed run that hung does not move the quantiles, and no mean is shown."""
    tables = calm_tables()
    hung = tables["review.runs"]["run_id"] == "f0"
    tables["review.runs"].loc[hung, "finished_at"] = at("10:25")
    rates = period_rates(with_period(ground(tables))).set_index("period")
    assert rates.loc["baseline", "p50_seconds"] == 10.0
    assert pd.isna(rates.loc["incident", "p50_seconds"])
    assert not any("mean" in column for column in rates.columns)


def test_a_relapse_stands_beside_the_incident() -> None:
    """The table has a row for the time after an earlier restart."""
    section = check_run_history(ground(_two_holds(), **SECOND)).section
    rates = section.tables["Runs, failures, durations, retries and cost by period"]
    assert list(rates["period"]) == [
        "baseline",
        "incident",
        "after the release of H-1",
        "since the pause",
    ]
    assert list(rates["failure_count"]) == [0, 15, 6, 0]


def test_buckets_count_every_run_once() -> None:
    """The bars of the figure add up to the runs."""
    runs = with_period(ground())
    buckets = run_buckets(runs, since=pd.Timestamp(at("06:00")), until=pd.Timestamp(at("11:00")))
    assert int(buckets["run_count"].sum()) == 135
    assert buckets[buckets["outcome"] == "failed"]["run_count"].sum() == 15
    assert buckets["started_at"].nunique() <= 61


def test_marks_and_bands_show_the_holds() -> None:
    """Onset, pauses and releases are marked; the bands end where a hold was released."""
    one = ground(_two_holds(), **SECOND)
    assert list(moments(one)["what"]) == ["onset", "H-1 placed", "H-1 released", "H-2 placed"]
    assert list(bands(one)["hold_id"]) == ["H-1", "H-2"]
    assert pd.isna(bands(one)["released_at"].iloc[1])


@pytest.mark.parametrize(
    ("status", "place"),
    [
        ("succeeded", "finished"), ("failed", "failed"), ("crashed", "failed"), ("cancelled", "cancelled"),
        ("skipped", "cancelled"), ("running", "in_flight"), ("retrying", "in_flight"), ("waiting", "in_flight"),
        ("held", "in_flight"), ("unknown", "unaccounted"),
    ],
)  # fmt: skip
def test_every_status_has_its_place(status: str, place: str) -> None:
    """Started = finished + failed + cancelled + in flight; an unknown status is not accounted for."""
    found = conservation(shaped("review.runs", runs_of("triage", [("10:00", status, "r1")]))).iloc[
        0
    ]
    assert found["started_count"] == 1
    counts = found[
        [
            "finished_count",
            "failed_count",
            "cancelled_count",
            "in_flight_count",
            "unaccounted_count",
        ]
    ]
    assert counts[f"{place}_count"] == 1
    assert counts.sum() == 1


def test_starts_skipped_while_paused() -> None:
    """Half an hour of pause at one start every two minutes is fifteen starts that a catch-up would replay."""
    found = skipped_starts(ground())
    assert list(found["skipped_start_count"]) == [15]
    tables = calm_tables()
    tables["review.registered_automations"]["expected_interval_seconds"] = None
    assert skipped_starts(ground(tables)).empty

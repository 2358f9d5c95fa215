"""How often what was resolved went wrong again: planted shares come out, and Poisson incidents show no excess."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.review.streams import START, Stream, history, incidents
from workbench.review.relapse import (
    CANNOT_TELL,
    MIN_RESOLUTIONS,
    MORE,
    NO_UNIT,
    History,
    exact_interval,
    holm,
    judged,
    relapse_shares,
)

SEEDS = range(40)


def test_overlapping_incidents_of_a_unit_are_one_trouble() -> None:
    """A unit is resolved when nothing of it is open; another unit's incidents do not matter to it."""
    found = history(
        """
        api  | 1 | 10 | 14
        api  | 2 | 12 | 13
        api  | 3 | 14 | 15
        pages| 4 | 11 | 30
        """,
        until=100,
    )
    api = found.trouble[found.trouble["unit"] == "api"]
    assert list(api["incident_count"]) == [2, 1]  # the third began when the others were over
    ends = (api["ended_at"] - START) / pd.Timedelta(hours=1)
    assert list(ends) == [14, 15]


def test_stretches_of_one_incident_are_joined() -> None:
    """A status that gets worse in the same incident, without a gap, is no relapse."""
    found = history("api | 1 | 10 | 12\napi | 1 | 12 | 15", until=100)
    assert len(found.trouble) == 1


def test_an_incident_of_several_units_counts_for_each() -> None:
    """Units are separated by comma and space, a name twice counts once, and none at all has a name of its own."""
    found = history("api, pages, api | 1 | 10 | 12\n | 2 | 20 | 21", until=100)
    assert sorted(found.trouble["unit"]) == [NO_UNIT, "api", "pages"]


def test_an_open_incident_was_not_resolved() -> None:
    """What is open at the end, or ends after it, is no resolution, and nothing begins while it lasts."""
    found = history("api | 1 | 10 | 12\napi | 2 | 20 | -\napi | 3 | 30 | 31", until=100)
    assert list(found.resolutions["gap_hours"]) == [8]
    assert len(found.trouble) == 2
    later = history("api | 1 | 10 | 12\napi | 2 | 20 | 200", until=100)
    assert len(later.resolutions) == 1


def test_the_last_day_is_not_judged() -> None:
    """A resolution whose horizon was not watched to its end is left out, relapsed or not."""
    found = history("api | 1 | 10 | 12\napi | 2 | 90 | 91\napi | 3 | 92 | 93", until=100)
    assert list(judged(found.resolutions, 24)["gap_hours"]) == [78]
    assert list(judged(found.resolutions, 6)["is_relapse"]) == [False, True, False]


def test_rates_are_per_quiet_hour() -> None:
    """Hours in trouble are no hours in which trouble can begin; the first trouble starts the clock."""
    found = history("api | 1 | 0 | 50\napi | 2 | 60 | 80\napi | 3 | 90 | 100", until=200)
    assert found.resolutions["rate"].iloc[0] == pytest.approx(2 / 120)


def test_the_local_rate_leaves_out_what_it_is_compared_with() -> None:
    """Neither the trouble itself nor what came within a day after it counts as its surroundings."""
    lines = "\n".join(f"api | {n} | {n * 240} | {n * 240 + 1}" for n in range(12))
    steady = history(lines, until=12 * 240).resolutions
    relapse = history(f"{lines}\napi | r | 1205 | 1206", until=12 * 240).resolutions
    at = 5  # began at hour 1200, far from both ends
    assert relapse["local_rate"].iloc[at] == pytest.approx(steady["local_rate"].iloc[at])
    assert relapse["gap_hours"].iloc[at] == 4


def test_a_short_history_has_no_local_rate() -> None:
    """Less than a week of quiet around a trouble says nothing of its month."""
    found = history("api | 1 | 10 | 12\napi | 2 | 20 | 21", until=100)
    assert found.resolutions["local_rate"].isna().all()


@pytest.mark.parametrize("relapse", [0.0, 0.1, 0.35])
def test_the_planted_share_is_covered(relapse: float) -> None:
    """The exact interval holds the share that was planted in at least 90 of 100 histories (95 % promised)."""
    stream = Stream(relapse=relapse)
    truth = stream.share_within(6)
    rows = [relapse_shares(stream.history(seed), horizon_hours=6).iloc[0] for seed in SEEDS]
    hits = [row["low_share"] <= truth <= row["high_share"] for row in rows]
    assert sum(hits) >= 0.9 * len(SEEDS)


def test_poisson_incidents_show_no_excess() -> None:
    """Five units without any relapse: `more than chance` is said of one of them in 5 % of the histories at most."""
    stream = Stream(units=("a", "b", "c", "d", "e"))
    said = [relapse_shares(stream.history(s), horizon_hours=24)["finding"] for s in SEEDS]
    assert sum((one == MORE).any() for one in said) <= 0.05 * len(SEEDS)


def test_a_planted_relapse_is_found() -> None:
    """A tenth of the resolutions relapsing within six hours is seen in nearly every history of a hundred incidents."""
    stream = Stream(relapse=0.1)
    said = [relapse_shares(stream.history(s), horizon_hours=6)["finding"].iloc[0] for s in SEEDS]
    assert said.count(MORE) >= 0.8 * len(SEEDS)


def test_a_slow_drift_is_no_relapse() -> None:
    """Where only the rate drifts the unit's own is exceeded, and the local rate says that this is no relapse."""
    stream = Stream(days=700, per_day=lambda day: 0.02 + 1.5 * np.sin(np.pi * day / 700) ** 6)
    rows = [relapse_shares(stream.history(s), horizon_hours=24).iloc[0] for s in SEEDS]
    assert sum(row["low_share"] > row["chance_share"] for row in rows) >= 0.9 * len(SEEDS)
    assert sum(row["finding"] == MORE for row in rows) <= 0.05 * len(SEEDS)


def test_too_few_cannot_tell() -> None:
    """Below twenty resolutions there is no share, no interval and no 0 %, but words."""
    stream = Stream(days=60, per_day=0.2)
    row = relapse_shares(stream.history(1), horizon_hours=24).iloc[0]
    assert 0 < row["resolution_count"] < MIN_RESOLUTIONS
    assert row["finding"] == CANNOT_TELL
    assert pd.isna(row["relapse_share"])
    assert pd.isna(row["low_share"])


def test_nothing_at_all_is_no_unit() -> None:
    """An empty history has no row and no resolution."""
    found = History.of("empty", incidents("api | 1 | 1 | 2").iloc[:0], until=START)
    assert relapse_shares(found, horizon_hours=6).empty
    assert found.resolutions.empty


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (0, 20, 0.0, 0.1684),
        (1, 20, 0.0013, 0.2487),
        (10, 20, 0.2720, 0.7280),
        (20, 20, 0.8316, 1.0),
    ],
)
def test_the_exact_interval_has_the_printed_numbers(
    count: int, total: int, low: float, high: float
) -> None:
    """Clopper and Pearson's intervals, as their tables have them."""
    assert exact_interval(count, total) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError, match="cannot be"):
        exact_interval(total + 1, total)


def test_holm_corrects_for_those_that_have_one() -> None:
    """The smallest of three is multiplied by three, order is kept, and none stays none."""
    found = holm(pd.Series([0.04, None, 0.01, 0.03]))
    assert found.iloc[[0, 2, 3]].tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert pd.isna(found.iloc[1])


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 30), st.sampled_from("ab")), max_size=30)
)
def test_gaps_are_never_negative_and_relapses_grow_with_the_horizon(
    drawn: list[tuple[int, int, str]],
) -> None:
    """Whatever the incidents are: no trouble overlaps the next of its unit, and a longer horizon sees no fewer."""
    lines = "\n".join(f"{u} | {n} | {b} | {b + lasted}" for n, (b, lasted, u) in enumerate(drawn))
    found = history(lines or "a | 0 | 0 | 1", until=1_000)
    assert (found.resolutions["gap_hours"] >= 0).all()
    assert found.trouble["incident_count"].sum() == max(len(drawn), 1)
    counts = [int(judged(found.resolutions, h)["is_relapse"].sum()) for h in (1, 6, 24, 72)]
    assert counts == sorted(counts)


PUBLISHED = [
    # unit, relapses within 6 h and 24 h, share and chance within 6 h, and where printed within 24 h, in percent
    ("Actions", 21, 48, 9.3, 3.5, 21.2, 13.2),
    ("Copilot", 11, 29, 8.2, 2.2, 21.6, 8.4),
    ("Codespaces", 7, 14, 5.8, 1.9, None, None),
    ("Pull Requests", 8, 20, 6.2, 2.1, None, None),
    ("Webhooks", 4, 8, 5.3, 1.2, None, None),
    ("Git Operations", 4, 11, 4.7, 1.4, None, None),
    ("Pages", 1, 7, 1.3, 1.2, None, None),
]


def github(shared_data: Path, *, began: str, ended: str) -> History:
    """Return GitHub's public incidents, maintenance left out, by two of their instants."""
    lines = (shared_data / "github_provider_incidents.jsonl").read_text("utf-8").splitlines()
    known = [row for row in map(json.loads, lines) if row["impact"] != "maintenance"]
    rows = pd.DataFrame(
        {
            "units": [", ".join(row.get("components") or []) for row in known],
            "incident_ref": [row["id"] for row in known],
            "began_at": pd.to_datetime([row.get(began) or row["started_at"] for row in known]),
            "ended_at": pd.to_datetime([row.get(ended) or row["resolved_at"] for row in known]),
        }
    )
    return History.of("github", rows, until=rows[["began_at", "ended_at"]].max().max())


@pytest.mark.parametrize(
    ("unit", "six", "day", "share", "chance", "day_share", "day_chance"), PUBLISHED
)
def test_the_known_relapses_of_github_come_out(
    shared_data: Path,
    unit: str,
    six: int,
    day: int,
    share: float,
    chance: float,
    day_share: float | None,
    day_chance: float | None,
) -> None:
    """The counts that were measured independently, exactly; their shares to a few tenths of a percent.

    They divided by every incident; here two that overlap are one trouble and the last day is not judged, so there are
    up to two resolutions fewer. Chance was per hour of the unit's span; here trouble is no time for new trouble.
    """
    found = github(shared_data, began="started_at", ended="resolved_at")
    within_six = relapse_shares(found, horizon_hours=6).set_index("unit").loc[unit]
    within_day = relapse_shares(found, horizon_hours=24).set_index("unit").loc[unit]
    assert (within_six["relapse_count"], within_day["relapse_count"]) == (six, day)
    assert within_six["relapse_share"] * 100 == pytest.approx(share, abs=0.2)
    assert within_six["chance_share"] * 100 == pytest.approx(chance, abs=0.1)
    if day_share is not None and day_chance is not None:
        assert within_day["relapse_share"] * 100 == pytest.approx(day_share, abs=0.4)
        assert within_day["chance_share"] * 100 == pytest.approx(day_chance, abs=0.1)


def test_a_part_of_githubs_excess_is_drift(shared_data: Path) -> None:
    """Beside the local rate Copilot's relapses are not told apart from chance any more, and those of Actions still are."""
    found = github(shared_data, began="started_at", ended="resolved_at")
    within = relapse_shares(found, horizon_hours=24).set_index("unit")
    copilot = within.loc["Copilot"]
    assert copilot["low_share"] > copilot["chance_share"]
    assert copilot["local_share"] > 1.5 * copilot["chance_share"]
    assert copilot["finding"] != MORE
    assert within.loc["Actions", "finding"] == MORE

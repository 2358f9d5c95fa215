"""Stretches of one failure rate: the known ones of a public series, few of them, and none where nothing changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.review.public import node_builds
from workbench.review import changepoints
from workbench.review.changepoints import FALSE_ALARM, LEAST_BINS, find_segments, rate_segments


@pytest.fixture
def public(shared_data: Path) -> pd.DataFrame:
    """Green builds of each day, as Node.js published them."""
    return node_builds(shared_data)


def test_the_known_bad_summer_is_isolated_among_few(public: pd.DataFrame) -> None:
    """Of Node.js' builds 0.5 % were green from 2025-06-12 to 08-31: one stretch, of at most ten in nine months."""
    bad = public["run_count"] - public["green_count"]
    segments = find_segments(bad, public["run_count"])
    assert 3 <= len(segments) <= 10
    worst = max(segments, key=lambda one: one.rate)
    assert public["day"][worst.first] == "2025-06-12" and public["day"][worst.last] == "2025-08-31"
    assert 1 - worst.rate == pytest.approx(0.005, abs=0.001)
    assert sum(one.run_count for one in segments) == public["run_count"].sum()


def test_a_default_penalty_is_caught_on_it(public: pd.DataFrame) -> None:
    """Seeded: Schwarz's penalty, made for coins, shows more stretches than anybody could act on."""
    bad = public["run_count"] - public["green_count"]
    naive = find_segments(bad, public["run_count"], penalty=2 * np.log(len(public)))
    assert len(naive) > 10


def _with_changes(count: int, *, penalty: float | None = None) -> int:
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(count):
        runs = rng.integers(1, 20, 50)
        bad = rng.binomial(runs, rng.beta(2, 18, 50))
        found += len(find_segments(bad, runs, penalty=penalty)) > 1
    return found


def test_a_series_without_a_change_shows_one_no_more_often_than_stated() -> None:
    """Of 80 scattered series of one rate about four show a change; ten would be far too many."""
    assert _with_changes(80) <= 80 * FALSE_ALARM + 5


def test_scatter_that_is_taken_for_change_is_caught() -> None:
    """Seeded: with the penalty for coins most of the same series seem to change."""
    assert _with_changes(20, penalty=2 * np.log(50)) > 7


def test_planted_changes_are_found_where_they_are() -> None:
    """A stretch that fails twenty times as often begins and ends within a bin of where it was planted."""
    rng = np.random.default_rng(2)
    runs = np.full(60, 12)
    rate = np.where((np.arange(60) >= 30) & (np.arange(60) < 45), 0.6, 0.03)
    before, during, after = find_segments(rng.binomial(runs, rate), runs)
    assert abs(during.first - 30) <= 1 and abs(during.last - 44) <= 1
    assert during.rate > 0.4 and max(before.rate, after.rate) < 0.1


@pytest.mark.parametrize("count", [0, 1, LEAST_BINS - 1])
def test_few_bins_are_one_stretch(count: int) -> None:
    """Too few bins to compare with: one stretch with all of them, none where there is nothing."""
    segments = find_segments([1] * count, [2] * count)
    assert [(one.first, one.last) for one in segments] == ([(0, count - 1)] if count else [])


def test_impossible_counts_are_refused() -> None:
    """More bad ones than runs is a mistake of who asks."""
    with pytest.raises(ValueError, match="no more bad ones"):
        find_segments([3], [2])


def test_rows_say_when_and_how_many() -> None:
    """Runs in order become stretches with their first and last start and k of n; other orders give the same."""
    instants = pd.Series(pd.date_range("2026-11-01", periods=300, freq="min", tz="UTC"))
    is_bad = pd.Series(np.arange(300) >= 240)
    rows = rate_segments(instants, is_bad)
    assert rows[["troubled_run_count", "run_count"]].to_numpy().tolist() == [[0, 240], [60, 60]]
    assert rows["since_at"].iloc[1] == instants[240] and rows["until_at"].iloc[1] == instants[299]
    mixed = np.random.default_rng(1).permutation(300)
    pd.testing.assert_frame_equal(rows, rate_segments(instants[mixed], is_bad[mixed]))


def test_the_penalty_comes_from_the_series(public: pd.DataFrame) -> None:
    """More scatter asks for more: the public series has a higher penalty than a coin of the same rate."""
    runs = public["run_count"].to_numpy(float)
    bad = runs - public["green_count"].to_numpy(float)
    coin = np.random.default_rng(4).binomial(runs.astype(int), bad.sum() / runs.sum()).astype(float)
    few = {"orders": 39}
    assert changepoints.calibrated_penalty(bad, runs, **few) > 2 * (
        changepoints.calibrated_penalty(coin, runs, **few)
    )

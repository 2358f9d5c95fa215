"""Known answers of the statistics that decide."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.review.statistics import (
    chance_of_overlap,
    clean_runs_needed,
    detectable_rate,
    quantiles,
    upper_bound,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("run_count", "percent"),
    [(5, 45.1), (10, 25.9), (20, 13.9), (30, 9.5), (59, 4.95), (100, 2.95), (299, 1.0)],
)
def test_the_upper_bound_after_no_failure(run_count: int, percent: float) -> None:
    """No failure in n runs bounds the rate where the exact one-sided interval says."""
    assert upper_bound(0, run_count) * 100 == pytest.approx(percent, abs=0.05)
    assert detectable_rate(run_count) == upper_bound(0, run_count)


@pytest.mark.parametrize(
    ("run_count", "percent"),
    [(5, 43.5), (10, 27.8), (20, 16.1), (30, 11.4), (59, 6.1), (100, 3.7), (299, 1.3)],
)
def test_the_wilson_interval_for_display(run_count: int, percent: float) -> None:
    """The two-sided interval that figures show has its published upper end."""
    low, high = wilson_interval(0, run_count)
    assert low == 0.0
    assert high * 100 == pytest.approx(percent, abs=0.06)


def test_fifty_nine_clean_runs_for_five_percent() -> None:
    """From nothing it takes 59 clean runs; each one made counts; a failure costs more than it is one run."""
    assert clean_runs_needed(0, 0, max_rate=0.05) == 59
    assert clean_runs_needed(0, 20, max_rate=0.05) == 39
    assert clean_runs_needed(0, 59, max_rate=0.05) == 0
    assert clean_runs_needed(1, 60, max_rate=0.05) == 33


def test_nothing_known_bounds_nothing() -> None:
    """Without runs, or with failures only, the upper bound is certainty."""
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(3, 3) == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("failure_count", "run_count"), [(3, 2), (-1, 2)])
def test_impossible_counts_are_refused(failure_count: int, run_count: int) -> None:
    """More failures than runs is a fault of the caller, not a rate."""
    with pytest.raises(ValueError, match="cannot be"):
        upper_bound(failure_count, run_count)


@pytest.mark.parametrize("max_rate", [0.0, 1.0, -0.2])
def test_a_rate_must_be_a_rate(max_rate: float) -> None:
    """No number of runs reaches a rate of nothing."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        clean_runs_needed(0, 0, max_rate=max_rate)


@given(st.integers(0, 40), st.integers(0, 200))
def test_the_bound_lies_above_the_rate(failure_count: int, more: int) -> None:
    """The upper bound is no less than the rate, and a clean run never raises it."""
    run_count = failure_count + more
    if run_count == 0:
        return
    assert failure_count / run_count <= upper_bound(failure_count, run_count)
    assert upper_bound(failure_count, run_count + 1) <= upper_bound(failure_count, run_count)


@given(st.integers(0, 5), st.integers(0, 120))
def test_the_runs_needed_are_enough_and_not_one_too_many(failure_count: int, more: int) -> None:
    """With that many more clean runs the bound is reached, with one fewer it is not."""
    run_count = failure_count + more
    needed = clean_runs_needed(failure_count, run_count, max_rate=0.05)
    assert upper_bound(failure_count, run_count + needed) <= 0.05
    if needed:
        assert upper_bound(failure_count, run_count + needed - 1) > 0.05


def test_overlap_by_chance() -> None:
    """All failures inside a tenth of the runs is no chance; as many as runs would have it is."""
    assert chance_of_overlap((10, 20), (0, 180)) < 1e-9
    assert chance_of_overlap((2, 20), (18, 180)) > 0.5
    assert chance_of_overlap((0, 20), (18, 180)) == 1.0


def test_the_same_chance_as_fishers_exact_test() -> None:
    """Dealing failures out over runs is Fisher's one-sided test: the lady's three of four cups."""
    assert chance_of_overlap((3, 4), (1, 4)) == pytest.approx(17 / 70)


def test_quantiles_of_nothing_are_nothing() -> None:
    """Without a duration there is no quantile, and unknown ones are left out."""
    assert quantiles(pd.Series([], dtype=float)) == [None, None]
    assert quantiles(pd.Series([1.0, None, 3.0])) == [2.0, pytest.approx(2.9)]

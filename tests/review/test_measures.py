"""Measures of a month say how much stands behind them: exact intervals, medians, and `cannot tell`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.review.measures import (
    CANNOT_TELL,
    COLUMNS,
    as_rows,
    longest,
    median,
    median_interval,
    share,
    unknown,
)


@pytest.mark.parametrize(
    ("part", "whole", "figure", "interval"),
    [
        (0, 20, "0.0 % (0 of 20)", "0.0 % to 16.8 %"),
        (1, 1, "100.0 % (1 of 1)", "2.5 % to 100.0 %"),
        (3, 10, "30.0 % (3 of 10)", "6.7 % to 65.2 %"),
    ],
)
def test_a_share_has_its_exact_interval(part: int, whole: int, figure: str, interval: str) -> None:
    """Two-sided 95 % by Clopper and Pearson, as printed in tables of the binomial."""
    found = share("x", (part, whole))
    assert (found.figure, found.interval, found.count) == (figure, interval, whole)


def test_of_nothing_there_is_no_share() -> None:
    """None of none is neither 0 % nor 100 %."""
    assert share("x", (0, 0)).figure == CANNOT_TELL
    assert share("x", (0, 0), remark="no alert fired").remark == "no alert fired"


def test_a_median_of_five_has_no_interval() -> None:
    """Of five not even their range covers the median with 95 % (93.75 %); of six it does (96.9 %)."""
    five = median("x", pd.Series([1.0, 2.0, 3.0, 4.0, 500.0]))
    assert (five.figure, five.interval) == ("3 s", "")
    assert five.remark == "no interval: 5 durations, and it takes 6"
    six = median("x", pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 500.0]))
    assert six.interval and not six.remark
    assert median("x", pd.Series([], dtype=float)).figure == CANNOT_TELL


def test_the_greatest_of_few_is_called_that() -> None:
    """Below twenty the 95th percentile is only the longest; one slow pause is never averaged away."""
    assert longest("x", pd.Series([1.0, 2.0, 90.0])).figure == "1 min 30 s (the longest)"
    assert longest("x", pd.Series([float(n) for n in range(101)])).figure == "1 min 35 s"


@pytest.mark.parametrize(
    ("count", "place"), [(6, 1), (8, 1), (9, 2), (12, 3), (20, 6), (50, 18), (100, 40)]
)
def test_the_interval_of_a_median_is_that_of_the_tables(count: int, place: int) -> None:
    """The k-th from either end, as printed in tables of the sign test: 3rd and 10th of 12, 6th and 15th of 20."""
    values = pd.Series([float(n) for n in range(1, count + 1)])
    assert median_interval(values) == (place, count + 1 - place)


def test_five_have_no_interval() -> None:
    """What cannot be had is refused, not made up."""
    with pytest.raises(ValueError, match="no 95 % interval"):
        median_interval(pd.Series([1.0] * 5))


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=40))
def test_an_interval_lies_among_the_observations(seconds: list[float]) -> None:
    """Its ends are observations, and it holds the median."""
    low, high = median_interval(pd.Series(seconds))
    assert low in seconds and high in seconds
    assert low <= pd.Series(seconds).median() <= high


def test_the_interval_covers_the_median_of_where_it_was_drawn_from() -> None:
    """Of 400 seeded samples of twelve of a skewed kind at least 95 % hold the true median."""
    chance, true = np.random.default_rng(1), float(np.exp(3.0))
    drawn = [median_interval(pd.Series(chance.lognormal(3.0, 1.0, 12))) for _ in range(400)]
    assert sum(low <= true <= high for low, high in drawn) >= 380


def test_rows_have_the_named_columns() -> None:
    """One row for each measure, in their order."""
    rows = as_rows([share("a", (1, 2)), unknown("b", "why", query="q")])
    assert tuple(rows.columns) == COLUMNS
    assert list(rows["measure"]) == ["a", "b"]

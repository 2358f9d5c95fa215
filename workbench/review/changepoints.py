"""Where a failure rate changed, and how often one that never changed would seem to.

Segments are found by PELT (Killick, Fearnhead and Eckley 2012, as `ruptures` has it) with the Bernoulli cost: minus
twice the log-likelihood of each segment's own rate. A default penalty shows dozens of segments where real outcomes
scatter more than coins do (46 on the public series of a CI, REPORTS 4.3.7). So the penalty is calibrated on the
series itself: its bins are put into random orders, which keeps their scatter and takes away every change, and the
penalty is what all but `FALSE_ALARM` of these orders stay below, for one step and for one stretch that differs from
both its sides. So a series without any change, of independent bins, shows one that often at most. Bins that depend
on each other pass for changes more easily; make them longer than what binds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.review.statistics import wilson_interval

FALSE_ALARM = 0.05
"""Share of series without a change in which one is shown, at most."""
ORDERS = 199
SEED = 20
LEAST_BINS = 8
"""Fewer bins have too few orders to be compared with."""

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """A stretch of bins with one rate: `first` and `last` are positions, both inclusive."""

    first: int
    last: int
    bad_count: int
    run_count: int

    @property
    def rate(self) -> float:
        """Share that was bad; 0 where nothing ran."""
        return self.bad_count / self.run_count if self.run_count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson interval of the rate, two-sided, 95 %: for display."""
        return wilson_interval(self.bad_count, self.run_count)


def find_segments(
    bad: Sequence[int], runs: Sequence[int], *, penalty: float | None = None
) -> list[Segment]:
    """Return the stretches of one rate each, in order; `bad` of `runs` are counted per bin.

    Without a penalty the calibrated one is used. Raises ValueError where a bin has more bad ones than runs.
    """
    bad_counts, run_counts = np.asarray(bad, np.float64), np.asarray(runs, np.float64)
    if bad_counts.shape != run_counts.shape or (bad_counts > run_counts).any():
        raise ValueError("every bin needs a count of runs, and no more bad ones than runs")
    count = len(bad_counts)
    if count < LEAST_BINS and penalty is None:
        ends = [count] if count else []
    else:
        least = calibrated_penalty(bad_counts, run_counts) if penalty is None else penalty
        ends = _ends(bad_counts, run_counts, penalty=least)
    return [
        Segment(first, end - 1, int(bad_counts[first:end].sum()), int(run_counts[first:end].sum()))
        for first, end in zip([0, *ends], ends, strict=False)
    ]


def calibrated_penalty(bad: Counts, runs: Counts, *, orders: int = ORDERS) -> float:
    """Return the gain for each change that all but `FALSE_ALARM` of the random orders stay below.

    The rank is the one that is exact for exchangeable bins: of 199 orders and the series itself the tenth largest.
    """
    rng = np.random.default_rng(SEED)
    gains = []
    for _ in range(orders):
        order = rng.permutation(len(bad))
        gains.append(_gain_of_a_change(bad[order], runs[order]))
    rank = int(np.ceil((orders + 1) * (1 - FALSE_ALARM))) - 1
    return float(np.sort(gains)[rank]) + 1e-9


def _gain_of_a_change(bad: Counts, runs: Counts) -> float:
    """Return the most that one step gains, or a stretch that differs from its sides for each of its two ends."""
    bads, totals = _summed(bad), _summed(runs)
    first, end = np.triu_indices(len(bad) + 1, 1)
    inside = _cost(bads[end] - bads[first], totals[end] - totals[first])
    outside = _cost(
        bads[-1] - (bads[end] - bads[first]), totals[-1] - (totals[end] - totals[first])
    )
    gain = _cost(bads[-1:], totals[-1:])[0] - inside - outside
    is_step = (first == 0) | (end == len(bad))
    return float(np.where(is_step, gain, gain / 2).max())


def _ends(bad: Counts, runs: Counts, *, penalty: float) -> list[int]:
    # Imported here: it takes a second, and whoever only asks for a verdict needs none of it.
    import ruptures

    bads, totals = _summed(bad), _summed(runs)

    class BernoulliCost(ruptures.base.BaseCost):  # type: ignore[misc] # the package has no types
        """Minus twice the log-likelihood of a stretch under its own rate."""

        model = "bernoulli"
        min_size = 1

        def fit(self, signal: Counts) -> BernoulliCost:
            """Take the series as given; its sums are known already."""
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            """Return the cost of bins from `start` until before `end`."""
            return float(_cost(bads[end] - bads[start], totals[end] - totals[start]))

    finder = ruptures.Pelt(custom_cost=BernoulliCost(), min_size=1, jump=1)
    found: list[int] = finder.fit(np.column_stack([bad, runs])).predict(pen=penalty)
    return found


def _summed(counts: Counts) -> Counts:
    return np.concatenate([[0.0], np.cumsum(counts)])


def _cost(bad: Counts, runs: Counts) -> Counts:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = -2 * (bad * np.log(bad / runs) + (runs - bad) * np.log((runs - bad) / runs))
    costs: Counts = np.where((bad <= 0) | (bad >= runs), 0.0, found)
    return costs


def rate_segments(
    instants: pd.Series[pd.Timestamp], is_bad: pd.Series[bool], *, bin_count: int = 120
) -> pd.DataFrame:
    """Return the stretches of one failure rate in the order of the runs, as rows.

    Columns: since_at, until_at (first and last start), troubled_run_count, run_count, troubled_rate, low_rate,
    high_rate. Runs are put into at most `bin_count` bins of as many consecutive runs each.
    """
    ordered = pd.DataFrame({"at": instants, "is_bad": is_bad}).sort_values("at", kind="stable")
    count = len(ordered)
    bins = np.arange(count) * min(bin_count, count) // max(count, 1)
    grouped = ordered.groupby(bins, sort=True)
    sums, sizes = grouped["is_bad"].sum().to_list(), grouped.size().to_list()
    begins, ends = grouped["at"].min().to_list(), grouped["at"].max().to_list()
    rows = [
        (begins[s.first], ends[s.last], s.bad_count, s.run_count, s.rate, *s.interval)
        for s in find_segments(sums, sizes)
    ]
    columns = [
        "since_at", "until_at", "troubled_run_count", "run_count", "troubled_rate", "low_rate", "high_rate",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)

"""Which of many groups of runs holds more of the trouble than chance deals it, with all that was looked at counted.

Statistic: the likelihood ratio of a group's share of the troubled against its share of the weights (Kulldorff 1997,
the scan statistic). Null: the troubled runs are drawn among all of them in proportion to their weights, without
replacement (Efraimidis and Spirakis 2006). Multiplicity: each group is compared with the largest statistic over
*all* groups in each draw (Westfall and Young 1993, single-step maximum), so groups that overlap, as pairs of
attributes do, cost no more than they must. Chances are (draws at least as large + 1) / (draws + 1) (Phipson and
Smyth 2010): never zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_DRAWS, MOST_DRAWS = 199, 999
MOST_DRAWN = 5_000_000
"""Runs drawn in all; where there are many, fewer draws are made."""
BATCH = 50
SEED = 20

Members = NDArray[np.bool_]
Numbers = NDArray[np.float64]


def scan(
    members: Members, is_bad: NDArray[np.bool_], *, weights: Numbers
) -> tuple[Numbers, Numbers]:
    """Return each group's statistic and its chance, corrected for all of the groups.

    `members`: a row for each group, a column for each run. `weights`: how prone each run is when nothing is wrong
    with its groups. The seed is fixed: the same runs in the same order give the same answer.
    """
    bad_count, run_count = int(is_bad.sum()), len(is_bad)
    if not len(members) or bad_count in (0, run_count):
        return np.zeros(len(members)), np.ones(len(members))
    of_runs = members.astype(np.float32)
    shares = (of_runs @ weights.astype(np.float32)).astype(np.float64) / weights.sum()
    seen = statistic(members.astype(np.float64) @ is_bad, shares, bad_count=bad_count)
    rng = np.random.default_rng(SEED)
    draws = int(np.clip(MOST_DRAWN // run_count, LEAST_DRAWS, MOST_DRAWS))
    largest = [
        _largest(of_runs, shares, _drawn(rng, weights, bad_count=bad_count, draws=size))
        for size in _sizes(draws)
    ]
    null = np.sort(np.concatenate(largest))
    as_large = draws - np.searchsorted(null, seen - 1e-6, side="left")
    return seen, (1 + as_large) / (draws + 1)


def statistic(bad: Numbers, shares: Numbers, *, bad_count: int) -> Numbers:
    """Return twice the log-likelihood ratio of so many bad in a group against its share; 0 where it has no more.

    `bad` and `shares` go together along the first axis.
    """
    expected = (shares if bad.ndim == 1 else shares[:, np.newaxis]) * bad_count
    rest, expected_rest = bad_count - bad, bad_count - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(bad > 0, bad * np.log(bad / expected), 0.0)
        outside = np.where(rest > 0, rest * np.log(rest / expected_rest), 0.0)
    found: Numbers = np.where(bad > expected, 2 * (inside + outside), 0.0)
    return found


def _largest(of_runs: NDArray[np.float32], shares: Numbers, drawn: Members) -> Numbers:
    counts = (of_runs @ drawn.astype(np.float32)).astype(np.float64)
    largest: Numbers = statistic(counts, shares, bad_count=int(drawn[:, 0].sum())).max(axis=0)
    return largest


def _drawn(rng: np.random.Generator, weights: Numbers, *, bad_count: int, draws: int) -> Members:
    """Return, in each column, so many runs drawn without replacement in proportion to their weights."""
    keys = rng.exponential(size=(len(weights), draws)) / weights[:, np.newaxis]
    chosen = np.argpartition(keys, bad_count - 1, axis=0)[:bad_count]
    found = np.zeros(keys.shape, dtype=np.bool_)
    np.put_along_axis(found, chosen, True, axis=0)
    return found


def _sizes(draws: int) -> list[int]:
    whole, rest = divmod(draws, BATCH)
    return [BATCH] * whole + ([rest] if rest else [])

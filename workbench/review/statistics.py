"""The few statistics that decide: exact bounds for small counts, and honest comparisons with chance."""

from __future__ import annotations

from math import sqrt

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
"""One-sided, unless a function says otherwise."""


def upper_bound(failure_count: int, run_count: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the exact one-sided upper bound of a failure rate (Clopper and Pearson 1934)."""
    _refuse_impossible(failure_count, run_count)
    if run_count == 0 or failure_count == run_count:
        return 1.0
    return float(stats.beta.ppf(confidence, failure_count + 1, run_count - failure_count))


def lower_bound(failure_count: int, run_count: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the exact one-sided lower bound of a failure rate (Clopper and Pearson 1934)."""
    _refuse_impossible(failure_count, run_count)
    if failure_count == 0:
        return 0.0
    return float(stats.beta.ppf(1 - confidence, failure_count, run_count - failure_count + 1))


def wilson_interval(failure_count: int, run_count: int) -> tuple[float, float]:
    """Return the two-sided 95 % Wilson interval: for display, never for a gate."""
    _refuse_impossible(failure_count, run_count)
    if run_count == 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf(0.975))
    rate = failure_count / run_count
    middle = (rate + z * z / (2 * run_count)) / (1 + z * z / run_count)
    reach = (
        z
        / (1 + z * z / run_count)
        * sqrt(rate * (1 - rate) / run_count + z * z / (4 * run_count**2))
    )
    low = middle - reach if failure_count else 0.0
    high = middle + reach if failure_count < run_count else 1.0
    return low, high


def clean_runs_needed(
    failure_count: int, run_count: int, *, max_rate: float, confidence: float = CONFIDENCE
) -> int:
    """Return how many more runs without a failure bring the upper bound down to a rate; 0 when it is there."""
    if not 0 < max_rate < 1:
        raise ValueError(f"max_rate must lie between 0 and 1, not {max_rate}")

    def is_enough(more: int) -> bool:
        return upper_bound(failure_count, run_count + more, confidence=confidence) <= max_rate

    if is_enough(0):
        return 0
    too_few, enough = 0, 1
    while not is_enough(enough):
        too_few, enough = enough, enough * 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if is_enough(middle) else (middle, enough)
    return enough


def detectable_rate(run_count: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the smallest failure rate that so many runs without a failure speak against."""
    return upper_bound(0, run_count, confidence=confidence)


def chance_of_overlap(inside: tuple[int, int], outside: tuple[int, int]) -> float:
    """Return how often chance alone puts at least so many failures inside, over all ways to deal them out.

    Each pair is (failures, runs). Every assignment of the failures to the runs is equally likely under the
    null hypothesis, so the permutation distribution is hypergeometric and needs no random numbers.
    """
    failures = inside[0] + outside[0]
    runs = inside[1] + outside[1]
    _refuse_impossible(failures, runs)
    return float(stats.hypergeom.sf(inside[0] - 1, runs, failures, inside[1]))


def quantiles(
    seconds: pd.Series[float], shares: tuple[float, ...] = (0.5, 0.95)
) -> list[float | None]:
    """Return quantiles of durations, None where there is none; means are never shown."""
    known = seconds.dropna()
    if known.empty:
        return [None for _ in shares]
    return [float(known.quantile(share)) for share in shares]


def _refuse_impossible(failure_count: int, run_count: int) -> None:
    if not 0 <= failure_count <= run_count:
        raise ValueError(f"{failure_count} failures in {run_count} runs cannot be")

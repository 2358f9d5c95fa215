"""Whether clean runs take as long as they did: a restart that got far slower, or far quicker, is not proven healthy.

A test of ranks alone cannot see a change of shape, and passed such canaries (spinnaker issue 6278, kayenta issue 780).
The two-sample test of Kolmogorov and Smirnov (Smirnov 1939; exact p-value, Hodges 1958) sees any change of a
distribution; a change that is real and small is nobody's reason to stay paused, so a quantile must have moved too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from workbench.review.ground import Ground
from workbench.review.periods import BASELINE, SINCE, with_period
from workbench.review.statistics import quantiles

LEAST_RUN_COUNT = 10
"""Of either side; below it the exact test can hardly reach the significance that is asked for."""
LEAST_RATIO = 2.0
"""How far median or 95th percentile must have moved, up or down: a run that takes twice as long is another run."""
SIGNIFICANCE = 0.01
"""For one look at one automation; divided by how many are looked at (Bonferroni; Dunn 1961)."""
MOST_NAMED = 2
"""Automations that changed which a sentence names; the table has all."""
TICK_SECONDS = 1.0
"""Both sides of a ratio are at least so long: from 10 ms to 30 ms is no change that anybody meets."""


@dataclass(frozen=True)
class DurationShift:
    """How long clean runs of one automation took before the fault and since the pause.

    Attributes:
        p_value: chance of so different durations if nothing had changed.
        is_changed: it is beyond chance, and far.
    """

    automation_id: str
    baseline_count: int
    since_count: int
    baseline_p50_seconds: float
    since_p50_seconds: float
    baseline_p95_seconds: float
    since_p95_seconds: float
    p_value: float
    is_changed: bool

    @property
    def sentence(self) -> str:
        """Say the change in the number that moved most."""
        pairs = {
            "median": (self.baseline_p50_seconds, self.since_p50_seconds),
            "95th percentile": (self.baseline_p95_seconds, self.since_p95_seconds),
        }
        name = max(pairs, key=lambda key: abs(np.log(_ratio(*pairs[key]))))
        before, now = pairs[name]
        how = "longer" if now > before else "less time"
        return (
            f"{self.automation_id} takes {how} than before the fault: {name} {now:,.1f} s in "
            f"{self.since_count:,} clean runs, {before:,.1f} s in {self.baseline_count:,} before "
            f"(p = {self.p_value:.2g})"
        )


def duration_shifts(ground: Ground) -> list[DurationShift]:
    """Return a row for each automation with enough clean runs on both sides, what changed first."""
    runs = with_period(ground)
    clean = runs[runs["is_counted"] & ~runs["is_failed"] & runs["finished_at"].notna()].copy()
    clean["seconds"] = (clean["finished_at"] - clean["started_at"]).dt.total_seconds()
    sides = {}
    for automation_id, mine in clean.groupby("automation_id", sort=True):
        before = mine.loc[mine["period"] == BASELINE, "seconds"]
        since = mine.loc[mine["period"] == SINCE, "seconds"]
        if min(len(before), len(since)) >= LEAST_RUN_COUNT:
            sides[str(automation_id)] = before, since
    found = [
        shift_of(name, before, since=since, looked_at=len(sides))
        for name, (before, since) in sides.items()
    ]
    return sorted(found, key=lambda one: (not one.is_changed, one.p_value, one.automation_id))


def shift_rows(found: list[DurationShift]) -> pd.DataFrame:
    """Return one row per automation.

    Columns: automation_id, is_changed, baseline_count, since_count, baseline_p50_seconds, since_p50_seconds,
    baseline_p95_seconds, since_p95_seconds, p_value.
    """
    return pd.DataFrame([vars(one) for one in found])


def said_of(changed: list[DurationShift]) -> str:
    """Return a sentence for the first few that changed, each after a space; an empty text where none did."""
    return "".join(f" {shift.sentence}." for shift in changed[:MOST_NAMED])


def shift_of(
    automation_id: str, before: pd.Series[float], *, since: pd.Series[float], looked_at: int
) -> DurationShift:
    """Return how the seconds of one automation's clean runs compare, among so many that are looked at."""
    p_value = float(stats.ks_2samp(before, since).pvalue)
    old, new = quantiles(before), quantiles(since)
    is_far = any(
        max(ratio := _ratio(a or 0.0, b or 0.0), 1 / ratio) >= LEAST_RATIO
        for a, b in zip(old, new, strict=True)
    )
    return DurationShift(
        automation_id,
        len(before),
        len(since),
        baseline_p50_seconds=old[0] or 0.0,
        since_p50_seconds=new[0] or 0.0,
        baseline_p95_seconds=old[1] or 0.0,
        since_p95_seconds=new[1] or 0.0,
        p_value=p_value,
        is_changed=is_far and p_value <= SIGNIFICANCE / looked_at,
    )


def _ratio(before: float, now: float) -> float:
    return max(now, TICK_SECONDS) / max(before, TICK_SECONDS)

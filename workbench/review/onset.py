"""Where a fault began, found in the outcomes of runs.

Rule: look at the runs that ended before the first hold and find the instant that best splits them into a time
with few and a time with more troubled runs (maximum likelihood, one change-point). It counts when the split
is worth its two parameters by Schwarz's criterion and at least three troubled runs follow. The onset is the
start of the first troubled run after it. Without such a burst it is the begin that people recorded of the
hold's incident, without that the first alert that still fired at the hold, and without that the hold itself.
A run is troubled when it failed, crashed or needed another attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MIN_TROUBLED_RUNS = 3
TROUBLE = ("failed", "crashed")


@dataclass(frozen=True)
class Onset:
    """Where the fault began, and by which part of the rule."""

    at: datetime
    rule: str


def find_onset(
    runs: pd.DataFrame,
    alerts: pd.DataFrame,
    *,
    paused_at: datetime,
    incident_began_at: datetime | None = None,
) -> Onset:
    """Return where the fault before a pause began."""
    burst = _first_of_burst(runs, paused_at)
    if burst is not None:
        return Onset(burst, "start of the first troubled run of the burst before the pause")
    if incident_began_at is not None and incident_began_at < paused_at:
        return Onset(
            incident_began_at,
            "begin of the incident as recorded; no burst of failures before the pause",
        )
    firing = alerts[
        (alerts["fired_at"] < paused_at)
        & (alerts["resolved_at"].isna() | (alerts["resolved_at"] >= paused_at))
    ]
    if not firing.empty:
        first = pd.Timestamp(firing["fired_at"].min()).to_pydatetime()
        return Onset(
            first, "first alert that still fired at the pause; no burst of failures before it"
        )
    return Onset(paused_at, "the pause itself; neither failures nor an alert before it")


def is_troubled(runs: pd.DataFrame) -> pd.Series[bool]:
    """Tell for each run whether it failed, crashed or needed another attempt."""
    return runs["status"].isin(TROUBLE) | (runs["attempt_count"].fillna(1) > 1)


def _first_of_burst(runs: pd.DataFrame, paused_at: datetime) -> datetime | None:
    seen = runs[runs["started_at"].notna() & (runs["started_at"] < paused_at)]
    ended = seen[seen["finished_at"].notna() & seen["status"].isin((*TROUBLE, "succeeded"))]
    ordered = ended.sort_values(["started_at", "run_id"], kind="stable")
    troubled = is_troubled(ordered).to_numpy().astype(np.float64)
    split = _best_split(troubled)
    if split is None or troubled[split:].sum() < MIN_TROUBLED_RUNS:
        return None
    after = ordered.iloc[split:]
    return pd.Timestamp(after[is_troubled(after)]["started_at"].iloc[0]).to_pydatetime()


def _best_split(troubled: NDArray[np.float64]) -> int | None:
    """Return the index where the rate rises most credibly, or None where one rate explains all runs."""
    count = len(troubled)
    if count < MIN_TROUBLED_RUNS or troubled.sum() < MIN_TROUBLED_RUNS:
        return None
    if troubled.all():
        return 0
    before_runs = np.arange(0, count)
    before_bad = np.concatenate([[0.0], np.cumsum(troubled)[:-1]])
    after_runs, after_bad = count - before_runs, troubled.sum() - before_bad
    rises = before_bad * after_runs <= after_bad * np.maximum(before_runs, 1)
    split = _likelihood(before_bad, before_runs) + _likelihood(after_bad, after_runs)
    gain = 2 * (split - _likelihood(np.array([troubled.sum()]), np.array([count])))
    gain = np.where(rises & (before_runs > 0), gain, -np.inf)
    best = int(np.argmax(gain))
    return best if gain[best] > 2 * np.log(count) else None


def _likelihood(bad: NDArray[np.float64], runs: NDArray[np.int_]) -> NDArray[np.float64]:
    good = runs - bad
    with np.errstate(divide="ignore", invalid="ignore"):
        found = bad * np.log(bad / runs) + good * np.log(good / runs)
        one_sided = np.where(bad == 0, 0.0, np.where(good == 0, 0.0, found))
    result: NDArray[np.float64] = np.where(runs == 0, 0.0, one_sided)
    return result

"""Where a fault began, found in the outcomes of runs.

Rule: look at the runs that ended before the first hold and find the instant that best splits them into a time
with few and a time with more troubled runs (maximum likelihood of one change-point, Bernoulli outcomes). It
counts when no more than one in a hundred orders of the same outcomes splits so well (`FALSE_ALARM`: a permutation
test, so a history whose rate never changed shows an onset that often and no more; Page 1955 for the split,
Phipson and Smyth 2010 for the count) and at least three troubled runs follow. The onset is the start of the first
troubled run after it. Where all runs together show no such rise it is looked for in each automation's own, at the
same rate of false alarms for all of them together. Without such a burst it is the begin that people recorded of
the hold's incident, without that the first alert that still fired at the hold, without that the likeliest instant of a
rise that chance could have made (Schwarz 1978), and without that the hold itself.
A run is troubled when it failed, crashed or needed another attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.review.endings import ended_at

MIN_TROUBLED_RUNS = 3
TROUBLE = ("failed", "crashed")
FALSE_ALARM = 0.01
"""Share of histories with one rate throughout in which a rise is seen all the same, at most."""
LEAST_ORDERS, MOST_ORDERS = 199, 999
MOST_DRAWN = 2_000_000
"""Positions drawn in all; long histories are compared with fewer orders."""
SEED = 20


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
    burst = _burst(runs, paused_at)
    if burst is not None:
        return burst
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
    if (likeliest := _likeliest(runs, paused_at)) is not None:
        return likeliest
    return Onset(paused_at, "the pause itself; neither failures nor an alert before it")


def is_troubled(runs: pd.DataFrame) -> pd.Series[bool]:
    """Tell for each run whether it failed, crashed or needed another attempt."""
    return runs["status"].isin(TROUBLE) | (runs["attempt_count"].fillna(1) > 1)


def _ended_before(runs: pd.DataFrame, paused_at: datetime) -> pd.DataFrame:
    seen = runs[runs["started_at"].notna() & (runs["started_at"] < paused_at)]
    ended = seen[ended_at(seen).notna() & seen["status"].isin((*TROUBLE, "succeeded"))]
    return ended.sort_values(["started_at", "run_id"], kind="stable", ignore_index=True)


def _likeliest(runs: pd.DataFrame, paused_at: datetime) -> Onset | None:
    """Return where a rise that chance may have made most likely began, where nothing else tells of an onset.

    A handful of runs cannot tell a rise from chance. To begin at the pause would look at nothing that was written
    before it, so the likeliest instant by Schwarz's criterion stands in: too early an onset only asks for more.
    """
    ordered = _ended_before(runs, paused_at)
    places = np.flatnonzero(is_troubled(ordered).to_numpy(dtype=np.bool_))
    if len(places) < MIN_TROUBLED_RUNS:
        return None
    gains = split_gains(places[np.newaxis, :], len(ordered))[0]
    best = int(np.argmax(gains))
    if gains[best] <= np.log(len(ordered)) or len(places) - best < MIN_TROUBLED_RUNS:
        return None
    first = pd.Timestamp(ordered["started_at"].iloc[int(places[best])]).to_pydatetime()
    return Onset(
        first,
        "likeliest start of the troubled runs before the pause, which are too few to rule chance out",
    )


def _burst(runs: pd.DataFrame, paused_at: datetime) -> Onset | None:
    """Return where the runs before a pause began to be troubled: all of them, else those of one automation."""
    ordered = _ended_before(runs, paused_at)
    is_bad = is_troubled(ordered)
    said = "start of the first troubled run of the burst before the pause"
    if (found := first_rise(ordered["started_at"], is_bad)) is not None:
        return Onset(found.to_pydatetime(), said)
    grouped = ordered.groupby("automation_id", sort=True)
    alone = [
        (rise.gain, str(name), mine["started_at"].iloc[rise.place])
        for name, mine in grouped
        if (rise := _rise(is_bad[mine.index], looks=grouped.ngroups)) is not None
    ]
    if not alone:
        return None
    _, name, first = max(alone)
    return Onset(pd.Timestamp(first).to_pydatetime(), f"{said}, among the runs of {name}")


def first_rise(started_at: pd.Series[pd.Timestamp], is_bad: pd.Series[bool]) -> pd.Timestamp | None:
    """Return the start of the first troubled run after the rate rose, None where it did not; runs in order."""
    rise = _rise(is_bad, looks=1)
    return None if rise is None else pd.Timestamp(started_at.iloc[rise.place])


@dataclass(frozen=True)
class _Rise:
    """Where a rate rose: the place of the first troubled run after it, and the gain in log-likelihood, doubled."""

    place: int
    gain: float


def _rise(is_bad: pd.Series[bool], *, looks: int) -> _Rise | None:
    """Return the most credible rise, None where it is not credible for one of so many looks."""
    troubled = is_bad.to_numpy(dtype=np.bool_)
    count, bad = len(troubled), int(troubled.sum())
    if bad < MIN_TROUBLED_RUNS:
        return None
    if bad == count:
        return _Rise(0, 0.0)
    places = np.flatnonzero(troubled)
    gains = split_gains(places[np.newaxis, :], count)[0]
    best = int(np.argmax(gains))
    if bad - best < MIN_TROUBLED_RUNS:
        return None
    grain = FALSE_ALARM / looks
    is_credible = chance_of_split(count, bad, gain=float(gains[best]), grain=grain) <= grain
    return _Rise(int(places[best]), float(gains[best])) if is_credible else None


def split_gains(places: NDArray[np.int_], count: int) -> NDArray[np.float64]:
    """Return the gain in log-likelihood, doubled, of a rise just before each troubled run.

    `places`: a row for each history, the ascending positions of its troubled runs. The best rise begins with a
    troubled run: one that begins with a good run is better begun later.
    """
    bad = places.shape[1]
    before_bad = np.arange(bad, dtype=np.float64)[np.newaxis, :]
    after_bad, after_runs = bad - before_bad, count - places
    rises = (places > 0) & (before_bad * after_runs < after_bad * places)
    split = _likelihood(before_bad, places) + _likelihood(after_bad, after_runs)
    whole = _likelihood(np.array([[float(bad)]]), np.array([[count]]))
    found: NDArray[np.float64] = np.where(rises, 2 * (split - whole), 0.0)
    return found


def chance_of_split(count: int, bad: int, *, gain: float, grain: float = FALSE_ALARM) -> float:
    """Return how often so many troubled among so many runs, in a random order, split at least so well.

    The seed is fixed, so the same history gives the same answer. There are orders enough to tell `grain` from less.
    """
    rng = np.random.default_rng(SEED)
    orders = max(int(np.clip(MOST_DRAWN // bad, LEAST_ORDERS, MOST_ORDERS)), ceil(2 / grain))
    drawn = [np.sort(rng.choice(count, bad, replace=False, shuffle=False)) for _ in range(orders)]
    best = split_gains(np.stack(drawn), count).max(axis=1)
    return float(1 + (best >= gain - 1e-9).sum()) / (orders + 1)


def _likelihood(bad: NDArray[np.float64], runs: NDArray[np.int_]) -> NDArray[np.float64]:
    good = runs - bad
    with np.errstate(divide="ignore", invalid="ignore"):
        found = bad * np.log(bad / runs) + good * np.log(good / runs)
    one_sided = np.where((bad == 0) | (good == 0), 0.0, found)
    result: NDArray[np.float64] = np.where(runs == 0, 0.0, one_sided)
    return result

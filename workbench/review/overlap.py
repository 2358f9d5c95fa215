"""Does a provider's own trouble explain the failures, or does it only happen to be there?

Failures are compared inside and outside of the stretches in which the provider said that it was not
operational, each run by the provider that it used itself. Failures come in bursts, so runs are no independent
draws: chance is worked out over episodes, one for each automation and minute, which went wrong when any of its
runs did. The null hypothesis deals the bad episodes out at random (hypergeometric, one-sided). Longer bursts
stay dependent, so a small p is not yet a cause; the report says so too.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.onset import is_troubled
from workbench.review.periods import with_period
from workbench.review.statistics import chance_of_overlap

EPISODE = "1min"
"""Runs of one automation within this time count as one observation of chance."""

TROUBLED = ("degraded", "partial_outage", "major_outage", "maintenance")


@dataclass(frozen=True)
class Overlap:
    """Runs that went wrong inside and outside of some stretches of time.

    Attributes:
        inside: how many went wrong, of how many runs.
        expected_count: how many inside by chance alone.
        chance: probability of at least so many inside by chance.
        is_explained: more often than by chance, and at least at twice the rate outside.
        inside_run_ids: the runs that went wrong inside.
    """

    inside: tuple[int, int] = (0, 0)
    outside: tuple[int, int] = (0, 0)
    expected_count: float = 0.0
    chance: float = 1.0
    is_explained: bool = False
    inside_run_ids: frozenset[str] = frozenset()

    @property
    def explained_run_ids(self) -> frozenset[str]:
        """The runs that went wrong inside, where that is more than chance."""
        return self.inside_run_ids if self.is_explained else frozenset()


def compare(
    runs: pd.DataFrame, is_bad: pd.Series[bool], *, is_inside: pd.Series[bool], significance: float
) -> Overlap:
    """Compare how often runs went wrong inside and outside; `chance` is over episodes, the rest over runs."""
    inside = int((is_bad & is_inside).sum()), int(is_inside.sum())
    outside = int((is_bad & ~is_inside).sum()), int((~is_inside).sum())
    if not len(runs):
        return Overlap()
    chance = chance_of_overlap(*_episodes(runs, is_bad, is_inside=is_inside))
    rate_inside = inside[0] / inside[1] if inside[1] else 0.0
    rate_outside = outside[0] / outside[1] if outside[1] else 0.0
    is_more = chance <= significance and rate_inside >= 2 * rate_outside
    expected = inside[1] / len(runs) * (inside[0] + outside[0])
    ids = frozenset(runs[is_bad & is_inside]["run_id"])
    return Overlap(inside, outside, expected, chance, bool(inside[0]) and is_more, ids)


def _episodes(
    runs: pd.DataFrame, is_bad: pd.Series[bool], *, is_inside: pd.Series[bool]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return bad episodes and episodes, inside and outside."""
    episodes = pd.DataFrame(
        {
            "automation_id": runs["automation_id"].to_numpy(),
            "began_at": runs["started_at"].dt.floor(EPISODE).to_numpy(),
            "is_inside": is_inside.to_numpy(),
            "is_bad": is_bad.to_numpy(),
        }
    )
    went = (
        episodes.groupby(["automation_id", "began_at", "is_inside"])["is_bad"].any().reset_index()
    )
    inside, outside = went[went["is_inside"]]["is_bad"], went[~went["is_inside"]]["is_bad"]
    return (int(inside.sum()), len(inside)), (int(outside.sum()), len(outside))


def troubled_stretches(ground: Ground) -> pd.DataFrame:
    """Return the stretches in which a provider under review said that it was not operational."""
    rows = ground.table("provider_status")
    rows = rows[
        rows["provider"].isin(ground.request.providers) & rows["status"].isin(TROUBLED)
    ].copy()
    rows["ended_at"] = rows["until_at"].fillna(ground.as_of)
    return rows.reset_index(drop=True)


def runs_in_trouble(ground: Ground) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """Return the runs under no hold, and for each whether the provider that it used was in trouble.

    Where a run does not name its provider that of the registry counts, and where neither does any.

    A status page begins late, so a stretch is taken to begin a little earlier than it says.
    """
    runs = with_period(ground)
    runs = runs[runs["period"].notna() & runs["is_counted"]].reset_index(drop=True)
    lag = pd.Timedelta(seconds=ground.limits.provider_lag_seconds)
    is_inside = pd.Series(False, index=runs.index, dtype=bool)
    registered = {i: a.provider or None for i, a in ground.automations.items()}
    own = runs["provider"].fillna(runs["automation_id"].map(registered))
    for _, stretch in troubled_stretches(ground).iterrows():
        is_while = runs["started_at"].between(stretch["since_at"] - lag, stretch["ended_at"])
        is_inside |= is_while & (own.isna() | (own == stretch["provider"]))
    return runs, is_inside


def provider_overlap(ground: Ground) -> Overlap:
    """Compare the troubled runs inside and outside of the providers' trouble."""
    runs, is_inside = runs_in_trouble(ground)
    return compare(
        runs, is_troubled(runs), is_inside=is_inside, significance=ground.limits.significance
    )

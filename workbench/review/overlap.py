"""Does a provider's own trouble explain the failures, or does it only happen to be there?

Failures are compared inside and outside of the stretches in which the provider said that it was not
operational. The null hypothesis deals the failures out over
the runs at random. Caveat, said in the report too: failures come in bursts, so a small p is not yet a cause.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.onset import is_troubled
from workbench.review.periods import with_period
from workbench.review.statistics import chance_of_overlap

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
    """Compare how often runs went wrong inside and outside; every run counts once."""
    inside = int((is_bad & is_inside).sum()), int(is_inside.sum())
    outside = int((is_bad & ~is_inside).sum()), int((~is_inside).sum())
    if not len(runs):
        return Overlap()
    chance = chance_of_overlap(inside, outside)
    rate_inside = inside[0] / inside[1] if inside[1] else 0.0
    rate_outside = outside[0] / outside[1] if outside[1] else 0.0
    is_more = chance <= significance and rate_inside >= 2 * rate_outside
    expected = inside[1] / len(runs) * (inside[0] + outside[0])
    ids = frozenset(runs[is_bad & is_inside]["run_id"])
    return Overlap(inside, outside, expected, chance, bool(inside[0]) and is_more, ids)


def troubled_stretches(ground: Ground) -> pd.DataFrame:
    """Return the stretches in which a provider under review said that it was not operational."""
    rows = ground.table("provider_status")
    rows = rows[
        rows["provider"].isin(ground.request.providers) & rows["status"].isin(TROUBLED)
    ].copy()
    rows["ended_at"] = rows["until_at"].fillna(ground.as_of)
    return rows.reset_index(drop=True)


def runs_in_trouble(ground: Ground) -> tuple[pd.DataFrame, pd.Series[bool]]:
    """Return the runs under no hold, and for each whether its providers were in trouble.

    A status page begins late, so a stretch is taken to begin a little earlier than it says.
    """
    runs = with_period(ground)
    runs = runs[runs["period"].notna() & runs["is_counted"]].reset_index(drop=True)
    lag = pd.Timedelta(seconds=ground.limits.provider_lag_seconds)
    is_inside = pd.Series(False, index=runs.index, dtype=bool)
    for _, stretch in troubled_stretches(ground).iterrows():
        is_inside |= runs["started_at"].between(stretch["since_at"] - lag, stretch["ended_at"])
    return runs, is_inside


def provider_overlap(ground: Ground) -> Overlap:
    """Compare the troubled runs inside and outside of the providers' trouble."""
    runs, is_inside = runs_in_trouble(ground)
    return compare(
        runs, is_troubled(runs), is_inside=is_inside, significance=ground.limits.significance
    )

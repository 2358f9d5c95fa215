"""Does a provider's own trouble explain the failures, or does it only happen to be there?

Failures are compared inside and outside of the stretches in which the provider said that it was not
operational, a little widened because status pages are late. The null hypothesis deals the failures out over
the runs at random. Caveat, said in the report too: failures come in bursts, so a small p is not yet a cause.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.onset import is_troubled
from workbench.review.periods import with_period
from workbench.review.statistics import chance_of_overlap

TROUBLED = ("degraded", "partial_outage", "major_outage", "maintenance")


@dataclass(frozen=True)
class ProviderOverlap:
    """Troubled runs inside and outside of the provider's own trouble.

    Attributes:
        expected_count: troubled runs inside by chance alone.
        chance: probability of at least so many inside by chance.
        is_explained: more often than by chance, and at least twice the rate outside.
    """

    inside: tuple[int, int] = (0, 0)
    outside: tuple[int, int] = (0, 0)
    expected_count: float = 0.0
    chance: float = 1.0
    is_explained: bool = False
    explained_run_ids: set[str] = field(default_factory=set)


def troubled_stretches(ground: Ground) -> pd.DataFrame:
    """Return the stretches in which a provider under review said that it was not operational."""
    rows = ground.table("provider_status")
    rows = rows[
        rows["provider"].isin(ground.request.providers) & rows["status"].isin(TROUBLED)
    ].copy()
    rows["ended_at"] = rows["until_at"].fillna(ground.as_of)
    return rows.reset_index(drop=True)


def provider_overlap(ground: Ground) -> ProviderOverlap:
    """Compare the troubled runs inside and outside of the providers' trouble, under no hold."""
    stretches = troubled_stretches(ground)
    runs = with_period(ground)
    runs = runs[runs["period"].notna() & runs["is_counted"]].copy()
    if stretches.empty or runs.empty:
        return ProviderOverlap(outside=(int(is_troubled(runs).sum()), len(runs)))
    lag = pd.Timedelta(seconds=ground.limits.provider_lag_seconds)
    is_inside = pd.Series(False, index=runs.index)
    for _, stretch in stretches.iterrows():
        is_inside |= runs["started_at"].between(
            stretch["since_at"] - lag, stretch["ended_at"] + lag
        )
    bad = is_troubled(runs)
    inside = int((bad & is_inside).sum()), int(is_inside.sum())
    outside = int((bad & ~is_inside).sum()), int((~is_inside).sum())
    chance = chance_of_overlap(inside, outside)
    rate_inside = inside[0] / inside[1] if inside[1] else 0.0
    rate_outside = outside[0] / outside[1] if outside[1] else 0.0
    explains = (
        bool(inside[0]) and chance <= ground.limits.significance and rate_inside >= 2 * rate_outside
    )
    share = inside[1] / (inside[1] + outside[1])
    ids = set(runs[bad & is_inside]["run_id"]) if explains else set()
    return ProviderOverlap(inside, outside, share * (inside[0] + outside[0]), chance, explains, ids)

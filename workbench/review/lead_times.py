"""Which change came so shortly before the onset that chance hardly puts one there?

Looked at are the changes that touch who failed: at least `LEAST_SHARE` of the troubled runs of the incident. Each is
measured from where the trouble began among the runs that it touches, which is sharper than where it began among all
(the same rule as for the onset; where it finds nothing, the review's onset).
Null: the trouble had nothing to do with the changes, so any earlier run of those might have been the first troubled
one. The chance of a lead is the share of these runs' starts that have any of the changes at most so long before them;
the first troubled one is among them, so it is never zero. As the nearest of *all* of them counts at each start, having
looked at many is allowed for (Westfall and Young 1993, the maximum statistic): where somebody changes something every
hour, half an hour of lead proves nothing. Where changes touch different runs, each chance counts as often as there
are such sets (Bonferroni).

Besides what was recorded, the first run of an automation with another version, provider or tool is a change, once
it ran `USUAL_RUNS` times without.
Nearness is still no proof; what stands out is where to look first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.review.attributes import (
    CHANCE,
    FAMILIES,
    MOST_SHOWN,
    SIGNIFICANCE,
    STANDS_OUT,
    USUAL_RUNS,
    Candidate,
    counts_of,
)
from workbench.review.onset import first_rise

LEAST_SHARE = 0.5
LOOKBACK = pd.Timedelta(hours=24)
CLOCK_GRAIN_SECONDS = 0.001
"""Instants since 1970 as floats keep no more for certain."""
FIRST_SEEN = "first seen"
FIRST_SEEN_FIELDS = ("version", "provider", "tool")
COLUMNS = ("changed_at", "kind", "what", "automation_ids")


def rank_changes(
    changes: pd.DataFrame, *, before: pd.DataFrame, during: pd.DataFrame, onset_at: pd.Timestamp
) -> tuple[list[Candidate], int]:
    """Return the changes before the onset, the nearest that touch who failed first, and how many of these there were.

    `changes` to the scope: the columns of `COLUMNS`; `automation_ids` are those that it touches.
    """
    known = pd.concat([changes, first_seen(before, during)], ignore_index=True)
    known = known.sort_values(["changed_at", "what"], kind="stable", ignore_index=True)
    failed = during[during["is_troubled"]]["automation_id"]
    shares = pd.Series([failed.isin(ids).mean() for ids in known["automation_ids"]], dtype=float)
    of_failed, others = known[shares >= LEAST_SHARE], known[~(shares >= LEAST_SHARE)]
    sets = sorted(set(of_failed["automation_ids"]), key=sorted)
    found = [
        one
        for ids in sets
        for one in _of_set(ids, of_failed, before=before, during=during, onset_at=onset_at)
    ]
    counted = [replace(one, chance=min(1.0, one.chance * FAMILIES * len(sets))) for one in found]
    judged = [_judged(one) for one in sorted(counted, key=lambda one: one.lead_seconds or 0.0)]
    earlier = others[others["changed_at"] <= onset_at][::-1]
    shown = [
        _candidate(row, before, during=during, began_at=onset_at, chance=1.0)
        for _, row in earlier.head(MOST_SHOWN).iterrows()
    ]
    return [*judged, *shown][:MOST_SHOWN], len(judged)


def _of_set(
    ids: frozenset[str],
    changes: pd.DataFrame,
    *,
    before: pd.DataFrame,
    during: pd.DataFrame,
    onset_at: pd.Timestamp,
) -> list[Candidate]:
    """Return the changes that touch just these automations, measured from where their trouble began."""
    runs = pd.concat([before, during])
    mine = runs[runs["automation_id"].isin(ids)].sort_values("started_at", kind="stable")
    near = mine[mine["started_at"] >= onset_at - LOOKBACK]
    began_at = first_rise(near["started_at"], near["is_troubled"]) or onset_at
    chances = chance_of_leads(
        changes[changes["changed_at"] <= began_at]["changed_at"],
        mine[mine["started_at"] < began_at]["started_at"],
        onset_at=began_at,
    )
    own = changes[(changes["automation_ids"] == ids) & (changes["changed_at"] <= began_at)]
    return [
        _candidate(
            row,
            before,
            during=during,
            began_at=began_at,
            chance=chances.of((began_at - row["changed_at"]).total_seconds()),
        )
        for _, row in own.iterrows()
    ]


def _judged(one: Candidate) -> Candidate:
    return replace(one, standing=STANDS_OUT) if one.chance <= SIGNIFICANCE else one


def first_seen(before: pd.DataFrame, during: pd.DataFrame) -> pd.DataFrame:
    """Return, as changes, the first runs with another version, provider or tool of automations that ran without."""
    runs = pd.concat([before, during]).sort_values("started_at", kind="stable")
    rows = []
    for field in FIRST_SEEN_FIELDS:
        known = runs[runs[field].notna()]
        place = known.groupby("automation_id").cumcount()
        is_first = ~known.duplicated(["automation_id", field])
        later = known[is_first & (place >= USUAL_RUNS)]
        for _, run in later.iterrows():
            said = f"{run['automation_id']} ran with {field}={run[field]} for the first time"
            rows.append(
                (run["started_at"], FIRST_SEEN, said, frozenset({str(run["automation_id"])}))
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


class Chances:
    """How often a start of a run has a change at most so long before it."""

    def __init__(self, leads: NDArray[np.float64]) -> None:
        """Take the seconds from the nearest change before each start; infinite where there is none."""
        self._leads = leads

    def of(self, seconds: float) -> float:
        """Return the share of starts with so short a lead."""
        near = int((self._leads <= seconds + CLOCK_GRAIN_SECONDS).sum())
        return max(near, 1) / max(len(self._leads), 1)


def chance_of_leads(
    changed_at: pd.Series[pd.Timestamp],
    started_at: pd.Series[pd.Timestamp],
    *,
    onset_at: pd.Timestamp,
) -> Chances:
    """Return how often starts of runs before the onset, and the onset itself, have a change shortly before them."""
    starts = pd.concat([started_at, pd.Series([onset_at])])
    instants = _seconds(starts)
    changes = np.concatenate([[-np.inf], np.sort(_seconds(changed_at))])
    nearest = np.searchsorted(changes, instants, side="right") - 1
    return Chances(instants - changes[nearest])


def _seconds(instants: pd.Series[pd.Timestamp]) -> NDArray[np.float64]:
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    seconds = (pd.to_datetime(instants, utc=True) - epoch).dt.total_seconds()
    return np.asarray(seconds, dtype=np.float64)


def _candidate(
    row: pd.Series[Any],
    before: pd.DataFrame,
    *,
    during: pd.DataFrame,
    began_at: pd.Timestamp,
    chance: float,
) -> Candidate:
    is_touched = during["automation_id"].isin(row["automation_ids"])
    return Candidate(
        kind=FIRST_SEEN if row["kind"] == FIRST_SEEN else f"{row['kind']} change",
        names=(str(row["what"]),),
        inside=counts_of(during[is_touched]),
        elsewhere=counts_of(during[~is_touched]),
        before=counts_of(before[before["automation_id"].isin(row["automation_ids"])]),
        chance=chance,
        standing=CHANCE,
        lead_seconds=(began_at - row["changed_at"]).total_seconds(),
    )


def touching(changes: pd.DataFrame, touched: Iterator[frozenset[str]]) -> pd.DataFrame:
    """Return recorded changes in the columns of `COLUMNS`, those that touch nothing left out."""
    rows = [
        (
            row["changed_at"],
            str(row["kind"]),
            f"{row['target']}: {row['summary']}",
            automation_ids,
        )
        for (_, row), automation_ids in zip(changes.iterrows(), touched, strict=True)
        if automation_ids
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))

"""Why did it break? The candidates of all kinds in one order, and what can be said: one of them, or none.

Order: what stands out before what does not; then changes, attributes and pairs, signatures last, because an error
text is what a failure looks like and not what brought it about. Within a kind the strongest first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench.review.attributes import (
    CHANCE,
    FAMILIES,
    LEAST_RUNS,
    MOST_SHOWN,
    SIGNIFICANCE,
    STANDS_OUT,
    Candidate,
    counts_of,
    rank_attributes,
)
from workbench.review.lead_times import rank_changes
from workbench.review.scanning import scan

SIGNATURE = "signature"


@dataclass(frozen=True)
class Evidence:
    """What a search for a cause looks at.

    Attributes:
        before: runs before the onset; columns: run_id, automation_id, started_at, is_troubled, error_signature
            and the fields of `attributes`.
        during: runs of the incident, in the same columns.
        changes: changes to the scope, in the columns of `lead_times`.
    """

    before: pd.DataFrame
    during: pd.DataFrame
    changes: pd.DataFrame
    onset_at: pd.Timestamp


@dataclass(frozen=True)
class Search:
    """What was found: candidates in order, and how many of each kind were looked at."""

    candidates: tuple[Candidate, ...]
    attribute_count: int
    signature_count: int
    change_count: int

    @property
    def named(self) -> tuple[Candidate, ...]:
        """The candidates that stand out."""
        return tuple(one for one in self.candidates if one.is_named)


def search_causes(evidence: Evidence) -> Search:
    """Return what may have been the cause, the likeliest first: a pure function of its argument."""
    before, during = _ordered(evidence.before), _ordered(evidence.during)
    changes, change_count = rank_changes(
        evidence.changes, before=before, during=during, onset_at=evidence.onset_at
    )
    attributes, attribute_count = rank_attributes(during, before)
    signatures, signature_count = rank_signatures(during, before)
    ordered = sorted(
        [*changes, *attributes, *signatures], key=lambda one: one.standing != STANDS_OUT
    )
    return Search(tuple(ordered), attribute_count, signature_count, change_count)


def _ordered(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.sort_values(["started_at", "run_id"], kind="stable", ignore_index=True)


def rank_signatures(during: pd.DataFrame, before: pd.DataFrame) -> tuple[list[Candidate], int]:
    """Return the error texts that the failures of the incident have and those before it had not, and how many.

    Compared are troubled runs only, those of the incident with those before: that more failed is known already.
    Where nothing failed before there is nothing to compare with, and none can stand out.
    """
    both = pd.concat([during.assign(is_bad=True), before.assign(is_bad=False)], ignore_index=True)
    failed = both[both["is_troubled"] & both["error_signature"].notna()].reset_index(drop=True)
    names = [
        str(name)
        for name, count in failed["error_signature"].value_counts().items()
        if count >= LEAST_RUNS
    ]
    names.sort()
    members = np.array([failed["error_signature"] == name for name in names], dtype=np.bool_)
    is_bad = failed["is_bad"].to_numpy(dtype=np.bool_)
    statistics, chances = scan(members, is_bad, weights=np.ones(len(failed)))
    order = sorted(range(len(names)), key=lambda i: (-statistics[i], names[i]))[:MOST_SHOWN]
    found = [
        _of_signature(names[i], during, before, chance=float(chances[i]))
        for i in order
        if statistics[i] > 0
    ]
    return found, len(names)


def _of_signature(
    name: str, during: pd.DataFrame, before: pd.DataFrame, *, chance: float
) -> Candidate:
    """Return a signature as a candidate: troubled runs of the incident with it, and of those before."""
    failed, earlier = during[during["is_troubled"]], before[before["is_troubled"]]
    mine, known = failed["error_signature"] == name, earlier["error_signature"] == name
    adjusted = min(1.0, chance * FAMILIES)
    found = Candidate(
        kind=SIGNATURE,
        names=(name,),
        inside=(int(mine.sum()), len(failed)),
        elsewhere=(0, 0),
        before=(int(known.sum()), len(earlier)),
        chance=adjusted,
        standing=CHANCE,
    )
    return replace(found, standing=STANDS_OUT) if adjusted <= SIGNIFICANCE else found


def why_not(evidence: Evidence) -> str:
    """Return why the runs can tell no cause apart, or an empty text where they could have."""
    bad, count = counts_of(evidence.during)
    if not bad:
        return "no run of the incident was troubled"
    if bad == count:
        return f"all {count} runs of the incident were troubled, so they do not differ"
    return ""

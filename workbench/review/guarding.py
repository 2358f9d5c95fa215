"""What the guardrail says of each automation that a narrow restart let through, against its own baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.periods import BASELINE, SINCE, with_period
from workbench.review.power import caught_rate
from workbench.review.sequential import (
    Guardrail,
    GuardState,
    Reading,
    aborting_count,
    guardrail_of,
    reading,
)
from workbench.review.thresholds import ReviewThresholds


@dataclass(frozen=True)
class Guarded:
    """One automation, what its runs since the pause are held against, and what they say."""

    automation_id: str
    guardrail: Guardrail
    reading: Reading

    @property
    def is_aborted(self) -> bool:
        """Tell whether its guardrail says abort."""
        return self.reading.state is GuardState.ABORT

    def aborting_count(self, more: int = 0) -> int:
        """Return the failures in all at which so many more runs abort it; one more than the runs where none does."""
        return aborting_count(self.guardrail, self.reading.run_count + more)

    def caught_rate(self, more: int) -> float | None:
        """Return the failure rate that so many more runs catch with the usual power; None where they catch none."""
        so_far = self.reading.failure_count, self.reading.run_count
        return caught_rate(self.guardrail, more, before=so_far)


def tolerated(limits: ReviewThresholds) -> Guardrail:
    """Return the guardrail of an automation whose baseline says nothing of its own."""
    return Guardrail(
        rate=limits.max_failure_rate,
        alpha=limits.guardrail_alpha,
        alternative_rate=limits.alternative_rate,
        source="the tolerated rate",
    )


def guarded(ground: Ground, automation_ids: Sequence[str] = ()) -> list[Guarded]:
    """Return what each automation's guardrail says, the one nearest to its abort first.

    Runs count in the order in which they ended. Each automation has a guardrail of its own: its alpha is the
    chance of aborting that one, not any of several.
    """
    runs = with_period(ground)
    found = [
        _guarded(ground.limits, automation_id, runs[runs["automation_id"] == automation_id])
        for automation_id in automation_ids or ground.request.automation_ids
    ]
    return sorted(
        found,
        key=lambda one: (-one.reading.highest[0] / one.guardrail.limit, one.automation_id),
    )


def _guarded(limits: ReviewThresholds, automation_id: str, runs: pd.DataFrame) -> Guarded:
    counted = runs[runs["is_counted"]]
    before = counted[counted["period"] == BASELINE]
    since = counted[counted["period"] == SINCE].sort_values(["ended_at", "run_id"])
    guardrail = guardrail_of(
        (int(before["is_failed"].sum()), len(before)),
        tolerated=tolerated(limits),
        least_run_count=int(limits.baseline_run_count),
    )
    return Guarded(automation_id, guardrail, reading(list(since["is_failed"]), guardrail))


def guard_rows(found: Sequence[Guarded]) -> pd.DataFrame:
    """Return one row per automation that ran since the pause.

    Columns: automation_id, state, run_count, failure_count, e_value, highest_e_value, abort_e_value,
    aborting_failure_count, reference_rate, reference_source, low_rate, high_rate.
    """
    rows = [
        {
            "automation_id": one.automation_id,
            "state": one.reading.state.value,
            "run_count": one.reading.run_count,
            "failure_count": one.reading.failure_count,
            "e_value": one.reading.e_value,
            "highest_e_value": one.reading.highest[0],
            "abort_e_value": one.guardrail.limit,
            "aborting_failure_count": one.aborting_count(),
            "reference_rate": one.guardrail.rate,
            "reference_source": one.guardrail.source,
            "low_rate": one.reading.low,
            "high_rate": one.reading.high,
        }
        for one in found
        if one.reading.run_count
    ]
    return pd.DataFrame(rows)

"""Error budgets: how fast failures spend what an objective allows, over two windows and over four weeks.

Burn rate = failure rate / (1 - objective): 1 spends the budget of a period just at its end. The windows, factors and
the period are those of chapter 5 of the Site Reliability Workbook (alerting on SLOs); the four weeks are those of the
error budget policy in its appendix. That chapter warns of low traffic: where a single failure passes a limit, the
limit says nothing, and exact bounds are asked instead (`statistics`). More failures than the limit allows of the runs
that it needs are too many of fewer runs as well: clean runs that are still to come could not make it otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

PERIOD_SECONDS = 30 * 86_400
"""What the factors are worked out for."""
FOUR_WEEKS_SECONDS = 28 * 86_400
"""Over so long the policy asks whether the budget is spent."""


class BurnState(StrEnum):
    """What a burn rate says."""

    FIRES = "fires"
    QUIET = "quiet"
    TOO_FEW = "too few runs: see the exact bounds"
    NEVER = "cannot fire: it asks for more failures than runs"


class BudgetState(StrEnum):
    """What is left of an error budget."""

    SPENT = "spent: stay narrow"
    LEFT = "not spent"
    TOO_FEW = "too few runs: see the exact bounds"


@dataclass(frozen=True)
class BurnRule:
    """Two windows that end together; both above the factor fire.

    The short one, a twelfth of the long one, tells whether it still burns.

    Attributes:
        budget_share: share of the budget of 30 days that the long window then has spent.
    """

    budget_share: Fraction
    long_seconds: int

    @property
    def short_seconds(self) -> int:
        """Length of the short window."""
        return self.long_seconds // 12

    @property
    def factor(self) -> Fraction:
        """Burn rate that spends the share within the long window."""
        return self.budget_share * PERIOD_SECONDS / self.long_seconds


RULES = (
    BurnRule(Fraction(2, 100), 3_600),
    BurnRule(Fraction(5, 100), 6 * 3_600),
    BurnRule(Fraction(10, 100), 3 * 86_400),
)
"""The chapter's own: 14.4 times over 1 h, 6 times over 6 h, 1 time over 3 d."""
PAGED = RULES[:2]
"""Those that the chapter calls somebody for; the slow one is a ticket, so it stands in reviews and triggers nothing."""


@dataclass(frozen=True)
class Tally:
    """Failures among runs that ended."""

    failure_count: int
    run_count: int

    def is_above(self, rate: Fraction) -> bool:
        """Tell whether more of them failed than a rate; no runs are above nothing."""
        return self.failure_count > rate * self.run_count

    def filled_up(self, run_count: int) -> Tally:
        """Return the tally with clean runs added up to a count: the best that can still come of fewer runs."""
        return Tally(self.failure_count, max(self.run_count, run_count))


def budget_of(objective_percent: str) -> Fraction:
    """Return the share of runs that may fail: 1 - objective; raises ValueError where that is none or all."""
    budget = 1 - Fraction(objective_percent) / 100
    if not 0 < budget < 1:
        raise ValueError(f"an objective lies between 0 and 100 %, not at {objective_percent} %")
    return budget


def burn_rate(tally: Tally, budget: Fraction) -> float | None:
    """Return how many times as fast as allowed the budget is spent; None without runs."""
    if not tally.run_count:
        return None
    return float(Fraction(tally.failure_count, tally.run_count) / budget)


def needed_run_count(factor: Fraction, budget: Fraction) -> int:
    """Return the runs from which on a single failure is not above the factor by itself.

    One failure of n burns 1 / (n (1 - objective)), which is at most the factor from n = 1 / (factor (1 - objective)).
    """
    return ceil(1 / (factor * budget))


def judge(rule: BurnRule, windows: tuple[Tally, Tally], *, budget: Fraction) -> BurnState:
    """Return what the windows say, long and short: one with enough runs that is not above the limit makes it quiet.

    A window with too few runs is above the limit where its failures would be so among the runs that it lacks as
    well, all clean: so a clean run more never makes it fire, and a failure more never stops it.
    """
    limit, needed = rule.factor * budget, needed_run_count(rule.factor, budget)
    if limit >= 1:
        return BurnState.NEVER
    if all(window.filled_up(needed).is_above(limit) for window in windows):
        return BurnState.FIRES
    known = [window for window in windows if window.run_count >= needed]
    if any(not window.is_above(limit) for window in known):
        return BurnState.QUIET
    return BurnState.TOO_FEW


def judge_budget(tally: Tally, budget: Fraction) -> BudgetState:
    """Return whether more failed than the objective allows of so many runs, or of the runs that it takes to tell."""
    needed = needed_run_count(Fraction(1), budget)
    if tally.filled_up(needed).is_above(budget):
        return BudgetState.SPENT
    return BudgetState.TOO_FEW if tally.run_count < needed else BudgetState.LEFT

"""Whether failures spend an error budget too fast: the burn rates of `burn_rate` over windows that end now."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from workbench.review.burn_rate import (
    PAGED,
    BurnRule,
    BurnState,
    Tally,
    budget_of,
    burn_rate,
    judge,
    needed_run_count,
)
from workbench.review.ground import spoken
from workbench.review.pausing import without_refused
from workbench.review.trigger_runs import finding, off, unknown
from workbench.trigger_rules import Subject, TriggerFinding

QUERY = "triggers.outcomes"
RULE = "objective_percent"


def error_budget(subject: Subject, outcomes: pd.DataFrame, *, as_of: datetime) -> TriggerFinding:
    """Compare the burn rates with their factors, the fastest first; any of them fires.

    Of what a restart cut off nothing counts, so windows that reach before it hold fewer runs; what the gate refused
    did not run.
    """
    stated = subject.rules.objective_percent
    if not stated:
        return off(subject, RULE)
    budget = budget_of(stated)
    outcomes = without_refused(outcomes)
    ages = _ages(outcomes, as_of)
    tallies = {
        r: (_tally(outcomes, ages, r.long_seconds), _tally(outcomes, ages, r.short_seconds))
        for r in PAGED
    }
    states = {r: judge(r, both, budget=budget) for r, both in tallies.items()}
    telling = [r for r in PAGED if states[r] in (BurnState.FIRES, BurnState.QUIET)]
    if not telling:
        asked = min(needed_run_count(r.factor, budget) for r in PAGED)
        most = max(long.run_count for long, _ in tallies.values())
        return unknown(
            subject,
            RULE,
            why=f"{most} ended runs; at {stated} % it takes {asked} or more in both windows",
            query=QUERY,
        )
    shown = next((r for r in telling if states[r] is BurnState.FIRES), telling[0])
    long, short = tallies[shown]
    burn = burn_rate(long, budget) or 0.0
    return finding(
        subject,
        RULE,
        is_firing=states[shown] is BurnState.FIRES,
        sentence=f"{_said(long)} in {spoken(shown.long_seconds)} and {_said(short)} in "
        f"{spoken(shown.short_seconds)} failed: {burn:.1f} times what {stated} % allows",
        measured=(f"{burn:.1f}", "times what is allowed", _threshold(shown), QUERY),
        is_near=any(tallies[r][0].is_above(r.factor * budget / 2) for r in telling),
    )


def _ages(outcomes: pd.DataFrame, as_of: datetime) -> pd.Series[float]:
    """Return how many seconds before an instant each run ended."""
    return (as_of - pd.to_datetime(outcomes["finished_at"], utc=True)).dt.total_seconds()


def _tally(outcomes: pd.DataFrame, ages: pd.Series[float], seconds: float) -> Tally:
    mine = outcomes[ages <= seconds]
    return Tally(int(mine["is_failed"].astype(bool).sum()), len(mine))


def _said(tally: Tally) -> str:
    return f"{tally.failure_count} of {tally.run_count} runs"


def _threshold(rule: BurnRule) -> str:
    return f"above {float(rule.factor):g} over {spoken(rule.long_seconds)} and {spoken(rule.short_seconds)}"

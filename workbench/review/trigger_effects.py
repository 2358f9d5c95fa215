"""What runs did outside: money that they spent, and records that customers see."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from workbench.review.trigger_runs import (
    FAILED,
    QUERY,
    RECENT_RUNS,
    context_age,
    counted,
    finding,
    off,
    unknown,
)
from workbench.trigger_rules import Subject, TriggerFinding, money

USUAL_RUNS = 30
"""Priced runs before the last ten that make a usual cost: fewer, and their median moves with each run."""
SPEND, USUAL, CHANGES = "triggers.spend", "triggers.usual_cost", "triggers.customer_changes"


def budget(subject: Subject, spend: pd.DataFrame, *, span: str) -> TriggerFinding:
    """Compare what was spent in the last hour or day with the budget, in its own currency."""
    rule = f"budget_per_{span}"
    stated = getattr(subject.rules, rule)
    if not stated:
        return off(subject, rule)
    limit, currency = money(stated)
    others = sorted({c or "no currency" for c in spend["cost_currency"]} - {currency})
    if others:
        why = f"costs are in {', '.join(others)}, the budget in {currency}"
        return unknown(subject, rule, why=why, query=SPEND)
    if spend.empty:
        return unknown(subject, rule, why=f"no run of the last {span} tells its cost", query=SPEND)
    spent = sum((Decimal(str(v)) for v in spend[f"{span}_amount"]), Decimal(0))
    return finding(
        subject,
        rule,
        is_firing=spent > limit,
        sentence=f"{spent:f} {currency} spent in the last {span}",
        measured=(f"{spent:f}", f"{currency} per {span}", f"above {stated}", SPEND),
    )


def unusual_spend(subject: Subject, runs: pd.DataFrame, *, usual: pd.DataFrame) -> TriggerFinding:
    """Compare what a run costs lately with its own history, as medians; a category mixes too much for it."""
    rule, ratio = "spend_ratio", subject.rules.spend_ratio
    priced = runs[runs["cost_amount"].notna()].tail(RECENT_RUNS)
    if not ratio or subject.is_category or (priced.empty and usual.empty):
        return off(subject, rule)
    currencies = {*priced["cost_currency"].fillna(""), *usual["cost_currency"]}
    if len(currencies) > 1:
        return unknown(subject, rule, why="its costs are in more than one currency", query=USUAL)
    known = int(usual["run_count"].sum())
    if len(priced) < RECENT_RUNS or known < USUAL_RUNS:
        why = f"{len(priced)} priced runs lately and {known} before; it takes {RECENT_RUNS} and {USUAL_RUNS}"
        return unknown(subject, rule, why=why, query=USUAL)
    lately, before = float(priced["cost_amount"].median()), float(usual["usual_amount"].iloc[0])
    if before <= 0:
        return unknown(
            subject, rule, why="its runs usually cost nothing, so no ratio can be had", query=USUAL
        )
    times = lately / before
    return finding(
        subject,
        rule,
        is_firing=times >= ratio,
        sentence=f"one of the last {RECENT_RUNS} runs costs {times:.1f} times the usual ({lately:.6f} against "
        f"{before:.6f} {next(iter(currencies))}, medians)",
        measured=(f"{times:.1f}", "times the usual", f"{ratio} or more", USUAL),
        is_near=times >= ratio * 2 / 3,
    )


def suspect_changes(subject: Subject, changes: pd.DataFrame) -> TriggerFinding:
    """Count records that customers see, changed by runs that failed or began on context that was too old."""
    rule, limit = "suspect_changes", subject.rules.suspect_changes
    if not limit:
        return off(subject, rule)
    oldest = subject.rules.context_max_age_seconds
    is_stale = context_age(changes) > oldest if oldest else pd.Series(False, index=changes.index)
    is_suspect = changes["status"].isin(FAILED) | is_stale
    count = int(changes.loc[is_suspect, "change_count"].sum())
    return finding(
        subject,
        rule,
        is_firing=count >= limit,
        sentence=f"{counted(count, 'record')} that customers see, changed within an hour by runs that failed or "
        "began on context that was too old",
        measured=(str(count), "records", f"{limit} or more", CHANGES),
    )


def customer_changes(subject: Subject, changes: pd.DataFrame) -> TriggerFinding:
    """Count records that customers see, changed by any run, where the registry states a limit."""
    rule, limit = "customer_changes_per_hour", subject.rules.customer_changes_per_hour
    if not limit:
        return off(subject, rule)
    count = int(changes["change_count"].sum())
    return finding(
        subject,
        rule,
        is_firing=count > limit,
        sentence=f"{counted(count, 'record')} that customers see, changed within an hour",
        measured=(str(count), "records", f"above {limit}", CHANGES),
    )


__all__ = ["QUERY", "budget", "customer_changes", "suspect_changes", "unusual_spend"]

"""What runs say of themselves: failures in a row, their rate, and context that was too old."""

from __future__ import annotations

import pandas as pd

from workbench.review.statistics import lower_bound
from workbench.trigger_rules import Subject, TriggerFinding, TriggerState

RECENT_RUNS = 10
"""Ended runs that costs and context are looked at over: enough that one odd run decides nothing."""
LOOK_CONFIDENCE = 0.99
"""A look is repeated all day, so it asks for more than the 95 % of a review."""
STALE_RUNS = 2
"""Runs on old context that fire: one may have begun just before its context was renewed."""
QUERY = "triggers.recent_runs"
FAILED = ("failed", "crashed")


def failure_streak(subject: Subject, runs: pd.DataFrame) -> TriggerFinding:
    """Look for runs that failed one after the other; a category as a whole has no order worth the name."""
    asked = subject.rules.failure_streak
    rule = "failure_streak"
    if not asked or subject.is_category:
        return off(subject, rule)
    worked = runs["finished_at"][~runs["status"].isin(FAILED)].max()
    streak = runs[runs["finished_at"] > worked] if pd.notna(worked) else runs
    count = len(streak)
    if count < asked and len(runs) < asked:
        return unknown(
            subject, rule, why=f"{len(runs)} ended runs, a streak takes {asked}", query=QUERY
        )
    newest = f", the newest at {streak['finished_at'].max():%Y-%m-%d %H:%M:%S} UTC" if count else ""
    return finding(
        subject,
        rule,
        is_firing=count >= asked,
        sentence=f"{counted(count, 'run')} failed in a row{newest}",
        measured=(str(count), "runs in a row", f"{asked} or more", QUERY),
    )


def failure_rate(subject: Subject, runs: pd.DataFrame) -> TriggerFinding:
    """Compare the failure rate of the last runs with a limit that it is above for certain."""
    limit, count = subject.rules.failure_rate_percent, subject.rules.failure_rate_runs
    rule = "failure_rate_percent"
    if not limit:
        return off(subject, rule)
    last = runs.tail(count)
    if len(last) < RECENT_RUNS:
        return unknown(
            subject, rule, why=f"{len(last)} ended runs, a rate takes {RECENT_RUNS}", query=QUERY
        )
    failed = int(last["status"].isin(FAILED).sum())
    least = 100 * lower_bound(failed, len(last), confidence=LOOK_CONFIDENCE)
    return finding(
        subject,
        rule,
        is_firing=least > limit,
        sentence=f"{failed} of the last {len(last)} runs failed: at least {least:.1f} %, at 99 %",
        measured=(f"{least:.1f}", "% at least", f"above {limit} %", QUERY),
        is_near=least > limit / 2,
    )


def stale_context(subject: Subject, runs: pd.DataFrame) -> TriggerFinding:
    """Look for runs that began on context that was too old; what never tells its context is not asked."""
    limit = subject.rules.context_max_age_seconds
    rule = "context_max_age_seconds"
    if not limit or subject.is_category:
        return off(subject, rule)
    ages = context_age(runs).dropna().tail(RECENT_RUNS)
    stale = ages[ages > limit]
    oldest = f"{stale.max():.0f}" if len(stale) else f"{ages.max():.0f}" if len(ages) else "0"
    if ages.empty:
        if "context_max_age_seconds" in subject.stated:
            return unknown(
                subject, rule, why="no ended run tells what its context is as of", query=QUERY
            )
        return off(subject, rule)
    return finding(
        subject,
        rule,
        is_firing=len(stale) >= STALE_RUNS,
        sentence=f"{len(stale)} of the last {len(ages)} runs with context began on context older than "
        f"{limit} s, the oldest {oldest} s",
        measured=(oldest, "s at most", f"{STALE_RUNS} runs above {limit} s", QUERY),
        is_near=len(stale) > 0,
    )


def context_age(runs: pd.DataFrame) -> pd.Series[float]:
    """Return how old each run's context was when it began, in seconds."""
    began = pd.to_datetime(runs["started_at"], utc=True)
    found = (began - pd.to_datetime(runs["context_as_of"], utc=True)).dt.total_seconds()
    return found.astype(float)


def finding(
    subject: Subject,
    rule: str,
    *,
    is_firing: bool,
    sentence: str,
    measured: tuple[str, str, str, str],
    is_near: bool = False,
) -> TriggerFinding:
    """Return what was found; `measured` is number, unit, threshold and query."""
    number, unit, threshold, query = measured
    return TriggerFinding(
        scope=subject.scope,
        rule=rule,
        state=TriggerState.FIRES if is_firing else TriggerState.QUIET,
        sentence=sentence,
        number=number,
        unit=unit,
        threshold=threshold,
        source=subject.rules.source(rule),
        query=query,
        is_near=is_near and not is_firing,
    )


def off(subject: Subject, rule: str) -> TriggerFinding:
    """Return that a rule is not looked at here."""
    return TriggerFinding(subject.scope, rule, TriggerState.QUIET, "not watched for here")


def unknown(subject: Subject, rule: str, *, why: str, query: str) -> TriggerFinding:
    """Return that nothing can be said, and why."""
    return TriggerFinding(subject.scope, rule, TriggerState.CANNOT_TELL, why, query=query)


def counted(count: int, noun: str) -> str:
    """Write `1 run`, `5 runs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"

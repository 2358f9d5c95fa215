"""Checks on runs: does the history since the pause speak for a restart, and what waits to start?"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from workbench.records import Check, CheckStatus
from workbench.review.durations import duration_shifts, said_of, shift_rows
from workbench.review.error_budget import budget_sentence, budget_tables, spent_budgets
from workbench.review.ground import (
    Finding,
    Ground,
    Section,
    counted,
    filled,
    judged,
    percent,
    spoken,
)
from workbench.review.guarding import Guarded, guard_rows, guarded
from workbench.review.pausing import audit_pause
from workbench.review.periods import (
    BASELINE,
    INCIDENT,
    Standing,
    bands,
    moments,
    period_rates,
    rehearsed_count,
    run_buckets,
    since_counts,
    standings,
    with_period,
)
from workbench.review.sequential import spoken_reading
from workbench.review.statistics import upper_bound

WAITING = ("scheduled", "queued", "held", "waiting", "retrying", "starting")

MOST_SHOWN = 1_000_000
"""E-value beyond which none is shown: it says no more."""


def check_run_history(ground: Ground) -> Finding:
    """Judge the runs since the pause: a guardrail that is looked at after every run, else exact bounds.

    A spent error budget allows no more than a narrow restart, however well the runs since the pause did.
    """
    runs = with_period(ground)
    rates = period_rates(runs)
    each, guards, shifts = standings(ground), guarded(ground), duration_shifts(ground)
    changed, budgets = [shift for shift in shifts if shift.is_changed], budget_tables(ground)
    is_lacking = any(s.needed_run_count or s.open_run_count for s in each) or bool(changed)
    check = Check(
        name="run_history",
        question="Do the runs since the pause show that it works again?",
        status=judged(
            is_bad=guards[0].is_aborted, is_lacking=is_lacking or len(spent_budgets(budgets)) > 0
        ),
        sentence=f"{_history_sentence(ground, rates, each)}{_rehearsed(runs)}{_guard_sentence(guards)}",
        number=float(since_counts(runs)[1]),
        unit="runs since the pause",
        threshold=f"upper 95 % bound of the failure rate at most {percent(ground.limits.proven_rate)}",
        threshold_source=ground.limits.source("clean_run_count"),
        row_count=len(runs),
        query="review.runs",
    )
    if guards[0].is_aborted:
        check = _aborted(ground, check, guards)
    said = f"{check.sentence}{said_of(changed)}{budget_sentence(budgets)}"
    telling = {
        "Guardrail of the narrow restart, good at every look": guard_rows(guards),
        "Durations of clean runs, before the fault and since the pause": shift_rows(shifts),
    }
    figures = _history_figures(ground, runs, rates=rates)
    tables = {**_history_tables(runs, rates), **filled(telling), **budgets}
    return Finding(replace(check, sentence=said), Section("Run history", said, tables, figures))


def _history_tables(runs: pd.DataFrame, rates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "Runs, failures, durations, retries and cost by period": rates,
        "Failures by automation and period": _by_automation(runs),
    }


def _history_figures(
    ground: Ground, runs: pd.DataFrame, *, rates: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    shown_since = ground.onset_at - (ground.as_of - ground.onset_at)
    return {
        "runs_over_time": run_buckets(runs, since=shown_since, until=ground.as_of),
        "runs_over_time_marks": moments(ground),
        "pause_gantt_bands": bands(ground),
        "rate_intervals": rates[rates["run_count"] > 0].reset_index(drop=True),
    }


def _history_sentence(ground: Ground, rates: pd.DataFrame, each: list[Standing]) -> str:
    weakest = each[0]
    needed = weakest.needed_run_count
    known = zip(rates["period"], rates["failure_count"], rates["run_count"], strict=True)
    was = [
        f"{period} {percent(int(bad) / int(runs))} of {counted(int(runs), 'run')}"
        for period, bad, runs in known
        if period in (BASELINE, INCIDENT) and runs
    ]
    before = f" Failed before: {', '.join(was)}." if was else ""
    if not sum(s.run_count for s in each):
        leaks = len(audit_pause(ground, ground.hold).leaked_starts)
        aside = f" ({counted(leaks, 'leaked run')} not counted)" if leaks else ""
        said = f"No runs since the pause{aside}, so nothing shows that it works"
        return f"{said}; {needed} clean runs are needed.{before}"
    failures, count = weakest.failure_count, weakest.run_count
    bound = percent(upper_bound(failures, count, confidence=ground.limits.confidence))
    whose = f" of {weakest.automation_id}, which shows least," if len(each) > 1 else ""
    more = f"; {needed} more clean runs are needed" if needed else ""
    still = sum(s.open_run_count for s in each)
    flight = f"; {counted(still, 'run')} still in flight" if still else ""
    said = f"{failures} of {counted(count, 'run')}{whose} since the pause failed, which bounds the rate at {bound}"
    return f"{said}{more}{flight}.{before}"


def _rehearsed(runs: pd.DataFrame) -> str:
    """Return how many rehearsals since the pause do not count, as a sentence; empty where there are none."""
    if not (count := rehearsed_count(runs)):
        return ""
    verb = "does" if count == 1 else "do"
    return f" {counted(count, 'rehearsal')} (read-only, dry run or staging) {verb} not count: nothing was done."


def _guard_sentence(guards: list[Guarded]) -> str:
    """Return what the guardrail says that stands worst, where anything ran."""
    ran = [one for one in guards if one.reading.run_count]
    if not ran:
        return ""
    whose = f" Of {ran[0].automation_id}:" if len(guards) > 1 else ""
    return f"{whose} {spoken_reading(ran[0].reading, ran[0].guardrail)}"


def _aborted(ground: Ground, check: Check, guards: list[Guarded]) -> Check:
    """Return the check with what aborts first: the e-value, its limit, and where both come from."""
    worst = guards[0]
    return replace(
        check,
        sentence=f"{_guard_sentence(guards).strip()} {check.sentence.removesuffix(_guard_sentence(guards))}",
        number=float(f"{min(worst.reading.highest[0], MOST_SHOWN):.3g}"),
        unit=f"highest e-value of a failure rate above {percent(worst.guardrail.rate)}",
        threshold=f"below {worst.guardrail.limit:.0f}, after whichever run one looks",
        threshold_source=f"{ground.limits.source('guardrail_alpha')}; {worst.guardrail.source}",
    )


def _by_automation(runs: pd.DataFrame) -> pd.DataFrame:
    ended = runs[runs["is_counted"] & runs["period"].notna()]
    grouped = ended.groupby(["automation_id", "period"], sort=True)
    found = grouped.agg(
        run_count=("run_id", "size"), failure_count=("is_failed", "sum")
    ).reset_index()
    found["failure_rate"] = found["failure_count"] / found["run_count"]
    return found


def check_backlog(ground: Ground) -> Finding:
    """Judge what waits to start, and whether every started run is accounted for."""
    runs = ground.table("runs")
    waiting = _waiting(ground, runs)
    balance = conservation(runs)
    late_count = int(waiting["is_late"].sum())
    missing = int(balance["unaccounted_count"].sum())
    limit = int(ground.limits.waiting_run_limit)
    status = CheckStatus.FAIL if late_count > limit or missing else CheckStatus.PASS
    skipped = skipped_starts(ground)
    sentence = _backlog_sentence(waiting, balance, skipped)
    check = Check(
        name="backlog",
        question="What would fire on resume, and is every started run accounted for?",
        status=status,
        sentence=sentence,
        number=float(late_count),
        unit="late runs",
        threshold=f"at most {limit} late runs; started = finished + failed + cancelled + in flight",
        threshold_source=ground.limits.source("waiting_run_limit"),
        row_count=len(waiting),
        query="review.runs",
    )
    shown = ["automation_id", "run_id", "status", "scheduled_at", "is_late", "trigger"]
    tables = {
        "Where every started run is": balance,
        "Starts skipped while paused, which a catch-up would replay": skipped,
        "Runs waiting to start": waiting[shown],
    }
    return Finding(
        check,
        Section("Backlog and what would fire", sentence, filled(tables)),
    )


def _waiting(ground: Ground, runs: pd.DataFrame) -> pd.DataFrame:
    waits = runs["status"].isin(WAITING) & runs["started_at"].isna() & runs["vanished_at"].isna()
    waiting = runs[waits & runs["finished_at"].isna()].copy()
    waiting["is_late"] = waiting["scheduled_at"].notna() & (waiting["scheduled_at"] < ground.as_of)
    return waiting.reset_index(drop=True)


def conservation(runs: pd.DataFrame) -> pd.DataFrame:
    """Return, per automation, where its started runs are; `unaccounted_count` must be 0."""
    started = runs[runs["started_at"].notna()].copy()
    started["place"] = started["status"].map(
        {
            "succeeded": "finished",
            "failed": "failed",
            "crashed": "failed",
            "cancelled": "cancelled",
            "skipped": "cancelled",
        }
    )
    in_flight = started["status"].isin(("running", "retrying", "waiting", "held", "starting"))
    started.loc[in_flight & started["vanished_at"].isna(), "place"] = "in_flight"
    started["place"] = started["place"].fillna("unaccounted")
    places = ("finished", "failed", "cancelled", "in_flight", "unaccounted")
    rows = []
    for automation_id, mine in started.groupby("automation_id", sort=True):
        counts = mine["place"].value_counts()
        row = {"automation_id": automation_id, "started_count": len(mine)}
        rows.append(row | {f"{place}_count": int(counts.get(place, 0)) for place in places})
    columns = ["automation_id", "started_count", *(f"{place}_count" for place in places)]
    return pd.DataFrame(rows, columns=columns)


def skipped_starts(ground: Ground) -> pd.DataFrame:
    """Return how many scheduled starts fell into the paused time of the hold under review."""
    until = ground.hold["released_at"] if pd.notna(ground.hold["released_at"]) else ground.as_of
    paused_seconds = (until - ground.paused_at).total_seconds()
    rows = [
        (
            a.automation_id,
            a.expected_interval_seconds,
            paused_seconds,
            int(paused_seconds // a.expected_interval_seconds),
        )
        for a in ground.automations.values()
        if a.expected_interval_seconds
    ]
    return pd.DataFrame(
        rows, columns=["automation_id", "interval_seconds", "paused_seconds", "skipped_start_count"]
    )


def _backlog_sentence(waiting: pd.DataFrame, balance: pd.DataFrame, skipped: pd.DataFrame) -> str:
    missing = int(balance["unaccounted_count"].sum())
    kept = (
        "every started run is accounted for"
        if not missing
        else f"{counted(missing, 'started run')} cannot be found again"
    )
    in_flight = int(balance["in_flight_count"].sum())
    flight = f", {counted(in_flight, 'run')} still in flight" if in_flight else ""
    missed = int(skipped["skipped_start_count"].sum())
    catch_up = ""
    if missed:
        paused = spoken(float(skipped["paused_seconds"].iloc[0]))
        catch_up = f" A catch-up of all would start {counted(missed, 'run')} for {paused} of pause; skip them."
    late = int(waiting["is_late"].sum())
    return f"{counted(len(waiting), 'run')} waiting, {late} of them late; {kept}{flight}.{catch_up}"

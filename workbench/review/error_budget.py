"""The error budgets of what a review is about: objectives of the registry, windows of time in which it ran.

Paused time is not run time: it is taken out, so that an hour is an hour in which the automation could run. What a
narrow restart let through ran. A run counts where it began while it could run, at the instant of its end; one that
ended under a pause counts at the instant of the pause. A run that the gate refused did not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pandas as pd

from workbench.review.burn_rate import (
    FOUR_WEEKS_SECONDS,
    RULES,
    BudgetState,
    BurnState,
    Tally,
    budget_of,
    burn_rate,
    judge,
    judge_budget,
    needed_run_count,
)
from workbench.review.ground import OBJECTIVES, PROBATION, Ground, counted, spoken
from workbench.review.pausing import without_refused
from workbench.review.request import QueryCall, ReviewRequest

Stretch = tuple[float, float]
"""A stretch of time by its ages at the end of the window, in seconds: the newer end, then the older one."""
JUST_AFTER = pd.Timedelta(microseconds=1)
POLICY = "error budget policy of the Site Reliability Workbook"


@dataclass(frozen=True)
class Objective:
    """What share of runs is to succeed, of one automation or of a category as a whole."""

    scope: str
    automation_ids: tuple[str, ...]
    percent: str

    @property
    def budget(self) -> Fraction:
        """Share of runs that may fail."""
        return budget_of(self.percent)


def outcome_query(request: ReviewRequest) -> QueryCall:
    """Return the query for four weeks before the hold under review, and what ended since."""
    return QueryCall(
        "review.outcomes",
        {
            "automation_ids": list(request.automation_ids),
            "environment": request.environment,
            "since": request.paused_at - timedelta(seconds=FOUR_WEEKS_SECONDS),
            "as_of": request.as_of,
        },
    )


def objectives(ground: Ground) -> list[Objective]:
    """Return the objectives that the registry states here; a category's where all of it is under review."""
    rows = ground.table(OBJECTIVES)
    found = []
    for scope, mine in rows.groupby("scope", sort=True):
        is_whole = len(mine) == int(mine["member_count"].iloc[0])
        if str(scope).startswith("category=") and (not is_whole or len(mine) == 1):
            continue
        ids = tuple(sorted(mine["automation_id"]))
        found.append(Objective(str(scope), ids, str(mine["objective_percent"].iloc[0])))
    return found


def budget_tables(ground: Ground) -> dict[str, pd.DataFrame]:
    """Return burn rates over two windows and the budget of four weeks as tables; none where nothing has an objective.

    Columns of the first: scope, objective_percent, windows, factor, needed_run_count, long_run_count,
    long_failure_count, long_burn, short_run_count, short_failure_count, short_burn, result. Of the second: scope,
    objective_percent, run_count, failure_count, allowed_failures, budget_spent_share, covered_seconds, result.
    """
    known = objectives(ground)
    if not known:
        return {}
    ages = with_ages(ground)
    burns = pd.DataFrame([row for one in known for row in _burn_rows(one, ages)])
    budgets = pd.DataFrame([_budget_row(one, ages) for one in known])
    return {
        "Error budget: burn rates over the time in which it ran": burns,
        "Error budget of the last four weeks in which it ran": budgets,
    }


def spent_budgets(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of the four weeks whose budget is spent."""
    budgets = list(tables.values())[-1] if tables else pd.DataFrame(columns=["scope", "result"])
    return budgets[budgets["result"] == BudgetState.SPENT.value]


def budget_sentence(tables: dict[str, pd.DataFrame]) -> str:
    """Return what is spent and what burns, as sentences that follow another; empty where nothing is."""
    said = ""
    for _, row in spent_budgets(tables).iterrows():
        said += (
            f" The error budget of {row['scope']} is spent: {counted(row['failure_count'], 'failure')} in "
            f"{counted(row['run_count'], 'run')} of four weeks, {row['allowed_failures']:g} allowed at "
            f"{row['objective_percent']} %; stay narrow ({POLICY})."
        )
    burns = next(iter(tables.values()), pd.DataFrame(columns=["scope", "result"]))
    firing = burns[burns["result"] == BurnState.FIRES.value]
    for _, row in firing.groupby("scope", sort=True).head(1).iterrows():
        said += (
            f" {row['scope']} burned its error budget {row['long_burn']:.1f} times as fast as allowed "
            f"over {row['windows']}."
        )
    return said


def with_ages(ground: Ground) -> pd.DataFrame:
    """Return the outcomes that count, each with its age in seconds of time in which its automation could run."""
    none = ground.table("outcomes").iloc[:0].assign(age_seconds=pd.Series(dtype="float64"))
    parts = [
        kept.assign(age_seconds=running_age(_ages(ground, kept["finished_at"]), stopped))
        for kept, stopped in that_could_run(ground, ground.table("outcomes"))
    ]
    return pd.concat([part for part in parts if len(part)] or [none], ignore_index=True)


def that_could_run(
    ground: Ground, outcomes: pd.DataFrame
) -> Iterator[tuple[pd.DataFrame, list[Stretch]]]:
    """Give, of each automation, the outcomes that count, and when it could not run.

    What began while it could not is left out, and what the gate refused. Columns that are read: automation_id,
    started_at, finished_at, is_failed, error_message.
    """
    for automation_id, mine in without_refused(outcomes).groupby("automation_id", sort=True):
        stopped = stopped_stretches(ground, str(automation_id), outcomes=mine)
        yield mine[~_inside(_ages(ground, mine["started_at"]), stopped)], stopped


def _ages(ground: Ground, instants: pd.Series[pd.Timestamp]) -> pd.Series[float]:
    return (ground.as_of - instants).dt.total_seconds()


def stopped_stretches(
    ground: Ground, automation_id: str, *, outcomes: pd.DataFrame
) -> list[Stretch]:
    """Return when the automation could not run, the newest first: each hold but for its narrow restarts."""
    holds, probations = _stops(ground), ground.table(PROBATION)
    mine = holds[holds["automation_id"] == automation_id]
    let_through = probations[probations["automation_id"] == automation_id]
    spans = list(zip(mine["hold_id"], mine["since_at"], mine["until_at"], strict=True))
    if ground.request.hold_id and ground.request.hold_id not in set(mine["hold_id"]):
        until = ground.hold["released_at"]
        until = ground.as_of if pd.isna(until) else until
        spans.append((ground.request.hold_id, ground.hold["placed_at"], until))
    found: list[Stretch] = []
    for hold_id, since, until in spans:
        own = let_through[let_through["hold_id"] == hold_id]
        found += _without(_aged(ground, since, until), _let_through(ground, own, outcomes))
    return merged(found)


def _stops(ground: Ground) -> pd.DataFrame:
    """Return from when until when each hold stopped each of its automations; worked out once for each ground."""
    if "stops" not in ground.memo:
        holds = ground.table("holds")[["hold_id", "placed_at", "released_at"]]
        rows = ground.table("hold_targets").merge(holds, on="hold_id")
        rows["since_at"] = (
            rows["delivered_at"].fillna(rows["recorded_at"]).fillna(rows["placed_at"])
        )
        rows["until_at"] = rows["released_at"].fillna(ground.as_of)
        ground.memo["stops"] = rows
    found: pd.DataFrame = ground.memo["stops"]
    return found


def _aged(ground: Ground, since: Any, until: Any) -> Stretch:
    newer = max(0.0, (ground.as_of - until).total_seconds())
    return newer, (ground.as_of - since).total_seconds()


def _let_through(
    ground: Ground, probations: pd.DataFrame, outcomes: pd.DataFrame
) -> Iterator[Stretch]:
    """Give the narrow restarts; one that nobody ended lasted until the last run that began in it ended."""
    for _, row in probations.iterrows():
        until = row["ended_at"]
        if pd.isna(until):
            ran = outcomes[outcomes["started_at"] >= row["started_at"]]
            # What does not say when it ended counts as ended at its start, and that is still in it.
            last = max(ran["finished_at"].max(), ran["started_at"].max() + JUST_AFTER)
            until = last if len(ran) else row["started_at"]
        yield _aged(ground, row["started_at"], until)


def _without(stretch: Stretch, parts: Iterable[Stretch]) -> list[Stretch]:
    """Return what is left of a stretch once others are taken out."""
    newest, oldest = stretch
    left = []
    for newer, older in sorted(parts):
        left.append((newest, min(newer, oldest)))
        newest = max(newest, older)
    return [(a, b) for a, b in [*left, (newest, oldest)] if a < b]


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the same time as stretches in order that do not touch."""
    found: list[Stretch] = []
    for newer, older in sorted(stretches):
        if found and newer <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], older))
        elif newer < older:
            found.append((newer, older))
    return found


def running_age(ages: pd.Series[float], stopped: Iterable[Stretch]) -> pd.Series[float]:
    """Return ages in seconds from which the time is taken out in which nothing could run."""
    found = ages
    for newer, older in stopped:
        found = found - (ages.clip(upper=older) - newer).clip(lower=0)
    return found


def _inside(ages: pd.Series[float], stretches: Iterable[Stretch]) -> pd.Series[bool]:
    found = ages.isna()
    for newer, older in stretches:
        found |= (ages > newer) & (ages <= older)
    return found


def _tally(one: Objective, ages: pd.DataFrame, seconds: float) -> Tally:
    mine = ages[ages["automation_id"].isin(one.automation_ids) & (ages["age_seconds"] <= seconds)]
    return Tally(int(mine["is_failed"].astype(bool).sum()), len(mine))


def _burn_rows(one: Objective, ages: pd.DataFrame) -> Iterator[dict[str, object]]:
    for rule in RULES:
        long, short = (_tally(one, ages, s) for s in (rule.long_seconds, rule.short_seconds))
        yield {
            "scope": one.scope,
            "objective_percent": one.percent,
            "windows": f"{spoken(rule.long_seconds)} and {spoken(rule.short_seconds)}",
            "factor": float(rule.factor),
            "needed_run_count": needed_run_count(rule.factor, one.budget),
            "long_run_count": long.run_count,
            "long_failure_count": long.failure_count,
            "long_burn": burn_rate(long, one.budget),
            "short_run_count": short.run_count,
            "short_failure_count": short.failure_count,
            "short_burn": burn_rate(short, one.budget),
            "result": judge(rule, (long, short), budget=one.budget).value,
        }


def _budget_row(one: Objective, ages: pd.DataFrame) -> dict[str, object]:
    tally = _tally(one, ages, FOUR_WEEKS_SECONDS)
    mine = ages[ages["automation_id"].isin(one.automation_ids)]["age_seconds"]
    return {
        "scope": one.scope,
        "objective_percent": one.percent,
        "run_count": tally.run_count,
        "failure_count": tally.failure_count,
        "allowed_failures": float(one.budget * tally.run_count),
        "budget_spent_share": burn_rate(tally, one.budget),
        "covered_seconds": min(float(mine.max()), FOUR_WEEKS_SECONDS) if len(mine) else 0.0,
        "result": judge_budget(tally, one.budget).value,
    }

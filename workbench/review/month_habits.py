"""Measures of a month about habits: failures and alerts that nobody answered, budgets, and action items left open."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from workbench.review.actions import OTHER_WORKDAYS
from workbench.review.burn_rate import Tally, judge_budget
from workbench.review.error_budget import objectives, with_ages
from workbench.review.ground import Ground, Section, counted, percent
from workbench.review.measures import Measure, share, unknown
from workbench.review.noise import human_acts
from workbench.review.trust import LEAST_STREAK, failure_streaks

ANSWER = pd.Timedelta(hours=1)
"""An alert is answered when a person did anything about its automation within this time."""
STREAK, PRECISION = "longest ignored failure streak", "alert precision: answered within 1 h"
ANSWERED = (STREAK, PRECISION)
"""Nobody answered only where it was loaded what people did."""
OPENED, CLOSED = "action_item.opened", "action_item.closed"


def habit_measures(ground: Ground) -> list[Measure]:
    """Return the measures of one category, over runs, alerts and what people did."""
    acts = human_acts(ground)
    return [
        ignored_failures(ground, acts),
        alert_precision(ground, acts),
        *budget_measures(ground),
    ]


def ended_since(runs: pd.DataFrame, ground: Ground) -> pd.DataFrame:
    """Return the runs that ended in the month, whenever they were planned or began: each belongs to one month."""
    return runs[runs["finished_at"] >= ground.request.since]


def ignored_failures(ground: Ground, acts: pd.DataFrame) -> Measure:
    """Return the longest row of failures that ended in the month and in which no person did anything; see `trust`."""
    runs, name = ended_since(ground.table("runs"), ground), STREAK
    if runs.empty:
        return unknown(name, "nothing ran", query="review.runs")
    streaks = failure_streaks(runs, acts)
    ignored = streaks[streaks["is_ignored"].astype(bool)]
    figure = f"none of {LEAST_STREAK} or more"
    remark = ""
    if len(ignored):
        worst = ignored.iloc[0]
        figure, remark = counted(worst["troubled_run_count"], "run"), str(worst["automation_id"])
    return Measure(name, figure, count=len(runs), remark=remark, query="review.runs")


def alert_precision(ground: Ground, acts: pd.DataFrame) -> Measure:
    """Return the share of alerts after which a person did something within an hour; younger ones are left out."""
    alerts = ground.table("alerts")
    over = alerts[alerts["fired_at"] + ANSWER <= ground.as_of]
    answered = 0
    for _, alert in over.iterrows():
        mine = acts[acts["automation_id"] == alert["automation_id"]]["acted_at"]
        answered += bool(mine.between(alert["fired_at"], alert["fired_at"] + ANSWER).any())
    young = len(alerts) - len(over)
    remark = f"{counted(young, 'alert')} too young to tell" if young else ""
    remark = remark or ("" if len(alerts) else "no alert fired")
    return share(
        PRECISION, (answered, len(over)), remark=remark, query="review.alerts"
    )  # fmt: skip


def budget_measures(ground: Ground) -> Iterator[Measure]:
    """Give how much of the error budget of the month each objective spent, paused time taken out."""
    known = objectives(ground)
    if not known:
        yield unknown(
            "error budget", "the registry states no objective_percent", query="review.outcomes"
        )
        return
    counted_runs = ended_since(with_ages(ground), ground)
    for one in known:
        mine = counted_runs[counted_runs["automation_id"].isin(one.automation_ids)]
        tally = Tally(int(mine["is_failed"].astype(bool).sum()), len(mine))
        name, query = f"error budget of {one.scope}", "review.outcomes"
        if not tally.run_count:
            yield unknown(name, "nothing ran", query=query)
            continue
        allowed = float(one.budget * tally.run_count)
        said = f"{tally.failure_count} failed, {allowed:.1f} allowed at {one.percent} %: "
        yield Measure(
            name,
            f"{percent(tally.failure_count / allowed)} spent",
            count=tally.run_count,
            remark=f"{said}{judge_budget(tally, one.budget).value}",
            query=query,
        )


def action_items(ground: Ground) -> Section:
    """Return the action items that are tracked, the overdue ones first: open for more than five working days.

    They are read from audited events `action_item.opened` and `action_item.closed`, by their target.
    """
    events = ground.table("operator_events")
    opened = events[events["action"] == OPENED].drop_duplicates("target_id")
    if opened.empty:
        said = f"Cannot tell: no event `{OPENED}` was loaded, so none is tracked."
        return Section("Action items", said)
    closed = events[events["action"] == CLOSED].groupby("target_id")["occurred_at"].max()
    rows = opened[["target_id", "actor", "reason", "occurred_at"]].rename(
        columns={"target_id": "action_item_id", "actor": "opened_by", "occurred_at": "opened_at", "reason": "what"}
    )  # fmt: skip
    rows["closed_at"] = rows["action_item_id"].map(closed)
    due = rows["opened_at"] + pd.offsets.BusinessDay(OTHER_WORKDAYS)
    rows["is_overdue"] = rows["closed_at"].isna() & (due < ground.as_of)
    overdue, still = int(rows["is_overdue"].sum()), int(rows["closed_at"].isna().sum())
    said = (
        f"{counted(len(rows), 'action item')}, {still} open, {overdue} of them overdue (more than {OTHER_WORKDAYS} "
        "working days). Whether they were effective cannot be told: nothing links one to the failure it was to prevent."
    )
    ordered = rows.sort_values(
        ["is_overdue", "opened_at", "action_item_id"], ascending=[False, True, True]
    )
    return Section("Action items", said, {"Tracked action items": ordered.reset_index(drop=True)})

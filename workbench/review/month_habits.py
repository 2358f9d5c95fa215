"""Measures of a month about habits: failures and alerts that nobody answered, budgets, and action items left open."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from workbench.review.actions import OTHER_WORKDAYS
from workbench.review.burn_rate import Tally, judge_budget
from workbench.review.error_budget import objectives, that_could_run
from workbench.review.ground import Ground, Section, counted, percent
from workbench.review.measures import Measure, share, unknown
from workbench.review.noise import human_acts
from workbench.review.onset import TROUBLE
from workbench.review.periods import COUNTED
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


def ignored_failures(ground: Ground, acts: pd.DataFrame) -> Measure:
    """Return the longest row of failures that ended in the month and in which no person did anything; see `trust`."""
    count, name, query = _run_count(ground.table("month.outcomes")), STREAK, "month.failures"
    if not count:
        return unknown(name, "nothing ran", query=query)
    streaks = failure_streaks(ground.table("month.failures"), acts)
    ignored = streaks[streaks["is_ignored"].astype(bool)]
    figure = f"none of {LEAST_STREAK} or more"
    remark = ""
    if len(ignored):
        worst = ignored.iloc[0]
        figure, remark = counted(worst["troubled_run_count"], "run"), str(worst["automation_id"])
    return Measure(name, figure, count=count, remark=remark, query=query)


def _run_count(outcomes: pd.DataFrame) -> int:
    return int(outcomes["run_count"].sum())


def alert_precision(ground: Ground, acts: pd.DataFrame) -> Measure:
    """Return the share of alerts after which a person did something within an hour; younger ones are left out."""
    alerts = ground.table("alerts")
    over = alerts[alerts["fired_at"] + ANSWER <= ground.as_of]
    answered = _answered_count(over, acts)
    young = len(alerts) - len(over)
    remark = f"{counted(young, 'alert')} too young to tell" if young else ""
    remark = remark or ("" if len(alerts) else "no alert fired")
    return share(
        PRECISION, (answered, len(over)), remark=remark, query="review.alerts"
    )  # fmt: skip


def _answered_count(alerts: pd.DataFrame, acts: pd.DataFrame) -> int:
    """Return how many alerts a person did anything after, about the same automation and in time."""
    count = 0
    acted = dict(iter(acts.groupby("automation_id")["acted_at"]))
    for automation_id, fired in alerts.groupby("automation_id")["fired_at"]:
        if automation_id not in acted:
            continue
        instants = acted[automation_id].sort_values()
        first = instants.searchsorted(fired)
        count += int((instants.searchsorted(fired + ANSWER, side="right") > first).sum())
    return count


def budget_measures(ground: Ground) -> Iterator[Measure]:
    """Give how much of the error budget of the month each objective spent, paused time taken out."""
    known = objectives(ground)
    if not known:
        yield unknown(
            "error budget", "the registry states no objective_percent", query="month.outcomes"
        )
        return
    outcomes = _counted(ground)
    for one in known:
        mine = outcomes[outcomes["automation_id"].isin(one.automation_ids)]
        tally = Tally(_run_count(mine[mine["is_failed"]]), _run_count(mine))
        name, query = f"error budget of {one.scope}", "month.outcomes"
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


def _counted(ground: Ground) -> pd.DataFrame:
    """Return the outcomes that spend a budget or keep it, of runs that began while they could."""
    outcomes = ground.table("month.outcomes")
    outcomes = outcomes[outcomes["status"].isin(COUNTED)]
    outcomes["is_failed"] = outcomes["status"].isin(TROUBLE)
    parts = [kept for kept, _ in that_could_run(ground, outcomes)]
    return pd.concat([outcomes.iloc[:0], *parts])


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

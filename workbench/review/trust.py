"""Noise and trust: which failures and alerts people have stopped believing, and which watchers to revise.

Each rule and its ground:
- a row of failures is `LEAST_STREAK` or longer: five in five bound the failure rate above a half (Clopper and Pearson
  1934, one-sided 95 %: 54.9 %), so it fails more often than not. It is ignored when no person did anything in it:
  acknowledged an alert, changed something, paused it, or verified one of its records;
- an alert rule is not believed when less than half of its firings are acknowledged for certain (exact upper bound), so
  never on fewer than five firings;
- outcomes flap when a fifth of the last 21 changed, later ones weighing more (Nagios Core, "Detection and Handling of
  State Flapping": 21 checks, weights 0.8 to 1.2, threshold 20 %); an alert flaps when it fires again within an hour of
  going green, as often as not;
- a watcher is to be revised for any of these, and where failures ran on in a row with no alert at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.review.endings import ended_at
from workbench.review.onset import is_troubled
from workbench.review.statistics import upper_bound

LEAST_STREAK = 5
BELIEVED_SHARE = 0.5
FLAP_CHECKS = 21
FLAP_SHARE = 0.2
FLAP_GAP = pd.Timedelta(hours=1)
LEAST_FIRINGS = 3
"""Firings from which a rule can flap: one return is a relapse, not a habit."""

STREAK_COLUMNS = (
    "automation_id", "since_at", "until_at", "troubled_run_count", "acted_at", "unanswered_run_count", "is_ignored",
)  # fmt: skip
RULE_COLUMNS = (
    "automation_id", "rule", "alert_count", "unacknowledged_alert_count", "returned_alert_count",
    "median_wait_seconds", "is_believed", "is_flapping",
)  # fmt: skip
FLAP_COLUMNS = ("automation_id", "outcome_count", "changed_share", "is_flapping")


@dataclass(frozen=True)
class Trust:
    """What was found, as rows in the columns named above."""

    streaks: pd.DataFrame
    rules: pd.DataFrame
    flaps: pd.DataFrame
    revisions: pd.DataFrame


def judge_trust(runs: pd.DataFrame, alerts: pd.DataFrame, *, acts: pd.DataFrame) -> Trust:
    """Judge runs (`review.runs`), alerts (`review.alerts`) and what people did (automation_id, acted_at)."""
    streaks, rules, flaps = failure_streaks(runs, acts), alert_rules(alerts), outcome_flaps(runs)
    return Trust(
        streaks, rules, flaps, watchers_to_revise(streaks, rules, flaps=flaps, alerts=alerts)
    )


def failure_streaks(runs: pd.DataFrame, acts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of failures of each automation, the longest first, and when a person first did anything."""
    rows = []
    for automation_id, mine in _ended(runs).groupby("automation_id", sort=True):
        is_bad = is_troubled(mine)
        number = (~is_bad).cumsum()
        acted = acts[acts["automation_id"] == automation_id]["acted_at"].sort_values()
        length = is_bad.groupby(number).transform("sum")
        is_long = is_bad & (length >= LEAST_STREAK)
        for _, streak in mine[is_long].groupby(number[is_long], sort=True):
            rows.append(_streak_row(str(automation_id), streak, mine, acted=acted))
    found = pd.DataFrame(rows, columns=list(STREAK_COLUMNS))
    return found.sort_values(
        ["troubled_run_count", "automation_id", "since_at"], ascending=[False, True, True], ignore_index=True
    )  # fmt: skip


def _ended(runs: pd.DataFrame) -> pd.DataFrame:
    runs = runs.assign(ended_at=ended_at(runs))
    ended = runs[runs["ended_at"].notna() & runs["status"].isin(("succeeded", "failed", "crashed"))]
    return ended.sort_values(["started_at", "run_id"], kind="stable", ignore_index=True)


def _streak_row(
    automation_id: str, streak: pd.DataFrame, mine: pd.DataFrame, *, acted: pd.Series[Any]
) -> tuple[Any, ...]:
    """Return a row of failures; what was done until the next good run began was done in it."""
    since, until = streak["started_at"].iloc[0], streak["ended_at"].iloc[-1]
    later = mine[mine["started_at"] > streak["started_at"].iloc[-1]]["started_at"]
    end = later.iloc[0] if len(later) else None
    inside = acted[(acted >= since) & ((acted < end) if end is not None else True)]
    first = inside.iloc[0] if len(inside) else pd.NaT
    unanswered = int((streak["started_at"] < first).sum()) if len(inside) else len(streak)
    return (automation_id, since, until, len(streak), first, unanswered, not len(inside))


def alert_rules(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return each alert rule with its firings, how many nobody acknowledged, and how many came back within the hour."""
    rows = []
    known = alerts.assign(
        rule=alerts["rule"].fillna(""), automation_id=alerts["automation_id"].fillna("")
    )
    for (automation_id, rule), mine in known.groupby(["automation_id", "rule"], sort=True):
        ordered = mine.sort_values(["fired_at", "alert_id"], kind="stable")
        acknowledged = ordered["acknowledged_at"].notna()
        waits = (ordered["acknowledged_at"] - ordered["fired_at"]).dt.total_seconds().dropna()
        gap = ordered["fired_at"] - ordered["resolved_at"].shift()
        returned = int((gap <= FLAP_GAP).sum())
        count = len(ordered)
        is_believed = upper_bound(int(acknowledged.sum()), count) >= BELIEVED_SHARE
        is_flapping = count >= LEAST_FIRINGS and returned * 2 >= count - 1
        wait = float(waits.median()) if len(waits) else None
        rows.append(
            (automation_id, rule, count, int((~acknowledged).sum()), returned, wait, is_believed, is_flapping)
        )  # fmt: skip
    found = pd.DataFrame(rows, columns=list(RULE_COLUMNS))
    return found.sort_values(
        ["unacknowledged_alert_count", "automation_id", "rule"], ascending=[False, True, True], ignore_index=True
    )  # fmt: skip


def outcome_flaps(runs: pd.DataFrame) -> pd.DataFrame:
    """Return how much the last outcomes of each automation changed, weighted; fewer than 21 tell nothing."""
    rows = []
    for automation_id, mine in _ended(runs).groupby("automation_id", sort=True):
        last = is_troubled(mine).tail(FLAP_CHECKS).to_numpy()
        if len(last) == FLAP_CHECKS:
            share = changed_share(last)
            rows.append((automation_id, len(last), share, share >= FLAP_SHARE))
    return pd.DataFrame(rows, columns=list(FLAP_COLUMNS))


def changed_share(is_bad: np.ndarray[Any, Any]) -> float:
    """Return the weighted share of neighbours that differ (Nagios Core: weights 0.8 for the oldest to 1.2)."""
    changes = is_bad[1:] != is_bad[:-1]
    return float((changes * np.linspace(0.8, 1.2, len(changes))).sum() / len(changes))


def watchers_to_revise(
    streaks: pd.DataFrame, rules: pd.DataFrame, *, flaps: pd.DataFrame, alerts: pd.DataFrame
) -> pd.DataFrame:
    """Return what to revise, one row for each reason, with the numbers that it rests on."""
    rows = []
    for _, one in rules[~rules["is_believed"].astype(bool)].iterrows():
        said = f"{one['unacknowledged_alert_count']} of {one['alert_count']} firings never acknowledged"
        rows.append((one["automation_id"], one["rule"], "nobody takes it", said))
    for _, one in rules[rules["is_flapping"].astype(bool)].iterrows():
        said = f"{one['returned_alert_count']} of {one['alert_count']} firings within an hour of going green"
        rows.append((one["automation_id"], one["rule"], "flaps", said))
    for _, one in flaps[flaps["is_flapping"].astype(bool)].iterrows():
        said = f"{one['changed_share']:.0%} of the last {FLAP_CHECKS} outcomes changed, weighted"
        rows.append((one["automation_id"], "", "outcomes flap", said))
    for _, one in streaks.iterrows():
        mine = alerts[alerts["automation_id"] == one["automation_id"]]
        is_told = mine["fired_at"].between(one["since_at"], one["until_at"]).any()
        still = (mine["fired_at"] < one["since_at"]) & ~(mine["resolved_at"] <= one["since_at"])
        if not is_told and not still.any():
            said = f"{one['troubled_run_count']} failures in a row without an alert"
            rows.append((one["automation_id"], "", "silent", said))
    return pd.DataFrame(rows, columns=["automation_id", "rule", "reason", "evidence"])


def acts_of(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what people did, in order: rows of (automation_id, acted_at) from tables with those two columns."""
    found = [frame[["automation_id", "acted_at"]] for frame in tables.values() if len(frame)]
    if not found:
        return pd.DataFrame({"automation_id": [], "acted_at": pd.to_datetime([], utc=True)})
    known = pd.concat(found, ignore_index=True).dropna()
    return known.sort_values(["acted_at", "automation_id"], kind="stable", ignore_index=True)

"""Runs by period: before the fault, during it, after each restart, and what was let through since the pause.

Paused time is not run time: what started under a hold belongs to no period unless a narrow restart let it
through, and a run that overlaps a hold tells nothing about durations. A rehearsal is not run time either: a dry run
that went well changed nothing, so it shows nothing of a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.records import REHEARSAL_MODES
from workbench.review import money
from workbench.review.endings import ended_at
from workbench.review.ground import Ground
from workbench.review.onset import TROUBLE
from workbench.review.pausing import LET_THROUGH, audit_pause
from workbench.review.statistics import clean_runs_needed, quantiles, upper_bound, wilson_interval

BASELINE = "baseline"
INCIDENT = "incident"
SINCE = "since the pause"
COUNTED = (*TROUBLE, "succeeded")
"""Statuses that count as a run that ended by itself; cancelled and skipped ones say nothing of failure."""


def with_period(ground: Ground) -> pd.DataFrame:
    """Return the started runs with their period, and from when each counts as ended; runs under a hold have none."""
    if "periods" not in ground.memo:
        ground.memo["periods"] = _with_period(ground)
    found: pd.DataFrame = ground.memo["periods"]
    return found.copy()


def _with_period(ground: Ground) -> pd.DataFrame:
    runs = ground.table("runs")
    runs = runs[runs["started_at"].notna()].copy()
    runs["period"] = None
    started = runs["started_at"]
    runs.loc[started < ground.onset_at, "period"] = BASELINE
    runs.loc[(started >= ground.onset_at) & (started < ground.first_paused_at), "period"] = INCIDENT
    for name, since, until in restarts(ground):
        runs.loc[(started >= since) & (started < until), "period"] = name
    let_through = audit_pause(ground, ground.hold).starts
    ids = let_through[let_through["kind"] == LET_THROUGH]["run_id"]
    runs.loc[runs["run_id"].isin(ids), "period"] = SINCE
    runs["is_failed"] = runs["status"].isin(TROUBLE)
    runs["ended_at"] = ended_at(runs)
    runs["is_counted"] = runs["status"].isin(COUNTED) & runs["ended_at"].notna()
    return _without_rehearsals(_with_hung(ground, runs))


def _without_rehearsals(runs: pd.DataFrame) -> pd.DataFrame:
    """Count no rehearsal of an automation that ran for real before the pause; one that fails since counts as failed.

    What never ran otherwise is proved as it was: by runs of the same kind.
    """
    is_rehearsal = runs["run_mode"].isin(REHEARSAL_MODES)
    ran_for_real = runs[runs["period"].isin((BASELINE, INCIDENT)) & ~is_rehearsal]["automation_id"]
    is_aside = is_rehearsal & runs["automation_id"].isin(ran_for_real)
    is_bad = (runs["period"] == SINCE) & runs["is_failed"]
    runs["is_rehearsed"] = is_aside & ~is_bad
    runs["is_counted"] &= ~runs["is_rehearsed"]
    runs["is_open"] &= ~runs["is_rehearsed"]
    return runs


def rehearsed_count(runs: pd.DataFrame) -> int:
    """Return how many rehearsals since the pause show nothing of a restart, among runs with their period."""
    return int((runs["is_rehearsed"] & (runs["period"] == SINCE)).sum())


def _with_hung(ground: Ground, runs: pd.DataFrame) -> pd.DataFrame:
    """Count a run since the pause without an end as failed once it is older than any baseline run."""
    usual = runs[(runs["period"] == BASELINE) & runs["is_counted"]]
    seconds = (usual["finished_at"] - usual["started_at"]).dt.total_seconds()
    longest = seconds.groupby(usual["automation_id"]).max()
    limit = runs["automation_id"].map(longest).astype("float64").fillna(seconds.max())
    is_open = (runs["period"] == SINCE) & runs["ended_at"].isna()
    is_hung = is_open & ((ground.as_of - runs["started_at"]).dt.total_seconds() > limit)
    runs["is_open"] = is_open & ~is_hung
    runs["is_failed"] |= is_hung
    runs["is_counted"] |= is_hung
    return runs


@dataclass(frozen=True)
class Standing:
    """What the runs since the pause show of one automation, and the clean runs it still needs."""

    automation_id: str
    failure_count: int
    run_count: int
    needed_run_count: int
    open_run_count: int = 0


def standings(ground: Ground, automation_ids: Sequence[str] = ()) -> list[Standing]:
    """Return each automation's own standing, the one that lacks most first: no automation proves another."""
    runs = with_period(ground)
    limits = ground.limits
    found = []
    for automation_id in automation_ids or ground.request.automation_ids:
        mine = runs[runs["automation_id"] == automation_id]
        failures, count = since_counts(mine)
        needed = clean_runs_needed(
            failures, count, max_rate=limits.proven_rate, confidence=limits.confidence
        )
        found.append(Standing(automation_id, failures, count, needed, int(mine["is_open"].sum())))
    return sorted(found, key=lambda s: (-s.needed_run_count, s.automation_id))


def restarts(ground: Ground) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """Return the stretches between a full release and the next hold of the chain, or the end."""
    found = []
    holds = ground.chain.reset_index(drop=True)
    for position, hold in holds.iterrows():
        if pd.isna(hold["released_at"]):
            continue
        later = holds[holds["placed_at"] > hold["released_at"]]["placed_at"]
        is_last = hold["hold_id"] == ground.request.hold_id
        until = later.iloc[0] if len(later) else ground.as_of
        name = (
            SINCE
            if is_last and position == len(holds) - 1
            else f"after the release of {hold['hold_id']}"
        )
        found.append((name, hold["released_at"], until))
    return found


def period_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per period with runs, failures, intervals, durations, retries and cost."""
    names = list(dict.fromkeys(runs.sort_values("started_at", kind="stable")["period"].dropna()))
    ordered = [n for n in (BASELINE, INCIDENT) if n in names]
    ordered += [n for n in names if n not in (*ordered, SINCE)] + [SINCE]
    return pd.DataFrame([_rate_row(name, runs[runs["period"] == name]) for name in ordered])


def since_counts(runs: pd.DataFrame) -> tuple[int, int]:
    """Return failures and runs among those that a narrow restart let through since the pause."""
    mine = runs[(runs["period"] == SINCE) & runs["is_counted"]]
    return int(mine["is_failed"].sum()), len(mine)


def _rate_row(name: str, runs: pd.DataFrame) -> dict[str, Any]:
    ended = runs[runs["is_counted"]]
    failures, count = int(ended["is_failed"].sum()), len(ended)
    low, high = wilson_interval(failures, count)
    seconds = (ended["finished_at"] - ended["started_at"]).dt.total_seconds()
    p50, p95 = quantiles(seconds[~ended["is_failed"]])
    return {
        "period": name,
        "run_count": count,
        "failure_count": failures,
        "failure_rate": failures / count if count else None,
        "low_rate": low if count else None,
        "high_rate": high if count else None,
        "exact_upper_bound": upper_bound(failures, count) if count else None,
        "p50_seconds": p50,
        "p95_seconds": p95,
        "retried_run_count": int((ended["attempt_count"] > 1).sum()),
        "token_count": float(runs["token_count"].sum()),
        "cost_by_currency": money.written(money.sums(runs)),
    }


def run_buckets(runs: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """Return runs counted per interval and outcome, about sixty intervals wide."""
    shown = runs[(runs["started_at"] >= since) & (runs["started_at"] < until)].copy()
    step = _step((until - since).total_seconds() / 60)
    shown["outcome"] = "clean"
    shown.loc[~shown["is_counted"], "outcome"] = "not counted"
    shown.loc[shown["is_failed"], "outcome"] = "failed"
    shown["started_at"] = shown["started_at"].dt.floor(f"{step}s")
    counts = shown.groupby(["started_at", "outcome"], sort=True).size()
    return counts.rename("run_count").reset_index()


def _step(seconds: float) -> int:
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
    return next((step for step in steps if step >= seconds), 86400 * 7)


def moments(ground: Ground) -> pd.DataFrame:
    """Return the instants that every time figure marks: onset, pauses, releases."""
    rows = [(ground.onset_at, "onset")]
    for _, hold in ground.chain.iterrows():
        rows.append((hold["placed_at"], f"{hold['hold_id']} placed"))
        if pd.notna(hold["released_at"]):
            rows.append((hold["released_at"], f"{hold['hold_id']} released"))
    return pd.DataFrame(rows, columns=["occurred_at", "what"])


def bands(ground: Ground) -> pd.DataFrame:
    """Return the holds of the chain as stretches of time."""
    return ground.chain[["hold_id", "placed_at", "released_at"]].reset_index(drop=True)

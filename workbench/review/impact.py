"""What the incident cost: runs failed and late, money and tokens over what was usual, records, starts not made."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.review import money
from workbench.review.check_records import by_class, records_since_onset
from workbench.review.check_runs import skipped_starts
from workbench.review.ground import Ground, Section, counted, filled
from workbench.review.periods import BASELINE, SINCE, with_period


def impact_section(ground: Ground) -> Section:
    """Return the impact, automation by automation."""
    runs = with_period(ground)
    table = impact_table(ground, runs)
    records = records_since_onset(ground)
    stale = stale_context(runs)
    tables = {
        "Runs, cost and tokens against the baseline": table,
        "Records by class": by_class(records),
        "Runs that acted on older facts than any baseline run": stale,
        "Starts not made while paused": skipped_starts(ground),
    }
    spent: dict[str, float] = {}
    excess: dict[str, float] = {}
    for _, mine in runs.groupby("automation_id", sort=True):
        cost, expected = costs(ground, mine)
        spent = money.plus(spent, cost)
        if expected is not None:
            excess = money.plus(excess, money.less(cost, expected))
    sentence = _sentence(table, records, len(stale)) + _cost_sentence(spent, excess)
    return Section("Impact", sentence, filled(tables))


def impact_table(ground: Ground, runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per automation: runs in trouble, and cost and tokens with their excess over the baseline.

    What is expected is the baseline's cost of a run, times the runs that ran in the incident.
    """
    rows = [
        _impact_row(ground, str(automation_id), mine)
        for automation_id, mine in runs.groupby("automation_id", sort=True)
    ]
    columns = [
        "automation_id", "run_count", "failed_run_count", "retried_run_count", "late_run_count", "cost_by_currency",
        "expected_cost_by_currency", "excess_cost_by_currency", "token_count", "expected_token_count",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def costs(ground: Ground, runs: pd.DataFrame) -> tuple[dict[str, float], dict[str, float] | None]:
    """Return what the incident's runs cost, and what the baseline lets expect of so many, by currency."""
    usual = runs[(runs["period"] == BASELINE) & runs["is_counted"]]
    during = _during(ground, runs)
    if usual.empty:
        return money.sums(during), None
    return money.sums(during), money.times(money.sums(usual), len(during) / len(usual))


def _during(ground: Ground, runs: pd.DataFrame) -> pd.DataFrame:
    return runs[(runs["started_at"] >= ground.onset_at) & (runs["period"] != SINCE)]


def _impact_row(ground: Ground, automation_id: str, mine: pd.DataFrame) -> dict[str, Any]:
    usual = mine[(mine["period"] == BASELINE) & mine["is_counted"]]
    during = _during(ground, mine)
    lateness = (during["started_at"] - during["scheduled_at"]).dt.total_seconds()
    tokens = float(during["token_count"].sum())
    usual_tokens = float(usual["token_count"].sum())
    expected_tokens = usual_tokens / len(usual) * len(during) if len(usual) else None
    cost, expected = costs(ground, mine)
    return {
        "automation_id": automation_id,
        "run_count": len(during),
        "failed_run_count": int(during["is_failed"].sum()),
        "retried_run_count": int((during["attempt_count"] > 1).sum()),
        "late_run_count": int((lateness > ground.limits.late_start_seconds).sum()),
        "cost_by_currency": money.written(cost),
        "expected_cost_by_currency": money.written(expected or {}),
        "excess_cost_by_currency": money.written(money.less(cost, expected)) if expected else "",
        "token_count": tokens,
        "expected_token_count": expected_tokens,
    }


def stale_context(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs since the onset whose facts were older than those of any baseline run of the automation."""
    known = runs[runs["context_as_of"].notna()].copy()
    known["context_age_seconds"] = (known["started_at"] - known["context_as_of"]).dt.total_seconds()
    usual = known[known["period"] == BASELINE].groupby("automation_id")["context_age_seconds"].max()
    known["usual_limit_seconds"] = known["automation_id"].map(usual)
    later = known[
        (known["period"] != BASELINE)
        # Instants are loaded to different fractions of a second: what reads alike is not older.
        & (known["context_age_seconds"].round(1) > known["usual_limit_seconds"].round(1))
    ]
    columns = [
        "automation_id",
        "run_id",
        "started_at",
        "context_as_of",
        "context_age_seconds",
        "usual_limit_seconds",
        "status",
    ]
    return later.sort_values(["context_age_seconds", "run_id"], ascending=[False, True])[
        columns
    ].reset_index(drop=True)


def _sentence(table: pd.DataFrame, records: pd.DataFrame, stale_count: int) -> str:
    failed, count = int(table["failed_run_count"].sum()), int(table["run_count"].sum())
    late = int(table["late_run_count"].sum())
    facing = int(records["customer_facing"].sum()) if len(records) else 0
    stale = f" {counted(stale_count, 'run')} acted on stale facts." if stale_count else ""
    return (
        f"{failed:,} of {counted(count, 'run')} failed and {late:,} started late; "
        f"{counted(len(records), 'record')} written, {facing:,} of them seen by customers.{stale}"
    )


def _cost_sentence(spent: dict[str, float], excess: dict[str, float]) -> str:
    if not any(spent.values()):
        return ""
    more = f", {money.written(excess)} more than usual for so many runs" if excess else ""
    return f" Cost {money.written(spent)}{more}."

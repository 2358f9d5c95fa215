"""What the incident cost: runs failed and late, money and tokens over what was usual, records, starts not made."""

from __future__ import annotations

from typing import Any

import pandas as pd

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
    sentence = _sentence(table, records, len(stale))
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
        "automation_id", "run_count", "failed_run_count", "retried_run_count", "late_run_count", "cost_amount",
        "expected_cost_amount", "excess_cost_amount", "cost_currency", "token_count", "expected_token_count",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _impact_row(ground: Ground, automation_id: str, mine: pd.DataFrame) -> dict[str, Any]:
    usual = mine[(mine["period"] == BASELINE) & mine["is_counted"]]
    during = mine[(mine["started_at"] >= ground.onset_at) & (mine["period"] != SINCE)]
    lateness = (during["started_at"] - during["scheduled_at"]).dt.total_seconds()
    cost, tokens = float(during["cost_amount"].sum()), float(during["token_count"].sum())
    expected_cost, expected_tokens = (
        float(usual[name].sum()) / len(usual) * len(during) if len(usual) else None
        for name in ("cost_amount", "token_count")
    )
    currencies = mine["cost_currency"].dropna().unique()
    return {
        "automation_id": automation_id,
        "run_count": len(during),
        "failed_run_count": int(during["is_failed"].sum()),
        "retried_run_count": int((during["attempt_count"] > 1).sum()),
        "late_run_count": int((lateness > ground.limits.late_start_seconds).sum()),
        "cost_amount": cost,
        "expected_cost_amount": expected_cost,
        "excess_cost_amount": cost - expected_cost if expected_cost is not None else None,
        "cost_currency": ", ".join(sorted(currencies)),
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
        & (known["context_age_seconds"] > known["usual_limit_seconds"])
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
    excess = float(table["excess_cost_amount"].fillna(0.0).sum())
    cost = float(table["cost_amount"].sum())
    currency = next((c for c in table["cost_currency"] if c), "")
    money = (
        f" Cost {cost:,.2f} {currency}, {excess:,.2f} more than usual for so many runs."
        if cost
        else ""
    )
    facing = int(records["customer_facing"].sum()) if len(records) else 0
    stale = f" {counted(stale_count, 'run')} acted on stale facts." if stale_count else ""
    return (
        f"{failed:,} of {counted(count, 'run')} failed and {late:,} started late; "
        f"{counted(len(records), 'record')} written, {facing:,} of them seen by customers.{money}{stale}"
    )

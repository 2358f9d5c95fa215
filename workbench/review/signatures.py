"""Failures by signature: new or known, when, how often, whether a retry helped, whether they came back."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.periods import BASELINE, INCIDENT, SINCE, restarts, with_period

NEW = "new"
KNOWN = "known before"


def failures_with_period(ground: Ground) -> pd.DataFrame:
    """Return the failed steps with the period of their run; failures of leaked runs have none."""
    failures = ground.table("failed_steps")
    periods = with_period(ground).drop_duplicates("run_id").set_index("run_id")["period"]
    failures["period"] = failures["run_id"].map(periods)
    failures["retry_helped"] = failures["run_status"].eq("succeeded")
    return failures


def signature_table(
    ground: Ground, failures: pd.DataFrame, explained_ids: set[str]
) -> pd.DataFrame:
    """Return one row per error signature seen since the onset, most frequent first.

    `explained_ids` are runs whose failure an overlapping trouble of their provider explains.
    """
    returned_names = [name for name, _, _ in restarts(ground) if name != SINCE]
    rows = [
        _signature_row(ground, str(signature), mine, explained_ids, returned_names)
        for signature, mine in failures.groupby("error_signature", sort=True)
        if (mine["failed_at"] >= ground.onset_at).any()
    ]
    columns = [
        "error_signature", "failure_count", "seen", "baseline_count", "incident_count", "returned_count", "since_pause_count",
        "explained_share", "retry_helped_count", "step", "automations", "first_seen_at", "last_seen_at", "known_from",
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(
        ["failure_count", "error_signature"], ascending=[False, True], ignore_index=True
    )


def _signature_row(
    ground: Ground,
    signature: str,
    mine: pd.DataFrame,
    explained_ids: set[str],
    returned_names: list[str],
) -> dict[str, Any]:
    recent = mine[mine["failed_at"] >= ground.onset_at]
    before = mine[mine["failed_at"] < ground.onset_at]
    steps = recent[recent["step_id"] != ""]["step_id"]
    return {
        "error_signature": signature,
        "failure_count": len(recent),
        "seen": KNOWN if len(before) else NEW,
        "baseline_count": int((mine["period"] == BASELINE).sum()),
        "incident_count": int((recent["period"] == INCIDENT).sum()),
        "returned_count": int(recent["period"].isin(returned_names).sum()),
        "since_pause_count": int((recent["period"] == SINCE).sum()),
        "explained_share": float(recent["run_id"].isin(explained_ids).mean()),
        "retry_helped_count": int(recent["retry_helped"].sum()),
        "step": steps.mode().iloc[0] if len(steps) else "",
        "automations": ", ".join(sorted(recent["automation_id"].unique())),
        "first_seen_at": recent["failed_at"].min(),
        "last_seen_at": recent["failed_at"].max(),
        "known_from": _earlier_incident(ground, before),
    }


def _earlier_incident(ground: Ground, before: pd.DataFrame) -> str:
    """Return the ids of earlier incidents in whose time the signature was seen."""
    incidents = ground.table("incidents")
    earlier = incidents[incidents["started_at"] < ground.onset_at]
    found = [
        str(incident["incident_id"])
        for _, incident in earlier.iterrows()
        if incident["incident_id"] != ground.hold["incident_id"]
        and before["failed_at"].between(incident["started_at"], _end(incident, ground)).any()
    ]
    return ", ".join(found)


def _end(incident: pd.Series[Any], ground: Ground) -> pd.Timestamp:
    for name in ("resolved_at", "mitigated_at"):
        if pd.notna(incident[name]):
            return pd.Timestamp(incident[name])
    return ground.onset_at

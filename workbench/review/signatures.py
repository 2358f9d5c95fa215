"""Failures by signature: new or known, when, how often, whether a retry helped, whether they came back."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.overlap import Overlap, compare, runs_in_trouble
from workbench.review.periods import BASELINE, INCIDENT, SINCE, restarts, with_period
from workbench.review.statistics import chance_of_overlap

NEW = "new"
KNOWN = "known before"


def failures_with_period(ground: Ground) -> pd.DataFrame:
    """Return the failed steps with the period of their run; failures of leaked runs have none."""
    failures = ground.table("failed_steps")
    periods = with_period(ground).drop_duplicates("run_id").set_index("run_id")["period"]
    failures["period"] = failures["run_id"].map(periods)
    failures["retry_helped"] = failures["run_status"].eq("succeeded")
    return failures


def signature_table(ground: Ground) -> pd.DataFrame:
    """Return one row per error signature seen since the onset, most frequent first."""
    if "signatures" not in ground.memo:
        ground.memo["signatures"] = _signature_table(ground)
    found: pd.DataFrame = ground.memo["signatures"]
    return found.copy()


def _signature_table(ground: Ground) -> pd.DataFrame:
    failures = failures_with_period(ground)
    runs, is_inside = runs_in_trouble(ground)
    rows = []
    for signature, mine in failures.groupby("error_signature", sort=True):
        if not (mine["failed_at"] >= ground.onset_at).any():
            continue
        is_bad = runs["run_id"].isin(set(mine["run_id"]))
        overlap = compare(
            runs, is_bad, is_inside=is_inside, significance=ground.limits.significance
        )
        rows.append(_signature_row(ground, str(signature), mine=mine, overlap=overlap))
    columns = [
        "error_signature", "failure_count", "seen", "baseline_count", "incident_count", "returned_count",
        "since_pause_count", "explained_share", "retry_helped_count", "step", "automations", "first_seen_at",
        "last_seen_at", "known_from", "unusual_since_count", "unusual_returned_count",
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(
        ["failure_count", "error_signature"], ascending=[False, True], ignore_index=True
    )


def _signature_row(
    ground: Ground, signature: str, *, mine: pd.DataFrame, overlap: Overlap
) -> dict[str, Any]:
    recent = mine[mine["failed_at"] >= ground.onset_at]
    before = mine[mine["failed_at"] < ground.onset_at]
    steps = recent[recent["step_id"] != ""]["step_id"]
    returned_names = [name for name, _, _ in restarts(ground) if name != SINCE]
    return {
        "error_signature": signature,
        "failure_count": len(recent),
        "seen": KNOWN if len(before) else NEW,
        "baseline_count": int((mine["period"] == BASELINE).sum()),
        "incident_count": int((recent["period"] == INCIDENT).sum()),
        "returned_count": int(recent["period"].isin(returned_names).sum()),
        "since_pause_count": int((recent["period"] == SINCE).sum()),
        "explained_share": float(recent["run_id"].isin(overlap.explained_run_ids).mean()),
        "retry_helped_count": int(recent["retry_helped"].sum()),
        "step": steps.mode().iloc[0] if len(steps) else "",
        "automations": ", ".join(sorted(recent["automation_id"].unique())),
        "first_seen_at": recent["failed_at"].min(),
        "last_seen_at": recent["failed_at"].max(),
        "known_from": _earlier_incident(ground, before),
        "unusual_since_count": _unusual_count(ground, recent, before=before, periods=[SINCE]),
        "unusual_returned_count": _unusual_count(
            ground, recent, before=before, periods=returned_names
        ),
    }


def _unusual_count(
    ground: Ground, recent: pd.DataFrame, *, before: pd.DataFrame, periods: list[str]
) -> int:
    """Return the failures of some periods, or 0 where the baseline knows as many in as many runs."""
    mine = recent[recent["period"].isin(periods)]
    if mine.empty:
        return 0
    runs = with_period(ground)
    runs = runs[runs["is_counted"]]
    inside = int(mine["run_id"].nunique()), int(runs["period"].isin(periods).sum())
    known = before[before["period"] == BASELINE]
    outside = int(known["run_id"].nunique()), int((runs["period"] == BASELINE).sum())
    if outside[0] == 0 or inside[1] < inside[0]:
        return len(mine)
    is_more = chance_of_overlap(inside, outside) <= ground.limits.significance
    return len(mine) if is_more else 0


def _earlier_incident(ground: Ground, before: pd.DataFrame) -> str:
    """Return the earlier incidents in whose time the signature came more often than by chance."""
    incidents = ground.table("incidents")
    earlier = incidents[
        (incidents["started_at"] < ground.onset_at)
        & (incidents["incident_id"] != ground.hold["incident_id"])
    ]
    runs = with_period(ground)
    runs = runs[(runs["period"] == BASELINE) & runs["is_counted"]].reset_index(drop=True)
    is_bad = runs["run_id"].isin(set(before["run_id"]))
    found = []
    for _, incident in earlier.iterrows():
        is_inside = runs["started_at"].between(incident["started_at"], _end(incident, ground))
        overlap = compare(
            runs, is_bad, is_inside=is_inside, significance=ground.limits.significance
        )
        if overlap.is_explained:
            found.append(str(incident["incident_id"]))
    return ", ".join(found)


def _end(incident: pd.Series[Any], ground: Ground) -> pd.Timestamp:
    for name in ("resolved_at", "mitigated_at"):
        if pd.notna(incident[name]):
            return pd.Timestamp(incident[name])
    return ground.onset_at

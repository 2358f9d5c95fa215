"""Audited stories: proposed, asked, granted, executed, failed, retried, completed; and where one breaks off.

A story is what the events of one correlation say about one target. A run has a story of its own.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.review.ground import Ground
from workbench.review.pausing import ENDED_STATUSES

STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("proposed", ("proposal.created",)),
    ("asked", ("approval.requested",)),
    ("granted", ("approval.granted", "approval.approved")),
    ("denied", ("approval.denied", "approval.rejected")),
    (
        "executed",
        (
            "record.created",
            "record.updated",
            "record.deleted",
            "email.sent",
            "message.sent",
            "action.executed",
        ),
    ),
    ("withdrawn", ("proposal.withdrawn",)),
    ("started", ("run.started",)),
    ("retried", ("run.retried",)),
    ("failed", ("run.failed",)),
    ("completed", ("run.completed",)),
    ("stopped", ("run.stopped", "run.cancelled", "run.crashed")),
)
STAGE_OF = {action: stage for stage, actions in STAGES for action in actions}
STAGE_NAMES = tuple(stage for stage, _ in STAGES)

UNFINISHED = "proposed, then nothing"
OTHER_TARGET = "proposed one record, wrote others"
WITHOUT_APPROVAL = "executed without the approval that it asked for"
RUN_WITHOUT_END = "run started, its end is not audited"
NOT_AUDITED = "record written, not audited"
FAULTS = (WITHOUT_APPROVAL, NOT_AUDITED, OTHER_TARGET, UNFINISHED, RUN_WITHOUT_END)


def story_table(ground: Ground) -> pd.DataFrame:
    """Return one row per story that was still told after the onset, with the count of each stage and its fault."""
    events = ground.table("audit_events")
    events["stage"] = events["action"].map(STAGE_OF)
    events = events[events["stage"].notna() & events["correlation_id"].notna()]
    events = events[events["automation_id"].isin(ground.request.automation_ids)]
    in_flight = _in_flight_ids(ground)
    rows = [
        _story(key, story, in_flight)
        for key, story in events.groupby(
            ["correlation_id", "target_kind", "target_id"], sort=True, dropna=False
        )
        if story["occurred_at"].max() >= ground.onset_at
    ]
    columns = [
        "automation_id", "correlation_id", "target_kind", "target_id", "began_at", "ended_at",
        *(f"{stage}_count" for stage in STAGE_NAMES), "fault",
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=columns)
    wrote = set(found[found["executed_count"] > 0]["correlation_id"])
    strayed = (found["fault"] == UNFINISHED) & found["correlation_id"].isin(wrote)
    found.loc[strayed, "fault"] = OTHER_TARGET
    return found.sort_values(["began_at", "correlation_id", "target_id"], ignore_index=True)


def unaudited_writes(ground: Ground) -> pd.DataFrame:
    """Return the writes since the onset that no audit event names, where the automation audits its writes at all."""
    records = ground.table("affected_records")
    records = records[records["changed_at"] >= ground.onset_at]
    events = ground.table("audit_events")
    events = events[events["action"].map(STAGE_OF) == "executed"]
    told = set(zip(events["target_kind"], events["target_id"], strict=True))
    is_told = pd.Series(
        [pair in told for pair in zip(records["record_type"], records["record_id"], strict=True)],
        index=records.index,
        dtype=bool,
    )
    audits = set(records[is_told]["automation_id"])
    return records[~is_told & records["automation_id"].isin(audits)].reset_index(drop=True)


def granted_not_carried_out(ground: Ground) -> pd.DataFrame:
    """Return granted approvals after which neither an execution nor a withdrawal is audited: they fire on resume."""
    approvals = ground.table("approvals")
    granted = approvals[approvals["decision"].isin(("granted", "approved"))]
    events = ground.table("audit_events")
    events["stage"] = events["action"].map(STAGE_OF)
    known_runs = set(events["correlation_id"].dropna())
    is_waiting = [
        row["run_id"] in known_runs and not _was_followed(row, events)
        for _, row in granted.iterrows()
    ]
    return granted[pd.Series(is_waiting, index=granted.index, dtype=bool)].reset_index(drop=True)


def _was_followed(approval: pd.Series[Any], events: pd.DataFrame) -> bool:
    mine = events[events["correlation_id"] == approval["run_id"]]
    asked = mine[(mine["stage"] == "asked") & (mine["approval_id"] == approval["approval_id"])]
    if len(asked):
        target = asked.iloc[0]
        mine = mine[
            (mine["target_kind"] == target["target_kind"])
            & (mine["target_id"] == target["target_id"])
        ]
    after = mine[mine["occurred_at"] >= approval["requested_at"]]
    return bool(after["stage"].isin(("executed", "withdrawn")).any())


def _in_flight_ids(ground: Ground) -> set[str]:
    runs = ground.table("runs")
    return set(runs[~runs["status"].isin(ENDED_STATUSES)]["run_id"])


def _story(key: tuple[Any, ...], story: pd.DataFrame, in_flight: set[str]) -> dict[str, Any]:
    counts = story["stage"].value_counts()
    return {
        "automation_id": story["automation_id"].iloc[0],
        "correlation_id": key[0],
        "target_kind": key[1],
        "target_id": key[2],
        "began_at": story["occurred_at"].min(),
        "ended_at": story["occurred_at"].max(),
        **{f"{stage}_count": int(counts.get(stage, 0)) for stage in STAGE_NAMES},
        "fault": _fault(story, counts.index, key[0] in in_flight),
    }


def _fault(story: pd.DataFrame, stages: Any, is_in_flight: bool) -> str:
    seen = set(stages)
    if {"asked", "executed"} <= seen:
        first_run = story[story["stage"] == "executed"]["occurred_at"].min()
        granted = story[story["stage"] == "granted"]["occurred_at"]
        if granted.empty or granted.min() > first_run:
            return WITHOUT_APPROVAL
    if is_in_flight:
        return ""
    if "proposed" in seen and not seen & {"asked", "executed", "withdrawn"}:
        return UNFINISHED
    if "started" in seen and not seen & {"completed", "failed", "stopped"}:
        return RUN_WITHOUT_END
    return ""

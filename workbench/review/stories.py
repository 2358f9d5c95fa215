"""Audited stories: proposed, asked, granted, executed, failed, retried, completed; and where one breaks off.

A story is what the events of one correlation say about one target. A run has a story of its own.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.review.endings import ENDED_STATUSES
from workbench.review.ground import Ground
from workbench.review.pausing import LET_THROUGH, audit_pause

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
_KEY = ["correlation_id", "target_kind", "target_id"]

UNFINISHED = "proposed, then nothing"
OTHER_TARGET = "proposed one record, wrote others"
WITHOUT_APPROVAL = "executed without the approval that it asked for"
RUN_WITHOUT_END = "run started, its end is not audited"
NOT_AUDITED = "record written, not audited"
FAULTS = (WITHOUT_APPROVAL, NOT_AUDITED, OTHER_TARGET, UNFINISHED, RUN_WITHOUT_END)


def story_table(ground: Ground) -> pd.DataFrame:
    """Return one row per story that was still told after the onset, with the count of each stage and its fault."""
    if "stories" not in ground.memo:
        ground.memo["stories"] = _story_table(ground)
    found: pd.DataFrame = ground.memo["stories"]
    return found.copy()


def _story_table(ground: Ground) -> pd.DataFrame:
    events = _staged(ground)
    told = events.groupby(_KEY, sort=True)
    stories = told.agg(
        automation_id=("automation_id", "first"),
        began_at=("occurred_at", "min"),
        ended_at=("occurred_at", "max"),
    )
    for stage in STAGE_NAMES:
        mine = events[events["stage"] == stage].groupby(_KEY)["occurred_at"]
        stories[f"{stage}_count"] = mine.size().reindex(stories.index, fill_value=0)
        if stage in ("executed", "granted"):
            stories[f"first_{stage}_at"] = mine.min().reindex(stories.index)
    stories = stories.reset_index()
    stories["fault"] = _faults(stories, stories["correlation_id"].isin(_in_flight_ids(ground)))
    stories = stories.drop(columns=["first_executed_at", "first_granted_at"])
    return stories.sort_values(["began_at", "correlation_id", "target_id"], ignore_index=True)


def _staged(ground: Ground) -> pd.DataFrame:
    """Return the events that belong to a story of the automations under review that goes beyond the onset."""
    events = ground.table("audit_events")
    events["stage"] = events["action"].map(STAGE_OF)
    is_told = events["stage"].notna() & events["correlation_id"].notna()
    events = events[is_told & events["automation_id"].isin(ground.request.automation_ids)].copy()
    for column in ("target_kind", "target_id"):
        events[column] = events[column].fillna("")
    last = events.groupby(_KEY)["occurred_at"].transform("max")
    return events[last >= ground.onset_at]


def _faults(stories: pd.DataFrame, is_in_flight: pd.Series[bool]) -> pd.Series[str]:
    has = {stage: stories[f"{stage}_count"] > 0 for stage in STAGE_NAMES}
    is_late = stories["first_granted_at"].isna() | (
        stories["first_granted_at"] > stories["first_executed_at"]
    )
    wrote = set(stories[has["executed"]]["correlation_id"])
    is_open = has["proposed"] & ~has["asked"] & ~has["executed"] & ~has["withdrawn"] & ~is_in_flight
    is_endless = (
        has["started"] & ~has["completed"] & ~has["failed"] & ~has["stopped"] & ~is_in_flight
    )
    fault = pd.Series("", index=stories.index, dtype=object)
    fault[is_endless] = RUN_WITHOUT_END
    fault[is_open] = UNFINISHED
    fault[is_open & stories["correlation_id"].isin(wrote)] = OTHER_TARGET
    fault[has["asked"] & has["executed"] & is_late] = WITHOUT_APPROVAL
    return fault


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


def stale_approvals(ground: Ground) -> pd.DataFrame:
    """Return the approvals that were not asked for by a run of the narrow restart: those know today's facts."""
    approvals = ground.table("approvals")
    starts = audit_pause(ground, ground.hold).starts
    let_through = set(starts[starts["kind"] == LET_THROUGH]["run_id"])
    return approvals[~approvals["run_id"].isin(let_through)].reset_index(drop=True)


def granted_not_carried_out(ground: Ground) -> pd.DataFrame:
    """Return granted approvals after which neither an execution nor a withdrawal is audited: they fire on resume."""
    approvals = stale_approvals(ground)
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

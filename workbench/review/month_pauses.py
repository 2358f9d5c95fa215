"""Measures of a month about trouble and pauses: incidents, phases, relapses, how fast pauses took, what leaked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from workbench.records import Purpose
from workbench.review.covering import touches
from workbench.review.ground import FIRST_RUNS, Ground, counted
from workbench.review.measures import Measure, longest, median, share
from workbench.review.pausing import audit_of

LEAKS = "leaks"
RELAPSE_HOURS = (24, 72)
LOOK_AHEAD = timedelta(hours=max(RELAPSE_HOURS))
PHASES = (
    ("onset to detection", "started_at", "detected_at"),
    ("detection to a person", "detected_at", "acknowledged_at"),
    ("person to pause", "acknowledged_at", "paused_at"),
    ("pause to mitigation", "paused_at", "mitigated_at"),
    ("mitigation to resolution", "mitigated_at", "resolved_at"),
)
_RUN = ["source_id", "run_id"]
_CHANGE = [*_RUN, "record_type", "record_id", "change_seq"]
_TROUBLE = (str(Purpose.INCIDENT), str(Purpose.GUARD))
"""Holds that somebody, or a trigger, placed because something was wrong; drills and maintenance are none."""


def pause_measures(ground: Ground, *, seen_until: datetime) -> list[Measure]:
    """Return the measures of one category, over the holds of our own store and the incidents that were loaded."""
    incidents = incidents_of(ground)
    holds = holds_of(ground)
    placed = holds[_within(ground, holds["placed_at"])]
    return [
        Measure("incidents", str(len(incidents)), count=len(incidents), query="review.incidents"),
        Measure(
            "holds for trouble",
            str(len(placed)),
            count=len(placed),
            remark="of an incident, or placed by a trigger",
            query="review.holds",
        ),
        *(relapses(ground, hours, seen_until=seen_until) for hours in RELAPSE_HOURS),
        *_latencies(ground, placed),
        _leaks(ground, holds),
        *_phases(incidents),
    ]


def incidents_of(ground: Ground) -> pd.DataFrame:
    """Return the incidents whose scope touches an automation of the category."""
    incidents = ground.table("incidents")
    is_mine = [touches(scope or "", ground.automations) for scope in incidents["scope"]]
    return incidents[pd.Series(is_mine, index=incidents.index, dtype=bool)]


def holds_of(ground: Ground) -> pd.DataFrame:
    """Return the holds for trouble that cover an automation of the category; that of a first run is none."""
    holds, targets = ground.table("holds"), ground.table("hold_targets")
    is_mine = holds["hold_id"].isin(targets["hold_id"]) & holds["purpose"].isin(_TROUBLE)
    is_new = holds["hold_id"].isin(ground.table(FIRST_RUNS)["hold_id"])
    return holds[is_mine & ~is_new].reset_index(drop=True)


def relapses(ground: Ground, hours: int, *, seen_until: datetime) -> Measure:
    """Return how many releases of an incident's hold were followed by another hold on one of its automations.

    A release whose hours are not over is not counted, whatever came: counting those that are back already, and not
    those that may still come back, would make the share too large.
    """
    holds, targets = holds_of(ground), ground.table("hold_targets")
    released = holds[(holds["purpose"] == Purpose.INCIDENT) & _within(ground, holds["released_at"])]
    gap = timedelta(hours=hours)
    back, known, early, covered = 0, 0, 0, 0
    for _, hold in released.iterrows():
        mine = _freed(ground, hold)
        if not mine:
            covered += 1
            continue
        others = targets[targets["automation_id"].isin(mine)]["hold_id"]
        later = holds[holds["hold_id"].isin(others) & (holds["placed_at"] > hold["released_at"])]
        is_back = bool((later["placed_at"] - hold["released_at"] <= gap).any())
        is_over = hold["released_at"] + gap <= seen_until
        back, known = back + (is_back and is_over), known + is_over
        early += is_back and not is_over
    waiting = len(released) - known - covered
    remark = (
        f"{counted(waiting, 'restart')} too recent to count, {early} of them back already"
        if waiting
        else ""
    )
    if covered:
        still = f"{counted(covered, 'release')} under another hold: no restart"
        remark = f"{remark}; {still}" if remark else still
    elif not known and not waiting:
        remark = "nothing was restarted in full"
    return share(f"relapse within {hours} h", (back, known), remark=remark, query="review.holds")


def _freed(ground: Ground, hold: pd.Series[Any]) -> set[str]:
    """Return the automations of a hold that no other hold, whatever its purpose, still covered at its release."""
    holds, targets, at = ground.table("holds"), ground.table("hold_targets"), hold["released_at"]
    is_standing = (holds["placed_at"] <= at) & (holds["released_at"].isna() | (holds["released_at"] > at))  # fmt: skip
    standing = holds[is_standing & (holds["hold_id"] != hold["hold_id"])]["hold_id"]
    still = targets[targets["hold_id"].isin(standing)]["automation_id"]
    return set(targets[targets["hold_id"] == hold["hold_id"]]["automation_id"]) - set(still)


def _latencies(ground: Ground, placed: pd.DataFrame) -> Iterator[Measure]:
    """Give how long pauses took from the command to the confirmation of each automation."""
    targets = ground.table("hold_targets")
    mine = targets[targets["hold_id"].isin(placed["hold_id"])]
    seconds = (mine["confirmed_at"] - mine["recorded_at"]).dt.total_seconds()
    never = int(seconds.isna().sum())
    remark = f"{counted(never, 'target')} never confirmed" if never else ""
    if mine.empty:
        remark = "nothing was paused"
    seconds = seconds.fillna(math.inf)
    yield median("pause latency p50", seconds, remark=remark, query="review.hold_targets")
    yield longest("pause latency p95", seconds, remark=remark, query="review.hold_targets")


def _leaks(ground: Ground, holds: pd.DataFrame) -> Measure:
    """Count what started or wrote past a pause in the month, as the check `pause_held` judges it."""
    standing = holds[(holds["released_at"].isna()) | (holds["released_at"] >= ground.request.since)]
    standing = standing[standing["placed_at"] < ground.as_of]
    leaked: set[tuple[Any, ...]] = set()
    tables = {**ground.tables, "review.runs": ground.table("month.held_runs")}
    held = Ground(ground.request, tables)
    targets = ground.table("hold_targets")
    for _, hold in standing.iterrows():
        # What the hold does not cover runs on rightly.
        ids = targets[targets["hold_id"] == hold["hold_id"]]["automation_id"]
        found = audit_of(held, hold, automation_ids=list(ids))
        starts, writes = found.leaked_starts, found.leaked_writes
        starts = starts[starts["started_at"] >= ground.request.since]
        writes = writes[writes["changed_at"] >= ground.request.since]
        # Two holds over one automation leak the same run and the same change.
        leaked |= {tuple(row) for row in starts[_RUN].itertuples(index=False)}
        leaked |= {tuple(row) for row in writes[_CHANGE].itertuples(index=False)}
    remark = f"under {counted(len(standing), 'hold')}" if len(standing) else "nothing was paused"
    return Measure(
        LEAKS, str(len(leaked)), count=len(standing), remark=remark, query="month.held_runs"
    )


def _phases(incidents: pd.DataFrame) -> Iterator[Measure]:
    for name, begin, end in PHASES:
        seconds = (incidents[end] - incidents[begin]).dt.total_seconds()
        backwards = int((seconds < 0).sum())
        # It has begun and has not ended: later than any, unless the incident is over and nobody noted the instant.
        is_open = incidents[begin].notna() & incidents[end].isna() & incidents["resolved_at"].isna()
        said = [
            f"{counted(backwards, 'incident')} backwards, left out" if backwards else "",
            f"{counted(int(is_open.sum()), 'incident')} not over yet" if is_open.any() else "",
        ]
        known = seconds.mask(is_open, math.inf)
        remark = "; ".join(filter(None, said))
        yield median(f"median {name}", known[known >= 0], remark=remark, query="review.incidents")


def _within(ground: Ground, instants: pd.Series[pd.Timestamp]) -> pd.Series[bool]:
    return (instants >= pd.Timestamp(ground.request.since)) & (instants < ground.as_of)

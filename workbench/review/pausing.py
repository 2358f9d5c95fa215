"""What started and what wrote after a pause: let through, refused at the gate, still settling, or a leak.

A run belongs to a hold from the hold's receipt for that automation until its release. A run that asked the
gate, was refused and wrote nothing is no leak: it shows that the gate worked. What happens within the time
that policy gives a pause to take effect is `settling`; a leak is what did work after that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from workbench.records import Mode
from workbench.review.endings import ENDED_STATUSES
from workbench.review.ground import PROBATION, TICKETS, Ground, seconds_from

GATE_REFUSAL = re.compile(r"paused by (H-\d+|a hold)|cannot tell whether .+ is paused")
"""How the gate words a refusal (`Paused` and `Unknown` of workbench.gate), wherever an engine wrote it."""

REFUSED = "refused at the gate"
LET_THROUGH = "let through"
SETTLING = "settling"
LEAK = "leak"
IN_FLIGHT = "in flight, drains"
STOPPED_STATUSES = ("cancelled", "held", "skipped", "waiting", "failed", "crashed")
"""What engines make of a refused start; some report the exception of the gate as a failure."""


@dataclass(frozen=True)
class PauseAudit:
    """One hold against what really ran under it.

    Attributes:
        starts: runs that started after the receipt, with `kind` and `after_seconds`.
        writes: changes made after the receipt, with `kind` and `after_seconds`.
        finished_after: runs that were in flight at the receipt and ended after it, or still run.
        receipts: automation_id -> instant from which the hold counted there.
    """

    hold: pd.Series[Any]
    starts: pd.DataFrame
    writes: pd.DataFrame
    finished_after: pd.DataFrame
    receipts: pd.Series[Any]
    targets: pd.DataFrame

    @cached_property
    def leaked_starts(self) -> pd.DataFrame:
        """Runs that started after the pause had to be effective and were not refused."""
        return self.starts[self.starts["kind"] == LEAK]

    @cached_property
    def leaked_writes(self) -> pd.DataFrame:
        """Changes made after the pause had to be effective, by runs that nobody let through."""
        return self.writes[self.writes["kind"] == LEAK]

    @property
    def refused_count(self) -> int:
        """Runs that started after the receipt and were refused before any write."""
        return int((self.starts["kind"] == REFUSED).sum())

    @property
    def settling_count(self) -> int:
        """Starts and writes within the time that policy gives a pause to take effect."""
        return int(
            (self.starts["kind"] == SETTLING).sum() + (self.writes["kind"] == SETTLING).sum()
        )

    @property
    def let_through_count(self) -> int:
        """Runs that a narrow restart let through."""
        return int((self.starts["kind"] == LET_THROUGH).sum())

    @property
    def leak_count(self) -> int:
        """Leaked starts and leaked writes together."""
        return len(self.leaked_starts) + len(self.leaked_writes)

    @property
    def latency_seconds(self) -> float:
        """Seconds from the command to the last start or write that nobody let through; 0 when there was none."""
        kinds = (LEAK, SETTLING)
        late = [
            float(rows.loc[rows["kind"].isin(kinds), "after_seconds"].max())
            for rows in (self.starts, self.writes)
            if rows["kind"].isin(kinds).any()
        ]
        return max(late, default=0.0)

    @property
    def last_leak_at(self) -> pd.Timestamp | None:
        """Instant of the last leaked start or write."""
        instants = [*self.leaked_starts["started_at"], *self.leaked_writes["changed_at"]]
        return max(instants, default=None)


def audit_pause(ground: Ground, hold: pd.Series[Any]) -> PauseAudit:
    """Compare one hold with the runs and writes under it; worked out once for each hold of a ground."""
    key = f"pause {hold['hold_id']}"
    if key not in ground.memo:
        ground.memo[key] = audit_of(ground, hold, automation_ids=ground.request.automation_ids)
    found: PauseAudit = ground.memo[key]
    return found


def audit_of(ground: Ground, hold: pd.Series[Any], *, automation_ids: Sequence[str]) -> PauseAudit:
    """Compare one hold with the runs and writes of some automations under it; what others did is not looked at."""
    targets = ground.table("hold_targets")
    targets = targets[targets["hold_id"] == hold["hold_id"]]
    receipts = _receipts(automation_ids, hold, targets)
    until = hold["released_at"] if pd.notna(hold["released_at"]) else ground.as_of
    runs = ground.table("runs")
    runs["receipt_at"] = runs["automation_id"].map(receipts)
    runs = runs[runs["started_at"].notna()]
    records = ground.table("affected_records")
    records["receipt_at"] = records["automation_id"].map(receipts)
    later = records[
        (records["changed_at"] >= records["receipt_at"]) & (records["changed_at"] < until)
    ]
    starts = runs[(runs["started_at"] >= runs["receipt_at"]) & (runs["started_at"] < until)].copy()
    starts["after_seconds"] = seconds_from(starts["started_at"], hold["placed_at"])
    limit = float(ground.limits.pause_effective_seconds)
    let_through = _let_through_ids(ground, hold, starts)
    writers = set(later["run_id"])
    starts["kind"] = _start_kinds(starts, let_through, writers, limit)
    crossing = runs[(runs["started_at"] < runs["receipt_at"])]
    crossing = crossing[
        crossing["finished_at"].isna() | (crossing["finished_at"] > crossing["receipt_at"])
    ]
    in_flight = set(crossing["run_id"])
    # What ended and does not say when may have crossed: only what it wrote afterwards can tell.
    crossing = crossing[
        ~crossing["status"].isin(ENDED_STATUSES) | crossing["finished_at"].notna()
    ].copy()
    crossing["after_seconds"] = seconds_from(crossing["finished_at"], hold["placed_at"])
    writes = _writes(later, hold, let_through, limit=limit, in_flight=in_flight)
    return PauseAudit(hold, starts, writes, crossing, receipts, targets)


def _receipts(
    automation_ids: Sequence[str], hold: pd.Series[Any], targets: pd.DataFrame
) -> pd.Series[Any]:
    known = targets.set_index("automation_id")
    first = known["delivered_at"].fillna(known["recorded_at"])
    return first.reindex(list(automation_ids)).fillna(hold["placed_at"])


def _let_through_ids(ground: Ground, hold: pd.Series[Any], starts: pd.DataFrame) -> set[str]:
    """Return the runs that narrow restarts let through.

    The ticket book says which, where its run ids are the engine's. Where it knows none of the loaded runs
    (a recorded log has no book) they are inferred: at most as many as there were tickets, in order.
    """
    probations = ground.table(PROBATION)
    probations = probations[probations["hold_id"] == hold["hold_id"]]
    asked = starts[~was_refused(starts)]
    asked = asked.sort_values(["started_at", "run_id"], kind="stable")
    found: set[str] = set()
    tickets_taken = ground.table(TICKETS)
    for probation_id, lines in probations.groupby("probation_id", sort=True):
        first = lines.iloc[0]
        held = tickets_taken[tickets_taken["probation_id"] == probation_id]
        named = starts[
            starts["automation_id"].isin(lines["automation_id"])
            & starts["run_id"].isin(held["run_id"])
        ]
        if len(named):
            found |= set(named["run_id"])
            continue
        mine = asked[
            asked["automation_id"].isin(lines["automation_id"])
            & (asked["started_at"] >= first["started_at"])
        ]
        if pd.notna(first["ended_at"]):
            mine = mine[mine["started_at"] <= first["ended_at"]]
        tickets = len(mine) if pd.isna(first["max_runs"]) else int(first["max_runs"])
        found |= set(mine.head(tickets)["run_id"])
    return found


def _start_kinds(
    starts: pd.DataFrame, let_through: set[str], writers: set[str], limit: float
) -> pd.Series[str]:
    """Return the kind of each start; what somebody let through is that, whatever else it is."""
    kinds = pd.Series(LEAK, index=starts.index, dtype=object)
    kinds[starts["after_seconds"] <= limit] = SETTLING
    kinds[was_refused(starts) & ~starts["run_id"].isin(writers)] = REFUSED
    kinds[starts["run_id"].isin(let_through)] = LET_THROUGH
    return kinds


def was_refused(runs: pd.DataFrame) -> pd.Series[bool]:
    """Tell for each run whether the gate refused it. Columns that are read: status, error_message."""
    said = runs["error_message"].map(says_refused).astype(bool)
    return said & runs["status"].isin(STOPPED_STATUSES)


def says_refused(message: Any) -> bool:
    """Tell whether the error of a run that did not succeed is the gate's refusal."""
    return isinstance(message, str) and GATE_REFUSAL.search(message) is not None


def without_refused(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes that were work: what the gate refused neither failed nor succeeded.

    Columns that are read: is_failed, error_message.
    """
    is_refused = outcomes["is_failed"].astype(bool) & outcomes["error_message"].map(says_refused)
    return outcomes[~is_refused.astype(bool)]


def _writes(
    later: pd.DataFrame,
    hold: pd.Series[Any],
    let_through: set[str],
    *,
    limit: float,
    in_flight: set[str],
) -> pd.DataFrame:
    writes = later.copy()
    writes["after_seconds"] = seconds_from(writes["changed_at"], hold["placed_at"])
    drains = hold["mode"] == Mode.DRAIN
    writes["kind"] = [
        LET_THROUGH
        if run_id in let_through
        else IN_FLIGHT
        if drains and run_id in in_flight
        else SETTLING
        if after <= limit
        else LEAK
        for run_id, after in zip(writes["run_id"], writes["after_seconds"], strict=True)
    ]
    return writes

"""What the kill switch did: for every hold of the incident, how fast, what got through, what finished after."""

from __future__ import annotations

import pandas as pd

from workbench.review.ground import (
    PROBATION,
    Ground,
    Section,
    counted,
    filled,
    listed,
    seconds_from,
    spoken,
)
from workbench.review.pausing import LEAK, REFUSED, SETTLING, PauseAudit, audit_pause

STEPS = (
    ("recorded_at", "recorded"),
    ("delivered_at", "delivered"),
    ("confirmed_at", "confirmed"),
    ("quiet_at", "quiet"),
)


def switch_section(ground: Ground) -> Section:
    """Return what each hold of the chain did, and its steps at each automation as a figure."""
    audits = [audit_pause(ground, hold) for _, hold in ground.chain.iterrows()]
    table = pd.concat([_rows(audit) for audit in audits], ignore_index=True)
    leaks = pd.concat([leak_rows(audit) for audit in audits], ignore_index=True)
    in_flight = pd.concat(
        [audit.finished_after.assign(hold_id=audit.hold["hold_id"]) for audit in audits],
        ignore_index=True,
    )
    shown = [
        "hold_id",
        "automation_id",
        "run_id",
        "started_at",
        "finished_at",
        "after_seconds",
        "status",
    ]
    tables = {
        "Each hold at each automation": table,
        "What started or wrote after a hold was placed": leaks,
        "Runs in flight at a pause": in_flight[shown],
    }
    sentence = " ".join(_sentence(audit, through=_through(ground, audit)) for audit in audits)
    steps = pd.concat([_steps(audit) for audit in audits[:1]], ignore_index=True)
    return Section(
        "What the switch did",
        sentence,
        filled(tables),
        {"switch_steps": steps},
    )


def _rows(audit: PauseAudit) -> pd.DataFrame:
    targets = audit.targets.set_index("automation_id")
    rows = []
    for automation_id in audit.receipts.index:
        target = targets.loc[automation_id] if automation_id in targets.index else None
        starts = audit.starts[audit.starts["automation_id"] == automation_id]
        writes = audit.writes[audit.writes["automation_id"] == automation_id]
        rows.append(
            {
                "hold_id": audit.hold["hold_id"],
                "automation_id": automation_id,
                "delivered_after_seconds": _after(target, "delivered_at"),
                "confirmed_after_seconds": _after(target, "confirmed_at"),
                "quiet_after_seconds": _after(target, "quiet_at"),
                "last_start_after_seconds": starts[starts["kind"].isin((LEAK, SETTLING))][
                    "after_seconds"
                ].max(),
                "last_write_after_seconds": writes[writes["kind"].isin((LEAK, SETTLING))][
                    "after_seconds"
                ].max(),
                "leaked_start_count": int((starts["kind"] == LEAK).sum()),
                "leaked_write_count": int((writes["kind"] == LEAK).sum()),
                "refused_run_count": int((starts["kind"] == REFUSED).sum()),
            }
        )
    return pd.DataFrame(rows)


def _after(target: pd.Series[pd.Timestamp] | None, column: str) -> float | None:
    if target is None or pd.isna(target[column]):
        return None
    return float(seconds_from(target[column], target["recorded_at"]))


def leak_rows(audit: PauseAudit) -> pd.DataFrame:
    """Return what started or wrote under one hold, leaks and what was refused or settled, in time order."""
    kinds = (LEAK, REFUSED, SETTLING)
    starts = audit.starts[audit.starts["kind"].isin(kinds)]
    columns = ["automation_id", "occurred_at", "after_seconds", "what", "kind", "run_id"]
    begun = starts.assign(occurred_at=starts["started_at"], what="a run started")[columns]
    writes = audit.writes[audit.writes["kind"].isin(kinds)]
    what = [
        f"wrote {kind} {name}"
        for kind, name in zip(writes["record_type"], writes["record_id"], strict=True)
    ]
    wrote = writes.assign(occurred_at=writes["changed_at"], what=what)[columns]
    found = pd.concat(
        [frame for frame in (begun, wrote) if len(frame)] or [begun], ignore_index=True
    )
    found.insert(0, "hold_id", audit.hold["hold_id"])
    return found.sort_values(["occurred_at", "run_id"], ignore_index=True)


def _steps(audit: PauseAudit) -> pd.DataFrame:
    rows: list[tuple[str, str, float]] = []
    for _, target in audit.targets.iterrows():
        rows += [
            (
                target["automation_id"],
                step,
                float(seconds_from(target[column], target["recorded_at"])),
            )
            for column, step in STEPS
            if pd.notna(target[column])
        ]
    late = audit.writes[audit.writes["kind"].isin((LEAK, SETTLING))]
    for automation_id, seconds in late.groupby("automation_id")["after_seconds"].max().items():
        rows.append((str(automation_id), "last write", float(seconds)))
    return pd.DataFrame(rows, columns=["automation_id", "step", "elapsed_seconds"])


def _through(ground: Ground, audit: PauseAudit) -> str:
    """Return how many runs the narrow restarts of a hold let through; '' where there were none."""
    probations = ground.table(PROBATION)
    mine = probations[probations["hold_id"] == audit.hold["hold_id"]]["probation_id"]
    if mine.empty:
        return ""
    count = counted(audit.let_through_count, "run")
    return f"; {count} let through by {listed(sorted(mine.unique()))}"


def _sentence(audit: PauseAudit, *, through: str) -> str:
    name = audit.hold["hold_id"]
    if not audit.leak_count:
        settled = (
            f", the last start or write {spoken(audit.latency_seconds)} after the command"
            if audit.latency_seconds
            else ""
        )
        refused = (
            f"; {counted(audit.refused_count, 'started run')} refused before any write"
            if audit.refused_count
            else ""
        )
        return f"{name} held{settled}{refused}{through}."
    refused = (
        f", and {counted(audit.refused_count, 'started run')} refused before any write"
        if audit.refused_count
        else ""
    )
    return (
        f"{name} leaked: {counted(len(audit.leaked_starts), 'run')} and "
        f"{counted(len(audit.leaked_writes), 'write')} past it, "
        f"the last {spoken(audit.latency_seconds)} after the command{refused}{through}."
    )

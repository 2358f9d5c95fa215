"""Check: did the pause hold, and is that proven yet?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.records import Check, CheckStatus
from workbench.review.endings import ended_at
from workbench.review.ground import (
    Finding,
    Ground,
    Section,
    clock,
    counted,
    filled,
    listed,
    seconds_from,
    spoken,
    worst,
)
from workbench.review.pausing import LEAK, LET_THROUGH, PauseAudit, audit_pause
from workbench.review.periods import bands

NAME = "pause_held"
QUERY = "review.pause_reach"


def check_pause(ground: Ground) -> Finding:
    """Judge the hold under review by what started and wrote after its receipt."""
    audit = audit_pause(ground, ground.hold)
    due = next_starts_due(ground, audit)
    limit = float(ground.limits.pause_effective_seconds)
    status = worst(
        CheckStatus.FAIL if audit.leak_count or slow_targets(audit, limit) else CheckStatus.PASS,
        CheckStatus.PASS if due["is_past"].all() else CheckStatus.NO_EVIDENCE,
    )
    check = Check(
        name=NAME,
        question="Did the pause hold: did anything start or write after it?",
        status=status,
        sentence=_sentence(ground, audit, due),
        number=float(audit.leak_count),
        unit="leaks",
        threshold=f"0 later than {limit:g} s after the command, and the next start was due",
        threshold_source=ground.limits.source("pause_effective_seconds"),
        row_count=len(audit.starts) + len(audit.writes),
        query=QUERY,
        is_critical=True,
    )
    return Finding(check, _section(ground, audit, due), _escalations(ground, audit))


def slow_targets(audit: PauseAudit, limit: float) -> list[str]:
    """Return the automations whose gate or engine got the pause later than policy allows."""
    waited = seconds_from(audit.targets["delivered_at"], audit.targets["recorded_at"])
    return sorted(audit.targets[waited > limit]["automation_id"])


def next_starts_due(ground: Ground, audit: PauseAudit) -> pd.DataFrame:
    """Return, per automation, when its next start would have been due after the pause, and whether that is past."""
    rows = []
    for automation_id, receipt in audit.receipts.items():
        automation = ground.automations.get(str(automation_id))
        interval = automation.expected_interval_seconds if automation else None
        gap = float(interval) if interval else _usual_gap(ground, str(automation_id))
        due = receipt + pd.Timedelta(seconds=gap) if gap is not None else pd.NaT
        rows.append((automation_id, receipt, gap, due, pd.isna(due) or due <= ground.as_of))
    columns = ["automation_id", "receipt_at", "interval_seconds", "next_start_due_at", "is_past"]
    return pd.DataFrame(rows, columns=columns).astype({"is_past": bool})


def _usual_gap(ground: Ground, automation_id: str) -> float | None:
    runs = ground.table("runs")
    mine = runs[
        (runs["automation_id"] == automation_id) & (runs["started_at"] < ground.first_paused_at)
    ]
    gaps = mine["started_at"].sort_values().diff().dt.total_seconds().dropna()
    return float(gaps.median()) if len(gaps) else None


def _sentence(ground: Ground, audit: PauseAudit, due: pd.DataFrame) -> str:
    watched = spoken(seconds_from(ground.as_of, ground.paused_at))
    notes = _notes(ground, audit)
    more = f" ({'; '.join(notes)})" if notes else ""
    if audit.leak_count:
        return (
            f"LEAKED: {counted(len(audit.leaked_starts), 'run')} started and did work after the pause, and "
            f"{counted(len(audit.leaked_writes), 'write')} came after it, the last {spoken(audit.latency_seconds)} "
            f"after the command{more}."
        )
    slow = slow_targets(audit, float(ground.limits.pause_effective_seconds))
    if slow:
        return f"SLOW: the pause reached {listed(slow)} later than policy allows{more}."
    waiting = due[~due["is_past"]]
    if not waiting.empty:
        last = waiting["next_start_due_at"].max()
        return f"NOT YET PROVEN: 0 starts and 0 writes in {watched}, but the next start is due {clock(last)}{more}."
    effect = (
        f"last start or write {spoken(audit.latency_seconds)} after the command; "
        if audit.latency_seconds
        else ""
    )
    return f"HELD: {effect}nothing started or wrote after it, watched {watched}{more}."


def _notes(ground: Ground, audit: PauseAudit) -> list[str]:
    notes = []
    if audit.refused_count:
        notes.append(
            f"{counted(audit.refused_count, 'started run')} refused at the gate before any write"
        )
    if audit.settling_count:
        said = counted(audit.settling_count, "start or write", plural="starts or writes")
        notes.append(f"{said} within the {ground.limits.pause_effective_seconds:g} s of policy")
    if audit.let_through_count:
        notes.append(f"{counted(audit.let_through_count, 'run')} let through by a narrow restart")
    if silent := sorted(audit.targets[audit.targets["confirmed_at"].isna()]["automation_id"]):
        notes.append(f"not confirmed by {listed(silent)}")
    if len(audit.finished_after):
        notes.append(f"{counted(len(audit.finished_after), 'run')} in flight at the pause")
    if frozen := int((in_flight(ground, audit)["now"] == FROZEN).sum()):
        notes.append(f"{frozen} of them still running by the engine's word, without a step since")
    return notes


FROZEN = "says running, no step since the pause"
AT_WORK = "still at work after the pause"
HELD = "held by its engine"
IN_STEP = "in a step that began before the pause"
UNSEEN = "says running, no step of it is loaded"
GONE = "gone from its engine"
OVER = "ended after the pause"


def in_flight(ground: Ground, audit: PauseAudit) -> pd.DataFrame:
    """Return the runs that were in flight at the receipt, and what each is `now`.

    Columns: automation_id, run_id, started_at, finished_at, after_seconds (end since the command), status,
    last_step_at (began or ended), now. An engine may say `running` of work that it froze, or that died.
    """
    runs = audit.finished_after
    known = ground.table("pause_in_flight")
    known = known[known["hold_id"] == audit.hold["hold_id"]]
    keys = ["source_id", "run_id"]
    found = runs.merge(
        known[[*keys, "step_at", "has_open_step", "is_vanished"]].rename(
            columns={"step_at": "last_step_at"}
        ),
        on=keys,
        how="left",
    )
    found["now"] = [_now(row) for _, row in found.iterrows()]
    return found[
        ["automation_id", "run_id", "started_at", "finished_at", "after_seconds", "status", "last_step_at", "now"]
    ]  # fmt: skip


def _now(run: pd.Series[Any]) -> str:
    if pd.notna(run["finished_at"]):
        return OVER
    if run["is_vanished"] is True:
        return GONE
    if run["status"] in ("held", "waiting"):
        return HELD
    if pd.isna(run["last_step_at"]):
        return UNSEEN
    if run["has_open_step"] is True:
        return IN_STEP if run["last_step_at"] <= run["receipt_at"] else AT_WORK
    return FROZEN if run["last_step_at"] <= run["receipt_at"] else AT_WORK


def _escalations(ground: Ground, audit: PauseAudit) -> tuple[str, ...]:
    found = []
    limit = float(ground.limits.pause_effective_seconds)
    if audit.leak_count:
        found.append(
            f"the pause leaked: {counted(len(audit.leaked_starts), 'run')} and "
            f"{counted(len(audit.leaked_writes), 'write')} after it, up to {spoken(audit.latency_seconds)} late "
            f"(policy: {limit:g} s)"
        )
    if slow := slow_targets(audit, limit):
        found.append(f"the pause was slow: it reached {listed(slow)} after more than {limit:g} s")
    return tuple(found)


def _section(ground: Ground, audit: PauseAudit, due: pd.DataFrame) -> Section:
    starts = audit.starts[
        ["automation_id", "run_id", "started_at", "after_seconds", "kind", "trigger", "triggered_by", "status",
         "error_message"]
    ]  # fmt: skip
    writes = audit.writes[
        ["automation_id", "run_id", "changed_at", "after_seconds", "kind", "change", "record_type", "record_id",
         "reversibility", "verified_at"]
    ]  # fmt: skip
    tables = {
        "How far the pause came at each automation": _reach(ground, audit),
        "When the next start would have been due": due,
        "Runs that started after the pause": starts[starts["kind"] != LET_THROUGH],
        "Writes after the pause": writes[writes["kind"] != LET_THROUGH],
        "Runs in flight at the pause": in_flight(ground, audit),
    }
    return Section(
        "Pause proof",
        _sentence(ground, audit, due),
        filled(tables),
        gantt(ground),
    )


def _reach(ground: Ground, audit: PauseAudit) -> pd.DataFrame:
    """Return how far the pause came at each automation, and what began and wrote there after its receipt."""
    known = ground.table("pause_reach")
    known = known[known["hold_id"] == audit.hold["hold_id"]]
    steps = ["automation_id", "recorded_at", "delivered_at", "confirmed_at", "quiet_at"]
    after = ["automation_id", "start_count", "last_start_at", "write_count", "last_write_at"]
    return audit.targets[steps].merge(known[after], on="automation_id", how="left")


def gantt(ground: Ground) -> dict[str, pd.DataFrame]:
    """Return the runs as bars and the pauses as bands, from a little before the onset to the end."""
    runs = ground.table("runs")
    since = ground.onset_at - (ground.as_of - ground.onset_at) * 0.15
    runs = runs[runs["started_at"].notna() & (runs["started_at"] >= since)].copy()
    runs["finished_at"] = ended_at(runs)
    runs["what"] = runs["status"].map({"failed": "failed", "crashed": "failed"}).fillna("clean")
    leaked: dict[str, pd.Timestamp] = {}
    for _, hold in ground.chain.iterrows():
        audit = audit_pause(ground, hold)
        for rows, column in (
            (audit.leaked_starts, "started_at"),
            (audit.leaked_writes, "changed_at"),
        ):
            for run_id, instant in zip(rows["run_id"], rows[column], strict=True):
                leaked[run_id] = min(instant, leaked.get(run_id, instant))
        through = set(audit.starts[audit.starts["kind"] == LET_THROUGH]["run_id"])
        runs.loc[runs["run_id"].isin(through) & (runs["what"] == "clean"), "what"] = LET_THROUGH
    runs.loc[runs["run_id"].isin(leaked), "what"] = LEAK
    # A run that began before the pause leaked when it wrote, not when it began.
    runs["leak_at"] = pd.to_datetime(runs["run_id"].map(leaked), utc=True)
    bars = runs[["automation_id", "started_at", "finished_at", "what", "leak_at"]].reset_index(
        drop=True
    )
    return {"pause_gantt": bars, "pause_gantt_bands": bands(ground)}

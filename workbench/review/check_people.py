"""Checks on people: what was done to prevent it, who may restart, when was it last tried, who looks at alerts?"""

from __future__ import annotations

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
    judged,
    listed,
    percent,
    spoken,
)
from workbench.review.mitigation import changes_since_pause, suspect_changes, unreverted_suspects
from workbench.review.onset import is_troubled


def check_prevention(ground: Ground) -> Finding:
    """Judge whether anything was changed in the scope since the pause that could keep the fault away."""
    made = changes_since_pause(ground)
    suspects = suspect_changes(ground)
    still_open = unreverted_suspects(ground)
    sentence = _prevention_sentence(made, suspects, still_open)
    check = Check(
        name="prevention_actions",
        question="What was changed since the pause to keep it from coming back?",
        status=CheckStatus.PASS if len(made) else CheckStatus.NO_EVIDENCE,
        sentence=sentence,
        number=float(len(made)),
        unit="changes since the pause",
        threshold="at least 1 recorded change to what is in scope since the pause",
        threshold_source="without a change, the same thing is started again",
        row_count=len(ground.table("changes")),
        query="review.changes",
    )
    columns = ["changed_at", "kind", "target", "actor", "summary"]
    tables = {
        "Changed since the pause": made[[*columns, "reverts_a_suspect"]],
        "Changed in the scope within a day before the onset": suspects[["lead_seconds", *columns]],
    }
    return Finding(check, Section("Prevention actions", sentence, filled(tables)))


def _prevention_sentence(
    made: pd.DataFrame, suspects: pd.DataFrame, still_open: pd.DataFrame
) -> str:
    if made.empty:
        said = "Nothing was changed in the scope since the pause"
    else:
        last = made.iloc[-1]
        when = clock(last["changed_at"])
        said = (
            f"{counted(len(made), 'change')} since the pause, the last at {when}: {last['summary']}"
        )
    if suspects.empty:
        return f"{said}; no change is known shortly before the onset."
    nearest = suspects.iloc[0]
    state = (
        "was not taken back"
        if len(still_open) and nearest["change_id"] in set(still_open["change_id"])
        else "was followed by another"
    )
    lead = spoken(float(nearest["lead_seconds"]))
    return f"{said}; the nearest change before the onset came {lead} earlier and {state}: {nearest['summary']}."


def check_ownership(ground: Ground) -> Finding:
    """Judge whether each automation has an owner and a restart owner, and how old its last pause drill is."""
    rows = ownership_table(ground)
    unclear = rows[rows["restart_owner"] == ""]["automation_id"]
    ownerless = rows[rows["owner"] == ""]["automation_id"]
    limit = ground.limits.drill_max_age_days
    stale = rows[rows["drill_age_days"].isna() | (rows["drill_age_days"] > limit)]["automation_id"]
    status = judged(is_bad=len(unclear) + len(ownerless) > 0, is_lacking=len(stale) > 0)
    sentence = _ownership_sentence(rows, unclear, ownerless, stale=stale, limit=limit)
    check = Check(
        name="ownership",
        question="Is it clear who restarts, and was the pause tried lately?",
        status=status,
        sentence=sentence[0].upper() + sentence[1:],
        number=float(len(unclear) + len(ownerless)),
        unit="automations without an owner or restart owner",
        threshold=f"0 without a restart owner; a drill within {limit:g} days",
        threshold_source=ground.limits.source("drill_max_age_days"),
        row_count=len(rows),
        query="review.registered_automations",
    )
    escalations = (f"the restart owner of {listed(unclear)} is unclear",) if len(unclear) else ()
    return Finding(
        check,
        Section("Ownership and drills", check.sentence, {"Who owns, who restarts": rows}),
        escalations,
    )


def _ownership_sentence(
    rows: pd.DataFrame,
    unclear: pd.Series[str],
    ownerless: pd.Series[str],
    *,
    stale: pd.Series[str],
    limit: float,
) -> str:
    parts = []
    if len(unclear):
        parts.append(f"no restart owner for {listed(unclear)}")
    if len(ownerless):
        parts.append(f"no owner for {listed(ownerless)}")
    if not parts:
        parts.append(f"restarted by {listed(sorted(rows['restart_owner'].unique()))}")
    if len(stale):
        parts.append(f"no pause drill within {limit:g} days for {listed(stale)}")
    return f"{'; '.join(parts)}."


def ownership_table(ground: Ground) -> pd.DataFrame:
    """Return one row per automation under review; one that the registry does not know has no owner."""
    known = ground.table("registered_automations").set_index("automation_id")
    rows = known.reindex(list(ground.request.automation_ids)).reset_index(names="automation_id")
    for column in ("owner", "restart_owner", "deputy", "kill_switch"):
        rows[column] = rows[column].fillna("").astype(str)
    rows["drill_age_days"] = (ground.as_of - rows["last_drill_at"]).dt.total_seconds() / 86400
    return rows[
        [
            "automation_id",
            "owner",
            "restart_owner",
            "deputy",
            "kill_switch",
            "last_drill_at",
            "drill_age_days",
        ]
    ]


def check_noise(ground: Ground) -> Finding:
    """Judge whether alerts are believed: what fires now, what nobody acknowledged, how long failures ran on."""
    alerts = ground.table("alerts")
    recent = alerts[alerts["fired_at"] >= ground.onset_at]
    firing = alerts[alerts["resolved_at"].isna()]
    ignored = recent[recent["acknowledged_at"].isna()]
    streaks = failure_streaks(ground)
    status = judged(is_bad=len(firing) > 0, is_lacking=len(ignored) > 0 or recent.empty)
    longest = int(streaks["longest_streak_count"].max()) if len(streaks) else 0
    sentence = _noise_sentence(recent, firing, ignored, longest)
    check = Check(
        name="noise",
        question="Does anybody look at the alerts, and does one still fire?",
        status=status,
        sentence=sentence,
        number=float(len(ignored)),
        unit="alerts never acknowledged",
        threshold="0 firing, 0 never acknowledged since the onset",
        threshold_source="an alert that nobody reads proves nothing when it goes green",
        row_count=len(alerts),
        query="review.alerts",
    )
    shown = [
        "alert_id", "automation_id", "rule", "severity", "fired_at", "acknowledged_at", "acknowledged_by",
        "resolved_at", "summary",
    ]  # fmt: skip
    tables = {
        "Alerts since the onset": recent[shown],
        "Longest row of troubled runs before the pause": streaks,
    }
    return Finding(check, Section("Noise", sentence, filled(tables)))


def _noise_sentence(
    recent: pd.DataFrame, firing: pd.DataFrame, ignored: pd.DataFrame, longest: int
) -> str:
    streak = (
        f" The longest row of troubled runs before the pause had {counted(longest, 'run')}."
        if longest
        else ""
    )
    if recent.empty and firing.empty:
        return f"No alert fired since the onset, so a quiet board says nothing.{streak}"
    still = f"{counted(len(firing), 'alert')} still firing; " if len(firing) else ""
    share = percent(len(ignored) / len(recent)) if len(recent) else "0 %"
    said = f"{len(ignored)} of {counted(len(recent), 'alert')} since the onset never acknowledged ({share})"
    return f"{still}{said}.{streak}"


def failure_streaks(ground: Ground) -> pd.DataFrame:
    """Return, per automation, the longest unbroken row of troubled runs between onset and first pause."""
    runs = ground.table("runs")
    runs = runs[
        (runs["started_at"] >= ground.onset_at) & (runs["started_at"] < ground.first_paused_at)
    ]
    rows = []
    for automation_id, mine in runs[ended_at(runs).notna()].groupby("automation_id", sort=True):
        bad = is_troubled(mine.sort_values("started_at", kind="stable")).reset_index(drop=True)
        lengths = bad.groupby((~bad).cumsum()).sum()
        rows.append((automation_id, len(mine), int(bad.sum()), int(lengths.max())))
    return pd.DataFrame(
        rows, columns=["automation_id", "run_count", "troubled_run_count", "longest_streak_count"]
    )

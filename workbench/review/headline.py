"""The contrast in plain words: what the alert says, what the evidence says."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.records import CheckStatus, Verdict, VerdictKind
from workbench.review.ground import Finding, Ground, Headline, clock, counted, listed, spoken
from workbench.review.guarding import guarded
from workbench.review.periods import SINCE, with_period
from workbench.review.sequential import GuardState, spoken_reading

STATES = {GuardState.ABORT: "abort", GuardState.CONTINUE: "stay narrow", GuardState.CLEAN: "clean"}
WORDS = {
    VerdictKind.ESCALATE: "escalate",
    VerdictKind.KEEP_PAUSED: "keep paused",
    VerdictKind.RESTART_NARROW: "restart narrowly",
    VerdictKind.RESTART_FULL: "restart in full",
}


def contrast(ground: Ground, findings: Sequence[Finding], *, verdict: Verdict) -> Headline:
    """Return the two sides and one sentence that puts them together."""
    alert_says, is_green = _alert_side(ground)
    is_known = is_green is not None
    evidence_says = _evidence_side(ground, findings)
    run_count = int((with_period(ground)["period"] == SINCE).sum())
    if not is_known:
        said = "No alert of these automations was loaded, so nothing is known of theirs"
    elif not is_green:
        said = "The alert still fires"
    elif run_count:
        said = f"The alert is green after {counted(run_count, 'run')} let through since the pause"
    else:
        said = "The alert is green, but nothing was let through since the pause, so it could not be anything else"
    sentence = f"{said}; the evidence says: {WORDS[verdict.kind]}."
    return Headline(alert_says, evidence_says, sentence, restart_says=_restart_side(ground))


def _restart_side(ground: Ground) -> str:
    """Return abort, stay narrow or clean for what a narrow restart let through, with the worst reading; empty for none.

    Any that aborts makes it *abort*; only where each that ran is clean is it *clean*.
    """
    through = with_period(ground)
    ids = set(through[through["period"] == SINCE]["automation_id"])
    if not ids or pd.notna(ground.hold["released_at"]):
        return ""
    found = [one for one in guarded(ground) if one.automation_id in ids]
    states = {one.reading.state for one in found}
    state = next(
        (s for s in (GuardState.ABORT, GuardState.CONTINUE) if s in states), GuardState.CLEAN
    )
    worst = next(one for one in found if one.reading.state is state)
    count = worst.reading.run_count
    told = (
        spoken_reading(worst.reading, worst.guardrail)
        if count
        else "None of the runs that it let through has ended yet."
    )
    counts = (
        f"{worst.reading.failure_count} of {counted(count, 'run')} of {worst.automation_id} failed"
    )
    return f"{STATES[state]} ({counts}). {told}"


def _alert_side(ground: Ground) -> tuple[str, bool | None]:
    """Return what the alerts say and whether they are green; None where none was ever loaded."""
    marks = ground.table("watermarks")
    if ground.table("alerts").empty and "alert" not in set(marks["table_name"]):
        return (
            "Nothing: no alert of these automations was ever loaded "
            "(`workbench load --table alert --source NAME FILE`).",
            None,
        )
    alerts = ground.table("alerts")
    alerts = alerts[alerts["fired_at"] >= ground.onset_at]
    firing = alerts[alerts["resolved_at"].isna()]
    if len(firing):
        said = f"{counted(len(firing), 'alert')} still firing: {listed(firing['alert_id'])}."
        return said, False
    if alerts.empty:
        return "No alert fired since the onset.", True
    last = alerts.sort_values("resolved_at").iloc[-1]
    ago = spoken((ground.as_of - last["resolved_at"]).total_seconds())
    count, when = counted(len(alerts), "alert"), clock(last["resolved_at"])
    return (
        f"All clear: {count} since the onset, all resolved, the last at {when} ({ago} ago).",
        True,
    )


def _evidence_side(ground: Ground, findings: Sequence[Finding]) -> str:
    by_name = {finding.check.name: finding.check for finding in findings}
    run_count = int((with_period(ground)["period"] == SINCE).sum())
    parts = [f"{counted(run_count, 'run')} since the pause"]
    leaks = int(by_name["pause_held"].number or 0)
    parts.append(f"{counted(leaks, 'leak')} through it")
    if count := int(by_name["affected_records"].number or 0):
        parts.append(f"{counted(count, 'record')} to verify")
    if count := int(by_name["pending_approvals"].number or 0):
        parts.append(f"{counted(count, 'approval')} that could fire")
    provider = by_name["provider_status"]
    if provider.status is CheckStatus.FAIL:
        parts.append("the provider still in trouble")
    answered = sum(bool(check.answered_by) for check in by_name.values())
    words = f" ({answered} of them answered by a person's word)" if answered else ""
    gaps = sum(check.status is CheckStatus.NO_EVIDENCE for check in by_name.values())
    failed = sum(check.status is CheckStatus.FAIL for check in by_name.values())
    return f"{listed(parts, limit=9)}: {failed} checks FAIL, {gaps} have NO EVIDENCE{words}, of {len(by_name)}."

"""Check: is what the review looked at loaded up to its end? What is too old makes its checks NO EVIDENCE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from workbench.records import Check, CheckStatus
from workbench.review.check_audit import needs_approvals
from workbench.review.ground import Finding, Ground, Section, counted, listed, spoken

RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "pause_held": ("run", "affected_record"),
    "run_history": ("run",),
    "failed_steps": ("run", "step"),
    "audit_chain": ("audit_event",),
    "pending_approvals": ("approval",),
    "provider_status": ("provider_status",),
    "affected_records": ("affected_record",),
    "backlog": ("run",),
    "prevention_actions": ("change",),
    "noise": ("alert",),
}
"""check -> tables that must be loaded up to the end of the window for its PASS to mean anything."""


def stale_tables(ground: Ground) -> dict[str, str]:
    """Return the tables that this scope needs and that are too old, or were never loaded, with the reason."""
    marks = ground.table("watermarks")
    limit = float(ground.limits.watermark_max_age_seconds)
    found = {}
    for name in needed_tables(ground):
        ages = marks[marks["table_name"] == name]["age_seconds"]
        if ages.empty:
            found[name] = f"{name} was never loaded"
        elif ages.max() > limit:
            found[name] = f"{name} is {spoken(float(ages.max()))} old"
    return found


def needed_tables(ground: Ground) -> list[str]:
    """Return the tables that the checks of this scope rest on."""
    wanted = {name for names in RESTS_ON.values() for name in names}
    if not ground.request.providers:
        wanted.discard("provider_status")
    if not needs_approvals(ground):
        wanted.discard("approval")
    return sorted(wanted)


def check_freshness(ground: Ground) -> Finding:
    """Judge the age of each source against the threshold, the oldest source of a table counting."""
    marks = ground.table("watermarks")
    needed = needed_tables(ground)
    stale = stale_tables(ground)
    shown = marks[marks["table_name"].isin(needed)]
    oldest = float(shown["age_seconds"].max()) if len(shown) else None
    limit = float(ground.limits.watermark_max_age_seconds)
    if stale:
        sentence = f"{listed(stale.values())}; what rests on it is NO EVIDENCE."
        sentence = sentence[0].upper() + sentence[1:]
    else:
        behind = spoken(oldest or 0.0)
        sentence = (
            f"All {counted(len(needed), 'table')} needed are loaded; the oldest is {behind} behind."
        )
    check = Check(
        name="freshness",
        question="Is what was looked at loaded up to the end of the window?",
        status=CheckStatus.NO_EVIDENCE if stale else CheckStatus.PASS,
        sentence=sentence,
        number=oldest,
        unit="seconds",
        threshold=f"no needed table older than {spoken(limit)}",
        threshold_source=ground.limits.source("watermark_max_age_seconds"),
        row_count=len(shown),
        query="review.watermarks",
    )
    missing = [("", name, pd.NaT, None) for name in needed if name not in set(shown["table_name"])]
    columns = ["source_id", "table_name", "loaded_until_at", "age_seconds"]
    rows = shown[columns].reset_index(drop=True)
    tables = {"How far each source is loaded": rows}
    if missing:
        tables["Never loaded"] = pd.DataFrame(missing, columns=columns)[["table_name"]]
    return Finding(check, Section("Freshness of the sources", sentence, tables))


def weigh_freshness(findings: Sequence[Finding], stale: Mapping[str, str]) -> list[Finding]:
    """Return the findings with each PASS that rests on a stale table turned into NO EVIDENCE; a FAIL stays."""
    return [_weighed(finding, stale) for finding in findings]


def _weighed(finding: Finding, stale: Mapping[str, str]) -> Finding:
    check = finding.check
    reasons = [stale[name] for name in RESTS_ON.get(check.name, ()) if name in stale]
    if not reasons or check.status is not CheckStatus.PASS:
        return finding
    sentence = f"No evidence, because {listed(reasons)}. As far as loaded: {check.sentence}"
    weighed = replace(check, status=CheckStatus.NO_EVIDENCE, sentence=sentence)
    return replace(finding, check=weighed, section=replace(finding.section, sentence=sentence))

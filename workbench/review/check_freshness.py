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

SERVED_BY: Mapping[str, str] = {
    "run": "run",
    "step": "run",
    "affected_record": "affected_record",
    "approval": "approval",
    "provider_status": "provider_status",
}
"""table -> table whose rows show which sources tell of these automations; another source proves nothing."""


ALSO_SERVED_BY: Mapping[str, tuple[str, ...]] = {"affected_record": ("run",), "approval": ("run",)}
"""An engine that tells of these runs and has a mark for the table tells of its rows as well, if only of none."""


def stale_tables(ground: Ground) -> dict[str, str]:
    """Return the tables that this scope needs and that are too old, or were never loaded, with the reason."""
    limit = float(ground.limits.watermark_max_age_seconds)
    found = {}
    for name in needed_tables(ground):
        marks, why = serving_marks(ground, name)
        oldest = marks["age_seconds"].max()
        if why:
            found[name] = why
        elif oldest > limit:
            found[name] = f"{name} is {spoken(float(oldest))} old"
    return found


def serving_marks(ground: Ground, name: str) -> tuple[pd.DataFrame, str]:
    """Return how far the sources that tell of these automations are loaded, and why that says nothing."""
    marks = ground.table("watermarks")
    marks = marks[marks["table_name"] == name]
    if marks.empty:
        return marks, f"{name} was never loaded"
    if name not in SERVED_BY:
        return marks, ""
    telling = telling_sources(ground, name)
    serving = marks[marks["source_id"].isin(telling["source_id"])]
    if name == "provider_status":
        told = set(telling[telling["source_id"].isin(serving["source_id"])]["provider"])
        if unknown := sorted(set(ground.request.providers) - told):
            return serving, f"provider_status of {listed(unknown)} was never loaded"
    if serving.empty:
        loaded = listed(sorted(marks["source_id"].unique()))
        return (
            serving,
            f"{name} was loaded only from {loaded}, which never told of these automations",
        )
    return serving, ""


def telling_sources(ground: Ground, name: str) -> pd.DataFrame:
    """Return the sources that told of these automations what shows that they serve a table of `SERVED_BY`."""
    known = ground.table("serving_sources")
    return known[known["table_name"].isin((SERVED_BY[name], *ALSO_SERVED_BY.get(name, ())))]


def sources_of(ground: Ground, names: Sequence[str]) -> dict[str, str]:
    """Return for each table the one source that loads it further; none where several may, or nobody is known to."""
    found = {}
    for name in names:
        marks, why = serving_marks(ground, name)
        telling = set() if why else set(marks["source_id"])
        if why and name in SERVED_BY and name != "provider_status":
            telling = set(telling_sources(ground, name)["source_id"])
        if len(telling) == 1:
            found[name] = str(telling.pop())
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
    oldest = _oldest_seconds(ground, needed)
    limit = float(ground.limits.watermark_max_age_seconds)
    if stale:
        sentence = f"{listed(stale.values())}; what rests on it is NO EVIDENCE."
        sentence = sentence[0].upper() + sentence[1:]
    else:
        behind = spoken(oldest or 0.0)
        sentence = (
            f"All {counted(len(needed), 'table')} needed are loaded; the oldest is {behind} behind."
        )
    sentence += unplaced_runs(ground)
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


def unplaced_runs(ground: Ground) -> str:
    """Return how many runs do not say where they ran, which is no word for another environment; '' where none."""
    runs = ground.table("runs")
    if ground.request.environment is None or not (count := int(runs["environment"].isna().sum())):
        return ""
    whole = counted(len(runs), "run")
    said = (
        "does not say its environment; it counts"
        if count == 1
        else "do not say their environment; they count"
    )
    return f" {count} of {whole} {said} here."


def _oldest_seconds(ground: Ground, needed: Sequence[str]) -> float | None:
    ages = [serving_marks(ground, name)[0]["age_seconds"].max() for name in needed]
    return max((float(age) for age in ages if pd.notna(age)), default=None)


def weigh_freshness(
    findings: Sequence[Finding],
    stale: Mapping[str, str],
    *,
    answers: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Return the findings with each PASS that rests on a stale table turned into NO EVIDENCE; a FAIL stays.

    `answers` says whose word stands for a table. A word is no evidence: the check stays without, and names it.
    """
    return [_weighed(finding, stale, answers or {}) for finding in findings]


def _weighed(finding: Finding, stale: Mapping[str, str], answers: Mapping[str, str]) -> Finding:
    check = finding.check
    is_age = check.name == "freshness"
    lacking = [
        name for name in (stale if is_age else RESTS_ON.get(check.name, ())) if name in stale
    ]
    if not lacking or not (is_age or check.status is CheckStatus.PASS):
        return finding
    sentence = check.sentence
    if not is_age:
        why = listed([stale[name] for name in lacking])
        sentence = f"No evidence, because {why}. As far as loaded: {sentence}"
    words = list(dict.fromkeys(answers.get(name, "") for name in lacking))
    said = "" if "" in words else "; ".join(words)
    if said:
        sentence = f"{sentence} Nothing loaded shows it, but a person says it: {said}."
    weighed = replace(check, status=CheckStatus.NO_EVIDENCE, sentence=sentence, answered_by=said)
    return replace(finding, check=weighed, section=replace(finding.section, sentence=sentence))

"""The post-incident review: what happened, how long each phase took, what worked, what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from workbench.records import Check, Verdict
from workbench.review.actions import action_section
from workbench.review.check_records import records_since_onset
from workbench.review.check_steps import check_failed_steps
from workbench.review.ground import Ground, Headline, Section, counted, spoken
from workbench.review.impact import impact_section
from workbench.review.ledger import ledger_section
from workbench.review.milestones import Milestone, milestone_table, milestones, phase_table
from workbench.review.mitigation import changes_in_scope, suspect_changes
from workbench.review.noise import trust_section
from workbench.review.request import QueryCall, ReviewRequest
from workbench.review.restart import assess_restart, restart_queries
from workbench.review.safeguards import safeguard_section
from workbench.review.said_none import said_none_table
from workbench.review.switch import switch_section
from workbench.review.timeline import timeline


@dataclass(frozen=True)
class IncidentReview:
    """What a post-incident review found.

    Attributes:
        summary: the incident in one paragraph with its numbers.
        verdict: where the restart stands at the end of the window, by the same rule as the restart decision.
    """

    summary: str
    headline: Headline
    verdict: Verdict
    checks: tuple[Check, ...]
    sections: Mapping[str, Section]


def incident_queries(request: ReviewRequest) -> list[QueryCall]:
    """Return the queries whose results `assess_incident` needs, each bounded by the request's window."""
    window = {"since": request.since, "as_of": request.as_of}
    ids = {"automation_ids": list(request.automation_ids)}
    return [*restart_queries(request), QueryCall("review.operator_events", {**ids, **window})]


def assess_incident(request: ReviewRequest, tables: Mapping[str, pd.DataFrame]) -> IncidentReview:
    """Review the incident that the hold belongs to: a pure function of its arguments."""
    ground = Ground(request, tables)
    restart = assess_restart(request, tables)
    known = milestones(ground)
    impact = impact_section(ground)
    sections = {
        "phases": _phases(ground, known),
        "timeline": _timeline(ground),
        "impact": impact,
        "why": restart.sections["why"],
        "failed_steps": check_failed_steps(ground).section,
        "switch": switch_section(ground),
        "affected_records": ledger_section(
            records_since_onset(ground), none_said=said_none_table(ground)
        ),
        "changes": _changes(ground),
        "provider_status": restart.sections["provider_status"],
        "safeguards": safeguard_section(ground),
        "trust": trust_section(ground),
        "action_items": action_section(ground),
    }
    summary = f"{_course(ground, known)} {impact.sentence} {sections['switch'].sentence}"
    return IncidentReview(summary, restart.headline, restart.verdict, restart.checks, sections)


def _course(ground: Ground, known: Mapping[str, Milestone]) -> str:
    onset = known["onset"].occurred_at
    parts = [f"Began at {onset:%Y-%m-%d %H:%M:%S} UTC"]
    for name, said in (("first alert", "alerted"), ("pause command", "paused")):
        if name in known:
            parts.append(
                f"{said} after {spoken((known[name].occurred_at - onset).total_seconds())}"
            )
    if "relapse" in known and "premature restart" in known:
        gap = (
            known["relapse"].occurred_at - known["premature restart"].occurred_at
        ).total_seconds()
        parts.append(f"restarted too early and back {spoken(gap)} later")
    if pd.isna(ground.chain["released_at"].iloc[-1]):
        parts.append(f"still paused after {spoken((ground.as_of - onset).total_seconds())}")
    return f"{', '.join(parts)}."


def _phases(ground: Ground, known: dict[str, Milestone]) -> Section:
    phases = phase_table(known)
    longest = phases[~phases["phase"].str.startswith("onset to ")].sort_values("duration_seconds")
    sentence = f"{counted(len(known), 'milestone')} known."
    if len(longest):
        row = longest.iloc[-1]
        sentence += f" The longest phase was {row['phase']}: {row['says']}."
    tables = {
        "Phases as durations": phases.drop(columns="says"),
        "Milestones and where they are known from": milestone_table(known, ground.onset_at),
    }
    figures = {"phase_lengths": phases[["phase", "started_at", "finished_at", "says"]]}
    return Section("Phases and durations", sentence, tables, figures if len(phases) else {})


def _timeline(ground: Ground) -> Section:
    rows = timeline(ground)
    sources = counted(rows["source"].nunique(), "source")
    sentence = f"{counted(len(rows), 'entry', plural='entries')} from {sources}, each with where it is known from."
    return Section(
        "Timeline",
        sentence,
        {"Merged timeline": rows[["occurred_at", "source", "what"]]},
        {"swim_lanes": rows},
    )


def _changes(ground: Ground) -> Section:
    changes = changes_in_scope(ground)
    day = ground.limits.lookback_hours * 3600
    before = changes[changes["lead_seconds"].between(0, day)].sort_values(
        ["lead_seconds", "change_id"]
    )
    suspects = suspect_changes(ground)
    if suspects.empty:
        sentence = "No change to what is in scope is known in the day before the onset."
    else:
        nearest = suspects.iloc[0]
        sentence = (
            f"{counted(len(suspects), 'change')} to what is in scope in the day before the onset, the nearest "
            f"{spoken(nearest['lead_seconds'])} before it: {nearest['summary']}. Nearness is no proof of cause."
        )
    shown = before[
        ["changed_at", "lead_seconds", "touches_scope", "kind", "target", "actor", "summary"]
    ]
    leads = pd.DataFrame(
        {
            "what": [
                f"{target}: {said}"
                for target, said in zip(before["target"], before["summary"], strict=True)
            ],
            "kind": before["kind"].to_list(),
            "lead_minutes": (before["lead_seconds"] / 60).to_list(),
        }
    )
    if before.empty:
        return Section("Changes before the onset", sentence)
    tables = {
        "Changes in the day before the onset, the nearest first": shown.reset_index(drop=True)
    }
    return Section("Changes before the onset", sentence, tables, {"change_leads": leads})

"""One merged timeline of an incident: each row says when, what, and which source knows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from workbench.review.ground import PROBATION, Ground, counted
from workbench.review.mitigation import changes_in_scope, suspect_changes
from workbench.review.pausing import audit_pause

MAIN = "main"
OTHER = "other"
Row = tuple[pd.Timestamp, str, str, str]


def timeline(ground: Ground) -> pd.DataFrame:
    """Return the merged timeline from the nearest suspect change before the onset to the end."""
    suspects = suspect_changes(ground)
    since = min([ground.onset_at, *suspects["changed_at"]])
    rows = [
        row
        for part in (
            _holds,
            _alerts,
            _provider,
            _changes,
            _incidents,
            _failures,
            _leaks,
            _people,
            _records,
        )
        for row in part(ground)
    ]
    table = pd.DataFrame(rows, columns=["occurred_at", "source", "what", "weight"])
    table["occurred_at"] = pd.to_datetime(table["occurred_at"], utc=True)
    shown = table[(table["occurred_at"] >= since) & (table["occurred_at"] < ground.as_of)]
    ordered: pd.DataFrame = shown.sort_values(["occurred_at", "source", "what"], ignore_index=True)
    return ordered


def _holds(ground: Ground) -> Iterator[Row]:
    for _, hold in ground.chain.iterrows():
        what = f"{hold['hold_id']} placed on {hold['scope']} ({hold['mode']}) by {hold['placed_by']}: {hold['reason']}"
        yield hold["placed_at"], "our store", what, MAIN
        if pd.notna(hold["released_at"]):
            yield (
                hold["released_at"],
                "our store",
                f"{hold['hold_id']} released by {hold['released_by']}",
                MAIN,
            )
    for _, probation in ground.table(PROBATION).iterrows():
        runs = f"{probation['max_runs']:.0f} runs"
        what = f"{probation['probation_id']}: {probation['automation_id']} let through for {runs}"
        yield probation["started_at"], "our store", what, MAIN
        if pd.notna(probation["ended_at"]):
            yield probation["ended_at"], "our store", f"{probation['probation_id']} ended", OTHER
    decisions = ground.table("decisions")
    for _, made in decisions[decisions["hold_id"].isin(ground.chain["hold_id"])].iterrows():
        what = f"{made['decision_id']}: {made['decision']} (computed {made['verdict']}) by {made['decided_by']}"
        yield made["decided_at"], "our store", what, MAIN


def _alerts(ground: Ground) -> Iterator[Row]:
    for _, alert in ground.table("alerts").iterrows():
        name = f"{alert['alert_id']} {alert['rule']} of {alert['automation_id']}"
        yield alert["fired_at"], "alerts", f"{name} fired", OTHER
        if pd.notna(alert["acknowledged_at"]):
            yield (
                alert["acknowledged_at"],
                "alerts",
                f"{name} acknowledged by {alert['acknowledged_by']}",
                MAIN,
            )
        if pd.notna(alert["resolved_at"]):
            yield alert["resolved_at"], "alerts", f"{name} resolved", OTHER


def _provider(ground: Ground) -> Iterator[Row]:
    rows = ground.table("provider_status")
    for _, said in rows[rows["provider"].isin(ground.request.providers)].iterrows():
        what = f"{said['provider']} {str(said['status']).replace('_', ' ')}: {said['title']} ({said['incident_ref']})"
        yield said["since_at"], "provider", what, MAIN


def _changes(ground: Ground) -> Iterator[Row]:
    changes = changes_in_scope(ground)
    for _, change in changes[changes["touches_scope"]].iterrows():
        yield (
            change["changed_at"],
            "changes",
            f"{change['kind']} by {change['actor']}: {change['summary']}",
            MAIN,
        )


def _incidents(ground: Ground) -> Iterator[Row]:
    incidents = ground.table("incidents")
    is_ours = incidents["incident_id"] == ground.hold["incident_id"]
    for _, incident in incidents[is_ours | (incidents["started_at"] >= ground.onset_at)].iterrows():
        for column, verb in (("detected_at", "opened"), ("acknowledged_at", "taken"), ("mitigated_at", "mitigated"),
                             ("resolved_at", "resolved")):  # fmt: skip
            if pd.notna(incident[column]):
                yield (
                    incident[column],
                    "incidents",
                    f"{incident['incident_id']} {verb}: {incident['title']}",
                    OTHER,
                )


def _failures(ground: Ground) -> Iterator[Row]:
    failures = ground.table("failed_steps")
    recent = failures[failures["failed_at"] >= ground.onset_at]
    known = set(failures[failures["failed_at"] < ground.onset_at]["error_signature"])
    for signature, mine in recent.groupby("error_signature", sort=True):
        first = mine.sort_values("failed_at").iloc[0]
        word = "known" if signature in known else "new"
        what = f"first failure with a {word} signature in {first['automation_id']}: {signature}"
        yield first["failed_at"], "steps", what, OTHER


def _leaks(ground: Ground) -> Iterator[Row]:
    for _, hold in ground.chain.iterrows():
        audit = audit_pause(ground, hold)
        for _, run in audit.starts[
            audit.starts["kind"].isin(("leak", "refused at the gate"))
        ].iterrows():
            word = "started past" if run["kind"] == "leak" else "started and was refused under"
            yield (
                run["started_at"],
                "runs",
                f"{run['automation_id']} {word} {hold['hold_id']} ({run['trigger']})",
                MAIN,
            )
        for _, write in audit.leaked_writes.iterrows():
            what = f"{write['automation_id']} wrote {write['record_type']} {write['record_id']} past {hold['hold_id']}"
            yield write["changed_at"], "records", what, MAIN


def _people(ground: Ground) -> Iterator[Row]:
    events = ground.table("operator_events")
    shown = events[~events["action"].isin(("alert.acknowledged", "record.verified"))]
    for _, event in shown.iterrows():
        reason = f": {event['reason']}" if event["reason"] else ""
        what = f"{event['action']} {event['target_id']} by {event['actor'] or 'unknown'}{reason}"
        yield event["occurred_at"], "audit", what, OTHER


def _records(ground: Ground) -> Iterator[Row]:
    records = ground.table("affected_records")
    verified = records[
        (records["changed_at"] >= ground.onset_at) & records["verified_at"].notna()
    ].copy()
    verified["verified_by"] = verified["verified_by"].fillna("unknown")
    verified["minute"] = verified["verified_at"].dt.floor("60s")
    keys: Any = ["minute", "automation_id", "verified_by"]
    for (_, automation_id, by), mine in verified.groupby(keys, sort=True):
        what = f"{counted(len(mine), 'record')} of {automation_id} verified by {by}"
        yield mine["verified_at"].max(), "records", what, OTHER

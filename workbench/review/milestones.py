"""The milestones of an incident, each with its source, and the phases between them as durations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.review.ground import PROBATION, Ground, spoken
from workbench.review.onset import is_troubled
from workbench.review.overlap import TROUBLED
from workbench.review.pausing import PauseAudit, audit_pause

PHASES: tuple[tuple[str, str, str], ...] = (
    ("onset to first signal", "onset", "first signal"),
    ("signal to first alert", "first signal", "first alert"),
    ("alert to a person", "first alert", "acknowledged"),
    ("person to pause command", "acknowledged", "pause command"),
    ("onset to pause command", "onset", "pause command"),
    ("command to effect", "pause command", "pause effective"),
    ("command to last leak", "pause command", "last leak"),
    ("pause to green alert", "pause command", "alert green"),
    ("green alert to restart", "alert green", "premature restart"),
    ("restart to relapse", "premature restart", "relapse"),
    ("relapse to second pause", "relapse", "second pause"),
    ("second command to effect", "second pause", "second pause effective"),
    ("second command to last leak", "second pause", "last leak past the second pause"),
    ("second pause to provider recovered", "second pause", "provider recovered"),
    ("onset to provider recovered", "onset", "provider recovered"),
    ("provider recovered to records verified", "provider recovered", "last record verified"),
    ("records verified to narrow restart", "last record verified", "narrow restart"),
    ("onset to narrow restart", "onset", "narrow restart"),
)


@dataclass(frozen=True)
class Milestone:
    """One instant that a phase begins or ends with, and where it is known from."""

    name: str
    occurred_at: pd.Timestamp
    source: str
    evidence: str


def milestones(ground: Ground) -> dict[str, Milestone]:
    """Return the milestones that the tables know, by name, in time order; of those that came again the first."""
    found = [*_before_pause(ground), *_of_pauses(ground), *_after(ground)]
    known: dict[str, Milestone] = {}
    for milestone in sorted(found, key=lambda milestone: milestone.occurred_at):
        known.setdefault(milestone.name, milestone)
    return known


def phase_table(known: dict[str, Milestone]) -> pd.DataFrame:
    """Return the phases whose both ends are known, as durations; one that ran backwards is left out."""
    rows = [
        (name, known[begin].occurred_at, known[end].occurred_at)
        for name, begin, end in PHASES
        if begin in known and end in known and known[begin].occurred_at <= known[end].occurred_at
    ]
    table = pd.DataFrame(rows, columns=["phase", "started_at", "finished_at"])
    seconds = [(end - begin).total_seconds() for _, begin, end in rows]
    table["duration_seconds"] = seconds
    table["says"] = [spoken(value) for value in seconds]
    return table


def milestone_table(known: dict[str, Milestone], onset_at: pd.Timestamp) -> pd.DataFrame:
    """Return the milestones as rows, with the time since the onset."""
    rows = [
        (m.occurred_at, m.name, (m.occurred_at - onset_at).total_seconds(), m.source, m.evidence)
        for m in known.values()
    ]
    return pd.DataFrame(
        rows, columns=["occurred_at", "milestone", "since_onset_seconds", "source", "evidence"]
    )


def _before_pause(ground: Ground) -> Iterator[Milestone]:
    yield Milestone("onset", ground.onset_at, "run", ground.request.onset_rule)
    until = ground.first_paused_at
    failures = ground.table("failed_steps")
    failures = failures[failures["failed_at"].between(ground.onset_at, until)]
    if len(failures):
        first = failures.sort_values("failed_at").iloc[0]
        yield Milestone(
            "first signal",
            first["failed_at"],
            "step",
            f"{first['automation_id']}: {first['error_signature']}",
        )
    alerts = ground.table("alerts")
    alerts = alerts[alerts["fired_at"].between(ground.onset_at, until)]
    if len(alerts):
        first = alerts.sort_values("fired_at").iloc[0]
        yield Milestone(
            "first alert",
            first["fired_at"],
            "alert",
            f"{first['alert_id']} {first['rule']} of {first['automation_id']}",
        )
    seen = alerts[alerts["acknowledged_at"].notna()].sort_values("acknowledged_at")
    if len(seen):
        first = seen.iloc[0]
        yield Milestone(
            "acknowledged",
            first["acknowledged_at"],
            "alert",
            f"{first['alert_id']} by {first['acknowledged_by']}",
        )


def _of_pauses(ground: Ground) -> Iterator[Milestone]:
    names = ("pause command", "second pause", "third pause")
    effects = ("pause effective", "second pause effective", "third pause effective")
    leaks = ("last leak", "last leak past the second pause", "last leak past the third pause")
    holds = (hold for _, hold in ground.chain.iterrows())
    for name, effect, leak, hold in zip(names, effects, leaks, holds, strict=False):
        audit = audit_pause(ground, hold)
        yield Milestone(
            name,
            hold["placed_at"],
            "our store",
            f"{hold['hold_id']} by {hold['placed_by']}: {hold['reason']}",
        )
        yield Milestone(
            effect,
            effective_at(audit),
            "hold_target, run",
            f"{hold['hold_id']}: last delivery, start or write in time",
        )
        if audit.last_leak_at is not None:
            count = audit.leak_count
            yield Milestone(
                leak,
                audit.last_leak_at,
                "run, affected_record",
                f"{count} past {hold['hold_id']}",
            )
        yield from _release(ground, hold)


def effective_at(audit: PauseAudit) -> pd.Timestamp:
    """Return when the pause had reached every automation and what still settled had ended, leaks apart."""
    instants = [audit.hold["placed_at"], *audit.receipts]
    for rows, column in ((audit.starts, "started_at"), (audit.writes, "changed_at")):
        instants += list(rows[rows["kind"] == "settling"][column])
    return pd.Timestamp(max(instants))


def _release(ground: Ground, hold: pd.Series[Any]) -> Iterator[Milestone]:
    if pd.isna(hold["released_at"]):
        return
    later = ground.chain[ground.chain["placed_at"] > hold["released_at"]]
    name = "premature restart" if len(later) else "full restart"
    yield Milestone(
        name,
        hold["released_at"],
        "our store",
        f"{hold['hold_id']} released by {hold['released_by']}",
    )
    if later.empty:
        return
    runs = ground.table("runs")
    after = runs[
        (runs["started_at"] >= hold["released_at"])
        & (runs["started_at"] < later["placed_at"].iloc[0])
    ]
    bad = after[is_troubled(after)].sort_values("started_at")
    if len(bad):
        first = bad.iloc[0]
        yield Milestone(
            "relapse", first["started_at"], "run", f"{first['automation_id']} in trouble again"
        )


def _after(ground: Ground) -> Iterator[Milestone]:
    alerts = ground.table("alerts")
    alerts = alerts[
        (alerts["fired_at"] >= ground.onset_at) & (alerts["fired_at"] <= ground.first_paused_at)
    ]
    if len(alerts) and alerts["resolved_at"].notna().all():
        last = alerts.sort_values("resolved_at").iloc[-1]
        yield Milestone(
            "alert green",
            last["resolved_at"],
            "alert",
            f"{last['alert_id']} was the last to resolve",
        )
    yield from _recovery(ground)
    yield from _cleared(ground)


def _recovery(ground: Ground) -> Iterator[Milestone]:
    rows = ground.table("provider_status")
    rows = rows[rows["provider"].isin(ground.request.providers)]
    bad = rows[
        rows["status"].isin(TROUBLED) & (rows["until_at"].fillna(ground.as_of) >= ground.onset_at)
    ]
    if len(bad) and bad["until_at"].notna().all():
        last = bad.sort_values("until_at").iloc[-1]
        yield Milestone(
            "provider recovered",
            last["until_at"],
            "provider_status",
            f"{last['provider']} {last['incident_ref']}",
        )


def _cleared(ground: Ground) -> Iterator[Milestone]:
    records = ground.table("affected_records")
    verified = records[(records["changed_at"] >= ground.onset_at) & records["verified_at"].notna()]
    if len(verified):
        last = verified.sort_values("verified_at").iloc[-1]
        yield Milestone(
            "last record verified",
            last["verified_at"],
            "affected_record",
            f"{len(verified)} by {last['verified_by']}",
        )
    probations = ground.table(PROBATION)
    mine = probations[probations["hold_id"].isin(ground.chain["hold_id"])].sort_values("started_at")
    if len(mine):
        first = mine.iloc[0]
        what = f"{first['probation_id']}: {first['automation_id']} for {first['max_runs']:.0f} runs"
        yield Milestone("narrow restart", first["started_at"], "our store", what)

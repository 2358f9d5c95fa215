"""What is to be done, derived from what was found: type, owner, due, how to verify, and whether it blocks a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pandas as pd

from workbench.review.check_audit import check_approvals, check_audit_chain
from workbench.review.check_people import check_noise, ownership_table
from workbench.review.check_records import must_verify, records_since_onset
from workbench.review.ground import Ground, Section, counted, listed
from workbench.review.mitigation import unreverted_suspects
from workbench.review.overlap import provider_overlap
from workbench.review.pausing import audit_pause
from workbench.review.safeguards import undecided_releases
from workbench.review.signatures import signature_table

BLOCKING_DAYS = 1
OTHER_WORKDAYS = 5
"""Public incident templates: follow-ups of a serious incident within five working days."""


@dataclass(frozen=True)
class ActionItem:
    """One thing to do.

    Attributes:
        kind: prevent, detect, mitigate, clean-up or runbook.
        owner: a role; whoever owns the automation, or who may restart it.
        query: the query whose rows show that it is done.
    """

    kind: str
    what: str
    owner: str
    query: str
    is_restart_blocking: bool


def action_section(ground: Ground) -> Section:
    """Return the action items as rows, those that block a restart first."""
    table = action_table(ground)
    blocking = int(table["restart_blocking"].sum()) if len(table) else 0
    sentence = f"{counted(len(table), 'action item')} follow from the findings, {blocking} of them before any restart."
    return Section("Action items", sentence, {"What is to be done": table} if len(table) else {})


def action_table(ground: Ground) -> pd.DataFrame:
    """Return the action items, numbered, with due dates counted from the end of the window."""
    items = sorted(
        action_items(ground), key=lambda item: (not item.is_restart_blocking, item.kind, item.what)
    )
    today = ground.as_of.date()
    rows = [
        (
            f"AI-{number}",
            item.kind,
            item.what,
            item.owner,
            due_on(today, item.is_restart_blocking),
            item.query,
            item.is_restart_blocking,
        )
        for number, item in enumerate(items, 1)
    ]
    columns = [
        "action_item_id",
        "type",
        "what",
        "owner",
        "due_on",
        "verification_query",
        "restart_blocking",
    ]
    return pd.DataFrame(rows, columns=columns)


def due_on(today: date, is_restart_blocking: bool) -> str:
    """Return the due date: the next day where a restart waits for it, else five working days."""
    if is_restart_blocking:
        return str((pd.Timestamp(today) + pd.Timedelta(days=BLOCKING_DAYS)).date())
    return str((pd.Timestamp(today) + pd.offsets.BusinessDay(OTHER_WORKDAYS)).date())


def action_items(ground: Ground) -> Iterator[ActionItem]:
    """Derive every action item from the findings."""
    yield from _from_pauses(ground)
    yield from _from_records(ground)
    yield from _from_causes(ground)
    yield from _from_people(ground)


def _owner(ground: Ground, automation_id: str) -> str:
    automation = ground.automations.get(automation_id)
    return (automation.owner if automation else "") or _restart_owner(ground)


def _restart_owner(ground: Ground) -> str:
    known = [a.restart_owner for a in ground.automations.values() if a.restart_owner]
    return known[0] if known else "to be named"


def _from_pauses(ground: Ground) -> Iterator[ActionItem]:
    for _, hold in ground.chain.iterrows():
        audit = audit_pause(ground, hold)
        for automation_id, mine in audit.leaked_writes.groupby("automation_id", sort=True):
            past = f"{counted(len(mine), 'write')} came past {hold['hold_id']}"
            what = f"Make {automation_id} ask the gate before each write: {past}"
            yield ActionItem(
                "prevent", what, _owner(ground, str(automation_id)), "review.affected_records", True
            )
        for automation_id, mine in audit.leaked_starts.groupby("automation_id", sort=True):
            past = f"{counted(len(mine), 'run')} began past {hold['hold_id']}"
            what = f"Make {automation_id} ask the gate before it starts: {past}"
            yield ActionItem(
                "prevent", what, _owner(ground, str(automation_id)), "review.runs", True
            )
    for hold_id in undecided_releases(ground):
        what = f"Release holds on a decision only: {hold_id} was released without one"
        yield ActionItem("runbook", what, _restart_owner(ground), "review.decisions", False)


def _from_records(ground: Ground) -> Iterator[ActionItem]:
    wanted = must_verify(records_since_onset(ground))
    for automation_id, mine in wanted.groupby("automation_id", sort=True):
        binding = int((mine["reversibility"] == "irreversible").sum())
        what = f"Verify {counted(len(mine), 'record')} of {automation_id}, {binding} of them irreversible"
        yield ActionItem(
            "clean-up", what, _owner(ground, str(automation_id)), "review.affected_records", True
        )
    approvals = check_approvals(ground).check
    if approvals.number:
        what = (
            f"Decide or withdraw {counted(approvals.number, 'approval')} that could fire on resume"
        )
        yield ActionItem("clean-up", what, _restart_owner(ground), "review.approvals", True)
    audit = check_audit_chain(ground).check
    if audit.number:
        what = f"Follow up {counted(audit.number, 'broken story', plural='broken stories')} of the audit chain"
        yield ActionItem("clean-up", what, _restart_owner(ground), "review.audit_events", True)


def _from_causes(ground: Ground) -> Iterator[ActionItem]:
    suspects = unreverted_suspects(ground)
    for _, change in suspects.head(3).iterrows():
        minutes = change["lead_seconds"] / 60
        what = (
            f"Take back or clear the change {minutes:.0f} min before the onset: {change['summary']}"
        )
        yield ActionItem(
            "prevent", what, str(change["actor"] or _restart_owner(ground)), "review.changes", True
        )
    overlap = provider_overlap(ground)
    signatures = signature_table(ground)
    back = signatures[signatures["known_from"] != ""]
    for _, row in back.iterrows():
        came = f"its signature came back {row['failure_count']} times: {row['error_signature']}"
        what = f"Mend what {row['known_from']} left open: {came}"
        yield ActionItem("prevent", what, _restart_owner(ground), "review.failed_steps", False)
    if overlap.is_explained:
        names, count = listed(ground.request.providers), overlap.inside[0]
        what = (
            f"Stop early or switch when {names} is in trouble: {count} troubled runs fell into it"
        )
        yield ActionItem("mitigate", what, _restart_owner(ground), "review.provider_status", False)


def _from_people(ground: Ground) -> Iterator[ActionItem]:
    ignored = check_noise(ground).check.number
    if ignored:
        what = f"Give each alert a reader, or retire it: {counted(ignored, 'alert')} never acknowledged"
        yield ActionItem("detect", what, _restart_owner(ground), "review.alerts", False)
    rows = ownership_table(ground)
    for automation_id in rows[rows["restart_owner"] == ""]["automation_id"]:
        what = f"Name who may restart {automation_id}"
        yield ActionItem(
            "runbook", what, _owner(ground, automation_id), "review.registered_automations", True
        )
    stale = rows[
        rows["drill_age_days"].isna() | (rows["drill_age_days"] > ground.limits.drill_max_age_days)
    ]
    if len(stale):
        what = f"Rehearse the pause in staging for {listed(stale['automation_id'])}"
        yield ActionItem(
            "runbook", what, _restart_owner(ground), "review.registered_automations", False
        )

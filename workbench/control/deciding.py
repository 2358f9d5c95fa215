"""Recording reports and a person's decision about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.control.entitling import require_role
from workbench.control.placing import next_id, standing_hold, storable
from workbench.control.signing import Who
from workbench.errors import NotFound, Refused, UsageFault
from workbench.records import ReportRef, VerdictKind
from workbench.store.log import Draft
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class ReportEntry:
    """A report to be recorded, before the store gives it an id.

    Attributes:
        digest: SHA-256 of its verdict.json, in hex.
        verdict: restart verdict it computed; keep_paused where it could not be computed.
        narrow_ids: automations that it proposes to let through; None where it proposes nothing.
        narrow_run_count: runs that it proposes to let through; None likewise.
    """

    name: str
    hold_id: str
    verdict: VerdictKind
    is_complete: bool
    digest: str
    automation_ids: tuple[str, ...]
    manifest_version: int
    log_seq: int
    log_hash: str
    as_of: datetime
    reason: str = ""
    folder: str = ""
    narrow_ids: tuple[str, ...] | None = None
    narrow_run_count: int | None = None

    def content(self) -> dict[str, Any]:
        """Return the report as plain values for the event."""
        proposal: dict[str, Any] = {}
        if self.narrow_ids is not None:
            proposal["narrow_ids"] = list(self.narrow_ids)
        if self.narrow_run_count is not None:
            proposal["narrow_run_count"] = self.narrow_run_count
        return {
            **proposal,
            "name": self.name,
            "hold_id": self.hold_id,
            "verdict": str(self.verdict),
            "is_complete": self.is_complete,
            "digest": self.digest,
            "automation_ids": list(self.automation_ids),
            "manifest_version": self.manifest_version,
            "log_seq": self.log_seq,
            "log_hash": self.log_hash,
            "as_of": to_text(self.as_of),
            "folder": self.folder,
        }

    def command(self, command_id: str) -> Command:
        """Return the record as a command with an id of its own."""
        return Command(command_id, {"name": "report", **self.content(), "reason": self.reason})


def decide_report(state: State, entry: ReportEntry, *, actor: str, now: datetime) -> Change:
    """Return the event that records a report."""
    report_id = next_id("R", state.reports)
    draft = Draft(
        now,
        actor,
        "report.record",
        report_id,
        outcome="success" if entry.is_complete else "failure",
        reason=entry.reason,
        correlation_id=entry.hold_id,
        payload=entry.content(),
    )
    return Change([draft])


@dataclass(frozen=True)
class DecideRequest:
    """What a person decides about a report: its verdict, or otherwise with a reason."""

    report_id: str
    decision: VerdictKind | None = None
    reason: str = ""
    based_on: int | None = None

    def command(self, command_id: str) -> Command:
        """Return the request as a command with an id of its own."""
        content = {
            "name": "decide",
            "report_id": self.report_id,
            "decision": str(self.decision or ""),
            "reason": storable(self.reason),
        }
        return Command(command_id, content)


def decide_decision(state: State, request: DecideRequest, *, who: Who, now: datetime) -> Change:
    """Return the event of a decision; raises Refused saying why and what to type next."""
    require_role(state, who, roles=policy_of(state).may_decide, doing="decide")
    report = check_decidable(state, request)
    decision = request.decision or report.verdict
    if decision != report.verdict and not storable(request.reason):
        raise UsageFault(
            f"{report.report_id} says {report.verdict}; to decide {decision} instead, say why.",
            next_step=f'`workbench decide {report.report_id} --override {decision} --reason "TEXT"`',
        )
    decision_id = next_id("D", state.decisions)
    payload = {
        "hold_id": report.hold_id,
        "report_id": report.report_id,
        "verdict": str(report.verdict),
        "decision": str(decision),
        "is_override": decision != report.verdict,
        "automation_ids": list(report.automation_ids),
        "report_digest": report.digest,
    }
    draft = Draft(
        now,
        who.text,
        "decision.record",
        decision_id,
        reason=storable(request.reason) or report.reason,
        correlation_id=report.hold_id,
        payload=payload,
    )
    return Change([draft])


def check_decidable(state: State, request: DecideRequest) -> ReportRef:
    """Return the report that a decision is about; raises NotFound where there is none, Refused for a stale one."""
    report = state.reports.get(request.report_id)
    if report is None:
        raise _unknown(state, request.report_id)
    _check_report(state, report, request)
    return report


def _unknown(state: State, report_id: str) -> NotFound:
    known = ", ".join(list(state.reports)[-5:]) or "none"
    return NotFound(
        f"There is no report {report_id or 'without a name'}; newest: {known}.",
        next_step="make one: `workbench review H-N`",
    )


def _check_report(state: State, report: ReportRef, request: DecideRequest) -> None:
    again = f"`workbench review {report.hold_id}`"
    if not report.hold_id:
        raise Refused(
            f"{report.report_id} is about no hold, so there is nothing to decide.",
            next_step="`workbench review H-N`",
        )
    hold = standing_hold(state, report.hold_id)
    if not report.is_complete:
        raise Refused(
            f"{report.report_id} is INCOMPLETE; it cannot be decided on.", next_step=again
        )
    if request.based_on is not None and state.hold_changed_seq[hold.hold_id] > request.based_on:
        raise Refused(f"{hold.hold_id} changed after what you were looking at.", next_step=again)
    _check_age(state, report)
    newer = [
        r.report_id
        for r in state.reports.values()
        if r.recorded_seq > report.recorded_seq
        and r.is_complete
        and (r.hold_id, r.name) == (report.hold_id, report.name)
        and r.automation_ids == report.automation_ids
    ]
    if newer:
        raise Refused(
            f"{report.report_id} is not the newest review of {report.hold_id}; {newer[-1]} is.",
            next_step=f"`workbench decide {newer[-1]}`",
        )


def _check_age(state: State, report: ReportRef) -> None:
    """Refuse a report that looked at the hold as it was before it was placed or last let work through."""
    hold_id = report.hold_id
    started = [p.started_at for p in state.probations.values() if p.hold_id == hold_id]
    changed_at = max([state.holds[hold_id].placed_at, *started])
    if report.as_of < changed_at or report.log_seq < state.hold_changed_seq[hold_id]:
        raise Refused(
            f"{report.report_id} looks at {hold_id} as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC and event "
            f"{report.log_seq}; the hold last changed at {changed_at:%Y-%m-%d %H:%M:%S} UTC, event "
            f"{state.hold_changed_seq[hold_id]}.",
            next_step=f"look again: `workbench review {hold_id}`",
        )

"""What a resume rests on: a decision that allows exactly this, or a recorded break-glass reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.control.first_run import refuse_kept, refuse_unready
from workbench.control.placing import storable
from workbench.errors import NotFound, Refused, UsageFault
from workbench.records import Decision, Hold, VerdictKind
from workbench.store.signoffs import withdrawn_fault
from workbench.store.state import State

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.control.resuming import ResumeRequest


def grounds_of(decision: Decision | None, request: ResumeRequest) -> dict[str, str]:
    """Return the grounds as an event keeps them."""
    return {
        "decision_id": decision.decision_id if decision else "",
        "break_glass_reason": storable(request.break_glass_reason),
    }


def reason_of(decision: Decision | None, request: ResumeRequest) -> str:
    """Return why, in words, for the log."""
    if decision is None:
        reason = storable(request.break_glass_reason)
        return f"break-glass: {reason}" if reason else "ready for its first run"
    return f"{decision.decision_id}: {decision.reason}" if decision.reason else decision.decision_id


def entitled(
    state: State, hold: Hold, *, request: ResumeRequest, ids: list[str], now: datetime
) -> Decision | None:
    """Return the decision that entitles to a resume of `ids`, or None for a recorded break-glass reason.

    Raises Refused with the way to a decision, NotFound for one that is none.
    """
    if storable(request.break_glass_reason):
        if request.decision_id:
            raise UsageFault("Give either a decision or a break-glass reason, not both.")
        return None
    if hold.is_first_run:
        effects = "write" if request.only is None else request.effects
        refuse_unready(state, hold, effects=effects, now=now)
        if request.only is None and not request.decision_id:
            refuse_kept(state, hold)
            return None
    if not request.decision_id:
        raise Refused(
            f"{hold.hold_id} is not resumed without a decision: a quiet alert is not evidence.",
            next_step=f"`workbench review {hold.hold_id}`, then `workbench decide R-N`; "
            'or `--break-glass "REASON"`, which is recorded and flagged',
        )
    decision = state.decisions.get(request.decision_id)
    if decision is None:
        known = (
            ", ".join(d.decision_id for d in state.decisions.values() if d.hold_id == hold.hold_id)
            or "none"
        )
        raise NotFound(
            f"There is no decision {request.decision_id}; for {hold.hold_id} there is: {known}."
        )
    wanted = VerdictKind.RESTART_FULL if request.only is None else VerdictKind.RESTART_NARROW
    _check_decision(state, hold, decision, wanted, ids)
    if decision.decision is VerdictKind.RESTART_NARROW:
        _check_proposal(state, decision, request, ids)
    return decision


def _check_decision(
    state: State, hold: Hold, decision: Decision, wanted: VerdictKind, ids: list[str]
) -> None:
    again = f"`workbench review {hold.hold_id}`, then `workbench decide R-N`"
    if decision.hold_id != hold.hold_id:
        raise Refused(
            f"{decision.decision_id} is about {decision.hold_id}, not {hold.hold_id}.",
            next_step=again,
        )
    if decision.decision not in {wanted, VerdictKind.RESTART_FULL}:
        raise Refused(
            f"{decision.decision_id} decided {decision.decision}, which does not allow {wanted}: "
            f"{decision.reason}",
            next_step=_way_past(state, hold, decision, wanted),
        )
    newer = [
        d
        for d in state.decisions.values()
        if d.hold_id == hold.hold_id and d.decided_seq > decision.decided_seq
    ]
    if newer:
        raise Refused(
            f"{decision.decision_id} was superseded by {newer[-1].decision_id} ({newer[-1].decision}).",
            next_step=f"use {newer[-1].decision_id}, or {again}",
        )
    _refuse_contradicted(state, decision, wanted, ids)
    if why := withdrawn_fault(state, decision, hold_id=hold.hold_id):
        raise Refused(f"{why[0].upper()}{why[1:]}.", next_step=again)
    outside = sorted(set(ids) - set(decision.automation_ids))
    if outside:
        raise Refused(
            f"{decision.decision_id} is not about {', '.join(outside)}, which this resume would let run.",
            next_step=again,
        )


_ALLOWS = (
    VerdictKind.ESCALATE,
    VerdictKind.KEEP_PAUSED,
    VerdictKind.RESTART_NARROW,
    VerdictKind.RESTART_FULL,
)
"""Verdicts, each allowing more than the one before."""


def _refuse_contradicted(
    state: State, decision: Decision, wanted: VerdictKind, ids: list[str]
) -> None:
    """Refuse a resume where a newer report about what it opens allows less than it, and less than its own did.

    What a narrow restart brought to light since the decision is not passed over on the decision from before it. Who
    decided against a report knew its verdict: the same one again says nothing new.
    """
    own = state.reports.get(decision.report_id)
    newer = [
        report
        for report in state.reports.values()
        if report.hold_id == decision.hold_id
        and report.is_complete
        and report.recorded_seq > decision.decided_seq
        and (own is None or report.name == own.name)
        and set(ids) & set(report.automation_ids)
    ]
    least = min(_ALLOWS.index(wanted), _ALLOWS.index(decision.verdict))
    if newer and _ALLOWS.index(newer[-1].verdict) < least:
        report_id = newer[-1].report_id
        raise Refused(
            f"{report_id}, which is newer than {decision.decision_id}, says {newer[-1].verdict}; that does not allow "
            f"{wanted}.",
            next_step=f"read it and decide: `workbench decide {report_id}`, or against it "
            f'`workbench decide {report_id} --override {wanted} --reason "TEXT"`, which stays flagged',
        )


def _way_past(state: State, hold: Hold, decision: Decision, wanted: VerdictKind) -> str:
    """Return how a decision that does not allow a resume is answered, with the commands in whole."""
    if (
        hold.is_first_run
        and hold.hold_id not in state.kept_ready
        and wanted is VerdictKind.RESTART_FULL
    ):
        return f"`workbench hold release {hold.hold_id}`, which is ready and needs no decision"
    steps = f"when what it names is mended `workbench review {hold.hold_id}`, then `workbench decide R-N`"
    return f"{steps}; or against the report {against_the_report(state, decision, wanted=wanted)}"


def against_the_report(state: State, decision: Decision, *, wanted: VerdictKind) -> str:
    """Return the command that decides otherwise than the newest report about a hold."""
    own = state.reports.get(decision.report_id)
    known = [r for r in state.reports.values() if r.hold_id == decision.hold_id and r.is_complete]
    newest = [r.report_id for r in known if own is None or r.name == own.name]
    report_id = newest[-1] if newest else decision.report_id
    return (
        f'`workbench decide {report_id} --override {wanted} --reason "TEXT"`, which stays flagged'
    )


def _check_proposal(
    state: State, decision: Decision, request: ResumeRequest, ids: list[str]
) -> None:
    """Refuse what was not reviewed: other automations, more runs, or a second restart on one decision.

    An override has no proposal behind it, and logs recorded before reports told theirs know no limit.
    """
    own, hold_id = decision.decision_id, decision.hold_id
    again = f"`workbench review {hold_id}`, then `workbench decide R-N`"
    used = [p.probation_id for p in state.probations.values() if p.decision_id == own]
    if used:
        raise Refused(
            f"{own} was used by {used[-1]}; another narrow restart needs a decision of its own.",
            next_step=again,
        )
    report = state.reports.get(decision.report_id)
    if report is None or decision.is_override:
        return
    outside = sorted(set(ids) - set(ids if report.narrow_ids is None else report.narrow_ids))
    if outside:
        proposed = ", ".join(report.narrow_ids or ()) or "nothing"
        raise Refused(
            f"{report.report_id} proposed to let {proposed} through, not {', '.join(outside)}.",
            next_step=f"name what was proposed, or `workbench review {hold_id} --only SCOPE`",
        )
    if report.narrow_run_count is not None and (request.runs or 0) > report.narrow_run_count:
        raise Refused(
            f"{report.report_id} proposed {report.narrow_run_count} runs, not {request.runs}.",
            next_step=f"say `--runs {report.narrow_run_count}` or fewer",
        )

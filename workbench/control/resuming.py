"""Deciding a resume: narrow (the hold stays) or full (a release), and what entitles somebody to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.control.first_run import refuse_unready
from workbench.control.placing import next_id, standing_hold, storable
from workbench.control.sharing import TicketOffice
from workbench.errors import AuditBroken, NoMatch, NotFound, Refused, UsageFault
from workbench.records import Automation, Decision, Hold, VerdictKind
from workbench.restarts import Share
from workbench.scope import Scope, values_under, why_no_match
from workbench.store.descent import WAY_OUT
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class ResumeRequest:
    """What is asked: let part of a hold through for so many runs, or release the hold.

    Attributes:
        only: scope of a narrow restart; None means a full resume.
        runs: number of runs that a narrow restart lets through.
        effects: "read" lets a narrow restart's runs read only; "write" lets them do everything.
        hosts: which host lets the runs through, `a`, or how many on each, `a=10,b=10`; empty for the one
            where the automations were seen.
        based_on: seq that the asker had seen; a hold changed since then refuses.
    """

    hold_id: str
    only: str | None = None
    runs: int | None = None
    until: datetime | None = None
    decision_id: str = ""
    break_glass_reason: str = ""
    based_on: int | None = None
    effects: str = "write"
    hosts: str = ""

    def command(self, command_id: str) -> Command:
        """Return the request as a command with an id of its own."""
        content: dict[str, Any] = {
            "name": "resume",
            "hold_id": self.hold_id,
            "only": storable(self.only or ""),
            "runs": self.runs or 0,
            "until": to_text(self.until) if self.until else "",
            "decision_id": self.decision_id,
            "break_glass_reason": storable(self.break_glass_reason),
            **_effects(self),
            **({"hosts": storable(self.hosts)} if self.hosts else {}),
        }
        return Command(command_id, content)


def _effects(request: ResumeRequest) -> dict[str, str]:
    """Return the limit to reads where there is one: commands and events without it mean what they always did."""
    if request.effects not in ("read", "write"):
        raise UsageFault(f"A narrow restart lets reads or writes through, not {request.effects!r}.")
    return {"effects": "read"} if request.effects == "read" else {}


def trusted(state: State, *, copy_fault: str = "") -> State:
    """Return the state; raises AuditBroken for a damaged log, Refused for an older or forked copy.

    Neither stops a pause, but nothing is opened on it.
    """
    if copy_fault:
        raise Refused(f"Nothing is resumed here: {copy_fault}.", next_step=WAY_OUT)
    for seq, why in sorted(state.doubts.items()):
        raise AuditBroken(f"Event {seq} of the log: {why}; nothing is resumed on a damaged log.")
    return state


def decide_resume(
    state: State,
    request: ResumeRequest,
    *,
    now: datetime,
    tickets: TicketOffice,
    actor: str = "",
) -> Change:
    """Return the events of a resume as its request asks, narrow or full."""
    if request.only is None:
        return decide_release(state, request, actor=actor, now=now)
    return decide_narrow(state, request, actor=actor, now=now, tickets=tickets)


def decide_narrow(
    state: State,
    request: ResumeRequest,
    *,
    actor: str,
    now: datetime,
    tickets: TicketOffice,
) -> Change:
    """Return the event of a narrow restart; the hold stays."""
    hold = _hold_as_seen(state, request)
    runs = request.runs
    if runs is None or runs < 1:
        raise UsageFault("A narrow restart needs a number of runs above 0; add `--runs N`.")
    scope, ids = _let_through(state, hold, request, now)
    decision = _entitled(state, hold, request, VerdictKind.RESTART_NARROW, ids)
    probation_id = next_id("P", state.probations)
    shares = tickets.shares(request, state=state, ids=ids)
    draft = Draft(
        now,
        actor,
        "probation.start",
        probation_id,
        reason=_why(decision, request),
        correlation_id=hold.incident_id or hold.hold_id,
        payload={
            "hold_id": hold.hold_id,
            "scope": str(scope),
            "automation_ids": ids,
            "max_runs": runs,
            **_limits(request, shares),
            **_grounds(decision, request),
        },
    )
    ended = _superseded(state, draft, ids)
    make_book = tickets.maker(state, probation_id=probation_id, runs=runs, shares=shares)
    return Change([*ended, draft], make_book)


def _let_through(
    state: State, hold: Hold, request: ResumeRequest, now: datetime
) -> tuple[Scope, list[str]]:
    if request.until is not None and request.until <= now:
        raise UsageFault("`--until` lies in the past; a narrow restart must end in the future.")
    known = state.automations.values()
    held, only = Scope.parse(hold.scope), Scope.parse(request.only or "", known)
    covered = [a for a in known if a.automation_id in state.covered[hold.hold_id]]
    if held.contradicts(only) or not (held & only).select(covered):
        raise _outside(
            hold, only, covered, why="" if only.select(known) else why_no_match(only, known)
        )
    scope = held & only
    ids = [a.automation_id for a in scope.select(covered)]
    return scope, ids


def _outside(hold: Hold, only: Scope, covered: list[Automation], *, why: str) -> NoMatch:
    """Return the refusal of a part that lies outside of a hold: what the hold is on, and what is under it."""
    because = f" ({why.removesuffix('.')})" if why else ""
    return NoMatch(
        f"{only} is not under {hold.hold_id}, which holds {hold.scope}{because}; "
        f"under it: {values_under(only, covered)}.",
        next_step=f"name a part of {hold.hold_id} with `--only`",
    )


def _superseded(state: State, draft: Draft, ids: list[str]) -> list[Draft]:
    """Return the endings of the narrow restarts that a new one overlaps: there is one at most."""
    hold_id = (draft.payload or {})["hold_id"]
    return [
        replace(
            draft,
            action="probation.end",
            target=p.probation_id,
            reason=f"superseded by {draft.target}",
            payload=None,
        )
        for p in state.probations.values()
        if p.hold_id == hold_id
        and p.ended_seq is None
        and state.let_through[p.probation_id] & set(ids)
    ]


def decide_release(state: State, request: ResumeRequest, *, actor: str, now: datetime) -> Change:
    """Return the event of a release: only this hold goes, other holds on the same automations stay."""
    hold = _hold_as_seen(state, request)
    covered = sorted(state.covered[hold.hold_id])
    decision = _entitled(state, hold, request, VerdictKind.RESTART_FULL, covered)
    payload = {
        "covered": covered,
        **_grounds(decision, request),
    }
    draft = Draft(
        now,
        actor,
        "hold.release",
        hold.hold_id,
        reason=_why(decision, request),
        correlation_id=hold.incident_id or hold.hold_id,
        payload=payload,
    )
    return Change([draft])


def _hold_as_seen(state: State, request: ResumeRequest) -> Hold:
    hold = standing_hold(state, request.hold_id)
    changed = state.hold_changed_seq[hold.hold_id]
    if request.based_on is not None and changed > request.based_on:
        raise Refused(
            f"{hold.hold_id} changed at event {changed}, after what you were looking at "
            f"(event {request.based_on}).",
            next_step=f"look again with `workbench hold list`, then resume {hold.hold_id}",
        )
    return hold


def _limits(request: ResumeRequest, shares: Sequence[Share]) -> dict[str, Any]:
    until = to_text(request.until) if request.until else None
    shared = {"shares": [asdict(share) for share in shares]} if shares else {}
    return {"until": until, **_effects(request), **shared}


def _grounds(decision: Decision | None, request: ResumeRequest) -> dict[str, str]:
    return {
        "decision_id": decision.decision_id if decision else "",
        "break_glass_reason": storable(request.break_glass_reason),
    }


def _why(decision: Decision | None, request: ResumeRequest) -> str:
    if decision is None:
        reason = storable(request.break_glass_reason)
        return f"break-glass: {reason}" if reason else "ready for its first run"
    return f"{decision.decision_id}: {decision.reason}" if decision.reason else decision.decision_id


def _entitled(
    state: State, hold: Hold, request: ResumeRequest, wanted: VerdictKind, ids: list[str]
) -> Decision | None:
    """Return the decision that entitles to the resume, or None for a recorded break-glass reason."""
    if storable(request.break_glass_reason):
        if request.decision_id:
            raise UsageFault("Give either a decision or a break-glass reason, not both.")
        return None
    if hold.is_first_run:
        refuse_unready(state, hold, effects="write" if request.only is None else request.effects)
        if request.only is None and not request.decision_id:
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
    _check_decision(state, hold, decision, wanted, ids)
    if decision.decision is VerdictKind.RESTART_NARROW:
        _check_proposal(state, decision, request, ids)
    return decision


def _check_decision(
    state: State, hold: Hold, decision: Decision, wanted: VerdictKind, ids: list[str]
) -> None:
    again = f"`workbench review {hold.hold_id}`, then `workbench decide`"
    if decision.hold_id != hold.hold_id:
        raise Refused(
            f"{decision.decision_id} is about {decision.hold_id}, not {hold.hold_id}.",
            next_step=again,
        )
    if decision.decision not in {wanted, VerdictKind.RESTART_FULL}:
        raise Refused(
            f"{decision.decision_id} decided {decision.decision}, which does not allow {wanted}: "
            f"{decision.reason}",
            next_step=again,
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
    outside = sorted(set(ids) - set(decision.automation_ids))
    if outside:
        raise Refused(
            f"{decision.decision_id} is not about {', '.join(outside)}, which this resume would let run.",
            next_step=again,
        )


def _check_proposal(
    state: State, decision: Decision, request: ResumeRequest, ids: list[str]
) -> None:
    """Refuse what was not reviewed: other automations, more runs, or a second restart on one decision.

    An override has no proposal behind it, and logs recorded before reports told theirs know no limit.
    """
    own, hold_id = decision.decision_id, decision.hold_id
    again = f"`workbench review {hold_id}`, then `workbench decide`"
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

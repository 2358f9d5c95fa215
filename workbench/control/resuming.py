"""Deciding a resume: narrow (the hold stays) or full (a release), and what entitles somebody to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from shlex import quote
from typing import Any

from workbench.clock import to_text
from workbench.control.grounds import entitled, grounds_of, reason_of
from workbench.control.placing import next_id, standing_hold, storable
from workbench.control.sharing import TicketOffice
from workbench.errors import AuditBroken, NoMatch, Refused, UsageFault
from workbench.records import Automation, Hold
from workbench.restarts import Share
from workbench.scope import Scope, values_under, why_no_match
from workbench.store.descent import WAY_OUT
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command

MOST_RUNS = 1_000_000_000
"""Largest number of runs that is taken: the log holds no number beyond 2**53, and nobody means one near it."""


@dataclass(frozen=True)
class ResumeRequest:
    """What is asked: let part of a hold through for so many runs, or release the hold.

    Attributes:
        only: scope of a narrow restart; None means a full resume.
        runs: number of runs that a narrow restart lets through.
        effects: "read" lets a narrow restart's runs read only; "write" lets them do everything.
        catch_up: what engines do with starts that fell into the pause: "skip", "latest", "all"; empty: their own way.
        rate_per_minute: runs that an engine is let go in a minute at most; None for no limit.
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
    catch_up: str = ""
    rate_per_minute: int | None = None
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
            **_choices(self),
            **({"hosts": storable(self.hosts)} if self.hosts else {}),
        }
        return Command(command_id, content)


def _choices(request: ResumeRequest) -> dict[str, Any]:
    """Return what was chosen beyond the usual: commands and events without it mean what they always did."""
    if request.effects not in ("read", "write"):
        raise UsageFault(f"A narrow restart lets reads or writes through, not {request.effects!r}.")
    if request.catch_up not in ("", "skip", "latest", "all"):
        raise UsageFault(f"Missed starts are skipped, the latest or all, not {request.catch_up!r}.")
    rate = request.rate_per_minute
    if rate is not None and rate < 1:
        raise UsageFault("A rate is a number of runs a minute above 0; add `--rate-per-minute N`.")
    if max(request.runs or 0, rate or 0) > MOST_RUNS:
        raise UsageFault(
            f"Runs are let through and counted up to {MOST_RUNS:,}; name a smaller number."
        )
    return {
        **({"effects": "read"} if request.effects == "read" else {}),
        **({"catch_up": request.catch_up} if request.catch_up else {}),
        **({"rate_per_minute": rate} if rate is not None else {}),
    }


def _of_engines(request: ResumeRequest) -> dict[str, Any]:
    return {name: value for name, value in _choices(request).items() if name != "effects"}


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
    runs = _runs_of(request)
    scope, ids = _let_through(state, hold, request, now)
    decision = entitled(state, hold, request=request, ids=ids, now=now)
    probation_id = next_id("P", state.probations)
    shares = tickets.shares(request, state=state, ids=ids)
    draft = Draft(
        now,
        actor,
        "probation.start",
        probation_id,
        reason=reason_of(decision, request),
        correlation_id=hold.incident_id or hold.hold_id,
        payload={
            "hold_id": hold.hold_id,
            "scope": str(scope),
            "automation_ids": ids,
            "max_runs": runs,
            **_limits(request, shares),
            **grounds_of(decision, request),
        },
    )
    ended = _superseded(state, draft, ids)
    make_book = tickets.maker(state, probation_id=probation_id, runs=runs, shares=shares)
    return Change([*ended, draft], make_book)


def _runs_of(request: ResumeRequest) -> int:
    if request.runs is not None and request.runs > 0:
        return request.runs
    only = quote(request.only or "SCOPE")
    raise UsageFault(
        "A narrow restart needs a number of runs above 0.",
        next_step=f"`workbench resume {request.hold_id} --only {only} --runs N`",
    )


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
    found = scope.select(covered)
    if not any(a.asks_gate for a in found):
        raise _uncountable(hold, found)
    return scope, [a.automation_id for a in found if a.asks_gate]


def _uncountable(hold: Hold, found: Sequence[Automation]) -> Refused:
    """Return the refusal of a narrow restart that would let nothing through: only the gate counts runs."""
    names = ", ".join(a.automation_id for a in found[:5]) + (", ..." if len(found) > 5 else "")
    verb = "does" if len(found) == 1 else "do"
    return Refused(
        f"{names} {verb} not ask the gate, which alone counts the runs of a narrow restart, so an engine "
        "that ran it would not stop after them.",
        next_step=f"let it ask the gate and say `asks_gate = true` in the registry, or release {hold.hold_id} "
        "with `--full`",
    )


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
    decision = entitled(state, hold, request=request, ids=covered, now=now)
    payload = {
        "covered": covered,
        **grounds_of(decision, request),
        **_of_engines(request),
    }
    draft = Draft(
        now,
        actor,
        "hold.release",
        hold.hold_id,
        reason=reason_of(decision, request),
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
    return {"until": until, **_choices(request), **shared}

"""Sign-offs and policy: asking for one, giving it, and what a resume needs before it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from shlex import quote
from typing import Any

from workbench.clock import to_text
from workbench.control.countersigning import Wish, decide_request, refuse_alone
from workbench.control.entitling import check_role, require_role
from workbench.control.first_run import refuse_lonely
from workbench.control.freshness import opening_of
from workbench.control.placing import next_id, standing_hold
from workbench.control.resuming import ResumeRequest, decide_resume
from workbench.control.sharing import TicketOffice
from workbench.control.signing import Who, key_of
from workbench.errors import NotFound, Refused
from workbench.policy import Policy
from workbench.records import SignOff
from workbench.store.countersigning import POLICY, policy_content, weakened
from workbench.store.log import Draft
from workbench.store.signoffs import (
    LACKING,
    barred_persons,
    decision_digest,
    needed_count,
    plan_of,
    policy_of,
    roles_for,
    signoff_fault,
)
from workbench.store.state import State
from workbench.store.store import Change


def with_signoff(state: State, change: Change, *, who: Who, now: datetime) -> Change:
    """Return a resume with the sign-off that carries it, where policy asks for one; raises Refused."""
    opening = opening_of(change)
    body = dict(opening.payload or {})
    if body["break_glass_reason"]:
        return change
    if not body["decision_id"]:
        refuse_lonely(state, state.holds[opening.target], who=who)
        return change
    decision, roles = state.decisions[body["decision_id"]], roles_for(state, body)
    is_full = opening.action == "hold.release"
    doing = "release a hold" if is_full else "restart narrowly"
    if not needed_count(state, decision):
        require_role(state, who, roles=roles, doing=doing)
        return change
    hold_id = decision.hold_id
    _refuse_without_keys(state, f"{hold_id} {resume_form(body)}", now=now)
    resumer = key_of(who, "A resume for which policy asks a sign-off")
    check_role(state, resumer, roles=roles, doing=doing)
    plan = plan_of(opening.target, body)
    own = [s for s in state.signoffs.values() if s.decision_id == decision.decision_id]
    faults = []
    for signoff in reversed(own):
        why = signoff_fault(state, signoff, plan=plan, resumer=resumer, now=now)
        if not why:
            signed = replace(opening, payload={**body, "signoff_id": signoff.signoff_id})
            return replace(change, drafts=[signed if d is opening else d for d in change.drafts])
        faults.append(why)
    form = resume_form(body)
    raise Refused(
        f"{hold_id} resumes on {decision.decision_id} with a sign-off of another person only: "
        f"{faults[0] if faults else 'none was asked for'}.",
        next_step=f"`workbench signoff give {own[-1].signoff_id}` by another person"
        if faults and LACKING in faults[0]
        else f"`workbench signoff request {hold_id} {form} --decision {decision.decision_id}`",
    )


def resume_form(body: Mapping[str, Any]) -> str:
    """Return the options of exactly this resume, as they are typed."""
    catch_up = {"": "", "latest": "one"}.get(body.get("catch_up", ""), body.get("catch_up"))
    engines = f" --catch-up {catch_up}" if catch_up else ""
    if body.get("rate_per_minute"):
        engines += f" --rate-per-minute {body['rate_per_minute']}"
    if "covered" in body:
        return f"--full{engines}"
    until = f" --until {body['until']}" if body["until"] else ""
    reads = " --reads-only" if body.get("effects") == "read" else ""
    shares = [f" --host {quote(s['host'])}={s['runs']}" for s in body.get("shares", ())]
    return f"--only {quote(body['scope'])} --runs {body['max_runs']}{until}{reads}{''.join(shares)}{engines}"


def _refuse_without_keys(state: State, resume: str, *, now: datetime) -> None:
    reached = max(now, state.newest_at or now)
    if any(key.is_live(reached) for key in state.keys.values()):
        return
    none = "no enrolled key signs any more" if state.keys else "no key is enrolled in this store"
    raise Refused(
        f"Policy asks for a sign-off and {none}: in {state.environment} "
        f"{resume.split()[0]} resumes by break-glass only.",
        next_step="`workbench key new`, which says how to enrol it; or "
        f'`workbench resume {resume} --break-glass "REASON"`, which is recorded and flagged',
    )


def decide_signoff_request(
    state: State, request: ResumeRequest, *, who: Who, now: datetime, tickets: TicketOffice
) -> Change:
    """Return the event that asks for the sign-off of a resume, exactly as it would be done."""
    asker = key_of(who, "A request for a sign-off")
    opening = _rehearsed(state, request, who=who, now=now, tickets=tickets)
    body = opening.payload or {}
    decision = state.decisions[body["decision_id"]]
    covered = sorted(state.covered[request.hold_id])
    valid = timedelta(seconds=policy_of(state).signoff_valid_seconds)
    payload = {
        "hold_id": request.hold_id,
        "decision_id": decision.decision_id,
        "decision_digest": decision_digest(decision),
        "plan": plan_of(opening.target, body),
        "covered": covered,
        "expires_at": to_text(max(now, state.newest_at or now) + valid),
    }
    signoff_id = next_id("S", state.signoffs)
    return Change(
        [
            Draft(
                now,
                who.text,
                "signoff.request",
                signoff_id,
                reason=f"asked by {asker.person} on {decision.decision_id}",
                correlation_id=request.hold_id,
                payload=payload,
            )
        ]
    )


def _rehearsed(
    state: State, request: ResumeRequest, *, who: Who, now: datetime, tickets: TicketOffice
) -> Draft:
    """Return the event that a resume would record, every check passed but the sign-off's and how fresh its evidence is.

    That is asked of the warehouse when it is carried out: by then it may be old.
    """
    if request.break_glass_reason:
        raise Refused(
            "A break-glass resume has no sign-off; it is reviewed afterwards.",
            next_step="leave `--break-glass` out",
        )
    opening = opening_of(decide_resume(state, request, actor=who.text, now=now, tickets=tickets))
    if not (opening.payload or {})["decision_id"]:
        raise Refused(
            f"{request.hold_id} is a first-run hold: the reviews of its runs are its sign-offs.",
            next_step=f"`workbench hold release {request.hold_id}`",
        )
    return opening


def decide_signoff_give(state: State, signoff_id: str, *, who: Who, now: datetime) -> Change:
    """Return the event of a sign-off; raises Refused where it could not count."""
    signoff = state.signoffs.get(signoff_id)
    if signoff is None:
        known = ", ".join(list(state.signoffs)[-5:]) or "none"
        raise NotFound(
            f"There is no sign-off {signoff_id}; newest: {known}.",
            next_step="see `workbench signoff list`",
        )
    standing_hold(state, signoff.hold_id)
    key = key_of(who, "A sign-off")
    asker = state.keys[signoff.requester_key]
    never = barred_persons(state, signoff, resumer=asker)
    check_role(state, key, roles=policy_of(state).may_sign, doing="sign off", barred=never)
    barred = asker.person
    if key.person == barred:
        raise Refused(
            f"{signoff_id} was asked for by {barred}; another person signs off, with no exception.",
            next_step=f"another person gives it: `workbench signoff give {signoff_id}`",
        )
    _refuse_decider(state, signoff, person=key.person)
    why = signoff_state(state, signoff, now=now)
    if why and LACKING not in why:
        raise Refused(
            f"It would not count: {why}.",
            next_step=f"ask anew: `workbench signoff request {signoff.hold_id} {resume_form(signoff.plan)}`",
        )
    payload = {"decision_digest": signoff.decision_digest, "plan": dict(signoff.plan)}
    reason = f"{key.person} signs off {signoff.decision_id}"
    draft = Draft(now, who.text, "signoff.give", signoff_id, reason=reason, payload=payload)
    return Change([replace(draft, correlation_id=signoff.hold_id)])


def _refuse_decider(state: State, signoff: SignOff, *, person: str) -> None:
    """Refuse the sign-off of who decided against the report that it rests on; raises Refused."""
    asker = state.keys[signoff.requester_key]
    if person not in barred_persons(state, signoff, resumer=asker):
        return
    form = resume_form(signoff.plan)
    raise Refused(
        f"{signoff.decision_id} is the override of {person}, whose sign-off of it would not count.",
        next_step=f"a third person gives it: `workbench signoff give {signoff.signoff_id}`; or {person} asks, "
        f"`workbench signoff request {signoff.hold_id} {form} --decision {signoff.decision_id}`, and "
        "another person gives it",
    )


def signoff_state(state: State, signoff: SignOff, *, now: datetime) -> str:
    """Return why a sign-off would not carry its own plan now, or an empty text."""
    asker = state.keys[signoff.requester_key]
    return signoff_fault(state, signoff, plan=signoff.plan, resumer=asker, now=now)


def decide_policy(state: State, policy: Policy, *, who: Who, now: datetime) -> Change:
    """Return the event of a new policy, under the old one; raises Refused for who may not change it."""
    key = key_of(who, "A policy")
    check_role(state, key, roles=policy_of(state).may_change_policy, doing="change the policy")
    unknown = sorted(policy.named_roles - set(state.owners))
    if unknown:
        raise Refused(
            f"The policy names {', '.join(unknown)}; registered roles: {', '.join(state.owners)}.",
            next_step="mend the file, or register the role first with `workbench registry apply`",
        )
    wish = policy_wish(state, policy)
    if wish is not None:
        refuse_alone(state, wish, doer=key, now=now)
    payload = policy_content(policy)
    return Change([Draft(now, who.text, "policy.apply", policy.environment, payload=payload)])


def policy_wish(state: State, policy: Policy) -> Wish | None:
    """Return what two persons are asked for where a policy is weaker than the present one; else None."""
    weaker = weakened(state, policy)
    if not weaker:
        return None
    return Wish(
        POLICY,
        policy_content(policy),
        about=f"a policy that is weaker in {', '.join(weaker)}",
        ask="`workbench policy request FILE`",
        do="`workbench policy apply FILE`",
    )


def decide_policy_request(state: State, policy: Policy, *, who: Who, now: datetime) -> Change:
    """Return the event that asks another person for a weaker policy; raises Refused where none is needed."""
    key = key_of(who, "A request for a policy")
    check_role(state, key, roles=policy_of(state).may_change_policy, doing="change the policy")
    wish = policy_wish(state, policy)
    if wish is None:
        raise Refused(
            "This policy is weaker in nothing that needs a second person.",
            next_step="`workbench policy apply FILE`",
        )
    return decide_request(state, wish, who=who, now=now)

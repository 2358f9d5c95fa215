"""Two-person approval: whether a sign-off carries a resume. Asked by the command and again by the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from workbench.policy import PRODUCTION, Policy, default_policy
from workbench.records import Decision, EnrolledKey, Event, Purpose, SignOff
from workbench.store import log
from workbench.store.signatures import signer_of
from workbench.store.state import State

LACKING = "sign-offs that count"
"""Words of a sign-off that lacks nothing but persons."""

_PLAN = (
    "hold_id",
    "covered",
    "scope",
    "automation_ids",
    "max_runs",
    "until",
    "effects",
    "shares",
    "catch_up",
    "rate_per_minute",
)


def policy_of(state: State) -> Policy:
    """Return the policy in force: the one applied last, or the environment's default when the store was made."""
    if applied := state.policies.get(state.environment):
        return applied
    usual = default_policy(state.environment)
    if not state.asks_drills:
        usual = replace(usual, is_drill_required=False)
    return usual if state.asks_verifiers else replace(usual, verifiers_required=1)


def plan_of(target: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a release or narrow restart would open, as its sign-off binds it."""
    plan = {name: payload[name] for name in _PLAN if name in payload}
    return {"hold_id": target, **plan} if "covered" in payload else plan


def decision_digest(decision: Decision) -> str:
    """Return the digest of what was decided, and on which report."""
    content = {
        "decision_id": decision.decision_id,
        "hold_id": decision.hold_id,
        "report_id": decision.report_id,
        "report_digest": decision.report_digest,
        "decision": str(decision.decision),
        "decided_seq": decision.decided_seq,
        "automation_ids": list(decision.automation_ids),
    }
    return log.digest(content)


def needed_count(state: State, decision: Decision) -> int:
    """Return how many persons must sign off a resume on a decision."""
    policy = policy_of(state)
    is_contested = decision.is_override and policy.is_override_signed
    return max(policy.signoffs_required, 1 if is_contested else 0)


def holds_role(state: State, key: EnrolledKey, *, roles: tuple[str, ...]) -> bool:
    """Tell whether a key counts now: not revoked, its person a member of its role, the role one of these."""
    owner = state.owners.get(key.role)
    is_member = owner is not None and key.person in owner.members
    return key.revoked_seq is None and is_member and (not roles or key.role in roles)


def roles_for(state: State, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the roles that policy names for a release or a narrow restart; none means that everybody may."""
    policy = policy_of(state)
    return policy.may_release if "covered" in body else policy.may_resume


def counted(state: State, signoff: SignOff, *, resumer: EnrolledKey) -> set[str]:
    """Return the persons whose sign-off counts: not who asked, not who resumes, not an override's decider."""
    decision = state.decisions[signoff.decision_id]
    if decision.is_override and _decider(state, decision) is None:
        return set()
    barred = barred_persons(state, signoff, resumer=resumer)
    keys = [state.keys[key_id] for key_id in signoff.signer_keys]
    may_sign = policy_of(state).may_sign
    return {k.person for k in keys if holds_role(state, k, roles=may_sign)} - barred


def barred_persons(state: State, signoff: SignOff, *, resumer: EnrolledKey) -> set[str]:
    """Return whose sign-off does not count: who asked, who resumes, and an override's decider."""
    barred = {resumer.person, state.keys[signoff.requester_key].person}
    decision = state.decisions[signoff.decision_id]
    decider = _decider(state, decision) if decision.is_override else None
    return barred | ({decider.person} if decider else set())


def _decider(state: State, decision: Decision) -> EnrolledKey | None:
    return state.keys.get(state.decision_keys.get(decision.decision_id, ""))


def signoff_fault(
    state: State, signoff: SignOff, *, plan: Mapping[str, Any], resumer: EnrolledKey, now: datetime
) -> str:
    """Return why a sign-off does not carry a resume, or an empty text; a clock set back revives nothing."""
    own, hold_id = signoff.signoff_id, str(plan["hold_id"])
    decision = state.decisions.get(signoff.decision_id)
    if signoff.hold_id != hold_id:
        return f"{own} is for {signoff.hold_id}, not {hold_id}"
    if decision is None or decision_digest(decision) != signoff.decision_digest:
        return f"{own} is for another decision than {signoff.decision_id} is now"
    if log.digest(plan) != log.digest(signoff.plan):
        return f"{own} is for another plan (scope, automations, runs or end)"
    if signoff.used_seq is not None:
        return f"{own} was used at event {signoff.used_seq}"
    if max(now, state.newest_at or now) >= signoff.expires_at:
        return f"{own} expired at {signoff.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    new = sorted(state.covered[hold_id] - set(signoff.covered))
    if new:
        return f"{own} was superseded: {', '.join(new)} came under {hold_id} after it"
    if state.hold_changed_seq[hold_id] > signoff.requested_seq:
        return f"{own} was superseded: {hold_id} changed at event {state.hold_changed_seq[hold_id]}"
    if decision.is_override and not state.decision_keys.get(decision.decision_id):
        return f"{decision.decision_id} overrides its report and is not signed by an enrolled key"
    found, wanted = len(counted(state, signoff, resumer=resumer)), needed_count(state, decision)
    short = f"{own} has {found} of {wanted} {LACKING}"
    if found >= wanted:
        return ""
    return (
        f"{short} (not who asked, decided against or resumes){_uncounted(state, signoff, resumer)}"
    )


def _uncounted(state: State, signoff: SignOff, resumer: EnrolledKey) -> str:
    """Say of each sign-off that was given and does not count why that is; an empty text where none was given."""
    barred, may_sign = barred_persons(state, signoff, resumer=resumer), policy_of(state).may_sign
    found = []
    for key in (state.keys[key_id] for key_id in signoff.signer_keys):
        if key.revoked_seq is not None:
            why = f"the key {key.key_id} of {key.person} was revoked at event {key.revoked_seq}"
        elif key.person in barred:
            why = (
                f"{key.person} {'resumes' if key.person == resumer.person else 'asked or decided'}"
            )
        elif not holds_role(state, key, roles=may_sign):
            why = f"{key.person} may not sign off as {key.role}"
        else:
            continue
        found.append(why)
    return "".join(f"; given, but {why}" for why in found)


def drill_end_fault(state: State, hold_id: str) -> str:
    """Return why a hold may not be released as the end of a drill, or an empty text.

    A drill's own hold covers made-up work outside production, so no decision and no sign-off is asked for it.
    """
    hold = state.holds.get(hold_id)
    if hold is None or hold.purpose is not Purpose.DRILL:
        return "only the hold of a drill ends with the drill"
    if state.environment == PRODUCTION:
        return "drills are held outside production"
    real = sorted(set(state.covered.get(hold_id, ())) & set(state.automations))
    return f"it covers {real[0]}, which is no probe work" if real else ""


def withdrawn_fault(state: State, decision: Decision, *, hold_id: str) -> str:
    """Return why a decision opens a hold no more since a word on its records was taken back, or an empty text."""
    taken = state.withdrawn_seq.get(hold_id, 0)
    if taken <= decision.decided_seq:
        return ""
    return f"a word that {decision.decision_id} rested on was taken back at event {taken}"


def opening_fault(state: State, event: Event) -> str:
    """Return why a release or narrow restart in the log is not obeyed, or an empty text.

    Without keys and policies a log is obeyed as it stands, but in an environment that asks for sign-offs from the
    beginning: there nobody can give one, and only a break-glass reason opens. A store that was made before
    production asked is read by the rules that it had, so that what its gates let through then is no leak now: on a
    decision about the hold, as its commands asked.
    """
    body = event.payload
    if body.get("is_drill_end"):
        return drill_end_fault(state, event.target)
    if body.get("break_glass_reason"):
        return ""
    decision = state.decisions.get(body.get("decision_id", ""))
    hold_id = body.get("hold_id", event.target)
    if decision and (why := withdrawn_fault(state, decision, hold_id=hold_id)):
        return why
    is_young = not (state.keys or state.policies)
    if is_young and not policy_of(state).signoffs_required:
        return ""
    if is_young and not state.asks_drills and decision is not None:
        is_about = decision.hold_id == hold_id
        return "" if is_about else f"{decision.decision_id} is about {decision.hold_id}"
    if decision is None:
        return "it names no decision and no break-glass reason"
    needed, roles = needed_count(state, decision), roles_for(state, body)
    if not needed and not roles:
        return ""
    resumer = signer_of(state, event)
    if resumer is None:
        return "policy says who may resume; it is not signed by an enrolled key"
    if not holds_role(state, resumer, roles=roles):
        return f"{resumer.person} as {resumer.role} may not resume under the policy"
    signoff = state.signoffs.get(body.get("signoff_id", ""))
    if not needed:
        return ""
    if signoff is None:
        return "policy asks for a sign-off; it names none"
    if signoff.decision_id != decision.decision_id:
        return f"{signoff.signoff_id} is for {signoff.decision_id}, not {decision.decision_id}"
    plan = plan_of(event.target, body)
    return signoff_fault(state, signoff, plan=plan, resumer=resumer, now=event.occurred_at)

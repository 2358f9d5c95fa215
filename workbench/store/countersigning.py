"""Two persons for what would weaken the rules: one asks, another does it. Asked by the command and by the fold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from workbench.policy import Policy, policy_to, weaker_fields
from workbench.records import EnrolledKey, TwoPersonRequest
from workbench.store import log
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State

POLICY, KEY = "policy.apply", "key.enrol"
"""What two persons may be asked for: the action of the event that does it."""


def request_id(action: str, content: Mapping[str, Any]) -> str:
    """Return the name of a request: of what exactly is asked, so that nothing else is done on it."""
    return log.digest({"action": action, "content": dict(content)})[:16]


def weakened(state: State, policy: Policy) -> tuple[str, ...]:
    """Return the settings for which a policy needs a second person; none where the present one asks for nobody's."""
    present = policy_of(state)
    asks = present.signoffs_required > 0 or present.is_override_signed
    return weaker_fields(present, policy) if asks else ()


def is_for_another(state: State, signer: EnrolledKey, *, person: str, role: str) -> bool:
    """Tell whether an enrolment needs a second person: in another's name or role, once there are two.

    The one person of a young store enrols the second alone, and the list of keys says so. A key whose time is
    over counts here until somebody revokes it: time alone makes no one person of two.
    """
    persons = {key.person for key in state.keys.values() if key.revoked_seq is None}
    is_own = (person, role) == (signer.person, signer.role)
    return policy_of(state).signoffs_required > 0 and len(persons) > 1 and not is_own


def second_fault(
    state: State, action: str, *, content: Mapping[str, Any], doer: EnrolledKey, now: datetime
) -> str:
    """Return why no other person asked for what somebody does, or an empty text; a clock set back revives nothing."""
    found = state.requests.get(request_id(action, content))
    if found is None:
        return "no other person asked for exactly this"
    asker = state.keys[found.requester_key]
    roles = policy_of(state).may_change_policy if action == POLICY else ()
    if state.owners and not holds_role(state, doer, roles=roles):
        return f"{doer.person} is not one of those who may do it"
    if asker.person == doer.person:
        return f"{asker.person} asked for it and does not do it alone"
    if state.owners and not holds_role(state, asker, roles=roles):
        return f"{asker.person}, who asked for it, may not do it"
    return request_state(state, found, now=now)


def request_state(state: State, request: TwoPersonRequest, *, now: datetime) -> str:
    """Return why a request can be used no more, or an empty text."""
    if request.used_seq is not None:
        return f"it was done at event {request.used_seq}"
    if state.policy_seq > request.requested_seq:
        return f"the policy changed at event {state.policy_seq}, after it was asked for"
    if state.keys[request.requester_key].revoked_seq is not None:
        return f"the key {request.requester_key}, which asked for it, was revoked"
    if max(now, state.newest_at or now) >= request.expires_at:
        return f"it was asked for until {request.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def expiry(state: State, now: datetime) -> datetime:
    """Return until when a request that is made now can be used: as long as a sign-off."""
    valid = timedelta(seconds=policy_of(state).signoff_valid_seconds)
    return max(now, state.newest_at or now) + valid


def policy_content(policy: Policy) -> dict[str, Any]:
    """Return what a request for a policy names."""
    return {"policy": policy_to(policy)}


def enrolment_content(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request for an enrolment names: what the enrolment's event holds but its mark."""
    return {name: value for name, value in payload.items() if name != "command"}

"""The fold of keys: who is enrolled, signed by whom, and what is not obeyed because nobody entitled said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.clock import from_text
from workbench.policy import policy_from
from workbench.records import EnrolledKey, Event, RunReview, SignOff, TwoPersonRequest
from workbench.store.countersigning import (
    KEY,
    POLICY,
    enrolment_content,
    expiry,
    is_for_another,
    policy_content,
    request_id,
    second_fault,
    weakened,
)
from workbench.store.readiness import kept_fault, release_fault, unready
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, opening_fault, policy_of
from workbench.store.state import State


def refuse(state: State, event: Event, *, why: str) -> None:
    """Keep an event as not obeyed: it stands in the log, changes nothing, and screens show it."""
    state.refused[event.seq] = f"{event.action} {event.target} by {event.actor}: {why}"
    state.touched.add(("refused", str(event.seq)))


def on_enrol(state: State, event: Event) -> None:
    """Take in a key: the first of a store on its own word, each later one on an enrolled key's."""
    body = event.payload
    signer = signer_of(state, event)
    if state.keys and signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    if event.target in state.keys:
        refuse(state, event, why="the key was enrolled before; a key is enrolled once")
        return
    if signer is not None and is_for_another(
        state, signer, person=body["person"], role=body["role"]
    ):
        content = enrolment_content(body)
        if not _is_by_two(state, event, KEY, content=content, doer=signer):
            return
    name = request_id(KEY, enrolment_content(body))
    if name in state.requests and state.requests[name].used_seq is None:
        # Done by one person, who may by now: nobody is asked for it any more.
        state.requests[name] = replace(state.requests[name], used_seq=event.seq)
        state.touched.add(("request", name))
    state.keys[event.target] = EnrolledKey(
        key_id=event.target,
        public_hex=body["public_hex"],
        person=body["person"],
        role=body["role"],
        enrolled_by=signer.key_id if signer else event.target,
        enrolled_at=event.occurred_at,
        enrolled_seq=event.seq,
        expires_at=from_text(body["until"]) if body.get("until") else None,
    )
    state.touched.add(("key", event.target))


def on_revoke(state: State, event: Event) -> None:
    """Take a key out for good; its earlier signatures stay what they were, and no later one counts."""
    key = state.keys.get(event.target)
    signer = signer_of(state, event)
    if key is None or key.revoked_seq is not None:
        return
    if signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    state.keys[event.target] = replace(
        key,
        revoked_at=event.occurred_at,
        revoked_by=event.actor,
        revoked_reason=event.reason,
        revoked_seq=event.seq,
    )
    state.touched.add(("key", event.target))


def on_policy(state: State, event: Event) -> None:
    """Take in a policy that an enrolled key signed, in a role that the policy before it lets change it."""
    signer = signer_of(state, event)
    if signer is None or not holds_role(state, signer, roles=policy_of(state).may_change_policy):
        refuse(state, event, why="it is not signed by somebody who may change the policy")
        return
    policy = policy_from(event.payload["policy"])
    content = policy_content(policy)
    if weakened(state, policy) and not _is_by_two(
        state, event, POLICY, content=content, doer=signer
    ):
        return
    state.policies[policy.environment] = policy
    state.policy_seq = event.seq
    state.touched.add(("policy", policy.environment))


def _is_by_two(
    state: State, event: Event, action: str, *, content: Mapping[str, Any], doer: EnrolledKey
) -> bool:
    """Tell whether another person asked for what an event does, and use that request up; else it is not obeyed."""
    why = second_fault(state, action, content=content, doer=doer, now=event.occurred_at)
    if why:
        refuse(state, event, why=f"two persons are asked for: {why}")
        return False
    name = request_id(action, content)
    state.requests[name] = replace(state.requests[name], used_seq=event.seq)
    state.touched.add(("request", name))
    return True


def on_request(state: State, event: Event) -> None:
    """Take in what one person asks another to do; an unsigned request counts for nothing."""
    signer = signer_of(state, event)
    if signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    action = POLICY if event.action == "policy.request" else KEY
    name = request_id(action, enrolment_content(event.payload))
    known = state.requests.get(name)
    if action == KEY and known is not None and known.used_seq is not None:
        return  # a key is enrolled once, and who asked for it then stays known
    state.requests[name] = TwoPersonRequest(
        request_id=name,
        action=action,
        about=event.reason,
        requester_key=signer.key_id,
        requested_seq=event.seq,
        expires_at=expiry(state, event.occurred_at),
    )
    state.touched.add(("request", name))


def on_signoff_request(state: State, event: Event) -> None:
    """Take in a request for a sign-off; an unsigned one counts for nothing."""
    body, signer = event.payload, signer_of(state, event)
    if signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    state.signoffs[event.target] = SignOff(
        signoff_id=event.target,
        hold_id=body["hold_id"],
        decision_id=body["decision_id"],
        decision_digest=body["decision_digest"],
        plan=body["plan"],
        covered=tuple(body["covered"]),
        requested_by=event.actor,
        requester_key=signer.key_id,
        requested_seq=event.seq,
        expires_at=from_text(body["expires_at"]),
    )
    state.touched.add(("signoff", event.target))


def on_signoff_give(state: State, event: Event) -> None:
    """Take in a sign-off of an enrolled key; whether it counts is asked when it is used."""
    found, signer = state.signoffs.get(event.target), signer_of(state, event)
    if found is None or signer is None:
        refuse(state, event, why="it is not signed by an enrolled key, or for no request")
        return
    if signer.key_id not in found.signer_keys:
        keys = (*found.signer_keys, signer.key_id)
        state.signoffs[event.target] = replace(found, signer_keys=keys)
        state.touched.add(("signoff", event.target))


def may_open(state: State, event: Event) -> bool:
    """Tell whether a release or narrow restart is obeyed, and note the sign-off that it uses up."""
    if why := _fault_of(state, event):
        refuse(state, event, why=why)
        return False
    signer = signer_of(state, event)
    if signer is not None and event.payload["break_glass_reason"]:
        state.broken_by[event.target] = signer.person
    found = state.signoffs.get(event.payload.get("signoff_id", ""))
    if found is not None:
        state.signoffs[found.signoff_id] = replace(found, used_seq=event.seq)
        state.touched.add(("signoff", found.signoff_id))
    return True


def _fault_of(state: State, event: Event) -> str:
    """Return why what opens is not obeyed; a first-run hold that is ready needs reviewers, not a decision."""
    body = event.payload
    hold = state.holds.get(body.get("hold_id", event.target))
    if hold is None or not hold.is_first_run or body["break_glass_reason"]:
        return opening_fault(state, event)
    if why := unready(state, hold, effects=body.get("effects", "write"), now=event.occurred_at):
        return why
    if why := kept_fault(state, hold, body=body):
        return why
    if body["decision_id"] or "covered" not in body:
        return opening_fault(state, event)
    return release_fault(state, hold, releaser=signer_of(state, event))


def is_entitled_to_decide(state: State, event: Event) -> bool:
    """Tell whether a decision is obeyed: where policy names who may decide, one of them signed it."""
    roles = policy_of(state).may_decide
    signer = signer_of(state, event)
    if not roles or (signer is not None and holds_role(state, signer, roles=roles)):
        return True
    refuse(state, event, why="it is not signed by somebody who may decide under the policy")
    return False


def on_review(state: State, event: Event) -> None:
    """Take in that somebody reviewed a break-glass resume; who did it themselves, or is unsigned, counts not."""
    signer = signer_of(state, event)
    probation, hold = state.probations.get(event.target), state.holds.get(event.target)
    doer = probation.started_by if probation else hold.released_by if hold else ""
    if signer is None or not holds_role(state, signer, roles=()) or event.actor == doer:
        return
    if not doer or signer.person == state.broken_by.get(event.target):
        return  # it is not there yet, or it is their own, whichever of their keys signs
    known = state.reviewers.get(event.target, ())
    if signer.person not in known:
        state.reviewers[event.target] = (*known, signer.person)
        state.touched.add(("reviewers", event.target))


def on_run_review(state: State, event: Event) -> None:
    """Take in that somebody reviewed a run; whether it counts is asked when a first-run hold would open."""
    body, signer = event.payload, signer_of(state, event)
    key = f"{body['source_id']}/{body['run_id']}"
    names = ("source_id", "run_id", "automation_id", "run_mode")
    known = state.run_reviews.get(key) or RunReview(**{name: body[name] for name in names})
    if known.automation_id != body["automation_id"]:
        refuse(state, event, why=f"the run was reviewed as one of {known.automation_id}")
        return
    if signer is not None:
        known = replace(known, key_ids=tuple(dict.fromkeys((*known.key_ids, signer.key_id))))
    else:
        known = replace(known, unsigned=tuple(dict.fromkeys((*known.unsigned, event.actor))))
    state.run_reviews[key] = known
    state.touched.add(("run_review", key))


def on_waiver(state: State, event: Event) -> None:
    """Take in that automations were taken over as already running: it opens nothing, and screens show it."""
    for automation_id in event.payload["automation_ids"]:
        state.waived[automation_id] = f"{event.actor}: {event.reason}"

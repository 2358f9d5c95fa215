"""The commands about sign-offs and policy, given through the one command path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.control.resuming import ResumeRequest, trusted
from workbench.control.sharing import TicketOffice
from workbench.control.signoff import (
    decide_policy,
    decide_policy_request,
    decide_signoff_give,
    decide_signoff_request,
)
from workbench.policy import Policy, policy_to
from workbench.records import SignOff, TwoPersonRequest
from workbench.store.store import Command

if TYPE_CHECKING:
    from workbench.control.commands import Control


def request_signoff(
    control: Control, request: ResumeRequest, *, command_id: str | None = None
) -> SignOff:
    """Ask for the sign-off of a resume, exactly as it would be done; raises Refused as the resume would."""
    now = control.clock.now()
    wanted = request.command(control.new_id(command_id))
    command = replace(wanted, content={**wanted.content, "name": "signoff request"})
    tickets = TicketOffice(control.store)
    done = control.transact(
        command,
        lambda s, who: decide_signoff_request(
            trusted(s), request, who=who, now=now, tickets=tickets
        ),
    )
    return list(done.state.signoffs.values())[-1]


def give_signoff(control: Control, signoff_id: str, *, command_id: str | None = None) -> SignOff:
    """Sign off what somebody else asked for; the signature covers its plan. Raises Refused."""
    now = control.clock.now()
    known = control.state().signoffs.get(signoff_id)
    seen = {"decision_digest": known.decision_digest, "plan": dict(known.plan)} if known else {}
    content = {"name": "signoff give", "signoff_id": signoff_id, **seen}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda s, who: decide_signoff_give(trusted(s), signoff_id, who=who, now=now),
    )
    return done.state.signoffs[signoff_id]


def apply_policy(control: Control, policy: Policy, *, command_id: str | None = None) -> Policy:
    """Record a policy under the one before it; raises Refused for who may not change it."""
    now = control.clock.now()
    content = {"name": "policy apply", "policy": policy_to(policy)}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda s, who: decide_policy(trusted(s), policy, who=who, now=now),
    )
    return done.state.policies[policy.environment]


def request_policy(
    control: Control, policy: Policy, *, command_id: str | None = None
) -> TwoPersonRequest:
    """Ask another person for a policy that is weaker than the present one; raises Refused where none is needed."""
    now = control.clock.now()
    content = {"name": "policy request", "policy": policy_to(policy)}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda s, who: decide_policy_request(trusted(s), policy, who=who, now=now),
    )
    return done.state.requests[done.events[-1].target]

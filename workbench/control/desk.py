"""The desk of sign-offs: what waits for another person's word, and the way to give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.control.approving import apply_policy, give_signoff
from workbench.control.countersigning import waiting
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.pending import (
    Pending,
    PendingSignoff,
    decisions_unasked,
    pending_request,
    pending_signoffs,
    rule_in_words,
)
from workbench.errors import NotFound
from workbench.policy import policy_from
from workbench.records import Decision, TwoPersonRequest
from workbench.store.countersigning import enrolment_content
from workbench.store.signoffs import policy_of

if TYPE_CHECKING:
    from workbench.control.commands import Control


@dataclass(frozen=True)
class Desk:
    """What waits for another person's word at one position of the log.

    Attributes:
        pending: sign-offs, then policies and keys, each newest first.
        rule: whose word a resume needs under the policy, in words.
        unasked: decisions that need a sign-off which nobody asked for.
    """

    rule: str
    pending: tuple[Pending, ...] = ()
    unasked: tuple[Decision, ...] = ()


class SignoffDesk:
    """Lists what waits for another person and gives their word, through the command path of everybody."""

    def __init__(self, control: Control) -> None:
        """Take the control layer that answers and records."""
        self._control = control

    def read(self) -> Desk:
        """Return all that waits now."""
        state, now = self._control.state(), self._control.clock.now()
        return Desk(
            f"The policy of {state.environment} {rule_in_words(policy_of(state))}.",
            (
                *pending_signoffs(state, now=now),
                *(
                    pending_request(state, asked, content=self._content(asked), now=now)
                    for asked in reversed(waiting(state, now=now))
                ),
            ),
            decisions_unasked(state, now=now),
        )

    def give(self, pending: Pending, *, command_id: str | None) -> None:
        """Do what waits, exactly as it was shown; raises Refused saying why not."""
        control = self._control
        if isinstance(pending, PendingSignoff):
            give_signoff(control, pending.signoff_id, command_id=command_id)
        elif pending.is_policy:
            apply_policy(control, policy_from(pending.content["policy"]), command_id=command_id)
        else:
            enrol_key(control, Enrolment.from_content(pending.content), command_id=command_id)

    def _content(self, asked: TwoPersonRequest) -> dict[str, object]:
        """Return exactly what was asked for, as the log holds it: the fold keeps its digest alone."""
        found = self._control.store.events(asked.requested_seq - 1, asked.requested_seq)
        if not found:
            raise NotFound(f"Event {asked.requested_seq} of the log cannot be read.")
        return enrolment_content(found[0].payload)

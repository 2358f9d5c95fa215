"""Sign-offs that wait for somebody, as the terminal and the panel show them, and the way to give one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.control.approving import give_signoff
from workbench.control.signoff import signoff_state
from workbench.records import Decision, Hold, SignOff
from workbench.scope import EVERYTHING
from workbench.store.signoffs import LACKING

if TYPE_CHECKING:
    from workbench.control.commands import Control


@dataclass(frozen=True)
class PendingSignoff:
    """A sign-off that was asked for and can still be given or used.

    Attributes:
        lacking: how many that count it still needs, in words; empty when the resume may go.
    """

    signoff: SignOff
    hold: Hold
    decision: Decision
    lacking: str

    @property
    def signoff_id(self) -> str:
        """The short id."""
        return self.signoff.signoff_id

    @property
    def plan_in_words(self) -> str:
        """Say exactly what it opens."""
        return plan_in_words(self.signoff)


def plan_in_words(signoff: SignOff) -> str:
    """Say exactly what a sign-off opens, on which decision, and until when."""
    plan = signoff.plan
    on = f"{signoff.hold_id} on {signoff.decision_id}"
    if "max_runs" not in plan:
        return f"release {on} ({', '.join(plan['covered'])})"
    end = f", until {plan['until']}" if plan["until"] else ""
    reading = "reading " if plan.get("effects") == "read" else ""
    scope = plan["scope"]
    shown = f"{EVERYTHING} (safe mode: everything)" if scope == EVERYTHING else scope
    return f"{plan['max_runs']} {reading}runs of {shown} through {on}{end}"


class SignoffDesk:
    """Lists what waits for a sign-off and gives one, through the command path of everybody."""

    def __init__(self, control: Control) -> None:
        """Take the control layer that answers and records."""
        self._control = control

    def pending(self) -> tuple[PendingSignoff, ...]:
        """Return the sign-offs that can still be given or used, newest first."""
        state, now = self._control.state(), self._control.clock.now()
        found = []
        for signoff in reversed(state.signoffs.values()):
            why = signoff_state(state, signoff, now=now)
            hold = state.holds[signoff.hold_id]
            if hold.released_seq is None and (not why or LACKING in why):
                decision = state.decisions[signoff.decision_id]
                found.append(PendingSignoff(signoff, hold, decision, why))
        return tuple(found)

    def give(self, signoff_id: str, *, command_id: str | None = None) -> SignOff:
        """Sign off what somebody else asked for; raises Refused saying why not."""
        return give_signoff(self._control, signoff_id, command_id=command_id)

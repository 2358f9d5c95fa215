"""The end of a drill: its own hold is released without a decision, for it covers made-up work alone."""

from __future__ import annotations

from datetime import datetime

from workbench.control.placing import standing_hold
from workbench.errors import Refused
from workbench.store.log import Draft
from workbench.store.signoffs import drill_end_fault
from workbench.store.state import State
from workbench.store.store import Change, Command


def drill_end_command(hold_id: str, command_id: str) -> Command:
    """Return the end of a drill as a command."""
    return Command(command_id, {"name": "drill_end", "hold_id": hold_id})


def decide_drill_end(state: State, hold_id: str, *, actor: str, now: datetime) -> Change:
    """Return the release of a drill's hold; raises Refused for any other hold."""
    hold = standing_hold(state, hold_id)
    if why := drill_end_fault(state, hold_id):
        raise Refused(
            f"{hold_id} is not released as a drill: {why}.",
            next_step=f"`workbench review {hold_id}`, then `workbench decide R-N`",
        )
    payload = {
        "covered": sorted(state.covered[hold_id]),
        "decision_id": "",
        "break_glass_reason": "",
        "is_drill_end": True,
    }
    reason = "the drill ended"
    draft = Draft(
        now,
        actor,
        "hold.release",
        hold_id,
        reason=reason,
        correlation_id=hold.hold_id,
        payload=payload,
    )
    return Change([draft])

"""Taking over a hold that is overdue: another owner answers for it from then on; it stays where it is."""

from __future__ import annotations

from datetime import datetime

from workbench.clock import to_text
from workbench.control.commands import Control
from workbench.control.placing import standing_hold, storable
from workbench.control.signing import Who
from workbench.errors import Refused, UsageFault
from workbench.records import Hold, HoldState
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command


def take_over(
    control: Control,
    hold_id: str,
    *,
    reason: str,
    review_by: datetime | None = None,
    command_id: str | None = None,
) -> Hold:
    """Answer for an overdue hold, with a new time of review or none; raises Refused for one that is not overdue.

    Nothing is opened: the hold pauses what it paused before.
    """
    now = control.clock.now()
    content = {
        "name": "hold take-over",
        "hold_id": hold_id,
        "reason": storable(reason),
        "review_by": to_text(review_by) if review_by else "",
    }
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda state, who: _decide(state, who, content, now=now),
    )
    return done.state.holds[hold_id]


def _decide(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    hold = standing_hold(state, content["hold_id"])
    if not content["reason"]:
        raise UsageFault(
            "A take-over needs a reason.",
            next_step=f"`workbench hold take-over {hold.hold_id} --reason TEXT`",
        )
    reached = max(now, state.newest_at or now)
    if hold.state_at(reached) is not HoldState.LAPSED:
        due = (
            f"is due for review at {hold.review_by:%Y-%m-%d %H:%M:%S} UTC" if hold.review_by else ""
        )
        raise Refused(
            f"{hold.hold_id} {due or 'has no time of review'} and {hold.keeper} answers for it; "
            "only an overdue hold is taken over.",
            next_step=f"talk to {hold.keeper}, or review it: `workbench review {hold.hold_id}`",
        )
    if content["review_by"] and content["review_by"] <= to_text(reached):
        raise UsageFault("`--review-by` lies in the past; name a later time.")
    draft = Draft(
        now,
        who.text,
        "hold.take_over",
        hold.hold_id,
        reason=content["reason"],
        correlation_id=hold.incident_id or hold.hold_id,
        payload={"review_by": content["review_by"] or None, "from": hold.keeper},
    )
    return Change([draft])

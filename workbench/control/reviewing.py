"""Reviewing a break-glass resume afterwards: it is flagged until two people with keys have done so."""

from __future__ import annotations

from datetime import datetime

from workbench.control.commands import Control
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.errors import NotFound, Refused, UsageFault
from workbench.store.log import Draft
from workbench.store.signoffs import holds_role
from workbench.store.state import REVIEWERS_NEEDED, State
from workbench.store.store import Change, Command


def review_break_glass(
    control: Control, target: str, *, reason: str, command_id: str | None = None
) -> int:
    """Record that this person reviewed a break-glass resume; returns how many people still must."""
    now = control.clock.now()
    content = {"name": "reviewed", "target": target, "reason": storable(reason)}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda s, who: _decide_review(s, who, content, now=now),
    )
    return max(0, REVIEWERS_NEEDED - len(done.state.reviewers.get(target, ())))


def _decide_review(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    target, reason = content["target"], content["reason"]
    probation = state.probations.get(target)
    if not (probation and probation.break_glass_reason) and (
        target not in state.break_glass_releases
    ):
        raise NotFound(
            f"{target} is no break-glass resume.", next_step="see the flags of `workbench status`"
        )
    if not reason:
        raise UsageFault(
            "Say what you found; add `--reason TEXT`.", next_step="add `--reason TEXT`"
        )
    key = key_of(who, "A review of a break-glass resume")
    doer = probation.started_by if probation else state.holds[target].released_by
    why = ""
    if who.text == doer:
        why = f"{key.person} did {target} and does not review it"
    elif not holds_role(state, key, roles=()):
        why = f"{key.person} is not a member of {key.role} in the registry"
    elif key.person in state.reviewers.get(target, ()):
        why = f"{key.person} reviewed {target} before"
    if why:
        raise Refused(
            f"{why}.", next_step=f"another person types `workbench reviewed {target} -r TEXT`"
        )
    return Change([Draft(now, who.text, "break_glass.review", target, reason=reason)])

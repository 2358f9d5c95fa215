"""Deciding a pause: what a hold covers and which event records it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from workbench.clock import to_text
from workbench.errors import NoMatch, NotFound, Refused, UsageFault
from workbench.records import Automation, Hold, Mode, Purpose
from workbench.scope import Scope, no_match
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class PauseRequest:
    """What is asked: stop a scope, for a reason."""

    scope: str
    reason: str
    mode: Mode = Mode.FREEZE
    purpose: Purpose = Purpose.INCIDENT
    incident_id: str = ""
    review_by: datetime | None = None
    is_unregistered: bool = False

    def command(self, command_id: str) -> Command:
        """Return the request as a command with an id of its own."""
        content = {
            "name": "pause",
            "scope": storable(self.scope),
            "reason": storable(self.reason),
            "mode": str(self.mode),
            "purpose": str(self.purpose),
            "incident_id": storable(self.incident_id),
            "review_by": to_text(self.review_by) if self.review_by else "",
            "is_unregistered": self.is_unregistered,
        }
        return Command(command_id, content)


def storable(text: str) -> str:
    """Return text that has UTF-8 bytes: what a terminal could not decode must stop no command."""
    return text.encode("utf-8", "replace").decode().strip()


def covered_by(scope: Scope, state: State) -> tuple[Automation, ...]:
    """Return the registered automations that a new hold would cover."""
    return scope.select(state.automations.values())


def next_id(prefix: str, known: Collection[str]) -> str:
    """Return the next short id of a kind: ids count the log's events and are never used again.

    One that is known already, in a log that was written past the command path, is passed over.
    """
    numbers = itertools.count(len(known) + 1)
    return next(own for number in numbers if (own := f"{prefix}-{number}") not in known)


def decide_pause(
    state: State,
    request: PauseRequest,
    *,
    actor: str,
    now: datetime,
    also_covered: Sequence[str] = (),
) -> Change:
    """Return the event of a new hold; raises NoMatch when nothing would stop, UsageFault without a reason.

    `also_covered` are automations that it held before it could be recorded, whatever they are like now.
    """
    if not request.reason.strip():
        raise reasonless(request.scope)
    scope = Scope.parse(request.scope, state.automations.values())
    covered = sorted({*also_covered, *(a.automation_id for a in covered_by(scope, state))})
    if not covered:
        covered = _unregistered(scope, state, request.is_unregistered)
    hold_id = next_id("H", state.holds)
    payload = {
        "scope": str(scope),
        "purpose": str(request.purpose),
        "mode": str(request.mode),
        "incident_id": storable(request.incident_id),
        "review_by": to_text(request.review_by) if request.review_by else None,
        "covered": covered,
    }
    draft = Draft(
        now,
        actor,
        "hold.place",
        hold_id,
        reason=storable(request.reason),
        correlation_id=storable(request.incident_id) or hold_id,
        payload=payload,
    )
    return Change([draft])


def reasonless(scope: str) -> UsageFault:
    """Return the refusal of a pause that says not why, with the command that does."""
    return UsageFault(
        "A pause needs a reason.", next_step=f"`workbench pause {quote(scope)} --reason TEXT`"
    )


def _unregistered(scope: Scope, state: State, is_unregistered: bool) -> list[str]:
    named = dict(scope.terms).get("automation") if len(scope.terms) == 1 else None
    if scope.is_everything:
        return []  # safe mode holds what comes, too
    if named and is_unregistered:
        return [named]
    refusal = no_match(scope, state.automations.values())
    if not named:
        raise refusal
    hint = f" To hold it all the same: `workbench pause automation={named} --unregistered`."
    raise NoMatch(f"{refusal.message}{hint}", next_step=refusal.then)


def standing_hold(state: State, hold_id: str) -> Hold:
    """Return a hold that still stands; raises NotFound or Refused saying what is."""
    hold = state.holds.get(hold_id)
    if hold is None:
        standing = ", ".join(h.hold_id for h in state.standing_holds()) or "none"
        raise NotFound(
            f"There is no hold {hold_id}; standing holds: {standing}.",
            next_step="try `workbench hold list`",
        )
    if hold.released_seq is not None:
        raise Refused(
            f"{hold_id} was released by {hold.released_by} at {hold.released_at:%Y-%m-%d %H:%M:%S} UTC; "
            "a release is final.",
            next_step="place a new hold with `workbench pause`",
        )
    return hold

"""Asking for what two persons do: a weaker policy, or a key in another's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workbench.control.signing import Who, key_of
from workbench.errors import Refused
from workbench.records import EnrolledKey, TwoPersonRequest
from workbench.store.countersigning import KEY, POLICY, request_id, request_state, second_fault
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change

if TYPE_CHECKING:
    from workbench.control.commands import Control


@dataclass(frozen=True)
class Wish:
    """Something for which two persons are asked.

    Attributes:
        action: action of the event that does it; `content` is exactly what is done.
        about: what it does, in words; `ask` and `do` are the commands to type.
    """

    action: str
    content: Mapping[str, Any]
    about: str
    ask: str
    do: str

    @property
    def request_id(self) -> str:
        """The name of a request for exactly this."""
        return request_id(self.action, self.content)


def refuse_alone(state: State, wish: Wish, *, doer: EnrolledKey, now: datetime) -> None:
    """Refuse what one person would do alone; raises Refused with the two commands to type."""
    why = second_fault(state, wish.action, content=wish.content, doer=doer, now=now)
    if not why:
        return
    found = state.requests.get(wish.request_id)
    is_asked = found is not None and not request_state(state, found, now=now)
    about = f"{wish.about[0].upper()}{wish.about[1:]} needs two persons: {why}"
    reached = max(now, state.newest_at or now)
    if len(persons(state, reached)) > 1:
        asked = f"another person types {wish.do}"
        raise Refused(
            f"{about}.",
            next_step=asked if is_asked else f"{wish.ask}, then another person {wish.do}",
        )
    if over := _expired(state, doer, reached):
        whose = ", ".join(f"{key.key_id} of {key.person}" for key in over)
        revoke = ", ".join(f"`workbench key revoke {k.key_id} --reason TEXT`" for k in over)
        raise Refused(
            f"{about}; no other person's key signs any more ({whose} has expired).",
            next_step=f"{revoke}, then {_alone(wish)}",
        )
    raise Refused(
        f"{about}; enrol another person's key first.",
        next_step=f"{wish.ask}, then another person {wish.do}",
    )


def _expired(state: State, doer: EnrolledKey, reached: datetime) -> list[EnrolledKey]:
    """Return other persons' keys that only time took: revoking them is recorded, with a reason."""
    return [
        key
        for key in state.keys.values()
        if key.person != doer.person and key.revoked_seq is None and not key.is_live(reached)
    ]


def _alone(wish: Wish) -> str:
    """Return how somebody goes on who is alone on record."""
    return wish.do if wish.action == KEY else "enrol another person's key and ask anew"


def persons(state: State, reached: datetime) -> set[str]:
    """Return the persons who have a key that signs at an instant."""
    return {key.person for key in state.keys.values() if key.is_live(reached)}


def decide_request(state: State, wish: Wish, *, who: Who, now: datetime) -> Change:
    """Return the event that asks for it; raises Refused where the same was asked before and stands."""
    asker = key_of(who, "A request")
    known = state.requests.get(wish.request_id)
    if known is not None and not request_state(state, known, now=now):
        raise Refused(
            f"{state.keys[known.requester_key].person} asked for exactly this at event "
            f"{known.requested_seq}, until {known.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
            next_step=f"another person types {wish.do}",
        )
    action = "policy.request" if wish.action == POLICY else "key.request"
    reason = f"asked by {asker.person}: {wish.about}"
    draft = Draft(now, who.text, action, wish.request_id, reason=reason, payload=dict(wish.content))
    return Change([draft])


def pending_requests(control: Control) -> list[TwoPersonRequest]:
    """Return what waits for a second person, oldest first."""
    return waiting(control.state(), now=control.clock.now())


def waiting(state: State, *, now: datetime) -> list[TwoPersonRequest]:
    """Return the requests that another person may still do."""
    return [r for r in state.requests.values() if not request_state(state, r, now=now)]

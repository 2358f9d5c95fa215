"""A naive account of what is paused, written from the semantics alone: it replays everything each time.

It shares no code with the product: scopes are dictionaries, the history is a list, and nothing is kept
from one question to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Attributes = dict[str, Any]


@dataclass
class Hold:
    """What a replay knows of a hold."""

    wanted: Attributes
    covered: set[str] = field(default_factory=set)
    is_released: bool = False


@dataclass
class Narrow:
    """What a replay knows of a narrow restart."""

    hold_id: str
    wanted: Attributes
    runs: int
    until: datetime | None
    ids: set[str]
    ended: bool = False
    tickets: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Replay:
    """Everything that follows from a history."""

    automations: dict[str, Attributes] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    narrows: dict[str, Narrow] = field(default_factory=dict)
    newest: datetime | None = None

    def covering(self, automation_id: str) -> list[str]:
        """Return the unreleased holds on an automation, registered or not."""
        return [
            hold_id
            for hold_id, hold in self.holds.items()
            if not hold.is_released
            and (
                automation_id in hold.covered or hold.wanted in ({}, {"automation": automation_id})
            )
        ]

    def narrow_for(self, hold_id: str, automation_id: str) -> Narrow | None:
        """Return the narrow restart that still lets an automation through a hold."""
        for narrow in self.narrows.values():
            is_over = narrow.until is not None and self.newest and self.newest >= narrow.until
            is_of_it = narrow.hold_id == hold_id and automation_id in narrow.ids
            if is_of_it and not narrow.ended and not is_over:
                return narrow
        return None

    def may_run(self, automation_id: str, run_id: str) -> bool:
        """Tell whether a run may start now."""
        for hold_id in self.covering(automation_id):
            narrow = self.narrow_for(hold_id, automation_id)
            if narrow is None:
                return False
            is_new = (automation_id, run_id) not in narrow.tickets
            if is_new and len(narrow.tickets) >= narrow.runs:
                return False
        return True

    def word(self, automation_id: str) -> str:
        """Return what a screen says of an automation."""
        covering = self.covering(automation_id)
        narrows = [self.narrow_for(hold_id, automation_id) for hold_id in covering]
        if not covering:
            return "running"
        live = [n for n in narrows if n is not None and len(n.tickets) < n.runs]
        return "narrow restart" if len(live) == len(covering) else "paused"


def matches(wanted: Attributes, automation_id: str, attributes: Attributes) -> bool:
    """Tell whether an automation has every value that is wanted."""
    return all(
        value == (automation_id if key == "automation" else attributes[key])
        for key, value in wanted.items()
    )


def replay(history: list[tuple[Any, ...]]) -> Replay:
    """Go through a history from the beginning."""
    now = Replay()
    for what, *rest in history:
        _STEPS[what](now, *rest)
    return now


def _time(now: Replay, instant: datetime) -> None:
    now.newest = max(instant, now.newest or instant)
    for narrow in now.narrows.values():
        if narrow.until is not None and now.newest >= narrow.until:
            narrow.ended = True


def _register(now: Replay, automation_id: str, attributes: Attributes) -> None:
    now.automations[automation_id] = attributes
    for hold in now.holds.values():
        if not hold.is_released and matches(hold.wanted, automation_id, attributes):
            hold.covered.add(automation_id)
    for narrow in now.narrows.values():
        if not matches(narrow.wanted, automation_id, attributes):
            narrow.ids.discard(automation_id)


def _retire(now: Replay, automation_id: str) -> None:
    del now.automations[automation_id]
    for narrow in now.narrows.values():
        narrow.ids.discard(automation_id)


def _hold(now: Replay, hold_id: str, wanted: Attributes) -> None:
    ids = {a for a, attributes in now.automations.items() if matches(wanted, a, attributes)}
    if not ids and set(wanted) == {"automation"}:
        ids = {wanted["automation"]}
    now.holds[hold_id] = Hold(wanted, ids)


def _release(now: Replay, hold_id: str) -> None:
    now.holds[hold_id].is_released = True
    for narrow in now.narrows.values():
        narrow.ended = narrow.ended or narrow.hold_id == hold_id


def _narrow(now: Replay, narrow_id: str, found: Narrow) -> None:
    for other in now.narrows.values():
        if other.hold_id == found.hold_id and other.ids & found.ids:
            other.ended = True
    now.narrows[narrow_id] = Narrow(
        found.hold_id, found.wanted, found.runs, found.until, set(found.ids)
    )


def _command(now: Replay) -> None:
    """With any recorded command the narrow restarts that are used up end."""
    for narrow in now.narrows.values():
        narrow.ended = narrow.ended or len(narrow.tickets) >= narrow.runs


def _ticket(now: Replay, automation_id: str, run_id: str) -> None:
    for hold_id in now.covering(automation_id):
        narrow = now.narrow_for(hold_id, automation_id)
        assert narrow is not None
        narrow.tickets.add((automation_id, run_id))


_STEPS = {
    "time": _time,
    "register": _register,
    "retire": _retire,
    "hold": _hold,
    "release": _release,
    "narrow": _narrow,
    "ticket": _ticket,
    "command": _command,
}

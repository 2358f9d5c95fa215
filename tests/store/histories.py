"""What several processes asked and heard, checked against one log: is there one order that explains it all?

The log gives the order of what was recorded. It must keep real time (what had ended before another began
comes first), each answer must be what a sequential replay gives at its place, and what recorded nothing (a
refusal, a repeat, a question) must have a place between what ended before it and what began after it.
A command that was killed may be there or not. The replay shares no code with the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Said = dict[str, Any]
AGENTS = frozenset({"invoice-triage", "product-copy", "ticket-reply"})
ENDLESS = 2**63
ACTIONS = {
    "place": "hold.place",
    "release": "hold.release",
    "narrow": "probation.start",
    "take over": "hold.take_over",
}


@dataclass(frozen=True)
class Operation:
    """One thing that a process asked for.

    Attributes:
        said: what it heard; None where it was killed before it could.
        begun: when it asked; ended: when it heard, both in nanoseconds.
    """

    worker: str
    number: int
    asked: Said
    begun: int
    said: Said | None = None
    ended: int = ENDLESS

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"{self.worker}-{self.number} {self.asked} -> {self.said}"


@dataclass(frozen=True)
class Recorded:
    """An event of the log, as far as a replay needs it."""

    seq: int
    action: str
    target: str
    command_id: str
    scope: str = ""
    is_due: bool = False


@dataclass
class Known:
    """What a replay knows of a hold."""

    scope: str
    changed: int
    is_due: bool
    is_released: bool = False

    def covers(self, automation: str) -> bool:
        """Tell whether the hold stops an automation."""
        wanted = {"*": True, "kind=agent": automation in AGENTS}
        return not self.is_released and wanted.get(
            self.scope, self.scope == f"automation={automation}"
        )


@dataclass
class Replay:
    """The state after a number of events, and what each question would be answered there."""

    holds: dict[str, Known] = field(default_factory=dict)
    ids: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    narrow_count: int = 0

    def answer(self, asked: Said) -> Said:
        """Return what is said to a question or command here."""
        match asked["do"]:
            case "place":
                return self._place(asked)
            case "ask":
                holds = sorted(
                    h for h, known in self.holds.items() if known.covers(asked["automation"])
                )
                return {"state": "PAUSED" if holds else "CLEAR", "holds": holds}
            case "look":
                return {"standing": [h for h, known in self.holds.items() if not known.is_released]}
        return self._of_hold(asked)

    def _place(self, asked: Said) -> Said:
        known = self.ids.get(asked["id"])
        if known is not None:
            is_same = known[:2] == ("hold.place", asked["scope"])
            return {"yes": known[2], "again": True} if is_same else {"no": "Conflict"}
        return {"yes": f"H-{len(self.holds) + 1}", "again": False}

    def _of_hold(self, asked: Said) -> Said:
        hold = self.holds.get(asked["hold"])
        if hold is None:
            return {"no": "NotFound"}
        base = asked.get("based_on")
        is_stale = base is not None and hold.changed > base
        if hold.is_released or is_stale or (asked["do"] == "take over" and not hold.is_due):
            return {"no": "Refused"}
        return {"yes": f"P-{self.narrow_count + 1}" if asked["do"] == "narrow" else asked["hold"]}

    def take(self, event: Recorded) -> None:
        """Take in an event."""
        self.ids.setdefault(event.command_id, (event.action, event.scope, event.target))
        if event.action == "hold.place":
            self.holds[event.target] = Known(event.scope, event.seq, event.is_due)
        elif event.action == "hold.release":
            self.holds[event.target].is_released = True
            self.holds[event.target].changed = event.seq
        elif event.action == "hold.take_over":
            self.holds[event.target].is_due = False
        elif event.action == "probation.start":
            self.narrow_count += 1
            self.holds[event.scope].changed = event.seq


def read_history(lines: Iterable[str]) -> list[Operation]:
    """Read what the processes wrote down; the last line of a killed one may be torn."""
    found: dict[tuple[str, int], Operation] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "asked" in entry:
            operation = Operation(entry["worker"], entry["number"], entry["asked"], entry["at"])
            found[entry["worker"], entry["number"]] = operation
        elif "said" in entry:
            begun = found[entry["worker"], entry["number"]]
            found[entry["worker"], entry["number"]] = Operation(
                begun.worker, begun.number, begun.asked, begun.begun, entry["said"], entry["at"]
            )
    return sorted(found.values(), key=lambda o: o.begun)


class Check:
    """One history against one log."""

    def __init__(
        self, operations: Sequence[Operation], log: Sequence[Recorded], first: int
    ) -> None:
        """Take what was asked, and the log from its `first` event on that belongs to the history."""
        self.operations = operations
        self.log = log
        self.first = first
        self.own = self._owners()
        self.wrongs: list[str] = []

    def _owners(self) -> dict[int, Operation]:
        """Return which operation made which event: of those with one id the first that could have."""
        found: dict[int, Operation] = {}
        for event in self.log:
            taken = set(map(id, found.values()))
            candidates = [
                o for o in self.operations if _may_have_made(o, event) and id(o) not in taken
            ]
            if event.seq >= self.first and candidates:
                # Who was told so comes before who was killed and may have come second.
                found[event.seq] = min(candidates, key=lambda o: (o.said is None, o.begun))
        return found

    def findings(self) -> list[str]:
        """Return what no order explains; an empty list means that there is one."""
        states = self._states()
        self._events_are_asked_for_and_told(states)
        self._log_keeps_real_time()
        self._answers_have_a_place(states)
        return self.wrongs

    def _states(self) -> list[Replay]:
        """Return the replay after each event: item n after event n."""
        states, events = [], list(self.log)
        for count in range(len(events) + 1):
            now = Replay()
            for event in events[:count]:
                now.take(event)
            states.append(now)
        return states

    def _events_are_asked_for_and_told(self, states: Sequence[Replay]) -> None:
        for event in self.log:
            if event.seq < self.first or event.action not in ACTIONS.values():
                continue
            operation = self.own.get(event.seq)
            if operation is None:
                self.wrongs.append(
                    f"event {event.seq} ({event.action} {event.target}) was not asked for"
                )
                continue
            expected = states[event.seq - 1].answer(operation.asked)
            if (
                expected != {**expected, **(operation.said or {})}
                or expected.get("yes") != event.target
            ):
                self.wrongs.append(
                    f"event {event.seq} made {event.target}, a replay gives {expected}: {operation.name}"
                )
        recorded = set(map(id, self.own.values()))
        for operation in self.operations:
            said = operation.said or {}
            if "yes" in said and not said.get("again") and id(operation) not in recorded:
                self.wrongs.append(f"acknowledged, and not in the log: {operation.name}")

    def _log_keeps_real_time(self) -> None:
        ordered = sorted(self.own.items())
        for at, (seq, later) in enumerate(ordered):
            for before, earlier in ordered[:at]:
                if later.ended < earlier.begun:
                    self.wrongs.append(
                        f"event {seq} had been answered before event {before} was asked for: {later.name}; {earlier.name}"
                    )

    def _answers_have_a_place(self, states: Sequence[Replay]) -> None:
        """Give each answer that recorded nothing the earliest place that real time allows."""
        placed: list[tuple[int, int]] = [(o.ended, seq) for seq, o in self.own.items()]
        events = [(o.begun, seq) for seq, o in self.own.items()]
        made = set(map(id, self.own.values()))
        for operation in self.operations:
            if operation.said is None or id(operation) in made:
                continue
            low = max([self.first - 1, *(seq for ended, seq in placed if ended < operation.begun)])
            high = min(
                [len(self.log), *(seq - 1 for begun, seq in events if begun > operation.ended)]
            )
            place = _place_of(operation, states, low, high)
            if place is None:
                self.wrongs.append(f"no place from {low} to {high} explains {operation.name}")
            else:
                placed.append((operation.ended, place))


def _may_have_made(operation: Operation, event: Recorded) -> bool:
    asked, said = operation.asked, operation.said
    if ACTIONS.get(asked["do"]) != event.action or asked["id"] != event.command_id:
        return False
    is_same = asked["do"] != "place" or asked["scope"] == event.scope
    return is_same and (said is None or ("yes" in said and said.get("again") is not True))


def _place_of(operation: Operation, states: Sequence[Replay], low: int, high: int) -> int | None:
    said = operation.said or {}
    if "error" in said:
        return None
    if operation.asked["do"] == "ask" and said.get("reason"):
        return None if said["state"] == "CLEAR" else low  # a publication was under way
    places = range(low, high + 1) if said.get("seq") is None else [said["seq"]]
    for place in places:
        expected = states[place].answer(operation.asked) if low <= place <= high else None
        if expected is not None and expected == {k: v for k, v in said.items() if k != "seq"}:
            return place
    return None

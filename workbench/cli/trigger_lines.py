"""What `workbench triggers` and `serve` say of a look: what fires, who was told, and how to pause or acknowledge it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.cli.present import one_line
from workbench.clock import from_text
from workbench.noticing import Noticed
from workbench.records import Event
from workbench.store.state import State
from workbench.telling import Told
from workbench.trigger_rules import TriggerFinding, TriggerState

_HOW = {"success": "TOLD", "unknown": "PERHAPS TOLD", "failure": "NOT TOLD"}


def _new_lines(state: State, one: TriggerFinding) -> list[str]:
    if one.state is TriggerState.FIRES:
        return firing_lines(state, one)
    word = "over" if one.state is TriggerState.QUIET else "CANNOT TELL"
    return [one_line(f"{word}  {one.scope}  {one.rule}: {one.sentence}")]


def firing_lines(state: State, one: TriggerFinding) -> list[str]:
    """Return what fires: since when, number and threshold, whom to tell, and the command that pauses it."""
    known = state.triggers[one.key]
    holds = sorted({h.hold_id for i in _ids(state, one.scope) for h in state.holds_on(i)})
    held = f"held by {', '.join(holds)}" if holds else "not held"
    since = f"{from_text(known['since']):%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"FIRES  {one.scope}  {one.rule}  since {since}, event {known['seq']}, {held}",
        f"    {one.sentence}; fires at {one.threshold} ({one.source}); query {one.query}",
        f"    tell: {', then '.join(known['tell'])}",
        f"    {_told_words(known)}",
        f"    {known['pause']}",
    ]
    return [one_line(line) for line in lines]


def _told_words(known: Mapping[str, Any]) -> str:
    """Return who was told of an episode, and who took it on or how that is done."""
    told = [
        f"{_HOW.get(one['outcome'], 'PERHAPS TOLD').lower()} {role} at {_time(one['told_at'])}"
        for role, one in known.get("notices", {}).items()
    ]
    if by := known.get("acknowledged_by"):
        last = f"acknowledged by {by} at {_time(known['acknowledged_at'])}"
    else:
        own = f"{known['scope']}/{known['rule']}"
        last = shlex.join(["workbench", "triggers", "--acknowledge", own])
    return "; ".join([*(told or ["nobody was told"]), last])


def _time(text: str) -> str:
    return f"{from_text(text):%H:%M:%S} UTC"


def _ids(state: State, scope: str) -> list[str]:
    key, _, value = scope.partition("=")
    if key == "automation":
        return [value]
    return [i for i, a in state.automations.items() if a.category == value and not a.is_retired]


def news(state: State, noticed: Noticed) -> Iterator[str]:
    """Give the lines of what is new in a look, none where nothing is."""
    new = {e.target for e in noticed.events}
    for one in noticed.findings:
        if one.key in new:
            yield from _new_lines(state, one)
    yield from hold_lines(noticed.hold_ids, noticed.kept_back if new else "")
    yield from told_lines(noticed.told, is_new=bool(new))


def hold_lines(hold_ids: tuple[str, ...], kept_back: str) -> Iterator[str]:
    """Give the lines about guard holds: those that were placed, and why none was."""
    if hold_ids:
        yield f"Placed {', '.join(hold_ids)}; see `workbench hold list`."
    if kept_back:
        yield f"NOT PAUSED, though the registry asks for it: {kept_back}."


def told_lines(told: Told, *, is_new: bool = True) -> Iterator[str]:
    """Give the lines about who was told now, and who was not and why; never an address."""
    for event in told.events:
        if event.action == "notice.lack":
            yield one_line(f"NOT TOLD  {event.target}: {event.reason}")
        elif event.action == "notice.end":
            yield one_line(_told_line(event))
    if told.fault and is_new:
        yield one_line(f"NOBODY IS TOLD: {told.fault}.")


def _told_line(event: Event) -> str:
    why = f": {event.reason}" if event.reason else ""
    of = f"that {event.target} is over" if event.payload.get("is_over") else f"of {event.target}"
    return f"{_HOW[event.outcome]}  {event.payload['role']}  {of}{why}"

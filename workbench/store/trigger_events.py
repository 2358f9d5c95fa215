"""The fold of what looks found, whom it was told and who acknowledged it; none of it pauses or opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.clock import to_text
from workbench.records import Event
from workbench.store.state import State
from workbench.trigger_rules import TriggerState


def on_fire(state: State, event: Event) -> None:
    """Begin an episode, in place of one that a restart ended."""
    _keep(state, event, TriggerState.FIRES)


def on_clear(state: State, event: Event) -> None:
    """End an episode, or a doubt."""
    _keep(state, event, TriggerState.QUIET)


def on_doubt(state: State, event: Event) -> None:
    """Keep that nothing can be told; an episode that lasts goes on lasting, with that doubt."""
    known = state.triggers.get(event.target, {})
    if known.get("state") != TriggerState.FIRES:
        _keep(state, event, TriggerState.CANNOT_TELL)
        return
    state.triggers[event.target] = {**known, "doubt": event.reason}
    state.touched.add(("trigger", event.target))


def on_acknowledge(state: State, event: Event) -> None:
    """Keep who took an episode on: nobody further is told of it."""
    known = _episode(state, event)
    if known and "acknowledged_by" not in known:
        told = {"acknowledged_by": event.actor, "acknowledged_at": to_text(event.occurred_at)}
        _change(state, event, {**known, **told})


def on_notice_begin(state: State, event: Event) -> None:
    """Keep that a role is about to be told; whoever comes later does not tell it again."""
    if known := _episode(state, event):
        one = {
            "told_at": to_text(event.occurred_at),
            "tries": event.payload["tries"],
            "outcome": "pending",
        }
        _change(state, event, _with_notice(known, event, one))


def on_notice_end(state: State, event: Event) -> None:
    """Keep how telling a role went."""
    known = _episode(state, event)
    begun = known.get("notices", {}).get(event.payload["role"])
    if begun and begun["tries"] == event.payload["tries"]:
        one = {**begun, "outcome": event.outcome, "reason": event.reason}
        _change(state, event, _with_notice(known, event, one))


def _episode(state: State, event: Event) -> dict[str, Any]:
    """Return the episode that an event is about where it still lasts, or whose end it tells of; else nothing."""
    known = state.triggers.get(event.target, {})
    if event.payload.get("is_over"):
        return known if known.get("over", {}).get("episode") == event.payload["episode"] else {}
    is_same = known.get("seq") == event.payload["episode"]
    return known if is_same and known["state"] == TriggerState.FIRES else {}


def _with_notice(known: dict[str, Any], event: Event, one: dict[str, Any]) -> dict[str, Any]:
    return {**known, "notices": {**known.get("notices", {}), event.payload["role"]: one}}


def _change(state: State, event: Event, known: dict[str, Any]) -> None:
    state.triggers[event.target] = known
    state.touched.add(("trigger", event.target))


def _keep(state: State, event: Event, found: TriggerState) -> None:
    told = {name: value for name, value in event.payload.items() if name != "command"}
    carried = {} if found is TriggerState.FIRES else _end_to_tell(state, event.target)
    state.triggers[event.target] = {
        **carried,
        **told,
        "state": str(found),
        "since": to_text(event.occurred_at),
        "seq": event.seq,
        "reason": event.reason,
    }
    state.touched.add(("trigger", event.target))


def _end_to_tell(state: State, key: str) -> dict[str, Any]:
    """Return the end of the episode before and who was told of it: a doubt in between makes nobody know of it.

    When and why it ended is kept with it, for both are the doubt's from then on.
    """
    known = state.triggers.get(key, {})
    if "over" not in known:
        return {}
    over = {"ended_at": known["since"], "end_reason": known["reason"], **known["over"]}
    return {"over": over, "notices": known.get("notices", {})}


ON_TRIGGERS: Mapping[str, Callable[[State, Event], None]] = {
    "trigger.fire": on_fire,
    "trigger.clear": on_clear,
    "trigger.doubt": on_doubt,
    "trigger.acknowledge": on_acknowledge,
    "notice.begin": on_notice_begin,
    "notice.end": on_notice_end,
}

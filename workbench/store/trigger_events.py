"""The fold of what looks found: episodes that began, ended, or cannot be told; none of it pauses or opens."""

from __future__ import annotations

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


def _keep(state: State, event: Event, found: TriggerState) -> None:
    told = {name: value for name, value in event.payload.items() if name != "command"}
    state.triggers[event.target] = {
        **told,
        "state": str(found),
        "since": to_text(event.occurred_at),
        "seq": event.seq,
        "reason": event.reason,
    }
    state.touched.add(("trigger", event.target))

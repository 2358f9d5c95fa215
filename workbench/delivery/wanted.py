"""What the log wants of one engine: which of its workflows are to be paused, how, and for which hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from workbench.engines.switching import EngineScope, ScopeKind
from workbench.records import Automation, Hold, Mode
from workbench.store.state import State, scope_of

EVERYTHING = EngineScope(ScopeKind.ENGINE, "*")


@dataclass(frozen=True)
class Want:
    """One part of an engine that is to be paused.

    Attributes:
        automation_id: the automation that it stands for; empty for the whole engine (safe mode).
        hold: the oldest of the strongest holds on it: its reason is told to the engine.
        hold_ids: every hold that pauses it.
    """

    scope: EngineScope
    automation_id: str
    mode: Mode
    hold: Hold
    hold_ids: tuple[str, ...]


def scope_for(automation: Automation) -> EngineScope:
    """Return what an automation is called in its engine."""
    return EngineScope(ScopeKind.WORKFLOW, automation.engine_ref or automation.automation_id)


def bound_to(engine_id: str, automations: Iterable[Automation]) -> tuple[Automation, ...]:
    """Return the automations that an engine runs, retired ones included: a hold on them still stands."""
    return tuple(one for one in automations if one.engine == engine_id)


def wanted_of(state: State, engine_id: str, *, instant: datetime) -> tuple[Want, ...]:
    """Return what of an engine is to be paused at an instant; what is not in it is to run.

    A narrow restart opens an engine only for an automation that asks the gate, which counts its runs; the
    others stay paused, for an engine starts more than it was let before anybody can count.
    """
    found = []
    for automation in bound_to(engine_id, state.automations.values()):
        holds = state.paused_by(automation.automation_id, instant)
        if not automation.asks_gate:
            holds = state.holds_on(automation.automation_id)
        if holds:
            found.append(_want(scope_for(automation), automation.automation_id, holds))
    everything = [h for h in state.standing_holds() if scope_of(h.scope).is_everything]
    if everything:
        found.append(_want(EVERYTHING, "", everything))
    return tuple(found)


def is_still_wanted(state: State, automation_ids: Iterable[str], *, instant: datetime) -> bool:
    """Tell whether a hold still pauses any of these, whatever the registry says of their engine by now.

    What no automation stands for was paused in safe mode, and is wanted paused while any safe mode stands.
    """
    known = [(one, state.automations.get(one)) for one in automation_ids]
    if not known:
        return any(scope_of(hold.scope).is_everything for hold in state.standing_holds())
    return any(
        state.paused_by(one, instant)
        or (state.holds_on(one) and not (automation and automation.asks_gate))
        for one, automation in known
    )


def by_mode(wants: Iterable[Want]) -> Mapping[Mode, tuple[Want, ...]]:
    """Return wants by mode, the strongest first."""
    found: dict[Mode, list[Want]] = {}
    for want in wants:
        found.setdefault(want.mode, []).append(want)
    return {
        mode: tuple(found[mode]) for mode in sorted(found, key=lambda m: m.strength, reverse=True)
    }


def _want(scope: EngineScope, automation_id: str, holds: list[Hold]) -> Want:
    strongest = max(holds, key=lambda hold: hold.mode.strength)
    return Want(scope, automation_id, strongest.mode, strongest, tuple(h.hold_id for h in holds))

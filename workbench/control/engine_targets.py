"""How far a hold has come where an engine runs the automation: the gate's part and the engine's part as one."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import datetime

from workbench.clock import from_text
from workbench.delivery.kept import FLAP_LIMIT
from workbench.delivery.parts import Look, Part
from workbench.records import Hold, Target, TargetState
from workbench.store.state import State


def with_engines(
    targets: tuple[Target, ...],
    hold: Hold,
    *,
    state: State,
    engine_ids: Set[str],
    looks: Mapping[str, Look],
) -> tuple[Target, ...]:
    """Return the targets with what is known of the engines that run them, those not yet there first.

    What a pass has just seen counts more than what was recorded of an earlier one.
    """
    found = []
    for target in targets:
        automation = state.automations.get(target.automation_id)
        if automation is None or automation.engine not in engine_ids:
            found.append(target)
            continue
        known = _recorded(state, hold.hold_id, target.automation_id)
        look = looks.get(automation.engine)
        part = known if look is None else look.parts.get(target.automation_id, known)
        is_away = bool(look and look.fault)
        if look is None and (given_up := _given_up(state, automation.engine, target.automation_id)):
            part = replace(part, confirmed_at=None, quiet_at=None, why=given_up)
        asks = automation.asks_gate
        found.append(_joined(target, part, automation.engine, is_away=is_away, asks_gate=asks))
    return tuple(sorted(found, key=lambda t: (t.confirmed_at is not None, t.quiet_at is not None)))


def _recorded(state: State, hold_id: str, automation_id: str) -> Part:
    known = state.observed.get((hold_id, automation_id), {})

    def at(name: str) -> datetime | None:
        text = known.get(f"engine_{name}")
        return from_text(text) if text else None

    cannot, lost = known.get("engine_cannot", ""), known.get("engine_lost", "")
    if why := cannot or lost:  # what was read back once holds no longer
        return Part(at("delivered_at"), why=why, is_final=bool(cannot))
    return Part(at("delivered_at"), at("confirmed_at"), at("quiet_at"))


def _given_up(state: State, engine_id: str, automation_id: str) -> str:
    """Say that others un-paused it as often as is put up with, who did so last included, or return an empty text."""
    for (engine, target), times in state.drifts.items():
        body = state.receipts.get((engine, target))
        is_of_it = engine == engine_id and body and automation_id in body["automation_ids"]
        if is_of_it and len(times) >= FLAP_LIMIT:
            return f"{times[-1][1]}; un-paused {len(times)} times, look at it in {engine}"
    return ""


def _joined(
    target: Target, part: Part, engine_id: str, *, is_away: bool, asks_gate: bool
) -> Target:
    def both(gate: datetime | None, engine: datetime | None) -> datetime | None:
        if not asks_gate:
            return engine
        return max(gate, engine) if gate and engine else None

    delivered_at = both(target.delivered_at, part.delivered_at)
    confirmed_at = both(target.confirmed_at, part.confirmed_at)
    quiet_at = both(target.quiet_at, part.quiet_at) if confirmed_at else None
    in_flight = part.in_flight_count + (target.in_flight_count or 0) * asks_gate
    state = _state(delivered_at, confirmed_at, quiet_at, is_away=is_away)
    if part.is_final and not part.confirmed_at:
        state = TargetState.CANNOT
    if asks_gate and part.confirmed_at and not target.confirmed_at:
        state = target.state  # the engine obeys; what is missing is the gate's word
    return replace(
        target,
        state=state,
        delivered_at=delivered_at,
        confirmed_at=confirmed_at,
        quiet_at=quiet_at,
        in_flight_count=in_flight,
        unrecorded=target.unrecorded if asks_gate else (),
        note=_note(target, part, engine_id, state, asks_gate=asks_gate, in_flight=in_flight),
        is_asking=target.is_asking or (part.confirmed_at is None and not part.is_final),
    )


def _state(
    delivered_at: datetime | None,
    confirmed_at: datetime | None,
    quiet_at: datetime | None,
    *,
    is_away: bool,
) -> TargetState:
    if quiet_at:
        return TargetState.QUIET
    if confirmed_at:
        return TargetState.CONFIRMED
    if is_away:
        return TargetState.UNREACHABLE
    return TargetState.UNCONFIRMED if delivered_at else TargetState.RECORDED


def _note(
    target: Target,
    part: Part,
    engine_id: str,
    state: TargetState,
    *,
    asks_gate: bool,
    in_flight: int,
) -> str:
    said = [target.note] if asks_gate and target.confirmed_at is None and target.note else []
    if part.why:
        said.append(f"{engine_id}: {part.why}")
    elif part.delivered_at is None:
        said.append(f"not delivered to {engine_id} yet; `workbench serve` delivers")
    if state is TargetState.CONFIRMED and in_flight:
        said.append(f"{in_flight} run{'s' if in_flight != 1 else ''} in flight")
    if part.frozen_count:
        said.append(f"{part.frozen_count} frozen, still called running by {engine_id}")
    return "; ".join(said)

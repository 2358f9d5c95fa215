"""How far a pause has come at each automation of one engine, as one pass found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.delivery import kept
from workbench.delivery.wanted import Want
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    NativeCall,
    Plan,
    Reading,
    Verification,
)
from workbench.store.log import Draft
from workbench.store.state import State


@dataclass(frozen=True)
class Part:
    """How far a pause has come at one automation in its engine; None means not yet.

    Attributes:
        why: what is in the way, in one sentence.
        in_flight_count: runs that go on working.
        frozen_count: runs that the engine calls running and the pause keeps from their next step.
        is_final: trying again does not help; somebody has to do something else.
    """

    delivered_at: datetime | None = None
    confirmed_at: datetime | None = None
    quiet_at: datetime | None = None
    why: str = ""
    in_flight_count: int = 0
    frozen_count: int = 0
    is_final: bool = False


@dataclass(frozen=True)
class Look:
    """What one pass found.

    Attributes:
        fault: why the engine could not be asked, or an empty text.
        parts: automation id -> how far it has come; the id is empty for the whole engine.
        unresumed: what is free and not yet brought back, in words, or an empty text.
        paced_seconds: until more may be let go, where a rate alone keeps it back.
        is_settled: trying again soon would change nothing; that is not yet "as wanted", see `cannot`.
    """

    engine_id: str
    at: datetime
    fault: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict)
    is_settled: bool = True
    unresumed: str = ""
    paced_seconds: float = 0.0

    @property
    def cannot(self) -> tuple[str, ...]:
        """Ids of automations that the engine cannot bring where they are wanted."""
        return tuple(sorted(key for key, part in self.parts.items() if part.is_final))

    @property
    def is_as_wanted(self) -> bool:
        """Tell whether all is where the holds want it."""
        return self.is_settled and not self.cannot


def parts_of(
    plan: Plan,
    wants: Sequence[Want],
    *,
    checked: Verification,
    outcomes: Sequence[CallOutcome],
    left_alone: Set[str] = frozenset(),
) -> dict[str, Part]:
    """Return the part of each automation that is wanted paused, by its id; `left_alone` are targets given up."""
    calls = sorted(plan.calls, key=lambda call: call.stage)
    failed = {
        target: f"{call.sentence}: {one.answer}"
        for call, one in zip(calls, outcomes, strict=True)
        if one.result is CallResult.REFUSED
        for target in call.target_ids
    }
    delivered = _delivered(calls, outcomes)
    found = {}
    for want in wants:
        part = _part(want, plan, checked=checked, failed=failed, delivered=delivered)
        lacking = checked.unmet.keys() & {*plan.members.get(want.scope.key, ())}
        is_given_up = bool(lacking) and lacking <= left_alone
        found[want.automation_id] = replace(part, is_final=part.is_final or is_given_up)
    return found


def _delivered(
    calls: Sequence[NativeCall], outcomes: Sequence[CallOutcome]
) -> dict[str, datetime | None]:
    """Return by target when the engine said yes to the last of its calls; None where it did not to one of them."""
    found: dict[str, datetime | None] = {}
    for call, one in zip(calls, outcomes, strict=True):
        for target in call.target_ids:
            before, is_yes = found.get(target, one.ended_at), one.result is CallResult.DONE
            found[target] = max(before, one.ended_at) if is_yes and before else None
    return found


def _part(
    want: Want,
    plan: Plan,
    *,
    checked: Verification,
    failed: Mapping[str, str],
    delivered: Mapping[str, datetime | None],
) -> Part:
    readings: Mapping[str, Reading] = {r.target_id: r for r in checked.readings}
    unmet = checked.unmet
    if why := plan.cannot.get(want.scope.key):
        return Part(why=why, is_final=True)
    ids = plan.members.get(want.scope.key, ())
    own = [readings[target] for target in ids if target in readings]
    if not ids or len(own) < len(ids):
        return Part(why="the engine did not say how it is with it")
    read_at = max(reading.observed_at for reading in own)
    refused = [failed[target] for target in ids if target in failed]
    lacking = [unmet[target] for target in ids if target in unmet]
    said_at = [delivered.get(target, read_at) for target in ids]  # nothing was left to be sent
    part = Part(
        delivered_at=None if None in said_at else max(at for at in said_at if at),
        in_flight_count=sum(len(reading.running_ids) for reading in own),
        frozen_count=sum(len(reading.frozen_ids) for reading in own),
        why="; ".join([*lacking, *refused][:1]),
    )
    if lacking:
        return part
    is_quiet = part.in_flight_count == 0
    return replace(
        part,
        delivered_at=part.delivered_at or read_at,
        confirmed_at=read_at,
        quiet_at=read_at if is_quiet else None,
    )


def observed(
    state: State, wants: Sequence[Want], *, parts: Mapping[str, Part], now: datetime
) -> list[Draft]:
    """Return the events of what was seen for the first time of each hold at each automation.

    A pause that cannot be had, and one that was read back and is gone again, come and go: each change is an event.
    """
    by_hold: dict[str, dict[str, Any]] = {}
    for want in wants:
        part = parts[want.automation_id]
        for hold_id in want.hold_ids if want.automation_id else ():
            known = state.observed.get((hold_id, want.automation_id), {})
            new = {
                f"engine_{name}": to_text(value)
                for name in ("delivered_at", "confirmed_at", "quiet_at")
                if (value := getattr(part, name)) and not known.get(f"engine_{name}")
            }
            if bool(known.get("engine_cannot")) != part.is_final:
                new["engine_cannot"] = part.why[:300] if part.is_final else ""
            # Why may read otherwise at every pass, such as a count of runs; that alone is nothing new.
            is_lost = bool(known.get("engine_confirmed_at")) and not part.confirmed_at
            if bool(known.get("engine_lost")) != is_lost:
                new["engine_lost"] = (part.why or "not read back as paused")[:300] * is_lost
            if new:
                by_hold.setdefault(hold_id, {})[want.automation_id] = new
    return [
        Draft(
            now,
            kept.ACTOR,
            "hold.observe",
            hold_id,
            correlation_id=hold_id,
            payload={"targets": targets},
        )
        for hold_id, targets in sorted(by_hold.items())
    ]

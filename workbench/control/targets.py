"""How far a hold has come at each automation: recorded, delivered, confirmed, quiet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text, to_text
from workbench.presence import Presence, read_presences
from workbench.records import Automation, Hold, Target, TargetState
from workbench.store.state import State

LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Observer:
    """Looks at the gate folder on behalf of one store state.

    Attributes:
        delivered: hold id -> when its publication to the gate was complete.
    """

    state: State
    gate_folder: Path
    delivered: Mapping[str, datetime]

    def targets(self, hold: Hold) -> tuple[Target, ...]:
        """Return one target per automation that the hold covers, those not yet there first.

        What was recorded of an earlier look stays; only what is missing is looked at again.
        """
        delivered_at = self.delivered.get(hold.hold_id)
        presences = read_presences(self.gate_folder)
        found = [
            self._target(hold, automation_id, presences.get(automation_id, []), delivered_at)
            for automation_id in sorted(self.state.covered[hold.hold_id])
        ]
        return tuple(sorted(found, key=lambda t: (_PROGRESS[t.state], t.automation_id)))

    def _target(
        self,
        hold: Hold,
        automation_id: str,
        said: Sequence[Presence],
        delivered_now: datetime | None,
    ) -> Target:
        known = self.state.observed.get((hold.hold_id, automation_id), {})
        automation = self.state.automations.get(automation_id)
        now = delivered_now if _asks(automation) else None
        delivered_at = _known(known, "delivered_at") or now
        seen_at = _confirmed_at(hold, said) if delivered_at else None
        confirmed_at = _known(known, "confirmed_at") or seen_at
        in_flight = sum(len(p.in_flight) for p in said if p.is_alive)
        quiet_at = _known(known, "quiet_at")
        if quiet_at is None and confirmed_at is not None and in_flight == 0:
            late_asks = (p.asked_at for p in said if p.is_alive and p.seen_at >= confirmed_at)
            quiet_at = max([confirmed_at, *late_asks])
        late = [p for p in said if p.is_alive and not _has_seen(p, hold)]
        last_asked = max((p.asked_at for p in late or said), default=None)
        state = _state(automation, delivered_at, confirmed_at, quiet_at)
        return Target(
            automation_id=automation_id,
            state=state,
            recorded_at=hold.placed_at,
            delivered_at=delivered_at,
            confirmed_at=confirmed_at,
            quiet_at=quiet_at,
            last_asked_at=last_asked,
            in_flight_count=in_flight,
            note=_note(automation, state, last_asked, in_flight),
            is_asking=_asks(automation) and any(p.is_alive for p in said),
        )


_PROGRESS = {
    TargetState.UNREACHABLE: 0,
    TargetState.UNCONFIRMED: 0,
    TargetState.RECORDED: 1,
    TargetState.DELIVERED: 2,
    TargetState.CONFIRMED: 3,
    TargetState.QUIET: 4,
}


def observation(
    targets: Sequence[Target], known: dict[tuple[str, str], dict[str, Any]], *, hold_id: str
) -> dict[str, Any]:
    """Return what is new in the targets, as the payload of an event; empty when nothing is."""
    found: dict[str, Any] = {}
    for target in targets:
        before = known.get((hold_id, target.automation_id), {})
        instants = {
            name: to_text(value)
            for name in ("delivered_at", "confirmed_at", "quiet_at")
            if (value := getattr(target, name)) is not None and not before.get(name)
        }
        if instants:
            found[target.automation_id] = instants
    return found


def _asks(automation: Automation | None) -> bool:
    return automation is None or automation.asks_gate


def _known(known: dict[str, Any], name: str) -> datetime | None:
    value = known.get(name)
    return from_text(value) if value else None


def _confirmed_at(hold: Hold, said: Sequence[Presence]) -> datetime | None:
    """Return when the last asking process had seen the hold; None while a living one has not."""
    if any(p.is_alive and not _has_seen(p, hold) for p in said):
        return None
    return max((p.seen_at for p in said if _has_seen(p, hold)), default=None)


def _has_seen(presence: Presence, hold: Hold) -> bool:
    return presence.seen_seq is not None and presence.seen_seq >= hold.placed_seq


def _state(
    automation: Automation | None,
    delivered_at: datetime | None,
    confirmed_at: datetime | None,
    quiet_at: datetime | None,
) -> TargetState:
    if not _asks(automation):
        return TargetState.UNCONFIRMED
    if quiet_at is not None:
        return TargetState.QUIET
    if confirmed_at is not None:
        return TargetState.CONFIRMED
    return TargetState.UNCONFIRMED if delivered_at is not None else TargetState.RECORDED


def _note(
    automation: Automation | None, state: TargetState, last_asked: datetime | None, in_flight: int
) -> str:
    if not _asks(automation):
        return "does not ask the gate and no engine is bound: NOT stopped"
    if state is TargetState.UNCONFIRMED:
        since = f"since {last_asked:%Y-%m-%d %H:%M:%S} UTC" if last_asked else "yet"
        return f"has not asked {since}"
    if state is TargetState.CONFIRMED:
        return f"{in_flight} run{'s' if in_flight != 1 else ''} in flight"
    return "not published to the gate" if state is TargetState.RECORDED else ""


def watch(
    look: Callable[[], tuple[Target, ...]],
    *,
    wait_seconds: float,
    on_progress: Callable[[tuple[Target, ...]], None] | None,
) -> tuple[Target, ...]:
    """Look until all that can confirm have; Ctrl-C ends the looking, for the hold is recorded."""
    deadline = time.monotonic() + wait_seconds
    targets = look()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            if on_progress is not None:
                on_progress(targets)
            is_awaited = any(t.confirmed_at is None and t.is_asking for t in targets)
            if not is_awaited or time.monotonic() >= deadline:
                break
            time.sleep(LOOK_EVERY_SECONDS)
            targets = look()
    return targets

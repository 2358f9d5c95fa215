"""How far a hold has come at each automation, over all hosts: recorded, delivered, confirmed, quiet.

The gate folder of this host is looked at itself; of others their mirrors say what gates there have seen.
A host that is silent and was not told of the hold is never passed over: what it may run is UNREACHABLE.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text, to_text
from workbench.control.cut_off import cut_off_words
from workbench.presence import Presence, read_presences
from workbench.records import Automation, Hold, Target, TargetState
from workbench.store.hosts import NO_HOSTS, Host, Hosts
from workbench.store.state import State

LOOK_EVERY_SECONDS = 0.02
STEPS = ("delivered_at", "confirmed_at", "quiet_at")
"""The instants of a target that are observed, and then recorded."""


@dataclass(frozen=True)
class Sight:
    """What one gate folder shows of a hold on one automation.

    Attributes:
        label: name of the host; empty for this one.
        told_at: when its gates were told of the hold; None where they were not.
        silence: what to say of a host that is out of reach and was not told, or an empty text.
        is_live: it can still be told, and its processes can still confirm.
    """

    label: str
    told_at: datetime | None
    said: Sequence[Presence]
    silence: str = ""
    is_live: bool = True

    @property
    def words(self) -> str:
        """Say which host is meant, where it is not this one."""
        return f" on host {self.label}" if self.label else ""


@dataclass(frozen=True)
class Observer:
    """Looks at the gate folder of this host, and at what other hosts reported, on behalf of one store state.

    Attributes:
        delivered: hold id -> when its publication to the gate was complete.
        folder_id: id of this host's gate folder, which is looked at rather than believed.
        here: what processes said there, where that was read before.
    """

    state: State
    gate_folder: Path
    delivered: Mapping[str, datetime]
    hosts: Hosts = NO_HOSTS
    folder_id: str = ""
    here: Mapping[str, Sequence[Presence]] | None = None

    def targets(self, hold: Hold) -> tuple[Target, ...]:
        """Return one target per automation that the hold covers, those not yet there first.

        What was recorded of an earlier look stays; only what is missing is looked at again.
        """
        here = read_presences(self.gate_folder) if self.here is None else self.here
        found = [
            self._target(hold, automation_id, self._sights(hold, automation_id, here))
            for automation_id in sorted(self.state.covered[hold.hold_id])
        ]
        return tuple(sorted(found, key=lambda t: (_PROGRESS[t.state], t.automation_id)))

    def _sights(
        self, hold: Hold, automation_id: str, here: Mapping[str, Sequence[Presence]]
    ) -> list[Sight]:
        """Return the gate folders where the automation asks, and those where it could begin to ask."""
        known = self.state.observed.get((hold.hold_id, automation_id), {})
        others = self.hosts.elsewhere(self.folder_id)
        found = []
        if here or not others:  # where nobody ever asked, commands are given and nothing runs
            told_at = _known(known, "delivered_at") or self.delivered.get(hold.hold_id)
            said = [_not_before(p, hold) for p in here.get(automation_id, ())]
            found.append(Sight("", told_at, said))
        near = [h for h in others if automation_id in h.said or not h.is_silent]
        named = [(h, self.hosts.label(h)) for h in near or (() if found else others)]
        return found + [_sight_of(h, hold, automation_id, label) for h, label in named]

    def _target(self, hold: Hold, automation_id: str, sights: Sequence[Sight]) -> Target:
        known = self.state.observed.get((hold.hold_id, automation_id), {})
        automation = self.state.automations.get(automation_id)
        said = [p for sight in sights for p in sight.said]
        told = [sight.told_at for sight in sights if sight.told_at is not None]
        is_told = _asks(automation) and len(told) == len(sights)
        last_told_at = max(told, default=None) if is_told else None
        delivered_at = _known(known, "delivered_at") or last_told_at
        seen_at = _confirmed_at(hold, said) if delivered_at and is_told else None
        confirmed_at = _known(known, "confirmed_at") or seen_at
        in_flight = sum(p.in_flight_count for p in said if p.is_alive)
        quiet_at = _known(known, "quiet_at")
        if quiet_at is None and confirmed_at is not None and in_flight == 0:
            # A run that ended has asked last when it ended, and its process may be gone by now.
            quiet_at = max([confirmed_at, *(p.asked_at for p in said if _has_seen(p, hold))])
        behind = next((s for s in sights if any(_is_late(p, hold) for p in s.said)), None)
        late = [p for p in said if _is_late(p, hold)]
        last_asked = max((p.asked_at for p in late or said), default=None)
        state = _state(automation, delivered_at, confirmed_at, quiet_at)
        is_lost = state in _OPEN and _asks(automation) and any(s.silence for s in sights)
        state = TargetState.UNREACHABLE if is_lost else state
        return Target(
            automation_id=automation_id,
            state=state,
            recorded_at=hold.placed_at,
            delivered_at=delivered_at,
            confirmed_at=confirmed_at,
            quiet_at=quiet_at,
            last_asked_at=last_asked,
            in_flight_count=in_flight,
            note=_note(automation, state, in_flight, asked=(last_asked, behind), sights=sights),
            cut_off=cut_off_words(said),
            unrecorded=self._unrecorded(hold, known, (delivered_at, confirmed_at, quiet_at)),
            is_asking=_asks(automation) and any(_can_confirm(sight) for sight in sights),
        )

    def _unrecorded(
        self, hold: Hold, known: dict[str, Any], found: Sequence[datetime | None]
    ) -> tuple[str, ...]:
        """Return the names of the instants that were only seen now; the store holds when gates here were told."""
        return tuple(
            name
            for name, at in zip(STEPS, found, strict=True)
            if at is not None
            and not known.get(name)
            and (name != STEPS[0] or at != self.delivered.get(hold.hold_id))
        )


def _sight_of(host: Host, hold: Hold, automation_id: str, label: str) -> Sight:
    """Return what a host reported; no instant of its clock lies before the hold."""
    said = host.said.get(automation_id, ())
    is_told = host.seq >= hold.placed_seq
    silence = "" if is_told or not host.is_silent else f"host {label}: {host.last_heard}"
    if not host.is_whole and not said:
        silence = f"host {label} has more to report than it can, and nothing of this automation"
    return Sight(
        label,
        max(hold.placed_at, host.told_at or host.beaten_at) if is_told else None,
        [_not_before(p, hold) for p in said],
        silence,
        not host.is_silent,
    )


def _not_before(presence: Presence, hold: Hold) -> Presence:
    """Return what a process said with no instant that lies before the hold: a clock that was set back proves none."""
    return replace(presence, seen_at=max(hold.placed_at, presence.seen_at))


def _is_late(presence: Presence, hold: Hold) -> bool:
    return presence.is_alive and not _has_seen(presence, hold)


def _can_confirm(sight: Sight) -> bool:
    """Tell whether waiting may help: somebody asks there, or its mirror is about to tell its gates."""
    is_awaited = bool(sight.label) and sight.told_at is None
    return sight.is_live and (is_awaited or any(p.is_alive for p in sight.said))


_OPEN = (TargetState.RECORDED, TargetState.DELIVERED, TargetState.UNCONFIRMED)
_PROGRESS = {
    TargetState.CANNOT: 0,
    TargetState.UNREACHABLE: 0,
    TargetState.UNCONFIRMED: 1,
    TargetState.RECORDED: 2,
    TargetState.DELIVERED: 3,
    TargetState.CONFIRMED: 4,
    TargetState.QUIET: 5,
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
            for name in STEPS
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
    automation: Automation | None,
    state: TargetState,
    in_flight: int,
    *,
    asked: tuple[datetime | None, Sight | None],
    sights: Sequence[Sight],
) -> str:
    if not _asks(automation):
        return "does not ask the gate and no engine is bound: NOT stopped"
    if state is TargetState.UNREACHABLE:
        return "; ".join(s.silence for s in sights if s.silence)
    if state is TargetState.UNCONFIRMED:
        last_asked, behind = asked
        since = f"since {last_asked:%Y-%m-%d %H:%M:%S} UTC" if last_asked else "yet"
        is_among_others = behind is not None and not behind.label and len(sights) > 1
        where = " on this host" if is_among_others else behind.words if behind else ""
        return f"has not asked {since}{where}"
    if state is TargetState.CONFIRMED:
        return f"{in_flight} run{'s' if in_flight != 1 else ''} in flight"
    where = "".join(s.words for s in sights if s.told_at is None)
    return f"not published to the gate{where}" if state is TargetState.RECORDED else ""


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

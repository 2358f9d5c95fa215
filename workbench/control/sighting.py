"""Recording what is seen of standing holds whenever somebody looks: confirmations come after the pause has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.clock import Clock
from workbench.control.engine_port import FleetPort, NoEngines
from workbench.control.observing import observation_drafts
from workbench.control.targets import Observer, observation
from workbench.errors import WorkbenchError
from workbench.presence import Presence, read_presences
from workbench.records import Hold, Target
from workbench.store.state import State
from workbench.store.store import MOVED_TO, Change, Command, Store

WAIT_SECONDS = 1.0
"""How long a look waits for its turn to write: whoever asks for the status waits for no writer that hangs."""

_PROOF = ("confirmed_at", "quiet_at")
"""What is worth an event; when gates were told stands in the outbox already, and comes along."""


def record_sightings(
    store: Store,
    fleet: FleetPort,
    *,
    clock: Clock,
    command_id: str,
    anchor: Callable[[State], None] | None = None,
) -> str:
    """Record what gates say of standing holds and the log does not yet; returns why it could not be, or nothing.

    One event for each hold with news, and each instant once: what somebody else recorded meanwhile is left out
    under the store's lock. An instant is the gate's or its host's own, never one before it. Raises what a
    store that cannot be read raises.
    """
    state = store.state()
    found = _sightings(store, fleet, state)
    if not found or store.meta().get(MOVED_TO):
        return ""
    content = {
        "name": "observe",
        "holds": {i: [t.automation_id for t in ts] for i, ts in found.items()},
    }
    now = clock.now()

    def decided(state: State) -> Change:
        standing = [i for i in found if state.holds[i].released_seq is None]
        made = (observation_drafts(state, found[i], hold_id=i, now=now) for i in standing)
        return Change([draft for drafts in made for draft in drafts])

    try:
        command = Command(command_id, content)
        store.transact(command, decided, after_commit=anchor, wait_seconds=WAIT_SECONDS)
    except (WorkbenchError, OSError) as exc:
        why = exc.message if isinstance(exc, WorkbenchError) else str(exc.strerror)
        return f"What gates have seen of {', '.join(found)} is not recorded. {why}"
    return ""


def _sightings(store: Store, fleet: FleetPort, state: State) -> dict[str, tuple[Target, ...]]:
    found = {}
    open_holds = [hold for hold in state.standing_holds() if _is_open(state, hold)]
    if not open_holds:
        return {}
    here, hosts = read_presences(store.gate_folder), store.hosts(state)
    folder_id = store.gates.identity(state)[1]
    said = [here, *(host.said for host in hosts.elsewhere(folder_id))]
    for hold in open_holds:
        if not any(_is_seen(state, hold, one) for one in said):
            continue
        observer = Observer(state, store.gate_folder, store.delivered(hold), hosts, folder_id, here)
        targets = fleet.joined(observer.targets(hold), hold)
        new = observation(targets, state.observed, hold_id=hold.hold_id)
        is_news = {
            i
            for i, instants in new.items()
            if any(map(instants.get, _PROOF)) and not _is_elsewhere(state, fleet, hold, i)
        }
        if is_news:
            found[hold.hold_id] = tuple(t for t in targets if t.automation_id in is_news)
    return found


def _is_open(state: State, hold: Hold) -> bool:
    """Tell whether something of a hold is still to be seen; once all is quiet nobody looks again."""
    known = (state.observed.get((hold.hold_id, i), {}) for i in state.covered[hold.hold_id])
    return not all(one.get("quiet_at") for one in known)


def _is_elsewhere(state: State, fleet: FleetPort, hold: Hold, automation_id: str) -> bool:
    """Tell whether an engine has a part in it, which nobody here knows: whose fleet it is says when both are there."""
    known = state.observed.get((hold.hold_id, automation_id), {})
    return isinstance(fleet, NoEngines) and any(name.startswith("engine_") for name in known)


def _is_seen(state: State, hold: Hold, said: Mapping[str, Sequence[Presence]]) -> bool:
    """Tell whether any process that the hold is about has seen it: without one there is nothing to record."""
    found = (p.seen_seq for i in state.covered[hold.hold_id] for p in said.get(i, ()))
    return any(seq is not None and seq >= hold.placed_seq for seq in found)

"""Store and warehouse that holds are replayed on: one's own, or a shipped recording put back in a folder that goes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pandas as pd

from workbench.clock import FixedClock, to_text
from workbench.errors import StoreMissing
from workbench.recordings import Recording
from workbench.records import Event, Hold, Purpose
from workbench.reports.opened import Frozen, QueriesOf, freeze
from workbench.reports.parameters import check_parameters
from workbench.reports.sync import load_store_rows, store_rows
from workbench.review.replay import (
    AFTER_HOURS,
    HoldReplay,
    Look,
    alert_stop,
    look_instants,
    ran_between,
)
from workbench.review.request import QueryCall, ReviewRequest
from workbench.review.restart import assess_restart, restart_queries
from workbench.settings import Settings
from workbench.store import open_store, restore_store
from workbench.store.folding import fold
from workbench.store.state import State
from workbench.store.store import Store
from workbench.warehouse import LoadOptions, Warehouse

MOST_HOLDS = 1_000
"""Holds that are looked through for one that followed."""

LEAST_SECONDS, HOLD_SECONDS = 900, 90
"""A look of the gate takes a second or two, and a hold may be looked at 26 times."""

REPLAYED = (Purpose.INCIDENT, Purpose.GUARD)
"""Holds that were placed for trouble; a drill or maintenance waits for no alert."""


@dataclass(frozen=True)
class Place:
    """Where holds are replayed: a store's log and a warehouse version that has its rows.

    Attributes:
        until: where the record ends.
    """

    store: Store
    events: tuple[Event, ...]
    home: Path
    version: int
    until: pd.Timestamp

    def holds(self, most: int) -> list[Hold]:
        """Return the newest holds that were placed for trouble, in order."""
        found = [hold for hold in self.state.holds.values() if hold.purpose in REPLAYED]
        return sorted(found, key=lambda hold: hold.placed_seq)[-most:]

    @cached_property
    def state(self) -> State:
        """What the log says up to the end of the record."""
        return fold(event for event in self.events if event.occurred_at < self.until)


def own_place(settings: Settings, *, until: datetime) -> Place | None:
    """Return one's own store and warehouse; None where there is no store, or no hold for trouble before an instant."""
    clock = settings.clock()
    try:
        store = open_store(settings, clock)
    except StoreMissing:
        return None
    events = tuple(store.events())
    state = fold(events)
    placed = (h.placed_at for h in state.holds.values() if h.purpose in REPLAYED)
    if not any(at < until for at in placed):
        return None
    version = load_store_rows(Warehouse.open(settings.home, clock), store_rows(state))
    return Place(store, events, settings.home, version, pd.Timestamp(until))


@contextmanager
def recorded_place(name: str) -> Iterator[Place]:
    """Put a shipped recording back as it stood at its end, for a block; raises NotFound naming those there are."""
    recording = Recording.open(name)
    last = list(recording.instants)[-1]
    at = recording.as_of(last)
    clock = FixedClock(at)
    with tempfile.TemporaryDirectory(prefix="workbench-back-test-") as folder:
        root = Path(folder)
        settings = Settings(root / "store", root / "gate", root / "home", demo_clock_at=at)
        store = restore_store(settings, clock, lines=recording.store_log_until(last))
        warehouse = Warehouse.open(settings.home, clock)
        for batch in recording.batches_until(last):
            warehouse.load_folder(batch, options=LoadOptions(shows_progress=False))
        events = tuple(store.events())
        version = load_store_rows(warehouse, store_rows(fold(events)))
        yield Place(store, events, settings.home, version, pd.Timestamp(at))


def cell_seconds(hold_count: int) -> int:
    """Return how many seconds a cell may take that replays so many holds."""
    return max(LEAST_SECONDS, hold_count * HOLD_SECONDS)


def replay_holds(place: Place, *, most: int) -> list[HoldReplay]:
    """Replay the newest holds: the gate is asked after each alert stop, until it lets something start."""
    return [_replayed(place, hold) for hold in place.holds(most)]


def _replayed(place: Place, hold: Hold) -> HoldReplay:
    ended = pd.Timestamp(hold.released_at or place.until)
    relapses = placed_again(place, hold, since=ended)
    after = min([*relapses, ended + pd.Timedelta(hours=AFTER_HOURS), place.until])
    seen = _frozen(place, hold, after, queries_of=_after_queries).tables
    placed = pd.Timestamp(hold.placed_at)
    stopped = alert_stop(seen["review.alerts"], placed_at=placed, until=ended)
    found = HoldReplay(
        hold_id=hold.hold_id,
        scope=str(hold.scope),
        placed_at=placed,
        ended_at=ended,
        is_released=hold.released_at is not None,
        stopped_at=stopped,
        looks=_looks(place, hold, stopped=stopped, ended=ended),
        narrow_at=_narrow_at(place, hold),
    )
    return _with_runs(found, seen, after=after, relapses=[at for at in relapses if at <= after])


def placed_again(place: Place, hold: Hold, *, since: pd.Timestamp) -> list[pd.Timestamp]:
    """Return when holds for trouble were placed on any automation of a hold, at or after an instant, whatever scope."""
    covered = place.state.covered
    return [
        pd.Timestamp(other.placed_at)
        for other in place.holds(MOST_HOLDS)
        if other.placed_at >= since and covered[other.hold_id] & covered[hold.hold_id]
    ]


def _narrow_at(place: Place, hold: Hold) -> pd.Timestamp | None:
    """Return when the first narrow restart under a hold began, obeyed by today's rules or not: its runs did run."""
    began = (
        event.occurred_at
        for event in place.events
        if event.action == "probation.start" and event.payload.get("hold_id") == hold.hold_id
    )
    first = min((at for at in began if at < place.until), default=None)
    return pd.Timestamp(first) if first else None


def _looks(
    place: Place, hold: Hold, *, stopped: pd.Timestamp | None, ended: pd.Timestamp
) -> tuple[Look, ...]:
    """Ask the gate at each instant until it lets something start; from then on the hold is no longer whole."""
    found: list[Look] = []
    for at in look_instants(stopped, ended) if stopped is not None else ():
        frozen = _frozen(place, hold, at, queries_of=restart_queries)
        found.append(Look.of(at, assess_restart(frozen.request, frozen.tables)))
        if found[-1].allowed:
            break
    return tuple(found)


def _frozen(place: Place, hold: Hold, at: pd.Timestamp, *, queries_of: QueriesOf) -> Frozen:
    """Ask as of an instant: of the log only what was in it, of the rows only what had happened."""
    known = [event for event in place.events if event.occurred_at < at]
    asked = {
        "hold_id": hold.hold_id,
        "as_of": to_text(at.to_pydatetime()),
        "log_seq": known[-1].seq,
        "manifest_version": place.version,
    }
    parameters = check_parameters("restart-decision", asked)
    return freeze(
        place.store, fold(known), parameters=parameters, home=place.home, queries_of=queries_of
    )


def _after_queries(request: ReviewRequest) -> list[QueryCall]:
    names = ("review.runs", "review.affected_records", "review.alerts")
    return [call for call in restart_queries(request) if call.name in names]


def _with_runs(
    one: HoldReplay,
    seen: Mapping[str, pd.DataFrame],
    *,
    after: pd.Timestamp,
    relapses: list[pd.Timestamp],
) -> HoldReplay:
    """Add what really ran: in the first narrow restart after the gate allowed one, and after the release."""
    runs, records = seen["review.runs"], seen["review.affected_records"]
    found = one
    if one.narrow_at is not None:
        ran = ran_between(runs, records, since=one.narrow_at, until=one.ended_at)
        found = replace(found, ran_narrowly=ran)
    if one.is_released:
        fired = seen["review.alerts"]["fired_at"]
        back = [*relapses, *fired[fired >= one.ended_at]]
        ran = ran_between(runs, records, since=one.ended_at, until=after)
        found = replace(found, ran=ran, relapsed_at=min(back, default=None))
    return found

"""Clocks against each other: the log's newest event, the last publication, the server, the heartbeat.

Nothing is ordered or opened by a clock, so none of this stops a command; people, ages and ends of narrow
restarts go by clocks all the same, and are wrong by as much as one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench.clock import Clock
from workbench.store.clocks import jumped_seconds, read_clocks
from workbench.store.store import Store

NOTED_SECONDS = 2.0
"""Less is not worth a word: synchronised hosts differ by milliseconds, a leap second or a slow answer by one second."""
WRONG_SECONDS = 60.0
"""More is wrong: who asked "in the last minute", sign-offs and ends of narrow restarts are counted in minutes."""


@dataclass(frozen=True)
class Timing:
    """How the clock of this machine stands to what it can be compared with, in seconds.

    Attributes:
        newest_at: time of the newest event, the latest that any was recorded at.
        behind: how far this clock is behind it; negative where it is ahead, as it should be.
        jumped: by how much this clock was set since the last publication; None where that is not known.
        server_ahead: how far the server's clock is ahead of this one, to within `server_within`; None without one.
        beat_ahead: how far the last heartbeat in the gate folder lies ahead of this clock; None without one.
    """

    newest_at: datetime | None
    behind: float | None
    jumped: float | None
    server_ahead: float | None
    server_within: float
    beat_ahead: float | None


def timing_of(store: Store, clock: Clock) -> Timing:
    """Compare a clock with the store's newest event, its server, and what its gate folder was told."""
    state, now = store.state(), clock.now()
    beat_at = store.gates.beat_at(state)
    server_ahead, within = _server_ahead(store, clock)
    return Timing(
        newest_at=state.newest_at,
        behind=_seconds(state.newest_at, now),
        jumped=jumped_seconds(store.gates.clocks_then(), read_clocks()),
        server_ahead=server_ahead,
        server_within=within,
        beat_ahead=_seconds(beat_at, clock.now()),
    )


def _server_ahead(store: Store, clock: Clock) -> tuple[float | None, float]:
    """Ask the server between two looks at this clock: half of what passed is how wrong the answer may be."""
    with store.backend.reading() as session:
        before = clock.now()
        there = session.server_time()
        took = clock.now() - before
    if there is None:
        return None, 0.0
    half = took / 2
    return (there - (before + half)) / timedelta(seconds=1), half / timedelta(seconds=1)


def _seconds(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else (instant - now) / timedelta(seconds=1)

"""Mirrors a store into the gate folder of one host, and says there each moment that the store is alive.

One mirror runs on each host whose automations ask a gate. It only reads the store. When the store cannot
be reached the folder stays as it is: what was paused stays paused, and the heartbeat stops, so that gates
with a largest age answer UNKNOWN instead of an old CLEAR.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from workbench.errors import StorageUnavailable
from workbench.store.backend import Session
from workbench.store.lock import gate_lock
from workbench.store.store import Store, refuse_moved

BEAT_SECONDS = 0.5
"""How often the store is asked whether it is alive; a notification comes in between."""
LOCK_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0
"""How long at most a mirror waits before it tries again to reach the store."""


class Mirror:
    """Keeps one gate folder at what one store holds."""

    def __init__(self, store: Store) -> None:
        """Remember the store, and with it the gate folder."""
        self.store = store
        self.seq = 0

    def once(self) -> int:
        """Bring the folder up to date once; returns the position gates now have.

        Raises StorageUnavailable where the store cannot be read or the folder cannot be written, and
        Refused where the store was moved.
        """
        with self.store.backend.reading() as session:
            return self._turn(session)

    def watch(
        self, is_over: Callable[[], bool], say: Callable[[str], None], *, wait: float = BEAT_SECONDS
    ) -> None:
        """Keep the folder up to date until it is over; says what changes, and goes on after any failure."""
        failures = 0
        while not is_over():
            try:
                with self.store.backend.watching() as watch:
                    while not is_over():
                        with watch.look() as session:
                            self._say_news(self._turn(session), say, is_back=failures > 0)
                        failures = 0
                        watch.wait(wait)
            except StorageUnavailable as exc:
                if not failures:
                    say(f"{exc.message} Gates keep what they were told, without a heartbeat.")
                failures += 1
                _pause(failures, wait, is_over)

    def _say_news(self, seq: int, say: Callable[[str], None], *, is_back: bool) -> None:
        if seq != self.seq or is_back:
            say(f"gates in {self.store.gate_folder} have event {seq}")
        self.seq = seq

    def _turn(self, session: Session) -> int:
        """Publish what is new, then beat: the store has just answered."""
        gates = self.store.gates
        with gate_lock(gates.folder, LOCK_SECONDS):
            refuse_moved(session)
            state = self.store.read_state(session)
            fault = gates.copy_fault(session, state)
            if not fault and not gates.is_told(state):
                fault = gates.tell(session, state)
            fault = fault or gates.beat(state)
        if fault:
            raise StorageUnavailable(f"Nothing was mirrored: {fault}.")
        return state.seq


def _pause(failures: int, wait: float, is_over: Callable[[], bool]) -> None:
    """Wait before the next try, longer each time and never all mirrors at once."""
    longest = min(LONGEST_PAUSE_SECONDS, wait * 2.0 ** min(failures, 10))
    until = time.monotonic() + longest * (0.5 + random.random() / 2)  # no secret depends on it
    while time.monotonic() < until and not is_over():
        time.sleep(min(wait, 0.1))

"""Mirrors a store into the gate folder of one host, and says there each moment that the store is alive.

One mirror runs on each host whose automations ask a gate. It reads the store, and writes one row of its
own beside the log: what gates here have seen. When the store cannot be reached the folder stays as it is:
what was paused stays paused, and the heartbeat stops, so that gates with a largest age answer UNKNOWN
instead of an old CLEAR.
"""

from __future__ import annotations

import os
import pwd
import random
import time
from collections.abc import Callable

from workbench.errors import StorageUnavailable
from workbench.snapshot import SnapshotFault
from workbench.store.backend import Session
from workbench.store.reporting import HostReporter
from workbench.store.state import State
from workbench.store.store import MOVED_TO, Store, refuse_moved

BEAT_SECONDS = 0.5
"""How often the store is asked whether it is alive; a notification comes in between."""
QUICK_SECONDS = 0.1
"""How soon it looks again while gates may just be seeing what they were told."""
QUICK_FOR_SECONDS = 5.0
LOCK_SECONDS = 5.0
LOOK_SECONDS = 2.0
"""How often what gates have seen is looked at, to be recorded."""
LOOK_AGAIN_SECONDS = 60.0
"""How long is waited where it could not be recorded: most mirrors may not write."""
LONGEST_PAUSE_SECONDS = 5.0
"""How long at most a mirror waits before it tries again to reach the store."""


class Mirror:
    """Keeps one gate folder at what one store holds."""

    def __init__(self, store: Store) -> None:
        """Remember the store, with it the gate folder, and the name that the host reports under."""
        self.store = store
        self.seq = 0
        self.host = store.host
        self._reporter = HostReporter(store.gates, name=self.host, account=_account())
        self._report_fault = self._said_fault = ""
        self._news_at = self._looked_at = float("-inf")
        self.look: Callable[[], str] = lambda: ""
        """Records what gates have seen; returns why it could not be, as an account that only mirrors."""
        self._unrecorded = ""

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
                        self._look(say)
                        watch.wait(self._until_next(wait))
            except StorageUnavailable as exc:
                if not failures:
                    say(f"{exc.message} Gates keep what they were told, without a heartbeat.")
                failures += 1
                _pause(failures, wait, is_over)

    def _look(self, say: Callable[[str], None]) -> None:
        """Record what gates have seen, now and then; where that may not be, somebody's next command does it."""
        is_due = LOOK_AGAIN_SECONDS if self._unrecorded else LOOK_SECONDS
        if time.monotonic() - self._looked_at < is_due:
            return
        self._looked_at = time.monotonic()
        why = self.look()
        if why and why != self._unrecorded:
            say(f"{why} The next command of somebody who may write records it.")
        self._unrecorded = why

    def _say_news(self, seq: int, say: Callable[[str], None], *, is_back: bool) -> None:
        if seq != self.seq or is_back:
            say(f"gates in {self.store.gate_folder} have event {seq}")
            self._news_at = time.monotonic()
        self.seq = seq
        if self._report_fault != self._said_fault:
            why = self._report_fault or "it is taken again"
            say(f"The report of host {self.host}: {why}. Gates are told all the same.")
            self._said_fault = self._report_fault

    def _until_next(self, wait: float) -> float:
        is_quick = time.monotonic() - self._news_at < QUICK_FOR_SECONDS
        return min(wait, QUICK_SECONDS) if is_quick else wait

    def _turn(self, session: Session) -> int:
        """Publish what is new, then beat: the store has just answered."""
        gates = self.store.gates
        with self.store.backend.publishing(gates.folder, LOCK_SECONDS):
            state = self.store.read_state(session)
            if place := session.meta().get(MOVED_TO):
                gates.tell_moved(state, place)
            refuse_moved(session)
            fault = gates.copy_fault(session, state)
            if not fault and not gates.is_told(state):
                fault = gates.tell(session, state)
            fault = fault or gates.beat(state)
            if fault:
                raise StorageUnavailable(f"Nothing was mirrored: {fault}.")
            self._report(session, state)
        return state.seq

    def _report(self, session: Session, state: State) -> None:
        """Say what gates here have seen; a report that is not taken keeps nothing from gates."""
        failures: tuple[type[Exception], ...] = (
            *self.store.backend.failures,
            OSError,
            SnapshotFault,
        )
        try:
            self._report_fault = self._reporter.report(session, state)
        except failures as exc:
            self._report_fault = f"not taken ({str(exc).splitlines()[0]})"


def _account() -> str:
    """Return the account that the mirror runs as, for a store that has no accounts of its own."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _pause(failures: int, wait: float, is_over: Callable[[], bool]) -> None:
    """Wait before the next try, longer each time and never all mirrors at once."""
    longest = min(LONGEST_PAUSE_SECONDS, wait * 2.0 ** min(failures, 10))
    until = time.monotonic() + longest * (0.5 + random.random() / 2)  # no secret depends on it
    while time.monotonic() < until and not is_over():
        time.sleep(min(wait, 0.1))

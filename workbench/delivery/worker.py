"""Goes on delivering: one thread an engine, one worker in all under a lease, slower while an engine is away."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from workbench.clock import Clock
from workbench.delivery.hand import Hand
from workbench.delivery.parts import Look
from workbench.delivery.passing import pass_over
from workbench.engines.interface import EngineSwitch
from workbench.errors import EngineError, WorkbenchError
from workbench.store.store import Store

SOON_SECONDS = 0.2
"""Wait before the next pass while something is not yet as wanted."""

CANNOT_SECONDS = 60.0
"""Wait before an engine is asked again that can do nothing of what is wanted; a new event wakes it at once."""

BREAKER_FAILURES = 3
"""Passes in a row that an engine may leave unanswered before it is asked less often."""

BREAKER_SECONDS = 30.0
"""Longest wait for an engine that does not answer."""


@dataclass
class Breaker:
    """Says how long to leave an engine alone; the waits are jittered, so that workers do not come together."""

    draw: Callable[[], float] = random.random
    failures: int = 0

    def wait_seconds(self, look: Look) -> float:
        """Return the wait after a pass."""
        self.failures = self.failures + 1 if look.fault else 0
        if self.failures < BREAKER_FAILURES:
            return SOON_SECONDS * (0.5 + self.draw())
        longest = min(BREAKER_SECONDS, SOON_SECONDS * 2.0 ** (self.failures - 1))
        return longest * (0.5 + self.draw() / 2)


@dataclass
class Worker:
    """Delivers to every engine until it is told to end.

    Attributes:
        period_seconds: wait between passes over an engine where all is as wanted (the reconcile period).
        looks: engine id -> what the last pass found.
        others: engines that another worker has the lease of.
    """

    store: Store
    engines: Mapping[str, EngineSwitch]
    clock: Clock
    period_seconds: float = 15.0
    say: Callable[[str], None] = lambda _: None
    looks: dict[str, Look] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _wakes: int = 0
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Worker:
        """Start a thread for each engine."""
        for engine_id in self.engines:
            thread = threading.Thread(
                target=self._deliver, args=(engine_id,), name=f"deliver-{engine_id}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads; a pass that is under way is finished, for its end has to be recorded."""
        self._over.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def wake(self) -> None:
        """Let every engine be looked at now: something new was recorded."""
        with self._wake:
            self._wakes += 1
            self._wake.notify_all()

    def once(self) -> Mapping[str, Look]:
        """Go over each engine once, one after the other."""
        for engine_id, engine in self.engines.items():
            with self.store.backend.leasing(f"deliver-{engine_id}") as is_ours:
                if is_ours:
                    self._note(self._pass(engine_id, engine))
                else:
                    self.others.add(engine_id)
        return self.looks

    def _deliver(self, engine_id: str) -> None:
        breaker = Breaker()
        while not self._over.is_set():
            wait = SOON_SECONDS
            try:
                with self.store.backend.leasing(f"deliver-{engine_id}") as is_ours:
                    self._note_lease(engine_id, is_ours)
                    while is_ours and not self._over.is_set():
                        seen = self._wakes
                        look = self._pass(engine_id, self.engines[engine_id])
                        self._note(look)
                        wait = breaker.wait_seconds(look)
                        wait = max(wait, min(look.paced_seconds, self.period_seconds))
                        rest = self._until_next(look) if look.is_settled else wait
                        self._rest(rest, seen)
            except (
                WorkbenchError
            ) as exc:  # the store is away for a moment: holds stand, delivery waits
                self.say(f"{engine_id}: {exc.message}")
            self._rest(max(wait, 1.0), self._wakes)

    def _until_next(self, look: Look) -> float:
        """Return the wait after a pass that settled all; what can be paused is watched at the usual pace."""
        is_idle = bool(look.parts) and len(look.cannot) == len(look.parts)
        return max(self.period_seconds, CANNOT_SECONDS) if is_idle else self.period_seconds

    def _pass(self, engine_id: str, engine: EngineSwitch) -> Look:
        try:
            return pass_over(Hand(engine_id, engine, self.store, self.clock))
        except EngineError as exc:
            return Look(engine_id, self.clock.now(), exc.message, {}, is_settled=False)

    def _note_lease(self, engine_id: str, is_ours: bool) -> None:
        if is_ours:
            self.others.discard(engine_id)
        else:
            self.others.add(engine_id)

    def _note(self, look: Look) -> None:
        before = self.looks.get(look.engine_id)
        self.looks[look.engine_id] = look
        words = _words(look)
        if before is None or words != _words(before):
            self.say(f"{look.engine_id}: {words}")

    def _rest(self, seconds: float, seen: int) -> None:
        """Wait, but not where it was woken since `seen`: during a pass that had looked before that."""
        with self._wake:
            self._wake.wait_for(lambda: self._over.is_set() or self._wakes != seen, seconds)


def _words(look: Look) -> str:
    """Say in one line how far an engine is."""
    if look.fault:
        return f"UNREACHABLE: {look.fault}"
    parts = look.parts.values()
    confirmed = sum(part.confirmed_at is not None for part in parts)
    quiet = sum(part.quiet_at is not None for part in parts)
    why = sorted({part.why for part in parts if part.why})
    cannot = f", {len(look.cannot)} CANNOT" if look.cannot else ""
    more = f"; {why[0]}" if why else ""
    return f"{confirmed} of {len(look.parts)} confirmed, {quiet} quiet{cannot}{more}"

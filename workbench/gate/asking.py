"""The gate itself: one object that answers, lets runs through, and can be waited at."""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import presence
from workbench.answers import GateAnswer, GateState
from workbench.clock import Clock
from workbench.gate.asked import (
    EFFECTS,
    GOES_ON,
    ONLY_ASKS,
    STARTS,
    AskedRun,
    Bearing,
    Effect,
    Inside,
    OnUnknown,
    Paused,
    Unknown,
    refuse_other_effects,
)
from workbench.gate.source import Source
from workbench.snapshot import EPOCH_WORD, SPOOL_WORD

if TYPE_CHECKING:
    from workbench.gate.admission import Admission
    from workbench.gate.around import Function

_current: contextvars.ContextVar[Inside | None] = contextvars.ContextVar(
    "workbench_gate_run", default=None
)


class Gate(Source):
    """Answers from one published gate folder; one object per process serves all its threads and loops.

    `max_age_seconds`, here or at a question: CLEAR becomes UNKNOWN once the source of what was published has
    not been verified alive for so long; PAUSED stays. How that is verified depends on where the store is. A
    store in a file on this host is alive while the file that published lies in its place: whoever commits to
    it publishes before the command returns, so there is no server that could die unnoticed. Otherwise (a
    PostgreSQL store, or a container that sees the gate folder but not the store) `workbench mirror --watch`
    says twice a second that it is alive; without a mirror only publications do.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        clock: Clock | None = None,
        max_age_seconds: float | None = None,
    ) -> None:
        """Look at a gate folder, by default the one that `WORKBENCH_GATE` names."""
        super().__init__(folder, clock=clock, max_age_seconds=max_age_seconds)
        self._admission: Admission | None = None
        self._presence = presence.reporter_of(self.folder)
        _gates.add(self)

    def check(
        self, automation_id: str, effect: Effect = "write", *, max_age_seconds: float | None = None
    ) -> GateAnswer:
        """Answer whether the automation may act; consumes nothing.

        A hold stops reads as well as writes; `effect` is what the automation is about to do. Under a
        narrow restart only a run that took a ticket (`run`) is let through, with reads alone where the
        restart is limited to them, and under a drain only a run that was in flight before.
        """
        view = self._view
        # The way of nearly every call: the same state, clear, asked about within the last second.
        if view is not None and max_age_seconds is None and effect in EFFECTS:
            answer = view.quick.get(automation_id)
            if answer is not None:
                words = view.words
                is_same = words[EPOCH_WORD] == view.epoch and words[SPOOL_WORD] == view.spool_word
                if is_same and time.monotonic() < self._restat_at:
                    return answer
        refuse_other_effects(effect)
        current = _current.get()
        if (
            current is not None
            and current.run.automation_id == automation_id
            and not self._is_over(current)
        ):
            asked = current.run._replace(effect=effect, max_age_seconds=max_age_seconds)
            answer = self._admit(asked, ONLY_ASKS)
        else:
            found = self.current_view()
            if isinstance(found, str):
                answer = self.unknown(automation_id, found)
            else:
                answer = found.answer(automation_id, max_age_seconds)
        self._note(automation_id, answer)
        return answer

    @contextlib.contextmanager
    def run(
        self,
        automation_id: str,
        run_id: str,
        *,
        effect: Effect = "write",
        on_unknown: OnUnknown = "stop",
        max_age_seconds: float | None = None,
    ) -> Iterator[GateAnswer]:
        """Let one run through, or raise Paused or Unknown before it starts.

        Takes a ticket where a narrow restart limits the number of runs: one per `run_id`, however
        often it is asked and from whichever process. In a narrow restart UNKNOWN is PAUSED.
        A run of effect "read" starts under a narrow restart that is limited to reads; a write in it is
        held. The largest age counts for the start; for the whole run give it to the gate.
        """
        refuse_other_effects(effect)
        run = AskedRun(automation_id, str(run_id), effect, on_unknown, max_age_seconds)
        answer = self.enter(run)
        inside = Inside(run)
        token = _current.set(inside)
        try:
            yield answer
        finally:
            inside.is_over = True
            _current.reset(token)
            self.leave(run)

    def pause_point(
        self, effect: Effect | None = None, *, max_age_seconds: float | None = None
    ) -> GateAnswer:
        """Ask again inside a run; raises Paused or Unknown so that the run stops at this step.

        Without an effect the next step has that of the run. A task that outlives its run is in flight no more: a
        drain holds it.
        """
        quick = self._quick_inside() if effect is None and max_age_seconds is None else None
        if quick is not None:
            return quick
        asked, bearing = self._inside(effect, max_age_seconds)
        answer = self._admit(asked, bearing)
        self._note(asked.automation_id, answer)
        self._raise_unless_clear(asked, answer)
        return answer

    def wait_until_clear(
        self, automation_id: str, timeout_seconds: float | None = None, *, effect: Effect = "write"
    ) -> GateAnswer:
        """Wait until the automation may act, at most so long; returns the last answer, CLEAR or not.

        A publication wakes the waiter at once; besides, it looks once a second by itself.
        """
        from workbench.gate.waiting import wait_until_clear

        return wait_until_clear(self, automation_id, seconds=timeout_seconds, effect=effect)

    async def wait_until_clear_async(
        self, automation_id: str, timeout_seconds: float | None = None, *, effect: Effect = "write"
    ) -> GateAnswer:
        """Wait as `wait_until_clear` does, without holding up the event loop."""
        from workbench.gate.around import wait_until_clear_async

        return await wait_until_clear_async(
            self, automation_id, seconds=timeout_seconds, effect=effect
        )

    @contextlib.asynccontextmanager
    async def run_async(
        self,
        automation_id: str,
        run_id: str,
        *,
        effect: Effect = "write",
        on_unknown: OnUnknown = "stop",
        max_age_seconds: float | None = None,
        is_in_flight: bool = False,
    ) -> AsyncIterator[GateAnswer]:
        """Let one run through as `run` does, without holding up the event loop while the gate is asked.

        `is_in_flight`: an engine that carries a run out in pieces says so from the second piece on.
        """
        from workbench.gate.around import enter_async, leave_async

        refuse_other_effects(effect)
        run = AskedRun(
            automation_id, str(run_id), effect, on_unknown, max_age_seconds, is_in_flight
        )
        answer = await enter_async(self, run)
        inside = Inside(run)
        token = _current.set(inside)
        try:
            yield answer
        finally:
            inside.is_over = True
            _current.reset(token)
            await leave_async(self, run)

    async def pause_point_async(
        self, effect: Effect | None = None, *, max_age_seconds: float | None = None
    ) -> GateAnswer:
        """Ask again as `pause_point` does; where files have to be read a thread reads them."""
        from workbench.gate.around import in_thread

        quick = self._quick_inside() if effect is None and max_age_seconds is None else None
        if quick is not None:
            return quick
        self._inside(effect, max_age_seconds)
        return await in_thread(lambda: self.pause_point(effect, max_age_seconds=max_age_seconds))

    def guarded(
        self,
        automation_id: str,
        *,
        run_id: Callable[..., str] | None = None,
        effect: Effect = "write",
        on_unknown: OnUnknown = "stop",
    ) -> Callable[[Function], Function]:
        """Let each call of a function, plain or async, through as a run; raises Paused or Unknown instead.

        The run's id is what `run_id` makes of the arguments, else the function's own argument `run_id`, else
        a new one: a call with the id of an earlier one takes no second ticket.
        """
        from workbench.gate.around import guard

        refuse_other_effects(effect)
        asked = AskedRun(automation_id, "", effect, on_unknown)
        return guard(lambda: self, asked, run_id=run_id)

    def enter(self, run: AskedRun) -> GateAnswer:
        """Let a run in and note it in flight, or raise; whoever enters calls `leave`."""
        answer = self._admit(run, GOES_ON if run.is_in_flight else STARTS)
        self._raise_unless_clear(run, answer)
        self._presence.started(run.automation_id, run.run_id, seq=answer.as_of_seq)
        return answer

    def go_on(self, run: AskedRun) -> GateAnswer:
        """Let a further step go on of a run that was let in before, by another process perhaps, or raise.

        Under a drain such a run goes on; whoever calls it calls `leave` when the step has ended.
        """
        answer = self._admit(run, GOES_ON)
        self._raise_unless_clear(run, answer)
        self._presence.started(run.automation_id, run.run_id, seq=answer.as_of_seq)
        return answer

    def leave(self, run: AskedRun) -> None:
        """Note that a run has ended."""
        self._presence.finished(run.automation_id, run.run_id)

    def carried_out_by(self, automation_id: str, pid: int) -> None:
        """Note another process that carries out this one's run: the run is in flight while either lives."""
        self._presence.carried_out_by(automation_id, pid)

    def _inside(
        self, effect: Effect | None, max_age_seconds: float | None
    ) -> tuple[AskedRun, Bearing]:
        current = _current.get()
        if current is None:
            raise RuntimeError(
                "pause_point() is called inside `with gate.run(automation_id, run_id):`"
            )
        if effect is not None:
            refuse_other_effects(effect)
        run, bearing = current.run, STARTS if self._is_over(current) else GOES_ON
        return run._replace(effect=effect or run.effect, max_age_seconds=max_age_seconds), bearing

    def _is_over(self, inside: Inside) -> bool:
        """Tell whether a run was left; a forked child looks whether a living process is inside of it still."""
        if inside.is_over or inside.pid == os.getpid():
            return inside.is_over
        run_id, said = inside.run.run_id, presence.read_presences(self.folder)
        known = said.get(inside.run.automation_id, ())
        return not any(one.is_alive and run_id in one.in_flight for one in known)

    def _quick_inside(self) -> GateAnswer | None:
        """Return the CLEAR that was given lately to this run's automation, where nothing has changed since."""
        view, current = self._view, _current.get()
        if view is None or current is None or time.monotonic() >= self._restat_at:
            return None
        return view.quick.get(current.run.automation_id) if view.is_current else None

    def _note(self, automation_id: str, answer: GateAnswer) -> None:
        """Report what was seen; a CLEAR of the state itself needs no further note within this second."""
        self._presence.asked(automation_id, answer.as_of_seq)
        view = self._view
        if (
            view is not None
            and answer.state is GateState.CLEAR
            and view.answers.get(automation_id) is answer
            and not view.silence()  # a question may have allowed more than the gate itself does
        ):
            view.quick[automation_id] = answer

    def _admit(self, run: AskedRun, bearing: Bearing) -> GateAnswer:
        view = self.current_view()
        if isinstance(view, str):
            return self.unknown(run.automation_id, view)
        return self._judges().judge(view, run, bearing=bearing)

    def _judges(self) -> Admission:
        """Return what judges runs, loaded when the first one comes: many automations only check."""
        from workbench.gate.admission import Admission

        with self._lock:  # one for all threads: it keeps the latest instant that any of them saw
            if self._admission is None:
                self._admission = Admission(self.folder, self._clock)
            return self._admission

    def _raise_unless_clear(self, run: AskedRun, answer: GateAnswer) -> None:
        if answer.state is GateState.PAUSED:
            self._presence.asked(run.automation_id, answer.as_of_seq)
            raise Paused(run.automation_id, answer)
        if answer.state is GateState.UNKNOWN and run.on_unknown != "continue":
            raise Unknown(run.automation_id, answer)


_gates: weakref.WeakSet[Gate] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a forked child: a lock that another thread of the parent held would never be free again."""
    for gate in _gates:
        gate._lock = threading.Lock()
        gate._view = None  # what the parent noted is not noted of the child
        gate._presence.start_again()


os.register_at_fork(after_in_child=_renew_locks)

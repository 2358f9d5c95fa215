"""The question an automation asks before it acts: may I go on?

    from workbench.gate import Gate, Paused

    gate = Gate()
    with gate.run("invoice-triage", run_id):      # refuses to start while held
        for step in steps:
            gate.pause_point()                    # stops a long run at the next step
            step()

Standard library only; it never opens the store but reads what that published. Three answers: PAUSED,
CLEAR, UNKNOWN. UNKNOWN is not "not paused": the caller says what it does then, by default it stops.
"""

from __future__ import annotations

import contextlib
import contextvars
import mmap
import os
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from workbench import presence
from workbench.clock import Clock, SystemClock, from_text
from workbench.gate_view import View
from workbench.records import GateAnswer, GateState, Mode
from workbench.settings import Settings
from workbench.snapshot import (
    EPOCH_FILE,
    EPOCH_SIZE_BYTES,
    EPOCH_WORD,
    SEQ_WORD,
    Published,
    SnapshotFault,
    published_by,
    read_snapshot,
    store_digest,
)
from workbench.tickets import TicketBook, TicketFault

__all__ = ["Gate", "GateAnswer", "GateState", "Paused", "Unknown"]

ODD_WAIT_SECONDS = 0.05
"""How long a publication in progress is waited for (SEMANTICS 4)."""
RESTAT_SECONDS = 1.0
"""How often the epoch file's identity is checked, and how fresh `age_seconds` is."""

OnUnknown = Literal["stop", "continue"]
Effect = Literal["write", "read"]
EFFECTS = ("write", "read")


class Paused(Exception):
    """The automation is held; `answer` says by what."""

    def __init__(self, automation_id: str, answer: GateAnswer) -> None:
        """Say which holds stop the automation."""
        self.answer = answer
        held = ", ".join(answer.holds) or "a hold"
        super().__init__(
            f"{automation_id} is paused by {held}{f': {answer.reason}' if answer.reason else ''}"
        )


class Unknown(Exception):
    """The gate cannot tell whether the automation is held; `answer` says why."""

    def __init__(self, automation_id: str, answer: GateAnswer) -> None:
        """Say why there is no answer."""
        self.answer = answer
        super().__init__(f"cannot tell whether {automation_id} is paused: {answer.reason}")


@dataclass(frozen=True)
class _Run:
    automation_id: str
    run_id: str
    on_unknown: OnUnknown


_current: contextvars.ContextVar[_Run | None] = contextvars.ContextVar(
    "workbench_gate_run", default=None
)


class Gate:
    """Answers from one published gate folder; one object per process serves all its threads."""

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        clock: Clock | None = None,
        max_age_seconds: float | None = None,
    ) -> None:
        """Look at a gate folder, by default the one that `WORKBENCH_GATE` names.

        With `max_age_seconds` CLEAR becomes UNKNOWN once the store has not been known alive for so long;
        that needs `workbench mirror --watch` on this host, which writes the heartbeat.
        """
        self._max_age_seconds = max_age_seconds
        self.folder = Path(folder) if folder is not None else Settings.from_environment().gate
        self._clock = clock or SystemClock()
        self._newest: datetime | None = None
        self._lock = threading.Lock()
        self._words: memoryview[int] | None = None
        self._identity: tuple[int, int] | None = None
        self._view: View | None = None
        self._last_view: View | None = None
        self._restat_at = 0.0
        self._presence = presence.reporter_of(self.folder)
        _gates.add(self)

    def check(self, automation_id: str, effect: Effect = "write") -> GateAnswer:
        """Answer whether the automation may act; consumes nothing.

        A hold stops reads as well as writes; `effect` is what the automation is about to do. Under a
        narrow restart only a run that took a ticket (`run`) is let through, and under a drain only
        a run that was in flight before.
        """
        view = self._view
        current = _current.get()
        # The way of nearly every call: the same published state, asked about lately, outside of a run.
        if view is not None and current is None and effect in EFFECTS:
            now = time.monotonic()
            is_noted = now < view.noted_until.get(automation_id, 0.0)
            if is_noted and now < self._restat_at and view.is_current:
                return view.answers[automation_id]
        if effect not in EFFECTS:
            raise ValueError(f"effect is 'write' or 'read', not {effect!r}")
        if current is not None and current.automation_id == automation_id:
            answer = self._admit(current, is_in_flight=True, may_take=False)
        else:
            answer = self._answer(automation_id)
        self._presence.asked(automation_id, answer.as_of_seq)
        if view is not None and view is self._view and automation_id in view.answers:
            view.noted_until[automation_id] = time.monotonic() + presence.REFRESH_SECONDS / 2
        return answer

    @contextlib.contextmanager
    def run(
        self, automation_id: str, run_id: str, *, on_unknown: OnUnknown = "stop"
    ) -> Iterator[GateAnswer]:
        """Let one run through, or raise Paused or Unknown before it starts.

        Takes a ticket where a narrow restart limits the number of runs: one per `run_id`, however
        often it is asked and from whichever process. In a narrow restart UNKNOWN is PAUSED.
        """
        run = _Run(automation_id, str(run_id), on_unknown)
        answer = self._admit(run, is_in_flight=False, may_take=True)
        self._raise_unless_clear(automation_id, answer, on_unknown)
        token = _current.set(run)
        try:
            self._presence.started(automation_id, run.run_id, seq=answer.as_of_seq)
            yield answer
        finally:
            _current.reset(token)
            self._presence.finished(automation_id, run.run_id)

    def pause_point(self) -> GateAnswer:
        """Ask again inside a run; raises Paused or Unknown so that the run stops at this step."""
        current = _current.get()
        if current is None:
            raise RuntimeError(
                "pause_point() is called inside `with gate.run(automation_id, run_id):`"
            )
        answer = self._admit(current, is_in_flight=True, may_take=True)
        self._presence.asked(current.automation_id, answer.as_of_seq)
        self._raise_unless_clear(current.automation_id, answer, current.on_unknown)
        return answer

    def _raise_unless_clear(
        self, automation_id: str, answer: GateAnswer, on_unknown: OnUnknown
    ) -> None:
        if answer.state is GateState.PAUSED:
            self._presence.asked(automation_id, answer.as_of_seq)
            raise Paused(automation_id, answer)
        if answer.state is GateState.UNKNOWN and on_unknown != "continue":
            raise Unknown(automation_id, answer)

    def _admit(self, run: _Run, *, is_in_flight: bool, may_take: bool) -> GateAnswer:
        view = self._current_view()
        if isinstance(view, str):
            return self._unknown(run.automation_id, view)
        told = from_text(view.published.published_at)
        self._newest = max(self._clock.now(), told, self._newest or told)
        answer = view.answer(run.automation_id)
        if answer.state is not GateState.PAUSED:
            return answer
        holds = view.holds_on(run.automation_id)
        firm = [hold for hold in holds if hold["probation"] is None]
        if any(not (is_in_flight and hold["mode"] == Mode.DRAIN) for hold in firm):
            return answer
        probations = [hold["probation"] for hold in holds if hold["probation"] is not None]
        if doubt := view.published.doubt or view.silence:
            return replace(answer, reason=doubt) if probations else answer
        refusal = self._refusal(probations, run, may_take=may_take)
        if refusal:
            return replace(answer, reason=refusal)
        return replace(answer, state=GateState.CLEAR, reason="let through: narrow restart or drain")

    def _answer(self, automation_id: str) -> GateAnswer:
        view = self._current_view()
        if isinstance(view, str):
            return self._unknown(automation_id, view)
        return view.answer(automation_id)

    def _refusal(self, probations: list[dict[str, Any]], run: _Run, *, may_take: bool) -> str:
        """Return why a narrow restart lets the run not through; takes its tickets where it may.

        All are asked before any ticket is taken: one is spent only where the run may go on.
        """
        who = (run.automation_id, run.run_id)
        now = self._newest or self._clock.now()
        books = [TicketBook(self.folder, p["probation_id"], p["max_runs"]) for p in probations]
        try:
            for probation, book in zip(probations, books, strict=True):
                why = self._over(probation, book, now) or book.refusal(*who)
                if why:
                    return why
                if not may_take and not book.has_ticket(*who):
                    return f"the run has no ticket of {book.probation_id}; pause_point() takes one"
            if may_take:
                return next((why for book in books if (why := book.take(*who, now=now))), "")
        except TicketFault as exc:
            return str(exc)
        return ""

    @staticmethod
    def _over(probation: dict[str, Any], book: TicketBook, now: datetime) -> str:
        """Return why a narrow restart is over by the clock; what is seen over once stays over."""
        until = probation["until"]
        if until is None or now < from_text(until):
            return ""
        why = f"the narrow restart {book.probation_id} ended at {until}"
        with contextlib.suppress(TicketFault):
            book.close(why, now=now)
        return why

    def _unknown(self, automation_id: str, fault: str) -> GateAnswer:
        # What was paused when last heard of stays so: not knowing never opens, and in a narrow restart
        # (the hold is still there) UNKNOWN counts as PAUSED whatever the caller would do with it.
        known = self._last_view.answer(automation_id) if self._last_view else None
        if known is None or known.state is not GateState.PAUSED:
            return GateAnswer(GateState.UNKNOWN, reason=fault)
        return replace(known, reason=f"when last heard of; now unknown: {fault}")

    def _current_view(self) -> View | str:
        view = self._view
        if view is not None and view.is_current and time.monotonic() < self._restat_at:
            return view
        return self._refresh()

    def _refresh(self) -> View | str:
        """Return the published state as it is now, or why it cannot be told."""
        deadline = (
            time.monotonic() + ODD_WAIT_SECONDS
        )  # threads that queue here wait it out together
        with self._lock:
            try:
                found = self._load(self._open(), deadline)
            except (OSError, SnapshotFault, ValueError) as exc:
                found = f"the gate folder {self.folder} cannot be read: {exc}"
            self._view = None if isinstance(found, str) else found
            self._last_view = self._view or self._last_view
            return found

    def _open(self) -> memoryview[int]:
        found = os.stat(self.folder / EPOCH_FILE)
        if found.st_size != EPOCH_SIZE_BYTES:
            self._words = None
            raise SnapshotFault("the epoch file has another size")
        identity = (found.st_dev, found.st_ino)
        if self._words is None or self._identity != identity:
            with open(self.folder / EPOCH_FILE, "rb") as file:
                area = mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES, access=mmap.ACCESS_READ)
            self._words = memoryview(area).cast("Q")
            self._identity = identity
        return self._words

    def _load(self, words: memoryview[int], deadline: float) -> View | str:
        while True:
            epoch = words[EPOCH_WORD]
            if not epoch & 1:
                known = self._view
                is_same = known is not None and known.words is words and known.epoch == epoch
                published = known.published if known and is_same else read_snapshot(self.folder)
                if published.seq == words[SEQ_WORD] and words[EPOCH_WORD] == epoch:
                    return self._accept(words, epoch, published)
            if time.monotonic() >= deadline:
                self._look_before_unknown(words)
                return f"publication incomplete at seq {words[SEQ_WORD]}"
            time.sleep(0.001)

    def _accept(self, words: memoryview[int], epoch: int, published: Published) -> View | str:
        if published_by(words) != store_digest(published.store_id):
            return f"epoch and snapshot in {self.folder} are of different stores"
        self._restat_at = time.monotonic() + RESTAT_SECONDS
        return View(words, epoch, published, self._clock.now(), {}, {}, self._max_age_seconds)

    def _look_before_unknown(self, words: memoryview[int]) -> None:
        """Remember what the older snapshot says: a process that just began must not go on over a hold."""
        with contextlib.suppress(SnapshotFault):
            published = read_snapshot(self.folder)
            if published_by(words) == store_digest(published.store_id):
                odd = words[EPOCH_WORD]
                self._last_view = View(words, odd, published, self._clock.now(), {}, {})


_gates: weakref.WeakSet[Gate] = weakref.WeakSet()


def _renew_locks() -> None:
    """In a forked child: a lock that another thread of the parent held would never be free again."""
    for gate in _gates:
        gate._lock = threading.Lock()
        gate._view = None  # what the parent noted is not noted of the child
        gate._presence.start_again()


os.register_at_fork(after_in_child=_renew_locks)

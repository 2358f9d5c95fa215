"""A drill: probe work of each class is started, paused, watched, resumed and cleaned up, and what happened is kept.

The hold and its release are those of a real pause, marked as a drill; so are plan, intent, reading back and receipt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workbench.delivery import judging
from workbench.delivery.effects import (
    Difference,
    Sample,
    Watched,
    differences,
    last_start_at,
    late_starts,
    observed_effects,
)
from workbench.delivery.hand import Hand
from workbench.delivery.judging import NEW_WORK
from workbench.delivery.parts import Part
from workbench.delivery.pausing import pause
from workbench.delivery.resuming import resume
from workbench.delivery.wanted import Want
from workbench.drills import DrillOutcome
from workbench.engines.interface import Engine, ProbeStarter
from workbench.engines.switching import (
    CatchUp,
    Effect,
    EngineScope,
    OnPause,
    ProbeWork,
    ScopeKind,
    WorkClass,
)
from workbench.errors import EngineError, Refused
from workbench.records import Hold, Mode, RunStatus


class TooShort(Refused):
    """The watch is too short for what the probes do; whoever gave the command can give it again, longer."""

    def __init__(self, message: str, *, least_seconds: float) -> None:
        """Keep how long the watch must be."""
        super().__init__(message, next_step=f"watch for {least_seconds:g} s or longer")
        self.least_seconds = least_seconds


@dataclass(frozen=True)
class Pace:
    """How long a drill takes, in seconds.

    Attributes:
        settle_seconds: from starting the work until the running run must be at work.
        confirm_seconds: how long the pause may take to be read back.
        watch_seconds: how long the paused work is watched; longer than one step and one retry of a probe.
        after_seconds: how long the resumed work is watched.
    """

    settle_seconds: float = 30.0
    confirm_seconds: float = 30.0
    watch_seconds: float = 30.0
    after_seconds: float = 60.0
    sample_seconds: float = 1.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Drilled:
    """What a drill found; the certificate is made of it.

    Attributes:
        command_at: when the pause was given; the times below are measured from it.
        declared: what the engine declares of the mode, for each class.
        undeclared: those of `not_held` that were seen to go on and are not declared to.
        leaks: probe runs that started after the pause had been read back, of classes not declared to go on.
        not_held: classes of work that the mode should stop and that start or go on all the same.
        cannot: class of work -> why none of it could be started.
        left: what cleaning up had to leave, for a person, a sentence each.
    """

    engine_id: str
    engine: str
    version: str
    mode: Mode
    command_at: datetime
    confirmed_at: datetime | None
    quiet_at: datetime | None
    last_start_at: datetime | None
    effects: tuple[Effect, ...]
    differences: tuple[Difference, ...]
    leaks: tuple[str, ...]
    not_held: tuple[WorkClass, ...]
    undeclared: tuple[WorkClass, ...]
    cannot: tuple[tuple[WorkClass, str], ...]
    left: tuple[str, ...]
    findings: tuple[str, ...] = ()
    declared: tuple[Effect, ...] = ()

    @property
    def outcome(self) -> DrillOutcome:
        """Return whether the pause was read back and held all, did as declared, or failed.

        A drill in which nothing was seen of running work shows nothing, so it failed.
        """
        is_worse = self.undeclared or any(map(judging.is_worse, self.differences))
        is_blind = WorkClass.RUNNING in self.not_seen or not self.effects
        if self.confirmed_at is None or self.leaks or is_worse or is_blind:
            return DrillOutcome.FAILED
        return DrillOutcome.AS_DECLARED if self.not_held else DrillOutcome.PASSED

    @property
    def not_seen(self) -> tuple[WorkClass, ...]:
        """Return the classes that were started and of which nobody can tell what the pause did."""
        return judging.not_seen(self.effects)

    @property
    def in_words(self) -> str:
        """Return the outcome as every screen says it."""
        return judging.outcome_in_words(self.outcome, self.not_held)


@dataclass
class Drill:
    """One drill of one engine in one mode.

    Attributes:
        place: places the marked hold.
        release: releases it; called however the drill ends.
        say: told what begins now and how long it may take, for who waits in front of it.
    """

    hand: Hand
    engine: Engine
    mode: Mode
    place: Callable[[], Hold]
    release: Callable[[Hold], None]
    pace: Pace = field(default_factory=Pace)
    say: Callable[[str], None] = lambda _: None
    _works: list[ProbeWork] = field(default_factory=list)

    def run(self) -> Drilled:
        """Carry it out; raises Refused where the engine has no probe work, EngineError where it does not answer."""
        starter = self._starter()
        health = self.engine.probe()
        try:
            watched, command_at, part = self._story(starter)
        finally:
            self.say("cleaning up what was started")
            left = tuple(starter.clean_up())
        effects, declared = (
            observed_effects(self._works, watched, version=health.version),
            self._declared(),
        )
        goes_on = {e.work_class for e in declared if e.on_pause is OnPause.CONTINUES}
        return Drilled(
            engine_id=self.hand.engine_id,
            engine=health.engine,
            version=health.version,
            mode=self.mode,
            command_at=command_at,
            confirmed_at=part.confirmed_at,
            quiet_at=part.quiet_at,
            last_start_at=last_start_at(self._works, watched),
            effects=effects,
            differences=differences(declared, effects),
            not_held=judging.classes_not_held(self.mode, declared, seen=effects),
            undeclared=judging.undeclared(self.mode, declared, seen=effects),
            leaks=late_starts([w for w in self._works if w.work_class not in goes_on], watched),
            cannot=tuple((w.work_class, w.cannot) for w in self._works if w.cannot),
            left=left,
            findings=health.findings,
            declared=declared,
        )

    def _starter(self) -> ProbeStarter:
        """Return what starts probe work; raises Refused where nothing does, TooShort for a watch that sees nothing."""
        starter = self.engine
        if not isinstance(starter, ProbeStarter):
            raise Refused(
                f"{self.hand.engine_id} can start no probe work, so it cannot be drilled.",
                next_step="drill by hand and keep the record, or give its adapter `start` and `clean_up`",
            )
        least = getattr(self.engine, "least_watch_seconds", 0.0)
        if self.pace.watch_seconds < least:
            raise TooShort(
                f"Its probes wait up to {least:g} s, so a watch of {self.pace.watch_seconds:g} s sees nothing.",
                least_seconds=least,
            )
        return starter

    def _story(self, starter: ProbeStarter) -> tuple[Watched, datetime, Part]:
        self.say(f"starting probe work; at work in at most {self.pace.settle_seconds:g} s")
        self._works = [starter.start(one) for one in WorkClass if one not in NEW_WORK]
        scopes = self._scopes()
        before = self._until_at_work()
        command_at = self.hand.clock.now()
        hold = self.place()
        self.say(f"paused by {hold.hold_id}; read back in at most {self.pace.confirm_seconds:g} s")
        try:
            part = self._pause(
                [Want(one, one.key, self.mode, hold, (hold.hold_id,)) for one in scopes]
            )
            self._works += [starter.start(one) for one in NEW_WORK]
            self.say(f"watching the pause for {self.pace.watch_seconds:g} s")
            during = self._samples(self.pace.watch_seconds)
            quiet = self.hand.engine.state(scopes)
        finally:
            own = self._own_targets(scopes)
            self.release(hold)
            resume(self.hand, frozenset(), catch_up=CatchUp.ALL, only=own)
        self.say(f"released; watching the resume for {self.pace.after_seconds:g} s")
        after = self._samples(self.pace.after_seconds)
        if part.confirmed_at and part.quiet_at is None and not any(r.running_ids for r in quiet):
            part = Part(part.delivered_at, part.confirmed_at, max(r.observed_at for r in quiet))
        return Watched(before, during, after, part.confirmed_at), command_at, part

    def _own_targets(self, scopes: Sequence[EngineScope]) -> frozenset[str]:
        """Return what the drill itself paused or may have paused, for the rest is not its own to bring back."""
        state, keys = self.hand.state(), {scope.key for scope in scopes}
        paused = {at for at, body in state.receipts.items() if keys & {*body["automation_ids"]}}
        meant = {at for at, intent in state.intents.items() if intent["scope"] in keys}
        return frozenset(t for name, t in paused | meant if name == self.hand.engine_id)

    def _scopes(self) -> list[EngineScope]:
        keys = dict.fromkeys(work.scope_key for work in self._works if work.scope_key)
        if keys:
            return [EngineScope(ScopeKind.WORKFLOW, key) for key in keys]
        why = "; ".join(f"{work.work_class}: {work.cannot}" for work in self._works)
        raise EngineError(f"{self.hand.engine_id} could start no probe work at all: {why}")

    def _until_at_work(self) -> Sample:
        """Return the sample in which the running run is at work; raises EngineError where it never is."""
        running = next((w.run_id for w in self._works if w.work_class is WorkClass.RUNNING), "")
        left = self.pace.settle_seconds
        while True:
            sample = self._sample()
            row = sample.rows.get(running)
            if not running or (row and row.status == RunStatus.RUNNING):
                return sample
            if left <= 0:
                raise EngineError(
                    f"{self.hand.engine_id}: no worker took the probe run within "
                    f"{self.pace.settle_seconds:g} s ({row.raw_status if row else 'not there'}), so nothing was paused."
                )
            self.pace.sleep(self.pace.sample_seconds)
            left -= self.pace.sample_seconds

    def _pause(self, wants: Sequence[Want]) -> Part:
        """Pause every workflow of the probes; confirmed when the last of them is."""
        left = self.pace.confirm_seconds
        while True:
            part = _last(list(pause(self.hand, wants).parts.values()))
            if part.confirmed_at or part.is_final or left <= 0:
                return part
            self.pace.sleep(self.pace.sample_seconds)
            left -= self.pace.sample_seconds

    def _samples(self, seconds: float) -> Sequence[Sample]:
        found, left = [self._sample()], seconds
        while left > 0:
            self.pace.sleep(self.pace.sample_seconds)
            left -= self.pace.sample_seconds
            found.append(self._sample())
        return found

    def _sample(self) -> Sample:
        now = self.hand.clock.now()
        ids = [work.run_id for work in self._works if work.run_id]
        rows = {row.run_id: row for row in self.engine.runs_by_id(ids, now)}
        counts: dict[str, int] = {}
        for step in self.engine.steps(sorted(rows)):
            if step.status == RunStatus.SUCCEEDED:
                counts[step.run_id] = counts.get(step.run_id, 0) + 1
        return Sample(now, rows, counts)

    def _declared(self) -> tuple[Effect, ...]:
        for one in self.engine.capabilities():
            if (one.scope_kind, one.mode) == (ScopeKind.WORKFLOW, self.mode):
                return one.effects
        return ()


def _last(parts: Sequence[Part]) -> Part:
    """Return how far the slowest part is, with the latest instants of all."""
    slow = next((part for part in parts if part.confirmed_at is None), None)
    if slow is not None:
        return slow
    delivered = [part.delivered_at for part in parts if part.delivered_at]
    confirmed = [part.confirmed_at for part in parts if part.confirmed_at]
    quiet = [part.quiet_at for part in parts if part.quiet_at]
    return Part(
        max(delivered, default=None),
        max(confirmed),
        max(quiet) if len(quiet) == len(parts) else None,
    )

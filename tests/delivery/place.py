"""A store with automations that run in a fake engine, and a pass over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.fake_engine import FakeEngine
from tests.store.ground import SetClock, a_control, an_automation
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.delivery.hand import Hand
from workbench.delivery.parts import Look
from workbench.delivery.passing import pass_over
from workbench.records import Hold, Mode

JOBS = ("orders", "invoices", "emails")


@dataclass
class Place:
    """Everything that a test of delivery needs."""

    control: Control
    engine: FakeEngine
    clock: SetClock
    looks: list[Look] = field(default_factory=list)

    def hold(self, scope: str, mode: Mode = Mode.DRAIN) -> Hold:
        request = PauseRequest(scope, "wrong amounts", mode=mode)
        return self.control.pause(request, wait_seconds=0).hold

    def go(self) -> Look:
        """One pass, and a moment later."""
        look = pass_over(Hand("fake", self.engine, self.control.store, self.clock))
        self.clock.move(1)
        self.looks.append(look)
        return look

    def paused(self) -> set[str]:
        return {job.name for job in self.engine.jobs.values() if job.is_paused}

    def actions(self) -> list[str]:
        return [event.action for event in self.control.store.events()]


def an_engine(clock: SetClock) -> FakeEngine:
    """Three jobs that run, and `attic`, which somebody paused before."""
    engine = FakeEngine(clock)
    engine.add(*JOBS)
    engine.add("attic", is_paused=True)
    return engine


def a_place(root: Path, **more: Any) -> Place:
    """Three jobs with an automation each; `attic` was paused by somebody before, and has an automation too."""
    clock = SetClock()
    engine = an_engine(clock)
    found = [
        an_automation(name, "workflow", engine="fake", asks_gate=False, **more)
        for name in (*JOBS, "attic")
    ]
    return Place(a_control(root, clock, found), engine, clock)

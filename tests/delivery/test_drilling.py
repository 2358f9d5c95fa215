"""A drill starts real probe work, pauses it for real, and keeps what the engine did, declared or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.place import Place, a_place
from tests.engines.fake_engine import FakeEngine, Tricks
from tests.store.ground import break_glass
from workbench.control.drill_words import drill_words
from workbench.control.placing import PauseRequest
from workbench.delivery.certificate import certificate_draft, newest_certificate
from workbench.delivery.drilling import Drill, Drilled, Pace
from workbench.delivery.hand import Hand
from workbench.drills import DrillOutcome
from workbench.engines.switching import (
    CallResult,
    Capability,
    Effect,
    OnPause,
    OnResume,
    WorkClass,
)
from workbench.errors import EngineError, Refused
from workbench.records import Hold, Mode, Purpose


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def drill(place: Place, mode: Mode = Mode.FREEZE) -> Drilled:
    """Drill the fake, whose time goes on when the drill sleeps."""

    def put() -> Hold:
        request = PauseRequest(
            "automation=drill-fake", "drill", mode=mode, purpose=Purpose.DRILL, is_unregistered=True
        )
        return place.control.pause(request, wait_seconds=0).hold

    def sleep(seconds: float) -> None:
        place.clock.move(seconds)
        place.engine.tick()

    return Drill(
        Hand("fake", place.engine, place.control.store, place.clock),
        place.engine,
        mode,
        put,
        lambda hold: release(place, hold),
        Pace(5, 5, 8, 8, 1, sleep),
    ).run()


def release(place: Place, hold: Hold) -> None:
    """Release the drill's hold."""
    place.control.resume_full(break_glass(hold.hold_id))


def said(drilled: Drilled) -> dict[WorkClass, tuple[OnPause, OnResume]]:
    """Return the observed effects by class."""
    return {e.work_class: (e.on_pause, e.on_resume) for e in drilled.effects}


def test_what_is_declared_is_seen(place: Place) -> None:
    """A frozen run goes on after the resume, queued and new work waits: no difference, and a pass."""
    drilled = drill(place)
    assert said(drilled) == {
        WorkClass.RUNNING: (OnPause.FINISHES_STEP_THEN_WAITS, OnResume.CONTINUES),
        WorkClass.QUEUED: (OnPause.WAITS, OnResume.CONTINUES),
        WorkClass.NEW_MANUAL: (OnPause.WAITS, OnResume.CONTINUES),
    }
    assert drilled.differences == ()
    assert drilled.outcome is DrillOutcome.PASSED
    assert {name for name, _ in drilled.cannot} == {
        WorkClass.SCHEDULED,
        WorkClass.RETRYING,
        WorkClass.WAITING,
        WorkClass.NEW_EVENT,
    }


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (Mode.DRAIN, (OnPause.CONTINUES, OnResume.NONE)),
        (Mode.HALT, (OnPause.CANCELLED, OnResume.LOST)),
    ],
)
def test_each_mode_shows_what_becomes_of_a_run(
    place: Place, mode: Mode, wanted: tuple[OnPause, OnResume]
) -> None:
    """A drained run ends, a halted one is lost."""
    drilled = drill(place, mode)
    assert said(drilled)[WorkClass.RUNNING] == wanted
    assert drilled.outcome is DrillOutcome.PASSED


def test_an_engine_that_only_says_yes_fails_its_drill(place: Place) -> None:
    """Seeded: 200 without effect is no pause, so there is no certificate that passed."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    drilled = drill(place)
    assert drilled.confirmed_at is None
    assert drilled.outcome is DrillOutcome.FAILED


def test_an_engine_that_starts_new_work_all_the_same_is_a_difference(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: a paused workflow starts what is asked by hand; the drill marks it, and names the leak."""
    let_queued_start(monkeypatch)
    drilled = drill(place)
    assert {d.work_class for d in drilled.differences} >= {WorkClass.NEW_MANUAL}
    assert drilled.leaks
    assert drilled.outcome is DrillOutcome.FAILED


def test_what_is_declared_to_start_is_no_leak(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that says that new work starts all the same is as declared, which is no plain pass."""
    right = FakeEngine.capabilities

    def honest(self: FakeEngine) -> list[Capability]:
        return [replace(one, effects=tuple(map(goes_on, one.effects))) for one in right(self)]

    def goes_on(effect: Effect) -> Effect:
        is_open = effect.work_class in (WorkClass.NEW_MANUAL, WorkClass.QUEUED)
        return (
            replace(effect, on_pause=OnPause.CONTINUES, on_resume=OnResume.NONE)
            if is_open
            else effect
        )

    monkeypatch.setattr(FakeEngine, "capabilities", honest)
    let_queued_start(monkeypatch)
    drilled = drill(place)
    assert said(drilled)[WorkClass.NEW_MANUAL] == (OnPause.CONTINUES, OnResume.NONE)
    assert (drilled.leaks, drilled.differences) == ((), ())
    assert drilled.outcome is DrillOutcome.AS_DECLARED
    assert drilled.not_held == (WorkClass.QUEUED, WorkClass.NEW_MANUAL)
    assert drilled.in_words == "PASSED AS DECLARED, does not hold: queued work, new work by hand"
    draft = certificate_draft(drilled, kind="workflow", actor="ops-lead", environment="staging")
    Hand("fake", place.engine, place.control.store, place.clock).record([draft])
    state = place.control.state()
    found = newest_certificate(state, engine_id="fake", mode="freeze", environment="staging")
    assert found is not None
    assert found.in_words == drilled.in_words
    assert drilled.in_words in drill_words(
        state, state.automations["orders"], now=place.clock.now()
    )


def let_queued_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake start what is queued, paused or not."""
    right = FakeEngine.tick

    def leaking(self: FakeEngine) -> list[str]:
        for one in self.work.values():
            if one.status == "queued":
                one.status, one.began_at = "running", self.clock.now()
        return right(self)

    monkeypatch.setattr(FakeEngine, "tick", leaking)


def test_a_drill_leaves_nothing_behind(place: Place) -> None:
    """Afterwards no probe work, no receipt and no standing hold is left, and the others were not touched."""
    before = place.paused()
    drill(place)
    assert "probe" not in place.engine.jobs
    assert place.control.state().receipts == {}
    assert place.control.state().standing_holds() == []
    assert place.paused() == before


def test_a_drill_opens_nothing_that_a_safe_mode_paused(place: Place) -> None:
    """A workflow without an automation stays paused while the safe mode stands, and is brought back after it."""
    place.engine.add("unregistered")
    hold = place.hold("*")
    place.go()
    drill(place)
    assert "unregistered" in place.paused()
    assert place.control.state().standing_holds() == [hold]
    release(place, hold)
    place.go()
    assert place.paused() == {"attic"}


def test_a_drill_brings_back_what_it_paused_alone(place: Place) -> None:
    """What was released meanwhile at a rate of its own is the worker's to bring back, not the drill's."""
    hold = place.hold("automation=orders")
    place.go()
    release(place, hold)
    drill(place)
    assert "orders" in place.paused()
    place.go()
    assert "orders" not in place.paused()


def test_a_drill_that_breaks_off_still_cleans_up(place: Place) -> None:
    """The engine falls silent in the middle: the hold is released and the probe work removed."""
    count = []

    def away(reading):  # type: ignore[no-untyped-def]
        count.append(1)
        if len(count) == 3:
            raise EngineError("fake.example:1 cannot be reached")
        return reading

    place.engine.tricks = Tricks(reads=away)
    with pytest.raises(EngineError):
        drill(place)
    assert "probe" not in place.engine.jobs
    assert place.control.state().standing_holds() == []
    assert place.control.state().receipts == {}


def test_an_engine_without_probes_is_refused(place: Place) -> None:
    """It says that it cannot be drilled and what to do instead."""

    class Mute:
        engine = "mute"

    with pytest.raises(Refused, match="no probe work"):
        Drill(
            Hand("mute", Mute(), place.control.store, place.clock),  # type: ignore[arg-type]
            Mute(),  # type: ignore[arg-type]
            Mode.DRAIN,
            lambda: pytest.fail("nothing is held"),
            lambda _: None,
        ).run()


def test_the_certificate_is_in_the_log(place: Place) -> None:
    """What the newest drill found is read back by engine, mode and environment, with its age."""
    drilled = drill(place)
    draft = certificate_draft(drilled, kind="workflow", actor="ops-lead", environment="staging")
    Hand("fake", place.engine, place.control.store, place.clock).record([draft])
    state = place.control.state()
    found = newest_certificate(state, engine_id="fake", mode="freeze", environment="staging")
    assert found is not None
    assert (found.outcome, found.version, found.drilled_by) == (
        DrillOutcome.PASSED,
        "1.0",
        "ops-lead",
    )
    assert {e.work_class for e in found.effects} == set(said(drilled))
    place.clock.move(86_400 * 3)
    assert found.age_days(place.clock.now()) == 3
    assert newest_certificate(state, engine_id="fake", mode="halt", environment="staging") is None

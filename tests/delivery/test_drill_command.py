"""`workbench drill` proves a pause in staging, says where the engine did otherwise, and the card tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cli.ground import events, refused, run
from tests.delivery.shell import a_fleet
from tests.engines.fake_engine import FakeEngine, Tricks
from workbench.delivery import drilling
from workbench.engines.switching import (
    CallResult,
    Capability,
    Effect,
    OnPause,
    OnResume,
    ProbeWork,
    WorkClass,
)

DRILL = ("drill", "main", "--yes", "--no-page", "--watch", "4", "--after", "5")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The fake, whose time goes on when the drill sleeps."""
    found = a_fleet(monkeypatch)
    right = drilling.Pace.__init__

    def quick(self, *words, **named):  # type: ignore[no-untyped-def]
        right(self, *words, **named)
        object.__setattr__(self, "sleep", lambda _: found.tick())
        object.__setattr__(self, "confirm_seconds", 2.0)

    monkeypatch.setattr(drilling.Pace, "__init__", quick)
    return found


def test_a_drill_passes_and_is_on_the_card(engine: FakeEngine) -> None:
    """The print-out has each class; the log has hold, release without break-glass, certificate; the card its age."""
    found = run(*DRILL)
    assert found.code == 0, found.said
    assert "freeze: PASSED" in found.out
    assert "finishes_step_then_waits" in found.out
    assert "not tried" in found.out
    assert [e.payload["purpose"] for e in events("hold.place")] == ["drill"]
    assert [e.payload["is_drill_end"] for e in events("hold.release")] == [True]
    assert "break-glass" not in run("status").out
    assert "freeze PASSED" in run("card", "automation=orders").out
    assert run("audit", "verify").code == 0


def test_a_drill_says_how_far_it_is(engine: FakeEngine) -> None:
    """It takes minutes: each part is told on the error stream when it begins, and JSON stays a document."""
    found = run(*DRILL, "--json")
    assert found.document["outcome"] == "passed"
    told = [line for line in found.err.splitlines() if line.endswith(" ...")]
    for words, line in zip(
        ("starting probe work", "paused by H-1", "watching the pause for 4 s",
         "released; watching the resume for 5 s", "cleaning up"),
        told, strict=True,
    ):  # fmt: skip
        assert line.startswith(words), line


def test_a_pause_that_does_not_hold_is_no_plain_pass(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that declares that new work starts all the same: exit code 0, with what is not held on every screen."""
    declare_open(monkeypatch)
    words = "freeze: PASSED AS DECLARED, does not hold: new work by hand"
    found = run(*DRILL)
    assert found.code == 0, found.said
    assert words in found.out
    (event,) = events("drill.record")
    assert (event.payload["outcome"], event.payload["not_held"]) == (
        "passed_as_declared",
        ["new_manual"],
    )
    assert words.replace(":", "", 1) in run("card", "automation=orders").out
    document = run(*DRILL, "--json").document
    assert (document["outcome"], document["not_held"]) == ("passed_as_declared", ["new_manual"])


def declare_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake declare that what is asked for by hand starts under a pause, and do so."""
    right = FakeEngine.capabilities

    def goes_on(effect: Effect) -> Effect:
        if effect.work_class is not WorkClass.NEW_MANUAL:
            return effect
        return replace(effect, on_pause=OnPause.CONTINUES, on_resume=OnResume.NONE)

    def honest(self: FakeEngine) -> list[Capability]:
        return [replace(one, effects=tuple(map(goes_on, one.effects))) for one in right(self)]

    start = FakeEngine.start

    def starts(self: FakeEngine, work_class: WorkClass) -> ProbeWork:
        found = start(self, work_class)
        if work_class is WorkClass.NEW_MANUAL:
            one = self.work[found.run_id]
            one.status, one.began_at = "running", self.clock.now()
        return found

    monkeypatch.setattr(FakeEngine, "capabilities", honest)
    monkeypatch.setattr(FakeEngine, "start", starts)


def test_a_drill_of_an_engine_that_does_not_obey_fails(engine: FakeEngine) -> None:
    """200 without effect: exit code 16, NEVER read back, and the card says FAILED."""
    engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    found = run(*DRILL)
    assert found.code == 16
    assert "NEVER" in found.out
    assert "freeze FAILED" in run("card", "automation=orders").out


def test_a_drill_is_stale_under_another_version(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the engine was upgraded the card says so."""
    run(*DRILL)
    monkeypatch.setattr("tests.engines.fake_engine.VERSION", "2.0")
    run("pause", "kind=workflow", "-r", "x", "--yes")
    assert "STALE: it is version 2.0 now" in run("card", "automation=orders").out


def test_production_is_not_drilled(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, with where to drill instead; nothing was started."""
    from workbench.control.commands import Control

    right = Control.state

    def production(self: Control):  # type: ignore[no-untyped-def]
        found = right(self).copy()
        found.environment = "production"
        return found

    monkeypatch.setattr(Control, "state", production)
    refused(run(*DRILL), 3, "outside production")
    assert engine.probes == []


def test_an_engine_that_is_not_named_is_said(engine: FakeEngine) -> None:
    """The engines that there are stand in the refusal."""
    refused(run("drill", "other", "--yes"), 4, "there are main")


def test_only_a_drills_hold_ends_with_it(engine: FakeEngine) -> None:
    """A hold on real work, marked as a drill or not, is not released this way; nor does the fold obey it."""
    from workbench.control.drill_end import decide_drill_end
    from workbench.errors import Refused
    from workbench.opening import open_control
    from workbench.settings import Settings

    run("pause", "automation=orders", "-r", "x", "--yes", "--no-wait")
    run("pause", "automation=orders", "-r", "x", "--yes", "--no-wait", "--purpose", "drill")
    control = open_control(Settings.from_environment())
    state, now = control.state(), control.clock.now()
    for hold_id in ("H-1", "H-2"):
        with pytest.raises(Refused, match="not released as a drill"):
            decide_drill_end(state, hold_id, actor="a", now=now)


def test_a_drill_stands_aside_for_nobody_silently(engine: FakeEngine) -> None:
    """While another process delivers to the engine the drill is refused, and says what to do."""
    from workbench.opening import open_control
    from workbench.settings import Settings

    store = open_control(Settings.from_environment()).store
    with store.backend.leasing("deliver-main") as is_ours:
        assert is_ours
        refused(run(*DRILL), 3, "Another process delivers")

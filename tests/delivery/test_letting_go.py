"""Runs that we stopped go on at the release, however often the engine is too busy to hear it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.ground import run
from tests.delivery.place import Place, a_place
from tests.delivery.shell import a_fleet
from tests.delivery.test_pacing import most_in_a_minute
from tests.engines.fake_engine import Tricks
from tests.store.ground import break_glass
from workbench.delivery import resuming
from workbench.engines.switching import CallResult, NativeCall
from workbench.records import Mode


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def busy_for(place: Place, count: int) -> None:
    """Let the engine answer 503 to that many calls about runs, and do nothing of them."""
    left = iter(range(count))

    def busy(call: NativeCall) -> CallResult | None:
        return CallResult.UNKNOWN if call.run_id and next(left, None) is not None else None

    place.engine.tricks = Tricks(before=busy)


def closes(place: Place) -> list[tuple[str, bool, str]]:
    """Return the receipts that were closed: target, whether it was ours to bring back, and why."""
    return [
        (event.target, event.payload["is_ours"], event.reason)
        for event in place.control.store.events()
        if event.action == "receipt.close"
    ]


def released(place: Place) -> str:
    """Freeze two runs of a workflow and release the hold; returns its id."""
    runs = [place.engine.begin("orders") for _ in range(2)]
    hold = place.hold("automation=orders", Mode.FREEZE)
    place.go()
    assert all(place.engine.work[run].is_suspended for run in runs)
    place.control.resume_full(break_glass(hold.hold_id))
    return hold.hold_id


def suspended(place: Place) -> list[str]:
    """Return the runs that are still suspended."""
    return [run_id for run_id, work in place.engine.work.items() if work.is_suspended]


def test_a_busy_engine_is_asked_until_every_run_goes_on(place: Place) -> None:
    """The switch is open after the first pass and runs are not: the receipt stays, and what we opened is not laid to others."""
    released(place)
    busy_for(place, 5)
    look = place.go()
    assert not place.engine.jobs["orders"].is_paused
    assert suspended(place)
    assert look.unresumed == "runs of orders that we stopped do not go on yet"
    while not place.go().is_settled:
        assert len(place.looks) < 9
    assert suspended(place) == []
    assert closes(place) == [("job:orders", True, "brought back")]
    state = place.control.state()
    assert (state.receipts, state.intents) == ({}, {})


def test_runs_go_on_under_a_target_that_others_opened(place: Place) -> None:
    """Who un-paused it before the release is named; the runs that we stopped are let go all the same, after a 503, too."""
    released(place)
    place.engine.flip("orders", False, "olga")
    busy_for(place, 1)
    look = place.go()
    assert look.unresumed == "runs of orders that we stopped do not go on yet"
    assert closes(place) == []
    assert place.go().is_settled
    assert suspended(place) == []
    assert closes(place) == [("job:orders", False, "olga changed it since")]


def test_the_tests_catch_a_receipt_that_is_closed_too_early(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: where runs keep no receipt open, they stay suspended for ever and somebody is accused."""
    monkeypatch.setattr(resuming, "_with_runs", lambda _: set())
    monkeypatch.setattr(resuming, "_begun_before", lambda _: set())
    released(place)
    busy_for(place, 5)
    for _ in range(6):
        place.go()
    assert suspended(place)
    assert closes(place)[0][1] is False


def test_what_went_on_of_an_open_receipt_counts_against_the_rate(place: Place) -> None:
    """Three runs of one workflow, of which a busy engine hears one, and two of another: no minute has more than four."""
    for job, count in (("orders", 3), ("invoices", 2)):
        for _ in range(count):
            place.engine.begin(job)
    hold = place.hold("kind=workflow", Mode.FREEZE)
    place.go()
    request = replace(break_glass(hold.hold_id), catch_up="all", rate_per_minute=4)
    place.control.resume_full(request)
    busy_for(place, 2)
    gone, before = [], len(suspended(place))
    while not place.go().is_settled:
        assert len(place.looks) < 30
        gone.append((place.clock.now(), before - len(suspended(place))))
        before = len(suspended(place))
        place.clock.move(9)
    gone.append((place.clock.now(), before - len(suspended(place))))
    assert sum(count for _, count in gone) == 5
    assert most_in_a_minute(gone) <= 4


def test_a_backlog_above_the_rate_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two missed starts of a workflow under a rate of one: the preview says that it goes alone, all at once."""
    engine = a_fleet(monkeypatch)
    assert run("pause", "kind=workflow", "-r", "x", "--yes").code == 0
    engine.tick()
    engine.tick()
    words = ("--full", "--break-glass", "x", "--catch-up", "all", "--rate-per-minute", "1")
    found = run("resume", "H-1", *words, "--yes")
    assert "MORE than 1 a minute: it goes alone, and all of it at once" in found.out


def test_the_card_says_that_an_engine_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks no gate and runs in an engine that pauses it is stopped by a hold, and restarts in full only."""
    a_fleet(monkeypatch)
    assert run("pause", "kind=workflow", "-r", "x", "--yes").code == 0
    told = run("card", "kind=workflow").out
    assert "its engine, main: a hold is delivered there and read back" in told
    assert "in flight now        not known here, for it asks no gate" in told
    assert "workbench resume H-1 --full" in told
    assert "does not stop it today" not in told


@pytest.mark.parametrize("of_runs", [True, False])
def test_a_rate_holds_where_answers_are_lost(place: Place, of_runs: bool) -> None:
    """Calls take effect and nobody hears of it: what was sent counts, so that no minute has more than was asked."""
    for job in ("orders", "invoices"):
        for _ in range(4):
            place.engine.begin(job)
    hold = place.hold("kind=workflow", Mode.FREEZE)
    place.go()
    place.control.resume_full(replace(break_glass(hold.hold_id), catch_up="all", rate_per_minute=4))
    heard: set[str] = set()

    def lost(call: NativeCall) -> CallResult:
        if bool(call.run_id) is of_runs and call.call_id not in heard:
            heard.add(call.call_id)
            return CallResult.UNKNOWN
        return CallResult.DONE

    place.engine.tricks = Tricks(after=lost)
    gone, before = [], len(suspended(place))
    for _ in range(60):
        look = place.go()
        gone.append((place.clock.now(), before - len(suspended(place))))
        before = len(suspended(place))
        if look.is_settled:
            break
        place.clock.move(4)
    assert suspended(place) == []
    assert most_in_a_minute(gone) <= 4

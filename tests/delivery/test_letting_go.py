"""Runs that we stopped go on at the release, however often the engine is too busy to hear it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.place import Place, a_place
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
    assert "orders" in look.unresumed
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

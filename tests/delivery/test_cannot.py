"""What an engine cannot do is settled as CANNOT: said everywhere, never called paused, and not asked for again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import refused, run
from tests.delivery.place import Place, a_place
from tests.delivery.shell import a_fleet
from workbench.clock import SystemClock
from workbench.delivery.worker import CANNOT_SECONDS, Worker
from workbench.records import Mode

WHY = "it has no drain"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows in an engine that cannot drain."""
    found = a_place(tmp_path)
    found.engine.cannot = {Mode.DRAIN: WHY}
    return found


def waits_of(place: Place, monkeypatch: pytest.MonkeyPatch, passes: int = 4) -> list[float]:
    """Let a worker make some passes and return how long it means to rest after each."""
    waits: list[float] = []

    def rest(self: Worker, seconds: float, seen: int) -> None:
        waits.append(seconds)
        if len(waits) >= passes:
            self._over.set()

    monkeypatch.setattr(Worker, "_rest", rest)
    worker = Worker(place.control.store, {"fake": place.engine}, SystemClock(), period_seconds=15)
    with worker:
        worker._threads[0].join(60)
    return waits[:-1]  # the last is that of the lease


def test_it_is_settled_and_not_as_wanted(place: Place) -> None:
    """The pass has an end, the part says why, and nothing is recorded a second time."""
    hold = place.hold("automation=orders")
    look = place.go()
    assert look.is_settled
    assert not look.is_as_wanted
    assert look.cannot == ("orders",)
    assert look.parts["orders"].confirmed_at is None
    before = place.actions()
    place.go()
    assert place.actions() == before
    assert place.control.state().observed[hold.hold_id, "orders"]["engine_cannot"] == WHY


def test_the_engine_is_left_in_peace(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker looks again after a minute, not five times a second."""
    place.hold("automation=orders")
    assert min(waits_of(place, monkeypatch)) >= CANNOT_SECONDS


def test_what_can_be_paused_beside_it_is_watched_as_always(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot keeps nobody from reconciling the others at the usual pace."""
    place.hold("automation=orders")
    place.hold("automation=invoices", Mode.HALT)
    assert set(waits_of(place, monkeypatch)) == {15}


def test_an_engine_that_learns_it_pauses_it(place: Place) -> None:
    """After an upgrade the next look pauses it, and CANNOT is taken back in the log."""
    hold = place.hold("automation=orders")
    place.go()
    place.engine.cannot = {}
    look = place.go()
    assert look.is_as_wanted
    assert "orders" in place.paused()
    assert not place.control.state().observed[hold.hold_id, "orders"]["engine_cannot"]
    assert not [flag for flag in place.control.status().flags if "CANNOT" in flag]


def test_a_pause_that_is_given_up_is_settled_too(place: Place) -> None:
    """Somebody takes it away again and again: it is left alone, said, and not asked for five times a second."""
    place.hold("automation=orders", Mode.FREEZE)
    place.go()
    for _ in range(4):
        place.engine.flip("orders", False, "olga")
        look = place.go()
    assert look.is_settled
    assert look.cannot == ("orders",)
    assert "left alone" in place.control.status().flags[-1]


def test_every_screen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt, `serve --once` (exit code 16) and status name it, before and after the worker looked."""
    engine = a_fleet(monkeypatch)
    engine.cannot = {Mode.DRAIN: WHY}
    found = run("pause", "automation=orders", "-r", "x", "--yes", "--mode", "drain")
    assert found.code == 10
    assert "CANNOT" in found.out
    refused(run("serve", "--once"), 16, "main")
    assert f"flagged: H-1: orders CANNOT be paused in its engine: {WHY}" in run("status").out
    assert run("audit", "verify").code == 0

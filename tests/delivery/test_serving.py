"""Serving delivers what is recorded while it runs, and its supervisor hears of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.place import Place, a_place
from tests.store.ground import break_glass
from workbench.clock import SystemClock
from workbench.delivery.fleet import Fleet
from workbench.delivery.serving import serve
from workbench.engines.interface import EngineAddress
from workbench.engines.switching import CatchUp
from workbench.errors import BadSettings, StorageUnavailable


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def fleet_of(place: Place) -> Fleet:
    """Return a fleet whose only engine is the fake."""
    address = EngineAddress("fake", "fake", "http://fake.example:1")
    return Fleet(
        {"fake": address}, place.control.store, SystemClock(), make=lambda *_, clock: place.engine
    )


@contextmanager
def serving(place: Place, said: list[str], **more: Any) -> Iterator[None]:
    """Serve in a thread while the block lasts."""
    over = threading.Event()
    thread = threading.Thread(
        target=serve,
        args=(fleet_of(place), over),
        kwargs={"say": said.append, "period_seconds": 3600, **more},
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
    assert not thread.is_alive()


def wait_for(question: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + 30
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_new_event_wakes_it(place: Place) -> None:
    """With an hour between looks, a hold and its release are delivered at once all the same."""
    said: list[str] = []
    with serving(place, said):
        wait_for(lambda: any("0 of 0" in line for line in said))
        hold = place.hold("automation=orders")
        wait_for(lambda: "orders" in place.paused())
        place.control.resume_full(break_glass(hold.hold_id))
        wait_for(lambda: "orders" not in place.paused())


def test_what_is_recorded_during_a_pass_is_delivered_after_it(place: Place) -> None:
    """A hold that comes when the pass has looked already waits for no period: the pass is followed by another."""
    worker = fleet_of(place).worker()
    worker.period_seconds = 3600
    right, passes = worker._pass, []

    def passes_and_is_woken(*given: Any) -> Any:
        look = right(*given)
        passes.append(1)
        if len(passes) == 1:
            worker.wake()
        return look

    worker._pass = passes_and_is_woken  # type: ignore[method-assign]
    with worker:
        wait_for(lambda: len(passes) >= 2)


def test_its_supervisor_is_told(place: Place) -> None:
    """READY, then WATCHDOG again and again, then STOPPING."""
    heard: list[str] = []
    with serving(place, [], tell=heard.append):
        wait_for(lambda: heard.count("WATCHDOG=1") >= 2)
    assert (heard[0], heard[-1]) == ("READY=1", "STOPPING=1")


def test_a_store_that_is_away_is_said_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the log cannot be read engines stay as they are; delivery goes on when it can."""
    right, tries = place.control.store.head_row, []

    def away(_: object) -> tuple[int, str]:
        tries.append(1)
        if len(tries) < 4:
            raise StorageUnavailable("The store is away.")
        return right()

    monkeypatch.setattr(type(place.control.store), "head_row", away)
    said: list[str] = []
    with serving(place, said):
        wait_for(lambda: len(tries) >= 4)
    assert [line for line in said if "away" in line] == [
        "The store is away. Engines stay as they are."
    ]


def test_an_engine_that_cannot_be_connected_is_said(place: Place) -> None:
    """It is named, the others are delivered to, and each question about it says why."""

    def none(*_: object, clock: object):  # type: ignore[no-untyped-def]
        raise BadSettings("there is no kind n8n.")

    fleet = Fleet(
        {"odd": EngineAddress("odd", "n8n", "http://h")}, place.control.store, SystemClock(), none
    )
    assert fleet.engine("odd") is None
    assert fleet.worker().engines == {}
    automation = place.control.state().automations["orders"]
    from dataclasses import replace

    odd = replace(automation, engine="odd")
    assert fleet.stopped([odd], "drain") == frozenset()  # type: ignore[arg-type]
    assert "no kind n8n" in fleet.notes([odd], "drain")[0]  # type: ignore[arg-type]


def test_a_forecast_equals_what_starts(place: Place) -> None:
    """What the forecast counts for each policy is what begins at the resume."""
    place.hold("kind=workflow")
    place.go()
    for _ in range(3):
        place.engine.tick()
    place.engine.begin("orders", "queued")
    fleet, state = fleet_of(place), place.control.state()
    told = {
        policy: {
            f.name: f.count for f in fleet.forecast(state, ["orders", "emails"], catch_up=policy)
        }
        for policy in CatchUp
    }
    assert told[CatchUp.SKIP] == {"orders": 1, "emails": 0}
    assert told[CatchUp.LATEST] == {"orders": 2, "emails": 1}
    assert told[CatchUp.ALL] == {"orders": 4, "emails": 3}
    before = set(place.engine.work)
    place.control.resume_full(break_glass("H-1"))
    place.go()
    began = [w.job for r, w in place.engine.work.items() if r not in before]
    assert began.count("orders") + 1 == told[CatchUp.ALL]["orders"]
    assert began.count("emails") == told[CatchUp.ALL]["emails"]

"""The worker goes on until all is as wanted, is the only one, and leaves an engine that is away in peace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.delivery.place import Place, a_place
from tests.engines.fake_engine import Tricks
from tests.store.ground import break_glass
from workbench.clock import SystemClock
from workbench.delivery.parts import Look, Part
from workbench.delivery.worker import BREAKER_SECONDS, Breaker, Worker
from workbench.engines.switching import CallResult, NativeCall
from workbench.errors import EngineError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def worker_of(place: Place, said: list[str] | None = None) -> Worker:
    """Return a worker that looks again soon."""
    told: Callable[[str], None] = (said if said is not None else []).append
    return Worker(
        place.control.store, {"fake": place.engine}, SystemClock(), period_seconds=0.05, say=told
    )


def wait_for(question: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + 30
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_follows_the_log(place: Place) -> None:
    """A hold that is placed while it runs is delivered, and so is its release."""
    with worker_of(place):
        hold = place.hold("automation=orders")
        wait_for(lambda: "orders" in place.paused())
        place.control.resume_full(break_glass(hold.hold_id))
        wait_for(lambda: "orders" not in place.paused())


def test_it_tries_until_the_engine_obeys(place: Place) -> None:
    """Refusals and lost answers end in a confirmed pause, and each is said once."""
    left = iter([CallResult.UNKNOWN, CallResult.REFUSED, CallResult.DONE])
    place.engine.tricks = Tricks(before=lambda _: next(left, None))
    place.hold("automation=orders")
    said: list[str] = []
    with worker_of(place, said) as worker:
        wait_for(lambda: "orders" in place.paused())
        wait_for(lambda: worker.looks["fake"].is_settled)
    assert any("not paused" in line for line in said)
    assert said[-1] == "fake: 1 of 1 confirmed, 1 quiet"
    assert len(said) == len(set(said))


def test_of_two_workers_one_delivers(place: Place) -> None:
    """The second has no lease, changes nothing, and takes over when the first ends."""
    first, second = worker_of(place), worker_of(place)
    with first:
        wait_for(lambda: "fake" in first.looks)
        with second:
            wait_for(lambda: "fake" in second.others)
            place.hold("automation=orders")
            wait_for(lambda: "orders" in place.paused())
            assert second.looks == {}
            first.__exit__(None, None, None)
            wait_for(lambda: "fake" in second.looks)


def test_an_end_waits_for_what_was_sent(place: Place) -> None:
    """A call under way when the worker is told to end is still recorded."""
    sent, go = threading.Event(), threading.Event()

    def slow(_: NativeCall) -> CallResult | None:
        sent.set()
        assert go.wait(20)
        return None

    place.engine.tricks = Tricks(before=slow)
    place.hold("automation=orders")
    worker = worker_of(place)
    worker.__enter__()
    assert sent.wait(20)
    threading.Timer(0.1, go.set).start()
    worker.__exit__(None, None, None)
    assert "delivery.end" in place.actions()
    assert list(place.control.state().receipts) == [("fake", "job:orders")]


def test_once_goes_over_each_engine(place: Place) -> None:
    """A scheduler's single pass delivers and tells what it found."""
    place.hold("automation=orders")
    looks = worker_of(place).once()
    assert looks["fake"].parts["orders"].confirmed_at


def test_an_engine_that_is_away_is_asked_less_often() -> None:
    """After three silent passes the waits grow to half a minute, jittered; one answer ends that."""
    at = SystemClock().now()
    breaker = Breaker(draw=lambda: 1.0)
    away, well = Look("e", at, "cannot be reached", {}), Look("e", at, "", {"a": Part()})
    waits = [breaker.wait_seconds(away) for _ in range(12)]
    assert waits[0] == waits[1] < waits[3] < waits[6]
    assert waits[-1] == BREAKER_SECONDS
    assert breaker.wait_seconds(well) == waits[0]
    low = Breaker(draw=lambda: 0.0)
    assert [low.wait_seconds(away) for _ in range(12)][-1] == BREAKER_SECONDS / 2


def test_a_store_that_is_away_ends_no_delivery(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease cannot be taken for a moment: it is said, and delivered when it can."""
    right, tries = place.control.store.backend.leasing, []

    def away(name: str):  # type: ignore[no-untyped-def]
        tries.append(name)
        if len(tries) == 1:
            raise EngineError("The store is away.")
        return right(name)

    monkeypatch.setattr(place.control.store.backend, "leasing", away)
    place.hold("automation=orders")
    said: list[str] = []
    with worker_of(place, said):
        wait_for(lambda: "orders" in place.paused())
    assert said[0] == "fake: The store is away."

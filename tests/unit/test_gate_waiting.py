"""Waiting at the gate and asking it from event loops: woken at once, never holding up the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.published import a_document, a_hold, publish
from tests.unit.test_spool import a_pause
from workbench.gate import Gate, GateState, Paused, Unknown, around, waiting
from workbench.presence import read_presences
from workbench.snapshot import WAKE_FILE, Publisher, store_digest
from workbench.spool import Spool, tell_gates

LONG = 30.0


def held(folder: Path, seq: int = 1) -> Publisher:
    """Publish a hold on `a`."""
    return publish(folder, seq, automations={"a": [a_hold()]})


def release(publisher: Publisher, seq: int = 2) -> None:
    """Publish that `a` is free."""
    publisher.begin(seq)
    publisher.complete(a_document(seq))


def soon(then: Callable[[], None], seconds: float = 0.15) -> threading.Timer:
    """Do something from another thread after a moment."""
    timer = threading.Timer(seconds, then)
    timer.start()
    return timer


@pytest.fixture(params=["sync", "async"])
def wait(request: pytest.FixtureRequest) -> Callable[..., GateState]:
    """Return both ways of waiting, as one function."""

    def wait_sync(gate: Gate, timeout: float | None = LONG) -> GateState:
        return gate.wait_until_clear("a", timeout).state

    def wait_async(gate: Gate, timeout: float | None = LONG) -> GateState:
        return asyncio.run(gate.wait_until_clear_async("a", timeout)).state

    return wait_sync if request.param == "sync" else wait_async


@pytest.fixture
def no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a waiter look by itself so seldom that only being woken explains a quick answer."""
    monkeypatch.setattr(waiting, "LOOK_SECONDS", LONG)
    monkeypatch.setattr(around, "LOOK_SECONDS", LONG)


@pytest.mark.usefixtures("no_looking")
def test_a_publication_wakes_who_waits(tmp_path: Path, wait: Callable[..., GateState]) -> None:
    """A release is answered as soon as it is published, long before the waiter would look by itself."""
    publisher = held(tmp_path)
    timer = soon(lambda: release(publisher))
    begun = time.monotonic()
    assert wait(Gate(tmp_path)) is GateState.CLEAR
    assert time.monotonic() - begun < LONG / 3
    timer.join()


@pytest.mark.usefixtures("no_looking")
def test_a_freed_spool_wakes_who_waits(tmp_path: Path, wait: Callable[..., GateState]) -> None:
    """What is taken out of the spool wakes as a publication does."""
    publish(tmp_path)
    spool = Spool(tmp_path, store_digest("st-1"))
    spool.make()
    spool.write(a_pause())

    def free() -> None:
        spool.free("c1")
        tell_gates(tmp_path)

    timer = soon(free)
    begun = time.monotonic()
    assert wait(Gate(tmp_path)) is GateState.CLEAR
    assert time.monotonic() - begun < LONG / 3
    timer.join()


@pytest.mark.parametrize("has_inotify", [True, False])
def test_a_waiter_that_nobody_wakes_looks_by_itself(
    tmp_path: Path,
    wait: Callable[..., GateState],
    monkeypatch: pytest.MonkeyPatch,
    has_inotify: bool,
) -> None:
    """Where the wake file is missing, or the kernel has no inotify, the looks at intervals find it."""
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(around, "LOOK_SECONDS", 0.05)
    publisher = held(tmp_path)
    if not has_inotify:
        monkeypatch.setattr(waiting.Waker, "__init__", _without_inotify)
    (tmp_path / WAKE_FILE).unlink()
    timer = soon(lambda: release(publisher))
    assert wait(Gate(tmp_path)) is GateState.CLEAR
    timer.join()


def _without_inotify(waker: waiting.Waker, folder: Path) -> None:
    waker.descriptor = None


def test_a_wait_ends_with_the_last_answer(
    tmp_path: Path, wait: Callable[..., GateState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the time is over the answer says why not; a clear automation is not waited for."""
    held(tmp_path)
    begun = time.monotonic()
    assert wait(Gate(tmp_path), 0.2) is GateState.PAUSED
    assert 0.2 <= time.monotonic() - begun < 5
    assert wait(Gate(tmp_path / "nowhere"), 0.0) is GateState.UNKNOWN
    publish(tmp_path, 2)
    assert wait(Gate(tmp_path), None) is GateState.CLEAR


def test_a_waiter_has_seen_what_it_waits_for(tmp_path: Path) -> None:
    """Somebody who waits under a hold has confirmed it: its presence names the hold's position."""
    held(tmp_path, 7)
    Gate(tmp_path).wait_until_clear("a", 0.0)
    (said,) = read_presences(tmp_path)["a"]
    assert said.seen_seq == 7


def test_waiters_in_one_loop_do_not_hold_it_up(tmp_path: Path) -> None:
    """Fifty waiters share a loop, more than there are threads, and all of them are woken."""
    publisher = held(tmp_path)
    gate = Gate(tmp_path)

    async def all_of_them() -> list[GateState]:
        waiters = [asyncio.create_task(gate.wait_until_clear_async("a", LONG)) for _ in range(50)]
        ticks = 0
        for _ in range(20):
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks == 20
        release(publisher)
        return [answer.state for answer in await asyncio.gather(*waiters)]

    begun = time.monotonic()
    assert asyncio.run(all_of_them()) == [GateState.CLEAR] * 50
    assert time.monotonic() - begun < LONG / 2


def test_a_cancelled_wait_leaves_nothing_open(tmp_path: Path) -> None:
    """Cancelling a wait closes its queue; the loop watches no descriptor any more."""
    held(tmp_path)
    gate = Gate(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def cancelled() -> int:
        waiter = asyncio.create_task(gate.wait_until_clear_async("a", LONG))
        await asyncio.sleep(0.1)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        return 1

    assert asyncio.run(cancelled()) == 1
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1  # the mapped epoch file


def test_an_async_run_is_in_flight_until_it_ends(tmp_path: Path) -> None:
    """`run_async` notes the run in flight, its pause points ask again, and a pause stops it."""
    publisher = publish(tmp_path)
    gate = Gate(tmp_path)

    async def work() -> list[int]:
        done: list[int] = []
        async with gate.run_async("a", "r1") as answer:
            assert answer.state is GateState.CLEAR
            assert read_presences(tmp_path)["a"][0].in_flight == ("r1",)
            for step in range(5):
                if step == 3:
                    publisher.begin(2)
                    publisher.complete(a_document(2, automations={"a": [a_hold()]}))
                await gate.pause_point_async()
                done.append(step)
        return done

    with pytest.raises(Paused):
        asyncio.run(work())
    assert read_presences(tmp_path)["a"][0].in_flight == ()
    with pytest.raises(RuntimeError, match="is called inside"):
        asyncio.run(gate.pause_point_async())


def test_runs_of_one_loop_are_told_apart(tmp_path: Path) -> None:
    """Concurrent tasks each ask as their own run: a pause of one automation stops its tasks alone."""
    publisher = publish(tmp_path, automations={"a": [], "b": []})
    gate = Gate(tmp_path)

    async def work(name: str, go: asyncio.Event) -> str:
        async with gate.run_async(name, f"{name}-1"):
            await go.wait()
            try:
                await gate.pause_point_async()
            except Paused as exc:
                return str(exc)
            return f"{name} went on"

    async def both() -> list[str]:
        go = asyncio.Event()
        running = [asyncio.create_task(work(name, go)) for name in ("a", "b")]
        await asyncio.sleep(0.1)
        publisher.begin(2)
        publisher.complete(a_document(2, automations={"a": [a_hold()], "b": []}))
        go.set()
        return await asyncio.gather(*running)

    assert asyncio.run(both()) == ["a is paused by H-1", "b went on"]


def test_a_run_cancelled_at_the_door_is_not_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is cancelled while a thread still asks for it is noted as ended once that has come in."""
    publish(tmp_path)
    gate = Gate(tmp_path)
    real = gate.enter

    def slow(run: object) -> object:
        time.sleep(0.2)
        return real(run)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(gate, "enter", slow)

    async def cancelled() -> None:
        async def enter() -> None:
            async with gate.run_async("a", "r1"):
                pytest.fail("it came in after all")

        entering = asyncio.create_task(enter())
        await asyncio.sleep(0.05)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await asyncio.sleep(0.4)

    asyncio.run(cancelled())
    assert read_presences(tmp_path)["a"][0].in_flight == ()


def test_the_gate_decorates_functions(tmp_path: Path) -> None:
    """`gate.guarded` names runs by the function's own run_id, by a callable, or anew."""
    publisher = publish(tmp_path)
    gate = Gate(tmp_path)
    seen: list[tuple[str, ...]] = []

    def note() -> None:
        seen.append(read_presences(tmp_path)["a"][0].in_flight)

    @gate.guarded("a")
    def own(run_id: str = "its-own") -> None:
        note()

    @gate.guarded("a", run_id=lambda ticket: f"t-{ticket}")
    def named(ticket: int) -> None:
        note()

    @gate.guarded("a")
    async def anew() -> None:
        note()

    own("r7")
    own(run_id="r8")
    named(3)
    asyncio.run(anew())
    own()
    assert seen[:3] == [("r7",), ("r8",), ("t-3",)]
    assert all(len(found[0]) == 32 for found in seen[3:])
    publisher.begin(2)
    publisher.complete(a_document(2, automations={"a": [a_hold()]}))
    for call in (own, lambda: named(1), lambda: asyncio.run(anew())):
        with pytest.raises(Paused):
            call()
    assert len(seen) == 5


def test_an_effect_that_is_none_is_no_decorator(tmp_path: Path) -> None:
    """A misspelt effect is found where the function is decorated, not when it runs one night."""
    with pytest.raises(ValueError, match="effect is"):
        Gate(tmp_path).guarded("a", effect="delete")  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(Unknown):
        Gate(tmp_path).guarded("a")(lambda: None)()

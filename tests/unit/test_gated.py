"""The gate around functions: one line, plain or async, and the same three answers."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from tests.store.ground import a_control, break_glass, pause
from workbench.control import Control
from workbench.control.resuming import ResumeRequest
from workbench.gate import Gate, GateAnswer, Paused, Unknown
from workbench.gate.asked import AskedRun
from workbench.gated import guarded, run_async, shared_gate


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """Return a store whose gate the functions ask."""
    return a_control(tmp_path)


def gate_of(control: Control) -> Gate:
    """Return a gate on the store's folder."""
    return Gate(control.store.gate_folder)


def test_a_guarded_function_runs_until_it_is_held(control: Control) -> None:
    """The function is called while the automation is free, and not at all while it is held."""
    calls: list[int] = []

    @guarded("ticket-reply", gate=gate_of(control))
    def reply(number: int, *, twice: bool = False) -> int:
        """Reply."""
        calls.append(number)
        return number * (2 if twice else 1)

    assert (reply(2), reply(3, twice=True)) == (2, 6)
    assert (reply.__name__, reply.__doc__) == ("reply", "Reply.")
    pause(control)
    with pytest.raises(Paused, match="ticket-reply is paused by H-1"):
        reply(4)
    assert calls == [2, 3]


def test_an_async_function_is_guarded_as_well(control: Control) -> None:
    """A coroutine function is awaited inside of its run, and refused before its first step."""
    steps: list[str] = []

    @guarded("ticket-reply", gate=gate_of(control))
    async def reply() -> str:
        steps.append("began")
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(reply()) == "done"
    pause(control)
    with pytest.raises(Paused):
        asyncio.run(reply())
    assert steps == ["began"]


def test_an_async_run_asks_again_at_its_pause_points(control: Control) -> None:
    """Inside an async run `pause_point` stops it at the next step after a pause."""
    gate = gate_of(control)

    async def work() -> list[int]:
        done: list[int] = []
        async with run_async(gate, "ticket-reply", run_id="r1"):
            for step in range(5):
                if step == 3:
                    pause(control)
                try:
                    gate.pause_point()
                except Paused:
                    return done
                done.append(step)
                await asyncio.sleep(0)
        return done

    assert asyncio.run(work()) == [0, 1, 2]


def test_the_loop_goes_on_while_the_gate_is_asked(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that takes long to answer holds up its own run alone, not the other tasks of the loop."""
    gate = gate_of(control)
    real, asked_in = gate.enter, []

    def slow(run: AskedRun) -> GateAnswer:
        asked_in.append(threading.current_thread() is threading.main_thread())
        time.sleep(0.2)
        return real(run)

    monkeypatch.setattr(gate, "enter", slow)
    ticks: list[int] = []

    async def tick() -> None:
        while len(ticks) < 1000:
            ticks.append(1)
            await asyncio.sleep(0.005)

    async def both() -> int:
        ticking = asyncio.create_task(tick())
        async with run_async(gate, "ticket-reply", run_id="r1"):
            seen = len(ticks)
        ticking.cancel()
        return seen

    assert asyncio.run(both()) >= 3
    assert asked_in == [False]


def test_a_run_id_of_the_arguments_takes_one_ticket(control: Control) -> None:
    """The same argument is the same run, however often it is called; the ticket of another is its own."""
    pause(control)
    control.resume_narrow(
        ResumeRequest("H-1", "automation=ticket-reply", 1, break_glass_reason="test")
    )

    @guarded("ticket-reply", gate=gate_of(control), run_id=lambda ticket: f"run-{ticket}")
    def reply(ticket: int) -> int:
        return ticket

    assert [reply(1), reply(1), reply(1)] == [1, 1, 1]
    with pytest.raises(Paused):
        reply(2)


def test_an_async_run_takes_one_ticket(control: Control) -> None:
    """Asking in a thread first and entering then is one run: one ticket."""
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 2))
    gate = gate_of(control)

    async def run(name: str) -> bool:
        try:
            async with run_async(gate, "ticket-reply", run_id=name):
                return True
        except Paused:
            return False

    assert [asyncio.run(run(name)) for name in ("a", "b", "a", "c")] == [True, True, True, False]


def test_unknown_stops_unless_it_may_continue(tmp_path: Path) -> None:
    """Without a published folder a guarded function is not called, unless its author said continue."""
    gate = Gate(tmp_path / "nowhere")
    with pytest.raises(Unknown):
        guarded("ticket-reply", gate=gate)(lambda: 1)()
    assert guarded("ticket-reply", gate=gate, on_unknown="continue")(lambda: 1)() == 1


def test_without_a_gate_the_process_has_one(own_folders: Path) -> None:
    """Functions that name no gate share one on the folder of the settings."""
    assert shared_gate() is shared_gate()

"""A run that an engine carries out in pieces: the first one starts it, the others go on with it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.store.ground import a_control, break_glass, pause, settings_in
from workbench.gate import Gate, GateState, Paused
from workbench.records import Mode


async def piece(gate: Gate, *, is_in_flight: bool) -> str:
    """Carry out one piece of a run and return what the gate said inside of it."""
    async with gate.run_async("ticket-reply", "r-1", is_in_flight=is_in_flight):
        return str(gate.pause_point().state)


def test_under_a_drain_the_next_piece_of_a_run_goes_on(tmp_path: Path) -> None:
    """What was let in before the drain finishes in further pieces; a new run is held."""
    control = a_control(tmp_path)
    gate = Gate(settings_in(tmp_path).gate)
    assert asyncio.run(piece(gate, is_in_flight=False)) == "CLEAR"
    pause(control, mode=Mode.DRAIN)
    assert asyncio.run(piece(gate, is_in_flight=True)) == "CLEAR"
    with pytest.raises(Paused):
        asyncio.run(piece(gate, is_in_flight=False))


@pytest.mark.parametrize("mode", [Mode.FREEZE, Mode.HALT])
def test_a_stronger_hold_stops_further_pieces(tmp_path: Path, mode: Mode) -> None:
    """Having been let in before helps under a drain only."""
    pause(a_control(tmp_path), mode=mode)
    with pytest.raises(Paused):
        asyncio.run(piece(Gate(settings_in(tmp_path).gate), is_in_flight=True))


def test_in_a_narrow_restart_all_pieces_of_a_run_take_one_ticket(tmp_path: Path) -> None:
    """Whether first piece or not, a run is counted once, and a second run finds no ticket."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    gate = Gate(settings_in(tmp_path).gate)
    for is_in_flight in (False, True, False):
        assert asyncio.run(piece(gate, is_in_flight=is_in_flight)) == "CLEAR"

    async def other() -> None:
        async with gate.run_async("ticket-reply", "r-2", is_in_flight=True):
            pass

    with pytest.raises(Paused):
        asyncio.run(other())


@pytest.mark.parametrize("mode", list(Mode))
def test_a_task_that_outlives_its_run_is_held_by_a_drain(tmp_path: Path, mode: Mode) -> None:
    """Nothing is quiet that goes on: once the run was left, what it began asks as whoever starts."""
    control = a_control(tmp_path)
    gate = Gate(settings_in(tmp_path).gate)

    async def goes_on(is_left: asyncio.Event) -> str:
        await is_left.wait()
        assert gate.check("ticket-reply").state is GateState.PAUSED
        try:
            return str((await gate.pause_point_async()).state)
        except Paused as exc:
            return f"held by {exc.answer.holds[0]}"

    async def both() -> str:
        is_left = asyncio.Event()
        async with gate.run_async("ticket-reply", "r-1"):
            task = asyncio.create_task(goes_on(is_left))
            await asyncio.sleep(0)
        pause(control, mode=mode)
        is_left.set()
        return await task

    assert asyncio.run(both()) == "held by H-1"


def test_a_task_that_outlives_its_run_goes_on_where_nothing_is_held(tmp_path: Path) -> None:
    """Without a hold it is told CLEAR as before."""
    a_control(tmp_path)
    gate = Gate(settings_in(tmp_path).gate)

    async def both() -> str:
        async with gate.run_async("ticket-reply", "r-1"):
            task = asyncio.create_task(asyncio.to_thread(lambda: str(gate.pause_point().state)))
        return await task

    assert asyncio.run(both()) == "CLEAR"


@pytest.mark.parametrize("is_left", [False, True])
def test_a_forked_child_goes_on_for_as_long_as_its_run(tmp_path: Path, is_left: bool) -> None:
    """Under a drain a child of a run in flight finishes its part; once the run was left, it is held."""
    control = a_control(tmp_path)
    gate = Gate(settings_in(tmp_path).gate)
    reads, writes = os.pipe()
    says, asks = os.pipe()

    def child() -> str:
        os.read(says, 1)
        try:
            return str(gate.pause_point().state)
        except Paused:
            return "held"

    with gate.run("ticket-reply", "r-1"):
        pid = os.fork()
        if pid == 0:
            os.write(writes, child().encode())
            os._exit(0)
        if not is_left:
            pause(control, mode=Mode.DRAIN)
            os.write(asks, b".")
            assert os.read(reads, 100) == b"CLEAR"
    if is_left:
        pause(control, mode=Mode.DRAIN)
        os.write(asks, b".")
        assert os.read(reads, 100) == b"held"
    os.waitpid(pid, 0)

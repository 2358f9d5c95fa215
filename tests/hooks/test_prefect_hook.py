"""The gate inside Prefect's engines: runs and steps wait while they are held, go on by themselves, and end cleanly.

The engines here have the form of Prefect's own, whose package is not in this environment; tests/engines/live runs the
same hook in Prefect itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.published import a_hold, publish
from workbench.gate import Gate
from workbench.hooks.prefect import GateHook
from workbench.presence import read_presences
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, Publisher


class Suspended(BaseException):
    """What Prefect raises to end a run that was suspended."""


class Request:
    """Prefect's note whether a run was suspended."""

    is_requested = False

    def raise_if_requested(self) -> None:
        if self.is_requested:
            raise Suspended


def engines() -> SimpleNamespace:
    """Return fresh engines for runs and steps, plain and async, as Prefect's are built."""
    said = logging.getLogger("prefect.test")

    class Flow:
        def __init__(self, name: str, run_id: str = "r1", tags: tuple[str, ...] = ()) -> None:
            self.flow = SimpleNamespace(name=name)
            self.flow_run = SimpleNamespace(id=run_id, tags=list(tags))
            self.logger, self.began, self.request = said, False, Request()

        def _get_flow_run_suspension_request(self) -> Request:
            return self.request

        @contextlib.contextmanager
        def start(self) -> Iterator[None]:
            self.begin_run()
            yield

        def begin_run(self) -> None:
            self.began = True

    class AsyncFlow(Flow):
        @contextlib.asynccontextmanager
        async def start(self) -> AsyncIterator[None]:  # type: ignore[override] # as Prefect has it
            await self.begin_run()
            yield

        async def begin_run(self) -> None:  # type: ignore[override] # as Prefect has it
            self.began = True

    class Step:
        def __init__(self, request: Request | None = None) -> None:
            self.logger, self.began, self.request = said, False, request or Request()

        def _get_flow_run_suspension_request(self) -> Request:
            return self.request

        def begin_run(self) -> None:
            self.began = True

    class AsyncStep(Step):
        async def begin_run(self) -> None:  # type: ignore[override] # as Prefect has it
            self.began = True

    return SimpleNamespace(flow=Flow, flow_async=AsyncFlow, step=Step, step_async=AsyncStep)


@pytest.fixture
def own(tmp_path: Path) -> SimpleNamespace:
    """Engines that ask a gate in which `orders` is registered and clear."""
    publish(tmp_path, automations={"orders": [], "parts": []})
    found = engines()
    found.folder = tmp_path
    hook = GateHook(Gate(tmp_path), look_seconds=0.02)
    hook.wrap_flows(found.flow, found.flow_async)
    hook.wrap_steps(found.step, found.step_async)
    return found


def hold(folder: Path, seq: int, *holds: dict[str, Any], **more: Any) -> None:
    """Publish these holds on `orders`."""
    publish(folder, seq, automations={"orders": list(holds), "parts": []}, **more)


def while_it_waits(act: Callable[[], None], meanwhile: Callable[[], None]) -> list[BaseException]:
    """Act in a thread, look that it waits, do something, and return what it raised."""
    raised: list[BaseException] = []

    def acting() -> None:
        try:
            act()
        except BaseException as exc:  # noqa: BLE001 # what a thread raises is looked at here
            raised.append(exc)

    thread = threading.Thread(target=acting)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), f"it does not wait: {raised}"
    meanwhile()
    thread.join(10)
    assert not thread.is_alive()
    return raised


def test_a_clear_run_begins_and_is_noted_until_it_ends(own: SimpleNamespace) -> None:
    """It is in flight for the gate from its beginning to its end, so a pause can be confirmed as quiet."""
    run = own.flow("orders")
    with run.start():
        assert run.began
        assert in_flight(own.folder) == {"r1"}
    assert in_flight(own.folder) == set()


def test_a_held_run_waits_to_begin_and_goes_on_by_itself(own: SimpleNamespace) -> None:
    """While the automation is held its run does not begin; once it is let go, it does."""
    hold(own.folder, 2, a_hold())
    run = own.flow("orders")

    def act() -> None:
        with run.start():
            pass

    assert while_it_waits(act, lambda: hold(own.folder, 3)) == []
    assert run.began


@pytest.mark.parametrize("mode", ["freeze", "halt"])
def test_a_run_at_work_stops_before_its_next_step(own: SimpleNamespace, mode: str) -> None:
    """Held in the middle, its next step waits, and is done once after the resume."""
    run, step = own.flow("orders"), own.step()
    with run.start():
        own.step().begin_run()
        hold(own.folder, 2, a_hold(mode=mode))
        assert asked_inside(step.begin_run, lambda: hold(own.folder, 3)) == []
        assert step.began


def test_a_drained_run_takes_its_steps_to_the_end(own: SimpleNamespace) -> None:
    """Under a drain what has begun goes on, and a new run waits."""
    run = own.flow("orders")
    with run.start():
        hold(own.folder, 2, a_hold(mode="drain"))
        step = own.step()
        step.begin_run()
        assert step.began
    new = own.flow("orders", "r2")

    def act() -> None:
        with new.start():
            pass

    assert while_it_waits(act, lambda: hold(own.folder, 3)) == []


def test_async_runs_and_steps_wait_without_holding_up_the_loop(own: SimpleNamespace) -> None:
    """While one run waits another goes on in the same loop."""
    hold(own.folder, 2, a_hold())
    held, free = own.flow_async("orders"), own.flow_async("parts", "r2")

    async def carry_out(run: Any) -> None:
        async with run.start():
            await own.step_async().begin_run()

    async def both() -> None:
        waiting = asyncio.create_task(carry_out(held))
        await carry_out(free)
        assert (held.began, free.began) == (False, True)
        hold(own.folder, 3)
        await waiting

    asyncio.run(both())
    assert held.began
    assert in_flight(own.folder) == set()


def test_a_suspension_at_prefect_ends_the_wait(own: SimpleNamespace) -> None:
    """A run that waits at the gate and is suspended at Prefect ends as Prefect wants it, and is not in flight."""
    hold(own.folder, 2, a_hold())
    run = own.flow("orders")

    def act() -> None:
        with run.start():
            pass

    def suspend() -> None:
        run.request.is_requested = True

    (raised,) = while_it_waits(act, suspend)
    assert isinstance(raised, Suspended)
    assert in_flight(own.folder) == set()


def test_a_tag_names_the_automation(own: SimpleNamespace) -> None:
    """The tag `automation:<id>` counts before the flow's name."""
    hold(own.folder, 2, a_hold())
    free, held = (
        own.flow("orders", tags=("automation:parts",)),
        own.flow("parts", "r2", ("automation:orders",)),
    )
    with free.start():
        assert free.began

    def act() -> None:
        with held.start():
            pass

    while_it_waits(act, lambda: hold(own.folder, 3))


def test_what_nobody_registered_goes_on_unless_everything_is_held(own: SimpleNamespace) -> None:
    """The plugin is in every flow of a worker: one that is not in the registry is only stopped by `*`."""
    run = own.flow("somebody-elses")
    with run.start():
        assert run.began
    hold(own.folder, 2, everything=[a_hold()])
    other = own.flow("somebody-elses", "r2")

    def act() -> None:
        with other.start():
            pass

    while_it_waits(act, lambda: hold(own.folder, 3))


def test_a_tagged_run_waits_while_the_gate_cannot_tell(own: SimpleNamespace) -> None:
    """UNKNOWN is not a yes for what is said to be an automation of ours."""
    run = own.flow("x", tags=("automation:new-one",))

    def act() -> None:
        with run.start():
            pass

    def register() -> None:
        publish(own.folder, 2, automations={"orders": [], "parts": [], "new-one": []})

    assert while_it_waits(act, register) == []


def _epoch_is_odd(folder: Path) -> None:
    Publisher(folder, "st-1").begin(1)


def _log_is_in_doubt(folder: Path) -> None:
    hold(folder, 1, doubt="event 7 of the log: its content cannot be read")


def _folder_is_gone(folder: Path) -> None:
    (folder / SNAPSHOT_FILE).unlink()
    (folder / EPOCH_FILE).unlink()


@pytest.mark.parametrize("make_unknown", [_epoch_is_odd, _log_is_in_doubt, _folder_is_gone])
def test_a_registered_run_without_a_tag_waits_while_the_gate_cannot_tell(
    own: SimpleNamespace, make_unknown: Callable[[Path], None]
) -> None:
    """That nobody can tell is no sign that nobody registered it: a pause may be on its way, or its folder gone."""
    make_unknown(own.folder)
    run = own.flow("orders")

    def act() -> None:
        with run.start():
            pass

    assert while_it_waits(act, lambda: hold(own.folder, 3)) == []
    assert run.began


def test_a_part_that_is_not_registered_belongs_to_its_caller(own: SimpleNamespace) -> None:
    """A flow called inside an automation's flow stops with it, also when nobody registered the inner one."""
    run, part, step = own.flow("orders"), own.flow("inner", "r2"), own.step()
    with run.start():
        hold(own.folder, 2, a_hold(mode="freeze"))
        assert asked_inside(part.begin_run, lambda: hold(own.folder, 3)) == []
        hold(own.folder, 4, a_hold(mode="freeze"))
        assert asked_inside(step.begin_run, lambda: hold(own.folder, 5)) == []


def test_a_step_outside_of_a_run_is_not_asked_for(own: SimpleNamespace) -> None:
    """Where no run was let in there is nothing to hold, and nothing fails."""
    hold(own.folder, 2, everything=[a_hold()])
    step = own.step()
    step.begin_run()
    assert step.began


def test_a_run_that_fails_is_not_in_flight(own: SimpleNamespace) -> None:
    """However a run ends, the gate notes that it has."""
    with pytest.raises(ZeroDivisionError), own.flow("orders").start():
        raise ZeroDivisionError
    assert in_flight(own.folder) == set()


def test_it_needs_no_prefect_to_be_imported() -> None:
    """The module loads Prefect when it is installed into it, and nothing of ours beyond the gate."""
    probe = "import sys, workbench.hooks.prefect; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"prefect", "httpx", "workbench.engines", "workbench.store"} & set(found)


def asked_inside(act: Callable[[], None], meanwhile: Callable[[], None]) -> list[BaseException]:
    """As `while_it_waits`, in a thread that carries the run with it, as Prefect's own threads do."""
    import contextvars

    context = contextvars.copy_context()
    return while_it_waits(lambda: context.run(act), meanwhile)


def in_flight(folder: Path) -> set[str]:
    """Return the runs that the gate has in flight."""
    found = (one for ones in read_presences(folder).values() for one in ones)
    return {run for one in found for run in one.in_flight}

"""The gate around functions and inside event loops: nothing here waits in the loop itself."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from workbench.answers import GateAnswer, GateState
from workbench.gate.asked import AskedRun, Effect
from workbench.gate.waiting import LOOK_SECONDS, Waker, deadline

if TYPE_CHECKING:
    from workbench.gate.asking import Gate

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")


def guard(
    gate_of: Callable[[], Gate], asked: AskedRun, *, run_id: Callable[..., str] | None
) -> Callable[[Function], Function]:
    """Return a decorator that lets each call through as a run; `gate_of` is asked at the call."""

    def wrap(function: Function) -> Function:
        name_of = run_id or _own_argument(function)
        options: dict[str, Any] = {"effect": asked.effect, "on_unknown": asked.on_unknown}

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                name = str(name_of(*args, **kwargs))
                async with gate_of().run_async(asked.automation_id, name, **options):
                    return await function(*args, **kwargs)

            return cast("Function", awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with gate_of().run(asked.automation_id, str(name_of(*args, **kwargs)), **options):
                return function(*args, **kwargs)

        return cast("Function", called)

    return wrap


def _own_argument(function: Callable[..., Any]) -> Callable[..., str]:
    """Return how a call is named by the function's own argument `run_id`, or by a new id where it has none."""
    signature = inspect.signature(function)

    def name_of(*args: Any, **kwargs: Any) -> str:
        found = signature.bind(*args, **kwargs).arguments.get("run_id")
        return uuid.uuid4().hex if found is None else str(found)

    def new(*args: Any, **kwargs: Any) -> str:
        return uuid.uuid4().hex

    return name_of if "run_id" in signature.parameters else new


async def in_thread(ask: Callable[[], Result]) -> Result:
    """Ask in a thread, as the same run."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, context.run, ask)


async def enter_async(gate: Gate, run: AskedRun) -> GateAnswer:
    """Let a run in; where its caller is cancelled meanwhile, it is noted as ended when it has come in."""
    entering = asyncio.get_running_loop().run_in_executor(None, gate.enter, run)
    try:
        return await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda done: _leave_if_in(gate, run, done))
        raise


def _leave_if_in(gate: Gate, run: AskedRun, done: asyncio.Future[GateAnswer]) -> None:
    if not done.cancelled() and done.exception() is None:
        gate.leave(run)


async def leave_async(gate: Gate, run: AskedRun) -> None:
    """Note that a run has ended, also where its caller is being cancelled."""
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, gate.leave, run))


async def wait_until_clear_async(
    gate: Gate, automation_id: str, *, seconds: float | None, effect: Effect
) -> GateAnswer:
    """Wait for CLEAR as `wait_until_clear` does; the loop itself watches the wake file."""
    loop, until = asyncio.get_running_loop(), deadline(seconds)
    is_woken = asyncio.Event()
    with Waker(gate.folder) as waker:
        descriptor = waker.descriptor
        if descriptor is not None:
            loop.add_reader(descriptor, _wake, waker, is_woken)
        try:
            while True:
                waker.arm()
                is_woken.clear()
                answer = await in_thread(lambda: gate.check(automation_id, effect))
                left = until - time.monotonic()
                if answer.state is GateState.CLEAR or left <= 0:
                    return answer
                await _wait_for(is_woken, min(LOOK_SECONDS, left))
        finally:
            if descriptor is not None:
                loop.remove_reader(descriptor)


def _wake(waker: Waker, is_woken: asyncio.Event) -> None:
    waker.clear()
    is_woken.set()


async def _wait_for(is_woken: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(is_woken.wait(), seconds)
    except TimeoutError:
        return

"""The gate around a function, plain or async, so that an automation needs one line to be stopped.

    from workbench.gated import guarded

    @guarded("invoice-triage")
    def triage(invoice): ...

Each call is one run. In an event loop nothing waits in the loop itself: the gate is asked in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, cast

from workbench.gate import Gate, GateAnswer, OnUnknown

Function = TypeVar("Function", bound=Callable[..., Any])

_lock = threading.Lock()
_shared: list[Gate] = []


def shared_gate() -> Gate:
    """Return this process's gate on the folder that `WORKBENCH_GATE` names, made when first needed."""
    with _lock:
        if not _shared:
            _shared.append(Gate())
        return _shared[0]


def guarded(
    automation_id: str,
    *,
    gate: Gate | None = None,
    run_id: Callable[..., str] | None = None,
    on_unknown: OnUnknown = "stop",
) -> Callable[[Function], Function]:
    """Let each call of a function through as a run of an automation; raises Paused or Unknown instead.

    `run_id` gives a run's id from the arguments of the call; one that is called again with the same id takes
    no second ticket. Without it every call is a run of its own. Works on plain and async functions.
    """

    def wrap(function: Function) -> Function:
        def name(*args: Any, **kwargs: Any) -> str:
            return run_id(*args, **kwargs) if run_id else uuid.uuid4().hex

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*args: Any, **kwargs: Any) -> Any:
                asked = gate or shared_gate()
                run = name(*args, **kwargs)
                async with run_async(asked, automation_id, run_id=run, on_unknown=on_unknown):
                    return await function(*args, **kwargs)

            return cast("Function", waited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            asked = gate or shared_gate()
            with asked.run(automation_id, name(*args, **kwargs), on_unknown=on_unknown):
                return function(*args, **kwargs)

        return cast("Function", called)

    return wrap


@contextlib.asynccontextmanager
async def run_async(
    gate: Gate, automation_id: str, *, run_id: str, on_unknown: OnUnknown = "stop"
) -> AsyncIterator[GateAnswer]:
    """Let one run through as `Gate.run` does, without holding up the event loop while the gate is asked.

    Tickets are files behind a lock; another process may hold it for as long as two seconds.
    """
    loop = asyncio.get_running_loop()
    # Asked once in a thread, which takes the run's ticket; entering again finds that ticket and waits for nobody.
    await loop.run_in_executor(None, _ask, gate, automation_id, run_id, on_unknown)
    with gate.run(automation_id, run_id, on_unknown=on_unknown) as answer:
        yield answer


def _ask(gate: Gate, automation_id: str, run_id: str, on_unknown: OnUnknown) -> None:
    with gate.run(automation_id, run_id, on_unknown=on_unknown):
        return

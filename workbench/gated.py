"""The gate of this process around a function, plain or async, so that an automation needs one line to be stopped.

    from workbench.gated import guarded

    @guarded("invoice-triage")
    def triage(invoice): ...

Each call is one run. In an event loop nothing waits in the loop itself: the gate is asked in a thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable

from workbench.gate import Gate, GateAnswer, OnUnknown
from workbench.gate.around import Function, guard
from workbench.gate.asked import AskedRun

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

    As `Gate.guarded`, with this process's shared gate where none is given.
    """
    asked = AskedRun(automation_id, "", on_unknown=on_unknown)
    return guard(lambda: gate or shared_gate(), asked, run_id=run_id)


@contextlib.asynccontextmanager
async def run_async(
    gate: Gate, automation_id: str, *, run_id: str, on_unknown: OnUnknown = "stop"
) -> AsyncIterator[GateAnswer]:
    """Let one run through as `Gate.run_async` does."""
    async with gate.run_async(automation_id, run_id, on_unknown=on_unknown) as answer:
        yield answer

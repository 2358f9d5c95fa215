"""Lets Prefect ask the gate when a flow run begins and before each of its steps; the flows' code stays as it is.

Install this package where the flows run (`pip install --no-deps`), let `WORKBENCH_GATE` name the gate's folder, and
set `PREFECT_PLUGINS_ENABLED=true`: Prefect finds the plugin by its entry point in each process that it starts. Or, in a
program of your own, before it runs a flow:

    import workbench.hooks.prefect

    workbench.hooks.prefect.install()

While its automation is held a run waits where it is, before its first or its next step, and goes on by itself, so no
step is done twice. Under a drain what has begun goes on. The automation is that of the run's or deployment's tag
`automation:<id>`, else of the flow's name. A flow without the tag whose name is not in the registry is let go on; every
other one waits while the gate cannot tell. A flow's time-out goes on running while it waits, and its worker's slot is
taken.

Steps that a task runner sends to other processes or machines are not asked for. Needs Prefect 3, which this package
does not bring, and of this package the standard library part only.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from workbench.gate import Gate, GateAnswer, GateState, OnUnknown, Paused, Unknown
from workbench.gated import shared_gate

LOOK_SECONDS = 1.0
"""How often a run that waits asks again."""

TAG = "automation:"


class GateHook:
    """Puts the question into Prefect's engines of flow runs and of their steps."""

    def __init__(self, gate: Gate | None = None, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Ask this gate, by default that of `WORKBENCH_GATE`."""
        self._gate, self._look_seconds = gate, look_seconds

    @property
    def gate(self) -> Gate:
        """The gate that is asked, opened when first needed."""
        return self._gate or shared_gate()

    def wrap_flows(self, engine: Any, engine_async: Any) -> None:
        """Let each run of these engines through the gate before it begins, and note when it has ended."""
        begin, begin_async = engine.begin_run, engine_async.begin_run

        @functools.wraps(begin)
        def begin_run(run: Any, *args: Any, **kwargs: Any) -> Any:
            for _ in self._refusals(run, lambda: self._let_in(run)):
                time.sleep(self._look_seconds)
            return begin(run, *args, **kwargs)

        @functools.wraps(begin_async)
        async def begin_run_async(run: Any, *args: Any, **kwargs: Any) -> Any:
            for _ in self._refusals(run, lambda: self._let_in(run)):
                await asyncio.sleep(self._look_seconds)
            return await begin_async(run, *args, **kwargs)

        engine.begin_run, engine_async.begin_run = begin_run, begin_run_async
        engine.start = _left_at_its_end(engine.start)
        engine_async.start = _left_at_its_end_async(engine_async.start)

    def wrap_steps(self, engine: Any, engine_async: Any) -> None:
        """Let each step of these engines wait before it begins, while its run is held."""
        begin, begin_async = engine.begin_run, engine_async.begin_run

        @functools.wraps(begin)
        def begin_run(step: Any, *args: Any, **kwargs: Any) -> Any:
            for _ in self._refusals(step, self._ask):
                time.sleep(self._look_seconds)
            return begin(step, *args, **kwargs)

        @functools.wraps(begin_async)
        async def begin_run_async(step: Any, *args: Any, **kwargs: Any) -> Any:
            for _ in self._refusals(step, self._ask):
                await asyncio.sleep(self._look_seconds)
            return await begin_async(step, *args, **kwargs)

        engine.begin_run, engine_async.begin_run = begin_run, begin_run_async

    def _refusals(self, asking: Any, ask: Callable[[], None]) -> Iterator[None]:
        """Ask until it may go on, and give way after each refusal; a suspension ends the wait."""
        said = ""
        while True:
            try:
                ask()
                return
            except (Paused, Unknown) as exc:
                if str(exc) != said:
                    said = str(exc)
                    asking.logger.warning(f"Waiting at the gate: {said}")
            _raise_if_suspended(asking)
            yield

    def _let_in(self, run: Any) -> None:
        tagged = next((tag for tag in run.flow_run.tags if tag.startswith(TAG)), "")
        name = tagged.removeprefix(TAG) or run.flow.name
        is_inside = contextlib.suppress(RuntimeError)
        on_unknown: OnUnknown = "stop"
        if not tagged and _is_unregistered(name, self.gate.check(name)):
            with is_inside:
                # A flow that is not registered is a part of the run that calls it.
                self.gate.pause_point()
                return
            on_unknown = "continue"
        entering = self.gate.run(name, str(run.flow_run.id), on_unknown=on_unknown)
        _stack_of(run).enter_context(entering)

    def _ask(self) -> None:
        # Outside of a flow run nobody was let in, so there is nothing to hold.
        with contextlib.suppress(RuntimeError):
            self.gate.pause_point()


def _is_unregistered(name: str, answer: GateAnswer) -> bool:
    """Tell whether the gate knows that it does not know a flow; not being able to tell is something else."""
    return answer.state is GateState.UNKNOWN and answer.reason == f"{name} is not registered"


def _stack_of(run: Any) -> contextlib.ExitStack:
    found = run.__dict__.get("_workbench_gate")
    if found is None:
        found = run.__dict__["_workbench_gate"] = contextlib.ExitStack()
    stack: contextlib.ExitStack = found
    return stack


def _left_at_its_end(start: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.contextmanager
    @functools.wraps(start)
    def started(run: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            with start(run, *args, **kwargs) as found:
                yield found
        finally:
            _stack_of(run).close()

    return started


def _left_at_its_end_async(start: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.asynccontextmanager
    @functools.wraps(start)
    async def started(run: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            async with start(run, *args, **kwargs) as found:
                yield found
        finally:
            _stack_of(run).close()

    return started


def _raise_if_suspended(asking: Any) -> None:
    """End the wait of a run that was suspended at Prefect meanwhile, as Prefect itself does at a step."""
    request = getattr(asking, "_get_flow_run_suspension_request", None)
    if request is not None:
        request().raise_if_requested()
        return
    try:
        from prefect._flow_run_suspension import raise_if_flow_run_suspension_requested
    except ImportError:  # older than 3.8, where a suspension is seen at the step itself
        return
    raise_if_flow_run_suspension_requested()


_installed: list[GateHook] = []


def install(gate: Gate | None = None) -> GateHook:
    """Put the question into the Prefect of this process, once; raises RuntimeError where it has no place for it."""
    if _installed:
        return _installed[0]
    import prefect
    from prefect import flow_engine, task_engine

    hook = GateHook(gate)
    try:
        hook.wrap_flows(flow_engine.FlowRunEngine, flow_engine.AsyncFlowRunEngine)
        hook.wrap_steps(task_engine.SyncTaskRunEngine, task_engine.AsyncTaskRunEngine)
    except AttributeError as exc:
        raise RuntimeError(
            f"Prefect {prefect.__version__} has no place for the gate ({exc}): its runs are NOT stopped by it"
        ) from exc
    _installed.append(hook)
    return hook


class _Plugin:
    """What Prefect's plugin system calls in each process, when Prefect is imported."""

    PREFECT_PLUGIN_API_REQUIRES = ">=0.1,<1"

    def setup_environment(self, *, ctx: Any) -> None:
        """Install the gate."""
        install()
        ctx.logger_factory("workbench").debug("flow runs and their steps ask the gate")


def __getattr__(name: str) -> Any:
    """Give the plugin to Prefect, marked by its own marker, which is loaded no earlier."""
    if name != "plugin":
        raise AttributeError(name)
    from prefect.plugins import register_hook

    _Plugin.setup_environment = register_hook(_Plugin.setup_environment)  # type: ignore[method-assign] # marks it
    return _Plugin()

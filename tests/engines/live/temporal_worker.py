"""The worker of the live tests, run by the engine's own interpreter: workflow types of every kind of work.

`python temporal_worker.py HOST:PORT [GATE_FOLDER]`; with a gate folder its activities ask there. `ready` is printed
when it works.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from workbench.gate import Gate
    from workbench.hooks.temporal import GateInterceptor

QUEUE, LAZY_QUEUE, GATED_QUEUE = "main", "lazy", "gated"
"""Task queues: as the worker comes, with eager activities off, and with the gate asked."""


@activity.defn
async def write(number: int, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return number


@activity.defn
async def stumble(attempts: int) -> int:
    if activity.info().attempt < attempts:
        raise RuntimeError(f"HTTP 503 from acme-llm, attempt {activity.info().attempt}")
    return attempts


async def call(function, *arguments, retry: RetryPolicy | None = None):  # type: ignore[no-untyped-def]
    return await workflow.execute_activity(
        function,
        args=list(arguments),
        start_to_close_timeout=timedelta(minutes=1),
        retry_policy=retry,
    )


class Steps:
    """Several steps, each of some seconds; with `attempts` each step may be tried so often and no more."""

    async def run_steps(self, steps: int, seconds: float, attempts: int = 0) -> int:
        retry = RetryPolicy(maximum_attempts=attempts)
        for number in range(steps):
            await call(write, number, seconds, retry=retry)
        return steps


@workflow.defn(name="orders")
class Orders(Steps):
    @workflow.run
    async def run(self, steps: int = 3, seconds: float = 1.5, attempts: int = 0) -> int:
        return await self.run_steps(steps, seconds, attempts)


@workflow.defn(name="invoices")
class Invoices(Steps):
    @workflow.run
    async def run(self, steps: int = 3, seconds: float = 1.5) -> int:
        return await self.run_steps(steps, seconds)


@workflow.defn(name="attic")
class Attic(Steps):
    @workflow.run
    async def run(self, steps: int = 3, seconds: float = 1.5) -> int:
        return await self.run_steps(steps, seconds)


@workflow.defn(name="retrier")
class Retrier:
    @workflow.run
    async def run(self, attempts: int = 3, wait: float = 2.0) -> int:
        again = RetryPolicy(
            initial_interval=timedelta(seconds=wait),
            backoff_coefficient=1.0,
            maximum_attempts=attempts + 2,
        )
        return await call(stumble, attempts, retry=again)


@workflow.defn(name="failer")
class Failer:
    @workflow.run
    async def run(self) -> int:
        again = RetryPolicy(initial_interval=timedelta(seconds=0.1), maximum_attempts=2)
        return await call(stumble, 99, retry=again)


@workflow.defn(name="sleeper")
class Sleeper:
    @workflow.run
    async def run(self, seconds: float = 3.0) -> int:
        await workflow.sleep(seconds)
        return await call(write, 1, 0.1)


@workflow.defn(name="listener")
class Listener:
    def __init__(self) -> None:
        self.is_told = False

    @workflow.signal
    def go(self) -> None:
        self.is_told = True

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.is_told)
        return await call(write, 1, 0.1)


@workflow.defn(name="deaf")
class Deaf:
    """A run that does not end when it is asked to."""

    @workflow.run
    async def run(self) -> int:
        while True:
            try:
                await workflow.sleep(60)
            except asyncio.CancelledError:
                continue


async def main(address: str, gate_folder: str | None) -> None:
    client = await Client.connect(address)
    kinds = [Orders, Invoices, Attic, Retrier, Failer, Sleeper, Listener, Deaf]
    workers = [
        Worker(client, task_queue=QUEUE, workflows=kinds, activities=[write, stumble]),
        Worker(
            client,
            task_queue=LAZY_QUEUE,
            workflows=kinds,
            activities=[write, stumble],
            disable_eager_activity_execution=True,
        ),
    ]
    if gate_folder is not None:
        hook = GateInterceptor(Gate(gate_folder), retry_seconds=1.0)
        workers.append(
            Worker(
                client,
                task_queue=GATED_QUEUE,
                workflows=kinds,
                activities=[write, stumble],
                interceptors=[hook],
            )
        )
    running = [asyncio.create_task(worker.run()) for worker in workers]
    print("ready", flush=True)
    await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))

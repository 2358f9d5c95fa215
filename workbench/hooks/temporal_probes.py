"""A Temporal worker for the made-up work of drills: `python -m workbench.hooks.temporal_probes HOST:PORT`.

It asks no gate, for a drill measures the engine. Options: `--namespace NAME`, `--task-queue NAME`.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from workbench.engines.temporal_words import PROBE, PROBE_QUEUE, UNATTENDED

STEPS = 3
STEP_SECONDS = 6.0
RETRY_SECONDS = 8.0
ATTEMPTS = 3
SLEEP_SECONDS = 10.0
QUEUED_SECONDS = 25.0
"""How long a queued run waits before the worker takes it up."""


@activity.defn(name="workbench-probe-step")
async def take_step(number: int) -> int:
    """Take a few seconds."""
    await asyncio.sleep(STEP_SECONDS)
    return number


@activity.defn(name="workbench-probe-stumble")
async def stumble() -> None:
    """Fail, but for the last attempt."""
    if activity.info().attempt < ATTEMPTS:
        raise RuntimeError(f"made to fail, attempt {activity.info().attempt}")


@workflow.defn(name=PROBE)
class Probe:
    """One run of made-up work; the argument is the class of work."""

    @workflow.signal
    def go(self) -> None:
        """Be signalled: a run of the class `new_event` is started with it."""

    @workflow.run
    async def run(self, work_class: str = "running") -> str:
        """Do what is typical of the class."""
        if work_class == "retrying":
            again = RetryPolicy(
                initial_interval=timedelta(seconds=RETRY_SECONDS), backoff_coefficient=1.0
            )
            await workflow.execute_activity(
                stumble, start_to_close_timeout=timedelta(minutes=1), retry_policy=again
            )
            return work_class
        if work_class == "waiting":
            await workflow.sleep(SLEEP_SECONDS)
        for number in range(1 if work_class == "waiting" else STEPS):
            await workflow.execute_activity(
                take_step, number, start_to_close_timeout=timedelta(minutes=1)
            )
        return work_class


def _worker(client: Client, queue: str) -> Worker:
    activities = [take_step, stumble]
    return Worker(client, task_queue=queue, workflows=[Probe], activities=activities)


async def _take_up_late(client: Client, queue: str) -> None:
    """Take queued runs up once they have waited for long enough."""
    # Asked for by status: this package fails on the status of a paused run.
    query = f"TaskQueue = '{queue}' AND ExecutionStatus = 'Running'"
    while True:
        await asyncio.sleep(1.0)
        latest = datetime.now(UTC) - timedelta(seconds=QUEUED_SECONDS)
        waiting = [run async for run in client.list_workflows(query) if run.start_time < latest]
        if waiting:
            async with _worker(client, queue):
                await asyncio.sleep(STEPS * STEP_SECONDS)


async def _work(arguments: argparse.Namespace) -> None:
    client = await Client.connect(arguments.address, namespace=arguments.namespace)
    async with _worker(client, arguments.task_queue):
        await _take_up_late(client, arguments.task_queue + UNATTENDED)


def main() -> None:
    """Work until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="gRPC address of the server, HOST:PORT")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--task-queue", default=PROBE_QUEUE)
    asyncio.run(_work(parser.parse_args()))


if __name__ == "__main__":
    main()

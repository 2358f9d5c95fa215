"""A flow of three steps for drills, which a Prefect worker in staging runs: `python -m workbench.hooks.prefect_probe`.

It needs Prefect's own environment, with this package on its path. What it does is set by its parameters alone.
"""

from __future__ import annotations

import time

from prefect import flow, pause_flow_run, task


@task(name="step")
def step(number: int, seconds: float) -> int:
    """Take some seconds and do nothing."""
    time.sleep(seconds)
    return number


@flow(name="workbench-probe", retries=30, retry_delay_seconds=10)
def probe(step_seconds: float = 1.0, *, fails: bool = False, waits: bool = False) -> None:
    """Take three steps; wait for a person after the first where told to, and fail after the second."""
    step(1, step_seconds)
    if waits:
        pause_flow_run(timeout=24 * 3600)
    step(2, step_seconds)
    if fails:
        raise RuntimeError("made up by a drill")
    step(3, step_seconds)


if __name__ == "__main__":
    probe.serve(name="staging", tags=["workbench-probe"])

"""Light flows that the live tests run: three steps, one that fails, and one that keeps what its steps gave."""

from __future__ import annotations

import time

from prefect import flow, task


@task
def step(number: int, seconds: float) -> int:
    """Take some seconds."""
    time.sleep(seconds)
    return number


def steps(seconds: float) -> None:
    """Take three steps."""
    for number in range(3):
        step(number, seconds)


@flow
def orders(seconds: float = 0.2) -> None:
    """Take three steps."""
    steps(seconds)


@flow
def invoices(seconds: float = 0.2) -> None:
    """Take three steps."""
    steps(seconds)


@flow
def attic(seconds: float = 0.2) -> None:
    """Take three steps."""
    steps(seconds)


@flow(persist_result=True)
def kept(seconds: float = 0.2) -> None:
    """Take three steps whose results are kept, so that a resumed run does not repeat them."""
    steps(seconds)


@flow(retries=30, retry_delay_seconds=5)
def shaky() -> None:
    """Fail, and be tried again in the same process."""
    raise RuntimeError("made up")


if __name__ == "__main__":
    attic.serve(name="served")

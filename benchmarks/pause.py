"""What a durable, audited, published pause costs against the least that durability costs."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from benchmarks.measure import Ratio, alternate
from benchmarks.place import make_place
from workbench.control.placing import PauseRequest

AUTOMATION_COUNT = 100
RECORD = b"x" * 500
"""About what one event takes in the log."""


def measure(root: Path) -> Ratio:
    """Pause one automation after another, by turns with appending and syncing as many bytes."""
    _, control = make_place(root, automation_count=AUTOMATION_COUNT)
    numbers = itertools.count()

    def ours() -> None:
        scope = f"automation=a-{next(numbers) % AUTOMATION_COUNT}"
        control.pause(PauseRequest(scope, "benchmark"), wait_seconds=0)

    with open(root / "bare", "ab", buffering=0) as file:

        def bare() -> None:
            file.write(RECORD)
            os.fdatasync(file.fileno())

        ours_seconds, bare_seconds = alternate(ours, bare, calls=5)
    return Ratio(
        "durable pause",
        "Control.pause",
        "append 500 bytes + fdatasync",
        ours_seconds,
        bare_seconds,
        "ours also checks, chains, projects, commits and publishes to gates, and records what it saw",
    )

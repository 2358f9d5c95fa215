"""How two things are measured side by side, so that the machine's mood cancels out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

ROUNDS = 7


@dataclass(frozen=True)
class Ratio:
    """What one comparison found.

    Attributes:
        ours_seconds: median time of one of our operations.
        bare_seconds: median time of the bare operation it is compared with.
        note: what both sides did, in one sentence.
    """

    name: str
    ours: str
    bare: str
    ours_seconds: float
    bare_seconds: float
    note: str

    @property
    def ratio(self) -> float:
        """How many times longer ours takes."""
        return self.ours_seconds / self.bare_seconds

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return {**asdict(self), "ratio": round(self.ratio, 3)}


def seconds_per_call(action: Callable[[], object], *, calls: int) -> float:
    """Return the mean time of one call over a number of calls."""
    started = time.perf_counter()
    for _ in range(calls):
        action()
    return (time.perf_counter() - started) / calls


def alternate(
    ours: Callable[[], object], bare: Callable[[], object], *, calls: int, rounds: int = ROUNDS
) -> tuple[float, float]:
    """Time both by turns and return the two medians; the first round of each warms up."""
    times: list[tuple[float, float]] = [
        (seconds_per_call(ours, calls=calls), seconds_per_call(bare, calls=calls))
        for _ in range(rounds + 1)
    ]
    kept = times[1:]
    return statistics.median(t[0] for t in kept), statistics.median(t[1] for t in kept)


def in_words(seconds: float) -> str:
    """Write a duration with the unit that suits it."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"

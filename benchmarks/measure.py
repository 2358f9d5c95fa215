"""How two things are measured side by side, so that the machine's mood cancels out."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ROUNDS = 7
SECONDS = "s"
"""The unit of durations; every other unit is written out behind its number."""


@dataclass(frozen=True)
class Target:
    """What a figure is to reach.

    Attributes:
        limit: in the figure's unit, or as a ratio.
        is_ratio: the ratio to what it is compared with counts, not the figure itself.
        is_least: the limit is to be reached from below; otherwise it is not to be passed.
    """

    limit: float
    is_ratio: bool = False
    is_least: bool = False

    def is_reached(self, value: float) -> bool:
        """Tell whether a value is on the right side of the limit."""
        return value >= self.limit if self.is_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """What one measurement found.

    Attributes:
        name: what was measured, in a few words.
        value: what counts of all rounds, in `unit`; None where it could not be measured.
        low: lower end of the spread: the first quartile, unless the note says otherwise.
        high: upper end of the spread: the third quartile, unless the note says otherwise.
        bare: what it is compared with; empty where it stands alone.
        note: what both sides did, in one sentence.
        versions: package -> version, of what is compared and is not ours.
    """

    name: str
    value: float | None
    unit: str = SECONDS
    low: float | None = None
    high: float | None = None
    bare: str = ""
    bare_value: float | None = None
    target: Target | None = None
    note: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times as much as what it is compared with."""
        if self.value is None or not self.bare_value:
            return None
        return self.value / self.bare_value

    @property
    def is_reached(self) -> bool | None:
        """Tell whether the target is reached: False where it was not measured, None without a target."""
        if self.target is None:
            return None
        found = self.ratio if self.target.is_ratio else self.value
        return found is not None and self.target.is_reached(found)

    def as_json(self) -> dict[str, Any]:
        """Return the figure as plain values; the table is made of them."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "unit": self.unit,
            "bare": self.bare,
            "bare_value": _rounded(self.bare_value),
            "ratio": _rounded(self.ratio),
            "target": None if self.target is None else asdict(self.target),
            "is_reached": self.is_reached,
            "note": self.note,
        }


def of_rounds(
    name: str, values: Sequence[float], bare_values: Sequence[float] = (), **more: Any
) -> Figure:
    """Return the figure of several rounds: medians of both sides, and the quartiles of ours."""
    low, middle, high = quartiles(values)
    bare_value = statistics.median(bare_values) if bare_values else None
    return Figure(name, middle, low=low, high=high, bare_value=bare_value, **more)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return first quartile, median and third quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a share of all values does not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def seconds_per_call(action: Callable[[], object], *, calls: int) -> float:
    """Return the mean time of one call over a number of calls."""
    started = time.perf_counter()
    for _ in range(calls):
        action()
    return (time.perf_counter() - started) / calls


def alternate(
    *actions: Callable[[], object], calls: int, rounds: int = ROUNDS
) -> tuple[list[float], ...]:
    """Time actions by turns and return the rounds of each; the first round warms up and does not count."""
    times = [
        [seconds_per_call(action, calls=calls) for action in actions] for _ in range(rounds + 1)
    ]
    return tuple(list(column) for column in zip(*times[1:], strict=True))


def in_words(value: float | None, unit: str = SECONDS) -> str:
    """Write a value with three digits and the unit that suits it."""
    if value is None:
        return "not measured"
    if unit != SECONDS:
        return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
    for size, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value / 1e-9:.3g} ns"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")

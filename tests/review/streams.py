"""Made histories of incidents whose relapse is known, because it was planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.review.relapse import History

START = pd.Timestamp("2025-01-01", tz="UTC")
LASTED_HOURS = 0.5


@dataclass(frozen=True)
class Stream:
    """Incidents of independent units: a Poisson stream in quiet hours, and planted relapses.

    Attributes:
        per_day: new trouble a day; a function of the day where the rate drifts.
        relapse: share of the resolutions after which a relapse was planted.
        within_hours: it comes within so long, each moment as likely.
    """

    days: int = 400
    per_day: float | Callable[[float], float] = 0.25
    relapse: float = 0.0
    within_hours: float = 6.0
    units: Sequence[str] = ("api",)

    def rows(self, seed: int) -> pd.DataFrame:
        """Return one row per incident, as a query gives them."""
        random = np.random.default_rng(seed)
        found = [row for unit in self.units for row in self._unit(unit, random)]
        return pd.DataFrame(found, columns=["units", "incident_ref", "began_at", "ended_at"])

    def history(self, seed: int) -> History:
        """Return the whole history, watched to its end."""
        return History.of("made", self.rows(seed), until=START + pd.Timedelta(days=self.days))

    def share_within(self, horizon_hours: float) -> float:
        """Return the true share of resolutions with new trouble within a horizon of at least the planted hours."""
        assert not callable(self.per_day)
        by_chance = -np.expm1(-self.per_day / 24 * horizon_hours)
        return float(self.relapse + (1 - self.relapse) * by_chance)

    @cached_property
    def _most(self) -> float:
        rate = self.per_day
        return max(rate(float(day)) for day in range(self.days)) if callable(rate) else rate

    def _unit(self, unit: str, random: np.random.Generator) -> list[tuple[object, ...]]:
        at, found = 0.0, []
        while True:
            gap = self._gap(at, random)
            if random.random() < self.relapse:
                gap = min(gap, random.uniform(0, self.within_hours))
            at += gap
            if at >= self.days * 24:
                return found
            began = START + pd.Timedelta(hours=at)
            ended = began + pd.Timedelta(hours=LASTED_HOURS)
            found.append((unit, f"{unit}-{len(found)}", began, ended))
            at += LASTED_HOURS

    def _gap(self, at: float, random: np.random.Generator) -> float:
        """Return the hours to the next draw of the stream (thinning, where the rate drifts)."""
        rate = self.per_day
        if not callable(rate):
            return float(random.exponential(24 / rate))
        most = self._most
        gap = 0.0
        while at + gap < self.days * 24:
            gap += random.exponential(24 / most)
            if random.random() < rate((at + gap) / 24) / most:
                break
        return float(gap)


def incidents(text: str) -> pd.DataFrame:
    """Return incidents from lines of `unit ref began ended`, in hours since the start; `-` is still open."""
    rows = []
    for line in text.strip().splitlines():
        units, ref, began, ended = (part.strip() for part in line.split("|"))
        end = pd.NaT if ended == "-" else START + pd.Timedelta(hours=float(ended))
        rows.append((units, ref, START + pd.Timedelta(hours=float(began)), end))
    return pd.DataFrame(rows, columns=["units", "incident_ref", "began_at", "ended_at"])


def history(text: str, *, until: float) -> History:
    """Return a history from such lines, watched so many hours."""
    return History.of("written", incidents(text), until=START + pd.Timedelta(hours=until))

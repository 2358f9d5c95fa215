"""How often a component that was said to be resolved went wrong again, beside what chance alone would give.

A history of incidents is all that is needed. Incidents of one unit that overlap are one stretch of trouble, for
a unit is resolved only when none of them is open. A resolution counts for a horizon once the whole horizon
after it was watched; younger ones are left out, the relapsed as well as the quiet, or the share would be too high.

Chance is a Poisson stream of new trouble at a rate per quiet hour. Two rates are used, for incident rates drift
and a unit in a bad month relapses more often by that alone: the unit's own over its whole history, and the local
one, of the days just before the trouble and just after the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

COLUMNS = ("units", "incident_ref", "began_at", "ended_at")
HORIZONS_HOURS = (6, 24)
"""Relapses are counted within a stretch of work and within a day."""

LOCAL_DAYS = 30
"""Days on each side that make the local rate: a month holds some incidents and is shorter than most drifts."""

MIN_LOCAL_DAYS = 7
"""Quiet days below which there is no local rate: a week holds every weekly cycle once."""

MIN_RESOLUTIONS = 20
"""Fewer cannot tell: even none of 19 leaves a share of 15 % possible, as much as the worst public components show."""

SIGNIFICANCE = 0.05
NO_UNIT = "(none named)"
CANNOT_TELL = "cannot tell"
MORE = "more than chance"
LIKE_CHANCE = "not told apart from chance"

HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class History:
    """The incidents of one source about one subject, as far as it was watched.

    Attributes:
        name: what it is called on screen, e.g. `github (status-page)`.
        trouble: unit, began_at, ended_at, incident_count; overlapping incidents of a unit joined, ends NaT while open.
        until: nothing is known from this instant on.
        noun: what a unit is.
        unended_count: incidents without an end although newer ones are known: whether they are over is unknown.
        swallowed_count: later incidents of their units, which cannot be told apart from them.
    """

    name: str
    trouble: pd.DataFrame
    until: pd.Timestamp
    noun: str = "component"
    unended_count: int = 0
    swallowed_count: int = 0

    @classmethod
    def of(
        cls, name: str, rows: pd.DataFrame, *, until: pd.Timestamp, noun: str = "component"
    ) -> History:
        """Make a history of incidents (`COLUMNS`), several units of one separated by `, `."""
        known = rows[rows["began_at"] < until]
        is_unended = known["ended_at"].isna() & (known["began_at"] < known["began_at"].max())
        return cls(
            name,
            _joined(_by_unit(known)),
            until,
            noun,
            unended_count=int(is_unended.sum()),
            swallowed_count=_swallowed(_by_unit(known)) if is_unended.any() else 0,
        )

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Units, the one with the most trouble first."""
        counts = self.trouble.groupby("unit").size()
        return tuple(sorted(counts.index, key=lambda unit: (-int(counts[unit]), unit)))

    @cached_property
    def resolutions(self) -> pd.DataFrame:
        """One row per end of trouble, in order of time.

        Columns: unit, began_at, ended_at, lasted_hours, gap_hours to the unit's next trouble (inf where none was
        seen), watched_hours after the end, rate and local_rate per quiet hour (local NaN where it is not known).
        """
        by_unit = dict(iter(self.trouble.groupby("unit")))
        parts = [self._of_unit(unit, by_unit[unit]) for unit in self.units]
        found = pd.concat([p for p in parts if len(p)] or [_no_resolutions()])
        return found.sort_values(["ended_at", "unit"], kind="stable").reset_index(drop=True)

    def _of_unit(self, unit: str, mine: pd.DataFrame) -> pd.DataFrame:
        began, ended = hours(mine["began_at"]), hours(mine["ended_at"])
        until = (self.until - EPOCH) / HOUR
        clock = QuietClock(began, ended, until=until)
        is_over = ended < until
        following = np.append(began[1:], np.inf)
        rows = {
            "unit": unit,
            "began_at": mine["began_at"].to_numpy(),
            "ended_at": mine["ended_at"].to_numpy(),
            "lasted_hours": ended - began,
            "gap_hours": following - ended,
            "watched_hours": until - ended,
            "rate": clock.own_rate,
            "local_rate": clock.local_rates(),
        }
        return pd.DataFrame(rows)[is_over]


EPOCH = pd.Timestamp(0, tz="UTC")


def hours(instants: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Return instants as hours since 1970, NaN where there is none."""
    found: np.ndarray[Any, Any] = ((instants - EPOCH) / HOUR).to_numpy(dtype="float64")
    return found


def _no_resolutions() -> pd.DataFrame:
    instants = pd.Series([], dtype="datetime64[us, UTC]")
    numbers = ("lasted_hours", "gap_hours", "watched_hours", "rate", "local_rate")
    columns = {name: pd.Series([], dtype="float64") for name in numbers}
    unit = pd.Series([], dtype=object)
    return pd.DataFrame({"unit": unit, "began_at": instants, "ended_at": instants, **columns})


def _by_unit(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per incident and unit; an incident that names a unit twice counts once for it."""
    found = rows[["incident_ref", "began_at", "ended_at"]].copy()
    for name in ("began_at", "ended_at"):
        found[name] = pd.to_datetime(found[name], utc=True).astype("datetime64[us, UTC]")
    found["unit"] = [_names(text) for text in rows["units"]]
    return found.explode("unit").reset_index(drop=True)


def _names(text: object) -> list[str]:
    known = dict.fromkeys(part.strip() for part in str(text or "").split(", "))
    return [name for name in known if name] or [NO_UNIT]


def _joined(rows: pd.DataFrame) -> pd.DataFrame:
    """Join what overlaps within a unit, and what follows without a gap within one incident."""
    ordered = rows.sort_values(["unit", "began_at", "ended_at"], kind="stable")
    stretches: list[list[Any]] = []
    for unit, ref, began, ended in ordered[
        ["unit", "incident_ref", "began_at", "ended_at"]
    ].itertuples(index=False, name=None):
        last = stretches[-1] if stretches else None
        if last is not None and last[0] == unit and _goes_on(last, ref, began):
            last[2] = pd.NaT if pd.isna(last[2]) or pd.isna(ended) else max(last[2], ended)
            last[3] += 1
            last[4] = ref
        else:
            stretches.append([unit, began, ended, 1, ref])
    columns = ["unit", "began_at", "ended_at", "incident_count", "incident_ref"]
    found = pd.DataFrame(stretches, columns=columns).drop(columns="incident_ref")
    for name in ("began_at", "ended_at"):
        found[name] = pd.to_datetime(found[name], utc=True).astype("datetime64[us, UTC]")
    return found


def _swallowed(rows: pd.DataFrame) -> int:
    """Count incidents that began after one of their unit which has no end, each once."""
    since = rows[rows["ended_at"].isna()].groupby("unit")["began_at"].min()
    later = rows[rows["began_at"] > rows["unit"].map(since)]
    return len(later.drop_duplicates(["incident_ref", "began_at"]))


def _goes_on(last: list[Any], ref: object, began: pd.Timestamp) -> bool:
    return bool(pd.isna(last[2]) or began < last[2] or (began == last[2] and ref == last[4]))


class QuietClock:
    """The hours of one unit in which it was not in trouble: only in these can new trouble begin."""

    def __init__(
        self, began: np.ndarray[Any, Any], ended: np.ndarray[Any, Any], *, until: float
    ) -> None:
        """Take the unit's trouble in order, in hours, and where its history ends."""
        self._began = began
        self._ended = np.where(np.isnan(ended) | (ended > until), until, ended)
        self._until = until
        edges = np.empty(2 * len(began) + 1)
        edges[0:-1:2], edges[1:-1:2], edges[-1] = began, self._ended, until
        lengths = np.diff(edges, prepend=edges[0])
        lengths[1::2] = 0.0
        self._edges, self._quiet = edges, np.cumsum(lengths)

    @property
    def own_rate(self) -> float:
        """New trouble per quiet hour since the first; it started the clock and is not counted."""
        span = float(self._quiet[-1])
        return (len(self._began) - 1) / span if span > 0 else float("nan")

    def local_rates(self) -> np.ndarray[Any, Any]:
        """Return the rate around each trouble, without itself and the longest horizon after it."""
        reach, horizon = LOCAL_DAYS * 24.0, float(max(HORIZONS_HOURS))
        before = self._count_and_hours(self._began - reach, self._began)
        later = self._ended + horizon
        after = self._count_and_hours(later, later + reach)
        counts, quiet = before[0] + after[0], before[1] + after[1]
        is_known = quiet >= MIN_LOCAL_DAYS * 24
        return np.where(is_known, counts / np.where(is_known, quiet, 1.0), np.nan)

    def _count_and_hours(
        self, since: np.ndarray[Any, Any], until: np.ndarray[Any, Any]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        # The first trouble is no draw of the stream: the history was chosen to begin with it.
        drawn = self._began[1:]
        counts = np.searchsorted(drawn, until, "left") - np.searchsorted(drawn, since, "left")
        quiet = np.interp(until, self._edges, self._quiet) - np.interp(
            since, self._edges, self._quiet
        )
        return counts.astype("float64"), quiet


def exact_interval(count: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a share (Clopper and Pearson 1934)."""
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} cannot be")
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - tail, count + 1, total - count)) if count < total else 1.0
    return low, high


def judged(resolutions: pd.DataFrame, horizon_hours: float) -> pd.DataFrame:
    """Return the resolutions after which the whole horizon was watched, with is_relapse and both chances."""
    found = resolutions[resolutions["watched_hours"] >= horizon_hours].copy()
    found["is_relapse"] = found["gap_hours"] <= horizon_hours
    found["chance"] = -np.expm1(-found["rate"] * horizon_hours)
    found["local_chance"] = -np.expm1(-found["local_rate"] * horizon_hours)
    return found


def relapse_shares(history: History, *, horizon_hours: float) -> pd.DataFrame:
    """Return one row per unit: how many resolutions, the share that relapsed within a horizon, and chance beside it.

    Columns: unit, resolution_count, relapse_count, relapse_share, low_share, high_share (exact, 95 %),
    chance_share, local_share, p (binomial, one-sided, against the larger of the two, Holm 1979 over the units
    that can be told) and finding. Shares are None, and the finding `cannot tell`, below `MIN_RESOLUTIONS`.
    """
    known = judged(history.resolutions, horizon_hours)
    by_unit = dict(iter(known.groupby("unit")))
    rows = [_share_row(unit, by_unit.get(unit, known.iloc[:0])) for unit in history.units]
    names = "unit resolution_count relapse_count relapse_share low_share high_share chance_share local_share p"
    found = pd.DataFrame(rows, columns=names.split())
    return found.assign(p=(corrected := holm(found["p"])), finding=[_finding(p) for p in corrected])


def _share_row(unit: str, mine: pd.DataFrame) -> dict[str, Any]:
    total, count = len(mine), int(mine["is_relapse"].sum())
    row: dict[str, Any] = {"unit": unit, "resolution_count": total, "relapse_count": count}
    if total < MIN_RESOLUTIONS:
        return row
    low, high = exact_interval(count, total)
    chance, local = float(mine["chance"].mean()), local_mean(mine["local_chance"])
    reference = chance if local is None else max(chance, local)
    return {
        **row,
        "relapse_share": count / total,
        "low_share": low,
        "high_share": high,
        "chance_share": chance,
        "local_share": local,
        "p": float(stats.binom.sf(count - 1, total, reference)),
    }


def local_mean(chances: pd.Series[float]) -> float | None:
    """Return the mean of the local chances, or None where most of them are not known."""
    known = chances.dropna()
    return float(known.mean()) if len(known) and 2 * len(known) >= len(chances) else None


def holm(chances: pd.Series[float]) -> pd.Series[float]:
    """Return p-values corrected for how many there are (Holm 1979); what has none stays without."""
    known = chances.dropna().astype("float64").sort_values(kind="stable")
    factors = np.arange(len(known), 0, -1)
    raised = np.minimum(np.maximum.accumulate(known.to_numpy() * factors), 1.0)
    return pd.Series(raised, index=known.index, dtype="float64").reindex(chances.index)


def _finding(p: float | None) -> str:
    if p is None or p != p:  # not a number: too few to tell
        return CANNOT_TELL
    return MORE if p < SIGNIFICANCE else LIKE_CHANCE

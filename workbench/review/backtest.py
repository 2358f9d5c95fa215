"""Back-test of restart rules over a history of incidents: relapses avoided against hours lost.

Each rule says how long something stays paused after its unit was said to be resolved. New trouble that begins in
that time is avoided; what begins after the restart and within the horizon is met. Under the gate's rule there is a
time between the two, the narrow restart, in which a relapse is met by a few counted runs only.

Of the gate's twelve checks an incident history can answer one, the provider's state: nothing in the history is open.
It also gives the time that clean runs take, once somebody says how many runs there are an hour. It has no runs, no
records and no approvals: what the real gate would have said is replayed on holds, where these are
(`workbench.review.replay`).

Intervals come from drawing blocks of time again (Carlstein 1986), never single incidents: one incident
strikes several units, and a relapse depends on the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.review.relapse import History, hours, judged, local_mean
from workbench.review.thresholds import ReviewThresholds

HORIZON_HOURS = 24.0
"""New trouble within a day counts as a relapse; with what is later a restart has little to do."""

RUNS_PER_HOUR = 10.0
"""Assumed where nobody says it; with it 59 clean runs take six hours."""

WAITS_HOURS = (1.0, 6.0, 24.0)
BLOCK_DAYS = (28, 14, 7)
"""Lengths of a block, the longest first: rates drift, so the longest that leaves enough blocks is taken."""

MIN_BLOCKS = 20
"""Fewer blocks make percentiles of a bootstrap too narrow; then there is no interval."""

MIN_EVENTS = 5
"""Relapses avoided below which percentiles say nothing: a bootstrap cannot draw what never happened."""

DRAWS = 2_000
SEED = 20_260_820
COUNTS = ("relapse_count", "avoided_count", "narrow_count", "met_count", "chance_count")
POOLED = (
    "resolution_count", "relapse_count", "relapse_share", "chance_share", "local_share", "excess_share",
    "low_relapse_share", "high_relapse_share", "low_excess_share", "high_excess_share",
)  # fmt: skip
SUMS = (*COUNTS, "held_hours", "narrow_hours")

ALERT_STOPS = "resume when the alert stops"
AS_LONG = "wait as long as it lasted, a day at most"
ALL_GREEN = "the gate's provider check alone"
GATE = "the gate: provider check, {count} clean runs"
ALL_CLEAR = "wait until no {noun} is in trouble"
ALL_CLEAR_NARROW = "wait until no {noun} is in trouble, then {count} clean runs"
"""What our own incidents and alerts can answer is no provider's state, so it is no check of the gate."""

PROVIDER_NOUN = "component"
OPEN_RULES = 2
"""The last rules look at what is open: they cannot be told where nobody knows what is."""


@dataclass(frozen=True)
class Pace:
    """How long a narrow restart takes: the clean runs that a full one needs, and the runs of an automation an hour.

    Raises ValueError without any runs an hour.
    """

    runs_per_hour: float = RUNS_PER_HOUR
    clean_run_count: int = ReviewThresholds.clean_run_count

    def __post_init__(self) -> None:
        """Refuse a pace at which a narrow restart never ends."""
        if not self.runs_per_hour > 0:
            raise ValueError(f"runs_per_hour must be above 0, not {self.runs_per_hour}")

    @property
    def hours(self) -> float:
        """Hours that the clean runs take."""
        return self.clean_run_count / self.runs_per_hour


USUAL = Pace()


@dataclass(frozen=True)
class Rule:
    """One rule, worked out for each resolution.

    Attributes:
        name: as shown.
        held_hours: after the resolution nothing runs for so long.
        full_hours: after so long everything runs; between the two a narrow restart.
    """

    name: str
    held_hours: np.ndarray[Any, Any]
    full_hours: np.ndarray[Any, Any]


def rules_for(history: History, resolutions: pd.DataFrame, *, pace: Pace = USUAL) -> list[Rule]:
    """Return the rules that are compared, the simplest first."""
    nothing = np.zeros(len(resolutions))
    lasted = np.minimum(resolutions["lasted_hours"].to_numpy(), 24.0)
    ended = hours(resolutions["ended_at"])
    green = green_from(history, ended)
    full = green_from(history, green + pace.hours)
    waits = [_waiting(f"wait {hour:g} h", nothing + hour) for hour in WAITS_HOURS]
    return [
        _waiting(ALERT_STOPS, nothing),
        *waits,
        _waiting(AS_LONG, lasted),
        _waiting(green_name(history.noun), green - ended),
        Rule(gate_name(history.noun, pace), green - ended, full - ended),
    ]


def green_name(noun: str) -> str:
    """Return what the rule is called that waits until nothing of a history is open."""
    return ALL_GREEN if noun == PROVIDER_NOUN else ALL_CLEAR.format(noun=noun)


def gate_name(noun: str, pace: Pace) -> str:
    """Return what that rule is called with a narrow restart after it."""
    name = GATE if noun == PROVIDER_NOUN else ALL_CLEAR_NARROW
    return name.format(noun=noun, count=pace.clean_run_count)


def _waiting(name: str, held: np.ndarray[Any, Any]) -> Rule:
    return Rule(name, held, held)


def green_from(history: History, at: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the first instants, in hours and not before `at`, at which no unit of the history is in trouble."""
    began, ended = hours(history.trouble["began_at"]), hours(history.trouble["ended_at"])
    order = np.argsort(began, kind="stable")
    began, ended = began[order], np.where(np.isnan(ended), np.inf, ended)[order]
    red: list[list[float]] = []
    for since, until in zip(began, ended, strict=True):
        if red and since <= red[-1][1]:
            red[-1][1] = max(red[-1][1], until)
        else:
            red.append([since, until])
    if not red:
        return at
    starts, ends = np.array([r[0] for r in red]), np.array([r[1] for r in red])
    place = np.searchsorted(starts, at, "right") - 1
    is_red = (place >= 0) & (at < ends[np.maximum(place, 0)])
    return np.where(is_red, ends[np.maximum(place, 0)], at)


def outcomes(
    resolutions: pd.DataFrame, rule: Rule, *, horizon_hours: float = HORIZON_HOURS
) -> pd.DataFrame:
    """Return what a rule does at each resolution: `SUMS`, one row per resolution, hours as far as they were watched.

    A relapse is avoided, met narrowly or met in full, never two of them. Hours end with the next trouble: from then
    on everything stays paused for a reason. `chance_count`: new trouble expected in the held hours at the unit's rate.
    """
    gap = resolutions["gap_hours"].to_numpy()
    seen = np.minimum(gap, resolutions["watched_hours"].to_numpy())
    held, full = np.minimum(rule.held_hours, seen), np.minimum(rule.full_hours, seen)
    is_relapse = gap <= horizon_hours
    is_avoided = is_relapse & (gap <= rule.held_hours) & (rule.held_hours > 0)
    is_narrow = is_relapse & ~is_avoided & (gap <= rule.full_hours) & (rule.full_hours > 0)
    within = np.minimum(rule.held_hours, horizon_hours)
    return pd.DataFrame(
        {
            "relapse_count": is_relapse.astype("float64"),
            "avoided_count": is_avoided.astype("float64"),
            "narrow_count": is_narrow.astype("float64"),
            "met_count": (is_relapse & ~is_avoided & ~is_narrow).astype("float64"),
            "chance_count": -np.expm1(-resolutions["rate"].to_numpy() * within),
            "held_hours": held,
            "narrow_hours": full - held,
        },
        index=resolutions.index,
    )


class RuleTrial:
    """All rules tried on one history: outcomes worked out once, summed over all units or over some."""

    def __init__(
        self, history: History, *, pace: Pace = USUAL, horizon_hours: float = HORIZON_HOURS
    ) -> None:
        """Work out what each rule does at each resolution that can be judged."""
        self._unended_count = history.unended_count
        self._known = judged(history.resolutions, horizon_hours)
        self._outcomes = [
            (rule.name, outcomes(self._known, rule, horizon_hours=horizon_hours))
            for rule in rules_for(history, self._known, pace=pace)
        ]

    def compared(self, units: Sequence[str] = ()) -> pd.DataFrame:
        """Return one row per rule over all units, or some: totals, 95 % intervals, hours for a relapse avoided.

        Columns: rule, resolution_count, `SUMS`, and low_ and high_ of avoided_count, held_hours and hours_each (held
        hours for each relapse avoided). Intervals are None where there are too few blocks of time, those of what was
        avoided also below `MIN_EVENTS`. Rules over what is open have no numbers where an end is unknown.
        """
        known = self._known
        # With an end that is unknown, whether all is clear is unknown from then on.
        told = len(self._outcomes) - (OPEN_RULES if self._unended_count else 0)
        is_asked = (known["unit"].isin(units) if units else known["unit"].notna()).to_numpy()
        blocks = blocks_of(known[is_asked])
        rows = [
            {
                "rule": name,
                "resolution_count": int(is_asked.sum()),
                **(_row(each[is_asked], blocks) if n < told else _unknown_row(each[is_asked])),
            }
            for n, (name, each) in enumerate(self._outcomes)
        ]
        return pd.DataFrame(rows)

    def dearer(self, rule: str, other: str) -> tuple[float, float, float]:
        """Return by how many held hours for each relapse avoided a rule is dearer than another, and its 95 % interval.

        Both are drawn over the same blocks. Raises ValueError where there are too few.
        """
        if (blocks := blocks_of(self._known)) is None:
            raise ValueError("too few blocks of time for an interval")
        by_name = dict(self._outcomes)
        pair = pd.concat(
            [by_name[n][["held_hours", "avoided_count"]] for n in (rule, other)], axis=1
        )
        pair.columns = pd.Index(["held", "avoided", "other_held", "other_avoided"])
        rows = pd.concat([pair.sum().to_frame().T, drawn_totals(pair, blocks)])
        each = rows["held"] / rows["avoided"].where(rows["avoided"] > 0)
        each -= rows["other_held"] / rows["other_avoided"].where(rows["other_avoided"] > 0)
        return float(each.iloc[0]), *interval_of(each.iloc[1:].fillna(np.inf))


def compare_rules(history: History, *, pace: Pace = USUAL) -> pd.DataFrame:
    """Return the rules compared over all units of a history; columns as of `RuleTrial.compared`."""
    return RuleTrial(history, pace=pace).compared()


def _unknown_row(each: pd.DataFrame) -> dict[str, Any]:
    unknown = dict.fromkeys((*SUMS, "hours_each"), float("nan"))
    return {**unknown, "relapse_count": float(each["relapse_count"].sum())}


def _row(each: pd.DataFrame, blocks: np.ndarray[Any, Any] | None) -> dict[str, Any]:
    totals = {name: float(each[name].sum()) for name in SUMS}
    avoided = totals["avoided_count"]
    row: dict[str, Any] = {
        **totals,
        "hours_each": totals["held_hours"] / avoided if avoided else None,
    }
    if blocks is None:
        return row
    drawn = drawn_totals(each, blocks)
    row["low_held_hours"], row["high_held_hours"] = interval_of(drawn["held_hours"])
    if avoided < MIN_EVENTS:
        return row
    row["low_avoided_count"], row["high_avoided_count"] = interval_of(drawn["avoided_count"])
    # A draw that avoided nothing took endlessly many hours for each: no upper end then, rather than a flattering one.
    each_hours = drawn["held_hours"] / drawn["avoided_count"].where(drawn["avoided_count"] > 0)
    low, high = interval_of(each_hours.fillna(np.inf))
    row["low_hours_each"] = low if np.isfinite(low) else None
    row["high_hours_each"] = high if np.isfinite(high) else None
    return row


def blocks_of(resolutions: pd.DataFrame) -> np.ndarray[Any, Any] | None:
    """Return the block of time of each resolution, numbered; None where no length of block leaves enough of them."""
    if resolutions.empty:
        return None
    since = resolutions["ended_at"].min()
    days = ((resolutions["ended_at"] - since) / pd.Timedelta(days=1)).to_numpy()
    for length in BLOCK_DAYS:
        numbers: np.ndarray[Any, Any] = np.floor(days / length).astype(int)
        if len(np.unique(numbers)) >= MIN_BLOCKS:
            return numbers
    return None


def drawn_totals(
    each: pd.DataFrame, blocks: np.ndarray[Any, Any], *, draws: int = DRAWS
) -> pd.DataFrame:
    """Return the totals of the columns over blocks drawn with replacement, one row per draw; the seed is fixed.

    Blocks without a resolution are drawn too: how much happens in a month is part of what is not known.
    """
    count = int(blocks.max()) + 1
    sums = np.zeros((count, each.shape[1]))
    np.add.at(sums, blocks, each.to_numpy(dtype="float64"))
    random = np.random.default_rng(SEED)
    weights = random.multinomial(count, np.full(count, 1 / count), size=draws)
    return pd.DataFrame(weights @ sums, columns=each.columns)


def interval_of(drawn: pd.Series[float]) -> tuple[float, float]:
    """Return the middle 95 % of drawn values."""
    low, high = np.quantile(drawn.to_numpy(dtype="float64"), [0.025, 0.975], method="nearest")
    return float(low), float(high)


def pooled_share(
    history: History, *, horizon_hours: float, unit: str = ""
) -> Mapping[str, float | int | None]:
    """Return the share of all resolutions, or a unit's, that relapsed, chance, and the excess with block intervals.

    Keys: resolution_count, relapse_count, relapse_share, chance_share, local_share, excess_share (over the larger of
    both), and low_ and high_ of relapse_share and excess_share. What cannot be told is None: everything without a
    resolution, the local share where most resolutions have none, intervals where there are too few blocks.
    """
    known = judged(history.resolutions, horizon_hours)
    known = known[known["unit"] == unit] if unit else known
    found: dict[str, float | int | None] = dict.fromkeys(POOLED)
    found |= {"resolution_count": len(known), "relapse_count": int(known["is_relapse"].sum())}
    if known.empty:
        return found
    parts = pd.DataFrame(
        {
            "relapse": known["is_relapse"].astype("float64"),
            "chance": known["chance"],
            "local": known["local_chance"].fillna(known["chance"]),
            "one": 1.0,
        }
    )
    means = parts.mean()
    is_local_known = local_mean(known["local_chance"]) is not None
    reference = "local" if is_local_known and means["local"] > means["chance"] else "chance"
    found |= {f"{name}_share": float(means[name]) for name in ("relapse", "chance")}
    found["local_share"] = float(means["local"]) if is_local_known else None
    found["excess_share"] = float(means["relapse"] - means[reference])
    blocks = blocks_of(known)
    return found if blocks is None else found | _share_intervals(parts, blocks, reference)


def _share_intervals(
    parts: pd.DataFrame, blocks: np.ndarray[Any, Any], reference: str
) -> dict[str, float]:
    drawn = drawn_totals(parts, blocks)
    drawn = drawn[drawn["one"] > 0]
    shares = {
        "relapse_share": drawn["relapse"] / drawn["one"],
        "excess_share": (drawn["relapse"] - drawn[reference]) / drawn["one"],
    }
    found = {}
    for name, values in shares.items():
        found[f"low_{name}"], found[f"high_{name}"] = interval_of(values)
    return found

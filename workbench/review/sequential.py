"""The guardrail of a narrow restart: a test that may be looked at after every run, and says when to abort.

The e-value bets, run after run, that the failure rate lies above a reference. While it does not, the e-value
is a supermartingale that begins at 1, so by Ville's inequality (Ville 1939) it ever reaches 1/alpha with a chance
of alpha at most, however often one looks and whenever one stops. The bet is a mixture over all rates above the
reference (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021), here a beta distribution cut off below it, so
that it holds for every healthy rate and not for the reference alone. The bounds of the rate are the same for
every rate at once (Robbins 1970; Waudby-Smith and Ramdas 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from workbench.review.ground import counted, percent
from workbench.review.statistics import upper_bound

BASELINE_ALPHA = 0.01
"""Part of alpha that is spent on the baseline, whose true rate lies above its upper bound so rarely."""
ALTERNATIVE_WEIGHT = 7
"""Runs that the bet's idea of a broken rate is worth: few, so that other rates are caught nearly as soon."""
HALVINGS = 50
"""Steps of the search for the bounds of a rate: beyond the precision that is ever shown."""


class GuardState(StrEnum):
    """What a guardrail says: go on, stay paused, or as good as the reference."""

    CONTINUE = "continue"
    ABORT = "abort"
    CLEAN = "clean"


@dataclass(frozen=True)
class Guardrail:
    """What the runs of a narrow restart are held against.

    Attributes:
        rate: failure rate that is still healthy, above 0; at 1 nothing is ever aborted, nor clean.
        alpha: chance at most of ever aborting at a rate that is not above `rate`.
        alternative_rate: failure rate of a broken restart, where the bet is centred.
        source: where `rate` comes from, in words.
    """

    rate: float
    alpha: float = 0.05
    alternative_rate: float = 0.3
    source: str = ""

    def __post_init__(self) -> None:
        if not (0 < self.rate <= 1 and 0 < self.alpha < 1 and 0 < self.alternative_rate < 1):
            raise ValueError(f"a guardrail's rates and alpha lie between 0 and 1: {self}")

    @property
    def limit(self) -> float:
        """E-value at which it aborts."""
        return 1 / self.alpha


@dataclass(frozen=True)
class Reading:
    """What a guardrail says after some runs.

    Attributes:
        low: lower bound of the failure rate that holds at all looks together.
        high: upper bound of the failure rate that holds at all looks together.
        highest: the e-value where it was highest, with the failures and runs of then; that is what aborts.
    """

    state: GuardState
    failure_count: int
    run_count: int
    e_value: float
    low: float
    high: float
    highest: tuple[float, int, int] = (1.0, 0, 0)


def guardrail_of(
    baseline: tuple[int, int], *, tolerated: Guardrail, least_run_count: int
) -> Guardrail:
    """Return the guardrail for a baseline of (failures, runs): the tolerated rate, or the baseline's if it is above.

    A baseline's rate is not known but estimated: its exact upper bound stands for it, and what that bound may be
    wrong is taken from alpha (union bound), so that both errors together stay within it. A baseline of fewer
    than `least_run_count` runs bounds nothing; the tolerated rate stands alone then.
    """
    failure_count, run_count = baseline
    if run_count < least_run_count:
        return tolerated
    share = min(BASELINE_ALPHA, tolerated.alpha / 5)
    bound = upper_bound(failure_count, run_count, confidence=1 - share)
    if bound <= tolerated.rate:
        return tolerated
    said = f"exact {100 * (1 - share):.0f} % upper bound of {failure_count} failures in {run_count:,} baseline runs"
    return Guardrail(bound, tolerated.alpha - share, tolerated.alternative_rate, said)


def e_values(failure_counts: Any, run_counts: Any, *, guardrail: Guardrail) -> Any:
    """Return the e-value of counts, numbers or arrays: what a bet of 1 on a rate above the reference has become.

    The integral of (q/p)^k ((1-q)/(1-p))^(n-k) over q in (p, 1) under a beta distribution cut off at p.
    """
    failures, runs = np.asarray(failure_counts, float), np.asarray(run_counts, float)
    if np.any((failures < 0) | (failures > runs)):
        raise ValueError("more failures than runs, or fewer than none, cannot be")
    rate = guardrail.rate
    if rate == 1:
        return np.ones_like(failures)[()]
    a = ALTERNATIVE_WEIGHT * guardrail.alternative_rate
    b = ALTERNATIVE_WEIGHT - a
    with np.errstate(divide="ignore"):
        log = _log_mass(a + failures, b + runs - failures, rate) - _log_mass(a, b, rate)
    log = log - failures * np.log(rate) - (runs - failures) * np.log1p(-rate)
    return np.exp(np.minimum(log, 700.0))


def _log_mass(a: Any, b: Any, rate: float) -> Any:
    """Return the logarithm of the incomplete beta integral above a rate."""
    return special.betaln(a, b) + stats.beta.logsf(rate, a, b)


def rate_bounds(failure_counts: Any, run_counts: Any, *, alpha: float) -> tuple[Any, Any]:
    """Return bounds that hold after every run at once: all rates that a bet under a uniform mixture leaves open."""
    failures, runs = np.asarray(failure_counts, float), np.asarray(run_counts, float)
    seen = failures / np.maximum(runs, 1)
    bet = special.betaln(1 + failures, 1 + runs - failures)

    def is_open(rate: Any) -> Any:
        likelihood = special.xlogy(failures, rate) + special.xlog1py(runs - failures, -rate)
        return bet - likelihood < -np.log(alpha)

    def bound(outermost: float) -> Any:
        inner, outer = seen, np.full_like(seen, outermost)
        for _ in range(HALVINGS):
            middle = (inner + outer) / 2
            is_inside = is_open(middle)
            inner, outer = np.where(is_inside, middle, inner), np.where(is_inside, outer, middle)
        return np.where(is_open(np.full_like(seen, outermost)), outermost, outer)[()]

    return bound(0.0), bound(1.0)


def looks(outcomes: Sequence[bool], guardrail: Guardrail) -> pd.DataFrame:
    """Return what the guardrail says after each run, in order; an outcome is true for a failure.

    Columns: run_count, failure_count, e_value, low_rate, high_rate (both narrowing: what one look ruled out stays
    ruled out), state. An e-value that once reached the limit aborts for good: Ville's inequality is about the
    highest that is ever reached, and whoever looked then has stopped. Only `e_value` is a matter of the counts alone.
    """
    failures = np.cumsum(np.asarray(outcomes, dtype=int))
    runs = np.arange(1, len(failures) + 1)
    low, high = rate_bounds(failures, runs, alpha=guardrail.alpha)
    found = pd.DataFrame(
        {
            "run_count": runs,
            "failure_count": failures,
            "e_value": e_values(failures, runs, guardrail=guardrail),
            "low_rate": np.maximum.accumulate(low),
            "high_rate": np.minimum.accumulate(high),
        }
    )
    found["state"] = GuardState.CONTINUE.value
    if guardrail.rate < 1:
        found.loc[found["high_rate"] <= guardrail.rate, "state"] = GuardState.CLEAN.value
    is_over = (found["e_value"] >= guardrail.limit).cummax()
    found.loc[is_over, "state"] = GuardState.ABORT.value
    return found


def reading(outcomes: Sequence[bool], guardrail: Guardrail) -> Reading:
    """Return what the guardrail says after all runs so far; without any it says to go on."""
    if not len(outcomes):
        return Reading(GuardState.CONTINUE, 0, 0, 1.0, 0.0, 1.0)
    found = looks(outcomes, guardrail)
    last, top = found.iloc[-1], found.iloc[int(found["e_value"].to_numpy().argmax())]
    counts = int(last["failure_count"]), int(last["run_count"])
    numbers = float(last["e_value"]), float(last["low_rate"]), float(last["high_rate"])
    highest = float(top["e_value"]), int(top["failure_count"]), int(top["run_count"])
    return Reading(GuardState(last["state"]), *counts, *numbers, highest)


def spoken_reading(found: Reading, guardrail: Guardrail) -> str:
    """Write what a guardrail says as one sentence, with the number, its limit and where that comes from."""
    against = f"{percent(guardrail.rate)} ({guardrail.source})"
    bet = f"the e-value of a rate above {against} is {_spoken_bet(found.e_value)}"
    if found.state is GuardState.ABORT:
        most, failures, runs = found.highest
        failed = f"{failures} of {counted(runs, 'run')} failed"
        if runs == found.run_count:
            said = f"{failed}, and {bet}, at least the {guardrail.limit:.0f} that abort"
        else:
            now = f"{_spoken_bet(found.e_value)} after {found.failure_count} of {found.run_count:,}"
            said = (
                f"when {failed}, the e-value of a rate above {against} was {_spoken_bet(most)}, at least the "
                f"{guardrail.limit:.0f} that abort; later runs (it is {now} now) do not take that back"
            )
        return f"The guardrail says abort: {said}."
    sure = f"{100 * (1 - guardrail.alpha):.0f} %"
    rate = f"between {percent(found.low)} and {percent(found.high)} ({sure}, whenever one looks)"
    if found.state is GuardState.CLEAN:
        return f"The guardrail is clean: the failure rate lies {rate}, not above {against}."
    return (
        f"The guardrail says stay narrow: {bet}, below the {guardrail.limit:.0f} that abort, and the failure "
        f"rate lies {rate}."
    )


def _spoken_bet(e_value: float) -> str:
    if e_value >= 1_000_000:
        return "over 1,000,000"
    return (
        f"{e_value:,.0f}"
        if e_value >= 100
        else f"{e_value:.2g}"
        if e_value < 1
        else f"{e_value:.1f}"
    )


def aborting_count(guardrail: Guardrail, run_count: int, *, at_least: int = 0) -> int:
    """Return how many failures in so many runs abort, from a number on; one more than the runs where none would."""
    counts = np.arange(at_least, run_count + 1)
    is_over = e_values(counts, run_count, guardrail=guardrail) >= guardrail.limit
    return int(counts[is_over.argmax()]) if is_over.any() else run_count + 1


def abort_counts(guardrail: Guardrail, run_count: int) -> list[int]:
    """Return, after 1 to so many runs, how many failures abort; one more than the runs where none would."""
    found: list[int] = []
    for runs in range(1, run_count + 1):
        # More runs never abort at fewer failures, so the search goes on where the last one ended.
        least = min(found[-1], runs) if found else 0
        found.append(aborting_count(guardrail, runs, at_least=least))
    return found

"""How often the guardrail of a narrow restart aborts a healthy one, and how soon a broken one: exact, not simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.measure import Figure, Target
from workbench.review.sequential import Guardrail, abort_counts, guardrail_of
from workbench.review.thresholds import ReviewThresholds

LOOKS = 200
"""Runs of a narrow restart, with a look after each."""
HEALTHY_RATES = (0.01, 0.05, 0.1, 0.2, 0.3)
REFERENCE, BROKEN = 0.1, 0.3
"""The rate before, and the rate of a restart that is to be caught."""
BASELINE_RUN_COUNTS = (1000, 5000)
"""Runs before the fault that a reference may be estimated from: 5,000 are a week of one every two minutes."""
NEGLIGIBLE = 1e-7
"""Baselines that are rarer than this are left out, and counted as if all of them aborted."""

FALSE_ABORTS = Target(5)
"""In percent, over all looks together."""
RUNS_TO_CATCH = Target(25)

Chances = npt.NDArray[np.float64]


def measure(_: Path) -> list[Figure]:
    """Follow every possible course of failures by dynamic programming, beside a test made for a single look."""
    known = abort_counts(Guardrail(REFERENCE), LOOKS)
    return [
        *(_false_aborts(rate) for rate in HEALTHY_RATES),
        _caught(
            "known rate",
            chance_by_run(known, BROKEN),
            note="the reference is the rate before, as if it were known",
        ),
        *_estimated(),
    ]


def _false_aborts(rate: float) -> Figure:
    found = chance_by_run(abort_counts(Guardrail(rate), LOOKS), rate)[-1]
    peeked = chance_by_run(peeking_counts(rate, LOOKS), rate)[-1]
    return Figure(
        f"healthy at {rate:.0%}, aborted",
        100 * float(found),
        "%",
        bare="exact 5 % test at each look",
        bare_value=100 * float(peeked),
        target=FALSE_ABORTS,
        note=f"chance of ever aborting in {LOOKS} runs with a look after each; the reference is the rate itself",
    )


def _caught(name: str, chances: Chances, *, note: str) -> Figure:
    first, middle, third = (run_reaching(chances, share) for share in (0.25, 0.5, 0.75))
    peeked = run_reaching(chance_by_run(peeking_counts(REFERENCE, LOOKS), BROKEN), 0.5)
    return Figure(
        f"{REFERENCE:.0%} to {BROKEN:.0%}, {name}",
        middle,
        "runs",
        low=first,
        high=third,
        bare="exact 5 % test at each look, which aborts healthy ones",
        bare_value=peeked,
        target=RUNS_TO_CATCH,
        note=f"median and quartiles of the runs until it aborts; {note}",
    )


def _estimated() -> Iterator[Figure]:
    """Give, for references estimated from a baseline, what both kinds of restart come to."""
    for count in BASELINE_RUN_COUNTS:
        healthy, broken = over_baselines(REFERENCE, count, (REFERENCE, BROKEN))
        said = f"the reference is the upper bound of a baseline of {count:,} runs, itself drawn"
        yield Figure(
            f"healthy at {REFERENCE:.0%}, {count:,} runs before",
            100 * float(healthy[-1]),
            "%",
            target=FALSE_ABORTS,
            note=f"chance of ever aborting in {LOOKS} runs; {said}",
        )
        yield _caught(f"{count:,} runs before", broken, note=said)


def over_baselines(
    usual_rate: float, baseline_run_count: int, rates: Sequence[float]
) -> list[Chances]:
    """Return, per rate of the restart, the chance of having aborted by each run, over all baselines of a size."""
    limits = ReviewThresholds()
    counts = np.arange(baseline_run_count + 1)
    weights = stats.binom.pmf(counts, baseline_run_count, usual_rate)
    drawn = counts[weights > NEGLIGIBLE]
    missing = 1 - float(weights[drawn].sum())
    found = [np.full(LOOKS, missing) for _ in rates]
    for failures in drawn:
        guardrail = guardrail_of(
            (int(failures), baseline_run_count),
            tolerated=Guardrail(limits.max_failure_rate),
            least_run_count=1,
        )
        least = abort_counts(guardrail, LOOKS)
        for total, rate in zip(found, rates, strict=True):
            total += weights[failures] * chance_by_run(least, rate)
    return found


def chance_by_run(limits: Sequence[int], rate: float) -> Chances:
    """Return the chance of having aborted by each run, where so many failures abort after 1, 2, 3 runs."""
    still = np.zeros(len(limits) + 2)
    still[0] = 1.0
    aborted = []
    for limit in limits:
        still[1:] = still[1:] * (1 - rate) + still[:-1] * rate
        still[0] *= 1 - rate
        aborted.append(still[limit:].sum())
        still[limit:] = 0.0
    return np.cumsum(aborted)


def run_reaching(chances: Chances, share: float) -> float | None:
    """Return the first run by which so large a share has aborted; None where it never is within the looks."""
    reached = np.flatnonzero(chances >= share)
    return float(reached[0]) + 1 if len(reached) else None


def peeking_counts(rate: float, run_count: int) -> list[int]:
    """Return the failures at which an exact one-sided 5 % test, made for a single look, would abort."""
    return [int(stats.binom.isf(0.05, runs, rate)) + 1 for runs in range(1, run_count + 1)]

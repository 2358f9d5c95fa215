"""What a narrow restart of so many runs can catch: the power of its guardrail, exact, with a look after every run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.review.sequential import Guardrail, abort_counts

POWER = 0.8
"""Chance with which an effect must be caught to be called detectable (Cohen 1988)."""
HALVINGS = 20
"""Steps of the search for a rate: a millionth, beyond what is ever shown."""


def abort_chance(
    guardrail: Guardrail, rate: float, *, run_count: int, before: tuple[int, int] = (0, 0)
) -> float:
    """Return how probably so many more runs abort at a true failure rate, after (failures, runs) so far.

    Every course of failures is followed (dynamic programming over the counts); runs are taken as independent.
    """
    return _chance(_limits(guardrail, run_count, before[1]), rate, before[0])


def _limits(guardrail: Guardrail, run_count: int, done: int) -> list[int]:
    return abort_counts(guardrail, done + run_count)[done:]


def _chance(limits: Sequence[int], rate: float, failure_count: int) -> float:
    standing, aborted = np.array([1.0]), 0.0
    for limit in limits:
        moved = np.append(standing * (1 - rate), 0.0)
        moved[1:] += standing * rate
        is_over = failure_count + np.arange(len(moved)) >= limit
        aborted += float(moved[is_over].sum())
        standing = np.where(is_over, 0.0, moved)
    return aborted


def caught_rate(
    guardrail: Guardrail, run_count: int, *, before: tuple[int, int] = (0, 0)
) -> float | None:
    """Return the smallest failure rate that so many more runs abort with a chance of POWER; None where none is.

    None also where the reference is a rate of 1: nothing is worse than that.
    """
    limits = _limits(guardrail, run_count, before[1])

    def is_caught(rate: float) -> bool:
        return _chance(limits, rate, before[0]) >= POWER

    if guardrail.rate == 1 or not is_caught(1.0):
        return None
    missed, caught = 0.0, 1.0
    if is_caught(missed):
        return missed  # it aborts already
    for _ in range(HALVINGS):
        middle = (missed + caught) / 2
        missed, caught = (missed, middle) if is_caught(middle) else (middle, caught)
    return caught

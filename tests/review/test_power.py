"""What a narrow restart can catch is computed exactly, and agrees with what running it gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.guardrails import chance_by_run
from tests.review.world import calm_tables, ground, request
from workbench.review import power
from workbench.review.guarding import guarded
from workbench.review.power import POWER, abort_chance, caught_rate
from workbench.review.restart import assess_restart
from workbench.review.sequential import Guardrail, GuardState, abort_counts, reading

GUARDRAIL = Guardrail(0.1, source="the tolerated rate")


def check_against_every_course(rate: float, before: tuple[int, int]) -> None:
    """Follow each course of eight outcomes by the guardrail itself, and add up the chances of those that abort."""
    first = [True] * before[0] + [False] * (before[1] - before[0])
    chance = 0.0
    for course in product([True, False], repeat=8):
        outcomes = [*first, *course]
        states = [
            reading(outcomes[:end], GUARDRAIL).state
            for end in range(len(first) + 1, len(outcomes) + 1)
        ]
        if GuardState.ABORT in states:
            failed = sum(course)
            chance += rate**failed * (1 - rate) ** (8 - failed)
    assert abort_chance(GUARDRAIL, rate, run_count=8, before=before) == pytest.approx(chance)


@pytest.mark.parametrize(("rate", "before"), [(0.3, (0, 0)), (0.6, (1, 3))])
def test_the_chance_is_that_of_all_courses_together(rate: float, before: tuple[int, int]) -> None:
    """Whatever was seen before, the chance to abort is what enumerating every course of outcomes gives."""
    check_against_every_course(rate, before)


def test_the_chance_agrees_with_the_benchmark_of_200_looks() -> None:
    """The measured power of the guardrail (`make bench`) and the proposal's come from two programs and are one number."""
    oracle = chance_by_run(abort_counts(GUARDRAIL, 200), 0.3)
    for count in (10, 25, 200):
        found = abort_chance(GUARDRAIL, 0.3, run_count=count)
        assert found == pytest.approx(float(oracle[count - 1]))


def test_the_rate_that_is_caught_is_the_smallest_one() -> None:
    """At that rate the chance is as promised and just below it is not; more runs catch smaller rates."""
    rates = [caught_rate(GUARDRAIL, count) for count in (10, 20, 60, 200)]
    assert all(rate is not None for rate in rates)
    known = np.array(rates, dtype=float)
    assert (np.diff(known) < 0).all()
    assert known[-1] > GUARDRAIL.rate
    chance = abort_chance(GUARDRAIL, known[1], run_count=20)
    assert chance == pytest.approx(POWER, abs=1e-4)
    assert abort_chance(GUARDRAIL, known[1] - 0.001, run_count=20) < POWER


def test_what_cannot_be_caught_is_said_and_not_guessed() -> None:
    """One run aborts nothing, and at a reference of 1 nothing is worse; both are None and not a number."""
    assert caught_rate(GUARDRAIL, 1) is None
    assert caught_rate(Guardrail(1.0), 200) is None


def test_a_narrow_verdict_says_what_its_runs_can_catch() -> None:
    """The proposal names scope, runs, when to stop, and the failure rate that so many runs catch."""
    found = assess_restart(request(), calm_tables()).verdict
    rate = guarded(ground())[0].caught_rate(20)
    assert rate is not None
    assert (
        f"which catches a failure rate of {rate * 100:.1f} % with a chance of 80.0 %"
        in found.reason
    )
    assert "let triage through for 20 runs" in found.reason


def test_a_chance_that_forgets_the_runs_before_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: the limits of the first runs are taken for those of the next."""
    right = abort_counts
    monkeypatch.setattr(
        power, "abort_counts", lambda guard, count: [*right(guard, 3), *right(guard, count - 3)]
    )
    with pytest.raises(AssertionError):
        check_against_every_course(0.6, (1, 3))

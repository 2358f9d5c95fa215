"""The benchmark of the guardrail counts every course of failures, and sees both a false and a late abort."""

from __future__ import annotations

from itertools import product
from math import prod
from pathlib import Path

import pytest

from benchmarks import guardrails
from benchmarks.guardrails import chance_by_run, over_baselines, peeking_counts, run_reaching
from workbench.review.sequential import Guardrail, abort_counts


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_the_chances_are_those_of_all_sequences(rate: float) -> None:
    """For eight runs, the chance by each run is the sum over the sequences that aborted by then."""
    limits = [2, 2, 3, 3, 3, 4, 4, 4]
    by_run = [0.0] * len(limits)
    for outcomes in product([0, 1], repeat=len(limits)):
        chance = prod(rate if failed else 1 - rate for failed in outcomes)
        over = [sum(outcomes[: n + 1]) >= limit for n, limit in enumerate(limits)]
        for n in range(len(limits)):
            by_run[n] += chance * any(over[: n + 1])
    assert list(chance_by_run(limits, rate)) == pytest.approx(by_run)


def test_the_targets_are_reached_where_the_rate_before_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under 5 % of healthy restarts at every rate, at most 25 runs from 10 % to 30 %; the naive test fails the first."""
    monkeypatch.setattr(guardrails, "BASELINE_RUN_COUNTS", ())
    *healthy, caught = guardrails.measure(tmp_path)
    assert len(healthy) == len(guardrails.HEALTHY_RATES)
    assert all(figure.is_reached and 0 < (figure.value or 0) < 5 for figure in healthy)
    assert all((figure.bare_value or 0) > 5 for figure in healthy)
    assert caught.is_reached and (caught.low or 0) < (caught.value or 0) < (caught.high or 0)


def test_a_guardrail_that_peeks_is_flagged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Seeded: with the single-look test in place of the e-process the false aborts miss their target."""
    monkeypatch.setattr(guardrails, "BASELINE_RUN_COUNTS", ())
    monkeypatch.setattr(
        guardrails, "abort_counts", lambda guard, looks: peeking_counts(guard.rate, looks)
    )
    *healthy, _ = guardrails.measure(tmp_path)
    assert [figure.is_reached for figure in healthy] == [False] * len(healthy)


def test_an_estimated_reference_is_slower_and_no_less_safe() -> None:
    """A baseline of few runs costs runs to catch with, and aborts fewer healthy ones than a known rate does."""
    healthy, broken = over_baselines(0.1, 300, (0.1, 0.3))
    known = abort_counts(Guardrail(0.1), guardrails.LOOKS)
    assert 0 < healthy[-1] < chance_by_run(known, 0.1)[-1] < 0.05
    slower, sooner = run_reaching(broken, 0.5), run_reaching(chance_by_run(known, 0.3), 0.5)
    assert slower is not None and sooner is not None and slower > sooner


def test_what_is_never_reached_is_not_a_number() -> None:
    """Where fewer than half abort there is no median."""
    assert run_reaching(chance_by_run([2, 3, 4], 0.01), 0.5) is None
    assert run_reaching(chance_by_run([1, 1], 0.5), 0.5) == 1

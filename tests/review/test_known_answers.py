"""What public judges passed by mistake does not pass here: the values are those of the issues that are named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests.review.world import (
    Tables,
    calm_tables,
    every,
    ground,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.records import CheckStatus
from workbench.review.check_runs import check_run_history
from workbench.review.durations import LEAST_RUN_COUNT, duration_shifts, shift_of

PASS, FAIL, NONE = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.NO_EVIDENCE

SEVEN_HUNDREDS = [100.0] * 7 + [1.0] * 3
TEN_ONES = [1.0] * 10
"""Spinnaker issue 6278: seven of ten a hundred times as long, called a pass."""
NARROWED = [
    10.0,
    10.1,
    10.2,
    10.3,
    10.4,
    10.5,
    10.6,
    17.0,
    17.1,
    17.2,
    17.3,
    17.4,
    17.5,
    17.6,
    17.7,
]
WIDE = [1.0, 100.0, 4.0, 101.0, 5.0, 102.0, 6.0, 103.0, 7.0, 104.0, 8.0, 105.0, 9.0, 106.0, 17.0]
"""Kayenta issue 780, first case: another shape about the same middle, called a pass."""


def history(before: Sequence[float], since: Sequence[float], failed: Sequence[bool] = ()) -> Tables:
    """Return the tables of an incident with clean runs of these seconds before it, and runs since the pause."""
    tables = calm_tables()
    spans = every(0.5, "06:00", "10:00", "succeeded", "b")[: len(before)]
    old = _lasting(runs_of("triage", spans), before)
    fails = [*failed, *[False] * (len(since) - len(failed))]
    spans = [
        (f"10:{52 + n // 60:02d}:{n % 60:02d}", "failed" if bad else "succeeded", f"n{n}")
        for n, bad in enumerate(fails)
    ]
    new = _lasting(runs_of("triage", spans), since)
    tables["review.runs"] = old
    return with_probation(with_rows(tables, "review.runs", new))


def _lasting(runs: pd.DataFrame, seconds: Sequence[float]) -> pd.DataFrame:
    lengths = [timedelta(seconds=one) for one in seconds]
    return runs.assign(
        finished_at=[s + one for s, one in zip(runs["started_at"], lengths, strict=True)]
    )


@pytest.mark.parametrize("runs_per_point", [1, 4, 10, 20])
@pytest.mark.parametrize(
    "errors", [[0, 1, 2, 1, 0, 0], [1, 4, 2, 3, 1]], ids=["kayenta-426", "kayenta-799"]
)
def test_a_few_errors_against_none_never_pass(errors: list[int], runs_per_point: int) -> None:
    """Sparse errors where there were none: with few runs nothing is proven, and with more they abort or lack."""
    failed = [n < bad for bad in errors for n in range(max(runs_per_point, bad))]
    tables = history([1.0] * 200, [1.0] * len(failed), failed)
    found = check_run_history(ground(tables)).check
    assert found.status is not PASS
    if len(failed) < 10:
        assert "more clean runs are needed" in found.sentence or found.status is FAIL


@pytest.mark.parametrize("times", [1, 8])
@pytest.mark.parametrize(
    ("before", "since", "words"),
    [
        (TEN_ONES, SEVEN_HUNDREDS, "takes longer than before the fault: median 100.0 s"),
        (WIDE, NARROWED, "takes less time than before the fault: 95th percentile 17.7 s"),
    ],
    ids=["spinnaker-6278", "kayenta-780"],
)
def test_durations_of_another_shape_never_pass(
    before: list[float], since: list[float], words: str, times: int
) -> None:
    """With the ten runs of the issue nothing is proven; with eight times as many the change itself is named."""
    found = check_run_history(ground(history(before * times, since * times))).check
    assert found.status is NONE
    assert (words in found.sentence) is (times > 1)


def test_the_same_durations_pass() -> None:
    """As many runs of the old shape are no change, so that the cases above are caught for what they are."""
    found = check_run_history(ground(history(WIDE * 8, WIDE * 8))).check
    assert found.status is PASS
    assert "than before the fault" not in found.sentence


def test_a_real_but_small_change_is_no_reason_to_stay_paused() -> None:
    """A fifth slower is beyond chance in many runs, and passes; twice as slow does not."""
    drawn = np.random.default_rng(7).normal(30, 3, size=(2, 120))
    for factor, status in ((1.2, PASS), (2.2, NONE)):
        found = check_run_history(ground(history(drawn[0], drawn[1] * factor))).check
        assert found.status is status
    assert duration_shifts(ground(history(drawn[0], drawn[1] * 1.2)))[0].p_value < 0.01


def test_healthy_restarts_are_seldom_called_changed() -> None:
    """Of 400 restarts with skewed durations of the same kind, at most one in a hundred is (the level is 0.01)."""
    drawn = np.random.default_rng(11).lognormal(2, 0.8, size=(400, 2, 60))
    told = [
        shift_of("triage", pd.Series(before), since=pd.Series(since), looked_at=1).is_changed
        for before, since in drawn
    ]
    assert sum(told) <= 4


def test_a_handful_of_runs_has_no_shape() -> None:
    """Below the least count of either side nothing is said of durations."""
    few = LEAST_RUN_COUNT - 1
    assert duration_shifts(ground(history([1.0] * 200, [500.0] * few))) == []

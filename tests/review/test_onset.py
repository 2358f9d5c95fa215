"""The onset is seen in a history whose rate rose, and no more often than stated in one whose rate did not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from workbench.review import onset
from workbench.review.onset import FALSE_ALARM, chance_of_split, find_onset, first_rise, split_gains

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PAUSED = BEGIN + timedelta(days=1)
NO_ALERTS = pd.DataFrame(columns=["fired_at", "resolved_at"])


def _history(is_bad: np.ndarray, automation_id: str = "triage", offset: int = 0) -> pd.DataFrame:
    instants = pd.Timestamp(BEGIN) + pd.to_timedelta(np.arange(len(is_bad)) * 60 + offset, unit="s")
    return pd.DataFrame(
        {
            "run_id": [f"{automation_id}{n}" for n in range(len(is_bad))], "automation_id": automation_id,
            "started_at": instants, "finished_at": instants, "attempt_count": 1,
            "status": np.where(is_bad, "failed", "succeeded"),
        }
    )  # fmt: skip


def _false_alarms(count: int) -> int:
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(count):
        is_bad = rng.random(int(rng.integers(30, 300))) < rng.uniform(0.02, 0.4)
        runs = _history(is_bad)
        found += first_rise(runs["started_at"], pd.Series(is_bad)) is not None
    return found


def test_a_steady_history_shows_an_onset_no_more_often_than_stated() -> None:
    """Of 150 histories with one rate each, one or two show a rise; six would be far too many."""
    assert _false_alarms(150) <= 150 * FALSE_ALARM + 4


def test_a_rule_that_takes_any_rise_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: without the comparison with random orders most steady histories show an onset."""
    monkeypatch.setattr(onset, "chance_of_split", lambda *_, **__: 0.0)
    assert _false_alarms(40) > 20


def test_the_gain_is_that_of_the_two_rates() -> None:
    """The best rise is the best over all splits, counted one by one."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        is_bad = rng.random(40) < np.where(np.arange(40) < 25, 0.1, 0.6)
        if not 0 < is_bad.sum() < 40:
            continue
        by_hand = max(_gain(is_bad, split) for split in range(1, 40))
        assert split_gains(np.flatnonzero(is_bad)[np.newaxis, :], 40).max() == pytest.approx(
            by_hand
        )


def _gain(is_bad: np.ndarray, split: int) -> float:
    before, after = is_bad[:split], is_bad[split:]
    if before.mean() >= after.mean():
        return 0.0

    def likelihood(part: np.ndarray) -> float:
        return sum(n * np.log(n / len(part)) for n in (part.sum(), (~part).sum()) if n)

    return 2 * (likelihood(before) + likelihood(after) - likelihood(is_bad))


def test_the_same_history_gives_the_same_chance() -> None:
    """Nothing is left to the moment at which one asks."""
    assert chance_of_split(80, 12, gain=9.0) == chance_of_split(80, 12, gain=9.0)


def test_trouble_of_one_automation_among_many_is_found() -> None:
    """Where all runs together show no rise the one that broke does, and the rule names it."""
    rng = np.random.default_rng(3)
    noisy = [_history(rng.random(1435) < 0.3, f"a{n}", offset=n) for n in range(3)]
    broken = _history(np.repeat([False, True], [290, 10]), "mailer", offset=30)
    broken["started_at"] = broken["started_at"] + pd.Timedelta(hours=17)
    found = find_onset(pd.concat([*noisy, broken]), NO_ALERTS, paused_at=PAUSED)
    assert found.at == BEGIN + timedelta(hours=17, minutes=290, seconds=30)
    assert found.rule.endswith("among the runs of mailer")


def test_few_failures_are_no_rise() -> None:
    """Two troubled runs at the end are too few, however quiet it was before."""
    runs = _history(np.repeat([False, True], [500, 2]))
    assert find_onset(runs, NO_ALERTS, paused_at=PAUSED).at == PAUSED


def test_too_few_runs_to_rule_chance_out_begin_where_it_is_likeliest() -> None:
    """Seeded by a live demo: two good runs and three bad ones before the pause are looked at, not passed over."""
    runs = _history(np.repeat([False, True], [2, 3]))
    found = find_onset(runs, NO_ALERTS, paused_at=PAUSED)
    assert found.at == runs["started_at"].iloc[2]
    assert "too few to rule chance out" in found.rule


def test_a_recorded_begin_goes_before_a_guess() -> None:
    """What people recorded of the incident counts more than where chance may have put it."""
    runs = _history(np.repeat([False, True], [2, 3]))
    began = PAUSED - timedelta(minutes=1)
    found = find_onset(runs, NO_ALERTS, paused_at=PAUSED, incident_began_at=began)
    assert found.at == began

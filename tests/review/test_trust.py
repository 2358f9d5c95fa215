"""Noise and trust: each rule on rows that break it and rows that do not, and on a public series with known streaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.review.public import node_builds
from tests.review.world import at, calm_tables, every, ground, runs_of, story, with_rows
from workbench.review import trust
from workbench.review.ground import shaped
from workbench.review.noise import human_acts, trust_section
from workbench.review.trust import (
    acts_of,
    alert_rules,
    changed_share,
    failure_streaks,
    judge_trust,
    outcome_flaps,
)

NOBODY = acts_of({})


def _alerts(*firings: tuple[str, str | None, str | None], rule: str = "error-rate") -> pd.DataFrame:
    """Return alerts from (fired, acknowledged, resolved)."""
    found = pd.DataFrame(
        [
            {"alert_id": f"AL-{n}", "automation_id": "triage", "rule": rule, "fired_at": at(fired),
             "acknowledged_at": at(seen) if seen else None, "resolved_at": at(over) if over else None}
            for n, (fired, seen, over) in enumerate(firings)
        ]
    )  # fmt: skip
    return shaped("review.alerts", found)


def _runs(*parts: list[tuple[str, str, str]]) -> pd.DataFrame:
    return shaped("review.runs", runs_of("triage", [span for part in parts for span in part]))


def _acts(*instants: str) -> pd.DataFrame:
    return acts_of(
        {"x": pd.DataFrame({"automation_id": "triage", "acted_at": [at(t) for t in instants]})}
    )


def test_the_zero_green_streaks_of_a_public_series_are_found(shared_data: Path) -> None:
    """Of Node.js' days without a green build the longest rows are the forty, nine and six known ones, ignored all."""
    days = node_builds(shared_data)
    instants = pd.to_datetime(days["day"], utc=True)
    runs = pd.DataFrame(
        {
            "run_id": days["day"], "automation_id": "node-ci", "started_at": instants,
            "finished_at": instants + pd.Timedelta(hours=1), "attempt_count": 1,
            "status": np.where(days["green_count"] == 0, "failed", "succeeded"),
        }
    )  # fmt: skip
    streaks = failure_streaks(runs, NOBODY)
    found = [
        (f"{one.since_at:%Y-%m-%d}", f"{one.until_at:%Y-%m-%d}", one.troubled_run_count)
        for one in streaks.itertuples()
    ]
    assert found == [
        ("2025-07-21", "2025-08-29", 40),
        ("2025-06-27", "2025-07-05", 9),
        ("2025-04-10", "2025-04-15", 6),
    ]
    assert streaks["is_ignored"].all()
    assert (days["green_count"] == 0).sum() == 63


def test_an_act_ends_the_ignoring() -> None:
    """What a person does within the row counts, also before the next good run; before or after it does not."""
    row = _runs(
        every(5, "09:00", "10:00", "succeeded", "b"), every(5, "10:00", "10:30", "failed", "f"),
        every(5, "10:40", "11:00", "succeeded", "g"),
    )  # fmt: skip
    for when, ignored, unanswered in (
        (None, True, 6), ("09:55", True, 6), ("10:12", False, 3), ("10:35", False, 6), ("10:41", True, 6),
    ):  # fmt: skip
        (one,) = failure_streaks(row, _acts(*([when] if when else []))).itertuples()
        assert (one.is_ignored, one.unanswered_run_count) == (ignored, unanswered), when
        assert one.troubled_run_count == 6


def test_a_short_row_is_no_streak() -> None:
    """Four in a row may still be chance at one half; five are not. A good run between ends a row."""
    four = _runs(every(5, "10:00", "10:20", "failed", "f"))
    assert failure_streaks(four, NOBODY).empty
    broken = _runs(four_and_four := every(5, "10:00", "10:45", "failed", "f"))
    assert len(failure_streaks(broken, NOBODY)) == 1
    four_and_four[4] = (four_and_four[4][0], "succeeded", "f4")
    assert failure_streaks(_runs(four_and_four), NOBODY).empty


def test_a_rule_that_nobody_takes_is_not_believed() -> None:
    """Five firings of which none is acknowledged are under a half for certain; four are not, nor one taken of five."""
    firing = [(f"09:{10 * n:02d}", None, None) for n in range(5)]
    assert not alert_rules(_alerts(*firing))["is_believed"].iloc[0]
    assert alert_rules(_alerts(*firing[:4]))["is_believed"].iloc[0]
    taken = [("09:00", "09:02", None), *firing[1:]]
    one = alert_rules(_alerts(*taken)).iloc[0]
    assert one["is_believed"] and one["median_wait_seconds"] == 120
    assert (one["alert_count"], one["unacknowledged_alert_count"]) == (5, 4)


def test_an_alert_that_keeps_coming_back_flaps() -> None:
    """Three firings, each within an hour of the last going green; a day apart they do not flap."""
    near = [("09:00", "09:01", "09:05"), ("09:20", "09:21", "09:25"), ("09:40", "09:41", "09:45")]
    one = alert_rules(_alerts(*near)).iloc[0]
    assert one["is_flapping"] and one["returned_alert_count"] == 2
    far = [("01:00", None, "01:05"), ("05:00", None, "05:05"), ("10:00", None, "10:05")]
    assert not alert_rules(_alerts(*far))["is_flapping"].iloc[0]
    assert not alert_rules(_alerts(*near[:2]))["is_flapping"].iloc[0]


def test_outcomes_that_change_flap() -> None:
    """The share is the weighted one of 21 outcomes; a single change, or fewer outcomes, is no flapping."""
    assert changed_share(np.arange(21) % 2 == 0) == pytest.approx(1.0)
    assert changed_share(np.arange(21) == 20) == pytest.approx(1.2 / 20)
    assert changed_share(np.arange(21) == 0) == pytest.approx(0.8 / 20)
    mixed = [
        (f"0{n // 6}:{n % 6}0", "failed" if n % 4 == 0 else "succeeded", f"r{n}") for n in range(21)
    ]
    assert outcome_flaps(_runs(mixed))["is_flapping"].tolist() == [True]
    assert outcome_flaps(_runs(mixed[:20])).empty
    steady = [(start, "succeeded", name) for start, _, name in mixed]
    assert outcome_flaps(_runs(steady))["is_flapping"].tolist() == [False]


def _judged(alerts: pd.DataFrame) -> list[str]:
    runs = _runs(
        every(5, "08:00", "10:00", "succeeded", "b"), every(5, "10:00", "10:40", "failed", "f")
    )
    return judge_trust(runs, alerts, acts=NOBODY).revisions["reason"].tolist()


def test_a_watcher_that_says_nothing_is_to_be_revised() -> None:
    """Eight failures without an alert are silence; one that fires in them, or fires still, is none."""
    assert _judged(_alerts(("07:00", "07:01", "07:05"))) == ["silent"]
    assert _judged(_alerts(("10:10", "10:11", None))) == []
    assert _judged(_alerts(("07:00", "07:01", None))) == []


def test_each_reason_comes_with_its_numbers() -> None:
    """Who has to revise a watcher reads what it rests on."""
    noisy = [(f"09:{6 * n:02d}", None, f"09:{6 * n + 2:02d}") for n in range(6)]
    found = judge_trust(_runs(), _alerts(*noisy), acts=NOBODY).revisions
    assert found["reason"].tolist() == ["nobody takes it", "flaps"]
    assert found["evidence"].tolist() == [
        "6 of 6 firings never acknowledged", "5 of 6 firings within an hour of going green",
    ]  # fmt: skip
    assert found["rule"].eq("error-rate").all()


def test_a_rule_that_asks_for_less_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: where one failure is a row already, the calm before an incident is full of them."""
    lone = _runs([("09:00", "failed", "a"), ("09:10", "succeeded", "b"), ("09:20", "failed", "c")])
    assert failure_streaks(lone, NOBODY).empty
    monkeypatch.setattr(trust, "LEAST_STREAK", 1)
    assert len(failure_streaks(lone, NOBODY)) == 2


def test_what_people_did_comes_from_every_table() -> None:
    """Acknowledged, changed, paused, verified and audited acts all count, for the automation that they touch."""
    tables = calm_tables()
    event = story(
        "", "10:07", "alert.silenced", "automation/triage", correlation_id=None, actor="desk"
    )
    tables = with_rows(tables, "review.operator_events", event)
    found = human_acts(ground(tables))
    assert found["automation_id"].unique().tolist() == ["triage"]
    assert found["acted_at"].tolist() == [
        at(when) for when in ("09:50", "10:07", "10:20", "10:30", "10:50", "10:50")
    ]


def test_the_section_counts_and_says_so() -> None:
    """The sentence has k of n of each; answered failures are not called ignored."""
    section = trust_section(ground())
    assert section.sentence == (
        "0 of 1 row of failures went by without any act of a person; 0 of 1 alert never acknowledged (0.0 %); "
        "0 flapping; 0 reasons to revise a watcher."
    )
    tables = calm_tables()
    for name in ("alerts", "changes", "hold_targets", "affected_records"):
        tables[f"review.{name}"] = tables[f"review.{name}"].iloc[:0]
    said = trust_section(ground(tables)).sentence
    assert said.startswith(
        "1 of 1 row of failures went by without any act of a person, the longest 15 runs of triage"
    )
    assert said.endswith("1 reason to revise a watcher.")


def test_an_empty_window_has_nothing_to_revise() -> None:
    """Without runs and alerts the section says so with zeros."""
    empty = {name: frame.iloc[:0] for name, frame in calm_tables().items()}
    empty["review.holds"] = calm_tables()["review.holds"]
    assert trust_section(ground(empty)).sentence.startswith("0 of 0 rows")

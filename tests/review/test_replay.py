"""Holds replayed: when the alert stopped, what the gate said and what ran, each from rows written by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.review.world import at, rows
from workbench.records import VerdictKind
from workbench.review.replay import (
    HoldReplay,
    Look,
    Ran,
    alert_stop,
    look_instants,
    look_rows,
    lost_words,
    ran_between,
    replay_rows,
    replay_sentence,
)

PLACED, ENDED = pd.Timestamp(at("10:00")), pd.Timestamp(at("10:30"))
SOME = Ran(12, 5, 9, {"EUR": 1.2})


def stamp(text: str) -> pd.Timestamp:
    """Return an instant of the day of the tests."""
    return pd.Timestamp(at(text))


def alerts(text: str) -> pd.DataFrame:
    """Return alerts of `fired | resolved`, `-` where it still fires."""
    found = rows(f"fired_at | resolved_at\n{text}")
    return found.assign(**{c: pd.to_datetime(found[c], utc=True) for c in found.columns})


@pytest.mark.parametrize(
    ("text", "stopped"),
    [
        ("09:50 | 10:05", "10:05"),
        ("09:50 | 10:05\n10:04 | 10:20", "10:20"),  # another began before the first was over
        ("09:50 | 10:05\n10:06 | 10:20", "10:05"),  # the rule would have resumed in between
        ("09:30 | 09:40\n10:10 | 10:15", "10:15"),  # what was over before the pause does not count
        ("09:50 | -", None),
        ("09:50 | 10:40", None),
        ("09:30 | 09:40", None),
        ("10:40 | 10:50", None),
    ],
)
def test_the_alert_stops_when_none_fires(text: str, stopped: str | None) -> None:
    """The first instant under the hold at which no alert fires; none without an alert, or where one fires on."""
    found = alert_stop(alerts(text), placed_at=PLACED, until=ENDED)
    assert found == (stamp(stopped) if stopped else None)


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 60)), min_size=1, max_size=8))
def test_nothing_fires_at_the_stop(drawn: list[tuple[int, int]]) -> None:
    """Whatever fired: at the instant that is found no alert is open, and it lies under the hold."""
    minute = pd.Timedelta(minutes=1)
    start = stamp("09:00")
    frame = pd.DataFrame(
        [(start + f * minute, start + (f + lasted) * minute) for f, lasted in drawn],
        columns=["fired_at", "resolved_at"],
    )
    found = alert_stop(frame, placed_at=PLACED, until=ENDED)
    if found is not None:
        assert PLACED < found < ENDED
        assert not ((frame["fired_at"] < found) & (frame["resolved_at"] > found)).any()
        assert (frame["resolved_at"] == found).any()


def test_the_gate_is_asked_just_after_the_stop_and_not_after_the_end() -> None:
    """First a second after the stop, so that the stop is known, then each minute; never once the hold is over."""
    found = look_instants(stamp("10:05"), stamp("10:08"))
    assert [f"{one:%H:%M:%S}" for one in found] == ["10:05:01", "10:06:01", "10:07:01"]
    assert look_instants(stamp("10:08"), stamp("10:08")) == []


def test_what_ran_is_what_did_work() -> None:
    """Runs in the stretch that ended by themselves; refused, cancelled and unfinished ones are no run of it."""
    runs = rows(
        """
        run_id | started_at | status    | error_message                | cost_amount | cost_currency
        early  | 10:29      | failed    | -                            | 9           | EUR
        good   | 10:30      | succeeded | -                            | 1           | EUR
        bad    | 10:31      | failed    | timeout                      | 2           | EUR
        shut   | 10:32      | failed    | triage is paused by H-1: why | -           | -
        open   | 10:33      | running   | -                            | -           | -
        gone   | 10:34      | cancelled | -                            | -           | -
        late   | 10:40      | crashed   | -                            | 4           | EUR
        """
    )
    records = pd.DataFrame({"run_id": ["good", "good", "early", "open"]})
    typed = runs.assign(
        started_at=pd.to_datetime(runs["started_at"], utc=True),
        cost_amount=pd.to_numeric(runs["cost_amount"]),
    )
    found = ran_between(typed, records, since=stamp("10:30"), until=stamp("10:40"))
    assert (found.run_count, found.failure_count, found.record_count) == (2, 1, 3)
    assert found.cost == {"EUR": 3.0}


def look(text: str, allowed: str = "", verdict: VerdictKind = VerdictKind.KEEP_PAUSED) -> Look:
    """Return a look at an instant."""
    return Look(stamp(text), verdict, allowed, ("pause_held",), "why")


def replay(**fields: Any) -> HoldReplay:
    """Return a replayed hold, released half an hour after it was placed, whose alert stopped at 10:20."""
    usual: dict[str, Any] = {
        "hold_id": "H-1",
        "scope": "kind=agent",
        "placed_at": PLACED,
        "ended_at": ENDED,
        "is_released": True,
        "stopped_at": stamp("10:20"),
        "looks": (look("10:20:01"), look("10:21:01")),
    }
    return HoldReplay(**{**usual, **fields})


def test_a_release_against_the_gate_is_told() -> None:
    """A hold that somebody released before the gate let anything start: what ran, and how soon trouble was back."""
    one = replay(ran=SOME, relapsed_at=stamp("10:32"))
    assert lost_words(one) == "at least 10 min"
    said = replay_sentence([one])
    assert "let nothing start in 1 of 1 hold." in said
    assert (
        "H-1 was released 10 min after the alert stopped, before the gate let anything start"
        in said
    )
    assert "12 runs, 5 failed, 9 records written and 1.20 EUR" in said
    assert "Trouble was back 2 min after the release." in said
    assert "cannot tell how often" in said


def test_the_time_lost_ends_where_the_gate_opens() -> None:
    """A hold whose gate opened after three minutes lost three minutes, and what then ran narrowly is told."""
    looks = (look("10:20:01"), look("10:23", "automation=triage"))
    one = replay(is_released=False, looks=looks, ran_narrowly=SOME, narrow_at=stamp("10:25"))
    assert one.lost_seconds == 180
    said = replay_sentence([one])
    assert "Under H-1 the gate let automation=triage start 3 min after the alert stopped" in said
    assert "the narrow restart that followed ran 12 runs" in said
    early = replay(is_released=False, looks=looks, ran_narrowly=SOME, narrow_at=stamp("10:21"))
    assert "the narrow restart that somebody had begun before that ran 12" in replay_sentence(
        [early]
    )


def test_a_gate_that_is_open_at_once_costs_nothing() -> None:
    """Where the first look already lets something start the rule and the gate agree."""
    one = replay(looks=(look("10:20:01", "all", VerdictKind.RESTART_FULL),), ran=SOME)
    assert lost_words(one) == "none"
    assert "let nothing start in 0 of 1 hold." in replay_sentence([one])
    assert "after the gate had let something start" in replay_sentence([one])


def test_without_an_alert_nothing_can_be_told() -> None:
    """A hold without an alert about it has no instant at which the rule would have resumed: words, no number."""
    one = replay(stopped_at=None, looks=())
    row = replay_rows([one]).iloc[0]
    assert (
        list(
            row[
                ["alert stopped (UTC)", "the gate then", "first let start", "time lost to the gate"]
            ]
        )
        == ["cannot tell"] * 4
    )
    assert "cannot tell" in replay_sentence([one])
    assert look_rows([one]).empty
    assert one.lost_seconds is None


def test_each_look_is_a_row() -> None:
    """Minutes after the stop, what the gate said, and which checks failed."""
    looks = (look("10:20:01", verdict=VerdictKind.ESCALATE), look("10:25", "automation=triage"))
    found = look_rows([replay(looks=looks)])
    assert list(found["verdict"]) == ["escalate", "narrow restart allowed"]
    assert list(found["after_minutes"]) == [0, 5]
    assert list(found["failed"]) == ["pause held", "pause held"]

"""The rule `resume when the alert stops` on the shipped evening: what it let run, and what the gate said meanwhile."""

from __future__ import annotations

import pandas as pd
import pytest

from docs.back_test import PAGE, recorded_holds, recording_part
from workbench.recordings import Recording, shipped_names
from workbench.records import VerdictKind
from workbench.review.replay import HoldReplay

NAME = "agents-relapse"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def replays() -> list[HoldReplay]:
    """Replay both holds of the evening, once."""
    if NAME not in shipped_names():
        pytest.skip(f"no recording {NAME!r} is shipped; tests/record/README.md says how to make it")
    return recorded_holds()


def test_the_rule_let_half_of_the_runs_fail(replays: list[HoldReplay]) -> None:
    """H-1 was released because the alert was green: 72 runs, 36 failed, and trouble was back within a minute."""
    first = replays[0]
    assert (first.hold_id, first.is_released) == ("H-1", True)
    assert first.ran is not None
    assert (first.ran.run_count, first.ran.failure_count, first.ran.record_count) == (72, 36, 35)
    assert first.relapsed_at is not None
    assert first.relapsed_at - first.ended_at < pd.Timedelta(minutes=1)


def test_the_gate_let_nothing_start_before_that_release(replays: list[HoldReplay]) -> None:
    """From the stop of the alert to the release each look says escalate: the relapse would have been avoided."""
    first = replays[0]
    assert len(first.looks) == 7
    assert {look.verdict for look in first.looks} == {VerdictKind.ESCALATE}
    assert first.allowed is None
    assert all("pause_held" in look.failed for look in first.looks)


def test_after_the_relapse_the_gate_cost_seven_minutes(replays: list[HoldReplay]) -> None:
    """Under H-2 one agent may start narrowly seven minutes after the alert stopped, and its twenty runs do not fail."""
    second = replays[1]
    assert second.lost_seconds is not None
    assert round(second.lost_seconds / 60) == 7
    assert second.allowed is not None
    assert second.allowed.allowed == "automation=invoice-triage"
    assert {look.verdict for look in second.looks} == {VerdictKind.KEEP_PAUSED}
    assert second.ran_narrowly is not None
    assert (second.ran_narrowly.run_count, second.ran_narrowly.failure_count) == (20, 0)


def test_the_replay_says_what_the_named_instants_say(replays: list[HoldReplay]) -> None:
    """Asked of the whole evening as of an instant, the gate says what it says of the rows that were known then.

    `tests/recordings/test_verdicts.py` has these from the batches of each instant: escalate, and one agent later.
    """
    instants = Recording.open(NAME).instants
    first, second = replays
    asked = instants["alert-resolved"].at
    near = min(first.looks, key=lambda look: abs(look.at - asked))
    assert near.verdict is VerdictKind.ESCALATE
    assert second.allowed is not None
    assert instants["relapse"].at < second.allowed.at < instants["narrow-restart"].at


def test_the_page_says_what_is_replayed(replays: list[HoldReplay]) -> None:
    """The part of docs/back-test.md about the recording is what comes out, word for word."""
    assert recording_part(replays) in PAGE.read_text(encoding="utf-8")

"""Clocks that are behind, were set or differ from the server's: measured, and said by the doctor with a threshold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import run
from tests.store.ground import SetClock, a_control, pause
from tests.store.test_command_line_on_both import a_registered_store, here
from workbench.cli.doctor_clock import words_of
from workbench.store.clocks import jumped_seconds, read_clocks
from workbench.store.timing import NOTED_SECONDS, WRONG_SECONDS, Timing, timing_of

__all__ = ["here"]

HOUR_NS = 3600 * 10**9


@dataclass(frozen=True)
class ShiftedClock:
    """The machine's clock, as far off as a host that nobody synchronises."""

    seconds: float

    def now(self) -> datetime:
        """Return an instant that is not the present one."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def then(**changed: Any) -> dict[str, Any]:
    """Return a reading of the clocks."""
    return {"runs_in": "boot time:[1]", "wall_ns": 10**18, "running_ns": 10**12} | changed


@pytest.mark.parametrize(
    ("wall", "running", "jumped"),
    [(HOUR_NS, HOUR_NS, 0), (HOUR_NS, 0, 3600), (0, HOUR_NS, -3600), (0, 0, 0)],
)
def test_a_clock_that_moved_otherwise_than_time_was_set(
    wall: int, running: int, jumped: float
) -> None:
    """What the wall clock moved more or less than the running clock is by how much somebody set it."""
    now = then(wall_ns=10**18 + wall, running_ns=10**12 + running)
    assert jumped_seconds(then(), now) == jumped


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, then()),
        (then(runs_in="other time:[1]"), then()),
        (then(runs_in=" time:[1]"), then(runs_in=" time:[1]")),
        (then(wall_ns="x"), then()),
        (then(wall_ns=None), then()),
        ({"runs_in": "boot time:[1]"}, then()),
    ],
)
def test_readings_that_cannot_be_compared_give_none(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    """Another start, another host, a machine without a name for its start, and nonsense are not known, never 0."""
    assert jumped_seconds(before, now) is None


def test_a_real_reading_passes_at_one_pace() -> None:
    """Two readings of this machine differ by the same on both clocks, to a fraction of a second."""
    before = read_clocks()
    time.sleep(0.02)
    jumped = jumped_seconds(before, read_clocks())
    assert jumped is None or abs(jumped) < 0.5


def test_a_clock_set_after_a_publication_is_measured(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On either database the last publication tells how the clocks stood, and a step since then is known."""
    control = a_control(place, ShiftedClock(0.0))
    if jumped_seconds(read_clocks(), read_clocks()) is None:
        pytest.skip("this machine does not say since when it runs")
    untouched = timing_of(control.store, control.clock).jumped
    assert untouched is not None
    assert abs(untouched) < NOTED_SECONDS
    real = time.time_ns
    monkeypatch.setattr("workbench.store.clocks.time.time_ns", lambda: real() - HOUR_NS)
    jumped = timing_of(control.store, control.clock).jumped
    assert jumped is not None
    assert abs(jumped + 3600) < NOTED_SECONDS


def test_a_clock_behind_the_newest_event_and_the_heartbeat_is_measured(tmp_path: Path) -> None:
    """Set back by a day, this machine's clock is a day behind what the log and the gate folder have seen."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control)
    clock.move(-86_400)
    found = timing_of(control.store, clock)
    assert (found.behind, found.beat_ahead) == (86_400, 86_400)
    assert found.newest_at == clock.now() + timedelta(days=1)
    assert words_of(found)[0] is False


def test_the_skew_to_the_server_is_measured(database_place: Path) -> None:
    """A host five minutes off is so by five minutes, to within half the time of an answer; a file has no server."""
    control = a_control(database_place, ShiftedClock(0.0))
    here_ahead = timing_of(control.store, ShiftedClock(0.0))
    assert here_ahead.server_ahead is not None
    assert abs(here_ahead.server_ahead) <= here_ahead.server_within + 0.5
    late = timing_of(control.store, ShiftedClock(-300.0))
    assert late.server_ahead is not None
    assert abs(late.server_ahead - 300) <= late.server_within + 0.5


def test_a_store_in_a_file_has_no_server_clock(tmp_path: Path) -> None:
    """The file is of this machine, so there is no second clock."""
    control = a_control(tmp_path)
    assert timing_of(control.store, control.clock).server_ahead is None


WELL = Timing(datetime(2026, 11, 20, tzinfo=UTC), -5.0, 0.0, 0.1, 0.2, -0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"behind": 1.0}, "behind the newest event, of 2026-11-20 00:00:00 UTC"),
        ({"jumped": 1.0}, "set forward by"),
        ({"jumped": -1.0}, "set back by"),
        ({"server_ahead": 1.0}, "behind the clock of the store's server"),
        ({"server_ahead": -1.0}, "ahead of the clock of the store's server"),
        ({"beat_ahead": 1.0}, "behind the last heartbeat"),
    ],
)
@pytest.mark.parametrize(
    ("seconds", "is_well", "is_said"),
    [(NOTED_SECONDS - 0.3, True, False), (NOTED_SECONDS + 0.3, True, True),
     (WRONG_SECONDS - 0.3, True, True), (WRONG_SECONDS + 0.3, False, True)],
)  # fmt: skip
def test_two_seconds_are_a_warning_and_a_minute_is_wrong(
    change: dict[str, float], words: str, seconds: float, is_well: bool, is_said: bool
) -> None:
    """Each difference is said beyond the one threshold and wrong beyond the other, with how much and which way."""
    values = (
        vars(WELL)
        | {name: sign * seconds for name, sign in change.items()}
        | {"server_within": 0.0}
    )
    found = words_of(Timing(**values))
    assert found[0] is is_well
    assert (words in found[1]) is is_said
    assert found[1].startswith("WARNING") is (is_said and is_well)
    assert bool(found[2]) is is_said


def test_a_slow_answer_is_no_skew() -> None:
    """What the answer's own time leaves open is not held against the clock."""
    assert words_of(Timing(**(vars(WELL) | {"server_ahead": 3.0, "server_within": 2.5})))[0]
    assert (
        "WARNING"
        not in words_of(Timing(**(vars(WELL) | {"server_ahead": 3.0, "server_within": 2.5})))[1]
    )


def test_what_is_not_known_is_said() -> None:
    """After a restart of the machine the doctor does not claim that nobody set the clock."""
    assert "not known" in words_of(Timing(**(vars(WELL) | {"jumped": None})))[1]


def the_clock_row() -> dict[str, Any]:
    """Return what the doctor says of the clock."""
    (row,) = [row for row in run("doctor", "--json").document if row["about"] == "clock"]
    found: dict[str, Any] = row
    return found


def test_the_doctor_says_how_the_clock_stands(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Well as it is, wrong with exit code 15 once it was set, and not compared on a recorded clock."""
    a_registered_store(here)
    assert the_clock_row()["is_well"] is True
    real = time.time_ns
    with monkeypatch.context() as patched:
        patched.setattr("workbench.store.clocks.time.time_ns", lambda: real() + HOUR_NS)
        row = the_clock_row()
        if jumped_seconds(read_clocks(), read_clocks()) is not None:
            assert (row["is_well"], "set forward by 1:00:00 since" in row["finding"]) == (
                False,
                True,
            )
            assert run("doctor").code == 15
    monkeypatch.setenv("WORKBENCH_CLOCK", "2026-11-20T09:30:00Z")
    assert "not compared" in the_clock_row()["finding"]

"""A worker that is killed between what it sends and what it records leaves nothing that the next one does not mend."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery import killed
from tests.delivery.place import JOBS, Place, a_place
from tests.store.ground import break_glass
from workbench.records import Hold
from workbench.store.audit import verify_store


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def kill_one(place: Place, root: Path, point: str, call_count: int, bug: str = "") -> None:
    """Let a process of its own deliver until it is killed at a point; the engine remembers what reached it."""
    killed.keep(place.engine, root)
    words = [sys.executable, "-m", "tests.delivery.killed", str(root), point, str(call_count), bug]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    killed.recall(place.engine, root)


def finish(place: Place) -> None:
    """Let another worker take over; two looks, as the first may only read back."""
    place.go()
    place.go()


def hold_all(place: Place) -> Hold:
    """Pause every workflow of the store."""
    return place.hold("kind=workflow")


CASES = [(killed.BEFORE_SEND, n) for n in (0, 1, 2)] + [
    (point, n) for point in (killed.AFTER_SEND, killed.AFTER_READ_BACK) for n in (1, 3)
]


@pytest.mark.parametrize(("point", "call_count"), CASES)
def test_a_pause_whose_worker_is_killed_is_finished_and_taken_back(
    place: Place, tmp_path: Path, point: str, call_count: int
) -> None:
    """F43: all is paused by the next worker; the release leaves each workflow as it was found, that of others paused."""
    hold = hold_all(place)
    kill_one(place, tmp_path, point, call_count)
    finish(place)
    assert place.paused() == {*JOBS, "attic"}
    assert place.looks[-1].is_as_wanted
    place.control.resume_full(break_glass(hold.hold_id))
    finish(place)
    assert place.paused() == {"attic"}
    state = place.control.state()
    assert (state.receipts, state.intents, state.drifts) == ({}, {}, {})
    assert verify_store(place.control.store).is_ok


@pytest.mark.parametrize(("point", "call_count"), CASES)
def test_a_release_whose_worker_is_killed_is_finished(
    place: Place, tmp_path: Path, point: str, call_count: int
) -> None:
    """F43: what was let go before the end stays so, the rest follows, and none of it is taken for somebody's doing."""
    hold = hold_all(place)
    finish(place)
    place.control.resume_full(break_glass(hold.hold_id))
    kill_one(place, tmp_path, point, call_count)
    finish(place)
    assert place.paused() == {"attic"}
    assert place.control.state().receipts == {}
    assert "target.drift" not in place.actions()


def test_a_worker_that_records_only_afterwards_is_caught(place: Place, tmp_path: Path) -> None:
    """Seeded bug: without the intent, what a killed worker paused looks like somebody else's and stays paused."""
    hold = hold_all(place)
    kill_one(place, tmp_path, killed.AFTER_SEND, 3, killed.FORGETFUL)
    finish(place)
    place.control.resume_full(break_glass(hold.hold_id))
    finish(place)
    assert place.paused() == {*JOBS, "attic"}

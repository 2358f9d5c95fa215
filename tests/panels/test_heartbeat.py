"""The heartbeat: beats while the kernel lives, and its silence is noticed in the browser."""

from __future__ import annotations

import threading
import time

import pytest

from workbench.panels import heartbeat
from workbench.panels.heartbeat import Heartbeat


def test_each_beat_is_a_new_value() -> None:
    """A beat is a counter, so that a clock that stands still still sends something."""
    beating = Heartbeat()
    before = beating.beat
    beating.pulse()
    assert beating.beat == before + 1


def test_it_beats_from_a_daemon_thread_until_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started it beats by itself, and once stopped it says closed and beats no more."""
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    beating = Heartbeat()
    beating.start()
    thread = next(t for t in threading.enumerate() if t.name == "panel-heartbeat")
    assert thread.daemon
    deadline = time.monotonic() + 10
    while beating.beat < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    beating.stop()
    thread.join(10)
    last = beating.beat
    time.sleep(0.05)
    assert beating.beat == last
    assert beating.is_closed


def test_silence_is_longer_than_a_hiccup_and_known_to_the_browser() -> None:
    """The limit travels with the widget, and is several beats long."""
    beating = Heartbeat()
    assert beating.silence_ms == heartbeat.SILENCE_MILLISECONDS
    assert heartbeat.SILENCE_MILLISECONDS >= 3 * heartbeat.BEAT_SECONDS * 1000
    assert "silence_ms" in beating.get_state()

"""Takes the controls away from a person when the kernel behind them no longer answers."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import anywidget
import traitlets

BEAT_SECONDS = 1.0
SILENCE_MILLISECONDS = 4000
"""Four missed beats: longer than a busy kernel's hiccup, shorter than a person's next decision."""


class Heartbeat(anywidget.AnyWidget):
    """Beats once a second; in the browser, silence greys out the whole panel and makes it inert.

    Attributes:
        beat: a counter and no instant: a recorded clock stands still, and what does not change is not sent.
        is_closed: another panel took over in this kernel.
        trouble: what keeps the kernel from reading the store; empty while nothing does. Controls stay on: a pause goes.
    """

    _esm = Path(__file__).with_name("heartbeat.js")
    beat = traitlets.Int().tag(sync=True)
    is_closed = traitlets.Bool().tag(sync=True)
    trouble = traitlets.Unicode().tag(sync=True)
    silence_ms = traitlets.Int(SILENCE_MILLISECONDS).tag(sync=True)

    def __init__(self) -> None:
        """Beat once and keep still until started."""
        super().__init__()
        self._counter = itertools.count(1)
        self._stopped = threading.Event()
        self.pulse()

    def pulse(self) -> None:
        """Beat once."""
        self.beat = next(self._counter)

    def start(self) -> None:
        """Beat from a daemon thread, so that a long cell or a slow store never looks like death."""
        threading.Thread(
            target=self._pulse_until_stopped, name="panel-heartbeat", daemon=True
        ).start()

    def stop(self) -> None:
        """Say that this panel is closed, and beat no more."""
        self._stopped.set()
        self.is_closed = True

    def _pulse_until_stopped(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            self.pulse()

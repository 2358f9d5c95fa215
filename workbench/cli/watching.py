"""Looking again and again for what fires, saying only what is new; alone, or beside the delivery to engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from workbench.cli.present import one_line
from workbench.control import Control, open_control
from workbench.errors import StorageUnavailable, WorkbenchError
from workbench.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Watch:
    """How it is looked.

    Attributes:
        say: takes what is new; `complain` why it could not be looked.
        survives: what ends nothing: it is said once, until it goes well or fails otherwise.
    """

    settings: Settings
    period_seconds: float
    say: Say
    complain: Say
    survives: type[Exception] = StorageUnavailable

    def go_on(self, over: threading.Event, control: Control | None = None) -> None:
        """Look until `over` is set, opening the store where it is not open."""
        said = ""
        while not over.is_set():
            try:
                control = control or open_control(self.settings)
                self._look(control)
                said = ""
            except self.survives as exc:
                what = exc.message if isinstance(exc, WorkbenchError) else repr(exc)
                if what != said:
                    self.complain(one_line(f"CANNOT LOOK: {what}"))
                said = what
            over.wait(self.period_seconds)

    def _look(self, control: Control) -> None:
        from workbench.cli.trigger_lines import (
            news,
        )  # loads the warehouse: what fails here is survived as well
        from workbench.noticing import look_once

        if why := control.look():
            self.complain(one_line(why))
        noticed = look_once(control, self.settings)
        for line in news(control.state(), noticed):
            self.say(line)


def watch_beside(
    settings: Settings, over: threading.Event, *, period_seconds: float, say: Say
) -> threading.Thread:
    """Start looking in a thread of its own, which survives whatever goes wrong there, until `over` is set.

    `leave` ends it; a service that is slow to take a message is left behind, for that holds up no shutdown.
    """
    watch = Watch(settings, period_seconds, say, say, survives=Exception)
    thread = threading.Thread(target=watch.go_on, args=(over,), name="triggers", daemon=True)
    thread.start()
    return thread


def leave(thread: threading.Thread, over: threading.Event, *, seconds: float) -> None:
    """End a look in good order: wait for it so long, then interrupt its queries for as long again.

    A query that still runs in DuckDB when the interpreter ends aborts the whole program (exit 134).
    """
    over.set()
    thread.join(seconds)
    if not thread.is_alive():
        return
    from workbench.warehouse.connection import interrupt_open

    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        interrupt_open()
        thread.join(0.05)

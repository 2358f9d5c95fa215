"""Serving: the worker kept awake by the log, and its supervisor told that it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workbench.delivery.fleet import Fleet
from workbench.errors import StorageUnavailable

LOOK_SECONDS = 0.25
"""How often the log is looked at for something new; a delivery begins this late at most."""

SIGHT_TURNS = 8
"""After how many such looks it is looked at what gates have seen."""


def serve(
    fleet: Fleet,
    over: threading.Event,
    *,
    say: Callable[[str], None],
    period_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
    look: Callable[[], str] = lambda: "",
) -> None:
    """Deliver until `over` is set; goes on after any failure of store or engines.

    `tell` takes signs of life for a supervisor, in the words of sd_notify(3). `look` records now and then what
    gates have seen of the holds, and returns why it could not.
    """
    worker = fleet.worker(say)
    worker.period_seconds = period_seconds
    for engine_id, why in sorted(fleet.faults.items()):
        say(f"{engine_id}: NOT delivered to: {why}")
    with worker:
        tell("READY=1")
        say(f"delivering to {', '.join(sorted(worker.engines)) or 'no engine'}")
        seq, is_away, turns, unrecorded = -1, False, 0, ""
        while not over.wait(LOOK_SECONDS):
            tell("WATCHDOG=1")
            try:
                newest, _ = fleet.store.head_row()
                if turns % SIGHT_TURNS == 0 and (why := look()) != unrecorded:
                    unrecorded = why
                    say(why or "What gates have seen is recorded again.")
                turns += 1
            except StorageUnavailable as exc:
                if not is_away:
                    say(f"{exc.message} Engines stay as they are.")
                is_away = True
                continue
            is_away = False
            if newest != seq:
                seq = newest
                worker.wake()
        tell("STOPPING=1")

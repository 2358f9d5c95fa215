"""Bugs of concurrency, each put into one process of a history; every one must be caught."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from workbench.control import resuming
from workbench.control.commands import Control
from workbench.control.placing import standing_hold
from workbench.store import recording
from workbench.store.publishing import GateFolder
from workbench.store.store import Change, Command, Committed, Store


def decides_on_an_older_state(chance: random.Random) -> None:
    """What is decided on is read before the lock: check, then act."""
    right = Store.transact

    def transact(
        store: Store, command: Command, decide: Callable[[Any], Change], **more: Any
    ) -> Committed:
        older = store.state()
        time.sleep(chance.random() * 0.02)
        return right(store, command, lambda _: decide(older), **more)

    Store.transact = transact  # type: ignore[method-assign]


def takes_a_stale_view(chance: random.Random) -> None:
    """What the asker had seen is not compared with what is there."""
    resuming._hold_as_seen = lambda state, request: standing_hold(state, request.hold_id)


def acts_again_on_a_known_id(chance: random.Random) -> None:
    """The same command id is another command each time."""
    recording.repeated = lambda *_, **__: None


def tells_gates_now_and_then(chance: random.Random) -> None:
    """A command returns before gates were told of it."""
    right = GateFolder.tell
    GateFolder.begin = lambda *_, **__: None  # type: ignore[method-assign]
    GateFolder.tell = (  # type: ignore[method-assign]
        lambda *given, **more: right(*given, **more) if chance.random() < 0.5 else ""
    )


def answers_before_it_is_recorded(chance: random.Random) -> None:
    """A release says yes where the hold stands, and is recorded a little later."""
    right = Control.resume_full

    def resume_full(control: Control, request: Any, **more: Any) -> Any:
        hold = standing_hold(control.state(), request.hold_id)

        def later() -> None:
            time.sleep(0.03)
            try:
                right(control, request, **more)
            except Exception:  # noqa: BLE001 # nobody hears of it, which is the bug
                return

        threading.Thread(target=later).start()
        return hold

    Control.resume_full = resume_full  # type: ignore[method-assign]


BUGS = (
    "decides_on_an_older_state",
    "takes_a_stale_view",
    "acts_again_on_a_known_id",
    "tells_gates_now_and_then",
    "answers_before_it_is_recorded",
)

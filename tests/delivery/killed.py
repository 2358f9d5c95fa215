"""Makes a pass over the engine of a store and kills its own process at a chosen point: `python -m` with a folder."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.delivery.place import an_engine
from tests.engines.fake_engine import FakeEngine, Tricks
from tests.store.ground import SetClock, settings_in
from workbench.delivery.hand import Hand
from workbench.delivery.passing import pass_over
from workbench.engines.switching import CallResult, NativeCall, Reading
from workbench.opening import open_control
from workbench.store.log import Draft

BEFORE_SEND, AFTER_SEND, AFTER_READ_BACK = "before a call", "after a call", "after it was read back"
POINTS = (BEFORE_SEND, AFTER_SEND, AFTER_READ_BACK)
FORGETFUL = "forgetful"
"""The seeded bug: what is about to be sent is not recorded first."""

ENGINE_FILE = "engine.json"


class ForgetfulHand(Hand):
    """Sends without having recorded that it will."""

    def record(self, drafts: Sequence[Draft]) -> None:
        super().record([draft for draft in drafts if draft.action != "delivery.begin"])


def keep(engine: FakeEngine, folder: Path) -> None:
    """Write which jobs are paused, as a server of its own would remember it: whole or not at all."""
    paused = {job.name: job.is_paused for job in engine.jobs.values()}
    part = folder / f"{ENGINE_FILE}.part"
    part.write_text(json.dumps(paused))
    part.replace(folder / ENGINE_FILE)


def recall(engine: FakeEngine, folder: Path) -> None:
    """Set the switches as they were kept."""
    for name, is_paused in json.loads((folder / ENGINE_FILE).read_text()).items():
        engine.jobs[name].is_paused = is_paused


def die() -> NoReturn:
    """End as after `kill -9`: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def go(folder: Path, point: str, call_count: int, bug: str) -> None:
    """Deliver what is wanted; dies when `call_count` calls have come to the point."""
    clock = SetClock()
    engine = an_engine(clock)
    recall(engine, folder)
    begun: list[str] = []
    calls: list[str] = []
    one_at_a_time = threading.Lock()

    def before(call: NativeCall) -> CallResult | None:
        with one_at_a_time:
            if point == BEFORE_SEND and len(begun) >= call_count:
                die()
            begun.append(call.call_id)
        return None

    def after(call: NativeCall) -> CallResult:
        with one_at_a_time:
            calls.append(call.call_id)
            keep(engine, folder)
            if point == AFTER_SEND and len(calls) >= call_count:
                die()
        return CallResult.DONE

    def reads(reading: Reading) -> Reading:
        if point == AFTER_READ_BACK and len(calls) >= call_count:
            die()
        return reading

    engine.tricks = Tricks(before, after, reads)
    hand = ForgetfulHand if bug == FORGETFUL else Hand
    store = open_control(settings_in(folder), clock=clock).store
    pass_over(hand("fake", engine, store, clock))


if __name__ == "__main__":
    go(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])

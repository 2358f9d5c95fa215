"""What is asked of the gate, and what it raises instead of an answer that lets go on."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

from workbench.answers import GateAnswer

OnUnknown = Literal["stop", "continue"]
Effect = Literal["write", "read"]
EFFECTS = ("write", "read")


class Paused(Exception):
    """The automation is held; `answer` says by what."""

    def __init__(self, automation_id: str, answer: GateAnswer) -> None:
        """Say which holds stop the automation."""
        self.answer = answer
        held = ", ".join(answer.holds) or "a hold"
        super().__init__(
            f"{automation_id} is paused by {held}{f': {answer.reason}' if answer.reason else ''}"
        )


class Unknown(Exception):
    """The gate cannot tell whether the automation is held; `answer` says why."""

    def __init__(self, automation_id: str, answer: GateAnswer) -> None:
        """Say why there is no answer."""
        self.answer = answer
        super().__init__(f"cannot tell whether {automation_id} is paused: {answer.reason}")


class AskedRun(NamedTuple):
    """A run that asks, with what it is about to do and what it does without an answer.

    Attributes:
        is_in_flight: it was let in before, so that under a drain it goes on.
    """

    automation_id: str
    run_id: str
    effect: Effect = "write"
    on_unknown: OnUnknown = "stop"
    max_age_seconds: float | None = None
    is_in_flight: bool = False


class Inside:
    """A run as its code finds it in its context; tasks that it began carry it along, also when it is over.

    Attributes:
        is_over: it was left, and nobody counts it in flight any more: whatever still asks in its name starts anew.
        pid: process that is inside of it; a forked child finds it as it was, and is not told when it is left.
    """

    __slots__ = ("is_over", "pid", "run")

    def __init__(self, run: AskedRun) -> None:
        """Be inside of a run; the largest age counted for its start alone."""
        self.run = run._replace(max_age_seconds=None)
        self.is_over = False
        self.pid = os.getpid()


class Bearing(NamedTuple):
    """How a run stands to the holds: whether it is inside already, and whether it may take tickets now."""

    is_in_flight: bool
    may_take: bool


STARTS = Bearing(is_in_flight=False, may_take=True)
GOES_ON = Bearing(is_in_flight=True, may_take=True)
ONLY_ASKS = Bearing(is_in_flight=True, may_take=False)


def refuse_other_effects(effect: str) -> None:
    """Raise ValueError for what is neither a read nor a write."""
    if effect not in EFFECTS:
        raise ValueError(f"effect is 'write' or 'read', not {effect!r}")

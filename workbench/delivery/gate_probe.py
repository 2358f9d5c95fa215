"""One made-up run of a drill of the gate: a process of its own that asks, works, waits or retries, and notes each act.

    python -m workbench.delivery.gate_probe GATE_FOLDER JOURNAL AUTOMATION_ID RUN_ID WORK_CLASS SECONDS PARENT

Standard library and the gate alone, as an automation that asks. SECONDS is how long a step or a wait lasts; it
ends with the process PARENT.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from workbench.answers import GateAnswer, GateState
from workbench.gate import Gate, Paused

STEP_COUNT = 3
_ASK_SECONDS = 0.2


class Probe:
    """The run: its gate, and where it notes what it does."""

    def __init__(self, gate: Gate, journal: Path, *, automation_id: str, run_id: str) -> None:
        """Take where to ask, where to note, and under which names."""
        self._gate, self._journal = gate, journal
        self._automation_id, self._run_id = automation_id, run_id

    def note(self, act: str, **more: object) -> None:
        """Append one act with its instant."""
        line = {"at": datetime.now(UTC).isoformat(), "pid": os.getpid(), "act": act, **more}
        with open(self._journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def steps(self, seconds: float) -> None:
        """Start, then work step by step, waiting at the gate between two of them."""
        with self._run():
            self.note("started")
            for number in range(STEP_COUNT):
                self._until_clear(self._pause_point)
                self.note("step began", step=number)
                self._work(seconds)
                self.note("step ended", step=number)
        self.note("ended")

    def later(self, seconds: float) -> None:
        """Wait in the middle of a run, as for a timer or an answer, and go on when it is over."""
        with self._run():
            self.note("started")
            self.note("waits")
            time.sleep(seconds)
            self._until_clear(self._pause_point)
            self.note("step began", step=0)
            self.note("step ended", step=0)
        self.note("ended")

    def again(self, seconds: float) -> None:
        """Fail at the first attempt, and try again after a while."""
        with self._run():
            self.note("started")
            self.note("attempt failed")
        time.sleep(seconds)
        self._until_clear(self._ask)
        with self._run():
            self.note("attempt", number=2)
            self.note("step ended", step=0)
        self.note("ended")

    def due(self, seconds: float) -> None:
        """Come due after a while and be refused or not, as a start by a timetable that nobody repeats."""
        time.sleep(seconds)
        self.now()

    def now(self, _: float = 0.0) -> None:
        """Start at once, or be refused."""
        try:
            with self._run():
                self.note("started")
                self.note("step ended", step=0)
        except Paused as exc:
            self.note("refused", why=str(exc))
        else:
            self.note("ended")

    def _run(self) -> contextlib.AbstractContextManager[GateAnswer]:
        """Ask to start; a probe is in no registry, so that without a hold on its name the gate says UNKNOWN."""
        return self._gate.run(self._automation_id, self._run_id, on_unknown="continue")

    def _pause_point(self) -> bool:
        try:
            self._gate.pause_point()
        except Paused:
            return False
        return True

    def _ask(self) -> bool:
        return self._gate.check(self._automation_id).state is not GateState.PAUSED

    def _until_clear(self, ask: Callable[[], bool]) -> None:
        if ask():
            return
        self.note("held")
        while not ask():
            time.sleep(_ASK_SECONDS)
        self.note("let go")

    def _work(self, seconds: float) -> None:
        time.sleep(seconds)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone: nobody else would."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main(words: list[str]) -> int:
    """Run one probe from the command line."""
    folder, journal, automation_id, run_id, work_class, seconds, parent = words
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    probe = Probe(Gate(Path(folder)), Path(journal), automation_id=automation_id, run_id=run_id)
    acts: dict[str, Callable[[float], None]] = {
        "running": probe.steps,
        "waiting": probe.later,
        "retrying": probe.again,
        "scheduled": probe.due,
        "new_manual": probe.now,
    }
    acts[work_class](float(seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

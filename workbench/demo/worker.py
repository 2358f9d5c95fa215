"""One automation of the demo, a process of its own: asks the gate, writes, asks again.

Run as `python -m workbench.demo.worker ID GATE-FOLDER DATABASE SECONDS-PER-STEP FAULT-FILE`. While the
fault file is there, every second write fails: that is the staged fault of the demo, agents only.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from workbench.demo.world import Entry, World
from workbench.gate import Gate, Paused, Unknown

STEPS = 3
"""Writes of one run."""

ASK_AGAIN_SECONDS = 0.05


class Worker:
    """Does one run after the other for as long as the process that started it lives."""

    def __init__(
        self, automation_id: str, gate: Gate, *, world: World, step_seconds: float
    ) -> None:
        """Take the gate to ask and the database to write to."""
        self.automation_id = automation_id
        self.gate = gate
        self.world = world
        self.step_seconds = step_seconds
        self.run_number = 1
        self.step = 1

    def work(self, parent: int, fault: Path | None) -> None:
        """Work until the parent has gone; a run that is stopped goes on later where it stood."""
        while os.getppid() == parent:
            try:
                with self.gate.run(self.automation_id, f"{self.automation_id}-{self.run_number}"):
                    self._run(parent, fault)
            except (Paused, Unknown):
                time.sleep(ASK_AGAIN_SECONDS)

    def _run(self, parent: int, fault: Path | None) -> None:
        while self.step <= STEPS and os.getppid() == parent:
            self.gate.pause_point()
            self.world.write(
                Entry(
                    automation_id=self.automation_id,
                    run_id=f"{self.automation_id}-{self.run_number}",
                    step=self.step,
                    is_failure=fault is not None and fault.exists() and self.step % 2 == 0,
                    written_at=datetime.now(UTC),
                )
            )
            self.step += 1
            time.sleep(self.step_seconds)
        self.run_number, self.step = self.run_number + 1, 1


def main(words: list[str]) -> None:
    """Read the command line and work."""
    parent = os.getppid()
    automation_id, gate_folder, database, step_seconds, fault = words
    gate, world = Gate(Path(gate_folder)), World(Path(database))
    worker = Worker(automation_id, gate, world=world, step_seconds=float(step_seconds))
    worker.work(parent, Path(fault) if fault else None)


if __name__ == "__main__":
    main(sys.argv[1:])

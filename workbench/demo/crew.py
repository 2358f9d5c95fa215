"""Child processes of the demo: started in groups of their own, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench.demo.place import Place
from workbench.errors import WorkbenchError
from workbench.records import Automation
from workbench.settings import child_environment

GRACE_SECONDS = 3.0
"""How long a child may take to end itself; a review shuts its kernel down in that time."""

STEP_SECONDS = {
    "order-sync": 0.10,
    "stock-watch": 0.14,
    "price-lookup": 0.09,
    "refund-playbook": 0.17,
    "invoice-triage": 0.12,
    "ticket-reply": 0.13,
}
"""Pause between two writes of one automation: about eight writes a second, none in step."""


class DemoFailed(WorkbenchError):
    """The demo did not show what it promises."""

    next_step = "run `workbench doctor`; on a very busy machine, run the demo again"


class Crew:
    """All children of one demo."""

    def __init__(self, folder: Path) -> None:
        """Keep what children print in files under a folder."""
        self.folder = folder
        self._children: list[subprocess.Popen[bytes]] = []
        self._names: dict[int, str] = {}

    def start(
        self,
        name: str,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        niceness: int = 0,
        program: str = sys.executable,
    ) -> subprocess.Popen[bytes]:
        """Start `PROGRAM WORDS` (python) in a process group of its own, its output in NAME.out and NAME.err."""
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("wb") as said, err.open("wb") as complained:
            child = subprocess.Popen(
                [program, *words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
                env=dict(environment),
                start_new_session=True,
            )
        self._children.append(child)
        self._names[child.pid] = name
        if niceness:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, child.pid, niceness)
        return child

    def check_alive(self) -> None:
        """Raise DemoFailed when a child that should go on has ended with a failure."""
        for child in self._children:
            if child.poll():
                name = self._names[child.pid]
                raise DemoFailed(
                    f"{name} ended with exit code {child.returncode}: {self.last_words(name)}"
                )

    def last_words(self, name: str) -> str:
        """Return the last line that a child complained with, or where to look for what it printed."""
        for path in (self.folder / f"{name}.err", self.folder / f"{name}.out"):
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            if said := [line.strip() for line in lines if line.strip()]:
                return said[-1][:300]
        return f"it said nothing in {self.folder}"

    def end(self) -> None:
        """End every child and what it started; returns when none is left."""
        for child in self._children:
            _signal(child, signal.SIGINT)
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            _signal(child, signal.SIGKILL)
            child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


@contextlib.contextmanager
def crew_of(place: Place) -> Iterator[Crew]:
    """Give a crew that is ended on the way out, Ctrl-C, a polite kill and a closed terminal included."""
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    crew = Crew(place.folder)
    try:
        yield crew
    finally:
        crew.end()
        for number, former in before.items():
            signal.signal(number, former)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def start_workers(crew: Crew, place: Place, *, automations: Sequence[Automation]) -> None:
    """Start one process per automation; only agents meet the staged fault."""
    for automation in automations:
        name = automation.automation_id
        fault = str(place.fault) if automation.kind == "agent" else ""
        words = ("-m", "workbench.demo.worker", name, str(place.settings.gate), str(place.world))
        crew.start(
            name,
            [*words, str(STEP_SECONDS.get(name, 0.12)), fault],
            environment=child_environment(place.settings),
        )

"""How long after the commit of a pause a gate in another process says PAUSED, to a caller and to a waiter."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from unittest.mock import patch

from benchmarks.measure import Figure, Target, percentile, quartiles
from benchmarks.place import make_place
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.gate import Gate, GateState
from workbench.snapshot import SNAPSHOT_FILE
from workbench.store.sqlite import SqliteSession

AUTOMATION_COUNT = 100
TRIALS = 150
ASKED = "a-7"
LONGEST_SECONDS = 0.02
"""Between a release and the next pause, by chance, so that no rhythm of the asking is met."""

TARGET = Target(1e-3)


def measure(root: Path) -> list[Figure]:
    """Pause and release an automation that another process keeps asking about, by turns with a bare file."""
    settings, control = make_place(root, automation_count=AUTOMATION_COUNT)
    content = (settings.gate / SNAPSHOT_FILE).read_bytes()
    folder = root / "bare"
    folder.mkdir()
    seconds, bare = [], []
    with asker(settings.gate) as answers, noted_commits() as commits:
        for _ in range(TRIALS):
            seconds.append(pause_and_release(control, answers, commits=commits))
            bare.append(write_and_rename(folder, content))
    low, middle, high = quartiles(seconds)
    against = f"write {len(content):,} bytes + fsync + rename"
    note = (
        "from the return of the commit to the answer PAUSED of a gate that is asked in a loop: the snapshot, "
        "written since the commit began, gets its name; the gate reads it and reports the position in a file "
        "of its own, which waits where the disk's journal is busy; the bare file is written at a quiet moment"
    )
    return [
        Figure(
            "propagation, p50",
            middle,
            low=low,
            high=high,
            bare=f"{against}, p50",
            bare_value=percentile(bare, 0.5),
            note=note,
        ),
        Figure(
            "propagation, p99",
            percentile(seconds, 0.99),
            low=middle,
            high=max(seconds),
            bare=f"{against}, p99",
            bare_value=percentile(bare, 0.99),
            target=TARGET,
            note=f"{note}; the spread is from the median to the slowest of {TRIALS}",
        ),
    ]


def write_and_rename(folder: Path, content: bytes) -> float:
    """Put a file in place of another one as a snapshot is; returns the seconds until it has its name."""
    temporary = folder / "new"
    begun = time.perf_counter()
    with open(temporary, "wb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())
    os.replace(temporary, folder / SNAPSHOT_FILE)
    return time.perf_counter() - begun


def pause_and_release(control: Control, answers: IO[str], *, commits: list[int]) -> float:
    """Pause and, once the gate says so, release; returns the seconds from the commit to PAUSED.

    Raises RuntimeError where a question that was asked after the commit was answered CLEAR.
    """
    commits.clear()
    done = control.pause(PauseRequest(f"automation={ASKED}", "benchmark"), wait_seconds=0)
    committed = commits[0]
    at, last_clear = instants_of(GateState.PAUSED, answers)
    if last_clear > committed:
        raise RuntimeError("the gate said CLEAR to a question asked after the commit")
    control.resume_full(ResumeRequest(done.hold.hold_id, break_glass_reason="benchmark"))
    instants_of(GateState.CLEAR, answers)
    time.sleep(random.uniform(0, LONGEST_SECONDS))
    return (at - committed) / 1e9


def instants_of(state: GateState, answers: IO[str]) -> tuple[int, int]:
    """Wait for an answer; returns when it was there, and when the last CLEAR before it was asked for."""
    for line in answers:
        said, at, last_clear = line.split()
        if said == state:
            return int(at), int(last_clear)
    raise RuntimeError("the asking process ended")


@contextlib.contextmanager
def noted_commits() -> Iterator[list[int]]:
    """Note the instants (monotonic, in nanoseconds) at which commits return, for as long as it is open."""
    instants: list[int] = []
    commit = SqliteSession.commit

    def noting(session: SqliteSession) -> None:
        commit(session)
        instants.append(time.monotonic_ns())

    with patch.object(SqliteSession, "commit", noting):  # the product notes no such instant itself
        yield instants


@contextlib.contextmanager
def asker(gate_folder: Path) -> Iterator[IO[str]]:
    """Start a process that asks a gate without pause; gives its answers, from the first CLEAR on."""
    words = [sys.executable, "-m", "benchmarks.propagation", str(gate_folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            if child.stdout is None:
                raise RuntimeError("the asking process has no output")
            instants_of(GateState.CLEAR, child.stdout)
            yield child.stdout
        finally:
            child.kill()


def ask(gate_folder: Path) -> None:
    """Ask for ever; print each answer that is another one, its instant, and when the last CLEAR was asked for."""
    gate, last, last_clear = Gate(gate_folder), None, 0
    while True:
        asked = time.monotonic_ns()
        state = gate.check(ASKED).state
        if state is not last:
            sys.stdout.write(f"{state} {time.monotonic_ns()} {last_clear}\n")
            sys.stdout.flush()
        last = state
        if state is GateState.CLEAR:
            last_clear = asked


if __name__ == "__main__":
    ask(Path(sys.argv[1]))

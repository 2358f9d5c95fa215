"""Several writers at one store for a fixed time: how many commands together, and how evenly they get their turns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figure, Target
from benchmarks.place import make_place
from workbench.clock import SystemClock
from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.settings import Settings, child_environment
from workbench.store.audit import verify_store

COUNTS = (1, 4, 16)
SECONDS = 5.0
BARE_SECONDS = 2.0
AUTOMATION_COUNT = 100
RECORD = b"x" * 500
"""About what one event takes in the log."""

TARGET = Target(0.5, is_least=True)


def measure(root: Path) -> list[Figure]:
    """Let 1, 4 and 16 processes pause and release for a fixed time, by turns with a bare locked log."""
    figures = []
    for count in COUNTS:
        settings, control = make_place(root / str(count), automation_count=AUTOMATION_COUNT)
        ours = commands_of_each("command", settings, count, seconds=SECONDS)
        bare = commands_of_each("append", settings, count, seconds=BARE_SECONDS)
        if not verify_store(control.store).is_ok:
            raise RuntimeError(f"the log of {count} writers does not verify")
        figures += figures_of(count, ours, bare)
    return figures


def figures_of(count: int, ours: list[int], bare: list[int]) -> list[Figure]:
    """Return the rate of so many writers and, where they are several, how evenly they got turns."""
    rate = Figure(
        f"{count} writer{'s' * (count > 1)}",
        sum(ours) / SECONDS,
        "commands/s",
        bare="lock, append 500 bytes, fdatasync",
        bare_value=sum(bare) / BARE_SECONDS,
        note="pauses and releases by turns, each published and recorded as seen",
    )
    if count == 1:
        return [rate]
    fair = Figure(
        f"{count} writers, slowest",
        min(ours) / max(ours),
        "of the fastest",
        bare="of the bare log",
        bare_value=min(bare) / max(bare),
        target=TARGET,
        note=f"commands of each: {', '.join(map(str, sorted(ours)))}",
    )
    return [rate, fair]


def commands_of_each(what: str, settings: Settings, count: int, *, seconds: float) -> list[int]:
    """Start so many processes together and return how often each of them got through."""
    words = [sys.executable, "-m", "benchmarks.writers", what, str(seconds)]
    environment = child_environment(settings)
    children = [
        subprocess.Popen(
            [*words, str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for child in children:
        if child.stdout is None or child.stdout.readline().strip() != "ready":
            raise RuntimeError(f"a writer of {count} did not start")
    for child in children:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # one that died says so by what it returns
                child.stdin.write("go\n")
                child.stdin.flush()
    return [int(child.communicate()[0]) for child in children]


def command_by(settings: Settings, number: int) -> Callable[[], None]:
    """Return what pauses an automation of this writer, and releases it the next time."""
    control = open_control(settings, SystemClock())
    scope = f"automation=a-{number}"
    held: list[str] = []

    def act() -> None:
        if held:
            control.resume_full(ResumeRequest(held.pop(), break_glass_reason="benchmark"))
        else:
            done = control.pause(PauseRequest(scope, "benchmark"), wait_seconds=0)
            held.append(done.hold.hold_id)

    return act


def append_by(settings: Settings) -> Callable[[], None]:
    """Return what appends to a log behind a lock of the kernel, and syncs it."""
    descriptor = os.open(settings.store / "bare", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def act() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, RECORD)
        os.fdatasync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    return act


def work(what: str, seconds: float, number: int) -> int:
    """Get ready, wait for the word, act for so long, and return how often it was done."""
    settings = Settings.from_environment()
    act = command_by(settings, number) if what == "command" else append_by(settings)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        act()
        count += 1
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{work(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))}\n")

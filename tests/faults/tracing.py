"""strace around a real command: the calls that it makes in a folder, and one of them killed or made to fail."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CHANGING = (
    "openat", "write", "pwrite64", "fsync", "fdatasync", "msync", "ftruncate", "fallocate", "rename",
    "link", "unlink", "mkdir", "flock",
)  # fmt: skip
"""Calls that change files or make changes durable, and those that open and lock them."""
READING = ("read", "pread64")
FOLLOWED = ("close",)
SYNCS = ("fsync", "fdatasync")
_LINE = re.compile(r"(\d+) +(\w+)\((.*?)(?:\) += +(.*)|(,? *<unfinished \.\.\.>))?$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*?)\) += +(.*)$")


@dataclass(frozen=True)
class Call:
    """One call as strace printed it.

    Attributes:
        ordinal: how many calls of this name its thread had made with it, from 1; what `when=` counts.
        given: its arguments; descriptors stand there with their paths.
        result: what it returned, with the error's name; empty for one that never did.
    """

    pid: int
    name: str
    ordinal: int
    given: str
    result: str

    @property
    def descriptor(self) -> int:
        """The file descriptor that it is about."""
        return int(self.given.partition("<")[0])

    @property
    def is_failed(self) -> bool:
        """Tell whether it returned an error."""
        return self.result.startswith("-1 ")

    def touches(self, root: Path) -> bool:
        """Tell whether it is about a file below a folder; of maps only an epoch file's are synced here."""
        return self.name == "msync" or f"{root}/" in self.given or f"{root}>" in self.given


@dataclass(frozen=True)
class Point:
    """Where a command is hit, and how.

    Attributes:
        fault: KILL, or the error that the call returns.
        is_lasting: every later call of this name fails, too: the disk is gone for good.
    """

    name: str
    ordinal: int
    fault: str
    is_lasting: bool = False

    @property
    def injection(self) -> str:
        """What strace is told."""
        how = "signal=KILL" if self.fault == "KILL" else f"error={self.fault}"
        return f"inject={self.name}:{how}:when={self.ordinal}{'+' * self.is_lasting}"

    def __str__(self) -> str:
        """Return it as a test's failure names it."""
        return f"{self.fault} at {self.name} {self.ordinal}{' and all later' * self.is_lasting}"


@dataclass(frozen=True)
class Ran:
    """How a command under strace ended, what it printed and which calls it made."""

    code: int
    out: str
    err: str
    calls: tuple[Call, ...]

    @property
    def is_killed(self) -> bool:
        """Tell whether it was killed."""
        return self.code == -signal.SIGKILL

    def hit(self, point: Point) -> Call:
        """Return the call that was hit; fails where the command never came to it, or strace left it alone."""
        found = [c for c in self.calls if (c.name, c.ordinal) == (point.name, point.ordinal)]
        assert found, f"the command made no call {point}: {self.err}"
        is_hit = "(INJECTED)" in found[0].result
        assert is_hit if point.fault != "KILL" else self.is_killed and not found[0].result, found[0]
        return found[0]


def run_traced(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    point: Point | None = None,
    is_whole: bool = False,
) -> Ran:
    """Run a command of this Python under strace, hit at a point where one is given.

    `is_whole` keeps every byte that is written, and leaves reading out.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "calls"
        names = ",".join((*CHANGING, *FOLLOWED, *(() if is_whole else READING)))
        texts = ["-xx", "-s", "1000000"] if is_whole else ["-s", "32"]
        # Without the filter strace is asked about every call; with it, it delivers no signal.
        options = [] if point and point.fault == "KILL" else ["--seccomp-bpf"]
        options += ["-f", "-qq", "-y", *texts, "-o", str(log), "-e", f"trace={names}"]  # fmt: skip
        options += ["-e", point.injection] if point else []
        done = subprocess.run(
            ["strace", *options, sys.executable, *words],
            capture_output=True, text=True, check=False, timeout=60,
            env={**plain_environment(), **environment}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        calls = tuple(read_calls(log.read_text(encoding="utf-8", errors="replace")))
    return Ran(done.returncode, done.stdout, done.stderr, calls)


def plain_environment() -> dict[str, str]:
    """Return an environment in which the same command makes the same calls each time.

    Compiled modules come from a folder of our own, that `warm_up` alone writes to: where others compile
    meanwhile, the number of files that Python opens would change.
    """
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("WORKBENCH_", "COV", "PYTEST"))
    }
    return {
        **kept,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONPYCACHEPREFIX": str(compiled_folder()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


@functools.cache
def compiled_folder() -> Path:
    """Make the folder of compiled modules, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-compiled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def warm_up(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command once, so that everything it imports is compiled."""
    together = {**plain_environment(), **environment, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(
        [sys.executable, *words], env=together, capture_output=True, check=False, timeout=60
    )


def read_calls(text: str) -> Iterator[Call]:
    """Read strace's log; signals and exits are passed over.

    A call during which another thread made one stands where it returned, and one that closes or that never
    returned where it began.
    """
    count: Counter[tuple[int, str]] = Counter()
    found: list[Call | None] = []
    begun: dict[int, tuple[int, Call]] = {}
    for line in text.splitlines():
        if resumed := _RESUMED.match(line):
            place, call = begun.pop(int(resumed[1]))
            whole = replace(call, given=call.given + resumed[3], result=resumed[4])
            place = place if call.name == "close" else len(found)
            found[place : place + 1] = [whole]
        elif match := _LINE.match(line):
            pid, name, given, result = int(match[1]), match[2], match[3], match[4] or ""
            count[pid, name] += 1
            result = "" if result.startswith("?") else result
            call = Call(pid, name, count[pid, name], given, result)
            if match[5]:
                begun[pid] = len(found), call
            found.append(None if match[5] else call)
    for place, call in begun.values():
        found[place] = call
    yield from (call for call in found if call is not None)


def retried_syncs(calls: Sequence[Call]) -> list[str]:
    """Return the syncs of a handle whose sync had failed before: the second would prove nothing of the first.

    SQLite's write-ahead log is left to the replay of a power loss: when it is closed SQLite syncs once more
    what was durable before, and drops what was not.
    """
    failed: dict[tuple[int, int], Call] = {}
    found = []
    for call in calls:
        if call.name == "close":
            failed.pop((call.pid, call.descriptor), None)
        elif call.name in SYNCS and "-wal>" not in call.given:
            before = failed.get((call.pid, call.descriptor))
            if before is not None:
                found.append(f"{before.name}({before.given}) failed and was tried again")
            if call.is_failed:
                failed[call.pid, call.descriptor] = call
    return found


@functools.cache
def why_no_trace() -> str:
    """Return why nothing can be traced here, or an empty text."""
    if sys.platform != "linux":
        return "strace is for Linux"
    if shutil.which("strace") is None:
        return "needs strace to kill and fail calls (on Debian: apt-get install strace)"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return f"this machine traces nothing: {done.stderr.strip()[:80]}" if done.returncode else ""


@pytest.fixture(scope="module")
def needs_trace() -> None:
    """Skip where nothing can be traced."""
    if why := why_no_trace():
        pytest.skip(why)

"""One whole demo, played once for all tests that look at what it printed and left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.demo.place import Place, choose_place
from workbench.settings import Settings

LONGEST_SECONDS = 400
ESCAPE = "\x1b["


@dataclass(frozen=True)
class Played:
    """A demo that is over: its exit code, what it wrote, and where."""

    code: int
    text: str
    errors: str
    place: Place

    @property
    def flat(self) -> str:
        """The text with wrapped lines put together again, without the recorded marks."""
        bare = re.sub(r"DEMO \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", " ", self.text)
        return " ".join(bare.split())

    def number(self, pattern: str) -> int:
        """Return the one number that a sentence of the demo gives."""
        found = re.findall(pattern, self.flat)
        assert len(found) == 1, (pattern, found, self.text)
        return int(found[0].replace(",", ""))

    def command(self, *words: str, store: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command on the store that the demo left, or on another."""
        own = self.place.settings.as_environment()
        if store is not None:
            own |= {"WORKBENCH_STORE": str(store), "WORKBENCH_GATE": str(store / "gate")}
        return run_workbench(*words, environment=own)


def run_workbench(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a person would, its output captured."""
    return subprocess.run(
        [sys.executable, "-m", "workbench", *words],
        env={**os.environ, **environment, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def play_once(folder: Path) -> Played:
    """Play the demo in a folder of its own."""
    ended = run_workbench("demo", "--no-open", "--folder", str(folder), environment={})
    place = choose_place(Settings.from_environment({}), folder, is_told_where=False)
    return Played(ended.returncode, ended.stdout, ended.stderr, place)


def living_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that name a folder: what a demo left running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(folder) in word for word in words) and int(path.parent.name) != os.getpid():
            found.append(" ".join(words))
    return found


def left_running(folder: Path, seconds: float = 10.0) -> list[str]:
    """Return what still runs after a while; a killed process needs a moment to be gone."""
    deadline = time.monotonic() + seconds
    while living_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return living_in(folder)

"""Where the live demo's commands are typed: what is shown is what is run, word for word."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench.demo.crew import Crew, DemoFailed
from workbench.demo.live import Said
from workbench.demo.on_prefect.provider import Provider
from workbench.demo.on_prefect.server import PrefectServer, now, wait_for
from workbench.demo.place import Place
from workbench.demo.screen import Screen
from workbench.settings import child_environment

COMMAND_SECONDS = 120.0
AUTOMATIONS = ("invoice-triage", "ticket-reply", "product-copy", "order-sync")
PAUSED = AUTOMATIONS[:2]
OTHERS = AUTOMATIONS[2:]
RESTARTED = "invoice-triage"


@dataclass(frozen=True)
class Desk:
    """Everything that the scenes play with."""

    screen: Screen
    place: Place
    crew: Crew
    server: PrefectServer
    provider: Provider
    began: datetime

    def type(self, line: str, *, expected: tuple[int, ...] = (0,)) -> Said:
        """Show a command and run it as it stands; raises DemoFailed when it ends otherwise than expected."""
        said = run_line(self.screen, line, place=self.place)
        self.screen.printed(said.out, colour="yellow" if said.code else None)
        if said.code:
            self.screen.say(f"exit code {said.code}")
        if said.code not in expected:
            raise DemoFailed(
                f"`workbench {line}` ended with exit code {said.code}, not {expected[0]}: see above."
            )
        return said

    def started(self, names: tuple[str, ...], since: datetime) -> dict[str, int]:
        """Return how many runs of each of these began since an instant, as Prefect tells."""
        return {name: self.server.started(name, since) for name in names}

    def wait(self, question: Callable[[], bool], *, seconds: float, why: str) -> None:
        """Ask until it is so; raises DemoFailed when time is over."""
        wait_for(question, self.crew, seconds=seconds, why=lambda: f"{why} within {seconds:.0f} s.")

    def let_pass(self, seconds: float) -> None:
        """Let time pass, watching that every program goes on."""
        end = now() + timedelta(seconds=seconds)
        self.wait(lambda: now() >= end, seconds=seconds + 60, why="time does not pass")


def run_line(screen: Screen, line: str, *, place: Place) -> Said:
    """Show a command as a person types it and run exactly that in a process of its own."""
    screen.typed(f"workbench {line}")
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "workbench", *shlex.split(line)],
            env=child_environment(place.settings, COLUMNS=str(screen.width)),
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in the order in which a terminal shows them
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise DemoFailed(f"`workbench {line}` took longer than {COMMAND_SECONDS:g} s.") from exc
    return Said(ended.returncode, ended.stdout, "")


def counted(counts: dict[str, int]) -> str:
    """Write counts with their names."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())

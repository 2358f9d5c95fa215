"""The live scenes: real processes, the real commands, and what the database says about both."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.clock import from_text
from workbench.demo.crew import Crew, DemoFailed
from workbench.demo.place import Place
from workbench.demo.screen import Board, Screen
from workbench.demo.world import World
from workbench.records import Automation
from workbench.settings import child_environment

ALERT_SECONDS = 2
"""Window of the demo's alert: it fires on any failed write of an agent within it."""

COMMAND_SECONDS = 60.0
START_SECONDS = 30.0
COMMIT_LAG = timedelta(seconds=0.1)
"""The board looks this far back, so that a write under way is counted in its own second."""

RESTARTED = "invoice-triage"
RUNS = 5


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Live:
    """What the live scenes play with."""

    screen: Screen
    board: Board
    place: Place
    crew: Crew
    world: World
    automations: Sequence[Automation]

    @property
    def agents(self) -> list[str]:
        """Ids of the automations that the demo pauses."""
        return [a.automation_id for a in self.automations if a.kind == "agent"]

    @property
    def others(self) -> list[str]:
        """Ids of the automations that go on."""
        return [a.automation_id for a in self.automations if a.kind != "agent"]

    def command(self, words: Sequence[str], *, shown: str) -> Said:
        """Run the real command in a process of its own, and show how a person types it."""
        self.screen.typed(f"workbench {shown}")
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "workbench", *words],
                env=child_environment(self.place.settings),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise DemoFailed(
                f"`workbench {shown}` took longer than {COMMAND_SECONDS:g} s."
            ) from exc
        return Said(ended.returncode, ended.stdout, ended.stderr)

    def watch(self, seconds: float, *, is_over: Callable[[], bool] = lambda: False) -> None:
        """Write one line of the board a second."""
        lines = 0
        while lines < seconds:
            time.sleep(1.0 - datetime.now(UTC).microsecond / 1e6 + COMMIT_LAG.total_seconds())
            until = datetime.now(UTC).replace(microsecond=0)
            counts = self.world.counts(until - timedelta(seconds=1), until)
            self.board.row(until, counts, alert=self.alert(until))
            lines += 1
            self.crew.check_alive()
            if is_over():
                return

    def alert(self, until: datetime) -> str:
        """Return what the demo's alert says at an instant."""
        counts = self.world.counts(until - timedelta(seconds=ALERT_SECONDS), until)
        failures = sum(count.failures for count in counts.values())
        return f"FIRING {failures}" if failures else "green"


@dataclass(frozen=True)
class Pause:
    """What the pause did, from the receipt of the command and from the database."""

    hold_id: str
    recorded_at: datetime
    confirmed_at: datetime
    targets: Sequence[dict[str, Any]]


def show_work(live: Live) -> None:
    """Scene 1: six processes of five kinds write, then the agents begin to fail."""
    live.screen.scene(1, "Six real processes of five kinds ask the gate before every write")
    began, missing = time.monotonic(), [a.automation_id for a in live.automations]
    while missing:
        if time.monotonic() - began > START_SECONDS:
            raise DemoFailed(f"{', '.join(missing)} did not write within {START_SECONDS:.0f} s.")
        live.crew.check_alive()
        missing = [name for name in missing if live.world.last_write_at(name) is None]
        time.sleep(0.05)
    live.board.head()
    live.watch(2)
    live.place.fault.touch()
    live.screen.say("staged: the agents' model provider begins to answer badly")
    live.watch(3)


def show_pause(live: Live) -> Pause:
    """Scene 2: one command freezes exactly the agents."""
    live.screen.scene(2, "One command freezes exactly the agents")
    reason = "agents fail and write wrong amounts"
    words = ["pause", "kind=agent", "--reason", reason, "--as", "ops-lead", "--yes"]
    said = live.command([*words, "--json"], shown=f'pause kind=agent --reason "{reason}" --yes')
    if said.code != 0:
        raise DemoFailed(f"The pause ended with exit code {said.code}: {said.err or said.out}")
    receipt = json.loads(said.out)
    targets = receipt["targets"]
    if sorted(t["automation_id"] for t in targets) != sorted(live.agents):
        raise DemoFailed(f"The pause covers {targets}, not exactly {', '.join(live.agents)}.")
    pause = Pause(
        hold_id=receipt["hold_id"],
        recorded_at=from_text(targets[0]["recorded_at"]),
        confirmed_at=max(from_text(t["confirmed_at"]) for t in targets),
        targets=targets,
    )
    show_targets(live, pause)
    live.watch(3)
    _prove(live, pause)
    return pause


def show_targets(live: Live, pause: Pause) -> None:
    """Write how long each step took at each automation, from the receipt of the pause."""
    say, start = live.screen.say, pause.recorded_at
    say(f"{pause.hold_id}  recorded {start:%H:%M:%S}.{start.microsecond // 1000:03} UTC, then:")
    for target in pause.targets:
        steps = ("delivered", "confirmed", "quiet")
        times = "   ".join(f"{step} {_reached(target[f'{step}_at'], start)}" for step in steps)
        say(f"  {target['automation_id']:<15} {times}")


def _reached(at: str | None, start: datetime) -> str:
    """Write how long a step took; a pause returns when all have confirmed, and a run may end just after."""
    return _ms(from_text(at) - start) if at else "not yet, a run is ending"


def _prove(live: Live, pause: Pause) -> None:
    """Count from the database what was written after the last process had confirmed."""
    last = max(at for name in live.agents if (at := live.world.last_write_at(name)))
    after = sum(live.world.count_since(name, pause.confirmed_at)[0] for name in live.agents)
    others = {name: live.world.count_since(name, pause.confirmed_at)[0] for name in live.others}
    live.screen.say(
        f"Last write of the agents: {_distance(last - pause.recorded_at)} the hold was recorded, "
        f"{_distance(last - pause.confirmed_at)} the receipt, when each agent's process had seen it."
    )
    live.screen.say(
        f"Writes of the agents after the receipt: {after}, counted from the database. "
        f"Writes of the other {len(others)} since then: {sum(others.values())}.",
        colour="green" if not after else "red",
    )
    if after:
        raise DemoFailed(f"{after} writes came after the pause was confirmed.")
    if idle := [name for name, count in others.items() if not count]:
        raise DemoFailed(f"{', '.join(idle)} stopped too, and should have gone on.")


def show_refusal(live: Live, pause: Pause) -> None:
    """Scene 3: the alert is green because nothing runs, and a resume is refused."""
    live.screen.scene(3, "The alert turns green. May the agents start again?")
    until = datetime.now(UTC)
    counts = live.world.counts(until - timedelta(seconds=ALERT_SECONDS), until)
    writes = sum(counts[name].entries for name in live.agents if name in counts)
    live.screen.say(
        f"alert: {live.alert(until)}. 0 failures in {ALERT_SECONDS} s, of {writes} writes: "
        "nothing runs, so it could not be anything else."
    )
    if writes or live.alert(until) != "green":
        raise DemoFailed("The alert should be green because the agents wrote nothing.")
    said = live.command(
        ["resume", pause.hold_id, "--full", "--yes"], shown=f"resume {pause.hold_id} --full"
    )
    live.screen.printed(said.err, colour="yellow")
    live.screen.say(f"exit code {said.code}: refused")
    if said.code != 3:
        raise DemoFailed(f"The resume ended with exit code {said.code}, not 3 (refused).")


def show_narrow_restart(live: Live, pause: Pause) -> None:
    """Scene 5: one agent restarts for a few runs and is stopped by its own limit."""
    live.screen.scene(5, f"One agent restarts, for {RUNS} runs, under the same hold")
    live.place.fault.unlink(missing_ok=True)
    live.screen.say("staged: the provider answers well again")
    began, why = datetime.now(UTC), "demo: no run history of these six to review"
    only = ["--only", f"automation={RESTARTED}", "--runs", str(RUNS)]
    words = ["resume", pause.hold_id, *only, "--break-glass", why, "--as", "ops-lead", "--yes"]
    shown = f'resume {pause.hold_id} {" ".join(only)} --break-glass "{why}"'
    said = live.command(words, shown=shown)
    live.screen.printed("\n".join(said.out.splitlines()[1:3]) or said.err)
    if said.code != 0:
        raise DemoFailed(f"The narrow restart ended with exit code {said.code}.")
    live.board.head()
    live.watch(12, is_over=lambda: _has_ended(live, began))
    entries, runs = live.world.count_since(RESTARTED, began)
    others = sum(live.world.count_since(name, began)[0] for name in live.agents) - entries
    asked = live.command(["gate", RESTARTED], shown=f"gate {RESTARTED}")
    live.screen.printed(asked.out)
    live.screen.say(
        f"{RESTARTED} made {runs} runs ({entries} writes, counted from the database) and was stopped "
        f"by its limit. {pause.hold_id} stands. The other agent wrote {others} times.",
        colour="green",
    )
    if (runs, others, asked.code) != (RUNS, 0, 20):
        raise DemoFailed(
            f"The narrow restart let {runs} runs through, the other agent {others} writes; "
            f"exactly {RUNS} and 0 were allowed (gate: exit code {asked.code})."
        )


def _has_ended(live: Live, began: datetime) -> bool:
    """Tell whether all runs were made and nothing was written for a second after."""
    _, runs = live.world.count_since(RESTARTED, began)
    last = live.world.last_write_at(RESTARTED)
    quiet = last is not None and datetime.now(UTC) - last > timedelta(seconds=1)
    return runs >= RUNS and quiet


def _milliseconds(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)


def _ms(length: timedelta) -> str:
    return f"{_milliseconds(length):+d} ms"


def _distance(length: timedelta) -> str:
    side = "before" if length <= timedelta() else "AFTER"
    return f"{abs(_milliseconds(length))} ms {side}"

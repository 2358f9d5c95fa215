"""Plays the demo from the first scene to the last line."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
import webbrowser
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.clock import SystemClock
from workbench.control import Control
from workbench.demo.crew import crew_of, start_workers
from workbench.demo.evidence import Making, open_recording, show_reports, start_reports
from workbench.demo.live import Live, show_narrow_restart, show_pause, show_refusal, show_work
from workbench.demo.place import Place, choose_place, claimed, standing_holds
from workbench.demo.screen import Board, Screen
from workbench.demo.tamper import show_audit
from workbench.demo.world import create_world
from workbench.registry import read_registry
from workbench.settings import Settings, has_desktop, is_place_named

REGISTRY = Path(__file__).with_name("automations.toml")


@dataclass(frozen=True)
class Wish:
    """What the person asked for: where to play, from which recording, and whether to open the reports."""

    folder: Path | None = None
    recording: Path | None = None
    opens_reports: bool = True


def play(wish: Wish) -> None:
    """Play every scene; raises DemoFailed when a number is not what it must be, Refused for a foreign store."""
    began, screen = time.monotonic(), Screen()
    recording = open_recording(wish.recording)
    registry = read_registry(REGISTRY)
    place = choose_place(Settings.from_environment(), wish.folder, is_told_where=is_place_named())
    automations = list(registry.automations.values())
    standing = standing_holds(place, SystemClock())
    with claimed(place, SystemClock(), own=registry.automations) as store, crew_of(place) as crew:
        if standing:  # said only now: a store that is somebody's was refused
            screen.say(
                f"The earlier demo's store is replaced, and with it what stood there: {standing}.",
                indent="",
            )
        Control(store, SystemClock()).apply_registry(registry)
        makings = start_reports(crew, place, recording=recording)
        with closing(create_world(place.world)) as world:
            start_workers(crew, place, automations=automations)
            live = Live(screen, Board(screen, automations), place, crew, world, automations)
            show_work(live)
            pause = show_pause(live)
            show_refusal(live, pause)
            show_reports(screen, makings, recording=recording)
            show_narrow_restart(live, pause)
            show_audit(live, store)
    _end(screen, makings, place=place, seconds=time.monotonic() - began)
    if wish.opens_reports and has_desktop():
        for making in makings:
            with suppress(webbrowser.Error, OSError):
                webbrowser.open(making.html.as_uri())


def _end(screen: Screen, makings: list[Making], *, place: Place, seconds: float) -> None:
    """Write the verdict and the path of each page on a line of its own."""
    document = makings[0].made["verdict"]
    verdict = str(document["verdict"]).replace("_", " ").upper()
    screen.scene(7, f"Verdict of the recorded incident: {verdict}")
    screen.recorded(makings[0].instant.at, str(document["reason"]))
    for making in makings:
        screen.bare(str(making.html))
    screen.say(
        f"That took {seconds:.0f} s. The paused store stays; look at it from a terminal, or in the panel:",
        indent="",
    )
    for line in shell_lines(place.settings):
        screen.bare(line)


def shell_lines(settings: Settings) -> tuple[str, ...]:
    """Return what to paste into a shell to use a store: its variables, then two commands that work there.

    Always with the variables: whoever started the demo may have set them for it alone, as `make demo` does.
    """
    wanted = sorted(settings.as_environment().items())
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in wanted)
    own = Path(sys.executable).with_name("workbench")
    if shutil.which("workbench"):
        program = "workbench"
    else:
        words = [str(own)] if own.exists() else [sys.executable, "-m", "workbench"]
        program = shlex.join(words)
    return f"export {variables}", f"{program} status", f"{program} lab"

"""The recorded scenes: two reports of a real recorded incident, made while the live scenes play."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.demo.crew import Crew, DemoFailed
from workbench.demo.place import Place
from workbench.demo.screen import Screen
from workbench.errors import NotFound
from workbench.recordings import Instant, Recording, shipped_names
from workbench.settings import child_environment

REPORTS = {"alert-resolved": (), "end": ("--post-incident",)}
"""Instant of the recording -> how the review about it is asked for."""

LONGEST_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.2
SAY_EVERY_SECONDS = 10.0
NICENESS = 5
"""The reports give way to the live scenes on a small machine."""


@dataclass
class Making:
    """One report on its way."""

    instant: Instant
    name: str
    child: subprocess.Popen[bytes]
    folder: Path
    told: int = 0
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def html(self) -> Path:
        """The finished page."""
        return Path(self.made["html"])

    def new_steps(self) -> list[str]:
        """Return the steps it told of since the last look."""
        lines = (self.folder / f"{self.name}.err").read_text(errors="replace").splitlines()
        found = [json.loads(line)["step"] for line in lines if line.startswith('{"step"')]
        new, self.told = found[self.told :], len(found)
        return new

    def _why(self) -> str:
        err = (self.folder / f"{self.name}.err").read_text(errors="replace").splitlines()
        said = [line for line in err if line.strip() and not line.startswith((" ", "{"))]
        return said[-1].removeprefix("workbench: ") if said else "it said nothing"

    def collect(self) -> None:
        """Read what the finished review printed; raises DemoFailed when it did not succeed."""
        out = (self.folder / f"{self.name}.out").read_text(errors="replace")
        if self.child.returncode != 0:
            raise DemoFailed(
                f"The report {self.name} ended with exit code {self.child.returncode}: {self._why()}"
            )
        self.made = json.loads(out)
        if not self.made.get("is_complete") or not self.html.is_file():
            raise DemoFailed(f"The report {self.name} is not complete: {self.made}")


def open_recording(folder: Path | None) -> Recording:
    """Open the recording in a folder, or the shipped one."""
    if folder is not None:
        return Recording.open(folder.name, folder.absolute().parent)
    names = shipped_names()
    if not names:
        raise NotFound("No recording came with this installation.")
    return Recording.open(names[-1])


def start_reports(crew: Crew, place: Place, *, recording: Recording) -> list[Making]:
    """Start both reports, each in a process of its own on its own copy of the recorded incident."""
    makings = []
    for name, options in REPORTS.items():
        instant = recording.instant(name)
        target = place.recorded(name)
        words = ("-m", "workbench.demo.replay", str(recording.folder), name, str(target), *options)
        environment = child_environment(place.settings)
        child = crew.start(f"report-{name}", words, environment=environment, niceness=NICENESS)
        makings.append(Making(instant, f"report-{name}", child, place.folder))
    return makings


def show_reports(screen: Screen, makings: list[Making], *, recording: Recording) -> None:
    """Scene 4: wait for the reports, showing how far each is, then contrast alert and evidence."""
    screen.scene(4, "What would the evidence say? A recorded incident, reviewed as it stood then")
    screen.say(
        f"{recording.title}, recorded on {recording.recorded_on}. What was staged in it is in the README."
    )
    _wait_for(screen, makings)
    decision, review = makings
    document = decision.made["verdict"]
    words = document["headline"]
    verdict = str(document["verdict"]).replace("_", " ").upper()
    at = decision.instant.at
    contrast = f"{words['alert_says']} / The evidence says: {verdict}. {words['evidence_says']}"
    screen.recorded(at, f"The alert says: {contrast}", colour="yellow")
    screen.recorded(at, f"first blocker: {document['first_blocker']}")
    screen.recorded(review.instant.at, "post-incident review: complete")


def _wait_for(screen: Screen, makings: list[Making]) -> None:
    began, waiting, said = time.monotonic(), list(makings), 1
    while waiting:
        for making in list(waiting):
            ended = making.child.poll() is not None
            for step in making.new_steps():
                screen.recorded(making.instant.at, step)
            if ended:
                making.collect()
                waiting.remove(making)
        waited = time.monotonic() - began
        if waited > LONGEST_SECONDS:
            raise DemoFailed(f"The reports were not done within {LONGEST_SECONDS:.0f} s.")
        if waiting and waited > said * SAY_EVERY_SECONDS:
            screen.say(f"{len(waiting)} of {len(makings)} reports are being computed ...")
            said += 1
        time.sleep(LOOK_EVERY_SECONDS)

"""Plays the live demo from the first scene to the last line, and leaves nothing running."""

from __future__ import annotations

import shlex
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from workbench.demo.crew import crew_of
from workbench.demo.on_prefect.desk import AUTOMATIONS, Desk
from workbench.demo.on_prefect.place import choose_folder, emptied
from workbench.demo.on_prefect.provider import Provider
from workbench.demo.on_prefect.scenes import (
    show_failures,
    show_pause,
    show_quiet,
    show_record,
    show_restart,
    show_review,
    show_work,
)
from workbench.demo.on_prefect.server import (
    PrefectPlace,
    PrefectServer,
    environment_folder,
    free_port,
    now,
    start_server,
    start_worker,
)
from workbench.demo.place import Place
from workbench.demo.play import shell_lines
from workbench.demo.screen import Screen
from workbench.settings import Settings, child_environment, prefect_environment

REGISTRY = Path(__file__).with_name("automations.toml")
EVERY = timedelta(seconds=5)
ENGINES = """[engines.prefect]
kind = "prefect"
url = "{url}"
"""


@dataclass(frozen=True)
class LiveWish:
    """What the person asked for: the folder to play in, if any."""

    folder: Path | None = None


def play_live(wish: LiveWish) -> None:
    """Play every scene; raises DemoFailed when a figure is not what it must be, NotFound without a Prefect."""
    began, screen, settings = time.monotonic(), Screen(), Settings.from_environment()
    environment = environment_folder(prefect_environment(), Path.cwd())
    place = choose_folder(settings, wish.folder)
    with emptied(place), Provider().answering() as provider, crew_of(place) as crew:
        prefect = PrefectPlace(environment, place.settings.home / "prefect", free_port())
        with closing(PrefectServer(prefect.url)) as server:
            desk = Desk(screen, place, crew, server, provider, now())
            set_up(desk, prefect)
            for show in (show_work, show_failures):
                show(desk)
            show_quiet(desk, show_pause(desk))
            for show in (show_review, show_restart, show_record):
                show(desk)
    _end(screen, place, seconds=time.monotonic() - began)


def set_up(desk: Desk, prefect: PrefectPlace) -> None:
    """Scene 1: make the store, start the server, deploy, and let `workbench serve` deliver to it."""
    settings, screen = desk.place.settings, desk.screen
    screen.scene(1, f"A real Prefect server, on port {prefect.port} of this machine")
    for line in shell_lines(settings)[:1]:
        screen.bare(line)
    desk.type("store init --environment staging")
    desk.type(f"registry apply {shlex.quote(str(REGISTRY))} --yes")
    settings.engines_file.write_text(ENGINES.format(url=prefect.url), encoding="utf-8")
    screen.say(f"{settings.engines_file.name} names the engine: {prefect.url}")
    start_server(desk.crew, prefect, settings=settings, server=desk.server)
    desk.server.make_pool()
    for place, name in enumerate(AUTOMATIONS):
        desk.server.deploy(name, every=EVERY, first_at=now() + timedelta(seconds=place))
    start_worker(desk.crew, prefect, settings=settings, provider_url=desk.provider.url)
    screen.say(f"Prefect {desk.server.version()} answers; a worker takes runs from it.")
    screen.typed("workbench serve &")
    environment = child_environment(settings)
    desk.crew.start("workbench-serve", ("-m", "workbench", "serve"), environment=environment)


def _end(screen: Screen, place: Place, *, seconds: float) -> None:
    """Say where everything lies and how long it took; by now nothing runs any more."""
    screen.scene(9, "What is left")
    for page in sorted(place.settings.home.rglob("*.html")):
        screen.bare(str(page))
    screen.say(
        f"That took {seconds:.0f} s. Server, worker and `serve` have ended; the store and the reports stay:",
        indent="",
    )
    for line in shell_lines(place.settings):
        screen.bare(line)

"""Scene 6: the log verifies, and a copy in which one row was altered does not."""

from __future__ import annotations

import shutil
from dataclasses import replace

from workbench.demo.crew import DemoFailed
from workbench.demo.live import Live
from workbench.demo.place import Place
from workbench.demo.world import alter_copy
from workbench.store import Store
from workbench.store.connection import STORE_FILE

WRONG_REASON = "planned maintenance"


def show_audit(live: Live, store: Store) -> None:
    """Verify the demo's log, then a tampered copy; the altered row must be named."""
    live.screen.scene(6, "The record holds, and a tampered copy of it does not")
    said = live.command(["audit", "verify"], shown="audit verify")
    live.screen.printed(said.out or said.err, colour="green")
    if said.code != 0:
        raise DemoFailed(f"The demo's own log does not verify: {said.err}")
    placed = next(e for e in store.events() if e.action == "hold.place")
    copy = replace(live, place=_copy_of(live.place))
    path = copy.place.settings.store / STORE_FILE
    if alter_copy(path, placed.seq, before=placed.reason, after=WRONG_REASON) != 1:
        raise DemoFailed("The copy of the log could not be altered.")
    live.screen.say(
        f"In a copy of the file, with its guards dropped, event {placed.seq} now gives another reason: "
        f"{placed.reason!r} became {WRONG_REASON!r}."
    )
    said = copy.command(["audit", "verify"], shown="audit verify   # of the copy")
    live.screen.printed(said.err, colour="yellow")
    live.screen.say(f"exit code {said.code}: broken")
    if said.code != 14 or f"broken at {placed.seq}:" not in said.err:
        raise DemoFailed(f"The altered event {placed.seq} was not named: {said.err or said.out}")


def _copy_of(place: Place) -> Place:
    """Copy the store's file; every writer has closed it, so the file is whole."""
    target = place.tampered
    target.mkdir(parents=True)
    for path in place.settings.store.glob(f"{STORE_FILE}*"):
        shutil.copyfile(path, target / path.name)
    settings = replace(place.settings, store=target, gate=target / "gate")
    return Place(settings)

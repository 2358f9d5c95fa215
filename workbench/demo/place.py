"""Where the demo plays: a store of its own, never somebody else's, replaced when it plays again."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.clock import Clock
from workbench.control.actor import actor_text
from workbench.errors import Refused, StorageUnavailable, UsageFault
from workbench.settings import Settings
from workbench.snapshot import (
    EPOCH_FILE,
    SEEN_FOLDER,
    SNAPSHOT_FILE,
    TICKET_FOLDER,
    Publisher,
    SnapshotFault,
)
from workbench.store import Store, init_store
from workbench.store.connection import STORE_FILE
from workbench.store.lock import LOCK_FILE
from workbench.store.store import backend_of, store_of

ENVIRONMENT = "demo"
MARK = "demo-store.json"
"""Lies beside the store's file and names the store: only what carries it is ever replaced."""


@dataclass(frozen=True)
class Place:
    """The folders of one demo.

    Attributes:
        settings: store, gate and home that the live scenes use, as any command would.
    """

    settings: Settings

    @property
    def folder(self) -> Path:
        """Everything of the demo that is not store or gate."""
        return self.settings.home / "demo-stage"

    @property
    def world(self) -> Path:
        """The small database that the automations write to."""
        return self.folder / "world.sqlite"

    @property
    def fault(self) -> Path:
        """While this file is there the agents fail: the staged fault."""
        return self.folder / "staged-fault"

    @property
    def tampered(self) -> Path:
        """Folder of the copied store that is altered."""
        return self.folder / "tampered-copy"

    def recorded(self, instant: str) -> Path:
        """Return the folder of the recorded incident as it stood at an instant."""
        return self.folder / instant

    def marked_id(self) -> str:
        """Return the id of the store that a demo made here, or an empty text."""
        try:
            mark = json.loads((self.settings.store / MARK).read_bytes())
        except (OSError, ValueError):
            return ""
        return str(mark.get("store_id", "")) if isinstance(mark, dict) else ""


def standing_holds(place: Place, clock: Clock) -> str:
    """Return the holds that stand in the store of an earlier demo, for the line that says it is replaced."""
    store = place.settings.store
    if not place.marked_id() or not (store / STORE_FILE).exists():
        return ""
    holds = _earlier(place, clock).state().standing_holds()
    return ", ".join(f"{hold.hold_id} ({hold.scope})" for hold in holds)


def _earlier(place: Place, clock: Clock) -> Store:
    """Return the store that lies here; one that an earlier version's demo made is brought up to date first.

    It is about to be replaced, and to see that it may be it has to be read. A store without the demo's
    mark is not touched.
    """
    if place.marked_id():
        backend_of(place.settings).upgrade(place.settings.home / "copies")
    return store_of(place.settings, clock)


def choose_place(settings: Settings, folder: Path | None, *, is_told_where: bool) -> Place:
    """Return where to play: a folder that was named, where the settings point, or a folder of our own."""
    if settings.demo_clock_at is not None:
        raise UsageFault(
            "The demo's first scenes are live, and WORKBENCH_CLOCK makes the clock stand.",
            next_step="unset WORKBENCH_CLOCK and run `workbench demo` again",
        )
    if folder is None and settings.store_url is not None:
        raise UsageFault(
            "The demo makes a store of its own in a folder, and WORKBENCH_STORE names a database.",
            next_step="name a folder: `workbench demo --folder FOLDER`",
        )
    if folder is None and is_told_where:
        return Place(settings)
    base = (folder or settings.home / "demo").expanduser().absolute()
    own = replace(settings, store=base / "store", gate=base / "gate", home=base, store_url=None)
    return Place(own)


@contextmanager
def claimed(place: Place, clock: Clock, *, own: Collection[str]) -> Iterator[Store]:
    """Make the demo's store, in place of an earlier demo's; raises Refused where another store lies.

    `own` names the automations that a demo registers. Held until the demo is over, so that a second one
    does not replace what the first is playing on.
    """
    store, home = place.settings.store, place.settings.home
    _refuse_foreign(place, clock, own)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".demo.lock").open("a")
    except OSError as exc:
        raise StorageUnavailable(
            f"The demo cannot write to {home}: {exc.strerror}.",
            next_step="name a folder that you may write to: `workbench demo --folder FOLDER`",
        ) from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise Refused(
                f"Another demo is playing in {home}.", next_step="wait for it, or give --folder"
            ) from exc
        if place.marked_id():
            _take_away(place)
        made = init_store(
            place.settings, clock, environment=ENVIRONMENT, actor=actor_text(None, {})
        )
        mark = {"store_id": made.meta()["store_id"]}
        (store / MARK).write_text(json.dumps(mark), encoding="utf-8")
        place.folder.mkdir(parents=True)
        yield made


def _refuse_foreign(place: Place, clock: Clock, own: Collection[str]) -> None:
    why = _why_foreign(place, clock, own)
    if why:
        raise Refused(
            f"{why} It was left as it is.",
            next_step="play in a folder of its own: `workbench demo --folder FOLDER`",
        )


def _why_foreign(place: Place, clock: Clock, own: Collection[str]) -> str:
    """Return why something that lies here is not the demo's to replace, or an empty text."""
    store, gate, marked = place.settings.store, place.settings.gate, place.marked_id()
    if (store / STORE_FILE).exists():
        found = _earlier(place, clock)
        facts = found.meta()
        if facts.get("store_id") != marked or facts.get("environment") != ENVIRONMENT:
            return f"The store in {store} was not made by the demo."
        if strange := sorted(set(found.state().automations) - set(own)):
            return f"The demo's store in {store} has been put to use: it holds {strange[0]}."
    try:
        Publisher(gate, marked).check_owner()
    except SnapshotFault as exc:
        return f"{exc}."
    if not marked and place.folder.exists():
        return f"{place.folder} is there already, and not the demo's."
    return ""


def _take_away(place: Place) -> None:
    """Remove what an earlier demo made: its store, its gate, its own folder, and nothing else.

    The mark goes last: a removal that was cut short is taken up again by the next demo.
    """
    shutil.rmtree(place.folder, ignore_errors=True)
    for name in (SEEN_FOLDER, TICKET_FOLDER):
        shutil.rmtree(place.settings.gate / name, ignore_errors=True)
    for name in (EPOCH_FILE, SNAPSHOT_FILE):
        (place.settings.gate / name).unlink(missing_ok=True)
    for path in sorted(place.settings.store.glob(f"{STORE_FILE}*")):
        path.unlink()
    (place.settings.store / LOCK_FILE).unlink(missing_ok=True)
    (place.settings.store / MARK).unlink()

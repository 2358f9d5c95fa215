"""Where the live demo plays: a folder of its own, emptied when it plays again, and nobody else's."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workbench.demo.place import Place
from workbench.errors import Refused, StorageUnavailable, UsageFault
from workbench.settings import Settings

MARK = "made-by-demo-live"
"""Lies in a folder that a live demo made: only that is ever emptied."""

LOCK = ".demo-live.lock"


def choose_folder(settings: Settings, folder: Path | None) -> Place:
    """Return where to play: the folder that was named, or `live` in the private folder."""
    if settings.demo_clock_at is not None:
        raise UsageFault(
            "The live demo measures what happens now, and WORKBENCH_CLOCK makes the clock stand.",
            next_step="unset WORKBENCH_CLOCK and run it again",
        )
    base = (folder or settings.home / "live").expanduser().absolute()
    own = replace(
        settings,
        store=base / "store",
        gate=base / "gate",
        home=base,
        store_url=None,
        anchors=(),
        spool=None,
        engines=None,
    )
    return Place(own)


@contextmanager
def emptied(place: Place) -> Iterator[Place]:
    """Make the folder, or empty one that a live demo made; raises Refused for any other, and for one in use."""
    base = place.settings.home
    if base.exists() and not (base / MARK).exists() and any(base.iterdir()):
        raise Refused(
            f"{base} was not made by the live demo; it was left as it is.",
            next_step="play in a folder of its own: `workbench demo --live --folder FOLDER`",
        )
    try:
        base.mkdir(parents=True, exist_ok=True)
        (base / MARK).touch()
        lock = (base / LOCK).open("a")
    except OSError as exc:
        raise StorageUnavailable(
            f"The live demo cannot write to {base}: {exc.strerror}.",
            next_step="name a folder that you may write to: `workbench demo --live --folder FOLDER`",
        ) from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise Refused(
                f"Another live demo is playing in {base}.",
                next_step="wait for it, or give --folder",
            ) from exc
        for path in base.iterdir():
            if path.name not in (MARK, LOCK):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        place.folder.mkdir()
        yield place

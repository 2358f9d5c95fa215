"""What the store published, read and watched: epoch words, snapshot, spools, and whether the source lives."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workbench.answers import GateAnswer, GateState
from workbench.clock import Clock, SystemClock, from_text
from workbench.errors import in_words
from workbench.gate.spools import KnownSpools
from workbench.gate.view import SPOOLED, View
from workbench.identity import boot_id, folder_id
from workbench.settings import Settings
from workbench.snapshot import (
    EPOCH_FILE,
    EPOCH_SIZE_BYTES,
    EPOCH_WORD,
    HEARTBEAT_WORD,
    NUMBER_WORD,
    SEQ_WORD,
    SPOOL_WORD,
    Published,
    SnapshotFault,
    published_by,
    read_snapshot,
    store_digest,
)
from workbench.spool import NOTHING, Spool

ODD_WAIT_SECONDS = 0.05
"""How long a publication in progress is waited for (SEMANTICS 4)."""
ODD_STEP_SECONDS = 0.0001
"""How often it is looked at meanwhile; what a caller waits for is mostly less than a millisecond."""
RESTAT_SECONDS = 1.0
"""How often the epoch file's identity is checked, and how fresh `age_seconds` is."""

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


class Source:
    """One gate folder with its spools, as threads of one process see it."""

    def __init__(
        self, folder: Path | str | None, *, clock: Clock | None, max_age_seconds: float | None
    ) -> None:
        """Remember where to look; nothing is read yet."""
        settings = Settings.from_environment()
        self.folder = Path(folder) if folder is not None else settings.gate
        self._spool_folders = (self.folder, *settings.spool_folders)
        self._clock = clock or SystemClock()
        self._max_age_seconds = max_age_seconds
        self._lock = threading.Lock()
        self._words: memoryview[int] | None = None
        self._identity: tuple[int, int] | None = None
        self._found: os.stat_result | None = None
        self._view: View | None = None
        self._last_view: View | None = None
        self._spooled = NOTHING
        self._spools = KnownSpools()
        self._digest: bytes | None = None
        self._restat_at = 0.0

    def current_view(self) -> View | str:
        """Return the published state as it is now, or why it cannot be told."""
        view = self._view
        if view is not None and view.is_current and time.monotonic() < self._restat_at:
            return view
        return self._refresh()

    def unknown(self, automation_id: str, fault: str) -> GateAnswer:
        """Return the answer where the published state cannot be told.

        What was paused when last heard of stays so: not knowing never opens, and in a narrow restart
        (the hold is still there) UNKNOWN counts as PAUSED whatever the caller would do with it.
        """
        known = self._last_view.answer(automation_id) if self._last_view else None
        if known is not None and known.state is GateState.PAUSED:
            return known._replace(reason=f"when last heard of; now unknown: {fault}")
        spooled = tuple(p.name for p in self._spooled.pauses if p.covers(automation_id))
        if spooled:
            return GateAnswer(GateState.PAUSED, spooled, reason=f"{SPOOLED}; otherwise {fault}")
        return GateAnswer(GateState.UNKNOWN, reason=fault)

    def _refresh(self) -> View | str:
        # Threads that queue here wait a publication in progress out together.
        deadline = time.monotonic() + ODD_WAIT_SECONDS
        with self._lock:
            try:
                words = self._open()
                spool_word = words[SPOOL_WORD]
                self._digest = published_by(words)
                self._read_spools()
                found = self._load(words, spool_word, deadline)
            except FileNotFoundError:
                found = (
                    f"the gate folder {self.folder} cannot be read: no store has published there"
                )
                self._read_spools()
            except (OSError, SnapshotFault, ValueError) as exc:
                found = f"the gate folder {self.folder} cannot be read: {in_words(exc)}"
                self._read_spools()
            self._view = None if isinstance(found, str) else found
            self._last_view = self._view or self._last_view
            return found

    def _open(self) -> memoryview[int]:
        found = os.stat(self.folder / EPOCH_FILE)
        if found.st_size != EPOCH_SIZE_BYTES:
            self._words = None
            raise SnapshotFault("the epoch file has another size")
        identity = (found.st_dev, found.st_ino)
        self._found = found
        if self._words is None or self._identity != identity:
            with open(self.folder / EPOCH_FILE, "rb") as file:
                area = mmap.mmap(file.fileno(), EPOCH_SIZE_BYTES, access=mmap.ACCESS_READ)
            self._words = memoryview(area).cast("Q")
            self._identity = identity
        return self._words

    def _read_spools(self) -> None:
        """Look at each spool, reading again only what has changed since the last look."""
        if self._digest is None:
            return
        self._spooled = self._spools.read(
            [Spool(folder, self._digest) for folder in self._spool_folders]
        )

    def _load(self, words: memoryview[int], spool_word: int, deadline: float) -> View | str:
        while True:
            epoch = words[EPOCH_WORD]
            if not epoch & 1:
                known = self._view
                is_same = known is not None and known.words is words and known.epoch == epoch
                published = known.published if known and is_same else read_snapshot(self.folder)
                if published.seq == words[SEQ_WORD] and words[EPOCH_WORD] == epoch:
                    return self._accept(self._view_of(words, epoch, published, spool_word))
            if time.monotonic() >= deadline:
                self._look_before_unknown(words)
                return f"publication incomplete at seq {words[SEQ_WORD]}"
            time.sleep(ODD_STEP_SECONDS)

    def _accept(self, view: View) -> View | str:
        if published_by(view.words) != store_digest(view.published.store_id):
            return f"epoch and snapshot in {self.folder} are of different stores"
        if why := self._why_older(view.published):
            return why
        self._restat_at = time.monotonic() + RESTAT_SECONDS
        return view

    def _why_older(self, published: Published) -> str:
        """Say that this process knows a later position, another history or another store, or return an empty text.

        A backup of the folder that is put back under running automations would open what was held since, and so
        would the folder of a store that nobody told of the hold.
        """
        if self._last_view is None:
            return ""
        known, again = self._last_view.published, "start this process again if that is right"
        if published.store_id != known.store_id:
            return (
                f"the gate folder {self.folder} is of store {published.store_id} now, and was of {known.store_id} when "
                f"this process began; {again}"
            )
        is_same = (published.seq, published.head_hash) == (known.seq, known.head_hash)
        if published.seq > known.seq or is_same:
            return ""
        return (
            f"the gate folder {self.folder} is an older or forked copy: it told of event {known.seq} before, and now "
            f"of event {published.seq}; run a command on the newest store, or {again}"
        )

    def _view_of(
        self, words: memoryview[int], epoch: int, published: Published, spool_word: int = 0
    ) -> View:
        now = self._clock.now()
        beat_at = _EPOCH_START + timedelta(microseconds=words[HEARTBEAT_WORD] // 1000)
        said_at = max(from_text(published.published_at), beat_at)
        alive_at = now if is_in_place(published.source) else said_at
        view = View(words, published, epoch=epoch, read_at=now, alive_at=alive_at)
        view.spool_word = spool_word
        view.spooled = self._spooled
        view.max_age_seconds = self._max_age_seconds
        view.folder_id = folder_id(words[NUMBER_WORD], self._found) if self._found else ""
        return view

    def _look_before_unknown(self, words: memoryview[int]) -> None:
        """Remember what the older snapshot says: a process that just began must not go on over a hold."""
        with contextlib.suppress(SnapshotFault):
            published = read_snapshot(self.folder)
            is_ours = published_by(words) == store_digest(published.store_id)
            if is_ours and not self._why_older(published):
                self._last_view = self._view_of(words, words[EPOCH_WORD], published)


def is_in_place(source: Mapping[str, Any]) -> bool:
    """Tell whether the file that a state was published from is where it was, on this very machine.

    A store in a file has no server that could die: who commits to the file publishes it, before the command
    returns. So it is alive as long as the file is there. It is looked at, never opened.
    """
    if not source or source.get("boot_id") != boot_id():
        return False
    try:
        found = os.stat(str(source["path"]))
    except (OSError, KeyError, ValueError):
        return False
    return (found.st_dev, found.st_ino) == (source.get("device"), source.get("inode"))

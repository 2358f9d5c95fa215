"""What one process knows of its spools: a pause that was in one is let go only by who frees its slot.

A spool that is deleted, made anew, or put back from a backup has fewer pauses and nobody recorded anything. So what
was in it is kept here for as long as the process runs; one that starts afterwards cannot know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workbench.spool import NOTHING, Spool, Spooled, SpooledPause


class _Look(NamedTuple):
    """One spool as it was looked at: which file it was, its number of changes, and what was in it."""

    identity: tuple[int, int, int] | None
    changes: int
    found: Spooled


class KnownSpools:
    """Reads spools again where they have changed, and keeps what went away with a file."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._looks: dict[Spool, _Look] = {}
        self._lost: dict[str, SpooledPause] = {}

    def read(self, spools: Sequence[Spool]) -> Spooled:
        """Return the pauses of all spools, with those that went away and a doubt where one cannot be read."""
        read = [self._read_one(spool) for spool in spools]
        doubts = [found.doubt for found in read if found.doubt]
        pauses = self._lost | {p.command_id: p for found in read for p in found.pauses}
        if not pauses and not doubts:
            return NOTHING
        return Spooled(tuple(pauses.values()), doubts[0] if doubts else "")

    def _read_one(self, spool: Spool) -> Spooled:
        # Counted before, so that what changes meanwhile is read the next time.
        look = _Look(spool.identity(), spool.change_count(), NOTHING)
        known = self._looks.get(spool)
        if known is not None and not known.found.doubt and known[:2] == look[:2]:
            return known.found
        found = spool.read()
        if known is not None:
            self._keep_lost(known, spool, found=found)
        self._looks[spool] = look._replace(found=found)
        return found

    def _keep_lost(self, known: _Look, spool: Spool, *, found: Spooled) -> None:
        """Keep what is gone although nobody freed it in that very file; what turns up again is no longer lost."""
        here = {pause.command_id for pause in found.pauses}
        for command_id in here:
            self._lost.pop(command_id, None)
        identity = spool.identity()
        is_same = identity is not None and identity[:2] == (known.identity or ())[:2]
        if is_same and not found.doubt and spool.change_count() > known.changes:
            return
        gone = (pause for pause in known.found.pauses if pause.command_id not in here)
        self._lost |= {pause.command_id: pause for pause in gone}

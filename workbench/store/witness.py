"""Head notes as witnesses: a line that was printed or stands in a report, compared with the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.records import Event

_NOTE = re.compile(
    r"\s*(?:log head )?(?P<seq>[1-9][0-9]{0,14})[ :](?P<hash>[0-9a-f]{16,64})"
    r"(?: of store (?P<store_id>[^\s(]+)[^\n]*)?\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class Witness:
    """What a copy of a head note says: the event that was the newest, and how its hash begins.

    Attributes:
        source: file that it was found in, or an empty text.
    """

    seq: int
    hash: str
    store_id: str = ""
    source: str = ""


def read_witness(text: str) -> Witness:
    """Read a head note as it is printed, or its number and hash alone; raises ValueError for anything else."""
    found = _NOTE.fullmatch(text)
    if found is None:
        raise ValueError(
            "not a head note: an event number and at least 16 characters of its hash, as in `12 5b1c5bb09385265d`"
        )
    return Witness(int(found["seq"]), found["hash"], found["store_id"] or "")


def contradiction(
    events: Sequence[Event], store_id: str, *, witnesses: Iterable[Witness]
) -> tuple[int, str] | None:
    """Return the place and the words of the first witness that saw another log, or None; events verified before."""
    for said in sorted(witnesses, key=lambda said: said.seq):
        where = f" in {said.source}" if said.source else ""
        note = f"the head note {said.seq} {said.hash[:16]}{where}"
        if said.store_id not in ("", store_id):
            return said.seq, f"{note} is of another log, {said.store_id}"
        if said.seq > len(events):
            return len(events) + 1, f"tail missing: {note} is beyond the log's end at {len(events)}"
        own = events[said.seq - 1].hash
        if not own.startswith(said.hash):
            return said.seq, f"{note} saw other events up to there; this log has {own[:16]}"
    return None

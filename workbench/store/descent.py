"""Whether this store is the one that gates were told of, or an older or forked copy of it.

A copy that is put back ends before what gates know, or it goes on from there with other events. A position
alone does not tell: after a few commands the copy reaches it again. The hash at that position does.
"""

from __future__ import annotations

from pathlib import Path

from workbench.snapshot import Publisher, SnapshotFault
from workbench.store.backend import Session

WAY_OUT = (
    "put back the newest copy of the store; where that is lost, set WORKBENCH_GATE to an empty folder "
    "and let every automation read that one"
)
"""What to do about an older or forked copy."""


def copy_fault(publisher: Publisher, session: Session, *, known: tuple[int, str]) -> str:
    """Say that gates were told another history than this log holds, or return an empty text.

    `known` is a position of this log and its hash: where gates were told just that, nothing has to be read.
    A folder that cannot be read, or is another store's, says nothing here; publishing names it.
    """
    try:
        told = publisher.told()
    except (OSError, SnapshotFault):
        return ""
    return told_fault(told, session, known=known, folder=publisher.folder)


def told_fault(
    told: tuple[int, str], session: Session, *, known: tuple[int, str], folder: Path
) -> str:
    """Say that what gates of a folder were told, a position and its hash, is not of this log, as `copy_fault` does."""
    seq, told_hash = told
    if seq == 0 or told == known:
        return ""
    own = session.read_events(seq - 1, until_seq=seq)
    if own and (not told_hash or own[0].hash == told_hash):
        return ""
    has = f"has another event there ({own[0].hash[:12]})" if own else f"ends before event {seq}"
    return (
        f"this store is an older or forked copy: gates in {folder} were told event {seq} "
        f"({told_hash[:12] or 'hash not readable'}), and this log {has}"
    )

"""Tells one gate folder what a store holds; whoever calls it has the folder to itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import Clock
from workbench.identity import source_of
from workbench.snapshot import Publisher, SnapshotFault, read_snapshot
from workbench.store.backend import Session
from workbench.store.clocks import read_clocks
from workbench.store.descent import copy_fault
from workbench.store.publication import published_document
from workbench.store.state import State
from workbench.tickets import TicketBook


class GateFolder:
    """The gate folder that this host's automations read."""

    def __init__(self, folder: Path, clock: Clock, *, source: Path | None = None) -> None:
        """Remember the folder, and the file that it is told from where the store is one."""
        self._source = source
        self.folder = folder
        self.clock = clock

    def is_told(self, state: State) -> bool:
        """Tell whether gates have exactly this state."""
        return self._publisher(state).published() == (state.seq, state.head_hash)

    def copy_fault(self, session: Session, state: State) -> str:
        """Say that gates were told another history than this store holds, or return an empty text."""
        return copy_fault(self._publisher(state), session)

    def begin(self, session: Session, state: State) -> None:
        """Make the epoch odd; where that fails the publication after the commit says so."""
        if session.gate_fault:
            return
        with contextlib.suppress(OSError, SnapshotFault):
            publisher = self._publisher(state)
            if copy_fault(publisher, session):
                return  # gates stay with the newer store, undisturbed
            publisher.prepare()
            publisher.begin(state.seq)

    def tell(self, session: Session, state: State) -> str:
        """Publish a committed state; returns why gates could not be told, or an empty text."""
        if session.gate_fault:
            return session.gate_fault
        publisher = self._publisher(state)
        try:
            if fault := copy_fault(publisher, session):
                return fault
            publisher.prepare()
            folder_id = publisher.identity()[1]
            self._make_books(state, folder_id, told_seq=publisher.told()[0])
            publisher.begin(state.seq)
            source = source_of(self._source) if self._source else None
            now = self.clock.now()
            document = published_document(state, now, source=source, folder_id=folder_id)
            publisher.complete({**document, "clocks": read_clocks()})
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {exc}"
        return ""

    def clocks_then(self) -> Mapping[str, Any]:
        """Return how the clocks stood at the last publication; empty where that is not known."""
        try:
            return read_snapshot(self.folder).clocks
        except SnapshotFault:
            return {}

    def beat_at(self, state: State) -> datetime | None:
        """Return when somebody last said here that the store is alive, or None."""
        return self._publisher(state).beat_at()

    def _make_books(self, state: State, folder_id: str, *, told_seq: int) -> None:
        """Make the ticket books of the narrow restarts that give this folder a share, before gates hear of them.

        Only of those that gates here were not told yet: a book that went missing later is not made again, for
        its tickets may have been taken. One that cannot be made lets nothing through, and stops no publication.
        """
        for probation in state.probations.values():
            share = probation.runs_in(folder_id) if probation.shares else 0
            if share and probation.ended_seq is None and probation.started_seq > told_seq:
                with contextlib.suppress(OSError):
                    TicketBook(self.folder, probation.probation_id, share).create()

    def beat(self, state: State) -> str:
        """Say that the source of what gates were told is alive now; returns why not, or an empty text."""
        try:
            self._publisher(state).beat(self.clock.now())
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {exc}"
        return ""

    def identity(self, state: State) -> tuple[str, str]:
        """Return number and id of the folder; both are empty before anything was published there."""
        return self._publisher(state).identity()

    def told_seq(self, state: State) -> int:
        """Return the position of the last publication that is whole; 0 where none is."""
        return self._publisher(state).published_seq() or 0

    def renumber(self, state: State) -> None:
        """Make the folder another one than it was; the caller has it locked. Raises OSError or SnapshotFault."""
        self._publisher(state).renumber()

    def _publisher(self, state: State) -> Publisher:
        return Publisher(self.folder, state.store_id)

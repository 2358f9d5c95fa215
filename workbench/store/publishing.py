"""Tells one gate folder what a store holds; whoever calls it has the folder to itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from workbench.clock import Clock
from workbench.durable import Beside, Draft
from workbench.errors import in_words
from workbench.identity import source_of
from workbench.snapshot import Publisher, SnapshotFault, read_snapshot
from workbench.store.backend import Session
from workbench.store.clocks import read_clocks
from workbench.store.descent import copy_fault, told_fault
from workbench.store.publication import published_document
from workbench.store.state import State
from workbench.tickets import TicketBook


class Begun:
    """A publication that waits for its commit: the epoch is odd, and synced beside the recording.

    Whoever began it waits for it before the commit, and tells or drops it afterwards, all under one lock.

    Attributes:
        told_seq: position that gates were told before.
        folder_id: id of the gate folder.
    """

    def __init__(self, publisher: Publisher, seq: int, *, told_seq: int, folder_id: str) -> None:
        """Make the epoch odd for the position that the store will have; raises what the publisher raises."""
        self.publisher = publisher
        self.told_seq = told_seq
        self.folder_id = folder_id
        self.document: dict[str, Any] = {}
        self.draft: Draft | None = None
        self._opening: Beside = publisher.begin_beside(seq)

    def write(self, document: dict[str, Any]) -> None:
        """Begin to write the snapshot: earlier than the commit, so that it mostly waits for its name alone."""
        self.document, self.draft = document, self.publisher.draft(document)
        self.draft.begin()

    def wait(self) -> None:
        """Wait until the odd epoch is durable; raises OSError where it is not."""
        self._opening.wait()

    def complete(self, on_shown: Callable[[], object] | None) -> None:
        """Tell gates what was made ready."""
        self.publisher.complete(self.document, self.draft, on_shown=on_shown)

    def drop(self) -> None:
        """Take away what was written for nothing; the epoch stays odd until it is known what the store holds."""
        if self.draft is not None:
            self.draft.drop()


class GateFolder:
    """The gate folder that this host's automations read."""

    def __init__(self, folder: Path, clock: Clock, *, source: Path | None = None) -> None:
        """Remember the folder, and the file that it is told from where the store is one."""
        self._source = source
        self._known: Publisher | None = None
        self.folder = folder
        self.clock = clock

    def is_told(self, state: State) -> bool:
        """Tell whether gates have exactly this state."""
        return self._publisher(state).published() == (state.seq, state.head_hash)

    def copy_fault(self, session: Session, state: State) -> str:
        """Say that gates were told another history than this store holds, or return an empty text."""
        return copy_fault(self._publisher(state), session, known=(state.seq, state.head_hash))

    def begin(self, session: Session, state: State, *, until_seq: int) -> Begun | None:
        """Begin to publish what the store will hold at a position, from the state before; None where that fails.

        The publication after the commit says then why.
        """
        if session.gate_fault or not state.store_id:
            return None
        with contextlib.suppress(OSError, SnapshotFault):
            publisher, known = self._publisher(state), (state.seq, state.head_hash)
            told = publisher.told()
            if told_fault(told, session, known=known, folder=self.folder):
                return None  # gates stay with the newer store, undisturbed
            folder_id = publisher.prepare()
            return Begun(publisher, until_seq, told_seq=told[0], folder_id=folder_id)
        return None

    def write(self, begun: Begun | None, state: State) -> None:
        """Let what was begun write the snapshot of a state that is about to be committed."""
        if begun is not None:
            begun.write(self._document(state, begun.folder_id))

    def ready(self, begun: Begun | None) -> Begun | None:
        """Wait until a commit may follow; None where the epoch could not be made odd, as `begin` does."""
        if begun is None:
            return None
        try:
            begun.wait()
        except OSError:
            begun.drop()
            return None
        return begun

    def tell(
        self,
        session: Session,
        state: State,
        *,
        begun: Begun | None = None,
        on_shown: Callable[[], object] | None = None,
    ) -> str:
        """Publish a committed state; returns why gates could not be told, or an empty text.

        `on_shown` is called once gates see it, before it is durable.
        """
        if session.gate_fault:
            return session.gate_fault
        publisher = self._publisher(state)
        try:
            if begun is not None:
                self._make_books(state, begun.folder_id, told_seq=begun.told_seq)
                begun.complete(on_shown)
                return ""
            if fault := self.copy_fault(session, state):
                return fault
            folder_id = publisher.prepare()
            self._make_books(state, folder_id, told_seq=publisher.told()[0])
            publisher.begin(state.seq)
            publisher.complete(self._document(state, folder_id))
        except (OSError, SnapshotFault) as exc:
            if begun is not None:
                begun.drop()
            return f"the gate folder {self.folder} cannot be written: {in_words(exc)}"
        return ""

    def tell_moved(self, state: State, place: str) -> str:
        """Tell gates that the store went to another place: nothing is CLEAR here any more; returns why not, or nothing.

        What is held stays PAUSED. Only a publication of the store where it is now opens the folder again.
        """
        publisher = self._publisher(state)
        try:
            if publisher.told()[0] > state.seq or self._moved_to() == place:
                return (
                    ""  # the new place tells this folder and went on since, or it was told before
                )
            document = self._document(state, publisher.prepare())
            publisher.begin(state.seq)
            publisher.complete({**document, "doubt": moved_words(place), "moved_to": place})
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {in_words(exc)}"
        return ""

    def _moved_to(self) -> str:
        with contextlib.suppress(SnapshotFault):
            return read_snapshot(self.folder).moved_to
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

    def close(self, session: Session, state: State) -> bool:
        """Make the epoch even where gates have exactly this state and only the epoch is odd; tells whether it is."""
        if session.gate_fault:
            return False
        with contextlib.suppress(OSError, SnapshotFault):
            return self._publisher(state).close(state.seq, state.head_hash)
        return False

    def beat(self, state: State) -> str:
        """Say that the source of what gates were told is alive now; returns why not, or an empty text."""
        try:
            self._publisher(state).beat(self.clock.now())
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {in_words(exc)}"
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

    def _document(self, state: State, folder_id: str) -> dict[str, Any]:
        source = None
        if self._source:
            with contextlib.suppress(
                OSError
            ):  # gates then go by the heartbeat, and a pause reaches them
                source = source_of(self._source)
        now = self.clock.now()
        document = published_document(state, now, source=source, folder_id=folder_id)
        return {**document, "clocks": read_clocks()}

    def _publisher(self, state: State) -> Publisher:
        """Return what publishes for a store; it remembers what it published last."""
        if self._known is None or self._known.store_id != state.store_id:
            self._known = Publisher(self.folder, state.store_id, encode=_encoded)
        return self._known


def moved_words(place: str) -> str:
    """Say to who asks a gate folder that its store left it where to ask."""
    return (
        f"the store was moved to {place}, which does not tell this gate folder; let WORKBENCH_GATE name the one "
        "that it tells"
    )


def _encoded(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

"""Tells one gate folder what a store holds; whoever calls it has the folder to itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from workbench.clock import Clock
from workbench.durable import Beside, Draft
from workbench.snapshot import Publisher, SnapshotFault, source_of
from workbench.store.backend import Session
from workbench.store.descent import copy_fault
from workbench.store.publication import published_document
from workbench.store.state import State


class Begun:
    """A publication that waits for its commit: the epoch becomes odd, in a thread, while events are recorded.

    Whoever began it waits for it before the commit, and tells or drops it afterwards, all under one lock.
    """

    def __init__(self, publisher: Publisher, seq: int) -> None:
        """Begin to make the epoch odd for the position that the store will have."""
        self.publisher = publisher
        self.document: dict[str, Any] = {}
        self.draft: Draft | None = None
        self._opening = Beside(lambda: publisher.begin(seq))

    def write(self, document: dict[str, Any]) -> None:
        """Begin to write the snapshot."""
        self.document = document
        self.draft = self.publisher.draft(document)

    def wait(self) -> None:
        """Wait until the odd epoch is durable; raises what the publisher raises."""
        self._opening.wait()

    def complete(self) -> None:
        """Tell gates what was made ready."""
        self.publisher.complete(self.document, self.draft)

    def drop(self) -> None:
        """Take away what was written for nothing; the epoch stays odd until it is known what the store holds."""
        with contextlib.suppress(OSError, SnapshotFault):
            self._opening.wait()
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
            publisher = self._publisher(state)
            if self.copy_fault(session, state):
                return None  # gates stay with the newer store, undisturbed
            publisher.prepare()
            return Begun(publisher, until_seq)
        return None

    def write(self, begun: Begun | None, state: State) -> None:
        """Let what was begun write the snapshot of a state that is about to be committed."""
        if begun is not None:
            begun.write(self._document(state))

    def ready(self, begun: Begun | None) -> Begun | None:
        """Wait until a commit may follow; None where the epoch could not be made odd, as `begin` does."""
        if begun is None:
            return None
        try:
            begun.wait()
        except (OSError, SnapshotFault):
            begun.drop()
            return None
        return begun

    def tell(self, session: Session, state: State, *, begun: Begun | None = None) -> str:
        """Publish a committed state; returns why gates could not be told, or an empty text."""
        if session.gate_fault:
            return session.gate_fault
        publisher = self._publisher(state)
        try:
            if begun is not None:
                begun.complete()
                return ""
            if fault := self.copy_fault(session, state):
                return fault
            publisher.prepare()
            publisher.begin(state.seq)
            publisher.complete(self._document(state))
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {exc}"
        return ""

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
            return f"the gate folder {self.folder} cannot be written: {exc}"
        return ""

    def _document(self, state: State) -> dict[str, Any]:
        source = source_of(self._source) if self._source else None
        return published_document(state, self.clock.now(), source=source)

    def _publisher(self, state: State) -> Publisher:
        """Return what publishes for a store; it remembers what it published last."""
        if self._known is None or self._known.store_id != state.store_id:
            self._known = Publisher(self.folder, state.store_id, encode=_encoded)
        return self._known


def _encoded(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

"""Tells one gate folder what a store holds; whoever calls it has the folder to itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from workbench.clock import Clock
from workbench.durable import Draft
from workbench.snapshot import Publisher, SnapshotFault, source_of
from workbench.store.backend import Session
from workbench.store.descent import copy_fault
from workbench.store.publication import published_document
from workbench.store.state import State


class Begun(NamedTuple):
    """A publication that waits for the commit."""

    document: dict[str, Any]
    draft: Draft


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
        return copy_fault(self._publisher(state), session)

    def begin(self, session: Session, state: State) -> Begun | None:
        """Make the epoch odd and begin to write what gates will be told once the state is committed.

        Where that fails the publication after the commit says so. Whoever begins tells or drops it, under the
        same lock.
        """
        if session.gate_fault:
            return None
        with contextlib.suppress(OSError, SnapshotFault):
            publisher = self._publisher(state)
            if copy_fault(publisher, session):
                return None  # gates stay with the newer store, undisturbed
            publisher.prepare()
            document = self._document(state)
            begun = Begun(document, publisher.draft(document))
            try:
                publisher.begin(state.seq)
            except (OSError, SnapshotFault):
                begun.draft.drop()
                raise
            return begun
        return None

    def tell(self, session: Session, state: State, *, begun: Begun | None = None) -> str:
        """Publish a committed state; returns why gates could not be told, or an empty text."""
        if session.gate_fault:
            return session.gate_fault
        publisher = self._publisher(state)
        try:
            if begun is None:
                if fault := copy_fault(publisher, session):
                    return fault
                publisher.prepare()
                publisher.begin(state.seq)
                publisher.complete(self._document(state))
            else:
                publisher.complete(begun.document, begun.draft)
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.folder} cannot be written: {exc}"
        return ""

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

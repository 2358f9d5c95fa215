"""The store: event, projection, outbox and head in one transaction, then publication, on either database."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import Clock, from_text, to_text
from workbench.durable import Beside
from workbench.errors import Refused, StorageUnavailable
from workbench.records import Event, HeadNote, Hold
from workbench.settings import Settings, own_host_name
from workbench.snapshot import store_digest
from workbench.spool import Spool, SpoolFault
from workbench.store import log, recording
from workbench.store.anchors import newest_notes
from workbench.store.attesting import signature_words
from workbench.store.backend import WAIT_SECONDS, Backend, Changer, Session
from workbench.store.documents import Documents
from workbench.store.folding import fold
from workbench.store.hosts import Hosts, hosts_of
from workbench.store.publishing import Begun, GateFolder
from workbench.store.recording import Change as Change
from workbench.store.recording import Command as Command
from workbench.store.recording import Committed as Committed
from workbench.store.schema import Drift
from workbench.store.sqlite import SqliteBackend
from workbench.store.state import State

MOVED_TO = "moved_to"
"""Fact about a store that was moved: where it is now."""

REPAIR_WAIT_SECONDS = 1.0
"""How long opening a store waits for the lock to publish again what a writer left incomplete."""


class Store:
    """One store; every call opens and closes its own connection, so any thread may call."""

    def __init__(
        self,
        backend: Backend,
        gate_folder: Path,
        *,
        clock: Clock,
        anchor_folders: Sequence[Path] = (),
        host: str = "",
    ) -> None:
        """Look at an existing store; use `open_store`, which checks that it is there."""
        self.anchor_folders = anchor_folders
        self.backend = backend
        self.host = host or own_host_name()
        file = backend.path if isinstance(backend, SqliteBackend) else None
        self.gates = GateFolder(gate_folder, clock, source=file)
        self.clock = clock
        self._known: State | None = None

    @property
    def gate_folder(self) -> Path:
        """The folder that gates of this host read."""
        return self.gates.folder

    @property
    def place(self) -> str:
        """Where the store is, as screens show it."""
        return self.backend.place

    @property
    def is_on_server(self) -> bool:
        """Whether other hosts may reach it: it is in no file of this one."""
        return not isinstance(self.backend, SqliteBackend)

    def state(self, until_seq: int | None = None) -> State:
        """Return the fold of the log, up to a position or to its end."""
        with self.backend.reading() as session:
            if until_seq is not None:
                return fold(session.read_events(until_seq=until_seq))
            return self.read_state(session)

    def events(self, after_seq: int = 0, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order."""
        with self.backend.reading() as session:
            return session.read_events(after_seq, until_seq=until_seq)

    def meta(self) -> dict[str, str]:
        """Return the facts about the store itself."""
        with self.backend.reading() as session:
            return session.meta()

    def moved_to(self) -> str:
        """Return the place that the store was moved to, or an empty text where it was not."""
        return self.meta().get(MOVED_TO, "")

    def projection(self) -> Documents:
        """Return the stored projection, for comparing with the fold; a row that is no JSON is empty."""
        with self.backend.reading() as session:
            rows = session.projection()
        return {(str(entity), str(key)): _json(body) for entity, key, body in rows}

    def outbox(self) -> list[tuple[Any, ...]]:
        """Return the outbox rows: decided_seq, automation_id, hold_id, desired, delivered_at."""
        with self.backend.reading() as session:
            return session.outbox()

    def delivered(self, hold: Hold) -> dict[str, datetime]:
        """Return when a hold was published to the gate, by its id; empty where it was not yet."""
        with self.backend.reading() as session:
            rows = session.outbox_of(hold.placed_seq)
        return {str(hold_id): from_text(str(at)) for _, _, hold_id, _, at in rows if at}

    def hosts(self, state: State) -> Hosts:
        """Return the hosts whose mirrors report, but for those that were struck off."""
        with self.backend.reading() as session:
            return hosts_of(session, state)

    def head_row(self) -> tuple[int, str]:
        """Return where the log stands according to the head row."""
        with self.backend.reading() as session:
            return session.head()

    def faults(self) -> list[str]:
        """Return what the database's own check finds wrong."""
        with self.backend.reading() as session:
            return session.faults()

    def drift(self) -> list[Drift]:
        """Return in what the schema is not what its migrations make."""
        with self.backend.reading() as session:
            return session.drift()

    def changers(self) -> list[Changer]:
        """Return who the database lets change the log; empty where it knows no roles."""
        with self.backend.reading() as session:
            return session.changers()

    def head_note(self) -> HeadNote:
        """Return the note of where the log stands."""
        return self.head_of(self.state())

    def head_of(self, state: State) -> HeadNote:
        """Return the note of a state of the log, with who signed the newest checkpoint if it is of this state."""
        notes = newest_notes(self.anchor_folders, state.store_id)
        signature = signature_words(state, notes)
        return replace(state.head, place=self.place, signature=signature, moved_to=self.moved_to())

    def transact(
        self,
        command: Command,
        decide: Callable[[State], Change],
        *,
        after_commit: Callable[[State], None] | None = None,
        wait_seconds: float = WAIT_SECONDS,
    ) -> Committed:
        """Append what a command decides, durably and once, then publish it to gates.

        `after_commit` is called with the committed state, in a thread, once gates see it; what it raises is
        logged. It is waited for when other writers may go on: a folder of its that hangs holds up nobody else.
        Raises Conflict when the command id was used with other content, Refused when `decide` refuses,
        StorageUnavailable when nothing could be recorded. Once committed nothing is raised: what could
        not be told to gates is in the result.
        """
        done, beside = self._transact(command, decide, after_commit, wait_seconds=wait_seconds)
        if beside is not None:
            try:
                beside.wait()
            except Exception as exc:  # noqa: BLE001  # the command is recorded, whatever this was
                logging.getLogger(__name__).warning("%r; the command itself is recorded.", exc)
        return done

    def _transact(
        self,
        command: Command,
        decide: Callable[[State], Change],
        after_commit: Callable[[State], None] | None,
        *,
        wait_seconds: float,
    ) -> tuple[Committed, Beside | None]:
        """Do so in this writer's turn; returns what is done beside it, to be waited for after the turn."""
        with self.backend.writing(wait_seconds) as session:
            session.begin()
            begun: Begun | None = None
            try:
                refuse_moved(session)
                state = self.read_state(session).copy()
                if (repeat := recording.repeated(command, state, session=session)) is not None:
                    session.rollback()
                    return replace(repeat, publication_fault=self._publish(session, state)), None
                change = decide(state)
                begun = self.gates.begin(session, state, until_seq=state.seq + len(change.drafts))
                events = self._record(session, state, command, change=change, begun=begun)
                begun = self.gates.ready(begun)
                session.commit()
            except BaseException:
                if begun is not None:
                    begun.drop()
                with contextlib.suppress(*self.backend.failures):
                    session.rollback()
                with contextlib.suppress(*self.backend.failures, StorageUnavailable):
                    self._publish_where_behind(session)
                raise
            self._known = state
            beside = Beside(lambda: after_commit(state), is_begun=False) if after_commit else None
            fault = self._publish(session, state, begun, on_shown=beside.begin if beside else None)
            return Committed(tuple(events), state, False, fault), beside

    def _record(
        self,
        session: Session,
        state: State,
        command: Command,
        *,
        change: Change,
        begun: Begun | None,
    ) -> list[Event]:
        """Take a change into the state and write it, while the snapshot for gates is being written."""
        store_id = state.store_id or session.meta()["store_id"]
        events, outbox = recording.take_in(state, command, change=change, store_id=store_id)
        self.gates.write(begun, state)
        recording.write(session, state, events=events, outbox=outbox)
        if change.before_commit is not None:
            change.before_commit()
        return events

    def repair_publication(self, wait_seconds: float = WAIT_SECONDS) -> str:
        """Publish again where a writer died in between; returns why not, or an empty text.

        A place that the store left publishes nothing: gates of the new place may read this folder.
        """
        if self.gates.is_told(self.state()) or self.moved_to():
            return ""
        try:
            with self.backend.writing(wait_seconds) as session:
                return self._publish_where_behind(session)
        except StorageUnavailable as exc:
            return exc.message

    def read_state(self, session: Session) -> State:
        """Return the fold, not to be changed; events that this object folded before are not read again."""
        if (known := self._known) is not None:
            newer = session.read_events(known.seq - 1)
            if newer and (newer[0].seq, newer[0].hash) == (known.seq, known.head_hash):
                found = fold(newer[1:], known.copy()) if len(newer) > 1 else known
                self._known = found
                return found
        self._known = found = fold(session.read_events())
        return found

    def publication_fault(self, state: State) -> str:
        """Return why gates do not have this state, or an empty text where they do."""
        if self.moved_to():
            return ""
        if fault := self.copy_fault(state):
            return fault
        behind = f"does not have the newest state, event {state.seq}"
        return "" if self.gates.is_told(state) else f"the gate folder {self.gate_folder} {behind}"

    def copy_fault(self, state: State) -> str:
        """Say that gates were told another history than this store holds, or return an empty text."""
        with self.backend.reading() as session:
            return self.gates.copy_fault(session, state)

    def _publish_where_behind(self, session: Session) -> str:
        state = self.read_state(session)
        if self.gates.is_told(state) or self.gates.close(session, state):
            return ""
        return self._publish(session, state)

    def _publish(
        self,
        session: Session,
        state: State,
        begun: Begun | None = None,
        *,
        on_shown: Callable[[], object] | None = None,
    ) -> str:
        """Tell gates and note the delivery; returns why they could not be told, or an empty text."""
        # Taken before: a gate may have seen it, and said so, when `tell` returns.
        now = self.clock.now()
        try:
            if fault := self.gates.tell(session, state, begun=begun, on_shown=on_shown):
                return fault
        except self.backend.failures as exc:
            return f"gates could not be told, for the store went away after it had recorded: {exc}"
        # The event is durable and gates have it; a note that fails now is made by the next command.
        with contextlib.suppress(*self.backend.failures):
            session.mark_delivered(state.seq, to_text(now))
        return ""


def refuse_moved(session: Session) -> None:
    """Raise Refused where the store was moved to another place: two must not go on from one log."""
    if place := session.meta().get(MOVED_TO):
        raise Refused(
            f"This store was moved to {place}; nothing was recorded here.",
            next_step="let WORKBENCH_STORE name the new place and run the command again",
        )


def store_of(settings: Settings, clock: Clock) -> Store:
    """Return the store that the settings name, whether or not it is there."""
    return Store(
        backend_of(settings),
        settings.gate,
        clock=clock,
        anchor_folders=settings.anchor_folders,
        host=settings.host,
    )


def backend_of(settings: Settings) -> Backend:
    """Return the database that the settings name; only a URL loads the driver of PostgreSQL."""
    if settings.store_url is None:
        return SqliteBackend(settings.store)
    from workbench.store.postgres import PostgresBackend

    return PostgresBackend(settings.store_url, settings.gate)


def open_store(settings: Settings, clock: Clock) -> Store:
    """Open the one shared store; raises StoreMissing when there is none, and never makes one."""
    store = store_of(settings, clock)
    store.backend.require()
    store.repair_publication(REPAIR_WAIT_SECONDS)
    make_spools(store.meta()["store_id"], (settings.gate, *settings.spool_folders))
    return store


def make_spools(store_id: str, folders: Iterable[Path]) -> None:
    """Make the spools that are missing; where that fails a pause that needs one will say so."""
    for folder in folders:
        with contextlib.suppress(SpoolFault):
            Spool(folder, store_digest(store_id)).make()


def _json(body: object) -> dict[str, Any]:
    try:
        found = log.read_json(str(body))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

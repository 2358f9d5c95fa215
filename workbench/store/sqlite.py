"""The store as one SQLite file: event, projection, outbox and head in one transaction, then publication."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import orjson

from workbench.clock import Clock, from_text, to_text
from workbench.errors import Conflict, StorageUnavailable, StoreMissing
from workbench.records import Event, HeadNote
from workbench.settings import Settings
from workbench.snapshot import Publisher, SnapshotFault
from workbench.store import log
from workbench.store.connection import STORE_FILE, connect, read_events, run
from workbench.store.descent import copy_fault
from workbench.store.documents import Documents, documents_of
from workbench.store.folding import apply, fold
from workbench.store.lock import WAIT_SECONDS, store_lock
from workbench.store.place import refuse_network_place
from workbench.store.publication import desired_by, published_document
from workbench.store.state import State

REPAIR_WAIT_SECONDS = 1.0
"""How long opening a store waits for the lock to publish again what a writer left incomplete."""


@dataclass(frozen=True)
class Command:
    """What somebody asks for: a client-made id and the content that the id stands for."""

    command_id: str
    content: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the content's canonical JSON."""
        return log.digest(self.content)


@dataclass(frozen=True)
class Change:
    """What a command decided: events to append.

    Attributes:
        before_commit: called in the transaction, before the commit (makes a ticket file durable).
        seal: key_id, signed_at and signature of the command, kept in each event; empty when unsigned.
    """

    drafts: Sequence[log.Draft]
    before_commit: Callable[[], None] | None = None
    seal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Committed:
    """Result of a command: its events, the state after it, and how publication went.

    Attributes:
        is_repeat: the command id had been used before with the same content; nothing was added.
        publication_fault: why gates could not be told, or an empty text.
    """

    events: tuple[Event, ...]
    state: State
    is_repeat: bool = False
    publication_fault: str = ""


class Store:
    """One store; every call opens and closes its own connection, so any thread may call."""

    def __init__(self, folder: Path, gate_folder: Path, *, clock: Clock) -> None:
        """Look at an existing store; use `open_store`, which checks that it is there."""
        self.folder = folder
        self.gate_folder = gate_folder
        self.clock = clock
        self._known: State | None = None

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.folder / STORE_FILE

    def state(self, until_seq: int | None = None) -> State:
        """Return the fold of the log, up to a position or to its end."""
        with connect(self.path) as connection:
            if until_seq is not None:
                return fold(read_events(connection, until_seq=until_seq))
            return self._read_state(connection)

    def events(self, after_seq: int = 0, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order."""
        with connect(self.path) as connection:
            return read_events(connection, after_seq, until_seq=until_seq)

    def meta(self) -> dict[str, str]:
        """Return the facts about the store itself."""
        with connect(self.path) as connection:
            return {str(name): str(value) for name, value in run(connection, "list_meta")}

    def projection(self) -> Documents:
        """Return the stored projection, for comparing with the fold; a row that is no JSON is empty."""
        with connect(self.path) as connection:
            rows = run(connection, "list_projection")
        return {(str(entity), str(key)): _json(body) for entity, key, body in rows}

    def outbox(self) -> list[tuple[Any, ...]]:
        """Return the outbox rows: decided_seq, automation_id, hold_id, desired, delivered_at."""
        with connect(self.path) as connection:
            return run(connection, "list_outbox")

    def deliveries(self) -> dict[str, datetime]:
        """Return when each hold was published to the gate; holds not published yet are not in it."""
        return {
            str(hold): from_text(str(at))
            for _, _, hold, desired, at in self.outbox()
            if at and desired == "paused"
        }

    def head_row(self) -> tuple[int, str]:
        """Return where the log stands according to the head row."""
        with connect(self.path) as connection:
            rows = run(connection, "get_head")
        return (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")

    def faults(self) -> list[str]:
        """Return what SQLite's own integrity check finds wrong."""
        with connect(self.path) as connection:
            return [str(row[0]) for row in run(connection, "check_integrity") if row[0] != "ok"]

    def head_note(self) -> HeadNote:
        """Return the note of where the log stands."""
        return replace(self.state().head, place=str(self.folder))

    def transact(self, command: Command, decide: Callable[[State], Change]) -> Committed:
        """Append what a command decides, durably and once, then publish it to gates.

        Raises Conflict when the command id was used with other content, Refused when `decide` refuses,
        StorageUnavailable when nothing could be recorded. Once committed nothing is raised: what could
        not be told to gates is in the result.
        """
        with store_lock(self.folder), connect(self.path) as connection:
            run(connection, "begin_write")
            try:
                state = self._read_state(connection).copy()
                repeat = _repeated(command, state, connection)
                if repeat is not None:
                    run(connection, "rollback")
                    return replace(repeat, publication_fault=self._publish(connection, state))
                events = _record(connection, state, command, decide(state))
                self._begin_publication(connection, state)
                run(connection, "commit")
            except BaseException:
                with contextlib.suppress(apsw.Error):
                    run(connection, "rollback")
                with contextlib.suppress(apsw.Error, StorageUnavailable):
                    self._publish_where_behind(connection)
                raise
            return Committed(tuple(events), state, False, self._publish(connection, state))

    def repair_publication(self, wait_seconds: float = WAIT_SECONDS) -> str:
        """Publish again where a writer died in between; returns why not, or an empty text."""
        state = self.state()
        if self._is_published(state):
            return ""
        try:
            with store_lock(self.folder, wait_seconds), connect(self.path) as connection:
                return self._publish_where_behind(connection)
        except StorageUnavailable as exc:
            return exc.message

    def _read_state(self, connection: apsw.Connection) -> State:
        """Return the fold, not to be changed; events that this object folded before are not read again."""
        known = self._known
        if known is not None:
            newer = read_events(connection, known.seq - 1)
            if newer and (newer[0].seq, newer[0].hash) == (known.seq, known.head_hash):
                found = fold(newer[1:], known.copy()) if len(newer) > 1 else known
                self._known = found
                return found
        found = fold(read_events(connection))
        self._known = found
        return found

    def publication_fault(self, state: State) -> str:
        """Return why gates do not have this state, or an empty text where they do."""
        if fault := self.copy_fault(state):
            return fault
        behind = (
            f"the gate folder {self.gate_folder} does not have the newest state, event {state.seq}"
        )
        return "" if self._is_published(state) else behind

    def copy_fault(self, state: State) -> str:
        """Say that gates were told another history than this store holds, or return an empty text."""
        with connect(self.path) as connection:
            return copy_fault(self._publisher(state), connection)

    def _is_published(self, state: State) -> bool:
        return self._publisher(state).published() == (state.seq, state.head_hash)

    def _publisher(self, state: State) -> Publisher:
        return Publisher(self.gate_folder, state.store_id)

    def _begin_publication(self, connection: apsw.Connection, state: State) -> None:
        """Make the epoch odd; where that fails the publication after the commit says so."""
        with contextlib.suppress(OSError, SnapshotFault):
            publisher = self._publisher(state)
            if copy_fault(publisher, connection):
                return  # gates stay with the newer store, undisturbed
            publisher.prepare()
            publisher.begin(state.seq)

    def _publish_where_behind(self, connection: apsw.Connection) -> str:
        state = self._read_state(connection)
        return "" if self._is_published(state) else self._publish(connection, state)

    def _publish(self, connection: apsw.Connection, state: State) -> str:
        """Tell gates and note the delivery; returns why they could not be told, or an empty text."""
        publisher = self._publisher(state)
        now = self.clock.now()
        try:
            if fault := copy_fault(publisher, connection):
                return fault
            publisher.prepare()
            publisher.begin(state.seq)
            publisher.complete(published_document(state, now))
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.gate_folder} cannot be written: {exc}"
        # The event is durable and gates have it; a note that fails now is made by the next command.
        with contextlib.suppress(apsw.Error):
            run(connection, "mark_outbox_delivered", seq=state.seq, delivered_at=to_text(now))
        return ""


def open_store(settings: Settings, clock: Clock) -> Store:
    """Open the one shared store; raises StoreMissing when there is none, and never makes one."""
    path = settings.store / STORE_FILE
    if not path.is_file():
        raise StoreMissing(f"There is no store in {settings.store}.")
    if path.stat().st_size == 0:
        raise StorageUnavailable(
            f"{path} is empty; a store never is. Nothing was created in its place.",
            next_step="put the file back from a copy, and check it with `workbench audit verify`",
        )
    refuse_network_place(settings.store)
    store = Store(settings.store, settings.gate, clock=clock)
    store.repair_publication(REPAIR_WAIT_SECONDS)
    return store


def insert_event(connection: apsw.Connection, event: Event) -> None:
    """Append one event, as it is, and move the head row to it."""
    row = {name: getattr(event, name) for name in ("seq", "prev_hash", "hash", "body")}
    run(connection, "insert_event", **row)
    run(connection, "upsert_head", seq=event.seq, hash=event.hash)


def project(connection: apsw.Connection, state: State) -> None:
    """Write the projection rows that the newest events touched."""
    for (entity, key), document in documents_of(state, sorted(state.touched)).items():
        body = log.canonical(document)
        run(connection, "upsert_projection", entity=entity, entity_id=key, body=body)


def _record(
    connection: apsw.Connection, state: State, command: Command, change: Change
) -> list[Event]:
    """Append a command's events with its mark, and bring projection and outbox along."""
    mark = {"id": command.command_id, "digest": command.digest, **change.seal}
    store_id = state.store_id or str(dict(run(connection, "list_meta"))["store_id"])
    events = []
    for draft in change.drafts:
        signed = replace(draft, payload={**(draft.payload or {}), "command": mark})
        body = log.body_of(signed, seq=state.seq + 1, store_id=store_id)
        prev_hash = state.head_hash or log.genesis(store_id)
        event = log.parse_event(
            body, prev_hash=prev_hash, hash_text=log.chain_hash(prev_hash, body)
        )
        insert_event(connection, event)
        apply(state, event)
        _fill_outbox(connection, state, event)
        events.append(event)
    project(connection, state)
    if change.before_commit is not None:
        change.before_commit()
    return events


def _fill_outbox(connection: apsw.Connection, state: State, event: Event) -> None:
    for automation_id, (hold_id, desired) in sorted(desired_by(state, event).items()):
        row = {
            "decided_seq": event.seq,
            "automation_id": automation_id,
            "hold_id": hold_id,
            "desired": desired,
        }
        run(connection, "insert_outbox", **row)


def _repeated(command: Command, state: State, connection: apsw.Connection) -> Committed | None:
    known = state.commands.get(command.command_id)
    if known is None:
        return None
    digest, seq = known
    if digest != command.digest:
        raise Conflict(
            f"Command id {command.command_id} was used at event {seq} with other content "
            f"(digest {digest[:12]}, now {command.digest[:12]}); nothing was changed."
        )
    events = [e for e in read_events(connection, seq - 1) if _command_id(e) == command.command_id]
    return Committed(tuple(events), state, True)


def _command_id(event: Event) -> str | None:
    command = event.payload.get("command")
    return command["id"] if isinstance(command, dict) else None


def _json(body: object) -> dict[str, Any]:
    try:
        found = orjson.loads(str(body))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

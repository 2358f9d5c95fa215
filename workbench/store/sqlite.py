"""The store as one SQLite file: event, projection, outbox and head in one transaction, then publication."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import orjson

from workbench.clock import Clock, from_text, to_text
from workbench.errors import Conflict, Refused, StorageUnavailable, StoreMissing
from workbench.queries import load_query
from workbench.records import Event, HeadNote
from workbench.settings import Settings
from workbench.snapshot import Publisher, SnapshotFault
from workbench.store import log
from workbench.store.lock import store_lock
from workbench.store.place import refuse_network_place
from workbench.store.publication import published_document
from workbench.store.state import Documents, State, apply, fold

STORE_FILE = "store.sqlite"
SCHEMA_VERSION = 1
_SCHEMA = (
    "create_meta",
    "create_event",
    "create_event_no_update",
    "create_event_no_delete",
    "create_event_in_order",
    "create_head",
    "create_projection",
    "create_outbox",
    "set_schema_version",
)


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
    """What a command decided: events to append and desired states to deliver.

    Attributes:
        desired: automation id -> (hold id, paused | running | probation).
        before_commit: called in the transaction, before the commit (makes a ticket file durable).
    """

    drafts: Sequence[log.Draft]
    desired: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    before_commit: Callable[[], None] | None = None


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

    def __init__(self, folder: Path, gate_folder: Path, clock: Clock) -> None:
        """Look at an existing store; use `open_store`, which checks that it is there."""
        self.folder = folder
        self.gate_folder = gate_folder
        self.clock = clock

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.folder / STORE_FILE

    def state(self, until_seq: int | None = None) -> State:
        """Return the fold of the log, up to a position or to its end."""
        return fold(self.events(until_seq=until_seq))

    def events(self, after_seq: int = 0, until_seq: int | None = None) -> list[Event]:
        """Return the events of the log in order."""
        with self._connection() as connection:
            return _events(connection, after_seq, until_seq)

    def meta(self) -> dict[str, str]:
        """Return the facts about the store itself."""
        with self._connection() as connection:
            return {str(name): str(value) for name, value in _run(connection, "list_meta")}

    def projection(self) -> Documents:
        """Return the stored projection, for comparing with the fold."""
        with self._connection() as connection:
            rows = _run(connection, "list_projection")
        return {(str(entity), str(key)): orjson.loads(str(body)) for entity, key, body in rows}

    def outbox(self) -> list[tuple[Any, ...]]:
        """Return the outbox rows: decided_seq, automation_id, hold_id, desired, delivered_at."""
        with self._connection() as connection:
            return _run(connection, "list_outbox")

    def deliveries(self) -> dict[str, datetime]:
        """Return when each hold was published to the gate; holds not published yet are not in it."""
        return {
            str(hold): from_text(str(at))
            for _, _, hold, desired, at in self.outbox()
            if at and desired == "paused"
        }

    def head_row(self) -> tuple[int, str]:
        """Return where the log stands according to the head row."""
        with self._connection() as connection:
            seq, head_hash = _run(connection, "get_head")[0]
            return int(str(seq)), str(head_hash)

    def faults(self) -> list[str]:
        """Return what SQLite's own integrity check finds wrong."""
        with self._connection() as connection:
            return [str(row[0]) for row in _run(connection, "check_integrity") if row[0] != "ok"]

    def head_note(self) -> HeadNote:
        """Return the note of where the log stands."""
        state = self.state()
        return HeadNote(
            state.store_id, state.environment, state.seq, state.head_hash, str(self.folder)
        )

    def transact(self, command: Command, decide: Callable[[State], Change]) -> Committed:
        """Append what a command decides, durably and once, then publish it to gates.

        Raises Conflict when the command id was used with other content, Refused when `decide` refuses,
        StorageUnavailable when nothing could be recorded.
        """
        with store_lock(self.folder), self._connection() as connection:
            _run(connection, "begin_write")
            try:
                state = fold(_events(connection, 0, None))
                repeat = _repeated(command, state, connection)
                if repeat is not None:
                    _run(connection, "rollback")
                    return replace(repeat, publication_fault=self._publish(state))
                before = state.documents()
                change = decide(state)
                events = _append(connection, state, _signed_by(command, change.drafts))
                _project(connection, before, state.documents())
                _fill_outbox(connection, change, state.seq)
                if change.before_commit is not None:
                    change.before_commit()
                fault = self._begin_publication(state.store_id)
                _run(connection, "commit")
            except BaseException:
                with contextlib.suppress(apsw.Error):
                    _run(connection, "rollback")
                self._publish_current(connection)
                raise
            fault = fault or self._publish(state)
            if not fault:
                delivered = {"seq": state.seq, "delivered_at": to_text(self.clock.now())}
                _run(connection, "mark_outbox_delivered", delivered)
            return Committed(tuple(events), state, False, fault)

    def repair_publication(self) -> str:
        """Publish again where a writer died in between; returns why not, or an empty text."""
        state = self.state()
        if Publisher(self.gate_folder, state.store_id).published_seq() == state.seq:
            return ""
        with store_lock(self.folder), self._connection() as connection:
            return self._publish(fold(_events(connection, 0, None)))

    def _publish_current(self, connection: apsw.Connection) -> None:
        """After a failed command: put the epoch back to even where `begin` had made it odd."""
        with contextlib.suppress(apsw.Error, StorageUnavailable):
            state = fold(_events(connection, 0, None))
            if Publisher(self.gate_folder, state.store_id).published_seq() != state.seq:
                self._publish(state)

    def _begin_publication(self, store_id: str) -> str:
        publisher = Publisher(self.gate_folder, store_id)
        try:
            publisher.prepare()
            publisher.begin()
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.gate_folder} cannot be written: {exc}"
        return ""

    def _publish(self, state: State) -> str:
        publisher = Publisher(self.gate_folder, state.store_id)
        try:
            publisher.prepare()
            publisher.begin()
            publisher.complete(published_document(state, self.clock.now()))
        except (OSError, SnapshotFault) as exc:
            return f"the gate folder {self.gate_folder} cannot be written: {exc}"
        return ""

    @contextlib.contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        try:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        except apsw.Error as exc:
            raise _unavailable(self.path, exc) from exc
        try:
            # Readers wait for a checkpoint, never for a writer; writers wait at the kernel lock.
            connection.set_busy_timeout(5000)
            _run(connection, "pragma_synchronous_full")
            _check_version(connection, self.path)
            yield connection
        except apsw.Error as exc:
            raise _unavailable(self.path, exc) from exc
        finally:
            connection.close()


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
    store = Store(settings.store, settings.gate, clock)
    store.repair_publication()
    return store


def library_version() -> str:
    """Return the version of SQLite that opens the store."""
    return str(apsw.sqlite_lib_version())


def init_store(settings: Settings, clock: Clock, *, environment: str, actor: str) -> Store:
    """Make the store, once; raises Refused when one is there."""
    store_id = f"st-{uuid.uuid4().hex[:12]}"
    store = _new_file(
        settings.store, settings.gate, clock, store_id=store_id, environment=environment
    )
    draft = log.Draft(
        clock.now(),
        actor,
        "store.init",
        store_id,
        payload={"environment": environment, "schema": SCHEMA_VERSION},
    )
    command = Command(f"init-{store_id}", {"name": "store init", "environment": environment})
    store.transact(command, lambda _: Change([draft]))
    return store


def _new_file(folder: Path, gate: Path, clock: Clock, *, store_id: str, environment: str) -> Store:
    refuse_network_place(folder)
    path = folder / STORE_FILE
    if path.exists():
        raise Refused(f"There is a store in {folder} already; it was left as it is.")
    folder.mkdir(parents=True, exist_ok=True)
    with store_lock(folder):
        if path.exists():
            raise Refused(f"There is a store in {folder} already; it was left as it is.")
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        connection = apsw.Connection(str(temporary))
        try:
            with connection:
                for name in _SCHEMA:
                    _run(connection, name)
                facts = {
                    "store_id": store_id,
                    "environment": environment,
                    "created_at": to_text(clock.now()),
                }
                for name, value in facts.items():
                    _run(connection, "insert_meta", {"name": name, "value": value})
            _run(connection, "pragma_journal_wal")
        finally:
            connection.close()
        temporary.rename(path)
    return Store(folder, gate, clock)


def _run(
    connection: apsw.Connection, name: str, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    text = load_query(f"store.{name}").sql
    return list(connection.cursor().execute(text, dict(values or {})))


def _events(connection: apsw.Connection, after_seq: int, until_seq: int | None) -> list[Event]:
    rows = _run(connection, "list_events", {"after_seq": after_seq, "until_seq": until_seq})
    try:
        return [log.parse_event(str(body), str(prev), str(own)) for _, prev, own, body in rows]
    except (ValueError, KeyError, TypeError) as exc:
        raise StorageUnavailable(
            f"The log holds an event that cannot be read ({exc}).",
            next_step="run `workbench audit verify`",
        ) from exc


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
    events = [e for e in _events(connection, seq - 1, None) if _command_id(e) == command.command_id]
    return Committed(tuple(events), state, True)


def _command_id(event: Event) -> str | None:
    command = event.payload.get("command")
    return command["id"] if command else None


def _signed_by(command: Command, drafts: Sequence[log.Draft]) -> list[log.Draft]:
    mark = {"id": command.command_id, "digest": command.digest}
    return [replace(draft, payload={**(draft.payload or {}), "command": mark}) for draft in drafts]


def _append(connection: apsw.Connection, state: State, drafts: Sequence[log.Draft]) -> list[Event]:
    events = []
    store_id = state.store_id or str(dict(_run(connection, "list_meta"))["store_id"])
    prev_hash = state.head_hash or log.genesis(store_id)
    for seq, draft in enumerate(drafts, start=state.seq + 1):
        body = log.body_of(draft, seq, store_id)
        own = log.chain_hash(prev_hash, body)
        _insert_event(connection, seq, prev_hash, own, body)
        event = log.parse_event(body, prev_hash, own)
        apply(state, event)
        events.append(event)
        prev_hash = own
    return events


def _insert_event(
    connection: apsw.Connection, seq: int, prev_hash: str, own: str, body: str
) -> None:
    _run(
        connection, "insert_event", {"seq": seq, "prev_hash": prev_hash, "hash": own, "body": body}
    )
    _run(connection, "upsert_head", {"seq": seq, "hash": own})


def _project(connection: apsw.Connection, before: Documents, after: Documents) -> None:
    for (entity, key), document in after.items():
        if before.get((entity, key)) != document:
            row = {"entity": entity, "entity_id": key, "body": log.canonical(document)}
            _run(connection, "upsert_projection", row)


def _fill_outbox(connection: apsw.Connection, change: Change, seq: int) -> None:
    for automation_id, (hold_id, desired) in sorted(change.desired.items()):
        row = {
            "decided_seq": seq,
            "automation_id": automation_id,
            "hold_id": hold_id,
            "desired": desired,
        }
        _run(connection, "insert_outbox", row)


def _check_version(connection: apsw.Connection, path: Path) -> None:
    found = _run(connection, "pragma_schema_version")[0][0]
    if found != SCHEMA_VERSION:
        raise StorageUnavailable(
            f"{path} has schema {found}; this workbench reads schema {SCHEMA_VERSION}. It was not touched.",
            next_step="use the workbench version that made the store",
        )


def _unavailable(path: Path, exc: apsw.Error) -> StorageUnavailable:
    return StorageUnavailable(f"The store {path} cannot be used: {exc}. Nothing was recorded.")

"""Makes a store: complete under a temporary name, then in its place with one rename."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from workbench.clock import Clock, to_text
from workbench.errors import AuditBroken, Refused, StorageUnavailable
from workbench.records import Event
from workbench.settings import Settings
from workbench.snapshot import Publisher, SnapshotFault, fsync_folder
from workbench.store import log
from workbench.store.audit import verify_events
from workbench.store.connection import SCHEMA_VERSION, STORE_FILE, run
from workbench.store.folding import fold
from workbench.store.lock import store_lock
from workbench.store.place import refuse_network_place
from workbench.store.sqlite import Store, insert_event, project

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


def init_store(settings: Settings, clock: Clock, *, environment: str, actor: str) -> Store:
    """Make the store, once; raises Refused when one is there or the gate folder is another store's."""
    store_id = f"st-{uuid.uuid4().hex[:12]}"
    content = {"name": "store init", "environment": environment}
    mark = {"id": f"init-{store_id}", "digest": log.digest(content)}
    payload = {"environment": environment, "schema": SCHEMA_VERSION, "command": mark}
    draft = log.Draft(clock.now(), actor, "store.init", store_id, payload=payload)
    body = log.body_of(draft, seq=1, store_id=store_id)
    prev_hash = log.genesis(store_id)
    first = log.parse_event(body, prev_hash=prev_hash, hash_text=log.chain_hash(prev_hash, body))
    return _make(settings, clock, [first], {})


def restore_store(
    settings: Settings,
    clock: Clock,
    *,
    lines: Iterable[Mapping[str, Any]],
    until_seq: int | None = None,
) -> Store:
    """Make a store from log lines (seq, prev_hash, hash, body), up to a position.

    The chain is recomputed over the bodies as they stand; raises AuditBroken at the first line that does
    not follow, and Refused when a store is there already.
    """
    events = []
    try:
        for line in lines:
            if until_seq is None or int(line["seq"]) <= until_seq:
                own, prev = str(line["hash"]), str(line["prev_hash"])
                seq, body = int(line["seq"]), str(line["body"])
                events.append(log.read_event(seq, prev_hash=prev, hash_text=own, body=body))
    except (KeyError, TypeError, ValueError) as exc:
        place = len(events) + 1
        raise AuditBroken(
            f"The recorded log is broken at event {place}: not a line ({exc})."
        ) from exc
    if not events:
        raise AuditBroken("The recorded log holds no event.")
    result = verify_events(events, events[0].store_id)
    if result.broken_at is not None:
        raise AuditBroken(f"The recorded log is {result.finding}.")
    if events[0].action != "store.init":
        raise AuditBroken("The recorded log does not begin with the making of a store.")
    return _make(settings, clock, events, {"restored_seq": str(events[-1].seq)})


def _make(
    settings: Settings, clock: Clock, events: Sequence[Event], facts: Mapping[str, str]
) -> Store:
    folder, gate = settings.store, settings.gate
    refuse_network_place(folder)
    path = folder / STORE_FILE
    _refuse_taken(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with store_lock(folder):
            _refuse_taken(path)
            _refuse_foreign_gate(gate, events[0].store_id)
            temporary = path.with_name(f".{path.name}.new")
            for suffix in ("", "-journal", "-wal", "-shm"):  # left by a command that was killed
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
            _write_file(temporary, events, {**facts, "created_at": to_text(clock.now())})
            temporary.rename(path)
            fsync_folder(folder)
    except (OSError, apsw.Error) as exc:
        raise StorageUnavailable(
            f"No store can be made in {folder}: {exc}.",
            next_step="point WORKBENCH_STORE at a folder that you may write to",
        ) from exc
    store = Store(folder, gate, clock=clock)
    store.repair_publication()
    return store


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise Refused(f"There is a store in {path.parent} already; it was left as it is.")


def _refuse_foreign_gate(gate: Path, store_id: str) -> None:
    try:
        Publisher(gate, store_id).check_owner()
    except SnapshotFault as exc:
        raise Refused(
            f"{exc}.", next_step="set WORKBENCH_GATE to a folder of this store's own"
        ) from exc


def _write_file(path: Path, events: Sequence[Event], facts: Mapping[str, str]) -> None:
    state = fold(events)
    connection = apsw.Connection(str(path))
    try:
        run(connection, "pragma_synchronous_full")
        with connection:
            for name in _SCHEMA:
                run(connection, name)
            named = {"store_id": state.store_id, "environment": state.environment, **facts}
            for name, value in named.items():
                run(connection, "insert_meta", key=name, value=value)
            for event in events:
                insert_event(connection, event)
            project(connection, state)
        run(connection, "pragma_journal_wal")
    finally:
        connection.close()

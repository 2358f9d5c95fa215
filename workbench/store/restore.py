"""Rebuilds a store from its log alone, as an exported or recorded log holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.clock import Clock
from workbench.errors import AuditBroken
from workbench.settings import Settings
from workbench.store import log
from workbench.store.lock import store_lock
from workbench.store.sqlite import Store, _insert_event, _new_file, _project, _run
from workbench.store.state import State, apply


def restore_store(
    settings: Settings,
    clock: Clock,
    lines: Iterable[Mapping[str, Any]],
    *,
    until_seq: int | None = None,
) -> Store:
    """Make a store from log lines (seq, prev_hash, hash, body), up to a position.

    The chain is recomputed over the bodies as they stand; raises AuditBroken at the first line that does
    not follow, and Refused when a store is there already.
    """
    kept = [line for line in lines if until_seq is None or int(line["seq"]) <= until_seq]
    events = [log.parse_event(line["body"], line["prev_hash"], line["hash"]) for line in kept]
    if not events:
        raise AuditBroken("The recorded log holds no event.")
    store_id = events[0].store_id
    prev_hash = log.genesis(store_id)
    for seq, event in enumerate(events, start=1):
        follows = event.seq == seq and event.prev_hash == prev_hash
        if not follows or event.hash != log.chain_hash(prev_hash, event.body):
            raise AuditBroken(
                f"The recorded log is broken at event {event.seq}: it does not follow the one before."
            )
        prev_hash = event.hash
    environment = str(events[0].payload["environment"])
    store = _new_file(
        settings.store, settings.gate, clock, store_id=store_id, environment=environment
    )
    with store_lock(settings.store), store._connection() as connection:
        _run(connection, "begin_write")
        state = State()
        for event in events:
            _insert_event(connection, event.seq, event.prev_hash, event.hash, event.body)
            apply(state, event)
        _project(connection, {}, state.documents())
        _run(connection, "commit")
    store.repair_publication()
    return store

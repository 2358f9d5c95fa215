"""Makes a store: whole, with its first events, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.clock import Clock, to_text
from workbench.errors import AuditBroken, Refused
from workbench.policy import PRODUCTION
from workbench.records import Event
from workbench.settings import Settings
from workbench.snapshot import Publisher, SnapshotFault
from workbench.store import log
from workbench.store.audit import verify_events
from workbench.store.folding import fold
from workbench.store.migrations import SCHEMA_VERSION
from workbench.store.recording import project
from workbench.store.store import Store, make_spools, store_of


def init_store(settings: Settings, clock: Clock, *, environment: str, actor: str) -> Store:
    """Make the store, once; raises Refused when one is there or the gate folder is another store's."""
    store_id = f"st-{uuid.uuid4().hex[:12]}"
    content = {"name": "store init", "environment": environment}
    mark = {"id": f"init-{store_id}", "digest": log.digest(content)}
    # Logs from before these rules are read by the rules that they had.
    payload: dict[str, Any] = {"environment": environment, "schema": SCHEMA_VERSION}
    payload["asks_deeds"] = True
    if environment == PRODUCTION:
        payload |= {"asks_drills": True, "asks_verifiers": True}
    payload["command"] = mark
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
    store = store_of(settings, clock)
    state = fold(events)
    named = {"store_id": state.store_id, "environment": state.environment, **facts}
    with store.backend.making() as session:
        _refuse_foreign_gate(settings.gate, state.store_id)
        for name, value in {**named, "created_at": to_text(clock.now())}.items():
            session.insert_meta(name, value)
        for event in events:
            session.insert_event(event)
        project(session, state)
    store.repair_publication()
    make_spools(state.store_id, (settings.gate, *settings.spool_folders))
    return store


def _refuse_foreign_gate(gate: Path, store_id: str) -> None:
    try:
        Publisher(gate, store_id).check_owner()
    except SnapshotFault as exc:
        raise Refused(
            f"{exc}.", next_step="set WORKBENCH_GATE to a folder of this store's own"
        ) from exc

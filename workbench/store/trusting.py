"""The fold of keys: who is enrolled, signed by whom, and what is not obeyed because nobody entitled said it."""

from __future__ import annotations

from dataclasses import replace

from workbench.records import EnrolledKey, Event
from workbench.store.signatures import signer_of
from workbench.store.state import State


def refuse(state: State, event: Event, *, why: str) -> None:
    """Keep an event as not obeyed: it stands in the log, changes nothing, and screens show it."""
    state.refused[event.seq] = f"{event.action} {event.target} by {event.actor}: {why}"
    state.touched.add(("refused", str(event.seq)))


def on_enrol(state: State, event: Event) -> None:
    """Take in a key: the first of a store on its own word, each later one on an enrolled key's."""
    body = event.payload
    signer = signer_of(state, event)
    if state.keys and signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    if event.target in state.keys:
        refuse(state, event, why="the key was enrolled before; a key is enrolled once")
        return
    state.keys[event.target] = EnrolledKey(
        key_id=event.target,
        public_hex=body["public_hex"],
        person=body["person"],
        role=body["role"],
        enrolled_by=signer.key_id if signer else event.target,
        enrolled_at=event.occurred_at,
        enrolled_seq=event.seq,
    )
    state.touched.add(("key", event.target))


def on_revoke(state: State, event: Event) -> None:
    """Take a key out for good; its earlier signatures stay what they were, and no later one counts."""
    key = state.keys.get(event.target)
    signer = signer_of(state, event)
    if key is None or key.revoked_seq is not None:
        return
    if signer is None:
        refuse(state, event, why="it is not signed by an enrolled key")
        return
    state.keys[event.target] = replace(
        key,
        revoked_at=event.occurred_at,
        revoked_by=event.actor,
        revoked_reason=event.reason,
        revoked_seq=event.seq,
    )
    state.touched.add(("key", event.target))

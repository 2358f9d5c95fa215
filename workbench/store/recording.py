"""What a command asks for, what it decided, and how that becomes events, projection and outbox rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.errors import Conflict
from workbench.records import Event
from workbench.store import log
from workbench.store.backend import Session
from workbench.store.documents import documents_of
from workbench.store.folding import apply
from workbench.store.publication import desired_by
from workbench.store.state import State


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


def project(session: Session, state: State) -> None:
    """Write the projection rows that the newest events touched."""
    for (entity, key), document in documents_of(state, sorted(state.touched)).items():
        body = log.canonical(document)
        session.write_projection(entity, key, body=body)


def record(session: Session, state: State, *, command: Command, change: Change) -> list[Event]:
    """Append a command's events with its mark, and bring projection and outbox along."""
    mark = {"id": command.command_id, "digest": command.digest, **change.seal}
    store_id = state.store_id or session.meta()["store_id"]
    events = []
    for draft in change.drafts:
        signed = replace(draft, payload={**(draft.payload or {}), "command": mark})
        body = log.body_of(signed, seq=state.seq + 1, store_id=store_id)
        prev_hash = state.head_hash or log.genesis(store_id)
        event = log.parse_event(
            body, prev_hash=prev_hash, hash_text=log.chain_hash(prev_hash, body)
        )
        session.insert_event(event)
        apply(state, event)
        _fill_outbox(session, state, event)
        events.append(event)
    project(session, state)
    if change.before_commit is not None:
        change.before_commit()
    return events


def _fill_outbox(session: Session, state: State, event: Event) -> None:
    for automation_id, (hold_id, desired) in sorted(desired_by(state, event).items()):
        row = {
            "decided_seq": event.seq,
            "automation_id": automation_id,
            "hold_id": hold_id,
            "desired": desired,
        }
        session.insert_outbox(row)


def repeated(command: Command, state: State, *, session: Session) -> Committed | None:
    """Return what a command id gave before, or None; raises Conflict where its content was another."""
    known = state.commands.get(command.command_id)
    if known is None:
        return None
    digest, seq = known
    if digest != command.digest:
        raise Conflict(
            f"Command id {command.command_id} was used at event {seq} with other content "
            f"(digest {digest[:12]}, now {command.digest[:12]}); nothing was changed."
        )
    events = [e for e in session.read_events(seq - 1) if _command_id(e) == command.command_id]
    return Committed(tuple(events), state, True)


def _command_id(event: Event) -> str | None:
    command = event.payload.get("command")
    return command["id"] if isinstance(command, dict) else None

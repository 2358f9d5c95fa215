"""What a command is, what it decides, and how that is written: events, outbox and projection of one transaction."""

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

OutboxRow = dict[str, Any]


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
        sign: gives the signature of an event from its digest; None when unsigned.
    """

    drafts: Sequence[log.Draft]
    before_commit: Callable[[], None] | None = None
    seal: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[str], str] | None = None


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
        session.write_projection(entity, key, body=log.canonical(document))


def take_in(
    state: State, command: Command, *, change: Change, store_id: str
) -> tuple[list[Event], list[OutboxRow]]:
    """Take a command's events with its mark into the state; returns them and the rows of the outbox."""
    mark = {"id": command.command_id, "digest": command.digest, **change.seal}
    events: list[Event] = []
    outbox: list[OutboxRow] = []
    for draft in change.drafts:
        event = _event_of(state, draft, mark=mark, store_id=store_id)
        if change.sign is not None:
            signed = {**mark, "deed": change.sign(log.deed_digest(event))}
            event = _event_of(state, draft, mark=signed, store_id=store_id)
        apply(state, event)
        events.append(event)
        outbox += outbox_rows(state, event)
    return events, outbox


def _event_of(state: State, draft: log.Draft, *, mark: Mapping[str, str], store_id: str) -> Event:
    """Return a draft as the next event, with the mark of its command."""
    marked = replace(draft, payload={**(draft.payload or {}), "command": mark})
    body = log.body_of(marked, seq=state.seq + 1, store_id=store_id)
    prev_hash = state.head_hash or log.genesis(store_id)
    return log.parse_event(body, prev_hash=prev_hash, hash_text=log.chain_hash(prev_hash, body))


def outbox_rows(state: State, event: Event) -> list[OutboxRow]:
    """Return what an event that was just taken in asks of automations, one row each."""
    return [
        {
            "decided_seq": event.seq,
            "automation_id": automation_id,
            "hold_id": hold_id,
            "desired": desired,
        }
        for automation_id, (hold_id, desired) in sorted(desired_by(state, event).items())
    ]


def write(session: Session, state: State, *, events: list[Event], outbox: list[OutboxRow]) -> None:
    """Write events and outbox, and bring the projection along."""
    for event in events:
        session.insert_event(event)
    for row in outbox:
        session.insert_outbox(row)
    project(session, state)


def repeated(command: Command, state: State, *, session: Session) -> Committed | None:
    """Return what a command gave before, None for a new one; raises Conflict where its id had other content."""
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

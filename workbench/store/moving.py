"""Moves a store to another place, from a file to a database or back: the same log, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.clock import Clock, to_text
from workbench.errors import AuditBroken, Refused, StoreMissing, UsageFault
from workbench.records import Event, HeadNote
from workbench.settings import Settings
from workbench.store.audit import verify_events, verify_store
from workbench.store.backend import Session
from workbench.store.folding import fold
from workbench.store.recording import project
from workbench.store.store import MOVED_TO, Store, refuse_moved, store_of

MOVED_GATE = "moved_gate"
"""Fact about a store that was moved: the gate folder that it told before, where somebody may still ask."""

_OF_THE_PLACE = ("schema_version", MOVED_TO, MOVED_GATE)
"""Facts that are about one place rather than about the store."""


@dataclass(frozen=True)
class Moved:
    """What a move did.

    Attributes:
        is_repeat: the store had been moved there before; nothing was changed.
        closed_gate: gate folder that the store told before and the new place does not, where gates are UNKNOWN or
            PAUSED from now on; None where the new place tells the same.
        gate_fault: why gates there could not be told, or an empty text.
    """

    event_count: int
    head: HeadNote
    is_repeat: bool = False
    closed_gate: Path | None = None
    gate_fault: str = ""


def move_store(source: Store, settings: Settings, *, clock: Clock) -> Moved:
    """Copy a store to where the settings point, verify the copy, then let nobody write to the old place.

    The old place is locked meanwhile. A move that was cut short is taken up where it stopped; a second
    one to the same place changes nothing. Gates of a folder that the new place does not tell are told of the move.
    Raises AuditBroken where the log or the copy does not verify,
    Refused where the store is elsewhere already or the new place holds another history.
    """
    target = store_of(settings, clock)
    is_left = source.gate_folder.resolve() != target.gate_folder.resolve()
    if target.place == source.place:
        raise UsageFault(f"The store is in {source.place} already.", next_step="name another place")
    with source.backend.writing() as session:
        session.begin()
        facts, events = session.meta(), session.read_events()
        moved_to = facts.get(MOVED_TO)
        if moved_to and moved_to != target.place:
            raise Refused(
                f"This store was moved to {moved_to} before.", next_step="move it from there"
            )
        result = verify_events(events, facts["store_id"])
        if result.broken_at is not None:
            raise AuditBroken(f"The log is {result.finding}; nothing was moved.")
        if not moved_to:
            kept = {name: value for name, value in facts.items() if name not in _OF_THE_PLACE}
            kept |= {"moved_from": source.place, "moved_at": to_text(clock.now())}
            kept |= {MOVED_GATE: str(source.gate_folder)} if is_left else {}
            _bring(target, kept, log=(events, session.outbox()))
        head, state = _compared(target, events), fold(events)
        if moved_to:
            session.rollback()
        else:
            if is_left:  # from here on nothing is CLEAR there, also where power goes before gates are told why
                source.gates.ready(source.gates.begin(session, state, until_seq=state.seq))
            session.insert_meta(MOVED_TO, target.place)
            session.commit()
        fault = (
            session.gate_fault or source.gates.tell_moved(state, target.place) if is_left else ""
        )
    target.repair_publication()
    gate = source.gate_folder if is_left else None
    return Moved(len(events), head, bool(moved_to), gate, fault)


def _bring(
    target: Store, facts: dict[str, str], *, log: tuple[list[Event], list[tuple[Any, ...]]]
) -> None:
    """Make the copy, or add to one that was begun what it lacks."""
    events, outbox = log
    if not _is_there(target):
        with target.backend.making() as session:
            for name, value in facts.items():
                session.insert_meta(name, value)
            _add(session, events, outbox)
        return
    with target.backend.writing() as session:
        session.begin()
        if session.meta().get("store_id") != facts["store_id"]:
            raise Refused(f"Another store is in {target.place}; nothing was moved.")
        refuse_moved(session)
        seq, _ = session.head()
        _add(session, events[seq:], [row for row in outbox if row[0] > seq], known=events[:seq])
        session.commit()


def _is_there(target: Store) -> bool:
    try:
        target.backend.require()
    except StoreMissing:
        return False
    return True


def _add(
    session: Session,
    events: Sequence[Event],
    outbox: Sequence[tuple[Any, ...]],
    *,
    known: Sequence[Event] = (),
) -> None:
    for event in events:
        session.insert_event(event)
    for seq, automation_id, hold_id, desired, delivered_at in outbox:
        row = {"decided_seq": seq, "automation_id": automation_id, "hold_id": hold_id}
        session.insert_outbox({**row, "desired": desired})
        if delivered_at:
            session.mark_delivered(seq, str(delivered_at))
    project(session, fold([*known, *events]))


def _compared(target: Store, events: Sequence[Event]) -> HeadNote:
    """Return the head of a copy that begins with exactly these events and verifies."""
    copied = target.events(until_seq=len(events))
    rows = [(e.seq, e.prev_hash, e.hash, e.body) for e in events]
    if rows != [(e.seq, e.prev_hash, e.hash, e.body) for e in copied]:
        raise Refused(
            f"The store in {target.place} has another history; the old place stays the one to use.",
            next_step="compare both with `workbench audit verify`, and move to an empty place",
        )
    result = verify_store(target)
    if not result.is_ok or result.head is None:
        raise AuditBroken(f"The copy in {target.place} is {result.finding}; nothing was moved.")
    return result.head

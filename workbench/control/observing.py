"""Looking at a pause that is recorded: what fails from here on never takes back that it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from workbench.control.targets import Observer, observation
from workbench.errors import StorageUnavailable
from workbench.records import HeadNote, Hold, Target
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed, Store


def observer_of(store: Store) -> Observer:
    """Return what looks at holds as the store has them now."""
    return Observer(store.state(), store.gate_folder, store.deliveries())


def observer_after(store: Store, done: Committed, *, hold: Hold, now: datetime) -> Observer:
    """Return what looks at a hold just recorded; a store that cannot be read again is known by its last commit."""
    try:
        return observer_of(store)
    except StorageUnavailable:
        told = {} if done.publication_fault else {hold.hold_id: now}
        return Observer(done.state, store.gate_folder, told)


def head_after(store: Store, done: Committed) -> HeadNote:
    """Return where the log stands after a command; where it cannot be read again, where the command left it."""
    try:
        return store.head_note()
    except StorageUnavailable:
        return replace(done.state.head, place=store.place)


def observation_command(
    state: State, targets: Iterable[Target], *, hold: Hold, command_id: str, now: datetime
) -> tuple[Command, Change] | None:
    """Return the command that records what is new in the targets, or None where nothing is."""
    new = observation(tuple(targets), state.observed, hold_id=hold.hold_id)
    if not new:
        return None
    content = {"name": "observe", "hold_id": hold.hold_id, "targets": new}
    draft = Draft(
        now,
        "system",
        "hold.observe",
        hold.hold_id,
        correlation_id=hold.hold_id,
        payload={"targets": new},
    )
    return Command(command_id, content), Change([draft])

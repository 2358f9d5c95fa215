"""Looking at a pause while it comes through, over all hosts; what fails here never takes back that it is recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from workbench.control.targets import Observer, observation
from workbench.errors import StorageUnavailable
from workbench.records import HeadNote, Hold, Target
from workbench.store.hosts import Hosts
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed, Store

ASK_HOSTS_SECONDS = 0.2
"""How often the store is asked what other hosts have seen; the gate folder here is looked at each time."""


UNSEEN = Hosts(is_cut=True)
"""What is known of the hosts where the store could not be asked: that there may be any."""


class Lookout:
    """Sees how far a hold has come, of one state of the store."""

    def __init__(
        self,
        store: Store,
        state: State,
        *,
        hold: Hold,
        delivered: Mapping[str, datetime] | None = None,
    ) -> None:
        """Ask the store what was delivered and what hosts reported; nothing where `delivered` says it."""
        self._hold = hold
        self._store, self._state = store, state
        self._folder_id = store.gates.identity(state)[1]
        self._delivered = store.delivered(hold) if delivered is None else delivered
        self.hosts = store.hosts(state) if delivered is None else UNSEEN
        self._asked_at = time.monotonic()

    def targets(self) -> tuple[Target, ...]:
        """Return how far the hold has come at each automation, those not yet there first."""
        self._ask_hosts()
        observer = Observer(
            self._state, self._store.gate_folder, self._delivered, self.hosts, self._folder_id
        )
        return observer.targets(self._hold)

    def elsewhere(self) -> Hosts:
        """Return the hosts with another gate folder than this one."""
        return Hosts(self.hosts.elsewhere(self._folder_id), self.hosts.is_cut)

    def _ask_hosts(self) -> None:
        """Ask again after a moment; a store that is away meanwhile leaves what was known, which confirms no more."""
        is_due = time.monotonic() - self._asked_at >= ASK_HOSTS_SECONDS
        if is_due and (self.hosts.is_cut or self.hosts.elsewhere(self._folder_id)):
            with contextlib.suppress(StorageUnavailable):
                self.hosts = self._store.hosts(self._state)
            self._asked_at = time.monotonic()


def lookout_after(store: Store, done: Committed, *, hold: Hold, now: datetime) -> Lookout:
    """Return what looks at a hold just recorded; a store that cannot be read again is known by its last commit."""
    try:
        return Lookout(store, done.state, hold=hold)
    except StorageUnavailable:
        told = {} if done.publication_fault else {hold.hold_id: now}
        return Lookout(store, done.state, hold=hold, delivered=told)


def head_after(store: Store, done: Committed) -> HeadNote:
    """Return where the log stands after a command; where it cannot be read again, where the command left it."""
    try:
        return store.head_note()
    except StorageUnavailable:
        return replace(done.state.head, place=store.place)


def observation_command(
    state: State, targets: Iterable[Target], *, hold: Hold, command_id: str, now: datetime
) -> tuple[Command, Callable[[State], Change]] | None:
    """Return the command that records what is new in the targets with what it decides, or None where nothing is.

    What somebody else recorded in between is not recorded again.
    """
    seen = tuple(targets)
    new = observation(seen, state.observed, hold_id=hold.hold_id)
    if not new:
        return None
    content = {"name": "observe", "hold_id": hold.hold_id, "targets": new}

    def decided(state: State) -> Change:
        return Change(observation_drafts(state, seen, hold_id=hold.hold_id, now=now))

    return Command(command_id, content), decided


def observation_drafts(
    state: State, targets: Iterable[Target], *, hold_id: str, now: datetime
) -> list[Draft]:
    """Return the event of what a state does not have of the targets yet; none where it has all."""
    new = observation(tuple(targets), state.observed, hold_id=hold_id)
    said = {"targets": new}
    draft = Draft(now, "system", "hold.observe", hold_id, correlation_id=hold_id, payload=said)
    return [draft] if new else []

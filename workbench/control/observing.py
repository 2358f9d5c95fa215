"""Looking at a hold again and again while it comes through, and what of that is recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from workbench.control.targets import Observer, observation
from workbench.errors import StorageUnavailable
from workbench.records import Hold, Target
from workbench.store.hosts import Hosts
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Command, Store

ASK_HOSTS_SECONDS = 0.2
"""How often the store is asked what other hosts have seen; the gate folder here is looked at each time."""


UNSEEN = Hosts(is_cut=True)
"""What is known of the hosts where the store could not be asked: that there may be any."""


class Lookout:
    """Sees how far holds have come, of one state of the store."""

    def __init__(
        self, store: Store, state: State, *, told: Mapping[str, datetime] | None = None
    ) -> None:
        """Ask the store what was delivered and what hosts reported; `told` is what is known without it."""
        self._store, self._state = store, state
        self._delivered: Mapping[str, datetime] = told or {}
        self._folder_id = store.gates.identity(state)[1]
        self.hosts = UNSEEN
        # A store that goes away now has recorded the hold: it is watched here, and confirmed nowhere else.
        with contextlib.suppress(StorageUnavailable):
            self._delivered = store.deliveries()
            self.hosts = store.hosts(state)
        self._asked_at = time.monotonic()

    def targets(self, hold: Hold) -> tuple[Target, ...]:
        """Return how far a hold has come at each automation, those not yet there first."""
        self._ask_hosts()
        observer = Observer(
            self._state, self._store.gate_folder, self._delivered, self.hosts, self._folder_id
        )
        return observer.targets(hold)

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


def observe_command(
    hold: Hold, targets: Sequence[Target], *, state: State, now: datetime, command_id: str
) -> tuple[Command, Draft] | None:
    """Return what records the news of a look at a hold; None where there is no news."""
    new = observation(targets, state.observed, hold_id=hold.hold_id)
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
    return Command(command_id, content), draft

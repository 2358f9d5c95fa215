"""How a command reaches the store: signed where one can, recorded once, published, and its head copied outside."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from workbench.clock import Clock
from workbench.control.ending import with_endings
from workbench.control.engine_port import FleetPort, NoEngines
from workbench.control.resuming import trusted
from workbench.control.signing import Signer, Who, identify, own_key, unsigned
from workbench.control.spooling import Intake
from workbench.errors import WorkbenchError
from workbench.evidence import EvidenceReader, nothing_loaded
from workbench.records import HeadNote
from workbench.store.anchors import append_note
from workbench.store.checkpoint import note_of
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed, Store


class Commander:
    """Gives commands to one store; each call opens and closes its own connection, so any thread may call.

    Attributes:
        fleet: the engines, where some are switched.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        role: str | None = None,
        signer: Signer = unsigned,
        evidence: EvidenceReader = nothing_loaded,
    ) -> None:
        """Act on a store as this process's user, for a role where one is named, signing where one can.

        `evidence` says what a resume rests on; without it one goes by break-glass only.
        """
        self.evidence = evidence
        self.intake = Intake(store, (store.gate_folder,))
        self.anchor_key: Path | None = None
        self._said: set[str] = set()
        self.fleet: FleetPort = NoEngines()
        self.signer = signer
        self.store = store
        self.clock = clock
        self.role = role

    def head_note(self) -> HeadNote:
        """Return where the log stands."""
        return self.store.head_note()

    def state(self) -> State:
        """Return the fold of the log."""
        return self.store.state()

    def transact(self, command: Command, decide: Callable[[State, Who], Change]) -> Committed:
        """Give one command, signed where this user has a key: what it decides is recorded, once."""
        now = self.clock.now()
        self.take_in_spooled()

        def decided(state: State) -> Change:
            who = identify(command, state, signer=self.signer, role=self.role, now=now)
            change = with_endings(state, decide(state, who), store=self.store, now=now)
            return replace(change, seal=who.seal, sign=who.sign)

        return self.store.transact(command, decided, after_commit=self.anchor)

    def checkpoint(self, state: State) -> str:
        """Return the note of where the log stood, signed where this user has a key."""
        head = state.head
        root, signer = bytes.fromhex(head.root), own_key(self.anchor_key)
        return note_of(head.store_id, state.event_count, root=root, signer=signer)

    def take_in_spooled(self) -> None:
        """Record the pauses that wait in the spool; what cannot be recorded now, gates go on holding."""
        with contextlib.suppress(OSError, WorkbenchError):
            for done in self.intake.take_in(self.clock.now()):
                if not done.is_repeat:
                    self.anchor(done.state)

    def anchor(self, state: State) -> None:
        """Copy a new head outside of the store; a copy that fails fails nothing, and is said once."""
        if not (folders := self.store.anchor_folders):
            return
        try:
            note = self.checkpoint(state)
            faults = append_note(folders, state.store_id, note=note)
        except (OSError, MemoryError, ImportError) as exc:
            # Without memory a library cannot be loaded either.
            faults = [f"no checkpoint could be made: {str(exc) or 'no memory is left'}"]
        for fault in sorted(set(faults) - self._said):
            logging.getLogger(__name__).warning("%s; the command itself is recorded.", fault)
        self._said.update(faults)

    def trusted_state(self, state: State) -> State:
        """Return the state; raises AuditBroken or Refused where nothing may be opened on it."""
        return trusted(state, copy_fault=self.store.copy_fault(state))

    @staticmethod
    def new_id(command_id: str | None) -> str:
        """Return the id that was given, or a fresh one."""
        return command_id or uuid.uuid4().hex

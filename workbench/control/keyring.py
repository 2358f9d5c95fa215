"""The key commands, over the same command path as every other."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from workbench.control.commands import Control
from workbench.control.keying import EnrolRequest, RevokeRequest, decide_enrol, decide_revoke
from workbench.control.signing import check_seal
from workbench.records import EnrolledKey
from workbench.store.sqlite import Change, Command
from workbench.store.state import State


class Keyring:
    """Enrols and revokes the keys of one store."""

    def __init__(self, control: Control) -> None:
        """Act through a control, with its user, role and key."""
        self._control = control

    def enrol(self, request: EnrolRequest, *, command_id: str | None = None) -> EnrolledKey:
        """Enrol a key; raises Refused unless it is the first or an enrolled key signs the command."""
        control, now = self._control, self._control.clock.now()
        return self._done(
            request.command(command_id or uuid.uuid4().hex),
            lambda state, by: decide_enrol(
                state, request, actor=control.actor(state), now=now, signed_by=by
            ),
            request.key_id,
        )

    def revoke(self, request: RevokeRequest, *, command_id: str | None = None) -> EnrolledKey:
        """Revoke a key; raises Refused unless an enrolled key signs the command."""
        control, now = self._control, self._control.clock.now()
        return self._done(
            request.command(command_id or uuid.uuid4().hex),
            lambda state, by: decide_revoke(
                state, request, actor=control.actor(state), now=now, signed_by=by
            ),
            request.key_id,
        )

    def _done(
        self,
        command: Command,
        decide: Callable[[State, EnrolledKey | None], Change],
        key_id: str,
    ) -> EnrolledKey:
        given, now = self._control.sealed(command), self._control.clock.now()
        done = self._control.transact(
            given, lambda state: decide(state, check_seal(state, given, now=now))
        )
        return done.state.keys[key_id]

"""Sign off what another person asked for: see exactly what it opens, arm, confirm."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

import traitlets

from workbench.control.pending import PendingSignoff
from workbench.errors import NotFound, Refused, UsageFault
from workbench.panels.guard import GuardedModel, Message, guarded
from workbench.panels.pause_model import SETTLE_SECONDS
from workbench.panels.ports import PanelDesk


@dataclass(frozen=True)
class ArmedSignoff:
    """One sign-off that waits for its confirmation; the token is the id of the command it becomes."""

    token: str
    pending: PendingSignoff

    @property
    def sentence(self) -> str:
        """Say what confirming does, in the words of the button."""
        return f"Confirm: sign off {self.pending.signoff_id}"


class SignoffModel(GuardedModel):
    """State of the list of sign-offs that wait; what changes or goes after arming disarms.

    Attributes:
        actor: who the log would name for a sign-off given here.
        pending: sign-offs that can still be given or used, newest first.
        armed: the one that waits for its confirmation, or None.
        given_count: how many were given here.
    """

    actor = traitlets.Unicode()
    pending = traitlets.Tuple()
    armed = traitlets.Instance(ArmedSignoff, allow_none=True)
    given_count = traitlets.Int()

    def __init__(self, desk: PanelDesk, *, actor: str = "") -> None:
        """Take the desk that lists and gives sign-offs."""
        super().__init__(actor=actor)
        self._desk = desk

    def follow(self) -> None:
        """Read again what waits; an armed sign-off that waits no longer, or otherwise, is disarmed."""
        self.pending = self._desk.pending()
        armed = self.armed
        if armed is not None and armed.pending not in self.pending:
            self.armed = None
            self.message = Message(
                f"{armed.pending.signoff_id} changed or waits no longer: no longer armed."
            )

    @guarded
    def arm(self, signoff_id: str) -> None:
        """Show what a sign-off opens and ask for the confirmation; nothing is signed yet."""
        threading.Event().wait(SETTLE_SECONDS)
        self.pending = self._desk.pending()
        found = next((p for p in self.pending if p.signoff_id == signoff_id), None)
        if found is None:
            self.armed = None
            self.message = Message(f"{signoff_id} waits no longer.", is_alert=True)
            return
        self.message = Message("Read what it opens, then confirm. Nothing is signed yet.")
        self.armed = ArmedSignoff(uuid.uuid4().hex, found)

    @guarded
    def confirm(self) -> None:
        """Give it, once: the token is spent before the command goes out, and a refusal is shown."""
        armed, self.armed = self.armed, None
        if armed is None:
            return
        try:
            self._desk.give(armed.pending.signoff_id, command_id=armed.token)
        except (UsageFault, Refused, NotFound):
            raise
        except Exception:
            # Recorded or not is not known; the same id pressed again cannot sign twice.
            self.armed = armed
            raise
        asked_by = armed.pending.signoff.requested_by
        self.message = Message(
            f"{armed.pending.signoff_id} is signed off.", f"{asked_by} may resume now"
        )
        self.given_count += 1

    @guarded
    def cancel(self) -> None:
        """Take the armed sign-off back; nothing was signed."""
        self.armed = None
        self.message = Message("Cancelled; nothing was signed.")

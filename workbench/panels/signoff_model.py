"""Give the second person's word: see exactly what it opens or changes, arm, confirm."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

import traitlets

from workbench.control.pending import Pending, PendingSignoff
from workbench.errors import NotFound, Refused, UsageFault
from workbench.panels.guard import GuardedModel, Message, guarded
from workbench.panels.pause_model import SETTLE_SECONDS
from workbench.panels.ports import PanelDesk


@dataclass(frozen=True)
class ArmedSignoff:
    """One thing that waits for its confirmation; the token is the id of the command it becomes."""

    token: str
    pending: Pending

    @property
    def sentence(self) -> str:
        """Say what confirming does, in the words of the button."""
        return f"Confirm: {self.pending.deed}"


class SignoffModel(GuardedModel):
    """State of the list of what waits for another person; what changes or goes after arming disarms.

    Attributes:
        actor: who the log would name for a sign-off given here.
        rule: whose word a resume needs under the policy.
        pending: sign-offs, weaker policies and keys that can still be given or used, newest first.
        unasked: decisions that need a sign-off which nobody asked for.
        armed: the one that waits for its confirmation, or None; `shown_at` names the row where it stands.
        given_count: how many were given here.
    """

    actor = traitlets.Unicode()
    rule = traitlets.Unicode()
    pending = traitlets.Tuple()
    unasked = traitlets.Tuple()
    armed = traitlets.Instance(ArmedSignoff, allow_none=True)
    shown_at = traitlets.Unicode()
    given_count = traitlets.Int()

    def __init__(self, desk: PanelDesk, *, actor: str = "") -> None:
        """Take the desk that lists what waits and does it."""
        super().__init__(actor=actor)
        self._desk = desk

    def follow(self) -> None:
        """Read again what waits; what was armed and waits no longer, or otherwise, is disarmed."""
        self._read()
        armed = self.armed
        if armed is not None and armed.pending not in self.pending:
            self.armed = None
            self.message = Message(
                f"{_named(armed.pending)} changed or waits no longer: no longer armed."
            )

    @guarded
    def arm(self, name: str) -> None:
        """Show what it opens or changes and ask for the confirmation; nothing is signed yet."""
        threading.Event().wait(SETTLE_SECONDS)
        self.shown_at = name
        before = next((_named(p) for p in self.pending if p.name == name), name)
        self._read()
        found = next((p for p in self.pending if p.name == name), None)
        if found is None:
            self.armed = None
            self.message = Message(f"{before} waits no longer.", is_alert=True)
            return
        self.message = Message("Read what it does, then confirm. Nothing is signed yet.")
        self.armed = ArmedSignoff(uuid.uuid4().hex, found)

    @guarded
    def confirm(self) -> None:
        """Give it, once: the token is spent before the command goes out, and a refusal is shown."""
        armed, self.armed = self.armed, None
        if armed is None:
            return
        try:
            self._desk.give(armed.pending, command_id=armed.token)
        except (UsageFault, Refused, NotFound):
            raise
        except Exception:
            # Recorded or not is not known; the same id pressed again cannot sign twice.
            self.armed = armed
            raise
        self.message = _done(armed.pending)
        self.given_count += 1

    @guarded
    def cancel(self) -> None:
        """Take the armed sign-off back; nothing was signed."""
        self.armed = None
        self.message = Message("Cancelled; nothing was signed.")

    def _read(self) -> None:
        desk = self._desk.read()
        self.rule, self.pending, self.unasked = desk.rule, desk.pending, desk.unasked


def _named(pending: Pending) -> str:
    """Name what waits in the middle of a sentence's beginning."""
    if isinstance(pending, PendingSignoff):
        return pending.signoff_id
    return "The weaker policy" if pending.is_policy else f"The key of {pending.content['person']}"


def _done(pending: Pending) -> Message:
    """Say that it is done, and what may be done now."""
    if isinstance(pending, PendingSignoff):
        return Message(f"{pending.signoff_id} is signed off.", f"{pending.asked_by} may resume now")
    done = "is in force" if pending.is_policy else "is enrolled"
    return Message(
        f"{_named(pending)} {done}.", "see `workbench policy show` and `workbench key list`"
    )

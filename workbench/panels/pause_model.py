"""Choose what to pause, see what that covers, arm, confirm."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import traitlets

from workbench.control.placing import PauseRequest
from workbench.control.views import PauseReceipt, Preview
from workbench.errors import NotFound, Refused, UsageFault, WorkbenchError
from workbench.panels.guard import NOTHING, GuardedModel, Message, guarded
from workbench.panels.ports import PanelControl
from workbench.records import Automation, Mode
from workbench.scope import EVERYTHING, Proposal, Scope

SETTLE_SECONDS = 0.15
"""A click can reach the kernel before the text typed just before it, on another thread."""

WAIT_SECONDS = 2.0
"""How long the click waits for automations to confirm; afterwards the panel goes on watching."""


@dataclass(frozen=True)
class ArmedPause:
    """One pause that waits for its confirmation; the token is the id of the command it becomes."""

    token: str
    scope: str
    mode: Mode
    reason: str
    preview: Preview

    @property
    def sentence(self) -> str:
        """Say what confirming does, in the words of the button."""
        count = len(self.preview.automations)
        noun = "automation" if count == 1 else "automations"
        whole = "safe mode, " if self.scope == EVERYTHING else ""
        return f"Confirm: {whole}{self.mode} {count} {noun}"


def usual_scopes(automations: tuple[Automation, ...]) -> tuple[Proposal, ...]:
    """Return the scopes an operator reaches for first: each kind, each category, everything."""
    terms = sorted(
        {("kind", a.kind) for a in automations} | {("category", a.category) for a in automations}
    )
    scopes = [Scope((term,)) for term in reversed(terms)] + [Scope()]
    found = ((scope, tuple(a.automation_id for a in scope.select(automations))) for scope in scopes)
    return tuple(
        Proposal(s, ids, f"whole {s.terms[0][0]}" if s.terms else "safe mode") for s, ids in found
    )


class PauseModel(GuardedModel):
    """State of the pause form; editing scope, mode or reason after arming disarms it.

    Attributes:
        search: words to find a scope by; `proposals` are the scopes found.
        preview: what the scope covers now, or None; `preview_problem` says why there is none.
        armed: the pause that waits for its confirmation, or None.
        receipt: what the last pause recorded.
    """

    search = traitlets.Unicode()
    proposals = traitlets.Tuple()
    scope = traitlets.Unicode()
    mode = traitlets.UseEnum(Mode, default_value=Mode.FREEZE)
    reason = traitlets.Unicode()
    preview = traitlets.Instance(Preview, allow_none=True)
    preview_problem = traitlets.Unicode()
    armed = traitlets.Instance(ArmedPause, allow_none=True)
    receipt = traitlets.Instance(PauseReceipt, allow_none=True)

    def __init__(self, control: PanelControl) -> None:
        """Take the control layer that answers and carries out."""
        super().__init__()
        self._control = control
        self._usual: tuple[Proposal, ...] = ()

    @property
    def blocked_because(self) -> str | None:
        """Return the first thing missing before the pause can be armed, or None."""
        if not self.scope.strip():
            return "Say what to pause: choose a match or type a scope; `*` is everything."
        if self.preview_problem:
            return self.preview_problem
        if not self.reason.strip():
            return "Give a reason: it is recorded with the pause and read by whoever restarts."
        return None

    def offer(self, automations: Iterable[Automation]) -> None:
        """Offer whole kinds, whole categories and safe mode while nothing was searched for."""
        self._usual = usual_scopes(tuple(automations))
        if not self.search.strip():
            self.proposals = self._usual

    @guarded
    def find(self) -> None:
        """Propose scopes for the words in `search`."""
        words = self.search.strip()
        self.proposals = tuple(self._control.find(words)) if words else self._usual
        self.message = NOTHING
        if not self.proposals:
            text = f"Nothing matches {words!r}; try the name of an owner, a provider or a category."
            self.message = Message(text)

    def choose(self, proposal: Proposal | None) -> None:
        """Take a proposed scope over into the form; None leaves the form as it is."""
        if proposal is not None:
            self.scope = str(proposal.scope)

    @guarded
    def arm(self) -> None:
        """Ask for the confirmation, with a fresh list of what would be covered."""
        if self.armed is not None:
            return
        threading.Event().wait(SETTLE_SECONDS)
        self._look()
        why_not, preview = self.blocked_because, self.preview
        if why_not is not None or preview is None:
            self.message = Message(
                why_not or "The scope was changed just now; arm again.", is_alert=True
            )
            return
        self.message = Message("Read what is covered, then confirm. Nothing is paused yet.")
        # Last, because it shows the confirmation: a click on that must not find the form busy.
        self.armed = ArmedPause(
            token=uuid.uuid4().hex,
            scope=self.scope.strip(),
            mode=self.mode,
            reason=self.reason.strip(),
            preview=preview,
        )

    @guarded
    def confirm(self) -> None:
        """Record the pause, once: the token is spent before the command goes out."""
        armed, self.armed = self.armed, None
        if armed is None:
            return
        try:
            request = PauseRequest(armed.scope, armed.reason, armed.mode)
            receipt = self._control.pause(
                request, command_id=armed.token, wait_seconds=WAIT_SECONDS
            )
        except (UsageFault, Refused, NotFound):
            raise
        except Exception:
            # Whether it was recorded is not known. The same command id again gives the first
            # result or does it now, never twice, so that pressing Confirm again is safe.
            self.armed = armed
            raise
        self.reason = ""
        self._look()
        self.receipt = receipt
        self.message = _said_of(receipt)

    @guarded
    def cancel(self) -> None:
        """Take the armed pause back; nothing was recorded."""
        self.armed = None
        self.message = Message("Cancelled; nothing was recorded.")

    @traitlets.observe("scope", "mode", "reason")
    def _disarm(self, change: Any) -> None:
        if self.armed is not None:
            self.armed = None
            self.message = Message(
                f"The {change['name']} was changed: no longer armed. Press Pause again."
            )
        if change["name"] != "reason":
            self._look()

    def _look(self) -> None:
        scope, mode = self.scope.strip(), self.mode
        preview, problem = None, ""
        if scope:
            try:
                preview = self._control.preview(scope, mode)
            except WorkbenchError as error:
                problem = f"{error.message} ({error.then})"
        if (scope, mode) == (self.scope.strip(), self.mode):
            self.preview, self.preview_problem = preview, problem


def _said_of(receipt: PauseReceipt) -> Message:
    hold, total = receipt.hold, len(receipt.targets)
    if receipt.publication_fault:
        return Message(
            f"{hold.hold_id} is recorded, but not published to the gate: {receipt.publication_fault}.",
            "run `workbench doctor`; until it is published, stop by hand what must not run",
            is_alert=True,
        )
    said = (
        f"{hold.hold_id} is recorded at {hold.placed_at:%H:%M:%S} UTC: {hold.mode} of {hold.scope}."
    )
    if receipt.is_confirmed:
        return Message(f"{said} Confirmed by {receipt.confirmed_count} of {total}.")
    return Message(
        f"{said} When the click returned, {receipt.confirmed_count} of {total} had confirmed.",
        "see under Progress what has not, and stop that by hand",
        is_alert=True,
    )

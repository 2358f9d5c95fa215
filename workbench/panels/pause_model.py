"""Choose what to pause, see what that covers, arm, confirm."""

from __future__ import annotations

import shlex
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import traitlets

from workbench.control.placing import PauseRequest
from workbench.control.spooling import Told
from workbench.control.views import PauseReceipt, Preview
from workbench.errors import (
    NotFound,
    NothingPaused,
    Refused,
    Spooled,
    StorageUnavailable,
    UsageFault,
    WorkbenchError,
)
from workbench.panels.guard import NOTHING, GuardedModel, Message, guarded
from workbench.panels.ports import PanelControl
from workbench.records import Automation, Mode, Target
from workbench.scope import EVERYTHING, Proposal, Scope

SETTLE_SECONDS = 0.15
"""A click can reach the kernel before the text typed just before it, on another thread."""

WAIT_SECONDS = 2.0
"""How long the click waits for automations to confirm; afterwards the panel goes on watching."""


NOTHING_PAUSED = "NOTHING IS PAUSED by this panel"


@dataclass(frozen=True)
class ArmedPause:
    """One pause that waits for its confirmation; the token is the id of the command it becomes.

    Attributes:
        preview: what it covers, or None while the store cannot be asked: then `told` is what gates know.
    """

    token: str
    scope: str
    mode: Mode
    reason: str
    preview: Preview | None
    told: Told | None = None

    @property
    def sentence(self) -> str:
        """Say what confirming does, in the words of the button."""
        covered = self.told.automation_ids if self.told else ()
        count = len(self.preview.automations if self.preview else covered)
        noun = "automation" if count == 1 else "automations"
        whole = "safe mode, " if self.scope == EVERYTHING else ""
        by = "" if self.preview else " by the spool"
        return f"Confirm: {whole}{self.mode} {count} {noun}{by}"


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
        told: what gates say that it covers, while the store cannot be asked.
        is_out_of_reach: neither store nor gates can be asked, so that no pause can be armed here.
        armed: the pause that waits for its confirmation, or None.
        receipt: what the last pause recorded.
        is_spooled: a pause from here went to the spool and is not known to be recorded yet.
    """

    search = traitlets.Unicode()
    proposals = traitlets.Tuple()
    scope = traitlets.Unicode()
    mode = traitlets.UseEnum(Mode, default_value=Mode.FREEZE)
    reason = traitlets.Unicode()
    preview = traitlets.Instance(Preview, allow_none=True)
    preview_problem = traitlets.Unicode()
    told = traitlets.Instance(Told, allow_none=True)
    is_out_of_reach = traitlets.Bool()
    armed = traitlets.Instance(ArmedPause, allow_none=True)
    receipt = traitlets.Instance(PauseReceipt, allow_none=True)
    is_spooled = traitlets.Bool()

    def __init__(self, control: PanelControl) -> None:
        """Take the control layer that answers and carries out."""
        super().__init__()
        self._control = control
        self._usual: tuple[Proposal, ...] = ()
        self._said = NOTHING

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

    @property
    def typed(self) -> str:
        """Return the command that asks for the same pause in a terminal."""
        reason = shlex.quote(self.reason.strip()) if self.reason.strip() else "TEXT"
        scope = shlex.quote(self.scope.strip()) if self.scope.strip() else "SCOPE"
        return f"workbench pause {scope} --mode {self.mode} --reason {reason}"

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
        why_not, preview, told = self.blocked_because, self.preview, self.told
        if why_not is not None or (preview is None and told is None):
            self.message = self._refusal(why_not or "The scope was changed just now; arm again.")
            return
        self.message = Message("Read what is covered, then confirm. Nothing is paused yet.")
        # Last, because it shows the confirmation: a click on that must not find the form busy.
        self.armed = ArmedPause(
            token=uuid.uuid4().hex,
            scope=self.scope.strip(),
            mode=self.mode,
            reason=self.reason.strip(),
            preview=preview,
            told=told,
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
        except Spooled as error:
            self.reason, self.is_spooled = "", True
            self.message = self._said = Message.of_error(error)
            return
        except Exception as error:
            # Whether it was recorded is not known. The same command id again gives the first
            # result or does it now, never twice, so that pressing Confirm again is safe.
            self.armed = armed
            if not isinstance(error, StorageUnavailable):
                raise
            self.message = self._without_store(error)
            return
        self.reason = ""
        self._look()
        self.receipt = receipt
        self.message = self._said = _said_of(receipt)

    @property
    def awaited_id(self) -> str:
        """Return the hold whose alert still stands under the form, empty where none does."""
        is_open = self.message is self._said and self.message.is_alert and not self.is_spooled
        return str(self.receipt.hold.hold_id) if self.receipt and is_open else ""

    def follow(self, targets: tuple[Target, ...], publication_fault: str) -> None:
        """Let what was so when the click returned give way to what is so now; no targets: the hold is gone."""
        if self.receipt is None or not self.awaited_id:
            return
        if not targets:
            self._say_instead(Message(f"{self.awaited_id} stands no longer."))
            return
        # Hosts that were not told then are seen in the targets now.
        now = replace(self.receipt, targets=targets, publication_fault=publication_fault, hosts=())
        self._say_instead(_said_of(now, "By now"))

    def taken_in(self) -> None:
        """Say that what was spooled here is recorded now: nothing waits in the spool any more."""
        self.is_spooled = False
        self._say_instead(
            Message("The spooled pause is recorded now; its hold stands in the list.")
        )

    def _say_instead(self, message: Message) -> None:
        """Let what the last pause said give way, unless something else was said meanwhile."""
        if self.message is self._said and message != self._said:
            self.message = self._said = message

    @guarded
    def cancel(self) -> None:
        """Take the armed pause back; nothing was recorded."""
        self.armed = None
        self.message = Message("Cancelled; nothing was recorded.")

    def look_again(self) -> None:
        """Read again what the scope covers, now that the store answers again."""
        self._look()

    @traitlets.observe("scope", "mode", "reason")
    def _disarm(self, change: Any) -> None:
        if self.armed is not None:
            self.armed = None
            self.message = Message(
                f"The {change['name']} was changed: no longer armed. Press Pause again."
            )
        if change["name"] != "reason":
            self._look()

    def _refusal(self, why: str) -> Message:
        if self.is_out_of_reach:
            return self._not_here(f"{NOTHING_PAUSED}: {why}")
        return Message(why, is_alert=True)

    def _without_store(self, error: StorageUnavailable) -> Message:
        """Say what is known after a pause that neither store nor spool answered for."""
        if isinstance(error, NothingPaused):
            return self._not_here(error.message.replace("NOTHING is paused", NOTHING_PAUSED, 1))
        return self._not_here(f"NOT KNOWN TO BE PAUSED: {error.message}")

    def _not_here(self, said: str) -> Message:
        return Message(
            said,
            f"stop by hand what must not run, and type `{self.typed}` in a terminal where automations run: "
            "without the store it goes to the spool, and gates obey it",
            is_alert=True,
        )

    def _look(self) -> None:
        scope, mode = self.scope.strip(), self.mode
        preview, told, problem, is_away = None, None, "", False
        if scope:
            try:
                preview = self._control.preview(scope, mode)
            except StorageUnavailable as error:
                told, problem, is_away = self._ask_gates(scope, error)
            except WorkbenchError as error:
                problem = f"{error.message} ({error.then})"
        if (scope, mode) == (self.scope.strip(), self.mode):
            with self.hold_trait_notifications():
                self.preview, self.told, self.preview_problem = preview, told, problem
                self.is_out_of_reach = is_away

    def _ask_gates(self, scope: str, cause: StorageUnavailable) -> tuple[Told | None, str, bool]:
        """Return what gates say that a scope covers, or why there is nothing, and whether nothing can be asked."""
        try:
            return self._control.told(scope, cause=cause), "", False
        except WorkbenchError as error:
            is_away = isinstance(error, StorageUnavailable)
            return None, f"{error.message} ({error.then})", is_away


def _said_of(receipt: PauseReceipt, when: str = "When the click returned") -> Message:
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
        f"{said} {when}, {receipt.confirmed_count} of {total} had confirmed.",
        "see under Progress what has not, and stop that by hand",
        is_alert=True,
    )

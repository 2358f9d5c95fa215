"""What the control panel asks of the control layer; the models know nothing else of it."""

from __future__ import annotations

from typing import Protocol

from workbench.control.desk import Desk
from workbench.control.pending import Pending
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.control.spooling import Told
from workbench.control.views import PauseReceipt, Preview, Status
from workbench.errors import StorageUnavailable
from workbench.records import Hold, Mode, Target
from workbench.restarts import Probation
from workbench.scope import Proposal


class PanelDesk(Protocol):
    """The sign-offs that wait, and the way to give one."""

    def read(self) -> Desk:
        """Return what waits for another person's word, and whose word counts."""

    def give(self, pending: Pending, *, command_id: str | None) -> None:
        """Do what somebody else asked for; the same command id again does nothing more."""


class PanelControl(Protocol):
    """Commands and questions of the panel; each call opens and closes its own store connection."""

    @property
    def desk(self) -> PanelDesk:
        """The sign-offs that wait."""

    def find(self, text: str) -> list[Proposal]:
        """Propose the smallest scopes for some words."""

    def preview(self, scope_text: str, mode: Mode) -> Preview:
        """List every automation a pause would cover, and which of them it would not stop."""

    def told(self, scope_text: str, *, cause: StorageUnavailable) -> Told:
        """Say what a pause by the spool would cover, by what gates were told last."""

    def take_in_spooled(self) -> None:
        """Record the pauses that wait in the spools, as far as the store can now."""

    def spool_words(self) -> str:
        """Say which pauses the spools hold while the store cannot record them."""

    def pause(
        self, request: PauseRequest, *, command_id: str | None, wait_seconds: float
    ) -> PauseReceipt:
        """Record a hold; the same command id again gives the first result."""

    def resume_narrow(self, request: ResumeRequest, *, command_id: str | None) -> Probation:
        """Let a part of a hold through for so many runs."""

    def resume_full(self, request: ResumeRequest, *, command_id: str | None) -> Hold:
        """Release a hold."""

    def forecast(self, request: ResumeRequest) -> tuple[str, ...]:
        """Say what a resume would start in engines, a sentence for each target; nothing without engines."""

    def status(self) -> Status:
        """Say which store this is, what each automation's state is, and which holds stand."""

    def targets(self, hold_id: str) -> tuple[Target, ...]:
        """Say how far a hold has come at each automation, those not yet there first."""

    def observe(self, hold_id: str) -> tuple[Target, ...]:
        """Say the same, and record what is new of it."""

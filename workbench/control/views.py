"""What commands and screens show: plain records, without decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench.records import (
    Automation,
    Decision,
    GateState,
    HeadNote,
    Hold,
    HoldState,
    Mode,
    Probation,
    Target,
    TargetState,
)
from workbench.scope import Scope

GATE_ONLY = "stops automations that ask the gate: {asking} of {total}"
OTHERS = "; the others are NOT stopped"
"""What every preview says until engines are bound (SEMANTICS 2), and what it adds where there are others."""


@dataclass(frozen=True)
class Preview:
    """What a scope covers, before anything happens.

    Attributes:
        already_paused: automations that a hold covers now, a narrow restart of them or not.
    """

    scope: Scope
    mode: Mode
    automations: tuple[Automation, ...]
    already_paused: tuple[str, ...]

    @property
    def asking(self) -> tuple[Automation, ...]:
        """Automations that ask the gate, so that a hold stops them."""
        return tuple(a for a in self.automations if a.asks_gate)

    @property
    def not_stopped(self) -> tuple[Automation, ...]:
        """Automations that a hold covers and does not stop today."""
        return tuple(a for a in self.automations if not a.asks_gate)

    @property
    def sentence(self) -> str:
        """Say how much of the scope a hold stops today."""
        said = GATE_ONLY.format(asking=len(self.asking), total=len(self.automations))
        return said + OTHERS * bool(self.not_stopped)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what the operator should know before the click."""
        found = [self.mode.in_plain_words, self.sentence]
        if self.mode is Mode.HALT:
            found.append("The gate cannot cancel a run; a run in flight stops when it asks next.")
        if self.already_paused:
            found.append(f"Already under a hold: {', '.join(self.already_paused)}.")
        return tuple(found)


@dataclass(frozen=True)
class PauseReceipt:
    """What a pause did: the hold, how far it has come at each automation, and where the log stands."""

    hold: Hold
    preview: Preview
    targets: tuple[Target, ...]
    head: HeadNote
    publication_fault: str = ""
    is_repeat: bool = False
    gate_folder: str = ""

    @property
    def confirmed_count(self) -> int:
        """Number of automations known to have seen the hold."""
        return sum(t.confirmed_at is not None for t in self.targets)

    @property
    def is_confirmed(self) -> bool:
        """Tell whether every automation that the hold covers has seen it."""
        return bool(self.targets) and self.confirmed_count == len(self.targets)


@dataclass(frozen=True)
class ProbationView:
    """A narrow restart with how much of it has been used.

    Attributes:
        automation_ids: what it still lets through.
    """

    probation: Probation
    runs_taken: int
    why_over: str
    automation_ids: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        """Tell whether it still lets runs through."""
        return not self.why_over


@dataclass(frozen=True)
class HoldView:
    """A hold as a screen shows it.

    Attributes:
        lacks: what keeps a first-run hold from being released.
    """

    hold: Hold
    state: HoldState
    automations: tuple[str, ...]
    probations: tuple[ProbationView, ...]
    decisions: tuple[Decision, ...]
    changed_seq: int
    lacks: tuple[str, ...] = ()

    @property
    def live_probations(self) -> tuple[ProbationView, ...]:
        """Narrow restarts that let something through now."""
        return tuple(p for p in self.probations if p.is_live and p.automation_ids)

    @property
    def state_in_words(self) -> str:
        """Say the state as screens do."""
        words = {
            HoldState.ACTIVE: "paused",
            HoldState.LAPSED: "overdue, still paused",
            HoldState.RELEASED: "released",
        }[self.state]
        if self.hold.is_first_run and self.state is not HoldState.RELEASED:
            words = first_run_words(self.lacks)
        return f"{words}, part in a narrow restart" if self.live_probations else words


def first_run_words(lacks: tuple[str, ...]) -> str:
    """Say what a first-run hold waits for."""
    return f"not ready: lacks {'; '.join(lacks)}" if lacks else "ready, a person may release it"


@dataclass(frozen=True)
class AutomationStatus:
    """One automation with the holds on it; `first_run` says what a first-run hold on it waits for."""

    automation: Automation
    state: str
    hold_ids: tuple[str, ...]
    first_run: str = ""

    @property
    def state_in_words(self) -> str:
        """Say the state as screens do."""
        return f"{self.state}, {self.first_run}" if self.first_run else self.state


@dataclass(frozen=True)
class Status:
    """Where the store is and what it says of every automation."""

    head: HeadNote
    now: datetime
    automations: tuple[AutomationStatus, ...]
    holds: tuple[HoldView, ...]
    flags: tuple[str, ...]
    publication_fault: str = ""


@dataclass(frozen=True)
class CardEntry:
    """One automation on a card: who can stop it, what happens then, who restarts it."""

    automation: Automation
    deputy: str
    contact: str
    state: str
    hold_ids: tuple[str, ...]
    last_asked_at: datetime | None
    in_flight_count: int
    first_run: str = ""


@dataclass(frozen=True)
class Card:
    """The page an operator opens: everything about stopping and restarting a scope."""

    scope: Scope
    entries: tuple[CardEntry, ...]
    preview: Preview
    head: HeadNote


__all__ = [
    "GATE_ONLY",
    "AutomationStatus",
    "Card",
    "CardEntry",
    "GateState",
    "HoldView",
    "PauseReceipt",
    "Preview",
    "ProbationView",
    "Status",
    "Target",
    "TargetState",
]

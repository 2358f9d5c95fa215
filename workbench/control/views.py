"""What commands and screens show: plain records, without decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench.control.usage import Use
from workbench.records import (
    Automation,
    Decision,
    GateState,
    HeadNote,
    Hold,
    HoldState,
    Mode,
    Target,
    TargetState,
)
from workbench.restarts import Probation
from workbench.scope import Scope
from workbench.store.hosts import Host

GATE_ONLY = "stops automations that ask the gate: {asking} of {total}"
OTHERS = "; the others are NOT stopped"
"""What every preview says until engines are bound (SEMANTICS 2), and what it adds where there are others."""


NOT_READY = "not ready"


@dataclass(frozen=True)
class Preview:
    """What a scope covers, before anything happens.

    Attributes:
        already_paused: automations that a hold covers now, a narrow restart of them or not.
        stopped_by_engine: ids of those that their engines can pause in this mode.
        engine_notes: what the pause does in each engine, a sentence each.
    """

    scope: Scope
    mode: Mode
    automations: tuple[Automation, ...]
    already_paused: tuple[str, ...]
    stopped_by_engine: frozenset[str] = frozenset()
    engine_notes: tuple[str, ...] = ()

    @property
    def asking(self) -> tuple[Automation, ...]:
        """Automations that ask the gate, so that a hold stops them."""
        return tuple(a for a in self.automations if a.asks_gate)

    @property
    def not_stopped(self) -> tuple[Automation, ...]:
        """Automations that a hold covers and does not stop today."""
        return tuple(
            a
            for a in self.automations
            if not a.asks_gate and a.automation_id not in self.stopped_by_engine
        )

    @property
    def sentence(self) -> str:
        """Say how much of the scope a hold stops today."""
        total = len(self.automations)
        said = GATE_ONLY.format(asking=len(self.asking), total=total)
        if self.stopped_by_engine:
            said += f"; their engines pause {len(self.stopped_by_engine)} of {total}"
        return said + OTHERS * bool(self.not_stopped)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what the operator should know before the click."""
        found = [self.mode.in_plain_words, self.sentence, *self.engine_notes]
        if self.mode is Mode.HALT:
            found.append("The gate cannot cancel a run; a run in flight stops when it asks next.")
        if self.already_paused:
            found.append(f"Already under a hold: {', '.join(self.already_paused)}.")
        return tuple(found)


@dataclass(frozen=True)
class HostView:
    """One host as a screen shows it, measured against a position that its gates should have.

    Attributes:
        label: its name, with the number of its gate folder where two have one name.
        wanted_seq: the position that its gates should have been told.
    """

    label: str
    host: Host
    wanted_seq: int

    @property
    def is_told(self) -> bool:
        """Tell whether its gates were told."""
        return self.host.seq >= self.wanted_seq

    @property
    def state_in_words(self) -> str:
        """Say whether it is heard of, and whether its gates have what they should have."""
        if self.host.is_silent:
            return "UNREACHABLE"
        return "told" if self.is_told else "not told yet"

    @property
    def sentence(self) -> str:
        """Say what is the matter with it."""
        position = f"gates there have event {self.host.seq} of {self.wanted_seq}"
        return f"host {self.label} is {self.state_in_words}: {self.host.last_heard}, {position}"


@dataclass(frozen=True)
class PauseReceipt:
    """What a pause did: the hold, how far it has come at each automation, and where the log stands.

    Attributes:
        hosts: hosts besides this one whose mirrors report, measured against the hold.
        has_more_hosts: there are more than could be looked at.
    """

    hold: Hold
    preview: Preview
    targets: tuple[Target, ...]
    head: HeadNote
    publication_fault: str = ""
    is_repeat: bool = False
    gate_folder: str = ""
    hosts: tuple[HostView, ...] = ()
    has_more_hosts: bool = False

    @property
    def not_told(self) -> tuple[HostView, ...]:
        """Hosts whose gates were not told of the hold, so that whatever runs there may go on."""
        return tuple(view for view in self.hosts if not view.is_told)

    @property
    def confirmed_count(self) -> int:
        """Number of automations known to have seen the hold."""
        return sum(t.confirmed_at is not None for t in self.targets)

    @property
    def is_confirmed(self) -> bool:
        """Tell whether every automation that the hold covers has seen it, and every host was told."""
        is_everywhere = not self.not_told and not self.has_more_hosts
        return bool(self.targets) and self.confirmed_count == len(self.targets) and is_everywhere


@dataclass(frozen=True)
class ProbationView:
    """A narrow restart with how much of it has been used.

    Attributes:
        automation_ids: what it still lets through.
        uses: what was let through on each host, where several have shares.
        cut_off: ids of its runs that ended in the middle on this host, so that nobody knows what they did.
    """

    probation: Probation
    runs_taken: int
    why_over: str
    automation_ids: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    cut_off: tuple[str, ...] = ()

    @property
    def used_words(self) -> str:
        """Say how many of its runs were used, and on which host, with the age of that knowledge."""
        used = f"{self.runs_taken} of {self.probation.max_runs} runs used"
        where = f" on {', '.join(use.words for use in self.uses)}" if self.uses else ""
        return f"{used}{where}{self.cut_off_words}"

    @property
    def cut_off_words(self) -> str:
        """Say which of its runs are not known to have ended well; empty where none was cut off."""
        return f", cut off and unknown: {', '.join(self.cut_off)}" if self.cut_off else ""

    @property
    def is_live(self) -> bool:
        """Tell whether it still lets runs through."""
        return not self.why_over


@dataclass(frozen=True)
class HoldView:
    """A hold as a screen shows it.

    Attributes:
        lacks: what keeps a first-run hold from being released; `way_out` says how to bring it.
        kept_by: decision that keeps a first-run hold although it was ready; empty where there is none.
    """

    hold: Hold
    state: HoldState
    automations: tuple[str, ...]
    probations: tuple[ProbationView, ...]
    decisions: tuple[Decision, ...]
    changed_seq: int
    lacks: tuple[str, ...] = ()
    way_out: str = ""
    kept_by: str = ""

    @property
    def reason_in_words(self) -> str:
        """Say why it was placed; what a first-run hold lacked then says nothing of what it lacks now."""
        return "new in production" if self.hold.is_first_run else self.hold.reason

    @property
    def over_probations(self) -> tuple[ProbationView, ...]:
        """Narrow restarts that are over and that no newer one took the place of: they wait for a review."""
        found, newer = [], set[str]()
        for view in reversed(self.probations):
            if not view.is_live and set(view.automation_ids) - newer:
                found.append(view)
            newer |= set(view.automation_ids)
        return tuple(reversed(found))

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
            words = first_run_words(self.lacks, self.kept_by)
        return f"{words}, part in a narrow restart" if self.live_probations else words


def first_run_words(lacks: tuple[str, ...], kept_by: str = "") -> str:
    """Say what a first-run hold waits for."""
    if lacks:
        return f"{NOT_READY}: lacks {'; '.join(lacks)}"
    return f"ready, kept paused by {kept_by}" if kept_by else "ready, a person may release it"


@dataclass(frozen=True)
class AutomationStatus:
    """One automation with the holds on it.

    Attributes:
        first_run: what a first-run hold on it waits for.
        at_work: what of it is not known to have stopped, as the gates that it asks say.
    """

    automation: Automation
    state: str
    hold_ids: tuple[str, ...]
    first_run: str = ""
    at_work: str = ""

    @property
    def state_in_words(self) -> str:
        """Say the state as screens do; what a first run lacks stands at its hold."""
        first_run = NOT_READY if self.first_run.startswith(NOT_READY) else self.first_run
        return ", ".join(words for words in (self.state, first_run, self.at_work) if words)


@dataclass(frozen=True)
class Status:
    """Where the store is and what it says of every automation.

    Attributes:
        pressing: those of the flags that no screen folds away.
    """

    head: HeadNote
    now: datetime
    automations: tuple[AutomationStatus, ...]
    holds: tuple[HoldView, ...]
    flags: tuple[str, ...]
    publication_fault: str = ""
    hosts: tuple[HostView, ...] = ()
    pressing: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardEntry:
    """One automation on a card: who can stop it, what happens then, who restarts it.

    Attributes:
        first_run: what its first run waits for, or who took it over as already running.
        guard_id: first-run hold that stands on it, empty where none does; `way_out` says how to bring what it lacks.
        at_work: what of it is not known to have stopped.
    """

    automation: Automation
    deputy: str
    contact: str
    state: str
    hold_ids: tuple[str, ...]
    last_asked_at: datetime | None
    in_flight_count: int
    last_drill: str = ""
    first_run: str = ""
    guard_id: str = ""
    way_out: str = ""
    at_work: str = ""


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
    "HostView",
    "PauseReceipt",
    "Preview",
    "ProbationView",
    "Status",
    "Target",
    "TargetState",
]

"""The one contract with an engine: what it must answer so that its work can be read, paused, read back and resumed.

A new engine is one file with a class of this shape and a function `connect(address, binding, *, clock)`, registered
under the entry point group `workbench.engines`. Adapters speak HTTP and need no engine package. What fails is an
EngineError: a sentence that names the place and never a credential.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from workbench.clock import Clock
from workbench.engines.rows import (
    ApprovalRow,
    AuditRow,
    Bound,
    EngineTarget,
    Health,
    RunRow,
    StateRow,
    StepRow,
)
from workbench.engines.switching import (
    CallOutcome,
    Capability,
    CatchUp,
    EngineScope,
    NativeCall,
    Note,
    Plan,
    ProbeWork,
    Reading,
    Receipt,
    Verification,
    WorkClass,
)
from workbench.records import Mode

ENTRY_POINTS = "workbench.engines"
"""Entry point group: the name is the engine's kind, the value its `connect`."""


@dataclass(frozen=True)
class EngineAddress:
    """Where an engine is and what opens it.

    Attributes:
        engine_id: name in our registry, as an automation's `engine` gives it.
        kind: which adapter: `prefect`, `airflow`, `temporal`.
        url: whole address; never shown, for it may hold a password.
        token: bearer token, or empty; never shown.
        password: with `user`; never shown.
        options: what only this kind of engine needs, such as a namespace.
    """

    engine_id: str
    kind: str
    url: str = field(repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The address as screens show it: a name and a password that somebody wrote into it are left out."""
        scheme, is_url, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}" if is_url else self.url


class Binding(Protocol):
    """Finds the automation for what an engine runs."""

    def find(self, names: Sequence[str], tags: Sequence[str]) -> Bound:
        """Return the automation bound to one of these names or tags, or a stand-in."""


class EngineReader(Protocol):
    """The reading half of an engine.

    Reading is incremental with an overlap: rows may come again, and are the same rows then.
    """

    engine: str

    def probe(self) -> Health:
        """Ask whether the engine is there, which version, and whether it truly schedules; or EngineError."""

    def targets(self) -> Sequence[EngineTarget]:
        """Return what the engine runs."""

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        """Return every run that may have changed since; planned starts after `until` are no history."""

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        """Return those of these runs that the engine still has."""

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        """Return the states that these runs entered."""

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        """Return the steps of these runs."""

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        """Return the audited actions since."""

    def approvals(self) -> Sequence[ApprovalRow]:
        """Return the approvals that runs asked for; empty where the engine has none."""


class EngineSwitch(Protocol):
    """The switching half of an engine: plan, apply, read back."""

    engine: str

    def capabilities(self) -> Sequence[Capability]:
        """Return what it can and cannot do, for every kind of scope that it has and every mode."""

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        """Return a reading of each native target that stands for these scopes; what is unknown to it is left out."""

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        """Work out the calls; changes nothing. What is paused already needs none, what cannot be is in `cannot`."""

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        """Send one call; never raises for what the engine does or does not answer."""

    def verify(self, plan: Plan) -> Verification:
        """Read every target of a plan back and say what is not as wanted; raises EngineError without an answer."""

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        """Work out the calls that bring back what these receipts changed and nobody else changed since.

        The forecast says what starts then; what others changed meanwhile is in `cannot` and stays as it is.
        """


class Engine(EngineReader, EngineSwitch, Protocol):
    """Both halves, and the end of them."""

    def close(self) -> None:
        """Give back connections; whoever connected calls it, however the work ended.

        An adapter that keeps nothing open may leave it out.
        """


@runtime_checkable
class ProbeStarter(Protocol):
    """Optional: an engine that can start made-up work of each class in a staging scope, for a drill."""

    def start(self, work_class: WorkClass) -> ProbeWork:
        """Start work of a class; says why where the engine has none of it."""

    def clean_up(self) -> Sequence[str]:
        """Remove what `start` made and return what had to be left, a sentence each."""


class Connect(Protocol):
    """What an entry point gives: makes the adapter for one address; nothing is asked yet."""

    def __call__(self, address: EngineAddress, binding: Binding, *, clock: Clock) -> Engine:
        """Return the adapter."""

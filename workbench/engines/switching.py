"""What is said between us and an engine when its work is paused, read back and resumed.

The words for effects are those of SEMANTICS 2. A call that was answered proves nothing: what counts is the
reading that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workbench.records import Mode


class WorkClass(StrEnum):
    """Work that a pause meets, by how far it has come."""

    RUNNING = "running"
    QUEUED = "queued"
    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    WAITING = "waiting"
    NEW_MANUAL = "new_manual"
    NEW_EVENT = "new_event"


class OnPause(StrEnum):
    """What a pause does to work of a class."""

    CONTINUES = "continues"
    FINISHES_STEP_THEN_WAITS = "finishes_step_then_waits"
    WAITS = "waits"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class OnResume(StrEnum):
    """What the resume after it does to that work."""

    CONTINUES = "continues"
    CATCH_UP_ALL = "catch_up_all"
    CATCH_UP_ONE = "catch_up_one"
    NONE = "none"
    REPEATS_STEPS = "repeats_steps"
    LOST = "lost"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """How an effect is known."""

    DOCUMENTED = "documented"
    ASSUMED = "assumed"
    OBSERVED = "observed"


class CatchUp(StrEnum):
    """What is to become, at a resume, of starts that fell into the pause."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


class ScopeKind(StrEnum):
    """How much of an engine a native switch covers."""

    ENGINE = "engine"
    CATEGORY = "category"
    WORKFLOW = "workflow"
    TRIGGER = "trigger"
    RUN = "run"


class CallResult(StrEnum):
    """How a native call ended; `unknown` means that it may have taken effect."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Effect:
    """What a pause in some mode does to one class of work, and what the resume does to it.

    Attributes:
        version: engine version that it was seen or documented for.
        observed_at: when a drill saw it; None where none did.
    """

    work_class: WorkClass
    on_pause: OnPause
    on_resume: OnResume
    evidence: Evidence
    version: str = ""
    observed_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class EngineScope:
    """Part of an engine: everything (`*`), a tag, queue or pool, one workflow, one schedule or one run.

    Attributes:
        key: the engine's own name for it, as a registry's `engine_ref` gives it.
    """

    kind: ScopeKind
    key: str

    def __str__(self) -> str:
        """Return it as screens show it."""
        return "the whole engine" if self.kind is ScopeKind.ENGINE else f"{self.kind} {self.key}"


@dataclass(frozen=True)
class Capability:
    """What an engine can do to a kind of scope in a mode.

    Attributes:
        cannot: why the mode cannot be had here, in one sentence; empty where it can.
        collateral: what else is stopped by it, in one sentence; empty where nothing is.
        keeps_reason: the engine stores the reason and who gave it.
    """

    scope_kind: ScopeKind
    mode: Mode
    effects: tuple[Effect, ...] = ()
    cannot: str = ""
    collateral: str = ""
    keeps_reason: bool = False


@dataclass(frozen=True)
class Note:
    """Who asks for a call and why: what an engine is told where it keeps a reason."""

    actor: str
    reason: str
    hold_id: str

    @property
    def text(self) -> str:
        """The note as one line of at most 500 characters."""
        return f"{self.hold_id} by {self.actor}: {self.reason}"[:500]


@dataclass(frozen=True)
class NativeCall:
    """One call that changes an engine.

    Attributes:
        stage: calls of one stage may go side by side; a stage begins when the one before it has ended.
        sentence: what it does, in words.
        is_lossy: what it does cannot be undone by a resume.
        run_id: the run that it alters, where it alters one.
        covers: ids of the targets that a bulk call is to switch, `target_id` being what it names; empty
            where it switches `target_id` alone.
    """

    call_id: str
    target_id: str
    method: str
    path: str
    body: Mapping[str, Any] | None
    sentence: str
    stage: int = 1
    is_lossy: bool = False
    run_id: str = ""
    covers: tuple[str, ...] = ()

    @property
    def target_ids(self) -> tuple[str, ...]:
        """Every target that the call switches."""
        return self.covers or (self.target_id,)


@dataclass(frozen=True)
class CallOutcome:
    """How one native call ended.

    Attributes:
        answer: what the engine said, cut at 500 characters.
        can_retry: sending it again may help (busy, no answer); never true of a refusal.
    """

    call_id: str
    result: CallResult
    answer: str
    began_at: datetime
    ended_at: datetime
    can_retry: bool = False


@dataclass(frozen=True)
class Reading:
    """What an engine says now of one native target.

    Attributes:
        target_id: the engine's lasting id of what is switched, with its kind: `deployment:UUID`.
        is_paused: nothing new of it starts by itself; None where the engine does not say.
        running_ids: runs in flight that go on working.
        frozen_ids: runs that the engine calls running although a pause keeps them from their next step.
        waiting_ids: runs that wait and would start at a resume, planned ones by schedule left out.
        changed_at: when it was last paused or unpaused, where the engine tells.
        changed_by: who did that, where the engine tells.
        settings: what a resume must bring back, as the engine has it now.
    """

    target_id: str
    name: str
    is_paused: bool | None
    observed_at: datetime
    running_ids: tuple[str, ...] = ()
    frozen_ids: tuple[str, ...] = ()
    waiting_ids: tuple[str, ...] = ()
    next_start_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Firing:
    """What would start at a resume, of one target: the backlog forecast.

    Attributes:
        count: runs that start for what fell into the pause; None where that cannot be told.
        cannot: why what was asked for missed starts cannot be had here; empty where it can.
    """

    target_id: str
    name: str
    count: int | None
    sentence: str
    run_ids: tuple[str, ...] = ()
    cannot: str = ""


@dataclass(frozen=True)
class Plan:
    """Native calls that bring part of an engine where it is wanted, worked out before anything is sent.

    Attributes:
        mode: how it is to be paused; None for a resume.
        before: each target as it was found; a resume brings back no more than this.
        calls: in order of stage.
        effects: what is to be expected, per class of work.
        collateral: what else is stopped, a sentence each.
        cannot: for each scope (or target) that is not switched: why, in one sentence.
        forecast: what would start at the resume.
        members: scope key -> ids of the targets that stand for it.
    """

    engine: str
    version: str
    scopes: tuple[EngineScope, ...]
    mode: Mode | None
    before: tuple[Reading, ...]
    calls: tuple[NativeCall, ...]
    effects: tuple[Effect, ...] = ()
    collateral: tuple[str, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)
    forecast: tuple[Firing, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """What was read back after a plan.

    Attributes:
        unmet: target id -> what is not as the plan wanted it, in one sentence; empty when all is.
    """

    readings: tuple[Reading, ...]
    unmet: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """One native target that our first hold took from running to paused; it belongs to the target.

    A target without one was paused before us or by others, and is never un-paused by us.

    Attributes:
        before: `Reading.settings` as found before.
        after: `Reading.settings` as read back after; where the engine now differs, others changed it since.
        altered_run_ids: runs that we suspended or put off, for the resume to let go on.
        is_runs_only: somebody else had paused the target before; the runs alone are ours, and it stays as found.
    """

    engine: str
    target_id: str
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    opened_at: datetime
    hold_id: str
    altered_run_ids: tuple[str, ...] = ()
    is_runs_only: bool = False


@dataclass(frozen=True)
class ProbeWork:
    """Made-up work of one class that a drill started.

    Attributes:
        scope_key: the name under which the workflow of the work is paused.
        cannot: why the engine cannot start work of the class, empty where it did.
    """

    work_class: WorkClass
    run_id: str = ""
    target_id: str = ""
    sentence: str = ""
    cannot: str = ""
    scope_key: str = ""

"""The vocabulary: frozen records and closed sets of words that every layer shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workbench.answers import GateAnswer as GateAnswer
from workbench.answers import GateState as GateState

REHEARSAL_MODES = ("read_only", "dry_run", "staging")
"""Words of `run.run_mode` for a run that does not do its real work: they count before a first run only."""

LARGEST_INTEGER = 2**53 - 1
"""Of the audit log, so that every reader of JSON reads its numbers alike."""


class Kind(StrEnum):
    """What sort of automation it is."""

    WORKFLOW = "workflow"
    WATCHER = "watcher"
    AGENT = "agent"
    PLAYBOOK = "playbook"
    CUSTOM_TOOL = "custom_tool"


class RunStatus(StrEnum):
    """Normalised state of a run or step; `raw_status` keeps the source's own word."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    HELD = "held"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """How a hold stops what it covers, from mildest to strongest."""

    DRAIN = "drain"
    FREEZE = "freeze"
    HALT = "halt"

    @property
    def strength(self) -> int:
        """Rank for "the strongest mode counts": drain 0, freeze 1, halt 2."""
        return list(Mode).index(self)

    @property
    def in_plain_words(self) -> str:
        """Say in one sentence what the mode does to work that runs and work that waits."""
        return {
            Mode.DRAIN: "Nothing new starts; runs in flight finish.",
            Mode.FREEZE: "Nothing new starts; a run in flight stops at its next step and can go on later.",
            Mode.HALT: "Nothing new starts; runs in flight are cancelled.",
        }[self]


class Purpose(StrEnum):
    """Why a hold is there."""

    INCIDENT = "incident"
    DRILL = "drill"
    MAINTENANCE = "maintenance"
    GUARD = "guard"


class HoldState(StrEnum):
    """Life of a hold: ACTIVE -> LAPSED (overdue, still paused) -> RELEASED; ACTIVE -> RELEASED."""

    ACTIVE = "active"
    LAPSED = "lapsed"
    RELEASED = "released"


class TargetState(StrEnum):
    """How far a pause has come at one automation; screens show the four steps apart."""

    RECORDED = "recorded"
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"
    QUIET = "quiet"
    UNCONFIRMED = "UNCONFIRMED"
    UNREACHABLE = "UNREACHABLE"
    CANNOT = "CANNOT"


class Outcome(StrEnum):
    """How an audited action ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"
    UNKNOWN = "unknown"


class CheckStatus(StrEnum):
    """How a check of a review ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    NO_EVIDENCE = "NO EVIDENCE"


class VerdictKind(StrEnum):
    """What a report computes and a person decides."""

    KEEP_PAUSED = "keep_paused"
    RESTART_NARROW = "restart_narrow"
    RESTART_FULL = "restart_full"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Automation:
    """One automation of the registry.

    Attributes:
        tools: names of the tools it uses; a scope's `tool=` matches any of them.
        expected_interval_seconds: seconds between two starts, where it runs on a schedule.
        asks_gate: it asks the gate before it acts, so that a hold stops it today.
        checklist: the production checklist of the source text; a missing answer is an empty string.
        triggers: what it is watched for where that is not the usual, inherited settings included.
    """

    automation_id: str
    kind: str
    category: str
    environment: str
    owner: str
    restart_owner: str = ""
    deputy: str = ""
    engine: str = ""
    engine_ref: str = ""
    provider: str = ""
    tools: tuple[str, ...] = ()
    title: str = ""
    expected_interval_seconds: int | None = None
    asks_gate: bool = False
    cleanup: tuple[str, ...] = ()
    alert_match: str = ""
    checklist: Mapping[str, str] = field(default_factory=dict)
    is_retired: bool = False
    triggers: Mapping[str, Any] = field(default_factory=dict)


CHECKLIST: tuple[str, ...] = (
    "trigger",
    "input_data",
    "output",
    "approval_requirement",
    "retry_behaviour",
    "failure_notification",
    "kill_switch",
)
"""What the source text asks to define before an automation is enabled."""


@dataclass(frozen=True)
class Owner:
    """A role that owns automations: who its members are and how they are reached."""

    owner_id: str
    members: tuple[str, ...] = ()
    deputy: str = ""
    contact: str = ""


@dataclass(frozen=True)
class Category:
    """A category of automations with the owner and restart owner that its automations inherit.

    Attributes:
        triggers: what it is watched for as a whole, where that is not the usual.
    """

    category_id: str
    owner: str
    restart_owner: str = ""
    triggers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """One event of the audited log; `body` is the exact stored text that the hash covers.

    Attributes:
        fault: why the event cannot be trusted as it is stored, found when it was read, or an empty text.
    """

    seq: int
    store_id: str
    occurred_at: datetime
    actor: str
    action: str
    target: str
    outcome: str
    reason: str
    correlation_id: str
    payload: Mapping[str, Any]
    prev_hash: str
    hash: str
    body: str
    fault: str = ""


@dataclass(frozen=True)
class Hold:
    """The only thing that pauses.

    Attributes:
        covered_at_placement: ids that matched when it was placed; they stay covered whatever changes.
        review_by: instant after which it reads *overdue, still paused*; None when not set.
        auto_release_at: declared automatic release of a drill or maintenance hold.
        is_first_run: a registry placed it on an automation that was not ready for production.
    """

    hold_id: str
    scope: str
    purpose: Purpose
    mode: Mode
    reason: str
    incident_id: str
    placed_by: str
    placed_at: datetime
    placed_seq: int
    review_by: datetime | None = None
    covered_at_placement: tuple[str, ...] = ()
    released_at: datetime | None = None
    released_by: str = ""
    released_seq: int | None = None
    taken_over_by: str = ""
    is_first_run: bool = False

    @property
    def keeper(self) -> str:
        """Who answers for the hold: who placed it, or who took it over last."""
        return self.taken_over_by or self.placed_by

    def state_at(self, instant: datetime) -> HoldState:
        """Return the state at an instant; time alone never takes it further than LAPSED."""
        if self.released_seq is not None:
            return HoldState.RELEASED
        if self.review_by is not None and instant >= self.review_by:
            return HoldState.LAPSED
        return HoldState.ACTIVE


@dataclass(frozen=True)
class Decision:
    """A named person accepting or overriding a verdict, for a frozen list of automations."""

    decision_id: str
    hold_id: str
    report_id: str
    verdict: VerdictKind
    decision: VerdictKind
    reason: str
    automation_ids: tuple[str, ...]
    report_digest: str
    decided_by: str
    decided_at: datetime
    decided_seq: int

    @property
    def is_override(self) -> bool:
        """Tell whether the person decided otherwise than the report computed."""
        return self.decision != self.verdict


@dataclass(frozen=True)
class ReportRef:
    """A report as the store knows it.

    Attributes:
        digest: SHA-256 of its verdict.json.
        automation_ids: the frozen list that the review was about.
        narrow_ids: automations that it proposed to let through; None where it is not known (a log
            recorded before reports told it) or nothing was proposed.
        narrow_run_count: runs that it proposed to let through; None likewise.
    """

    report_id: str
    name: str
    hold_id: str
    verdict: VerdictKind
    is_complete: bool
    digest: str
    automation_ids: tuple[str, ...]
    manifest_version: int
    log_seq: int
    log_hash: str
    as_of: datetime
    recorded_by: str
    recorded_at: datetime
    recorded_seq: int
    reason: str = ""
    folder: str = ""
    narrow_ids: tuple[str, ...] | None = None
    narrow_run_count: int | None = None


@dataclass(frozen=True)
class EnrolledKey:
    """A public key that the log counts as a person's, in one role.

    Attributes:
        person: who holds it; two keys of one person are still one person.
        enrolled_by: key that signed the enrolment; its own id for a store's first key.
        expires_at: from then on it signs nothing more; what it signed before stays signed.
    """

    key_id: str
    public_hex: str
    person: str
    role: str
    enrolled_by: str
    enrolled_at: datetime
    enrolled_seq: int
    revoked_at: datetime | None = None
    revoked_by: str = ""
    revoked_reason: str = ""
    revoked_seq: int | None = None
    expires_at: datetime | None = None

    def is_live(self, reached: datetime | None) -> bool:
        """Tell whether it signs at an instant: not revoked, and not expired by then."""
        if self.revoked_seq is not None:
            return False
        return self.expires_at is None or reached is None or reached < self.expires_at


@dataclass(frozen=True)
class SignOff:
    """A two-person approval of one resume: bound to its hold, decision, plan and time.

    Attributes:
        plan: what would open: the hold, and either all it covers or scope, automations, runs and end.
        covered: what the hold covered when it was asked for; anything new supersedes it.
        signer_keys: keys that gave it; whether they count is asked when it is used.
    """

    signoff_id: str
    hold_id: str
    decision_id: str
    decision_digest: str
    plan: Mapping[str, Any]
    covered: tuple[str, ...]
    requested_by: str
    requester_key: str
    requested_seq: int
    expires_at: datetime
    signer_keys: tuple[str, ...] = ()
    used_seq: int | None = None


@dataclass(frozen=True)
class RunReview:
    """A loaded run that named persons looked at before an automation's first run in production.

    Attributes:
        key_ids: enrolled keys that signed a review of it; `unsigned` are the others who gave one.
    """

    source_id: str
    run_id: str
    automation_id: str
    run_mode: str
    key_ids: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()


@dataclass(frozen=True)
class TwoPersonRequest:
    """One person's word for what another person must do: a weaker policy, or a key in another's name.

    Attributes:
        request_id: digest of exactly what is asked; `action` is the event that does it.
    """

    request_id: str
    action: str
    about: str
    requester_key: str
    requested_seq: int
    expires_at: datetime
    used_seq: int | None = None


@dataclass(frozen=True)
class HeadNote:
    """Where the log stood: a copy of it outside the store is the evidence against tampering.

    Attributes:
        root: Merkle root over the bodies of all events, in hex, where it was worked out.
        signature: who signed the checkpoint of exactly this position, in words, or that nobody did.
        moved_to: where the store went, so that nothing is recorded in this place any more; else empty.
    """

    store_id: str
    environment: str
    seq: int
    hash: str
    place: str = ""
    root: str = ""
    signature: str = "unsigned"
    moved_to: str = ""

    @property
    def text(self) -> str:
        """Return the note as one line for print-outs and reports."""
        where = f"store {self.store_id} ({self.environment})"
        return f"log head {self.seq} {self.hash[:16]} of {where}, {self.signature}"


@dataclass(frozen=True)
class Target:
    """How far one hold has come at one automation; None means not yet.

    Attributes:
        is_asking: a process of it runs now and asks the gate, so that it can still confirm.
        cut_off: which of its runs ended in the middle, so that nobody knows what they did; else empty.
        unrecorded: names of the instants that no event holds: it is so now, and since when is not known.
    """

    automation_id: str
    state: TargetState
    recorded_at: datetime | None = None
    delivered_at: datetime | None = None
    confirmed_at: datetime | None = None
    quiet_at: datetime | None = None
    last_asked_at: datetime | None = None
    in_flight_count: int | None = None
    note: str = ""
    is_asking: bool = False
    cut_off: str = ""
    unrecorded: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """Return what screens say besides its state."""
        return "; ".join(part for part in (self.note, self.cut_off) if part)


@dataclass(frozen=True)
class Check:
    """One row of a review.

    Attributes:
        number: what was measured, in `unit`; None where nothing could be measured.
        threshold: what it is compared with, as text; `threshold_source` says where that comes from.
        row_count: rows of evidence behind it.
        query: dotted name of the query that gave the rows.
        is_critical: lack of evidence here blocks every restart.
        answered_by: the word of a person that stands where evidence lacks, which then keeps nothing paused by itself.
    """

    name: str
    question: str
    status: CheckStatus
    sentence: str
    number: float | None = None
    unit: str = ""
    threshold: str = ""
    threshold_source: str = ""
    row_count: int = 0
    query: str = ""
    is_critical: bool = False
    answered_by: str = ""

    @property
    def is_lacking(self) -> bool:
        """Tell whether it lacks evidence and nobody's word stands in for it."""
        return self.status is CheckStatus.NO_EVIDENCE and not self.answered_by


@dataclass(frozen=True)
class Verdict:
    """What a review concludes: a pure function of its frozen snapshot."""

    kind: VerdictKind
    reason: str
    first_blocker: str = ""
    next_command: str = ""
    narrow_scope: str = ""
    narrow_run_count: int | None = None
    detectable_failure_rate: float | None = None
    escalation_reasons: tuple[str, ...] = ()

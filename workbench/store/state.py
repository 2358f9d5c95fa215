"""State of the control plane: what the log says as of an event, and the questions asked of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.policy import Policy
from workbench.records import (
    Automation,
    Category,
    Decision,
    EnrolledKey,
    HeadNote,
    Hold,
    Owner,
    ReportRef,
    RunReview,
    SignOff,
    TwoPersonRequest,
)
from workbench.restarts import Probation
from workbench.scope import Scope
from workbench.store.merkle import Peaks, root_of

REVIEWERS_NEEDED = 2
"""Persons who must have reviewed a break-glass resume before it is not flagged any more."""


@dataclass
class State:
    """Everything the log says, as of its last event.

    Attributes:
        event_count: events taken in; with `peaks`, the Merkle tree over their bodies.
        standing: ids of the holds that are not released, oldest first, so that no question looks at all there were.
        covered: hold id -> ids that it covers; grows while the hold stands and never shrinks, so that
            an edit of the registry un-pauses nothing.
        asks_drills: made when drills were asked for without a policy, and sign-offs without any key; older logs
            were not.
        asks_verifiers: likewise of two persons who verify what cannot be undone.
        asks_deeds: likewise of a signature over each event, besides the one over the command that it came from.
        observed: (hold id, automation id) -> instants recorded of the pause at that automation.
        let_through: probation id -> ids that it still lets through; shrinks when an automation is edited
            out of its scope or retired and never grows, so that no later edit opens it again.
        commands: command id -> (digest, seq of its first event).
        keys: key id -> signing key, revoked ones included.
        doubts: seq -> why that event cannot be trusted or taken in; gates then never say CLEAR.
        decision_keys: decision id -> enrolled key that signed it; unsigned ones are not in it.
        kept_ready: first-run hold -> newest decision about it that its readiness does not answer: that is a person's
            word against its release, which what was lacking before is not.
        broken_by: break-glass resume -> person who did it with a key: none of their keys reviews it.
        reviewers: break-glass resume -> persons who reviewed it afterwards.
        requests: id -> what one person asked another to do; `policy_seq` is where the policy last changed.
        run_reviews: `source_id/run_id` -> review of that run before a first run in production.
        waived: automation id -> who took it over as already running, without a first-run hold, and why.
        refused: seq -> why an event that opens was not obeyed: who gave it was not entitled to.
        receipts: (engine, native target) -> what our pause changed there, until it is brought back.
        intents: (engine, native target) -> what it was like before calls whose end is not known.
        drifts: (engine, native target) -> (seq, words) of each time that others took our pause away.
        resume_choices: automation or hold id -> catch-up and rate that its newest resume asked for, if any.
        let_go: engine -> (instant, runs) of what was let go under a rate, the last minute of it.
        engine_versions: engine -> version that it had when something was last delivered to it.
        drills: (engine, version, kind, mode, environment) -> what the newest drill found.
        forgotten: host as `name/number` -> the heartbeat that was its last; one that beats again counts again.
        triggers: scope and rule -> what the last look that found something new said of it.
        verified: change of a record -> key, or '' of the unsigned -> who, when, what they found, the content they saw.
        withdrawn: change of a record -> who took back the words on it, and why; a later word stands all the same.
        withdrawn_seq: hold id -> where a word about what it covers was taken back last: no decision from before opens.
        none_said: hold and automation -> key, or '' of the unsigned -> who says that nothing was written, and of when.
        touched: projection rows that the events since the last copy changed.
    """

    store_id: str = ""
    environment: str = ""
    asks_drills: bool = False
    asks_verifiers: bool = False
    asks_deeds: bool = False
    seq: int = 0
    head_hash: str = ""
    event_count: int = 0
    peaks: Peaks = ()
    newest_at: datetime | None = None
    automations: dict[str, Automation] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    standing: dict[str, None] = field(default_factory=dict)
    covered: dict[str, frozenset[str]] = field(default_factory=dict)
    observed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    probations: dict[str, Probation] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    reports: dict[str, ReportRef] = field(default_factory=dict)
    commands: dict[str, tuple[str, int]] = field(default_factory=dict)
    let_through: dict[str, frozenset[str]] = field(default_factory=dict)
    hold_changed_seq: dict[str, int] = field(default_factory=dict)
    break_glass_releases: dict[str, str] = field(default_factory=dict)
    keys: dict[str, EnrolledKey] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    signoffs: dict[str, SignOff] = field(default_factory=dict)
    decision_keys: dict[str, str] = field(default_factory=dict)
    kept_ready: dict[str, str] = field(default_factory=dict)
    broken_by: dict[str, str] = field(default_factory=dict)
    reviewers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    requests: dict[str, TwoPersonRequest] = field(default_factory=dict)
    policy_seq: int = 0
    run_reviews: dict[str, RunReview] = field(default_factory=dict)
    waived: dict[str, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    doubts: dict[int, str] = field(default_factory=dict)
    receipts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    intents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    resume_choices: dict[str, dict[str, Any]] = field(default_factory=dict)
    let_go: dict[str, tuple[tuple[datetime, int], ...]] = field(default_factory=dict)
    engine_versions: dict[str, str] = field(default_factory=dict)
    drills: dict[tuple[str, str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    drifts: dict[tuple[str, str], tuple[tuple[int, str], ...]] = field(default_factory=dict)
    forgotten: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, dict[str, Any]] = field(default_factory=dict)
    verified: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    withdrawn: dict[str, dict[str, Any]] = field(default_factory=dict)
    withdrawn_seq: dict[str, int] = field(default_factory=dict)
    none_said: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    touched: set[tuple[str, str]] = field(default_factory=set)

    def copy(self) -> State:
        """Return a state that can take in further events without changing this one.

        Tables are copied and what is in them is shared: the fold puts another value in, and never changes one.
        Each command copies, and a log may tell of thousands of holds.
        """
        own: dict[str, Any] = {
            name: dict(value) for name, value in vars(self).items() if isinstance(value, dict)
        }
        return replace(self, touched=set(), **own)

    @property
    def head(self) -> HeadNote:
        """Where the log stands."""
        root = root_of(self.peaks).hex()
        return HeadNote(self.store_id, self.environment, self.seq, self.head_hash, root=root)

    def is_reviewed(self, target: str) -> bool:
        """Tell whether enough people reviewed a break-glass resume."""
        return len(self.reviewers.get(target, ())) >= REVIEWERS_NEEDED

    def standing_holds(self) -> list[Hold]:
        """Return the unreleased holds, oldest first."""
        found = (self.holds[hold_id] for hold_id in self.standing)
        return [hold for hold in found if hold.released_seq is None]

    def holds_on(self, automation_id: str) -> list[Hold]:
        """Return the unreleased holds that cover an automation, registered or not."""
        return [
            hold
            for hold in self.standing_holds()
            if automation_id in self.covered[hold.hold_id]
            or scope_of(hold.scope).names(automation_id)
        ]

    def open_probation(self, hold_id: str, automation_id: str) -> Probation | None:
        """Return the probation on record that lets an automation through a hold, its limits not looked at.

        A newer one ends the older ones it overlaps, so there is at most one.
        """
        for probation in reversed(self.probations.values()):
            is_open = probation.hold_id == hold_id and probation.ended_seq is None
            if is_open and automation_id in self.let_through[probation.probation_id]:
                return probation
        return None

    def live_probation(
        self, hold_id: str, automation_id: str, *, instant: datetime
    ) -> Probation | None:
        """Return the probation that lets an automation through a hold at an instant, or None.

        A clock that stands before the newest event is behind: the newest event's time counts then. Used-up
        tickets are counted by the gate, not here.
        """
        probation = self.open_probation(hold_id, automation_id)
        if probation is None or probation.until is None:
            return probation
        reached = max(instant, self.newest_at or instant)
        return probation if reached < probation.until else None

    def paused_by(self, automation_id: str, instant: datetime) -> list[Hold]:
        """Return the holds that pause an automation at an instant; none means not paused (I1)."""
        return [
            h
            for h in self.holds_on(automation_id)
            if not self.live_probation(h.hold_id, automation_id, instant=instant)
        ]


@functools.lru_cache(maxsize=4096)
def scope_of(text: str) -> Scope:
    """Return the scope that a record holds as text; the same text is read once."""
    return Scope.parse(text)

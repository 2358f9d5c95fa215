"""What the event history of one Temporal run tells: its states, the attempts at its activities, and who acted on it.

The history records an activity's start only with its end, and of several attempts only the last one with the
failure of the one before; what is not over yet is in `pendingActivities` of the run's description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workbench.engines.rows import AuditRow, StateRow
from workbench.engines.temporal_words import (
    failure_text,
    instant_of,
    pending_status,
    status_of,
    word_of,
)
from workbench.errors import EngineError

SHORTEST_WAIT = timedelta(seconds=1)
"""A run that waits for less than this between two steps is shown as running throughout."""

_ENDS = {
    f"WORKFLOW_EXECUTION_{word}": word
    for word in ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW")
}
_STEP_ENDS = {
    "ACTIVITY_TASK_COMPLETED": "succeeded",
    "ACTIVITY_TASK_FAILED": "failed",
    "ACTIVITY_TASK_TIMED_OUT": "failed",
    "ACTIVITY_TASK_CANCELED": "cancelled",
}
_ACTS = {
    "WORKFLOW_EXECUTION_PAUSED": "run.pause",
    "WORKFLOW_EXECUTION_UNPAUSED": "run.unpause",
    "WORKFLOW_EXECUTION_TERMINATED": "run.terminate",
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": "run.cancel",
    "WORKFLOW_EXECUTION_SIGNALED": "run.signal",
    "WORKFLOW_EXECUTION_OPTIONS_UPDATED": "run.change_options",
}
_TURN_OVER = ("WORKFLOW_TASK_COMPLETED", "WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_TIMED_OUT")


@dataclass(frozen=True)
class Attempt:
    """One attempt at one activity; `step_id` is its type, the second call of a run `type#2`."""

    step_id: str
    attempt: int
    status: str
    raw_status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error_message: str | None = None


@dataclass(frozen=True)
class Told:
    """What a history tells.

    Attributes:
        begun_at: when a worker first took the run up; None while none did.
        last_at: instant of the newest event.
    """

    states: tuple[StateRow, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    acts: tuple[AuditRow, ...] = ()
    begun_at: datetime | None = None
    last_at: datetime | None = None
    started_by: str | None = None
    attempt: int | None = None
    error: str | None = None


@dataclass
class _Step:
    name: str
    activity_id: str
    scheduled_at: datetime
    attempt: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status: str = "queued"
    raw_status: str = "SCHEDULED"
    error: str | None = None
    earlier_error: str | None = None


@dataclass
class Telling:
    """Takes the events of one run in their order; `told` is what they come to."""

    run_id: str
    _states: list[StateRow] = field(default_factory=list)
    _steps: dict[str, _Step] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _acts: list[AuditRow] = field(default_factory=list)
    _open: set[str] = field(default_factory=set)
    _begun_at: datetime | None = None
    _last_at: datetime | None = None
    _first: Mapping[str, Any] = field(default_factory=dict)
    _is_taken: bool = False
    _is_paused: bool = False
    _is_delayed: bool = False
    _error: str | None = None
    _waits_since: datetime | None = None

    def take(self, events: Iterable[Mapping[str, Any]]) -> Telling:
        """Take events; a broken one stops the reading."""
        for event in events:
            at = instant_of(event.get("eventTime"))
            if at is None:
                raise EngineError("Temporal gives an event without a time; nothing was loaded")
            name = word_of(event.get("eventType"), "EVENT_TYPE_")
            self._take(name, at, event)
        return self

    def told(self, description: Mapping[str, Any] | None = None) -> Told:
        """Return what it comes to; `description` tells of activities that are not over."""
        self._settle(None)
        pending = {
            str(one.get("activityId")): one
            for one in (description or {}).get("pendingActivities") or ()
        }
        attempts = [
            row for step in self._steps.values() for row in self._attempts_of(step, pending)
        ]
        seen = [a.finished_at or a.started_at for a in attempts]
        moments = [at for at in (self._last_at, *seen) if at is not None]
        return Told(
            states=tuple(self._states),
            attempts=tuple(attempts),
            acts=tuple(self._acts),
            begun_at=self._begun_at,
            last_at=max(moments, default=None),
            started_by=self._first.get("identity") or None,
            attempt=int(self._first["attempt"]) if self._first.get("attempt") else None,
            error=self._error,
        )

    def _take(self, name: str, at: datetime, event: Mapping[str, Any]) -> None:
        said = _attributes(event)
        # Starts of activities are written with their end and bear an earlier time.
        self._last_at = at = max(at, self._last_at or at)
        if name == "WORKFLOW_EXECUTION_STARTED":
            self._first = said
            self._is_delayed = str(said.get("firstWorkflowTaskBackoff") or "0s") not in ("0s", "0")
        elif name == "WORKFLOW_TASK_SCHEDULED":
            self._is_taken, self._is_delayed = True, False
        elif name == "WORKFLOW_TASK_STARTED":
            self._begun_at = self._begun_at or at
        elif name in _TURN_OVER:
            self._is_taken = False
        elif name in ("WORKFLOW_EXECUTION_PAUSED", "WORKFLOW_EXECUTION_UNPAUSED"):
            self._is_paused = name.endswith("_PAUSED")
            # An unpause is followed by a turn of the code, always.
            self._is_taken = not self._is_paused
        elif name.startswith("ACTIVITY_TASK_"):
            self._take_activity(name, event, said)
        if action := _act_of(name, said):
            self._acts.append(_audit_row(self.run_id, at, event, action=action))
        self._enter(name, at, said)

    def _take_activity(self, name: str, event: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        if name == "ACTIVITY_TASK_SCHEDULED":
            kind = str((said.get("activityType") or {}).get("name"))
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            key, at = str(event.get("eventId")), instant_of(event.get("eventTime"))
            assert at is not None  # `take` has looked
            step_id = kind if number == 1 else f"{kind}#{number}"
            self._steps[key] = _Step(step_id, str(said.get("activityId")), at)
            self._open.add(key)
            return
        key = str(said.get("scheduledEventId"))
        step = self._steps.get(key)
        if step is None:
            return
        if name == "ACTIVITY_TASK_STARTED":
            step.attempt = max(1, int(said.get("attempt") or 1))
            step.started_at = instant_of(event.get("eventTime"))
            step.status, step.raw_status = "running", "STARTED"
            step.earlier_error = failure_text(said.get("lastFailure"))
        elif name in _STEP_ENDS:
            self._open.discard(key)
            step.status = _STEP_ENDS[name]
            step.raw_status = name.removeprefix("ACTIVITY_TASK_")
            step.finished_at = instant_of(event.get("eventTime"))
            step.error = failure_text(said.get("failure"))

    def _enter(self, name: str, at: datetime, said: Mapping[str, Any]) -> None:
        """Note the state that the run is in after an event."""
        self._settle(at)
        if name in _ENDS:
            word = _ENDS[name]
            self._error = failure_text(said.get("failure"))
            if word == "TIMED_OUT":
                self._error = "the run took longer than its time-out"
            message = self._error or said.get("reason") or None
            self._waits_since = None
            self._state(at, status_of(word), word, message=message, actor=said.get("identity"))
            return
        status = self._status()
        if status == "waiting":
            self._waits_since = self._waits_since or at
            return
        self._waits_since = None
        if not self._states or self._states[-1].status != status:
            is_switch = name in ("WORKFLOW_EXECUTION_PAUSED", "WORKFLOW_EXECUTION_UNPAUSED")
            actor = said.get("identity") if is_switch else None
            message = said.get("reason") if is_switch else None
            self._state(at, status, name, message=message, actor=actor)

    def _settle(self, until: datetime | None) -> None:
        """Let a wait count once it has lasted, or once no more is known."""
        since = self._waits_since
        if since is None or (self._states and self._states[-1].status == "waiting"):
            return
        if until is None or until - since >= SHORTEST_WAIT:
            self._state(since, "waiting", "WAITING")

    def _status(self) -> str:
        if self._begun_at is None:
            if self._is_paused:
                return "held"
            return "scheduled" if self._is_delayed else "queued"
        if self._is_paused:
            return "held"
        return "running" if self._open or self._is_taken else "waiting"

    def _state(
        self,
        at: datetime,
        status: str,
        raw_status: str,
        *,
        message: Any = None,
        actor: Any = None,
    ) -> None:
        said, who = (str(one) if one else None for one in (message, actor))
        self._states.append(StateRow(self.run_id, at, status, raw_status, said, who))

    def _attempts_of(self, step: _Step, pending: Mapping[str, Mapping[str, Any]]) -> list[Attempt]:
        """Return the attempts of an activity that are known: the last one, and the one that failed before it."""
        now = pending.get(step.activity_id) if step.finished_at is None else None
        started, finished, ended_before = step.started_at, step.finished_at, None
        number, status, raw = step.attempt, step.status, step.raw_status
        earlier, error = step.earlier_error, step.error
        if now is not None:
            number = max(1, int(now.get("attempt") or 1))
            raw = word_of(now.get("state"), "PENDING_ACTIVITY_STATE_")
            status = pending_status(raw, number)
            is_running = status == "running"
            started = instant_of(now.get("lastStartedTime")) if is_running else None
            earlier = failure_text(now.get("lastFailure"))
            ended_before = instant_of(now.get("lastAttemptCompleteTime"))
        elif (
            step.finished_at is None and self._states and self._states[-1].raw_status in _ENDS_WORDS
        ):
            # The run was ended over its head: its worker may go on with it, and nobody will record that.
            status, raw = "unknown", "ABANDONED"
        found = []
        if number > 1:
            text = earlier or "failed; what it said is not recorded"
            # Its start is not recorded: when the activity was scheduled stands for it, so that reviews see the row.
            found.append(
                Attempt(
                    step.name, number - 1, "failed", "FAILED", step.scheduled_at, ended_before, text
                )
            )
        began = started or (step.scheduled_at if status in ("queued", "retrying") else None)
        found.append(Attempt(step.name, number, status, raw, began, finished, error))
        return found


_ENDS_WORDS = frozenset(_ENDS.values())


def _attributes(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an event says beside its number, time and type."""
    for name, said in event.items():
        if name.endswith("EventAttributes") and isinstance(said, Mapping):
            return said
    return {}


def _act_of(name: str, said: Mapping[str, Any]) -> str | None:
    """Return our word for what a person or program did to a run, or None for its ordinary life."""
    if name == "WORKFLOW_TASK_FAILED":
        is_reset = str(said.get("cause", "")).endswith("RESET_WORKFLOW")
        return "run.reset" if is_reset else None
    return _ACTS.get(name)


def _audit_row(run_id: str, at: datetime, event: Mapping[str, Any], *, action: str) -> AuditRow:
    said = _attributes(event)
    signal = said.get("signalName")
    return AuditRow(
        event_id=f"{run_id}:{event.get('eventId')}",
        occurred_at=at,
        action=action,
        raw_action=word_of(event.get("eventType"), "EVENT_TYPE_"),
        actor=said.get("identity") or None,
        target_kind="run",
        target_id=run_id,
        outcome="success",
        reason=said.get("reason") or said.get("cause") or failure_text(said.get("failure")),
        correlation_id=run_id,
        payload={"signal": signal} if signal else {},
    )

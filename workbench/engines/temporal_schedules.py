"""One Temporal schedule, and the rate limit of one task queue, as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import to_text
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_words import instant_of, run_id_of, word_of

LOOK_AHEAD = timedelta(days=8)
"""How far ahead the next start of a paused schedule is looked for."""

MOST_TICKS = 1_000
"""Temporal tells no more starts of a schedule at once."""

ACTIVITIES = "TASK_QUEUE_TYPE_ACTIVITY"
"""The only queues that the server limits; it refuses to for those of workflow code."""


@dataclass(frozen=True)
class Switch:
    """A schedule.

    Attributes:
        version: changes with each pause, unpause and update, and with nothing else.
        buffered_count: starts that wait for the run before them; a pause loses them.
        running_ids: runs of it in flight, without the list's lag.
    """

    schedule_id: str
    kind: str
    queue: str
    is_paused: bool
    notes: str
    version: str
    next_start_at: datetime | None = None
    buffered_count: int = 0
    running_ids: tuple[str, ...] = ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a resume must bring back, and what shows that others were here since."""
        return {"paused": self.is_paused, "notes": self.notes, "version": self.version}


@dataclass(frozen=True)
class Limit:
    """The rate limit of a queue of activities; None where none was set by a call."""

    queue: str
    per_second: float | None = None
    reason: str = ""
    set_by: str = ""
    set_at: datetime | None = None
    is_polled: bool = False

    @property
    def is_shut(self) -> bool:
        """Whether it hands out nothing."""
        return self.per_second == 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """What a resume must bring back, and what shows that others were here since."""
        # As text, for a receipt keeps no floating point.
        per_second = None if self.per_second is None else f"{self.per_second:g}"
        set_at = to_text(self.set_at) if self.set_at else ""
        return {"per_second": per_second, "set_by": self.set_by, "set_at": set_at}


def switch_of(namespace: Namespace, schedule_id: str, *, now: datetime) -> Switch | None:
    """Return a schedule as it is now, or None where it is gone."""
    found = namespace.schedule(schedule_id)
    if found is None:
        return None
    schedule, info = found.get("schedule") or {}, found.get("info") or {}
    action = (schedule.get("action") or {}).get("startWorkflow") or {}
    state = schedule.get("state") or {}
    recent = [
        one["startWorkflowResult"]
        for one in info.get("recentActions") or ()
        if one.get("startWorkflowResult") and word_of(one.get("startWorkflowStatus")) == "RUNNING"
    ]
    running = [*(info.get("runningWorkflows") or ()), *recent]
    is_paused = bool(state.get("paused"))
    ahead = [at for text in info.get("futureActionTimes") or () if (at := instant_of(text))]
    next_start_at = min((at for at in ahead if at > now), default=None)
    if next_start_at is None and is_paused:
        # A schedule that is paused for long goes on showing times that are past.
        next_start_at = min(
            ticks(namespace, schedule_id, begin=now, end=now + LOOK_AHEAD), default=None
        )
    return Switch(
        schedule_id=schedule_id,
        kind=str((action.get("workflowType") or {}).get("name") or "unknown"),
        queue=str((action.get("taskQueue") or {}).get("name") or ""),
        is_paused=is_paused,
        notes=str(state.get("notes") or ""),
        version=str(found.get("conflictToken") or ""),
        next_start_at=next_start_at,
        buffered_count=int(info.get("bufferSize") or 0),
        running_ids=tuple(dict.fromkeys(run_id_of(one) for one in running)),
    )


def ticks(
    namespace: Namespace, schedule_id: str, *, begin: datetime, end: datetime
) -> list[datetime]:
    """Return when a schedule is due after `begin` and until `end`, MOST_TICKS of them at most."""
    window = {"startTime": to_text(begin), "endTime": to_text(end)}
    found = namespace.get("schedules", schedule_id, "matching-times", **window)
    instants = [instant_of(text) for text in found.get("startTime") or ()]
    return [at for at in instants if at is not None and begin < at <= end]


def limit_of(namespace: Namespace, queue: str) -> Limit:
    """Return the rate limit of a queue's activities as it is now."""
    found = namespace.get("task-queues", queue, taskQueueType=ACTIVITIES, reportConfig="true")
    told = (found.get("config") or {}).get("queueRateLimit") or {}
    meta, rate = told.get("metadata") or {}, told.get("rateLimit")
    return Limit(
        queue=queue,
        # A limit of nought comes as an empty mapping.
        per_second=float(rate.get("requestsPerSecond") or 0) if isinstance(rate, Mapping) else None,
        reason=str(meta.get("reason") or ""),
        set_by=str(meta.get("updateIdentity") or ""),
        set_at=instant_of(meta.get("updateTime")),
        is_polled=bool(found.get("pollers")),
    )

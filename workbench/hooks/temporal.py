"""Lets a Temporal worker ask the gate before each activity, so that a run stops at its next step while it is held.

    from workbench.hooks.temporal import GateInterceptor

    worker = Worker(client, task_queue="orders", workflows=[...], activities=[...], interceptors=[GateInterceptor()])

That stops what Temporal itself has no switch for: runs that clients start. The code of a workflow is never asked in,
for it has to be deterministic; it starts, and waits at its first activity. What happens to an activity of a paused
automation depends on its retry policy:

- without a limit of attempts it is refused, and Temporal tries it again later: the worker is free meanwhile;
- with a limit it waits in its place, so that no attempt is spent: it keeps its slot, and its time-out goes on running.

It needs `temporalio`, in the worker's environment, and of this package the standard library part only.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from workbench.gate import Gate, OnUnknown, Paused, Unknown

REFUSED = "WorkbenchPaused"
"""Type of the failure with which a held activity is refused; no retry policy should count it as final."""

LOOK_SECONDS = 5.0
MAX_KNOWN_RUNS = 10_000
"""Runs of which a worker remembers that they were let in, the newest ones."""

AutomationOf = Callable[[activity.Info], str | None]


def by_workflow_type(info: activity.Info) -> str | None:
    """Return the workflow type as the automation's id; the activity's own type where there is no workflow."""
    return str(info.workflow_type or info.activity_type)


class GateInterceptor(Interceptor):
    """Asks before each activity; one object for a worker, or for all workers of a process."""

    def __init__(
        self,
        gate: Gate | None = None,
        *,
        automation_of: AutomationOf = by_workflow_type,
        on_unknown: OnUnknown = "stop",
        retry_seconds: float = 15.0,
    ) -> None:
        """Ask this gate, by default that of `WORKBENCH_GATE`.

        `automation_of` names the automation of an activity, or None for one that is not asked about.
        `retry_seconds`: when Temporal is to try again what was refused.
        """
        self.gate = gate or Gate()
        self.automation_of, self.on_unknown = automation_of, on_unknown
        self.retry_after = timedelta(seconds=retry_seconds)
        self._known: OrderedDict[str, None] = OrderedDict()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the question before the activity."""
        return _Asking(next, self)

    def knows(self, run_id: str) -> bool:
        """Tell whether this process let a step of a run through before: under a drain such a run goes on.

        Another worker does not know that; there a drained run waits, and is lost nowhere.
        """
        return run_id in self._known

    def note(self, run_id: str) -> None:
        """Remember that a step of a run was let through."""
        self._known[run_id] = None
        self._known.move_to_end(run_id)
        while len(self._known) > MAX_KNOWN_RUNS:
            self._known.popitem(last=False)


class _Asking(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, hook: GateInterceptor) -> None:
        super().__init__(next)
        self._hook = hook

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Carry the activity out inside the gate, or refuse it, or wait."""
        hook, info = self._hook, activity.info()
        automation_id = hook.automation_of(info)
        if automation_id is None:
            return await self.next.execute_activity(input)
        run_id = info.workflow_run_id or info.activity_run_id or info.activity_id
        while True:
            asking = hook.gate.run_async(
                automation_id,
                run_id,
                on_unknown=hook.on_unknown,
                is_in_flight=hook.knows(run_id),
            )
            try:
                await asking.__aenter__()
            except (Paused, Unknown) as exc:
                await self._hold(info, exc)
                continue
            # Entered by hand: a Paused that the activity raises itself is the activity's own.
            try:
                hook.note(run_id)
                return await self.next.execute_activity(input)
            finally:
                await asking.__aexit__(None, None, None)

    async def _hold(self, info: activity.Info, why: Paused | Unknown) -> None:
        """Refuse the attempt, or wait for a moment where attempts are counted."""
        policy = info.retry_policy
        if policy is not None and policy.maximum_attempts == 0:
            raise ApplicationError(
                str(why),
                type=REFUSED,
                next_retry_delay=self._hook.retry_after,
                category=ApplicationErrorCategory.BENIGN,
            ) from None
        if info.heartbeat_timeout is not None:
            activity.heartbeat(*info.heartbeat_details)
        await asyncio.sleep(self._look_seconds(info))

    def _look_seconds(self, info: activity.Info) -> float:
        beat: timedelta | None = info.heartbeat_timeout
        return LOOK_SECONDS if beat is None else min(LOOK_SECONDS, beat.total_seconds() / 3)

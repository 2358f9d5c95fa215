"""The hand on one engine: sends calls in stages and records what was meant before and what came of it after."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.clock import Clock
from workbench.delivery import kept
from workbench.engines.at_once import side_by_side
from workbench.engines.interface import EngineSwitch
from workbench.engines.switching import CallOutcome, NativeCall, Plan, Verification
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Store


@dataclass(frozen=True)
class Hand:
    """One engine under its id, the store that wants something of it, and a clock."""

    engine_id: str
    engine: EngineSwitch
    store: Store
    clock: Clock

    def state(self) -> State:
        """Return what the log says now."""
        return self.store.state()

    def begin(self, plan: Plan, *, hold_id: str, reason: str) -> Draft:
        """Return the event of what is about to be sent."""
        now = self.clock.now()
        return kept.begun(self.engine_id, plan, now=now, hold_id=hold_id, reason=reason)

    def end(
        self, plan: Plan, outcomes: Sequence[CallOutcome], *, checked: Verification, hold_id: str
    ) -> list[Draft]:
        """Return the event of what came of it; none where nothing was sent."""
        now, calls = self.clock.now(), plan.calls
        draft = kept.ended(
            self.engine_id, outcomes, unmet=checked.unmet, calls=calls, now=now, hold_id=hold_id
        )
        return [draft] if outcomes else []

    def send(
        self, calls: Sequence[NativeCall], send: Callable[[NativeCall], CallOutcome]
    ) -> list[CallOutcome]:
        """Send the calls stage by stage, whatever became of the stage before; outcomes in that order."""
        outcomes: list[CallOutcome] = []
        for stage in sorted({call.stage for call in calls}):
            outcomes += side_by_side(send, [call for call in calls if call.stage == stage])
        return outcomes

    def record(self, drafts: Sequence[Draft]) -> None:
        """Append events in one transaction; nothing where there are none."""
        if drafts:
            content = {"name": "deliver", "engine": self.engine_id, "count": len(drafts)}
            command = Command(uuid.uuid4().hex, content)
            self.store.transact(command, lambda _: Change(list(drafts)))

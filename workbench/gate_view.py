"""One published state as the gate holds it, with the answers that follow from it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.records import GateAnswer, GateState
from workbench.snapshot import EPOCH_WORD, Published


@dataclass(frozen=True)
class View:
    """One published state with the answers computed from it.

    Answers live with the state they come from, and the state with the epoch word it was read under: a
    thread that is late compares its own pair and puts its answer into the view it read, never a newer one.

    Attributes:
        noted_until: automation id -> until when (monotonic) its asking needs no further note.
    """

    words: memoryview[int]
    epoch: int
    published: Published
    read_at: datetime
    answers: dict[str, GateAnswer]
    noted_until: dict[str, float]

    @property
    def is_current(self) -> bool:
        """Tell whether nothing was published since it was read."""
        return self.words[EPOCH_WORD] == self.epoch

    def holds_on(self, automation_id: str) -> list[dict[str, Any]]:
        """Return the holds on an automation, registered or not, as they were published."""
        published = self.published
        if automation_id in published.automations:
            return list(published.automations[automation_id])
        return [*published.everything, *published.named.get(automation_id, [])]

    def answer(self, automation_id: str) -> GateAnswer:
        """Return the answer that follows from this state, worked out once."""
        found = self.answers.get(automation_id)
        if found is None:
            found = self.answers[automation_id] = self._compute(automation_id)
        return found

    def _compute(self, automation_id: str) -> GateAnswer:
        published = self.published
        holds = tuple(hold["hold_id"] for hold in self.holds_on(automation_id))
        age = max(0.0, (self.read_at - from_text(published.published_at)).total_seconds())
        if holds:
            return GateAnswer(GateState.PAUSED, holds, published.seq, age)
        if published.doubt:
            return GateAnswer(GateState.UNKNOWN, (), published.seq, age, published.doubt)
        if automation_id not in published.automations:
            return GateAnswer(
                GateState.UNKNOWN, (), published.seq, age, f"{automation_id} is not registered"
            )
        return GateAnswer(GateState.CLEAR, (), published.seq, age)

"""One published state as the gate holds it, with the answers that follow from it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.clock import from_text
from workbench.records import GateAnswer, GateState
from workbench.snapshot import EPOCH_WORD, HEARTBEAT_WORD, Published


@dataclass(frozen=True)
class View:
    """One published state with the answers computed from it.

    Answers live with the state they come from, and the state with the epoch word it was read under: a
    thread that is late compares its own pair and puts its answer into the view it read, never a newer one.

    Attributes:
        noted_until: automation id -> until when (monotonic) its asking needs no further note.
        max_age_seconds: how long ago the source may have been verified alive for a CLEAR; None for ever.
    """

    words: memoryview[int]
    epoch: int
    published: Published
    read_at: datetime
    answers: dict[str, GateAnswer]
    noted_until: dict[str, float]
    max_age_seconds: float | None = None

    @property
    def age_seconds(self) -> float:
        """How long before it was read the source had last been verified alive; never negative."""
        return max(0.0, self._since_beat())

    @property
    def silence(self) -> str:
        """Why what was published may be out of date: its source has been silent for too long."""
        age, allowed = self._since_beat(), self.max_age_seconds
        if allowed is None or -allowed <= age <= allowed:
            return ""
        if age < 0:
            return f"the store's last sign of life lies {-age:.0f} s ahead: the clock was set back"
        return f"the store was last known alive {age:.0f} s ago, and {allowed:g} s are allowed"

    def _since_beat(self) -> float:
        published_at = from_text(self.published.published_at)
        microseconds = self.words[HEARTBEAT_WORD] // 1000
        beat_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
        return (self.read_at - max(published_at, beat_at)).total_seconds()

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
        age = self.age_seconds
        if holds:
            return GateAnswer(GateState.PAUSED, holds, published.seq, age)
        if published.doubt:
            return GateAnswer(GateState.UNKNOWN, (), published.seq, age, published.doubt)
        if automation_id not in published.automations:
            return GateAnswer(
                GateState.UNKNOWN, (), published.seq, age, f"{automation_id} is not registered"
            )
        if silence := self.silence:
            return GateAnswer(GateState.UNKNOWN, (), published.seq, age, silence)
        return GateAnswer(GateState.CLEAR, (), published.seq, age)

"""One published state as the gate holds it, with the answers that follow from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workbench.answers import GateAnswer, GateState
from workbench.snapshot import EPOCH_WORD, SPOOL_WORD, Published
from workbench.spool import NOTHING

SPOOLED = "waits in the spool until the store can take it"


class View:
    """One published state, the pauses in the spool beside it, and the answers computed from both.

    Answers live with the state they come from, and the state with the words it was read under: a thread
    that is late compares its own words and puts its answer into the view it read, never a newer one.

    Attributes:
        epoch: epoch word that the state was read under.
        spool_word: word that changes with each change of the spool.
        alive_at: when the source was last verified alive.
        folder_id: what tells this gate folder from its copies; shares of a narrow restart belong to one.
        max_age_seconds: how long ago that may be for a CLEAR; None for ever.
        quick: automation id -> its CLEAR, once the asking has been noted: all that a repeated question needs.
    """

    __slots__ = (
        *("words", "epoch", "spool_word", "published", "spooled"),
        *("read_at", "alive_at", "max_age_seconds", "folder_id", "answers", "quick"),
    )

    def __init__(
        self,
        words: memoryview[int],
        published: Published,
        *,
        epoch: int,
        read_at: datetime,
        alive_at: datetime,
    ) -> None:
        """Hold what was published; what was spooled, how old it may be, and where it lies, is put in by who read it."""
        self.words = words
        self.epoch = epoch
        self.published = published
        self.read_at = read_at
        self.alive_at = alive_at
        self.spool_word = 0
        self.spooled = NOTHING
        self.max_age_seconds: float | None = None
        self.folder_id = ""
        self.answers: dict[str, GateAnswer] = {}
        self.quick: dict[str, GateAnswer] = {}

    @property
    def is_current(self) -> bool:
        """Tell whether nothing was published or spooled since it was read."""
        words = self.words
        return words[EPOCH_WORD] == self.epoch and words[SPOOL_WORD] == self.spool_word

    @property
    def age_seconds(self) -> float:
        """How long before it was read the source had last been verified alive; never negative."""
        return max(0.0, (self.read_at - self.alive_at).total_seconds())

    @property
    def doubt(self) -> str:
        """Why log or spool cannot be trusted whole, or an empty text; then nothing is CLEAR."""
        return self.published.doubt or self.spooled.doubt

    def silence(self, max_age_seconds: float | None = None) -> str:
        """Return why what was published may be out of date: its source has been silent for too long."""
        allowed = self.max_age_seconds if max_age_seconds is None else max_age_seconds
        if allowed is None:
            return ""
        age = (self.read_at - self.alive_at).total_seconds()
        if -allowed <= age <= allowed:
            return ""
        if age < 0:
            return f"the store's last sign of life lies {-age:.0f} s ahead: the clock was set back"
        return f"the store was last known alive {age:.0f} s ago, and {allowed:g} s are allowed"

    def holds_on(self, automation_id: str) -> list[dict[str, Any]]:
        """Return the holds on an automation, registered or not, as they were published or spooled."""
        published = self.published
        if automation_id in published.automations:
            found = list(published.automations[automation_id])
        else:
            found = [*published.everything, *published.named.get(automation_id, [])]
        return found + [p.hold for p in self.spooled.pauses if p.covers(automation_id)]

    def answer(self, automation_id: str, max_age_seconds: float | None = None) -> GateAnswer:
        """Return the answer that follows from this state; a CLEAR only from a source known alive lately."""
        found = self.answers.get(automation_id)
        if found is None:
            found = self.answers[automation_id] = self._compute(automation_id)
        silence = self.silence(max_age_seconds) if found.state is GateState.CLEAR else ""
        return found._replace(state=GateState.UNKNOWN, reason=silence) if silence else found

    def _compute(self, automation_id: str) -> GateAnswer:
        seq, age = self.published.seq, self.age_seconds
        if holds := tuple(hold["hold_id"] for hold in self.holds_on(automation_id)):
            is_spooled = any(p.covers(automation_id) for p in self.spooled.pauses)
            return GateAnswer(GateState.PAUSED, holds, seq, age, SPOOLED if is_spooled else "")
        unregistered = f"{automation_id} is not registered"
        is_known = automation_id in self.published.automations
        if why := self.doubt or ("" if is_known else unregistered):
            return GateAnswer(GateState.UNKNOWN, (), seq, age, why)
        return GateAnswer(GateState.CLEAR, (), seq, age)

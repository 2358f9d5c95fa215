"""What commands ask of engines; where no file names any, nothing that speaks to engines is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from workbench.records import Automation, Hold, Mode, Target

Joining = Callable[[tuple[Target, ...], Hold], tuple[Target, ...]]
"""Joins what is known of the engines' part to targets as gates know them."""


class FleetPort(Protocol):
    """The engines as commands see them."""

    def following(self, *, is_waiting: bool) -> AbstractContextManager[Joining]:
        """Deliver while the block lasts, if somebody waits, and give what joins the engines' part."""

    def joined(self, targets: tuple[Target, ...], hold: Hold) -> tuple[Target, ...]:
        """Return targets with what is recorded of the engines' part."""

    def stopped(self, automations: Iterable[Automation], mode: Mode) -> frozenset[str]:
        """Return the automations that their engines can pause in a mode."""

    def notes(self, automations: Iterable[Automation], mode: Mode) -> tuple[str, ...]:
        """Say what a pause in a mode does in each engine in question."""

    def forecast(
        self, automation_ids: Iterable[str], catch_up: str = "", *, rate: int | None = None
    ) -> tuple[str, ...]:
        """Say what would start in the engines if these were brought back now."""

    def catch_up_faults(self, automation_ids: Iterable[str], catch_up: str) -> tuple[str, ...]:
        """Say where missed starts cannot be treated so; none where all can."""

    def bring_back(self) -> tuple[str, ...]:
        """Deliver a release, and say what is not brought back yet."""


class NoEngines:
    """Stands where no engine is told anything, and says why where there is something to say."""

    def __init__(self, why: str = "") -> None:
        """Remember why; an empty text where no engine was ever named."""
        self._why = why

    def following(self, *, is_waiting: bool) -> AbstractContextManager[Joining]:
        """Deliver nothing."""
        return nullcontext(self.joined)

    def joined(self, targets: tuple[Target, ...], hold: Hold) -> tuple[Target, ...]:
        """Return targets as gates know them."""
        return targets

    def stopped(self, automations: Iterable[Automation], mode: Mode) -> frozenset[str]:
        """Return none."""
        return frozenset()

    def notes(self, automations: Iterable[Automation], mode: Mode) -> tuple[str, ...]:
        """Say why no engine is told."""
        return self._said("No engine is told anything")

    def forecast(
        self, automation_ids: Iterable[str], catch_up: str = "", *, rate: int | None = None
    ) -> tuple[str, ...]:
        """Say that it cannot be told."""
        return self._said("what would start in engines cannot be told")

    def catch_up_faults(self, automation_ids: Iterable[str], catch_up: str) -> tuple[str, ...]:
        """Return none: no engine is told anything."""
        return ()

    def bring_back(self) -> tuple[str, ...]:
        """Say that nothing is brought back."""
        return self._said("engines are not told anything")

    def _said(self, words: str) -> tuple[str, ...]:
        return (f"{words}: {self._why}",) if self._why else ()

"""Opens the store for commands together with the warehouse that a resume is asked about: for every surface alike."""

from __future__ import annotations

from workbench.clock import Clock
from workbench.control import Control
from workbench.control import open_control as open_store_control
from workbench.evidence import Evidence, EvidenceQuestion
from workbench.settings import Settings


def open_control(
    settings: Settings, clock: Clock | None = None, *, role: str | None = None
) -> Control:
    """Open the shared store for commands; a resume then rests on what this user's warehouse has loaded.

    Raises StoreMissing when there is no store.
    """

    def read(question: EvidenceQuestion) -> Evidence:
        # Only now, for it takes a second: a refusal for another reason comes at once.
        from workbench.warehouse.serving import read_evidence

        return read_evidence(settings.home, question)

    control = open_store_control(settings, clock, role=role)
    control.evidence = read
    return control


__all__ = ["open_control"]

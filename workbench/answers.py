"""What the gate answers; apart from the other records, because every automation loads it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GateState(StrEnum):
    """The three answers of the gate."""

    PAUSED = "PAUSED"
    CLEAR = "CLEAR"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class GateAnswer:
    """What the gate says, with the log position it speaks for.

    Attributes:
        age_seconds: since the published snapshot was last known to be current.
    """

    state: GateState
    holds: tuple[str, ...] = ()
    as_of_seq: int | None = None
    age_seconds: float | None = None
    reason: str = ""

"""What the gate answers; apart from the other records, because every automation loads it.

Records that every automation loads are named tuples: a frozen dataclass takes eight times as long to make.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class GateState(StrEnum):
    """The three answers of the gate."""

    PAUSED = "PAUSED"
    CLEAR = "CLEAR"
    UNKNOWN = "UNKNOWN"


class GateAnswer(NamedTuple):
    """What the gate says, with the log position it speaks for.

    Attributes:
        age_seconds: since the published snapshot was last known to be current.
    """

    state: GateState
    holds: tuple[str, ...] = ()
    as_of_seq: int | None = None
    age_seconds: float | None = None
    reason: str = ""

"""What the log calls a drill of the gate alone, and how a drill ends; shared by who runs, judges and needs one."""

from __future__ import annotations

from enum import StrEnum

GATE = "gate"
"""Name under which the gate alone is drilled; no engine can have it."""


class DrillOutcome(StrEnum):
    """How a drill ended: it held, it did no more and no less than declared, or it failed."""

    PASSED = "passed"
    AS_DECLARED = "passed_as_declared"
    FAILED = "failed"

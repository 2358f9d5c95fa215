"""Narrow restarts as they are recorded: what is let through a hold, how often, and on which hosts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Share:
    """The runs of a narrow restart that one gate folder lets through.

    Attributes:
        folder_id: what tells the folder from its copies, until the machine of its host is started again.
    """

    host: str
    folder_id: str
    runs: int


@dataclass(frozen=True)
class Probation:
    """A narrow restart: lets part of a hold through, for so many runs and until an instant.

    Attributes:
        effects: "write" lets everything through, "read" only what reads.
        shares: which host lets how many of the runs through; none where gates of one host alone are told.
    """

    probation_id: str
    hold_id: str
    scope: str
    automation_ids: tuple[str, ...]
    max_runs: int
    until: datetime | None
    started_by: str
    started_at: datetime
    started_seq: int
    decision_id: str = ""
    break_glass_reason: str = ""
    ended_at: datetime | None = None
    ended_why: str = ""
    ended_seq: int | None = None
    effects: str = "write"
    shares: tuple[Share, ...] = ()

    def runs_in(self, folder_id: str) -> int:
        """Return how many of its runs a gate folder lets through at most."""
        if not self.shares:
            return self.max_runs
        return sum(share.runs for share in self.shares if share.folder_id == folder_id)

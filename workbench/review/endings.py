"""When a run ended: its status tells that it did, `finished_at` when, where its source says so.

Many logs hold a status and a start and nothing more. Such a run counts as failed or clean from the latest instant
that it tells, never before: how long it took is unknown, and no quantile has it. To leave it out would hide failures.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

ENDED_STATUSES: Final = ("succeeded", "failed", "crashed", "cancelled", "skipped")
_TOLD: Final = ("first_seen_at", "scheduled_at", "queued_at", "started_at")
"""Instants before the end that a run may tell; the queries of outcomes take the latest of the same four."""


def ended_at(runs: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return for each run the instant from which it counts as ended, nothing for one that is in flight.

    Columns that are read: status, finished_at and, as far as there are any, first_seen_at, scheduled_at, queued_at,
    started_at.
    """
    told = runs[[name for name in _TOLD if name in runs.columns]].max(axis=1)
    is_over = runs["status"].isin(ENDED_STATUSES)
    return runs["finished_at"].fillna(told.where(is_over))

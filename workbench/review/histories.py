"""Which histories of incidents a warehouse holds: providers' status pages, our own incidents, our own alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from workbench.review.relapse import History
from workbench.review.request import QueryCall

WATERMARKS = "review.watermarks"
TABLES: Mapping[str, tuple[str, str]] = {
    "backtest.provider_status": ("status page", "component"),
    "backtest.incident": ("own incidents", "scope"),
    "backtest.alert": ("own alerts", "automation"),
}
"""Query of each table that holds a history -> what that is called on screen, and what a unit of it is."""


def history_queries(*, since: datetime, as_of: datetime) -> list[QueryCall]:
    """Return the queries whose results `histories_of` needs."""
    window = {"since": since, "as_of": as_of}
    return [*(QueryCall(name, window) for name in TABLES), QueryCall(WATERMARKS, {"as_of": as_of})]


def histories_of(tables: Mapping[str, pd.DataFrame], *, as_of: datetime) -> list[History]:
    """Return one history per table, source and subject, each table's largest first.

    Two sources that tell of the same provider stay two histories: joined, each incident would count twice.
    """
    found = []
    for query, (kind, noun) in TABLES.items():
        rows = tables[query]
        groups = sorted(
            rows.groupby(["source_id", "subject"]), key=lambda group: (-len(group[1]), group[0])
        )
        for (source, subject), mine in groups:
            name = (
                f"{kind} of {subject}"
                if subject == source
                else f"{kind} of {subject}, from {source}"
            )
            until = _watched_until(query, str(source), mine, tables[WATERMARKS], as_of=as_of)
            found.append(History.of(name, mine, until=until, noun=noun))
    return found


def _watched_until(
    query: str, source: str, rows: pd.DataFrame, marks: pd.DataFrame, *, as_of: datetime
) -> pd.Timestamp:
    """Return how far a source is known: where its loads say so, or its last word where that is later.

    Silence after that is no quiet.
    """
    table = query.removeprefix("backtest.")
    mine = marks[(marks["source_id"] == source) & (marks["table_name"] == table)]
    known = pd.concat([mine["loaded_until_at"], rows["began_at"], rows["ended_at"]])
    return min(pd.Timestamp(known.max()), pd.Timestamp(as_of))

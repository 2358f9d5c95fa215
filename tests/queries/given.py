"""Given rows, ask a query, expect rows: an empty warehouse in memory, filled from text tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import duckdb
import pandas as pd

from tests.review.world import AS_OF, DAY, Tables, rows
from workbench.queries import load_query, query_names
from workbench.review.month import MonthRequest, month_queries
from workbench.review.request import QueryCall, of_store

WINDOW = {"since": DAY, "as_of": AS_OF}
TRIAGE = {"automation_ids": ["triage"]}
STORE = "source"
"""The store whose rows a query is asked for, where it asks; it is what fills `source_id`, too."""


class Given:
    """The tables of the warehouse, all empty at first."""

    def __init__(self) -> None:
        """Create every table as the warehouse does."""
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        for name in query_names("warehouse."):
            self.connection.execute(load_query(name).sql)

    def table(self, name: str, text: str) -> Given:
        """Add rows of a text table; columns that it leaves out get what a row must have."""
        return self.frame(name, rows(text))

    def frame(self, name: str, frame: pd.DataFrame) -> Given:
        """Add rows; columns that they leave out get what a row must have."""
        frame = frame.copy()
        columns = self.connection.table(name).columns
        for column in {"source_id", "batch_id"} - set(frame.columns):
            frame[column] = STORE
        if name == "provider_status":
            frame["incident_ref"] = frame.get("incident_ref", "INC-1")
        self.connection.register("given", frame)
        names = ", ".join(column for column in columns if column in frame.columns)
        self.connection.execute(f"insert into {name} ({names}) select {names} from given")
        self.connection.unregister("given")
        return self

    def ask(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Run a query of `queries/` and return its rows."""
        with warnings.catch_warnings():
            # DuckDB's own conversion still calls what pandas has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
            asked = of_store(QueryCall(name, parameters), STORE).parameters
            return self.connection.execute(load_query(name).sql, asked).df()


def review_queries() -> Iterator[str]:
    """Return the names of the queries of the review."""
    yield from query_names("review.")


def with_month_rows(request: MonthRequest, tables: Tables) -> Tables:
    """Return a month's tables with what its own queries say of the runs and the holds in them."""
    given = Given()
    for name in ("run", "hold", "hold_target"):
        frame = tables[f"review.{name}s"].dropna(axis="columns", how="all")
        if len(frame):
            given.frame(name, frame)
    calls = [call for call in month_queries(request) if call.name.startswith("month.")]
    return {**tables, **{call.name: given.ask(call.name, **call.parameters) for call in calls}}

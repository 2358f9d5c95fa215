"""The warehouse's tables as their SQL files declare them: columns, key, partition day, required columns."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from workbench.errors import QueryError
from workbench.queries import Query, load_query, query_names

_COLUMN = re.compile(
    r"^\s{4}(?P<name>[a-z_]+) (?P<type>[a-z]+(?:\([^)]*\))?)(?P<rule> not null)?,? -- (?P<meaning>.+)$",
    re.MULTILINE,
)
_KEY = re.compile(r"Key: ([a-z_, ]+)\.")
_DAY = re.compile(r"Partition (day|month): ([a-z_]+)(?:\.|,)")

_BY_MONTH = "%Y-%m"

UNPARTITIONED = "all"
"""Partition of a table without an instant to go by."""

IMMUTABLE = frozenset({"audit_event", "run_state"})
"""Tables of facts that never change: the first row of a key stays, another content is a conflict."""

OWN = frozenset({"source_id", "batch_id"})
"""Columns that the loader can fill by itself."""


@dataclass(frozen=True)
class Column:
    """One column: its SQL type, whether it must be there, and what it means."""

    name: str
    type: str
    is_required: bool
    meaning: str

    @property
    def reads_json(self) -> bool:
        """Tell whether staging reads the field as JSON, so that `"7"` is not taken for 7."""
        return not self.type.startswith(("varchar", "timestamptz"))


@dataclass(frozen=True)
class Table:
    """One table as its file under `queries/warehouse` declares it.

    Attributes:
        key: columns that name a row.
        day_column: instant whose UTC day is the partition; empty for tables without.
        day_format: how the partition is written; sparse tables go by month, so that files stay few.
    """

    name: str
    schema: Query
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    day_column: str
    day_format: str

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the names of the columns in the order of the table."""
        return tuple(column.name for column in self.columns)

    @property
    def order_column(self) -> str:
        """Return the instant by which the newest row of a key is known; empty: the last loaded wins."""
        return "updated_at" if "updated_at" in self.column_names else ""

    @property
    def required(self) -> tuple[str, ...]:
        """Return the columns that a file must bring."""
        return tuple(c.name for c in self.columns if c.is_required and c.name not in OWN)

    def asked_of(self, column: Column) -> str:
        """Return whether a row of a loaded file must have a column, in words; no file is loaded into some tables."""
        if f"staging.{self.name}" not in query_names("staging."):
            return ""
        if column.name == "source_id":
            return "or --source"
        return "yes" if column.name in self.required else ""

    def bounds(self, partition: str) -> tuple[datetime, datetime]:
        """Return the instants between which the rows of a dated partition lie: first inclusive, last exclusive."""
        begin = datetime.strptime(partition, self.day_format).replace(tzinfo=UTC)
        if self.day_format == _BY_MONTH:
            return begin, (begin + timedelta(days=31)).replace(day=1)
        return begin, begin + timedelta(days=1)

    @property
    def structure(self) -> str:
        """Return how staging reads a line, as DuckDB's `from_json` wants it."""
        read = [column for column in self.columns if column.name != "batch_id"]
        return json.dumps({c.name: "JSON" if c.reads_json else "VARCHAR" for c in read})


@cache
def table(name: str) -> Table:
    """Return one table; raises QueryError that names what exists."""
    if name not in table_names():
        raise QueryError(f"no table is named {name!r}; there is {', '.join(table_names())}")
    schema = load_query(f"warehouse.{name}")
    key, day = _KEY.search(schema.description), _DAY.search(schema.description)
    if key is None or day is None:
        raise QueryError(f"{schema.name} does not say its key and partition day")
    return Table(
        name=name,
        schema=schema,
        columns=tuple(
            Column(found["name"], found["type"], bool(found["rule"]), found["meaning"])
            for found in _COLUMN.finditer(schema.sql)
        ),
        key=tuple(part.strip() for part in key[1].split(",")),
        day_column="" if day[2] == "none" else day[2],
        day_format="%Y-%m-%d" if day[1] == "day" else _BY_MONTH,
    )


@cache
def table_names() -> tuple[str, ...]:
    """Return the names of all tables, sorted."""
    names = (name.removeprefix("warehouse.") for name in query_names("warehouse."))
    return tuple(
        sorted(
            name for name in names if load_query(f"warehouse.{name}").sql.find("create table") >= 0
        )
    )


def dictionary() -> list[dict[str, str]]:
    """Return the data dictionary: one entry per column of every table.

    `required` says whether a row of a loaded file must have it; `or --source` where the command can say it.
    """
    return [
        {
            "table": name,
            "column": column.name,
            "required": table(name).asked_of(column),
            "type": column.type,
            "meaning": column.meaning,
        }
        for name in table_names()
        for column in table(name).columns
    ]

"""The data dictionary of the queries: what a row is, parameters, and columns with their types and meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import duckdb

from workbench.errors import QueryError
from workbench.queries import Query, load_query, query_names
from workbench.warehouse import connection as duck
from workbench.warehouse.tables import table, table_names

ASKING: Final = ("audit", "backtest", "engine", "load", "month", "review", "sync", "triggers")
"""Folders of the queries that ask the warehouse; what the others hold makes tables, loads them or keeps the store."""

_STAND_INS: Final[dict[str, Any]] = {
    "bigint": 1,
    "bigint[]": [2**40],
    "timestamptz": datetime(2000, 1, 1, tzinfo=UTC),
    "varchar": "",
    "varchar[]": [""],
}
"""A value of each type that a parameter may have: columns get their types only when a query is asked."""

_SHORT: Final = {"timestamp with time zone": "timestamptz"}
_READ = re.compile(r"\b(?:from|join)\s+([a-z_]+)")


def asking_names() -> list[str]:
    """Return the names of the queries that ask the warehouse, sorted."""
    return [name for name in query_names() if name.split(".")[0] in ASKING]


def query_dictionary() -> list[dict[str, str]]:
    """Return one entry per row, parameter and column of every query that asks the warehouse.

    Keys: query, part (`row`, `parameter` or `column`), name, type, meaning; units and bounds stand in the meaning.
    Raises QueryError that names a parameter without a known type, or a column that nothing explains.
    """
    with duck.connect() as connection:
        for name in table_names():
            connection.execute(table(name).schema.sql)
        return [
            {"query": name, **entry}
            for name in asking_names()
            for entry in _entries(load_query(name), connection)
        ]


def tables_read(query: Query) -> list[str]:
    """Return the tables of the warehouse that a query reads, in the order in which it names them."""
    named = _READ.findall(query.sql.lower())
    return [name for name in dict.fromkeys(named) if name in table_names()]


def parameter_type(query: Query, name: str) -> str:
    """Return the type of a parameter as the header states it; raises QueryError where that is no known type."""
    stated = re.split(r"[,; ]", query.parameters[name], maxsplit=1)[0]
    if stated not in _STAND_INS:
        known = ", ".join(_STAND_INS)
        raise QueryError(f"{query.name} gives ${name} no type; its header must begin with {known}")
    return stated


def stand_ins(query: Query) -> dict[str, Any]:
    """Return a value of its type for each parameter of a query."""
    return {name: _STAND_INS[parameter_type(query, name)] for name in query.parameters}


def _entries(query: Query, connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, str]]:
    yield {"part": "row", "name": "", "type": "", "meaning": query.description}
    for name, said in query.parameters.items():
        stated = parameter_type(query, name)
        meaning = said.removeprefix(stated).lstrip(",; ")
        yield {"part": "parameter", "name": name, "type": stated, "meaning": meaning}
    asked = duck.run_query(connection, query.name, **stand_ins(query))
    for name, made_type, *_ in asked.description or ():
        known = _SHORT.get(str(made_type).lower(), str(made_type).lower())
        yield {"part": "column", "name": name, "type": known, "meaning": _meaning(query, name)}


def _meaning(query: Query, column: str) -> str:
    """Return what the header says of a column, else what the first table that has it says."""
    if column in query.columns:
        return query.columns[column]
    for name in tables_read(query):
        for known in table(name).columns:
            if known.name == column:
                return known.meaning
    raise QueryError(
        f"{query.name} does not explain its column {column}; add `-- > {column}: ...` to its header"
    )

"""Checks one block of lines in DuckDB: strict JSON first, then each field by the table's staging query.

DuckDB certifies plain lines in bulk; every line it cannot certify is looked at again by a strict parser. Fields are
read as text and validated by `queries/staging/<table>.sql`; good rows are added to the shared table `staged`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from workbench.queries import load_query
from workbench.sources.files import Block, Refusal
from workbench.sources.strict import refusal_of
from workbench.warehouse import connection as duck
from workbench.warehouse.tables import Table


@dataclass(frozen=True)
class Checked:
    """What became of the lines of one block, besides those that were accepted."""

    rejects: list[Refusal] = field(default_factory=list)
    unknown_keys: dict[str, int] = field(default_factory=dict)


class Checker:
    """Checks blocks one after the other on a connection of its own; several may share one `staged`.

    Its working tables are temporary, so they belong to its connection alone.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: Table, *, parameters: dict[str, Any]
    ) -> None:
        """Use the connection; `parameters` are those of the table's staging query."""
        self._connection, self._table = connection, table
        query = load_query(f"staging.{table.name}")
        self._check = query.sql
        self._parameters = {name: parameters[name] for name in query.parameters}

    def check(self, block: Block, *, is_first: bool) -> Checked:
        """Add the rows to `staged` (made by the first block) and return what is not accepted.

        Rows that are rejected stand there too, with their reason, until the batch is finished.
        """
        lines = pd.DataFrame(
            {
                "line_number": np.array(block.numbers, dtype=np.int64),
                "line": np.array(block.lines, dtype=object),
            }
        )
        self._run_over("block", lines, "staging.raw_line")
        self._run("staging.key_shape", known_keys=list(self._table.column_names))
        self._run("staging.refused_line")
        rejects = self._refuse_doubtful(block)
        self._run("staging.raw_field", structure=self._table.structure)
        self._run("staging.unknown_label")
        unknown_keys = dict(self._run("staging.unknown_key").fetchall())
        rejects += self._put_staged(block, is_first=is_first)
        return Checked(rejects, unknown_keys)

    def _refuse_doubtful(self, block: Block) -> list[Refusal]:
        """Let the strict parser judge what DuckDB cannot certify, and keep its refusals from being read."""
        doubtful = self._run("staging.doubtful_line").fetchall()
        refused = [
            (number, reason or "is not JSON")
            for number, line, is_certified_json in doubtful
            if (reason := refusal_of(line)) or not is_certified_json
        ]
        if refused:
            refusals = pd.DataFrame(refused, columns=["line_number", "reason"])
            self._run_over("refusal", refusals, "staging.put_refused")
        return refusals_of(block, refused)

    def _put_staged(self, block: Block, *, is_first: bool) -> list[Refusal]:
        rows = self._connection.sql(self._check, params=self._parameters or None)
        if is_first:
            rows.create("staged")
        else:
            rows.insert_into("staged")
        if not block.numbers:
            return []
        span = {"first": block.numbers[0], "last": block.numbers[-1]}
        return refusals_of(block, self._run("staging.rejected_line", **span).fetchall())

    def _run_over(self, name: str, rows: pd.DataFrame, query: str) -> None:
        """Run a query that reads these rows under that name."""
        self._connection.register(name, rows)
        try:
            self._run(query)
        finally:
            self._connection.unregister(name)

    def _run(self, query: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        return duck.run_query(self._connection, query, **parameters)


def refusals_of(block: Block, refused: list[tuple[int, str]]) -> list[Refusal]:
    """Return the refusals with the lines as they stood in the file."""
    positions = {number: at for at, number in enumerate(block.numbers)} if refused else {}
    return [Refusal(number, why, block.text_of(positions[number])) for number, why in refused]

"""Checks blocks of lines in a private DuckDB and collects what is accepted and what is rejected.

Each line is text first. DuckDB certifies the plain ones as strict JSON in bulk; every line it cannot certify is
looked at again by a strict parser. Fields are read as text and validated by `queries/staging/<table>.sql`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from workbench.errors import WarehouseError
from workbench.queries import load_folder, load_query
from workbench.sources.files import Block, Refusal
from workbench.sources.signature import error_signature
from workbench.sources.strict import refusal_of
from workbench.warehouse import connection as duck
from workbench.warehouse.tables import Table


class Staging:
    """The accepted rows (table `staged`) and rejected lines of one batch.

    Attributes:
        accepted_count, blank_count, line_count: lines so far; with the rejects they must add up.
        unknown_keys: field names without a column, with the number of lines that carry them.
    """

    def __init__(self, table: Table, spill_folder: Path, **parameters: Any) -> None:
        """Open an empty staging area for one table.

        `parameters` are those of the table's staging query: source_id, naive_offset, is_text.
        """
        self.table = table
        self.connection = duck.connect(spill_folder)
        self.rejects: list[Refusal] = []
        self.accepted_count = self.blank_count = self.line_count = self.repeat_count = 0
        self.unknown_keys: Counter[str] = Counter()
        wanted = load_query(f"staging.{table.name}").parameters
        self._parameters = {name: parameters[name] for name in wanted}
        for macro in load_folder("staging.macro_"):
            self.connection.execute(macro.sql)
        self._is_laid_out = False

    def add(self, block: Block) -> None:
        """Check one block; its lines end in `staged` or among the rejects."""
        self.rejects += block.refused
        self.blank_count += block.blank_count
        self.line_count += block.line_count
        self.repeat_count += block.repeat_count
        if not block.lines and self._is_laid_out:
            return
        self._check_block(block)
        if not self._is_laid_out:
            self._run("staging.create_staged")
            self._is_laid_out = True
        self._run("staging.put_accepted")
        (self.accepted_count,) = self._run("staging.staged_count").fetchall()[0]

    def finish(self) -> None:
        """Close the batch; raises WarehouseError unless accepted + rejected + blank == lines."""
        self.add(Block())
        self._refuse_miscount()
        self._sign_errors()

    def _refuse_miscount(self) -> None:
        found = self.accepted_count + len(self.rejects) + self.blank_count
        if found != self.line_count:
            raise WarehouseError(
                f"{self.line_count} lines were read but {found} are accounted for; nothing was loaded",
                next_step="keep the file and report this: a loader that loses lines must not be used",
            )

    def _sign_errors(self) -> None:
        """Give rows with an error text but no signature the masked text as signature."""
        if "error_signature" not in self.table.column_names or not self.accepted_count:
            return
        unsigned = duck.frame(self._run("staging.unsigned_message"))
        if not unsigned.empty:
            unsigned["signature"] = [error_signature(text) for text in unsigned["error_message"]]
            self._run_over("message_signature", unsigned, "staging.sign_message")

    def _check_block(self, block: Block) -> None:
        """Leave the block's rows in the table `checked`, each with its reject reason or null."""
        lines = pd.DataFrame(
            {
                "line_number": np.array(block.numbers, dtype=np.int64),
                "line": np.array(block.lines, dtype=object),
            }
        )
        self._run_over("block", lines, "staging.raw_line")
        self._run("staging.key_shape", known_keys=list(self.table.column_names))
        self._run("staging.refused_line")
        self._refuse_doubtful(block)
        self._run("staging.raw_field", structure=self.table.structure)
        self._run("staging.unknown_label")
        for name, count in self._run("staging.unknown_key").fetchall():
            self.unknown_keys[name] += count
        self._run(f"staging.{self.table.name}", **self._parameters)
        self._refuse(block, self._run("staging.rejected_line").fetchall())

    def _refuse_doubtful(self, block: Block) -> None:
        """Let the strict parser judge what DuckDB cannot certify, and keep its refusals from being read."""
        doubtful = self._run("staging.doubtful_line").fetchall()
        refused = [
            (number, reason or "is not JSON")
            for number, line, is_certified_json in doubtful
            if (reason := refusal_of(line)) or not is_certified_json
        ]
        if refused:
            self._refuse(block, refused)
            refusals = pd.DataFrame(refused, columns=["line_number", "reason"])
            self._run_over("refusal", refusals, "staging.put_refused")

    def _refuse(self, block: Block, refused: list[tuple[int, str]]) -> None:
        positions = {number: at for at, number in enumerate(block.numbers)} if refused else {}
        self.rejects += [
            Refusal(number, reason, block.text_of(positions[number])) for number, reason in refused
        ]

    def _run_over(self, name: str, rows: pd.DataFrame, query: str) -> None:
        """Run a query that reads these rows under that name."""
        self.connection.register(name, rows)
        try:
            self._run(query)
        finally:
            self.connection.unregister(name)

    def _run(self, query: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        return duck.run_query(self.connection, query, **parameters)

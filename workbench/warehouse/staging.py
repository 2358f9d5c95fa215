"""Collects what one batch brings: accepted rows in the table `staged`, rejected lines, and the count of all."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from workbench.errors import WarehouseError
from workbench.queries import load_folder
from workbench.sources.files import Block, Refusal
from workbench.sources.signature import error_signature
from workbench.warehouse import connection as duck
from workbench.warehouse.checking import Checked, Checker
from workbench.warehouse.tables import Table

_CHECKERS = 2
"""Blocks checked at the same time; DuckDB runs a block on one core, because it is smaller than a row group."""


class Staging:
    """The accepted rows (table `staged`) and rejected lines of one batch.

    Attributes:
        accepted_count, blank_count, line_count: lines of the batch; with the rejects they must add up.
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
        self._parameters = parameters
        self._is_laid_out = False
        for macro in load_folder("staging.macro_"):
            self.connection.execute(macro.sql)

    def add(self, block: Block) -> None:
        """Check one block; its lines end in `staged` or among the rejects."""
        self._count(block)
        if block.lines or not self._is_laid_out:
            checker = Checker(self.connection, self.table, parameters=self._parameters)
            self._collect(checker.check(block, is_first=not self._is_laid_out))
            self._is_laid_out = True

    def add_all(self, blocks: Iterator[Block]) -> Iterator[int]:
        """Check all blocks, two at a time while the next is read; gives the lines read so far, for a bar."""
        first = next(blocks, None)
        if first is None:
            return
        self.add(first)
        yield first.line_count
        checkers: SimpleQueue[Checker] = SimpleQueue()
        for _ in range(_CHECKERS):
            cursor = self.connection.cursor()
            checkers.put(Checker(cursor, self.table, parameters=self._parameters))
        with ThreadPoolExecutor(_CHECKERS) as pool:
            coming: deque[Future[Checked]] = deque()
            for block in blocks:
                self._count(block)
                if len(coming) >= _CHECKERS:
                    self._collect(coming.popleft().result())
                coming.append(pool.submit(_check_next, checkers, block))
                yield block.line_count
            for rest in coming:
                self._collect(rest.result())

    def finish(self) -> None:
        """Close the batch; raises WarehouseError unless accepted + rejected + blank == lines."""
        self.add(Block())
        (self.accepted_count,) = duck.run_query(self.connection, "staging.staged_count").fetchall()[
            0
        ]
        duck.run_query(self.connection, "staging.drop_rejected")
        self._refuse_miscount()
        self._sign_errors()

    def _count(self, block: Block) -> None:
        self.rejects += block.refused
        self.blank_count += block.blank_count
        self.line_count += block.line_count
        self.repeat_count += block.repeat_count

    def _collect(self, checked: Checked) -> None:
        self.rejects += checked.rejects
        self.unknown_keys.update(checked.unknown_keys)

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
        unsigned = duck.frame(duck.run_query(self.connection, "staging.unsigned_message"))
        if unsigned.empty:
            return
        unsigned["signature"] = [error_signature(text) for text in unsigned["error_message"]]
        self.connection.register("message_signature", unsigned)
        duck.run_query(self.connection, "staging.sign_message")
        self.connection.unregister("message_signature")


def _check_next(checkers: SimpleQueue[Checker], block: Block) -> Checked:
    checker = checkers.get()
    try:
        return checker.check(block, is_first=False)
    finally:
        checkers.put(checker)

"""One version of the warehouse, read-only: every table as a view over the files that the manifest names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pandas as pd

from workbench.clock import to_text
from workbench.errors import UsageFault, WarehouseError
from workbench.queries import load_query
from workbench.warehouse import connection as duck
from workbench.warehouse.manifest import Manifest, Watermark
from workbench.warehouse.tables import table, table_names

_SEE_TABLES = "write one `select ...`; `workbench sql --list-tables` shows what there is"


class WarehouseSnapshot:
    """A frozen version of the warehouse; loads that come later are not seen.

    Attributes:
        version: of the manifest; a report records it and can be computed again on it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Open the version's files; raises WarehouseError naming a file that is gone or was changed."""
        self.version = manifest.version
        self.created_at = manifest.created_at
        self.queries_used: dict[str, str] = {}
        self._manifest, self._folder = manifest, folder
        paths = [folder / found.file for name in manifest.tables for found in manifest.files(name)]
        _refuse_damage(folder, manifest)
        self._connection = duck.connect(folder / "spill")
        duck.harden(self._connection, paths)
        for name in table_names():
            self._open_table(folder, name)

    def _open_table(self, folder: Path, name: str) -> None:
        """Make one table: a view over its files, or an empty table of the right types."""
        files = [str(folder / found.file) for found in self._manifest.files(name)]
        if files:
            self._connection.read_parquet(files).create_view(name)
            return
        self._connection.execute(table(name).schema.sql)
        if name == "source_watermark":
            insert = load_query("watermark.insert").sql
            for mark in self._manifest.watermarks:
                self._connection.execute(
                    insert,
                    {
                        **vars(mark),
                        "loaded_until_at": to_text(mark.loaded_until_at),
                        "checked_at": to_text(mark.checked_at),
                    },
                )

    def query(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Run a query of `queries/` by its dotted name; instants in and out are aware UTC."""
        result = duck.frame(duck.run_query(self._connection, name, **parameters))
        self.queries_used[name] = load_query(name).sha256
        return result

    def sql(self, text: str) -> pd.DataFrame:
        """Run exactly one SELECT written by an analyst; everything else is refused."""
        return duck.frame(self._selected(text))

    def table(self, name: str) -> pd.DataFrame:
        """Return a whole table."""
        return duck.frame(self._connection.table(table(name).name))

    def watermarks(self) -> tuple[Watermark, ...]:
        """Return how far each source was loaded at this version."""
        return self._manifest.watermarks

    def row_count(self, name: str) -> int:
        """Return the rows of a table without reading them."""
        if name == "source_watermark":
            return len(self._manifest.watermarks)
        return sum(found.row_count for found in self._manifest.files(table(name).name))

    def day_span(self, name: str) -> tuple[str, str] | None:
        """Return the first and last partition day of a table, or None when it is empty."""
        files: Sequence[Any] = self._manifest.files(table(name).name)
        return (files[0].day, files[-1].day) if files else None

    def content_digest(self) -> str:
        """Return the SHA-256 over table, day and digest of every file, and the watermarks."""
        lines = [
            f"{name} {found.day} {found.sha256}"
            for name in sorted(self._manifest.tables)
            for found in self._manifest.files(name)
        ]
        lines += [
            f"{mark.source_id} {mark.table_name} {to_text(mark.loaded_until_at)}"
            for mark in self._manifest.watermarks
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def damage(self) -> str:
        """Read every file and name the first whose bytes are not those that were loaded; empty where all are."""
        for name in sorted(self._manifest.tables):
            for found in self._manifest.files(name):
                if (
                    hashlib.sha256((self._folder / found.file).read_bytes()).hexdigest()
                    != found.sha256
                ):
                    return f"{found.file} has other bytes than were loaded"
        return ""

    def close(self) -> None:
        """Free the connection's memory."""
        self._connection.close()

    def __enter__(self) -> WarehouseSnapshot:
        """Use the snapshot for a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it at the block's end."""
        self.close()

    def _selected(self, text: str) -> duckdb.DuckDBPyConnection:
        try:
            statements = self._connection.extract_statements(text)
        except duckdb.Error as exc:
            raise UsageFault(duck.first_line(exc), next_step=_SEE_TABLES) from exc
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageFault("exactly one SELECT is accepted here", next_step=_SEE_TABLES)
        if names := statements[0].named_parameters:
            raise UsageFault(
                f"${', $'.join(sorted(names))} has no value; write the value into the text"
            )
        try:
            return self._connection.execute(statements[0])
        except duckdb.Error as exc:
            raise UsageFault(duck.first_line(exc), next_step=_SEE_TABLES) from exc


def _refuse_damage(folder: Path, manifest: Manifest) -> None:
    """Compare every file's size with the manifest's, so that a lost or cut file is named, not misread."""
    for name in manifest.tables:
        for found in manifest.files(name):
            path = folder / found.file
            try:
                size = path.stat().st_size
            except OSError as exc:
                raise WarehouseError(
                    f"{path} of version {manifest.version} cannot be read: {exc.strerror}"
                ) from exc
            if size != found.byte_count:
                raise WarehouseError(
                    f"{path} has {size} bytes, the manifest says {found.byte_count}"
                )

"""Merges a checked batch into the day files it touches, by writing new files beside the old ones."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pandas as pd
from duckdb import (
    CaseExpression,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    StarExpression,
)

from workbench.clock import from_text
from workbench.errors import WarehouseError
from workbench.sources.files import Refusal
from workbench.warehouse import connection as duck
from workbench.warehouse.manifest import DayFile, Manifest, Watermark, sync_folder
from workbench.warehouse.staging import Staging
from workbench.warehouse.tables import IMMUTABLE, UNPARTITIONED, Table, table

UNDATED = "undated"
"""Partition of rows whose day is not known."""

_VERSION = re.compile(r"\.v(\d+)\.parquet$")


class Merge:
    """Puts one batch into the warehouse's files, under the lock that the caller holds.

    Attributes:
        changed_count: lines that brought a new or newer row; the other accepted lines said what was known.
        conflicts: lines of an immutable table that contradict what is there; they become rejects.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, *, staging: Staging, batch_id: str
    ) -> None:
        """Take a batch; `manifest` is the present one."""
        self.changed_count = 0
        self.conflicts: list[Refusal] = []
        self._folder, self._manifest = folder, manifest
        self._table, self._connection = staging.table, staging.connection
        self._batch_id = batch_id
        self._connection.execute(self._table.schema.sql)

    def run(self) -> Manifest:
        """Write the day files that change and return the manifest that names them."""
        if self._table.name == "source_watermark":
            return self._take_watermarks()
        self._match_stored()
        self._lay_out_keys()
        is_immutable = self._table.name in IMMUTABLE
        self._execute("merge.winner_first" if is_immutable else "merge.winner_latest")
        if is_immutable:
            found = self._execute("merge.conflict").fetchall()
            self.conflicts = [Refusal(number, reason, "") for number, reason in found]
        ((self.changed_count,),) = self._execute("merge.winner_count").fetchall()
        self._lay_out_winning()
        days = [day for (day,) in self._execute("merge.changed_day").fetchall()]
        place = self._folder / self._table.name
        writer = DayWriter(
            self._connection, place, target=self._table, version=self._manifest.version
        )
        written = writer.write(days, self._rows_of)
        return self._manifest.with_files(self._table.name, written)

    def _match_stored(self) -> None:
        """Find where the batch's keys stand now, and keep what must never change."""
        if self._table.name == "run":
            self._execute("merge.same_first_seen")
        names = dict.fromkeys(name for name in (*self._table.key, self._table.day_column) if name)
        known = self._stored(self._manifest.files(self._table.name))
        matched = known.join(self._connection.table("staged"), list(self._table.key), how="semi")
        if self._table.name == "alert":
            # The firing may be stored already, or come after its end: neither may wipe out the other.
            matched.create("stored_alert")
            self._execute("merge.fold_alert")
        matched.project(*map(ColumnExpression, names), self._partition_day()).create("stored_match")
        if self._table.name == "run":
            self._execute("merge.keep_first_seen")

    def _lay_out_keys(self) -> None:
        """Make the narrow tables that decide who wins: `incoming_key` and, of the touched days, `existing_key`."""
        self._keys(self._connection.table("staged"), ColumnExpression("line_number")).create(
            "incoming_key"
        )
        days = {day for (day,) in self._execute("merge.touched_day").fetchall()}
        touched = [found for found in self._manifest.files(self._table.name) if found.day in days]
        unnumbered = ConstantExpression(None).cast("BIGINT").alias("line_number")
        self._keys(self._stored(touched), unnumbered).create("existing_key")

    def _lay_out_winning(self) -> None:
        """Make `winning`: the batch's new rows with their day; without a copy where every line wins."""
        staged = self._connection.table("staged")
        (staged_count,) = staged.count("*").fetchall()[0]
        if self.changed_count == staged_count:
            staged.project(StarExpression(), self._partition_day()).create_view("winning")
        else:
            self._execute("merge.winning")

    def _keys(
        self, rows: duckdb.DuckDBPyRelation, line_number: Expression
    ) -> duckdb.DuckDBPyRelation:
        key = [ColumnExpression(name).cast("VARCHAR") for name in self._table.key]
        content = [
            ColumnExpression(name) for name in self._table.column_names if name != "batch_id"
        ]
        order = self._table.order_column
        return rows.project(
            line_number,
            FunctionExpression("concat_ws", ConstantExpression("\x1f"), *key).alias("row_key"),
            FunctionExpression("hash", *content).alias("content_hash"),
            (
                ColumnExpression(order) if order else ConstantExpression(None).cast("TIMESTAMPTZ")
            ).alias("order_at"),
            self._partition_day(),
        )

    def _stored(self, files: Sequence[DayFile]) -> duckdb.DuckDBPyRelation:
        """Return the rows of these files, or no rows of the right types."""
        if files:
            return self._connection.read_parquet(
                [str(self._folder / found.file) for found in files]
            )
        return self._connection.table(self._table.name)

    def _rows_of(self, day: str) -> duckdb.DuckDBPyRelation:
        """Return all rows of a day as they are after the batch."""
        columns = [
            ColumnExpression(name) for name in self._table.column_names if name != "batch_id"
        ]
        winning = self._connection.view("winning")
        of_day = winning.filter(self._is_of(day))
        fresh = of_day.project(*columns, ConstantExpression(self._batch_id).alias("batch_id"))
        files = [found for found in self._manifest.files(self._table.name) if found.day == day]
        if not files:
            return fresh
        kept = self._stored(files).join(winning, list(self._table.key), how="anti")
        return kept.project(*columns, ColumnExpression("batch_id")).union(fresh)

    def _partition_day(self) -> Expression:
        if not self._table.day_column:
            return ConstantExpression(UNPARTITIONED).alias("partition_day")
        instant = ColumnExpression(self._table.day_column)
        day = FunctionExpression("strftime", instant, ConstantExpression(self._table.day_format))
        known = CaseExpression(day.isnull(), ConstantExpression(UNDATED)).otherwise(day)
        return known.alias("partition_day")

    def _is_of(self, day: str) -> Expression:
        """Return the condition for rows of a partition, by its bounds: cheaper than a text per row."""
        if not self._table.day_column:
            return ConstantExpression(True)
        instant = ColumnExpression(self._table.day_column)
        if day == UNDATED:
            return instant.isnull()
        begin, end = self._table.bounds(day)
        return (instant >= ConstantExpression(begin)) & (instant < ConstantExpression(end))

    def _take_watermarks(self) -> Manifest:
        rows = self._execute("merge.watermark").fetchall()
        self.changed_count = len(rows)
        return self._manifest.with_watermarks(
            tuple(
                Watermark(source, name, from_text(until), from_text(checked), self._batch_id)
                for source, name, until, checked in rows
            )
        )

    def _execute(self, name: str) -> duckdb.DuckDBPyConnection:
        return duck.run_query(self._connection, name)


class DayWriter:
    """Writes new files of one table for the version after the present one."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, place: Path, *, target: Table, version: int
    ) -> None:
        """`version` is the present one; files of a newer one were left behind by a loader that died."""
        self._connection, self._table = connection, target
        self._place, self._version = place, version

    def write(
        self, days: Sequence[str], rows_of: Callable[[str], duckdb.DuckDBPyRelation]
    ) -> dict[str, DayFile | None]:
        """Write one file per day with the rows that `rows_of` gives; None for a day left without rows."""
        try:
            self._place.mkdir(exist_ok=True)
            self._sweep()
            written = {day: self._write_day(day, rows_of(day)) for day in days}
            sync_folder(self._place)
        except (OSError, duckdb.IOException) as exc:
            raise WarehouseError(
                f"{self._place} cannot be written, nothing was loaded: {duck.first_line(exc)}"
            ) from exc
        return written

    def _write_day(self, day: str, rows: duckdb.DuckDBPyRelation) -> DayFile | None:
        names = dict.fromkeys(name for name in (self._table.day_column, *self._table.key) if name)
        final = self._place / f"{day}.v{self._version + 1}.parquet"
        temporary = self._place / f".{final.name}.tmp"
        rows.sort(*map(ColumnExpression, names)).write_parquet(str(temporary), compression="zstd")
        counted = duck.run_query(self._connection, "merge.file_row_count", file=str(temporary))
        ((row_count,),) = counted.fetchall()
        if not row_count:
            temporary.unlink()
            return None
        with temporary.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())
            byte_count = os.fstat(stream.fileno()).st_size
            os.fchmod(stream.fileno(), 0o444)
        temporary.replace(final)
        return DayFile(day, f"{self._table.name}/{final.name}", int(row_count), byte_count, sha256)

    def _sweep(self) -> None:
        """Remove what a loader that died left behind: temporary files, and files of a version never published."""
        for path in self._place.iterdir():
            version = _VERSION.search(path.name)
            if path.name.endswith(".tmp") or (version and int(version[1]) > self._version):
                path.unlink(missing_ok=True)


def write_rejects(
    connection: duckdb.DuckDBPyConnection,
    rejects: pd.DataFrame,
    *,
    folder: Path,
    manifest: Manifest,
) -> Manifest:
    """Write the rejected lines of some batches beside those of earlier loads."""
    target = table("ingest_reject")
    connection.execute(target.schema.sql)
    files = [str(folder / found.file) for found in manifest.files(target.name)]
    if files:
        connection.read_parquet(files).create_view("stored_reject")
        duck.run_query(connection, "merge.keep_reject", batch_ids=sorted(set(rejects["batch_id"])))
    connection.register("reject_row", rejects)
    duck.run_query(connection, "merge.put_reject")
    writer = DayWriter(connection, folder / target.name, target=target, version=manifest.version)
    written = writer.write([UNPARTITIONED], lambda _: connection.table(target.name))
    return manifest.with_files(target.name, written)

"""Loads files into the warehouse: read strictly, check, count every line, merge, publish once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from tqdm import tqdm

from workbench.clock import to_text
from workbench.errors import SourceError, TooManyRejects, UsageFault
from workbench.queries import load_query, query_names
from workbench.sources.files import Block, SourceFile, look_at
from workbench.sources.mapping import Mapping
from workbench.sources.records import RecordReader, Target
from workbench.warehouse import connection as duck
from workbench.warehouse.batch import (
    NO_SOURCE,
    Batch,
    LoadOptions,
    LoadReport,
    batch_id_of,
    finished_batch,
    known_report,
    reasons_of,
    source_ids_of,
)
from workbench.warehouse.manifest import Manifest, Watermark, locked, publish, read_manifest
from workbench.warehouse.merge import Merge, write_rejects
from workbench.warehouse.staging import Staging
from workbench.warehouse.tables import Table, table, table_names

CLOCK_SKEW = timedelta(minutes=1)
"""How far the clock of who wrote a file may be before ours: from there on `doctor` calls a clock wrong."""

_PARQUET_ROWS = 100_000
"""Rows of a Parquet file read together."""


class Loader:
    """Checks files and publishes what they brought."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Load into the warehouse of this folder; `now` dates the publication."""
        self._folder, self._now = folder, now

    def load_files(
        self,
        files: Sequence[tuple[str, Path]],
        *,
        mapping: Mapping | None,
        options: LoadOptions,
    ) -> list[LoadReport]:
        """Load (table, file) pairs in one publication: all of them or, after an error, none."""
        self._refuse_future(options)
        looked = [(loadable(name), look_at(path)) for name, path in files]
        known = read_manifest(self._folder).batches
        ids = [
            batch_id_of(file, mapping, table_name=target.name, options=options)
            for target, file in looked
        ]
        batches = {
            batch_id: self._check_file(target, file, mapping=mapping, options=options)
            for batch_id, (target, file) in zip(ids, looked, strict=True)
            if batch_id not in known
        }
        self._refuse_excess(list(batches.values()), options)
        reports = {report.batch_id: report for report in self.publish(list(batches.values()))}
        return [reports.get(one) or known_report(known[one]) for one in ids]

    def _refuse_future(self, options: LoadOptions) -> None:
        """Refuse a file that is said to be complete until later than now: evidence would look fresh until then."""
        until = options.complete_until
        if until is None or until <= self._now + CLOCK_SKEW:
            return
        raise UsageFault(
            f"The file is said to be complete until {until:%Y-%m-%d %H:%M:%S} UTC, which is to come: "
            f"it is {self._now:%Y-%m-%d %H:%M:%S} UTC. Nothing was loaded.",
            next_step="name the instant at which the file was written, such as "
            f"`--complete-until {to_text(self._now)}`",
        )

    def check_rows(
        self, target: Table, lines: Sequence[str], *, name: str, source_id: str | None
    ) -> Batch:
        """Check rows that are already JSON lines, not a file; such a batch is not remembered."""
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        staging = Staging(
            target, self._folder / "spill", source_id=source_id, naive_offset=None, is_text=False
        )
        numbers = list(range(1, len(lines) + 1))
        staging.add(Block(numbers=numbers, lines=list(lines), line_count=len(lines)))
        batch = finished_batch(staging, f"rows-{digest[:16]}", name=name)
        batch.is_remembered = False
        return batch

    def publish(
        self, batches: Sequence[Batch], watermarks: Sequence[Watermark] = ()
    ) -> list[LoadReport]:
        """Merge the batches and replace the manifest once; what came in meanwhile is not merged again."""
        with locked(self._folder):
            manifest = read_manifest(self._folder)
            after = manifest.with_watermarks(tuple(watermarks)) if watermarks else manifest
            reports: list[LoadReport] = []
            rejects: list[pd.DataFrame] = []
            for batch in batches:
                if batch.id in manifest.batches:
                    reports.append(known_report(manifest.batches[batch.id]))
                    continue
                after, report = self._merge(after, batch)
                reports.append(report)
                rejects.append(batch.reject_rows())
            after = self._with_rejects(after, rejects)
            final = self._replace_manifest(manifest, after, batches=batches, reports=reports)
        for batch in batches:
            batch.staging.connection.close()
        return final

    def _replace_manifest(
        self,
        before: Manifest,
        after: Manifest,
        *,
        batches: Sequence[Batch],
        reports: Sequence[LoadReport],
    ) -> list[LoadReport]:
        """Replace the manifest, unless nothing changed: equal contents keep one version."""
        fresh = [
            batch.is_remembered and report.is_applied and not report.was_already_loaded
            for batch, report in zip(batches, reports, strict=True)
        ]
        is_same = after.tables == before.tables and after.watermarks == before.watermarks
        version = before.version if is_same and not any(fresh) else before.version + 1
        final = [
            report if report.was_already_loaded else replace(report, manifest_version=version)
            for report in reports
        ]
        if version > before.version:
            remembered = {
                report.batch_id: asdict(report)
                for report, is_new in zip(final, fresh, strict=True)
                if is_new
            }
            whole = replace(after, batches={**after.batches, **remembered})
            publish(self._folder, whole, created_at=self._now)
        return final

    def _merge(self, manifest: Manifest, batch: Batch) -> tuple[Manifest, LoadReport]:
        if not batch.report.is_applied:
            return manifest, batch.report
        merge = Merge(self._folder, manifest, staging=batch.staging, batch_id=batch.id)
        after = merge.run()
        if batch.watermarks:
            after = after.with_watermarks(batch.watermarks)
        batch.rejects += merge.conflicts
        report = replace(
            batch.report,
            changed_count=merge.changed_count,
            accepted_count=batch.report.accepted_count - len(merge.conflicts),
            rejected_count=len(batch.rejects),
            reasons=reasons_of(batch.rejects),
        )
        return after, report

    def _with_rejects(self, manifest: Manifest, rejects: Sequence[pd.DataFrame]) -> Manifest:
        found = [rows for rows in rejects if not rows.empty]
        if not found:
            return manifest
        with duck.connect(self._folder / "spill") as connection:
            rows = pd.concat(found, ignore_index=True)
            return write_rejects(connection, rows, folder=self._folder, manifest=manifest)

    def _refuse_excess(self, batches: Sequence[Batch], options: LoadOptions) -> None:
        """Hold back everything when one file has too many rejects, but keep those where people see them."""
        excess = [b for b in batches if b.report.reject_share > options.allowed_reject_share]
        if not excess:
            return
        for batch in excess:
            batch.report = replace(batch.report, is_applied=False)
        first = self.publish(excess)[0]
        reason, count = max(first.reasons.items(), key=lambda found: (found[1], found[0]))
        see = 'see them with `workbench sql "select line_number, reason, text from ingest_reject"`'
        raise TooManyRejects(
            f"{first.file}: {first.rejected_count} of {first.line_count} lines were rejected, most often because "
            f"{reason} ({count}); no row was loaded, the rejects are in ingest_reject as batch {first.batch_id}",
            next_step=(
                "say whose rows these are with `--source SOURCE_ID`, e.g. `--source billing-cron`"
                if NO_SOURCE in first.reasons
                else f"{see}; mend the file, or load it with --allow-rejects"
            ),
        )

    def _check_file(
        self, target: Table, file: SourceFile, *, mapping: Mapping | None, options: LoadOptions
    ) -> Batch:
        source_id = options.source_id or (mapping.source_id if mapping else None)
        reader = RecordReader(file, _target(target, has_source=bool(source_id)), mapping)
        staging = Staging(
            target,
            self._folder / "spill",
            source_id=source_id,
            naive_offset=mapping.naive_offset if mapping else None,
            is_text=reader.is_text,
        )
        blocks = parquet_blocks(reader) if file.format == "parquet" else reader.blocks()
        is_quiet = not options.shows_progress
        with tqdm(desc=file.name, unit=" lines", unit_scale=True, disable=is_quiet) as bar:
            for line_count in staging.add_all(blocks):
                bar.update(line_count)
        batch_id = batch_id_of(file, mapping, table_name=target.name, options=options)
        batch = finished_batch(staging, batch_id, name=file.name)
        if until := options.complete_until:
            batch.watermarks = tuple(
                Watermark(source, target.name, until, until, batch.id)
                for source in source_ids_of(staging)
            )
        return batch


def loadable(name: str) -> Table:
    """Return a table that files can be loaded into; raises UsageFault that names those there are."""
    checks = query_names("staging.")
    if f"staging.{name}" not in checks:
        names = ", ".join(other for other in table_names() if f"staging.{other}" in checks)
        is_ours = name in table_names()
        why = (
            f"{name} is written by the loader itself" if is_ours else f"No table is named {name!r}"
        )
        raise UsageFault(
            f"{why}; files are loaded into {names}. Nothing was loaded.",
            next_step="`workbench sql --list-tables` shows the columns of each",
        )
    return table(name)


def parquet_blocks(reader: RecordReader) -> Iterator[Block]:
    """Give the rows of a Parquet file as JSON lines, read by a connection that sees only this file."""
    path = reader.file.path.resolve()
    with duck.connect() as connection:
        duck.harden(connection, [path])
        try:
            rows = connection.read_parquet(str(path))
            reader.refuse_missing(rows.columns)
            rows.create_view("parquet_row")
            result = connection.execute(load_query("staging.parquet_line").sql)
            number = 1
            while found := result.fetchmany(_PARQUET_ROWS):
                yield reader.mapped_lines([line for (line,) in found], number)
                number += len(found)
        except duckdb.Error as exc:
            said = duck.first_line(exc)
            raise SourceError(f"{path.name}: cannot be read as Parquet: {said}") from exc


def _target(target: Table, *, has_source: bool) -> Target:
    return Target(
        columns=frozenset(target.column_names),
        required=target.required if has_source else ("source_id", *target.required),
        json_columns=frozenset(
            column.name for column in target.columns if column.type.startswith(("json", "map"))
        ),
    )

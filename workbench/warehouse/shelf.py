"""The warehouse as other parts see it: load into it, read frozen snapshots of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from workbench.clock import Clock, SystemClock, to_text
from workbench.errors import SourceError
from workbench.sources.files import FORMATS
from workbench.sources.mapping import Mapping as FieldMapping
from workbench.warehouse.batch import LoadOptions, LoadReport
from workbench.warehouse.loading import Loader, loadable
from workbench.warehouse.manifest import Watermark, read_manifest
from workbench.warehouse.snapshot import WarehouseSnapshot
from workbench.warehouse.tables import table_names


class Warehouse:
    """One private warehouse folder; reading never waits for a load, a load never for a reader."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Use the folder; it is made by the first load."""
        self.folder, self._clock = folder, clock

    @classmethod
    def open(cls, home: Path, clock: Clock | None = None) -> Warehouse:
        """Open the warehouse of a home folder (`WORKBENCH_HOME`)."""
        return cls(Path(home) / "warehouse", clock or SystemClock())

    @property
    def version(self) -> int:
        """Return the present manifest version; 0 when nothing was ever loaded."""
        return read_manifest(self.folder).version

    def watermarks(self) -> tuple[Watermark, ...]:
        """Return how far each source is loaded now."""
        return read_manifest(self.folder).watermarks

    def snapshot(self, version: int | None = None) -> WarehouseSnapshot:
        """Freeze the present version, or open an old one again."""
        return WarehouseSnapshot(self.folder, read_manifest(self.folder, version))

    def load_rows(
        self,
        table: str,
        rows_file: Path,
        *,
        mapping: FieldMapping | None = None,
        options: LoadOptions | None = None,
    ) -> LoadReport:
        """Load one file; the same file again is a no-op that gives the same report."""
        return self.load_files([(table, Path(rows_file))], mapping=mapping, options=options)[0]

    def load_files(
        self,
        files: Sequence[tuple[str, Path]],
        *,
        mapping: FieldMapping | None = None,
        options: LoadOptions | None = None,
    ) -> list[LoadReport]:
        """Load (table, file) pairs in one publication: a reader sees all of them or none."""
        return self._loader().load_files(files, mapping=mapping, options=options or LoadOptions())

    def load_folder(self, folder: Path, *, options: LoadOptions | None = None) -> list[LoadReport]:
        """Load a folder whose files are named after tables (`run.jsonl.gz`) in one publication."""
        files = []
        for path in sorted(folder.iterdir()):
            name, _, suffix = path.name.partition(".")
            if name not in table_names() or f".{suffix.split('.')[0]}" not in FORMATS:
                raise SourceError(f"{path.name}: is not named after a table, like run.jsonl.gz")
            files.append((name, path))
        return self.load_files(files, options=options)

    def put_rows(
        self,
        tables: Mapping[str, Iterable[Mapping[str, Any]]],
        *,
        source_id: str | None = None,
        watermarks: Sequence[Watermark] = (),
    ) -> list[LoadReport]:
        """Put rows of our own (dicts under the column names) through the same checks, in one publication."""
        loader = self._loader()
        batches = [
            loader.check_rows(
                loadable(name),
                [_line(row) for row in rows],
                name=f"{name} rows",
                source_id=source_id,
            )
            for name, rows in tables.items()
        ]
        return loader.publish(batches, watermarks)

    def _loader(self) -> Loader:
        return Loader(self.folder, self._clock.now())


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(dict(row), ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, tuple, frozenset)):
        return sorted(value)
    raise SourceError(f"a row holds a {type(value).__name__}, which has no JSON form")

"""The warehouse's one moving part: a manifest that names the files of every table, replaced atomically.

Data files are never changed. A load writes new ones, then replaces `manifest.json` under a kernel lock; readers
take no lock. Old manifests stay as `manifests/<version>.json`, so a report can be computed again on what it saw.
This module needs neither DuckDB nor pandas: a resume reads the watermarks from it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text, to_text
from workbench.errors import NotFound, WarehouseError

FORMAT = 1
"""Of the manifest file; a newer one is refused."""


@dataclass(frozen=True)
class DayFile:
    """One immutable Parquet file: a table's rows of one day."""

    day: str
    file: str
    row_count: int
    byte_count: int
    sha256: str


@dataclass(frozen=True)
class Watermark:
    """How far one table of one source is known to be loaded."""

    source_id: str
    table_name: str
    loaded_until_at: datetime
    checked_at: datetime
    batch_id: str = ""


@dataclass(frozen=True)
class Manifest:
    """What the warehouse holds at one version.

    Attributes:
        tables: table -> its day files, in the order of the days.
        batches: batch id -> report of the load that brought it; a batch that is here is not loaded again.
    """

    version: int = 0
    created_at: str = ""
    tables: Mapping[str, tuple[DayFile, ...]] = field(default_factory=dict)
    batches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    watermarks: tuple[Watermark, ...] = ()

    def files(self, table: str) -> tuple[DayFile, ...]:
        """Return the day files of one table."""
        return tuple(self.tables.get(table, ()))

    def with_files(self, table: str, changed: Mapping[str, DayFile | None]) -> Manifest:
        """Return a manifest in which the days' files are replaced, or gone where None."""
        if not changed:
            return self
        days: dict[str, DayFile | None] = {day_file.day: day_file for day_file in self.files(table)}
        days.update(changed)
        kept = tuple(found for _, found in sorted(days.items()) if found is not None)
        return replace(self, tables={**self.tables, table: kept})

    def with_watermarks(self, newer: tuple[Watermark, ...]) -> Manifest:
        """Return a manifest with these watermarks put in; one that was checked earlier never wins."""
        kept = {(mark.source_id, mark.table_name): mark for mark in self.watermarks}
        for mark in newer:
            known = kept.get((mark.source_id, mark.table_name))
            if known is None or mark.checked_at > known.checked_at:
                kept[mark.source_id, mark.table_name] = mark
        return replace(self, watermarks=tuple(kept[name] for name in sorted(kept)))

    def to_text(self) -> str:
        """Return the manifest as the text of its file."""
        said = {
            "format": FORMAT,
            "version": self.version,
            "created_at": self.created_at,
            "tables": {
                name: [vars(found) for found in files]
                for name, files in sorted(self.tables.items())
            },
            "watermarks": [
                {
                    **vars(mark),
                    "loaded_until_at": to_text(mark.loaded_until_at),
                    "checked_at": to_text(mark.checked_at),
                }
                for mark in self.watermarks
            ],
            "batches": self.batches,
        }
        return json.dumps(said, indent=1) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Manifest:
        """Read the text of a manifest file; raises ValueError or KeyError when it is not one."""
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise ValueError(f"is of format {said['format']}, this workbench reads {FORMAT}")
        return cls(
            version=int(said["version"]),
            created_at=said["created_at"],
            tables={
                name: tuple(DayFile(**found) for found in files)
                for name, files in said["tables"].items()
            },
            batches=said["batches"],
            watermarks=tuple(
                Watermark(
                    **{
                        **mark,
                        "loaded_until_at": from_text(mark["loaded_until_at"]),
                        "checked_at": from_text(mark["checked_at"]),
                    }
                )
                for mark in said["watermarks"]
            ),
        )


def read_manifest(folder: Path, version: int | None = None) -> Manifest:
    """Return the present manifest of a warehouse folder, or an old version; an absent warehouse is an empty one."""
    path = folder / "manifest.json" if version is None else folder / "manifests" / f"{version}.json"
    was_published = False
    try:
        # Looked at first: a manifest stands before its first version, so what was published before has one now.
        was_published = version is None and _has_versions(folder)
        return Manifest.from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        if version is None:
            if was_published:
                raise WarehouseError(
                    f"{path} is gone though older versions are there; put it back"
                ) from exc
            return Manifest()
        if version == 0:
            return Manifest()
        raise NotFound(
            f"the warehouse has no version {version}; the newest is {read_manifest(folder).version}"
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise WarehouseError(f"{path} is not a manifest of this workbench: {exc}") from exc
    except OSError as exc:
        raise WarehouseError(f"{path} cannot be read: {exc.strerror}") from exc


def _has_versions(folder: Path) -> bool:
    versions = folder / "manifests"
    return versions.is_dir() and any(versions.iterdir())


def read_watermarks(folder: Path) -> tuple[Watermark, ...]:
    """Return how far each source is loaded, without opening any data."""
    return read_manifest(folder).watermarks


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the warehouse's kernel lock: one publication at a time, freed by the kernel when a loader dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise WarehouseError(f"{folder} cannot be written: {exc.strerror}") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def publish(folder: Path, manifest: Manifest, *, created_at: datetime) -> Manifest:
    """Make the manifest the present one, durably; the caller holds the lock and has its data files on disk."""
    after = replace(manifest, version=manifest.version + 1, created_at=to_text(created_at))
    text = after.to_text().encode()
    try:
        if not (folder / "manifests").is_dir():
            # Who reads meanwhile, or after a loader that dies from here on, finds nothing rather than a loss.
            write_durably(folder / "manifest.json", Manifest().to_text().encode())
        (folder / "manifests").mkdir(exist_ok=True)
        write_durably(folder / "manifests" / f"{after.version}.json", text)
        write_durably(folder / "manifest.json", text)
    except OSError as exc:
        raise WarehouseError(
            f"{folder} cannot be written, nothing was loaded: {exc.strerror}"
        ) from exc
    return after


def write_durably(path: Path, content: bytes) -> None:
    """Write a read-only file under a temporary name, sync it, put it in place and sync the folder."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

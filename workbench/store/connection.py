"""One connection to the store's file: checked at each call, and kept for a moment in case another one follows."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from workbench.errors import StorageUnavailable
from workbench.queries import load_query
from workbench.store.keeping import identity_of, keep, take
from workbench.store.migrations import refuse_other_version, steps_after

STORE_FILE = "store.sqlite"

_INDEX_BYTES = 32768
"""SQLite's index of the log beside the file (`-shm`) is made in pieces of this size (sqlite.org/walformat.html)."""

_BUSY_MILLISECONDS = 5000
"""Readers wait for a checkpoint, never for a writer; writers wait at the kernel lock."""


@contextlib.contextmanager
def connect(path: Path, what_then: str = "") -> Iterator[apsw.Connection]:
    """Open the store's file; raises StorageUnavailable where it, its schema or what is done with it is at fault.

    `what_then` ends the sentence that says so. A connection over which anything failed is closed, not kept.
    """
    # Looked at first: a file that comes into its place from here on is another than what is opened, so never kept.
    opened = identity_of(path)[0]
    connection = take(path)
    if connection is None:
        connection = _opened(path, what_then)
    is_whole = False
    try:
        run(connection, "pragma_synchronous_full")
        refuse_other_version(schema_version(connection), str(path))
        yield connection
        is_whole = not connection.in_transaction
    except apsw.Error as exc:
        raise unavailable(path, exc, what_then=what_then) from exc
    finally:
        if is_whole:
            keep(path, connection, opened=opened)
        else:
            connection.close()


@contextlib.contextmanager
def connect_any_version(path: Path, what_then: str = "") -> Iterator[apsw.Connection]:
    """Open the store's file whatever its schema; raises StorageUnavailable as `connect` does."""
    connection = _opened(path, what_then)
    try:
        run(connection, "pragma_synchronous_full")
        yield connection
    except apsw.Error as exc:
        raise unavailable(path, exc, what_then=what_then) from exc
    finally:
        connection.close()


def _opened(path: Path, what_then: str) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as exc:
        raise unavailable(path, exc, what_then=what_then) from exc
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    return connection


def run(connection: apsw.Connection, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
    """Run one statement of `queries/store` with its parameters and return its rows."""
    return list(stream(connection, name, **values))


def stream(connection: apsw.Connection, name: str, /, **values: Any) -> Iterator[Any]:
    """Run one statement of `queries/store` and give its rows one by one."""
    text = load_query(f"store.{name}").sql
    found: Iterator[Any] = connection.cursor().execute(text, values)
    return found


def library_version() -> str:
    """Return the version of SQLite that opens the store."""
    return str(apsw.sqlite_lib_version())


def unavailable(path: Path, exc: Exception, *, what_then: str = "") -> StorageUnavailable:
    """Return the error for a store that cannot be used; of a full disk SQLite says an I/O error and no more."""
    if not _is_full(path, exc):
        return StorageUnavailable(f"The store {path} cannot be used: {exc}.{what_then}")
    return StorageUnavailable(
        f"The store {path} cannot be used: the disk is full ({exc}).{what_then}",
        next_step="make room on the disk of the store, and give the command again",
    )


def _is_full(path: Path, exc: Exception) -> bool:
    """Tell whether a disk without room is why: even a reader needs some, for the index of the log beside the file."""
    if isinstance(exc, apsw.FullError):
        return True
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return False
    return isinstance(exc, apsw.IOError | apsw.CantOpenError) and free < _INDEX_BYTES


def schema_version(connection: apsw.Connection) -> int:
    """Return the version of the schema that a file has; 0 where it has none."""
    return int(run(connection, "pragma_schema_version")[0][0])


def apply_steps(connection: apsw.Connection, version: int) -> None:
    """Run the steps that lead from a version to today's schema; the caller holds the transaction."""
    for name in steps_after(version, "store_migrations"):
        connection.cursor().execute(load_query(name).sql)

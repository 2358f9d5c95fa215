"""One connection to the store's file: opened, checked and closed for each call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from workbench.errors import StorageUnavailable
from workbench.queries import load_query

STORE_FILE = "store.sqlite"
SCHEMA_VERSION = 1

_BUSY_MILLISECONDS = 5000
"""Readers wait for a checkpoint, never for a writer; writers wait at the kernel lock."""


@contextlib.contextmanager
def connect(path: Path) -> Iterator[apsw.Connection]:
    """Open the store's file; raises StorageUnavailable where it, or what is done with it, fails."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as exc:
        raise unavailable(path, exc) from exc
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        run(connection, "pragma_synchronous_full")
        _check_version(connection, path)
        yield connection
    except apsw.Error as exc:
        raise unavailable(path, exc) from exc
    finally:
        connection.close()


def run(connection: apsw.Connection, name: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run one statement of `queries/store` with its parameters and return its rows."""
    text = load_query(f"store.{name}").sql
    return list(connection.cursor().execute(text, values))


def library_version() -> str:
    """Return the version of SQLite that opens the store."""
    return str(apsw.sqlite_lib_version())


def unavailable(path: Path, exc: Exception) -> StorageUnavailable:
    """Return the error for a store that cannot be used."""
    return StorageUnavailable(f"The store {path} cannot be used: {exc}. Nothing was recorded.")


def _check_version(connection: apsw.Connection, path: Path) -> None:
    found = run(connection, "pragma_schema_version")[0][0]
    if found != SCHEMA_VERSION:
        raise StorageUnavailable(
            f"{path} has schema {found}; this workbench reads schema {SCHEMA_VERSION}. It was not touched.",
            next_step="use the workbench version that made the store",
        )

"""Opens in-memory DuckDB connections with bounded memory, UTC, and no way out of the warehouse."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from workbench.errors import QueryError
from workbench.queries import load_query

MEMORY_LIMIT = "2GB"
"""Per connection; DuckDB's own default is 80 % of the machine, which three notebooks overcommit."""

THREADS = min(4, os.cpu_count() or 1)
"""Per connection."""

_FRAME_LOCK = threading.Lock()
_OPEN_LOCK = threading.Lock()
_OPEN: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def connect(spill_folder: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a private connection that reads UTC, takes no Python variable for a table and loads no extension."""
    connection = duckdb.connect(
        config={
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": MEMORY_LIMIT,
            "threads": THREADS,
            "temp_directory": str(spill_folder or Path(tempfile.gettempdir()) / "workbench-spill"),
        }
    )
    with _OPEN_LOCK:
        _OPEN.add(connection)
    connection.execute(load_query("setting.time_zone_utc").sql)
    connection.execute(load_query("setting.no_progress_bar").sql)
    return connection


def interrupt_open() -> None:
    """End whatever query runs now on any connection of the program: it raises where it was asked."""
    with _OPEN_LOCK:
        found = list(_OPEN)
    for connection in found:
        with contextlib.suppress(duckdb.Error):  # closed meanwhile
            connection.interrupt()


def harden(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Leave the connection only these files to read, and lock its settings; the order matters to DuckDB."""
    connection.execute(
        load_query("setting.allowed_paths").sql, {"paths": [str(path) for path in files]}
    )
    connection.execute(load_query("setting.no_external_access").sql)
    connection.execute(load_query("setting.locked").sql)


def run_query(
    connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any
) -> duckdb.DuckDBPyConnection:
    """Run a query of the repository; a missing or superfluous parameter is refused by name."""
    query = load_query(name)
    if missing := sorted(query.parameters.keys() - parameters.keys()):
        said = "; ".join(f"${one}: {query.parameters[one]}" for one in missing)
        raise QueryError(f"{name} needs {said}")
    if extra := sorted(parameters.keys() - query.parameters.keys()):
        known = ", ".join(f"${one}" for one in query.parameters) or "none"
        raise QueryError(f"{name} has no parameter ${', $'.join(extra)}; it has {known}")
    try:
        return connection.execute(query.sql, parameters)
    except duckdb.Error as exc:
        raise QueryError(f"{name} failed: {first_line(exc)}") from exc


def frame(result: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """Return the result as a DataFrame with UTC-aware instants."""
    # DuckDB 2.0 still calls DataFrame.drop(inplace=...), which pandas 3.1 warns about.
    with _FRAME_LOCK, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The inplace keyword", category=DeprecationWarning
        )
        return result.df()


def first_line(error: BaseException) -> str:
    """Return what a driver says without its multi-line picture of the statement."""
    return str(error).strip().splitlines()[0][:500]

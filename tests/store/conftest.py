"""Where a store of these tests is: in a file, or in a database of a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import Server, running_server
from tests.store.ground import DATABASE_FILE

BOTH = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Return a server that runs for the whole session; skips where the wheel is missing."""
    with running_server() as server:
        yield server


def use_database(root: Path, server: Server) -> None:
    """Let the store of a folder be in a new database."""
    root.mkdir(parents=True, exist_ok=True)
    (root / DATABASE_FILE).write_text(server.database())


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder whose store is in a file, then one whose store is in a database."""
    if request.param == "postgresql":
        use_database(tmp_path, request.getfixturevalue("postgres_server"))
    return tmp_path


@pytest.fixture
def other_place(request: pytest.FixtureRequest, place: Path) -> Path:
    """Return a second folder with a store of the same kind."""
    other = place / "other"
    if (place / DATABASE_FILE).exists():
        use_database(other, request.getfixturevalue("postgres_server"))
    return other


@pytest.fixture
def database_place(tmp_path: Path, postgres_server: Server) -> Path:
    """Return a folder whose store is in a database."""
    use_database(tmp_path, postgres_server)
    return tmp_path

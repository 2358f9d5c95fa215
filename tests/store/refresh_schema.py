"""Writes what the migrations make on a server anew, after one was added: `python -m tests.store.refresh_schema`."""

from __future__ import annotations

import json

import psycopg

from tests.postgres_server import running_server
from workbench.settings import store_url
from workbench.store.postgres_connection import apply_steps, run
from workbench.store.schema import EXPECTED_FILE


def rows_of_a_new_store(address: str) -> list[list[str]]:
    """Make the schema in an empty database and list it; nothing stays there."""
    url = store_url(address)
    assert url is not None
    with psycopg.connect(url.text) as connection:
        apply_steps(connection, 0)
        rows = [list(map(str, row)) for row in run(connection, "list_schema")]
        connection.rollback()
    return rows


def as_text(rows: list[list[str]]) -> str:
    """Return the rows as the file holds them: one a line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


if __name__ == "__main__":
    with running_server() as server:
        EXPECTED_FILE.write_text(as_text(rows_of_a_new_store(server.database())), encoding="utf-8")

"""Every SQL file keeps the contract: one statement, a header that names its parameters, and it prepares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from workbench.queries import load_query, query_names
from workbench.warehouse.connection import connect
from workbench.warehouse.dictionary import asking_names
from workbench.warehouse.tables import IMMUTABLE, dictionary, table, table_names

REPOSITORY = Path(__file__).resolve().parents[2]
DUCKDB_NAMES = [name for name in query_names() if not name.startswith(("store", "demo."))]
ASKING = asking_names()


@pytest.fixture(scope="module")
def empty_schema() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a connection in which every table of the warehouse exists and is empty."""
    with connect() as connection:
        for name in table_names():
            connection.execute(table(name).schema.sql)
        yield connection


@pytest.mark.parametrize("name", query_names())
def test_a_query_has_a_header_and_one_statement(name: str) -> None:
    """Loading checks the header against the parameters that the text uses, and that there is one statement."""
    query = load_query(name)
    assert query.name == name
    assert query.description.endswith((".", ":", "?")) or query.description.count(" ") >= 3
    assert len(query.sha256) == 64


@pytest.mark.parametrize("name", DUCKDB_NAMES)
def test_duckdb_reads_the_header_as_we_do(name: str) -> None:
    """DuckDB finds one statement and exactly the parameters that the header declares."""
    query = load_query(name)
    statements = duckdb.extract_statements(query.sql)
    assert len(statements) == 1
    assert statements[0].named_parameters == set(query.parameters)


@pytest.mark.parametrize("name", ASKING)
def test_an_asking_query_prepares_on_the_empty_schema(
    name: str, empty_schema: duckdb.DuckDBPyConnection
) -> None:
    """A query that asks the warehouse binds against its tables and says what a row is."""
    query = load_query(name)
    empty_schema.execute(f"prepare asked as {query.sql}")
    empty_schema.execute("deallocate asked")
    assert query.grain


def test_every_query_of_the_loader_is_used() -> None:
    """No SQL file is left behind: each is named in a module, or belongs to a table or to the macros."""
    rooms = ("workbench", "benchmarks")
    modules = [path for room in rooms for path in (REPOSITORY / room).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in modules)
    by_table = {f"{folder}.{name}" for name in table_names() for folder in ("staging", "warehouse")}
    unused = [
        name
        for name in DUCKDB_NAMES
        if not name.startswith("review.")
        and f'"{name}"' not in text
        and name not in by_table
        and not name.startswith("staging.macro_")
    ]
    assert unused == []


def test_every_table_declares_its_key_among_its_columns() -> None:
    """Key and partition column of each table are columns, and the key is never null."""
    for name in table_names():
        found = table(name)
        required = {column.name for column in found.columns if column.is_required}
        assert set(found.key) <= required | {"incident_ref", "component"}, name
        assert found.day_column in ("", *found.column_names), name
        assert found.column_names[-1] == "batch_id" or name == "ingest_reject", name


def test_the_parsed_columns_are_the_columns_duckdb_makes(
    empty_schema: duckdb.DuckDBPyConnection,
) -> None:
    """Names and types read from the text equal those of the table that DuckDB makes from it."""
    for name in table_names():
        made = empty_schema.table(name)
        assert tuple(made.columns) == table(name).column_names
        types = {str(made_type).lower() for made_type in made.types}
        assert types <= {
            "varchar", "timestamp with time zone", "bigint", "boolean", "json",
            "decimal(18,6)", "map(varchar, varchar)",
        }  # fmt: skip


def test_the_tables_of_the_design_are_there() -> None:
    """All tables of the design exist; immutable ones are named among them."""
    assert set(table_names()) == {
        "affected_record", "alert", "approval", "audit_event", "automation", "change", "decision",
        "hold", "hold_target", "incident", "ingest_reject", "provider_status", "run", "run_state",
        "source_watermark", "step",
    }  # fmt: skip
    assert set(table_names()) >= IMMUTABLE


def test_the_data_dictionary_explains_every_column() -> None:
    """Each column of each table has a meaning in words."""
    entries = dictionary()
    assert len(entries) == sum(len(table(name).columns) for name in table_names())
    assert all(len(entry["meaning"]) > 3 for entry in entries)

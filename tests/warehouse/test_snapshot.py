"""Snapshots: frozen, hardened, and open to exactly one SELECT."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.warehouse.conftest import run_row, write_lines
from workbench.errors import NotFound, QueryError, UsageFault, WarehouseError
from workbench.warehouse import Warehouse
from workbench.warehouse.manifest import read_manifest
from workbench.warehouse.tables import table_names


@pytest.fixture
def loaded(warehouse: Warehouse, tmp_path: Path) -> Warehouse:
    """Return a warehouse with one run."""
    warehouse.load_rows("run", write_lines(tmp_path / "r.jsonl", [run_row()]))
    return warehouse


def test_an_empty_warehouse_has_every_table(warehouse: Warehouse) -> None:
    """Before anything is loaded each table can be asked and gives no rows, with instants that are UTC."""
    with warehouse.snapshot() as snapshot:
        assert {name: len(snapshot.table(name)) for name in table_names()} == dict.fromkeys(
            table_names(), 0
        )
        assert str(snapshot.table("run")["started_at"].dtype) == "datetime64[us, UTC]"


def test_a_loaded_table_has_the_columns_of_an_empty_one(loaded: Warehouse) -> None:
    """Whether files are there or not, names and order of the columns are the same."""
    with loaded.snapshot(0) as empty, loaded.snapshot() as full:
        for name in table_names():
            assert list(empty.table(name).columns) == list(full.table(name).columns)


def test_a_snapshot_does_not_see_later_loads(loaded: Warehouse, tmp_path: Path) -> None:
    """What a report reads stays as it was when the snapshot was taken."""
    with loaded.snapshot() as before:
        loaded.load_rows(
            "run",
            write_lines(
                tmp_path / "s.jsonl",
                [run_row("r2"), run_row(status="failed", updated_at="2026-11-21T00:00:00Z")],
            ),
        )
        assert before.table("run")["status"].tolist() == ["succeeded"]
        with loaded.snapshot() as after:
            assert (before.version, after.version) == (1, 2)
            assert sorted(after.table("run")["status"]) == ["failed", "succeeded"]


def test_an_old_version_can_be_opened_again(loaded: Warehouse, tmp_path: Path) -> None:
    """A report named version 1; it is reproduced after later loads."""
    loaded.load_rows(
        "run",
        write_lines(
            tmp_path / "s.jsonl", [run_row(status="failed", updated_at="2026-11-21T00:00:00Z")]
        ),
    )
    with loaded.snapshot(1) as old:
        assert old.table("run")["status"].tolist() == ["succeeded"]
    with pytest.raises(NotFound, match="no version 9"):
        loaded.snapshot(9)


@pytest.mark.parametrize(
    "text",
    [
        "select 1; select 2",
        "copy run to '{place}/x.csv'",
        "copy (select 1) to '{place}/x.csv'",
        "export database '{place}/x'",
        "attach '{place}/x.duckdb'",
        "create table x as select 1",
        "insert into run select * from run",
        "drop view run",
        "set memory_limit = '100GB'",
        "reset lock_configuration",
        "install sqlite",
        "load sqlite",
        "pragma version",
        "call pragma_version()",
        "explain select 1",
        "",
        "selekt 1",
        "select $x",
        "select * from no_such_table",
    ],
)
def test_only_one_select_is_run(loaded: Warehouse, tmp_path: Path, text: str) -> None:
    """Everything but exactly one SELECT is refused with one sentence, and writes nothing."""
    before = sorted(tmp_path.rglob("*"))
    with loaded.snapshot() as snapshot, pytest.raises(UsageFault) as caught:
        snapshot.sql(text.format(place=tmp_path))
    assert "\n" not in caught.value.message
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/etc/*')",
        "select * from read_parquet('{place}/../*.parquet')",
        "select * from secret_frame",
        "select getenv('HOME')",
    ],
)
def test_a_select_reads_nothing_else(loaded: Warehouse, tmp_path: Path, text: str) -> None:
    """Files outside the snapshot, Python variables and the environment stay out of reach."""
    secret_frame = {"password": ["canary"]}
    with loaded.snapshot() as snapshot, pytest.raises(UsageFault) as caught:
        snapshot.sql(text.format(place=tmp_path))
    assert "canary" not in caught.value.message
    assert secret_frame


def test_a_query_is_run_by_name_with_its_parameters(loaded: Warehouse) -> None:
    """The digest of each query that was used is kept for the seal."""
    with loaded.snapshot() as snapshot:
        found = snapshot.query(
            "merge.file_row_count",
            file=str(loaded.folder / read_manifest(loaded.folder).files("run")[0].file),
        )
        assert found.to_dict("records") == [{"row_count": 1}]
        assert set(snapshot.queries_used) == {"merge.file_row_count"}
        assert len(snapshot.queries_used["merge.file_row_count"]) == 64


def test_a_wrong_parameter_is_named(loaded: Warehouse) -> None:
    """A missing or superfluous parameter is refused before the query runs, with what the header says of it."""
    with loaded.snapshot() as snapshot:
        with pytest.raises(QueryError, match=r"needs \$file: varchar, path"):
            snapshot.query("merge.file_row_count")
        with pytest.raises(QueryError, match=r"has no parameter \$since; it has \$file"):
            snapshot.query("merge.file_row_count", file="x", since=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_lost_or_cut_file_is_named(loaded: Warehouse) -> None:
    """A data file that is gone or has another size stops the snapshot; it is never read as fewer rows."""
    path = loaded.folder / read_manifest(loaded.folder).files("run")[0].file
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:-10])
    with pytest.raises(
        WarehouseError, match=r"2026-11-20\.v1\.parquet has \d+ bytes, the manifest says"
    ):
        loaded.snapshot()
    path.unlink()
    with pytest.raises(
        WarehouseError, match=r"2026-11-20\.v1\.parquet of version 1 cannot be read"
    ):
        loaded.snapshot()


def test_readers_never_see_a_torn_publication(warehouse: Warehouse) -> None:
    """While a loader publishes runs with their steps, every snapshot has as many steps as runs."""
    is_over = threading.Event()
    torn: list[tuple[int, int]] = []

    def read() -> None:
        while not is_over.is_set():
            with warehouse.snapshot() as snapshot:
                counts = (len(snapshot.table("run")), len(snapshot.table("step")))
            if counts[0] != counts[1]:
                torn.append(counts)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5):
        run = run_row(f"r{number}")
        step = {
            "source_id": "prefect", "run_id": run["run_id"], "step_id": "s", "attempt": 1,
            "automation_id": "a", "status": "failed", "started_at": run["started_at"],
        }  # fmt: skip
        warehouse.put_rows({"run": [run], "step": [step]})
    is_over.set()
    reader.join()
    assert torn == []
    assert warehouse.version == 5

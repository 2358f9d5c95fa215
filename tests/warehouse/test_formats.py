"""CSV and Parquet: the same checks, strictly, and a broken file is refused by name."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from workbench.errors import SourceError, TooManyRejects
from workbench.sources.mapping import Mapping
from workbench.warehouse import LoadOptions, Warehouse

Ask = Callable[[str], list[dict[str, Any]]]
HEADER = "source_id,run_id,automation_id,status,started_at"
GOOD = "p,r1,triage,failed,2026-11-20T09:00:00Z"
ALL = LoadOptions(allowed_reject_share=1)


def load_csv(
    warehouse: Warehouse, tmp_path: Path, text: str, mapping: Mapping | None = None
) -> Any:
    """Load a CSV text into run."""
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode())
    return warehouse.load_rows("run", path, mapping=mapping, options=ALL)


def test_a_csv_is_loaded(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """Quoted cells keep commas, quotes and line ends; empty cells are missing; numbers may stand in quotes."""
    text = (
        f"{HEADER},attempt_count,error_message,region\n"
        f'{GOOD},"2","a ""b"", c\n\nd",eu\n'
        "p,r2,triage,succeeded,2026-11-20T09:00:00Z,,,\n"
    )
    report = load_csv(warehouse, tmp_path, text)
    assert (report.accepted_count, report.line_count, report.unknown_keys) == (2, 2, ("region",))
    rows = rows_of(
        "select attempt_count as n, error_message as e, labels as l from run order by run_id"
    )
    assert rows[0] == {"n": 2, "e": 'a "b", c\n\nd', "l": {"region": "eu"}}
    assert rows[1]["n"] is None


def test_a_packed_csv_with_a_byte_order_mark_is_loaded(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Spreadsheets write the mark before the header; there it means nothing."""
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(f"\ufeff{HEADER}\r\n{GOOD}\r\n".encode()))
    assert warehouse.load_rows("run", path).accepted_count == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("p,r2,triage,failed", "has 4 fields, the header has 5"),
        (GOOD + ",more", "has 6 fields, the header has 5"),
        ("p,r2,triage,failed,20.11.2026", "started_at is not an instant"),
        ("p,r2,triage,failed,01/02/2026 09:00", "started_at is not an instant"),
        ('p,"r"2,triage,failed,2026-11-20T09:00:00Z', "is not CSV"),
        ("p,r2,,failed,2026-11-20T09:00:00Z", "automation_id is missing"),
        ("p,r2,=cmd\x07,failed,2026-11-20T09:00:00Z", "an id or name has a control character"),
    ],
)
def test_a_bad_record_is_rejected_alone(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, line: str, reason: str
) -> None:
    """Ragged, day-first and broken records are rejected with their line; the records around them are loaded."""
    report = load_csv(
        warehouse, tmp_path, f"{HEADER}\n{GOOD}\n{line}\n\n{GOOD.replace('r1', 'r3')}\n"
    )
    assert (report.accepted_count, report.rejected_count, report.blank_count) == (2, 1, 1)
    (reject,) = rows_of("select line_number, reason from ingest_reject")
    assert reject["line_number"] == 3
    assert reject["reason"].startswith(reason)


def test_undecodable_lines_of_a_csv_are_counted(warehouse: Warehouse, tmp_path: Path) -> None:
    """A line in another encoding is one reject, and the count still comes out."""
    path = tmp_path / "runs.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n".encode() + b"p,r2,caf\xe9,failed,2026-11-20T09:00:00Z\n")
    report = warehouse.load_rows("run", path, options=ALL)
    assert (report.accepted_count, report.rejected_count, report.line_count) == (1, 1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'{HEADER}\n{GOOD}\np,"r2,triage\nx\ny\n',
            "a quote that opens in the record of line 3 is not closed",
        ),
        ("source_id,run_id,run_id\na,b,c\n", "the header names run_id more than once"),
        ("run_id;status\n1;failed\n", "looks separated by ';'"),
        (
            "run_id,state\n1,failed\n",
            "has no column source_id, automation_id, status; it has run_id, state",
        ),
    ],
)
def test_a_broken_csv_is_refused_whole(
    warehouse: Warehouse, tmp_path: Path, text: str, said: str
) -> None:
    """Where the rest of a file cannot be trusted, nothing of it is loaded and the place is named."""
    with pytest.raises(SourceError, match=said):
        load_csv(warehouse, tmp_path, text)
    assert warehouse.version == 0


def test_a_mapping_gives_the_missing_columns(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Another delimiter, naive instants and other names are the mapping's to say."""
    mapping = Mapping(
        name="mine",
        table="run",
        source_id="plant",
        delimiter=";",
        naive_offset="+01:00",
        fields={"run_id": "no", "automation_id": "job", "status": "end", "started_at": "begin"},
        words={"status": {"gut": "succeeded"}},
    )
    text = "no;job;end;begin\n7;press;gut;2026-11-20 10:00:00.000000000\n"
    assert load_csv(warehouse, tmp_path, text, mapping).accepted_count == 1
    (row,) = rows_of("select source_id, run_id, status, raw_status, started_at from run")
    assert (row["source_id"], row["status"], row["raw_status"]) == ("plant", "succeeded", "gut")
    assert row["started_at"].isoformat() == "2026-11-20T09:00:00+00:00"


def test_repeated_ids_can_be_numbered(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """Where a mapping counts rows, an id that stands again stays a run of its own, and the report says so."""
    mapping = Mapping(name="m", table="run", number_repeats=True, keep_names=True, fields={})
    report = load_csv(warehouse, tmp_path, f"{HEADER}\n{GOOD}\n{GOOD}\n", mapping)
    assert report.repeat_count == 1
    assert [row["run_id"] for row in rows_of("select run_id from run order by 1")] == ["r1", "r1#2"]


def write_parquet(path: Path, sql: str) -> Path:
    """Write the rows of a SELECT as Parquet."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.sql(sql).write_parquet(str(path))
    return path


def test_a_parquet_file_is_loaded(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """Typed columns go through the same checks: instants with a zone, decimals, maps, and unknown columns."""
    path = write_parquet(
        tmp_path / "runs.parquet",
        """select 'p' as source_id, 'r' || i as run_id, 'triage' as automation_id, 'failed' as status,
                  timestamptz '2026-11-20 09:00:00.5+00' as started_at, i as attempt_count,
                  1.25::decimal(18,6) as cost_amount, 'EUR' as cost_currency, map {'a': 'b'} as labels, 'eu' as region
           from range(3) t(i)""",
    )
    report = warehouse.load_rows("run", path)
    assert (report.accepted_count, report.line_count, report.unknown_keys) == (3, 3, ("region",))
    row = rows_of("select * from run order by run_id")[2]
    assert (row["attempt_count"], row["cost_amount"], row["labels"]) == (
        2,
        1.25,
        {"a": "b", "region": "eu"},
    )
    assert row["started_at"].isoformat() == "2026-11-20T09:00:00.500000+00:00"


def test_a_parquet_file_with_naive_instants_is_rejected(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A timestamp column without a zone is not taken for UTC."""
    path = write_parquet(
        tmp_path / "runs.parquet",
        "select 'p' as source_id, '1' as run_id, 'a' as automation_id, 'failed' as status, "
        "timestamp '2026-11-20 09:00:00' as started_at",
    )
    with pytest.raises(TooManyRejects):
        warehouse.load_rows("run", path)
    assert rows_of("select reason from ingest_reject") == [
        {"reason": "started_at has no offset (Z or +02:00)"}
    ]


def test_a_parquet_file_without_a_required_column_is_refused(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """The columns that are missing, and those that are there, are named."""
    path = write_parquet(tmp_path / "runs.parquet", "select '1' as run_id")
    with pytest.raises(
        SourceError, match="has no column source_id, automation_id, status; it has run_id"
    ):
        warehouse.load_rows("run", path)


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"PAR1garbagePAR1"])
def test_a_crafted_parquet_file_is_refused(
    warehouse: Warehouse, tmp_path: Path, content: bytes
) -> None:
    """What only looks like Parquet ends in one sentence."""
    path = tmp_path / "runs.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        warehouse.load_rows("run", path)
    assert warehouse.version == 0

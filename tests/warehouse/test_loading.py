"""Loading: every line is accepted, rejected with a reason or blank, and nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.conftest import run_row, write_lines
from workbench.errors import SourceError, TooManyRejects, UsageFault
from workbench.warehouse import LoadOptions, Warehouse

Ask = Callable[[str], list[dict[str, Any]]]
ALL = LoadOptions(allowed_reject_share=1)


def test_a_good_file_is_loaded(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """Each good line becomes a row under the version that the report names."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1"), run_row("r2", status="failed")])
    report = warehouse.load_rows("run", path)
    assert (report.accepted_count, report.rejected_count, report.line_count) == (2, 0, 2)
    assert report.manifest_version == warehouse.version == 1
    assert rows_of("select run_id, status, batch_id from run order by run_id") == [
        {"run_id": "r1", "status": "succeeded", "batch_id": report.batch_id},
        {"run_id": "r2", "status": "failed", "batch_id": report.batch_id},
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (run_row(started_at="2026-11-20T09:00:01"), "started_at has no offset (Z or +02:00)"),
        (
            run_row(started_at="2026-11-20T09:00:01.123456789Z"),
            "started_at is finer than a microsecond",
        ),
        (run_row(started_at=1763629201), "started_at is a number, not an instant in ISO 8601"),
        (run_row(started_at="2026-02-30T09:00:01Z"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="2026-11-20T24:00:00Z"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="2026-11-20T09:00:60Z"), "started_at is not an instant in ISO 8601"),
        (
            run_row(started_at="2026-11-20T09:00:01+24:00"),
            "started_at is not an instant in ISO 8601",
        ),
        (run_row(started_at="1904-11-20T09:00:01Z"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="9999-11-20T09:00:01Z"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="infinity"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="20/11/2026 09:00"), "started_at is not an instant in ISO 8601"),
        (run_row(started_at="2026-11-20T09:00:01 Europe/Berlin"), "started_at is not an instant"),
        (run_row(started_at="2026-11-20T10:00:00Z"), "finished_at is before started_at"),
        (run_row(attempt_count="7"), "attempt_count is text, not a number"),
        (run_row(attempt_count=1.5), "attempt_count is not a whole number"),
        (run_row(attempt_count=-1), "attempt_count is below 0"),
        (run_row(attempt_count=True), "attempt_count is not a whole number"),
        (run_row(attempt_count=10**30), "attempt_count is not a whole number"),
        (
            run_row(cost_amount=1.123456789, cost_currency="EUR"),
            "cost_amount has more than six digits",
        ),
        (run_row(cost_amount=-1, cost_currency="EUR"), "cost_amount is negative"),
        (run_row(cost_amount="1,5", cost_currency="EUR"), "cost_amount is text, not a number"),
        (run_row(cost_amount=10**13, cost_currency="EUR"), "cost_amount is not an amount"),
        (run_row(cost_amount=1), "cost_currency is missing"),
        (run_row(cost_amount=1, cost_currency="euro"), "cost_currency is not a three-letter code"),
        (run_row(source_id=None), "source_id is missing"),
        (run_row(automation_id="  "), "automation_id is missing"),
        (run_row(status=None), "status is missing"),
        (run_row(run_id={"a": 1}), "run_id is not a plain value"),
        (run_row("r" * 513), "run_id is longer than 512 characters"),
        (run_row("a\u0000b"), "an id or name has a control character"),
        (run_row("a\nb"), "an id or name has a control character"),
        (run_row(labels=["a"]), "labels is not an object"),
        (
            {"source_id": "s", "run_id": "1", "automation_id": "a", "status": "failed"},
            "no instant says when the run was",
        ),
        ('{"run_id": "1", "run_id": "2"}', "the key 'run_id' stands twice"),
        ('{"run_id": "1", "x": NaN}', "NaN is not JSON"),
        ('{"run_id": "1", "x": -inf}', "is not JSON"),
        (
            json.dumps(run_row("1"))[:-1] + ', "labels": {"a": 1, "a": 2}}',
            "labels has a name twice",
        ),
        (json.dumps(run_row("1"))[:-1] + ', "odd": {"a": 1, "a": 2}}', "the key 'a' stands twice"),
        ('{"run_id": "1",}', "is not JSON"),
        ('{"run_id": "1"', "is not JSON"),
        ("[]", "is an array, not an object"),
        ("7", "is a number, not an object"),
        ('{"run_id": "\\ud800"}', "has half of a surrogate pair"),
    ],
)
def test_a_bad_line_is_rejected_with_its_reason(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, row: dict[str, Any] | str, reason: str
) -> None:
    """What DuckDB alone would round, guess or drop ends in ingest_reject, beside the good line."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("good"), row])
    report = warehouse.load_rows("run", path, options=ALL)
    assert (report.accepted_count, report.rejected_count) == (1, 1), report.reasons
    rejects = rows_of("select file, line_number, table_name, reason, text from ingest_reject")
    assert len(rejects) == 1
    assert rejects[0]["reason"].startswith(reason)
    assert (rejects[0]["file"], rejects[0]["line_number"], rejects[0]["table_name"]) == (
        "runs.jsonl",
        2,
        "run",
    )
    assert rejects[0]["text"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-20T09:00:01Z", "2026-11-20T09:00:01+00:00"),
        ("2026-11-20T11:00:01+02:00", "2026-11-20T09:00:01+00:00"),
        ("2026-11-20 11:00:01.5+0200", "2026-11-20T09:00:01.500000+00:00"),
        ("2026-11-20T09:00Z", "2026-11-20T09:00:00+00:00"),
        ("2026-11-20T09:00:01.123456000Z", "2026-11-20T09:00:01.123456+00:00"),
        ("2026-11-20T04:00:01-05:00", "2026-11-20T09:00:01+00:00"),
    ],
)
def test_an_instant_with_an_offset_becomes_utc(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, written: str, read: str
) -> None:
    """Whatever offset the source writes, the instant is the same in UTC; zeros after the microsecond lose nothing."""
    path = write_lines(
        tmp_path / "runs.jsonl", [run_row(started_at=written, finished_at="2026-11-20T12:00:00Z")]
    )
    assert warehouse.load_rows("run", path).accepted_count == 1
    assert rows_of("select started_at from run")[0]["started_at"].isoformat() == read


@pytest.mark.parametrize(
    "word", ["ok", "SUCCESS", "done", "Completed", "success", "succeeded!", "", "1"]
)
def test_an_unknown_status_is_never_success(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path, word: str
) -> None:
    """A word outside the closed set becomes `unknown` and stays readable in raw_status; an empty one is rejected."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row(status=word)])
    report = warehouse.load_rows("run", path, options=ALL)
    rows = rows_of("select status, raw_status from run")
    assert rows == ([{"status": "unknown", "raw_status": word}] if word else [])
    assert report.rejected_count == (0 if word else 1)


def test_unknown_fields_become_labels_and_are_counted(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A field without a column is kept as a label beside the labels the row has itself."""
    rows = [run_row(region="eu-1", shard=7, labels={"team": "billing"}), run_row("r2")]
    report = warehouse.load_rows("run", write_lines(tmp_path / "runs.jsonl", rows))
    assert (report.unknown_key_count, report.unknown_keys) == (2, ("region", "shard"))
    (row,) = rows_of("select labels from run where run_id = 'r1'")
    assert row["labels"] == {"region": "eu-1", "shard": "7", "team": "billing"}


def test_unknown_fields_of_a_table_without_labels_are_counted(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Where no labels column can keep them, the report still names what was left out."""
    row = {"source_id": "s", "alert_id": "a", "fired_at": "2026-11-20T09:00:00Z", "colour": "red"}
    report = warehouse.load_rows("alert", write_lines(tmp_path / "alerts.jsonl", [row]))
    assert report.unknown_keys == ("colour",)


def test_an_error_text_gets_a_signature(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """Where the source gives no signature, it is the masked text; a given one stays."""
    rows = [
        run_row("r1", error_message="HTTP 503 after 31 ms"),
        run_row("r2", error_message="HTTP 503 after 77 ms"),
        run_row("r3", error_message="HTTP 503 after 7 ms", error_signature="mine"),
    ]
    warehouse.load_rows("run", write_lines(tmp_path / "runs.jsonl", rows))
    found = rows_of("select error_signature from run order by run_id")
    assert [row["error_signature"] for row in found] == ["HTTP 503 after <n> ms"] * 2 + ["mine"]


def test_missing_instants_of_a_run_are_its_own_earliest_and_latest(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A source without first_seen_at and updated_at still gets a day and an order."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row(first_seen_at=None, updated_at=None)])
    warehouse.load_rows("run", path)
    (row,) = rows_of(
        "select first_seen_at = started_at as f, updated_at = finished_at as u from run"
    )
    assert row == {"f": True, "u": True}


def test_too_many_rejects_hold_the_file_back(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Beyond the allowed share no row is loaded, the rejects are kept where people see them, and the code is 13."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1"), run_row("r2", status=None), "x"])
    with pytest.raises(TooManyRejects, match=r"2 of 3 lines were rejected") as caught:
        warehouse.load_rows("run", path)
    assert caught.value.exit_code == 13
    assert rows_of("select count(*) as n from run") == [{"n": 0}]
    assert [row["line_number"] for row in rows_of("select * from ingest_reject order by 3")] == [
        2,
        3,
    ]


def test_a_held_file_can_be_loaded_afterwards(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Allowing the rejects loads the good lines, and the rejects stand once."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1"), "x"])
    with pytest.raises(TooManyRejects):
        warehouse.load_rows("run", path)
    report = warehouse.load_rows("run", path, options=ALL)
    assert report.is_applied
    assert rows_of("select count(*) as n from run") == [{"n": 1}]
    assert rows_of("select count(*) as n from ingest_reject") == [{"n": 1}]


def test_one_bad_file_holds_back_the_whole_call(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Files of one call are loaded together or not at all."""
    good = write_lines(tmp_path / "good.jsonl", [run_row("r1")])
    bad = write_lines(tmp_path / "bad.jsonl", ["x"])
    with pytest.raises(TooManyRejects):
        warehouse.load_files([("run", good), ("run", bad)])
    assert rows_of("select count(*) as n from run") == [{"n": 0}]


def test_a_file_cannot_be_complete_until_later_than_now(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A typing error in the year would make old evidence look fresh for ever; a clock a little before ours is no error."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1")])
    now = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # the clock of this warehouse
    with pytest.raises(UsageFault, match="which is to come") as no:
        warehouse.load_rows(
            "run", path, options=LoadOptions(complete_until=now + timedelta(days=1))
        )
    assert "such as `--complete-until 2" in no.value.then
    assert rows_of("select count(*) as n from source_watermark") == [{"n": 0}]
    soon = LoadOptions(complete_until=now + timedelta(seconds=20))
    assert warehouse.load_rows("run", path, options=soon).accepted_count == 1


def test_loading_again_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    """The same bytes read the same way give the same report and no new version."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1"), run_row("r2")])
    first = warehouse.load_rows("run", path)
    again = warehouse.load_rows("run", path)
    assert again == replace(first, was_already_loaded=True)
    assert warehouse.version == 1


def test_the_same_file_read_as_another_source_is_another_batch(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """What counts as the same load is bytes, table, mapping and source together."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row("r1", source_id=None)])
    one = warehouse.load_rows("run", path, options=LoadOptions(source_id="one"))
    two = warehouse.load_rows("run", path, options=LoadOptions(source_id="two"))
    assert one.batch_id != two.batch_id
    assert rows_of("select count(*) as n from run") == [{"n": 2}]


def test_a_table_that_is_not_there_is_named_with_those_that_are(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """A wrong table is answered with the right ones; the loader's own table takes no file."""
    path = write_lines(tmp_path / "runs.jsonl", [run_row()])
    with pytest.raises(
        UsageFault, match="No table is named 'runs'; files are loaded into affected_"
    ):
        warehouse.load_rows("runs", path)
    with pytest.raises(UsageFault, match="written by the loader itself"):
        warehouse.load_rows("ingest_reject", path)


def test_a_folder_of_tables_is_one_publication(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Files named after tables come in together: a reader sees all of them or none."""
    folder = tmp_path / "batch"
    folder.mkdir()
    write_lines(folder / "run.jsonl.gz", [run_row()])
    step = {
        "source_id": "prefect",
        "run_id": "r1",
        "step_id": "s",
        "attempt": 1,
        "status": "failed",
    }
    write_lines(folder / "step.jsonl", [{**step, "automation_id": "a"}])
    reports = warehouse.load_folder(folder)
    assert [report.table for report in reports] == ["run", "step"]
    assert {report.manifest_version for report in reports} == {1}
    assert rows_of("select count(*) as n from step where started_at is null") == [{"n": 1}]


def test_a_strange_file_in_a_folder_is_named(warehouse: Warehouse, tmp_path: Path) -> None:
    """A file that is named after no table stops the folder before anything is read."""
    folder = tmp_path / "batch"
    folder.mkdir()
    write_lines(folder / "notes.jsonl", [run_row()])
    with pytest.raises(SourceError, match=r"notes\.jsonl: is not named after a table"):
        warehouse.load_folder(folder)
    assert warehouse.version == 0

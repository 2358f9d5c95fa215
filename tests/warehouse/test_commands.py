"""`workbench load`, `sync` and `sql`: what they print, how they exit, and that they leave no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warehouse.conftest import run_row, write_lines
from workbench.cli import main
from workbench.cli.sql import as_csv, guarded


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, output and messages."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the path of a file with two good runs."""
    rows = [run_row("r1", odd="=1+1"), run_row("r2", status="failed", automation_id="=cmd()")]
    return str(write_lines(tmp_path / "runs.jsonl", rows))


def test_load_says_what_became_of_every_line(capsys: pytest.CaptureFixture[str], runs: str) -> None:
    """Accepted + rejected + blank = lines is printed, and loading again says that nothing changed."""
    code, out, _ = run(capsys, "load", "--table", "run", runs)
    assert code == 0
    assert "runs.jsonl -> run: 2 accepted + 0 rejected + 0 blank = 2 lines" in out
    assert "1 fields have no column, kept as labels: odd" in out
    assert out.endswith("warehouse version 1\n")
    code, out, _ = run(capsys, "load", "--table", "run", runs)
    assert (code, "already loaded, nothing changed" in out) == (0, True)


def test_load_exits_13_above_the_allowed_share(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The sentence names file, count and commonest reason; the next step shows where the rejects are."""
    path = str(write_lines(tmp_path / "runs.jsonl", [run_row(), "x", "y"]))
    code, _, err = run(capsys, "load", "--table", "run", path)
    assert code == 13
    assert "2 of 3 lines were rejected" in err
    assert "from ingest_reject" in err
    code, out, _ = run(capsys, "load", "--table", "run", "--allow-rejects", "0.7", path)
    assert (code, "1 accepted + 2 rejected" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["load", "{runs}"], 2, "say which table"),
        (["load", "--table", "run"], 2, "Missing argument"),
        (["load", "--table", "nothing", "{runs}"], 2, "No table is named 'nothing'"),
        (["load", "--table", "run", "absent.jsonl"], 3, "absent.jsonl: cannot be opened"),
        (["load", "--table", "run", "--mapping", "absent", "{runs}"], 17, "no mapping 'absent'"),
        (
            ["load", "--table", "step", "--mapping", "github-actions-jobs", "{runs}"],
            2,
            "is for table run",
        ),
        (["load", "--table", "run", "--constant", "kind", "{runs}"], 2, "COLUMN=VALUE"),
        (["load", "--table", "run", "--complete-until", "now", "{runs}"], 2, "--complete-until"),
        (["load", "--table", "run", "{empty}"], 3, "has no lines"),
        (["sql"], 2, "give a SELECT"),
        (["sql", "drop table run"], 2, "exactly one SELECT"),
        (["sql", "select * from nowhere"], 2, "nowhere"),
        (["sql", "--version", "9", "select 1"], 4, "no version 9"),
        (["sql", "--json", "--csv", "select 1"], 2, "choose --json or --csv"),
        (["sync", "prefect", "--url", "http://127.0.0.1:9/api"], 16, "cannot be reached"),
        (["sync", "prefect", "--since", "yesterday"], 2, "--since"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    runs: str,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    """Each mistake has its exit code, a sentence that names it, and no traceback."""
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    given = [one.format(runs=runs, empty=empty) for one in arguments]
    found, _, err = run(capsys, *given)
    assert (found, said in err) == (code, True), err
    assert "Traceback" not in err


def test_load_takes_constants_and_a_source(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What a file does not say can be said on the command line; what it says stays."""
    rows = [run_row("r1", source_id=None, kind=None), run_row("r2", source_id=None)]
    path = str(write_lines(tmp_path / "runs.jsonl", rows))
    code, out, _ = run(
        capsys, "load", "--table", "run", "--source", "mine", "--constant", "kind=watcher", path
    )
    assert code == 0, out
    _, out, _ = run(
        capsys, "sql", "--json", "select source_id, run_id, kind from run order by run_id"
    )
    assert json.loads(out) == [
        {"source_id": "mine", "run_id": "r1", "kind": "watcher"},
        {"source_id": "mine", "run_id": "r2", "kind": "agent"},
    ]


def test_load_notes_how_far_a_source_is_complete(
    capsys: pytest.CaptureFixture[str], runs: str
) -> None:
    """A file moves no watermark by itself; a person says that it is complete until an instant."""
    run(capsys, "load", "--table", "run", runs)
    assert json.loads(run(capsys, "sql", "--json", "select * from source_watermark")[1]) == []
    code, _, _ = run(
        capsys, "load", "--table", "run", "--complete-until", "2026-11-20T10:00:00Z", runs
    )  # fmt: skip
    assert code == 0
    (mark,) = json.loads(run(capsys, "sql", "--json", "select * from source_watermark")[1])
    assert (mark["source_id"], mark["loaded_until_at"]) == ("prefect", "2026-11-20T10:00:00Z")


def test_load_prints_json_for_programs(capsys: pytest.CaptureFixture[str], runs: str) -> None:
    """--json gives the whole report of each file."""
    _, out, _ = run(capsys, "load", "--table", "run", "--json", runs)
    (report,) = json.loads(out)
    assert (report["accepted_count"], report["unknown_keys"], report["manifest_version"]) == (
        2,
        ["odd"],
        1,
    )


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str], runs: str) -> None:
    """Without a terminal there is no bar; with --progress it stays out of the output."""
    assert run(capsys, "load", "--table", "run", runs)[2] == ""
    _, out, err = run(capsys, "load", "--table", "run", "--source", "x", "--progress", runs)
    assert "lines" in err
    assert "it/s" not in out


def test_sql_prints_a_table_and_counts(capsys: pytest.CaptureFixture[str], runs: str) -> None:
    """Rows come aligned, instants as UTC, missing values empty."""
    run(capsys, "load", "--table", "run", runs)
    code, out, err = run(
        capsys, "sql", "select run_id, started_at, provider from run order by run_id"
    )
    assert code == 0
    assert out.split("\n")[2].split() == ["r1", "2026-11-20T09:00:01Z"]
    assert err == "2 rows\n"


def test_sql_csv_runs_no_formula(capsys: pytest.CaptureFixture[str], runs: str) -> None:
    """A cell or header that a spreadsheet would run begins with an apostrophe; numbers stay numbers."""
    run(capsys, "load", "--table", "run", runs)
    _, out, _ = run(
        capsys, "sql", "--csv", 'select automation_id as "=h", -1 as n from run order by run_id'
    )
    assert out == "'=h,n\ninvoice-triage,-1\n'=cmd(),-1\n"


@pytest.mark.parametrize(
    "cell",
    ["=1", "+1", "-1", "@x", "\t=1", "|x", "%x", " =1", "\uff1d1", "\uff0b1"],
)
def test_every_beginning_of_a_formula_is_guarded(cell: str) -> None:
    """ASCII and full-width signs, after spaces or control characters too."""
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("\n=1", "\n'=1"),
        ("fine\r=1", "fine\n'=1"),
        ("a\r\n@x\nb", "a\n'@x\nb"),
        ("\u202e=1", "'=1"),
        ("\0=1", "'\ufffd=1"),
        ("a\x1b[2J\tb\x9b31m", "a\ufffd[2J\tb\ufffd31m"),
        ("a\u2028=1", "a\ufffd=1"),
    ],
)
def test_each_line_of_a_cell_is_made_safe(cell: str, shown: str) -> None:
    """Control and reversing characters go, and every line that would be a formula is guarded."""
    assert guarded(cell) == shown


def test_ordinary_cells_are_left_alone() -> None:
    """Text, numbers and missing values come out as they are."""
    assert [guarded(cell) for cell in ("a=b", "", "1", 7, -1.5, None)] == [
        "a=b",
        "",
        "1",
        7,
        -1.5,
        None,
    ]
    import pandas as pd

    assert as_csv(pd.DataFrame({"a": [None, "x,y"]})) == 'a\n""\n"x,y"\n'


def test_hostile_text_does_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Escape sequences and reversed text in run history are shown, not obeyed."""
    row = run_row(error_message="\x1b[2J\u202ecod.exe", error_signature="x")
    run(capsys, "load", "--table", "run", str(write_lines(tmp_path / "runs.jsonl", [row])))
    _, out, _ = run(capsys, "sql", "select error_message from run")
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_the_tables_explain_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """--list-tables prints every column with its meaning, before anything is loaded."""
    code, out, _ = run(capsys, "sql", "--list-tables")
    assert code == 0
    assert "id of the run, unique in its source" in out


@pytest.mark.slow
def test_the_command_works_from_a_shell(tmp_path: Path, runs: str) -> None:
    """The installed module loads and asks in fresh processes, from any folder."""
    for arguments, said in (
        (["load", "--table", "run", runs], "2 accepted"),
        (["sql", "select count(*) as n from run"], "2"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "workbench", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**__import__("os").environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert said in done.stdout

"""`workbench load`, `sql` and `sync` as an operator meets them: counts, refusals, and nothing half done."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import HOSTILE, OBEYED, RECORDED, a_store, refused, run, usage
from workbench.records import RunStatus
from workbench.settings import Settings
from workbench.warehouse import tables

AT = "2026-11-20T08:00:00Z"


def a_file(path: Path, *rows: Any) -> str:
    """Write rows as lines of JSON; text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def a_run(run_id: str, **more: Any) -> dict[str, Any]:
    """Return a row of run history."""
    row = {"source_id": "s", "run_id": run_id, "automation_id": "order-sync", "status": "succeeded"}
    times = {"first_seen_at": AT, "started_at": AT, "finished_at": AT, "updated_at": AT}
    return {**row, "environment": "staging", **times, **more}


def loaded() -> Any:
    """Return the runs that the warehouse holds."""
    return run("sql", "select run_id, status from run order by run_id", "--json").document


def test_each_line_ends_accepted_rejected_or_blank(own_folders: Path) -> None:
    """The counts of a load add up to the lines of the file, and the good rows are there."""
    path = a_file(own_folders / "r.jsonl", a_run("r1"), "", a_run("r2", status="failed"))
    found = run("load", "--table", "run", path)
    assert (found.code, found.err) == (0, "")
    assert "2 accepted + 0 rejected + 1 blank = 3 lines" in found.out
    assert found.out.splitlines()[-1] == "warehouse version 1"
    assert loaded() == [
        {"run_id": "r1", "status": "succeeded"},
        {"run_id": "r2", "status": "failed"},
    ]


@pytest.mark.parametrize("table", ["run", "step"])
def test_words_that_are_no_status_are_counted_and_can_be_mapped(
    table: str, own_folders: Path
) -> None:
    """Words that became `unknown` are named with their number, and what is printed for a mapping mends them."""
    rows = [
        a_run("ok"),
        *(a_run(f"r{n}", status="Wobbly \\o/") for n in range(3)),
        a_run("r9", status="odd"),
    ]
    if table == "step":
        steps = ("source_id", "run_id", "automation_id", "status", "started_at")
        rows = [{**{k: row[k] for k in steps}, "step_id": "s1", "attempt": 1} for row in rows]
    path = a_file(own_folders / "r.jsonl", *rows)
    found = run("load", "--table", table, path)
    assert "status unknown, which is not success: Wobbly \\o/ (3), odd (1)" in found.out
    assert "scheduled, queued, starting" in found.out
    entries = [line[8:] for line in found.out.splitlines() if line.startswith(" " * 8)]
    assert entries[-3] == "[words.status]"
    mapping = own_folders / "mine.toml"
    counts = f"select status, count(*) as n from {table} group by status order by status"
    for word, expected in (
        ("WORD", {"succeeded": 1, "unknown": 4}),
        ("failed", {"succeeded": 1, "failed": 4}),
    ):
        mapping.write_text("\n".join(entries).replace("WORD", word), encoding="utf-8")
        again = run("load", "--mapping", str(mapping), path)
        assert again.code == 0, again.said
        assert {
            row["status"]: row["n"] for row in run("sql", counts, "--json").document
        } == expected
    assert "unknown" not in again.out


def test_a_shipped_mapping_is_to_be_copied(own_folders: Path) -> None:
    """With a mapping that names the status already, only the missing words are to be added, to a copy of it."""
    path = a_file(
        own_folders / "j.jsonl", {"id": 1, "name": "build", "conclusion": "Stale", "created_at": AT}
    )
    found = run("load", "--mapping", "github-actions-jobs", path)
    assert "a copy of the mapping github-actions-jobs" in found.out
    assert [line.strip() for line in found.out.splitlines() if line.startswith(" " * 8)] == [
        "[words.status]",
        '"stale" = "WORD"',
    ]
    assert "    source: github-actions\n" in found.out


def test_a_load_says_how_many_alerts_are_about_nothing(own_folders: Path) -> None:
    """An alert without an automation is kept, and no review counts it: the load says so, and says nothing where all do."""
    alerts = [
        {"source_id": "pager", "alert_id": f"A-{n}", "fired_at": "2026-11-20T09:00:00Z", **more}
        for n, more in enumerate(({}, {"automation_id": ""}, {"automation_id": "triage"}))
    ]
    said = run("load", "--table", "alert", a_file(own_folders / "a.jsonl", *alerts)).out
    assert "no automation named by 2 alerts, which no review counts" in said
    named = run("load", "--table", "alert", a_file(own_folders / "b.jsonl", alerts[2])).out
    assert "no automation named" not in named


def test_a_load_says_whose_rows_they_are(own_folders: Path) -> None:
    """Rows without a source are refused with the option that names it; a load tells the source that it used."""
    row = a_run("r1")
    del row["source_id"]
    path = a_file(own_folders / "r.jsonl", row)
    refused(run("load", "--table", "run", path), 13, "source_id is missing", "`--source SOURCE_ID`")
    allowed = run("load", "--table", "run", path, "--allow-rejects", "1")
    assert "source_id is missing (1); `--source SOURCE_ID`" in allowed.out
    assert loaded() == []
    for again in ("", "already loaded"):
        found = run("load", "--table", "run", path, "--source", "billing-cron")
        assert (found.code, again in found.out) == (0, True), found.said
        assert "    source: billing-cron\n" in found.out
    own = a_file(own_folders / "own.jsonl", a_run("r2"), {**row, "run_id": "r3"})
    assert (
        "    source: billing-cron, s\n"
        in run("load", "--table", "run", own, "--source", "billing-cron").out
    )


def test_loading_again_changes_nothing(own_folders: Path) -> None:
    """The same file twice is one load: said so, same version, exit code 0."""
    path = a_file(own_folders / "r.jsonl", a_run("r1"))
    run("load", "--table", "run", path)
    found = run("load", "--table", "run", path, "--json")
    assert found.code == 0
    (report,) = found.document
    assert (report["was_already_loaded"], report["manifest_version"]) == (True, 1)
    counts = ("accepted_count", "rejected_count", "blank_count")
    assert sum(report[name] for name in counts) == report["line_count"]
    assert len(loaded()) == 1


def test_too_many_rejects_load_nothing(own_folders: Path) -> None:
    """Above the allowed share the load exits 13, says where the rejects are, and no row counts."""
    path = a_file(own_folders / "r.jsonl", a_run("r1"), a_run("r2", started_at="noon"), "{")
    refused(run("load", "--table", "run", path), 13, "2 of 3 lines were rejected", "ingest_reject")
    assert loaded() == []
    kept = run("load", "--table", "run", path, "--allow-rejects", "0.9")
    assert (kept.code, len(loaded())) == (0, 1)


@pytest.mark.parametrize(
    ("columns", "has_source", "has_mapping"),
    [("run_id,automation_id,status", True, False), ("id,automation_id,status", True, True)],
)
def test_a_table_without_a_source_column_names_the_option(
    columns: str, has_source: bool, has_mapping: bool, own_folders: Path
) -> None:
    """Missing columns are answered with what gives them: `--source` for the source, a mapping for others."""
    path = a_file(own_folders / "r.csv", columns, "r1,order-sync,succeeded")
    found = run("load", "--table", "run", path)
    refused(found, 3, "has no column")
    step = found.err.splitlines()[-1]
    assert ("`--source SOURCE_ID`" in step, "`--mapping FILE.toml`" in step) == (
        has_source,
        has_mapping,
    )


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("load", "{good}"), 2, "say which table with --table"),
        (("load", "{good}", "--table", "runs"), 2, "No table is named 'runs'"),
        (("load", "{gone}", "--table", "run"), 3, "cannot be opened"),
        (("load", "{good}", "{gone}", "--table", "run"), 3, "cannot be opened"),
        (("load", "{empty}", "--table", "run"), 3, "has no lines"),
        (("load", "{good}", "--mapping", "nope"), 17, "nope"),
        (
            ("load", "{good}", "--table", "step", "--mapping", "github-actions-jobs"),
            2,
            "is for table run",
        ),
        (("load", "{good}", "--constant", "a=b"), 2, "--constant needs --table"),
        (("load", "{good}", "--table", "run", "--constant", "a"), 2, "COLUMN=VALUE"),
        (("load", "{good}", "--table", "run", "--complete-until", "noon"), 2, "--complete-until"),
        (("load", "{folder}", "--table", "run"), 3, ""),
        (("load", "{notgz}", "--table", "run"), 3, ""),
    ],
)
def test_a_load_that_cannot_be_is_refused(
    words: tuple[str, ...], code: int, part: str, own_folders: Path
) -> None:
    """What cannot be loaded is named in a sentence with its exit code, and nothing of the call is loaded."""
    places = {
        "good": a_file(own_folders / "good.jsonl", a_run("r1")),
        "gone": str(own_folders / "gone.jsonl"),
        "empty": a_file(own_folders / "empty.jsonl"),
        "folder": str(own_folders),
        "notgz": a_file(own_folders / "r.jsonl.gz", a_run("r1")),
    }
    found = run(*[word.format(**places) if word.startswith("{") else word for word in words])
    assert found.code == code, found.said
    assert part in found.err
    assert "Traceback" not in found.err
    assert loaded() == []


def test_a_packed_file_cut_short_loads_nothing(own_folders: Path) -> None:
    """A download that broke off is refused in a sentence, and none of its rows count."""
    rows = "".join(json.dumps(a_run(f"r{i}")) + "\n" for i in range(500)).encode()
    path = own_folders / "r.jsonl.gz"
    path.write_bytes(gzip.compress(rows)[:-200])
    found = run("load", "--table", "run", str(path))
    assert found.code in (3, 13, 15), found.said
    assert "Traceback" not in found.err
    assert loaded() == []


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("sql",), 2, "give a SELECT"),
        (("sql", "drop table run"), 2, "SELECT"),
        (("sql", "select 1; select 2"), 2, "SELECT"),
        (("sql", "copy run to 'x.csv'"), 2, "SELECT"),
        (("sql", "attach 'x.db'"), 2, "SELECT"),
        (("sql", "select * from read_text('/etc/hostname')"), 2, ""),
        (("sql", "selekt 1"), 2, ""),
        (("sql", "select nope from run"), 2, "nope"),
        (("sql", "select 1", "--version", "7"), 4, "7"),
        (("sql", "select 1", "--csv", "--json"), 2, "choose --json or --csv"),
    ],
)
def test_a_question_that_is_none_is_refused(
    words: tuple[str, ...], code: int, part: str, own_folders: Path
) -> None:
    """Analysts' SQL is one SELECT over the warehouse; all else is refused in words and writes nothing."""
    found = run(*words)
    assert found.code == code, found.said
    assert part in found.err
    assert "Traceback" not in found.err
    assert found.out == ""
    assert not list(own_folders.rglob("x.*"))


def test_the_three_forms_of_an_answer(own_folders: Path) -> None:
    """A table for people, JSON for programs and CSV for spreadsheets show the same rows."""
    run("load", "--table", "run", a_file(own_folders / "r.jsonl", a_run("r1"), a_run("r2")))
    text = "select run_id, 2 as n from run order by run_id"
    people, programs, sheet = (
        run("sql", text),
        run("sql", text, "--json"),
        run("sql", text, "--csv"),
    )
    assert people.out.splitlines() == ["run_id  n", "------  -", "r1      2", "r2      2"]
    assert people.err == "2 rows\n"
    assert programs.document == [{"run_id": "r1", "n": 2}, {"run_id": "r2", "n": 2}]
    assert sheet.out == "run_id,n\nr1,2\nr2,2\n"


def test_the_tables_are_listed_with_their_meaning() -> None:
    """`--list-tables` needs nothing loaded and names the tables that reviews read."""
    found = run("sql", "--list-tables", "--json")
    assert found.code == 0
    assert {"run", "step", "audit_event", "hold", "ingest_reject"} <= {
        row["table"] for row in found.document
    }


def test_the_tables_mark_what_a_row_must_have_and_say_all_words() -> None:
    """On a terminal, too, nothing is cut short: every status that may be written stands there."""
    lines = [line.split(None, 2) for line in run("sql", "--list-tables").out.splitlines()]
    said = {(words[0], words[1]): words[2] for words in lines if len(words) > 2}
    assert said["run", "status"].startswith("yes ")
    assert all(str(status) in said["run", "status"] for status in RunStatus)
    assert said["run", "source_id"].startswith("or --source")
    assert said["affected_record", "change_seq"].startswith("yes ")
    assert not said["ingest_reject", "batch_id"].startswith("yes ")


@pytest.mark.parametrize("table", ["run", "affected_record"])
def test_the_rows_that_the_help_shows_can_be_loaded(table: str, own_folders: Path) -> None:
    """What `load --help` shows as a row is one, with no column besides those that it must have and three more."""
    text = run("load", "--help").out.split(f"--table {table}:", 1)[1]
    row = json.loads(text[text.index("{") : text.index("}") + 1])
    (own_folders / "row.jsonl").write_text(json.dumps(row))
    found = run("load", "--table", table, "--source", "mine", str(own_folders / "row.jsonl"))
    assert (found.code, "1 accepted" in found.out) == (0, True), found.said
    must = set(tables.table(table).required)
    assert must <= set(row) <= must | {"started_at", "finished_at", "change"}


def test_the_queries_are_listed_with_what_they_ask_and_give() -> None:
    """`--list-queries` needs nothing loaded and has a row, the parameters and the columns of each query."""
    found = run("sql", "--list-queries", "--json")
    assert found.code == 0
    mine = [row for row in found.document if row["query"] == "review.watermarks"]
    assert [(row["part"], row["name"]) for row in mine][:3] == [
        ("row", ""),
        ("parameter", "as_of"),
        ("column", "source_id"),
    ]
    assert {"engine.fired_backlog", "triggers.spend", "load.named_run"} <= {
        row["query"] for row in found.document
    }
    assert run("sql", "--list-queries", "--list-tables").code == 2
    assert run("sql", "select 1", "--list-queries").code == 2


def test_hostile_history_is_shown_inert(own_folders: Path) -> None:
    """Text that strangers wrote into run history reaches the terminal inert, names of columns included."""
    path = a_file(own_folders / "r.jsonl", a_run("r1", error_message=HOSTILE, **{HOSTILE: "x"}))
    assert not [c for c in OBEYED if c in run("load", "--table", "run", path).said]
    found = run("sql", f'select error_message as "{HOSTILE}" from run')
    assert found.code == 0, found.said
    assert not [c for c in OBEYED if c in found.said]
    assert len(found.out.splitlines()) == 3
    exported = run("sql", "--csv", f'select error_message as "{HOSTILE}" from run')
    assert exported.code == 0, exported.said
    assert not [c for c in OBEYED if c in exported.said]


@pytest.mark.parametrize("kind", ["file", "garbage", "list"])
def test_a_home_that_is_no_warehouse_is_unavailable(kind: str, own_folders: Path) -> None:
    """Where WORKBENCH_HOME points at something else, load and sql exit 15 in a sentence and leave it."""
    home = Settings.from_environment().home
    if kind == "file":
        home.write_text("mine")
    else:
        (home / "warehouse").mkdir(parents=True)
        (home / "warehouse" / "manifest.json").write_text("[]" if kind == "list" else "{garbage")
    path = a_file(own_folders / "r.jsonl", a_run("r1"))
    refused(run("load", "--table", "run", path), 15)
    refused(run("sql", "select 1"), 15)
    if kind == "file":
        assert home.read_text() == "mine"


def test_a_recorded_clock_is_said(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a recorded clock load and sql say DEMO, and JSON stays clean for programs."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    path = a_file(own_folders / "r.jsonl", a_run("r1"))
    assert run("load", "--table", "run", path).out.startswith(
        "DEMO, clock stands at 2026-11-20 09:30:00"
    )
    assert run("sql", "select 1").err.startswith("DEMO, clock stands at 2026-11-20 09:30:00 UTC")
    assert run("sql", "select 1 as n", "--json").document == [{"n": 1}]


class Stranger(BaseHTTPRequestHandler):
    """Answers every question with a page that is no engine's."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>hello \x1b[2J</html>")

    do_POST = do_GET  # noqa: N815  # the name that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing on the test's screen."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """Run a web server that is no engine and return its address."""
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("is_store_there", [True, False])
def test_an_address_that_is_no_engine_is_an_engine_error(
    stranger: str, is_store_there: bool
) -> None:
    """A page instead of an engine's answer exits 16, inertly, with or without a store; nothing is loaded."""
    if is_store_there:
        a_store()
    found = run("sync", "prefect", "--url", stranger)
    refused(found, 16, "check the engine's address")
    assert "\x1b" not in found.said
    assert loaded() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "not a url", "ftp://127.0.0.1/x", ""])
def test_an_engine_that_cannot_be_reached_is_an_engine_error(url: str) -> None:
    """A wrong or dead address exits 16 with what to check, never with a traceback."""
    refused(run("sync", "prefect", "--url", url), 16)


def test_an_instant_that_is_none_is_refused() -> None:
    """`--since` wants an instant with an offset."""
    usage(run("sync", "prefect", "--url", "http://127.0.0.1:9", "--since", "2026-11-20"), "--since")

"""`workbench sync` over a real socket: what it prints, how it exits, whom it binds, and which engine it asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.engines.fake_prefect import FakePrefect, event, flow_run, task_run
from workbench.cli import main, sync
from workbench.records import Automation


@pytest.fixture
def served() -> Iterator[tuple[FakePrefect, str]]:
    """Serve a fake Prefect on loopback; gives the server's contents and its address."""
    held = FakePrefect()
    held.runs = [flow_run("r1", state_type="FAILED", message="HTTP 503"), flow_run("r2")]
    held.tasks = [task_run("t1", "r1")]
    held.events = [event("e1", "prefect.work-pool.paused")]

    class Wire(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = httpx.Request(
                self.command, f"http://x{self.path}", content=self.rfile.read(length)
            )
            answer = held.answer(asked)
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST  # noqa: N815 - the name is the standard library's

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Wire)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held, f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, output and messages."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def test_sync_says_what_it_read(
    capsys: pytest.CaptureFixture[str], served: tuple[FakePrefect, str]
) -> None:
    """Rows per table, what is bound to nothing, and that there is no registry, are printed."""
    code, out, _ = run(capsys, "sync", "prefect", "--url", served[1])
    assert code == 0
    assert "run: 2 rows, 2 new or newer" in out
    assert "no automation of the registry is bound to: invoice-triage" in out
    assert "there is no store, so no registry" in out
    code, out, _ = run(capsys, "sync", "prefect", "--url", served[1])
    assert (code, "run: 0 rows, 0 new or newer" in out) == (0, True)


def test_sync_binds_the_registrys_automations(
    capsys: pytest.CaptureFixture[str],
    served: tuple[FakePrefect, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a registry, runs carry its kind and category, and nothing is reported unbound."""
    known = [Automation("invoice-triage", "agent", "commerce", "production", "agent-owner")]
    monkeypatch.setattr(sync, "_automations", lambda _: (known, ""))
    code, out, _ = run(capsys, "sync", "prefect", "--url", served[1], "--json")
    assert (code, json.loads(out)["unbound"]) == (0, [])
    _, out, _ = run(capsys, "sql", "--json", "select distinct kind, category from run")
    assert json.loads(out) == [{"kind": "agent", "category": "commerce"}]


def test_a_login_page_is_an_engine_error(
    capsys: pytest.CaptureFixture[str], served: tuple[FakePrefect, str]
) -> None:
    """A page of HTML with status 200 ends with exit 16 and leaves the warehouse as it was."""
    held, url = served
    held.overrides["/flow_runs/filter"] = lambda _: httpx.Response(
        200, headers={"content-type": "text/html"}, text="<h1>Log in</h1>"
    )
    code, _, err = run(capsys, "sync", "prefect", "--url", url)
    assert (code, "is that a login page?" in err) == (16, True)
    assert run(capsys, "sql", "select count(*) as n from run")[1].split()[-1] == "0"


def test_rejected_rows_exit_13_and_the_rest_is_loaded(
    capsys: pytest.CaptureFixture[str], served: tuple[FakePrefect, str]
) -> None:
    """A row that the checks refuse is visible and does not cost the others."""
    held, url = served
    held.runs.append(flow_run("r" * 600))
    code, out, err = run(capsys, "sync", "prefect", "--url", url)
    assert (code, "1 rejected" in out) == (13, True)
    assert "1 of 3 rows of run" in err
    assert run(capsys, "sql", "select count(*) as n from run")[1].split()[-1] == "2"


def name_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **urls: str) -> None:
    """Write a file of engines, each of kind prefect."""
    path = tmp_path / "engines.toml"
    tables = [f'[engines.{name}]\nkind = "prefect"\nurl = "{url}"\n' for name, url in urls.items()]
    path.write_text("".join(tables))
    monkeypatch.setenv("WORKBENCH_ENGINES", str(path))


def test_an_engine_is_read_under_the_name_that_the_file_gives_it(
    capsys: pytest.CaptureFixture[str],
    served: tuple[FakePrefect, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The name in the file of engines is the source's name, and binds the automations of that engine."""
    name_engines(monkeypatch, tmp_path, nightly=served[1])
    known = [
        Automation(
            "of-nightly",
            "agent",
            "commerce",
            "production",
            "agent-owner",
            engine="nightly",
            engine_ref="invoice-triage",
        ),
        Automation(
            "of-another",
            "agent",
            "commerce",
            "production",
            "agent-owner",
            engine="prefect",
            engine_ref="invoice-triage",
        ),
    ]
    monkeypatch.setattr(sync, "_automations", lambda _: (known, ""))
    assert run(capsys, "sync", "nightly")[0] == 0
    _, out, _ = run(capsys, "sql", "--json", "select distinct source_id, automation_id from run")
    assert json.loads(out) == [{"source_id": "nightly", "automation_id": "of-nightly"}]


def test_all_engines_are_read_and_a_dead_one_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
    served: tuple[FakePrefect, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """`--all` reads what answers, names what does not, and exits as an engine that failed."""
    name_engines(monkeypatch, tmp_path, dead="http://127.0.0.1:9/api", nightly=served[1])
    code, out, err = run(capsys, "sync", "--all")
    assert (code, "nightly, version" in out) == (16, True)
    assert "1 of 2 were not read: dead: " in err
    assert run(capsys, "sql", "select count(*) as n from run")[1].split()[-1] == "2"
    name_engines(monkeypatch, tmp_path, nightly=served[1])
    code, out, _ = run(capsys, "sync", "--all", "--json")
    assert (code, [one["source_id"] for one in json.loads(out)]) == (0, ["nightly"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "Name one engine, or give --all alone."),
        (("nightly", "--all"), 2, "Name one engine, or give --all alone."),
        (("Not An Id", "--url", "http://127.0.0.1:9"), 2, "no valid id"),
        (("nightly", "--kind", "prefect"), 2, "--kind belongs to --url"),
        (("other",), 4, "--url URL --kind KIND"),
        (("other", "--url", "http://127.0.0.1:9"), 17, "of kind 'other'; there are"),
        (("other", "--url", "http://127.0.0.1:9/api", "--kind", "prefect"), 16, "127.0.0.1:9"),
    ],
)
def test_a_choice_that_cannot_be_read_says_what_to_type(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    """No engine, two choices, a name that nobody gave, a kind that nobody ships, an address that is dead."""
    name_engines(monkeypatch, tmp_path, nightly="http://127.0.0.1:9/api")
    found = run(capsys, "sync", *words)
    assert (found[0], said in found[2]) == (code, True), found

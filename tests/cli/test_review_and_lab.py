"""`workbench review`, `report` and `lab`: what is refused before a kernel or JupyterLab starts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.cli.ground import (
    AGENTS,
    HOSTILE,
    RECORDED,
    a_hold,
    a_report,
    a_store,
    events,
    inert,
    last_seq,
    refused,
    run,
)
from workbench.cli import lab, report
from workbench.records import VerdictKind
from workbench.settings import Settings

SINCE = ("--since", "2026-11-20T08:00:00Z")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Start no JupyterLab; return the command lines that would have been started."""
    lines: list[list[str]] = []
    monkeypatch.setattr(lab.os, "execve", lambda _, line, __: lines.append(line))
    return lines


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("review", "H-9"), 4, ["There is no hold H-9; newest: H-1", "`workbench hold list --all`"]),
        (("review", HOSTILE), 4, ["There is no hold"]),
        (("review", "H-1", "--only", "kind=robot"), 4, ["no automation has kind=robot"]),
        (("review", "H-1", "--only", "kind=workflow"), 4, ["covers nothing that H-1 holds"]),
        (("review", "H-1", "--only", "agents"), 2, ["is not of the form key=value"]),
        (("report", "run", "restart-decision", "--scope", "kind=robot", *SINCE), 4, ["kind=robot"]),
        (("report", "run", "restart-decision", "--scope", "kind=workflow", *SINCE), 4,
         ["No standing hold covers kind=workflow", "`workbench status`"]),
        (("report", "run", "restart-decision", "--scope", AGENTS, "--since", "noon"), 2, ["--since"]),
    ],
)  # fmt: skip
def test_what_cannot_be_reviewed_is_refused_at_once(
    words: tuple[str, ...], code: int, parts: list[str]
) -> None:
    """A wrong hold, scope or instant is refused before any kernel starts, and no report is recorded."""
    a_store()
    a_hold()
    before = last_seq()
    found = run(*words)
    refused(found, code, *parts)
    inert(found)
    assert last_seq() == before
    assert not (Settings.from_environment().home / "reports").exists()


def test_reports_are_listed_newest_first() -> None:
    """The list names verdicts as computed, INCOMPLETE for what is not, and what is not on this machine."""
    a_store()
    a_hold()
    a_report(verdict=VerdictKind.KEEP_PAUSED)
    a_report(is_complete=False)
    found = run("report", "list")
    assert found.code == 0
    newest, older = found.out.splitlines()[3:5]
    assert newest.startswith("R-2     restart-decision  H-1   INCOMPLETE")
    assert older.startswith("R-1     restart-decision  H-1   keep_paused")
    assert newest.endswith("not on this machine")


def test_the_json_of_reports_has_exactly_these_fields() -> None:
    """Schedulers read the list by these names, filtered by hold where asked."""
    a_store()
    a_hold()
    a_hold("kind=workflow")
    a_report()
    a_report("H-2", ids=("order-sync",))
    (entry,) = run("report", "list", "--hold", "H-2", "--json").document
    assert list(entry) == [
        "report_id", "report", "hold_id", "verdict", "as_of", "recorded_at", "recorded_by", "html",
    ]  # fmt: skip
    assert (entry["report_id"], entry["hold_id"], entry["html"]) == ("R-2", "H-2", "")
    assert len(run("report", "list", "--json").document) == 2


def test_an_incomplete_report_exits_12(capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be completed is an error with the code 12 that names the report and the page."""
    made = SimpleNamespace(
        report_id="R-3",
        name="restart-decision",
        is_complete=False,
        incomplete_because="cell 4 failed",
        folder="f",
        html="f/page.html",
        document={},
    )
    with pytest.raises(report.ReportIncomplete) as caught:
        report.show_made(made, is_json=True)
    assert caught.value.exit_code == 12
    assert "R-3 is INCOMPLETE: cell 4 failed" in caught.value.message
    assert "f/page.html" in caught.value.then
    assert '"is_complete": false' in capsys.readouterr().out


@pytest.mark.parametrize("how", ["hostile", "long"])
def test_a_summary_of_a_report_is_inert(how: str) -> None:
    """Sentences of a report that quote run history are printed on one line each, inert."""
    text = HOSTILE if how == "hostile" else "x\n" * 50

    document = {
        "verdict": "keep_paused",
        "reason": text,
        "headline": {"sentence": text},
        "first_blocker": f"blocker {text}",
        "next_command": text,
    }
    made = SimpleNamespace(
        report_id="R-1", name="restart-decision", html="page.html", document=document
    )
    lines = report.lines_of(made)
    assert not [line for line in lines if "\n" in line or "\x07" in line or "\x9b" in line]
    assert "KEEP PAUSED" in lines[0]
    assert "workbench decide R-1" in "\n".join(lines)


def test_what_the_guardrail_says_of_a_narrow_restart_has_a_line_of_its_own() -> None:
    """Where runs went through, the command says abort, stay narrow or clean; where none did, no line."""
    says = {"sentence": "The alert is green", "restart_says": "stay narrow (0 of 3 runs failed)."}
    document = {"verdict": "keep_paused", "headline": says}
    made = SimpleNamespace(
        report_id="R-6", name="restart-decision", html="page.html", document=document
    )
    assert "  narrow restart: stay narrow (0 of 3 runs failed)." in report.lines_of(made)
    del says["restart_says"]
    assert "narrow restart" not in "".join(report.lines_of(made))


def test_a_resume_is_named_after_the_decision_that_it_needs() -> None:
    """A review that would restart asks for a person's decision first, and names the resume on it second."""
    document = {"verdict": "restart_narrow", "next_command": "workbench resume H-1 --full"}
    made = SimpleNamespace(
        report_id="R-6", name="restart-decision", html="page.html", document=document
    )
    lines = report.lines_of(made)
    assert lines[1:3] == [
        "  next, a person's decision: workbench decide R-6",
        "  and on that decision: workbench resume H-1 --full",
    ]


def test_lab_names_store_and_head_before_it_starts(started: list[list[str]]) -> None:
    """The panel's command prints which store it will act on, the head note, and where the notebooks are."""
    a_store()
    found = run("lab", "--no-browser")
    assert found.code == 0
    first = events()[0]
    assert found.out.startswith(f"store {first.store_id}  |  environment staging  |  ")
    assert f"log head 10 {events()[-1].hash[:16]}" in found.out
    assert "control_panel.ipynb" in found.out
    assert len(started) == 1


def test_lab_loads_the_stores_own_rows_and_says_what_to_load(started: list[list[str]]) -> None:
    """An analyst finds holds and automations, and one line says how runs come, or that there are some."""
    a_store()
    a_hold()
    found = run("lab", "--no-browser")
    assert len(started) == 1
    assert "No run is loaded here: `workbench load --help`" in found.out
    rows = run("sql", "select hold_id from hold", "--json").document
    assert rows == [{"hold_id": "H-1"}]
    (Settings.from_environment().home / "demo-stage" / "end").mkdir(parents=True)
    assert "the recorded incident shows after `export WORKBENCH_HOME=" in run("lab").out


def test_lab_says_demo(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a recorded clock the panel's command says DEMO before it starts."""
    a_store()
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    assert run("lab").out.startswith("DEMO, clock stands at 2026-11-20 09:30:00 UTC  |  store ")


def test_lab_with_a_home_that_is_a_file_is_refused(started: list[list[str]]) -> None:
    """Where private things cannot be kept, nothing starts and the place is named."""
    a_store()
    Settings.from_environment().home.write_text("mine")
    refused(run("lab"), 15, str(Settings.from_environment().home))
    assert started == []

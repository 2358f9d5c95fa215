"""`review` and `report` on the command line: what they print, where they point, and their exit codes."""

from __future__ import annotations

import json

import pytest

from tests.reports.conftest import Scene
from workbench.cli import main
from workbench.reports.shelf import Shelf

SCOPE = "kind=agent,provider=acme-llm"


@pytest.fixture(autouse=True)
def in_the_scene(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line see the little incident."""
    for name, value in scene.settings.as_environment().items():
        monkeypatch.setenv(name, value)


def run(*arguments: str) -> int:
    """Run one command and return its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


def test_a_review_prints_verdict_contrast_and_file(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """A narrow review ends with the verdict, its contrast, what to do next, and the page's path."""
    assert run("review", "H-1", "--only", "automation=ticket-reply") == 0
    out = capsys.readouterr().out
    newest = list(scene.control.state().reports.values())[-1]
    assert newest.automation_ids == ("ticket-reply",)
    assert f"{newest.report_id}  {str(newest.verdict).replace('_', ' ').upper()}" in out
    assert "DEMO, clock stands at 2026-11-20 09:58:00 UTC" in out
    assert f"workbench decide {newest.report_id}" in out
    page = Shelf(scene.settings.home, scene.control.state().store_id).place_of(newest.report_id)
    page /= "restart-decision.html"
    assert str(page) in out.splitlines()
    assert page.is_file()
    assert "\x1b" not in out


def test_a_scheduled_report_is_json_when_asked(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """The long form names a scope and a window and prints one JSON object with the verdict."""
    since = "2026-11-20T08:10:00+00:00"
    code = run("report", "run", "restart-decision", "--scope", SCOPE, "--since", since, "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["is_complete"] is True
    assert found["verdict"]["since"] == "2026-11-20T08:10:00.000000Z"
    assert found["verdict"]["hold_id"] == "H-1"


def test_a_report_that_could_not_be_made_exits_12(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window that begins after the onset gives an INCOMPLETE report, its reason and exit code 12."""
    since = "2026-11-20T09:30:00Z"
    code = run("report", "run", "restart-decision", "--scope", SCOPE, "--since", since)
    err = capsys.readouterr().err
    assert code == 12
    assert "is INCOMPLETE" in err
    assert "after the onset" in err
    newest = list(scene.control.state().reports.values())[-1]
    assert not newest.is_complete


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("review", "H-9"), 4, "There is no hold H-9"),
        (("review", "H-1", "--only", "automation=order-sync"), 4, "covers nothing that H-1 holds"),
        (("review", "H-1", "--only", "automation=invoice-triag"), 4, "invoice-triage"),
        (("review", "H-1", "--onset", "yesterday"), 2, "onset: "),
        (
            ("report", "run", "restart-decision", "--scope", "kind=agent", "--since", "now"),
            2,
            "--since",
        ),
        (
            ("report", "run", "weekly", "--scope", "*", "--since", "2026-11-20T00:00:00Z"),
            2,
            "weekly",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_kernel(
    scene: Scene,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    """Each fault is one sentence and an exit code of its own; no report is recorded."""
    before = len(scene.control.state().reports)
    assert run(*arguments) == code
    assert says in capsys.readouterr().err
    assert len(scene.control.state().reports) == before


def test_the_list_shows_reports_newest_first(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list has verdict and file of each report the store knows, also as JSON."""
    assert run("report", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[-1]["report_id"] == "R-1"
    assert rows[-1]["html"] == str(scene.made.html)
    assert run("report", "list") == 0
    assert "R-1" in capsys.readouterr().out

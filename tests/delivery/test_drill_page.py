"""The page of a drill: made by papermill after it, or shown by hand from the log; differences are marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import events, run
from tests.delivery.shell import a_fleet
from tests.delivery.test_drill_command import DRILL, engine  # noqa: F401 # a fixture
from tests.engines.fake_engine import FakeEngine, Tricks
from workbench.engines.switching import CallResult
from workbench.errors import NotFound, UsageFault
from workbench.reports.drill import AS_DECLARED, DIFFERS, PauseDrill, pause_drill
from workbench.settings import Settings

MADE = tuple(word for word in DRILL if word != "--no-page")


def shown(**more: Any) -> PauseDrill:
    """Return what the notebook shows of the engine `main`."""
    return pause_drill({"engine_id": "main", "mode": "freeze", **more})


@pytest.mark.slow
def test_a_drill_leaves_its_page(engine: FakeEngine) -> None:  # noqa: F811
    """One file without a script: the outcome, each class declared and observed, the log's head; the path is printed."""
    found = run(*MADE)
    assert found.code == 0, found.said
    page = next(Path(w) for w in found.out.split() if w.endswith("pause-drill.html"))
    text = page.read_text(encoding="utf-8")
    assert page.is_relative_to(Settings.from_environment().home / "drills")
    assert "<script" not in text and "BY HAND" not in text
    for words in (
        "Pause drill: main, freeze",
        "PASSED",
        "declared on pause",
        "observed on pause",
        AS_DECLARED,
    ):
        assert words in text
    assert f"log head {events('drill.record')[-1].seq}" in text.replace("</strong>", "")


@pytest.mark.slow
def test_a_page_that_cannot_be_made_costs_no_drill(
    engine: FakeEngine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The certificate is in the log, the exit code says INCOMPLETE, and the page is named so."""
    broken = tmp_path / "pause_drill.ipynb"
    text = Path("notebooks/pause_drill.ipynb").read_text(encoding="utf-8")
    broken.write_text(text.replace("drill.ending", "raise SystemExit(0)"), encoding="utf-8")
    monkeypatch.setattr("workbench.reports.drill.notebooks_folder", lambda: tmp_path)
    found = run(*MADE)
    assert found.code == 12, found.said
    assert "The drill itself is recorded." in found.err
    assert "pause-drill.INCOMPLETE.html" in found.err
    assert len(events("drill.record")) == 1


def test_differences_come_first_and_are_marked(engine: FakeEngine) -> None:  # noqa: F811
    """What did otherwise than declared stands on top with both words; what was not tried says why."""
    run(*DRILL)
    body = dict(shown().body)
    declared = {**body["effects"][1], "on_pause": "cancelled"}
    odd = {
        "work_class": declared["work_class"],
        "declared": declared,
        "observed": body["effects"][1],
    }
    drill = shown()
    drill.body = {**body, "differences": [odd]}
    rows = {row["work_class"]: row for row in drill.rows}
    name = declared["work_class"].replace("_", " ")
    assert rows[name]["is_it"] == DIFFERS
    assert rows[name]["declared_pause"] == "cancelled" != rows[name]["observed_pause"]
    assert any(str(row["is_it"]).startswith("not tried: ") for row in drill.rows)
    html = drill.effects.html
    assert f"Of {len(rows)} classes of work: 1 did otherwise than declared" in html
    assert html.index(DIFFERS) < html.index(AS_DECLARED)


def test_a_failed_drill_and_a_newer_version_are_loud(
    engine: FakeEngine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FAILED in large words, NEVER read back, STALE when another version was met since."""
    engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    run(*DRILL)
    engine.tricks = Tricks()
    monkeypatch.setattr("tests.engines.fake_engine.VERSION", "2.0")
    run("pause", "kind=workflow", "-r", "x", "--yes")
    top = shown().top.html
    assert "FAILED" in top and "NEVER" in top
    assert 'data-wb-strip="STALE"' in top and "version 2.0 now" in top
    assert 'data-wb-strip="BY HAND"' in top


def test_the_newest_drill_up_to_a_position_is_shown(engine: FakeEngine) -> None:  # noqa: F811
    """Two drills: without a position the second, with the first one's the first; the table has what is on record."""
    run(*DRILL)
    first = events("drill.record")[-1]
    engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    run(*DRILL)
    assert "FAILED" in shown().top.html
    assert "PASSED" in shown(log_seq=first.seq).top.html
    html = shown().others.html
    assert "All drills on record" in html
    assert ">kind<" in html and ">workflow<" in html, "drills of two kinds are two rows, told apart"


def test_what_cannot_be_shown_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without a drill, a mode that is none, a parameter that is none."""
    a_fleet(monkeypatch)
    with pytest.raises(NotFound, match="No drill of main in mode halt") as caught:
        pause_drill({"engine_id": "main", "mode": "halt"})
    assert "workbench drill main --mode halt" in caught.value.then
    for wrong in ({"mode": "stop"}, {"engine": "x"}, {"engine_id": "<b>"}):
        with pytest.raises(UsageFault, match="pause-drill was not started"):
            shown(**wrong)

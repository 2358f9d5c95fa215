"""The monthly review as a page: what a scheduler gets, what is refused, and that an incomplete one says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_store
from tests.reports.conftest import Scene
from tests.reports.tiny import write_notebook
from workbench.cli import main
from workbench.errors import UsageFault
from workbench.reports import monthly_making
from workbench.reports.monthly import (
    bounds,
    check_month,
    last_month,
    monthly_review,
    readiness_rows,
)
from workbench.review.measures import COLUMNS

MONTH = "2026-11"
AS_OF = "2026-11-20T09:58:00Z"


@pytest.fixture
def in_the_scene(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Let the command line see the little incident."""
    for name, value in scene.settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return scene


def run(*arguments: str) -> int:
    """Run one command and return its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


def test_a_scheduler_gets_a_page_and_the_measures(
    in_the_scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0; page, notebook and measures lie in one folder, and by hand the numbers are the same."""
    assert run("report", "monthly", "--month", MONTH, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    page = Path(told["page"])
    assert told["incomplete_because"] is None
    assert sorted(p.name for p in page.parent.iterdir()) == [
        "monthly-review.html",
        "monthly-review.ipynb",
        "monthly-review.json",
    ]
    assert json.loads((page.parent / "monthly-review.json").read_text()) == told["review"]
    shown = page.read_text(encoding="utf-8")
    assert "Monthly review: 2026-11" in shown and "DEMO" in shown and "BY HAND" not in shown
    by_hand = monthly_review({"month": MONTH, "as_of": AS_OF})
    assert by_hand.document() == told["review"]
    assert "BY HAND" in by_hand.top.html
    for measures in told["review"]["categories"].values():
        assert len(measures) > 10
        assert set(measures[0]) == set(COLUMNS)


def test_people_read_it_as_lines(
    in_the_scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sentence, each category's measures, the action items, the page; a broken notebook ends with 12."""
    assert run("report", "monthly", "--month", MONTH) == 0
    out = capsys.readouterr().out
    assert "of which the data cannot tell." in out and "relapse within 24 h" in out
    assert "monthly-review.html" in out
    (tmp_path / "broken").mkdir()
    broken = write_notebook(tmp_path / "broken", "1 / 0", name="monthly_review.ipynb")
    monkeypatch.setattr(monthly_making, "notebooks_folder", lambda: broken.parent)
    assert run("report", "monthly", "--month", MONTH) == 12
    said = capsys.readouterr()
    assert "INCOMPLETE: A cell failed" in said.err
    assert "monthly-review.INCOMPLETE.html" in said.out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"month": "2026-13", "as_of": AS_OF}, "no month .2026-13.: write the year"),
        ({"month": "2026-12", "as_of": AS_OF}, "has not begun"),
        ({"month": MONTH, "as_of": "2026-11-20T09:58:00"}, "as_of"),
        ({"month": MONTH, "as_of": AS_OF, "code": "1"}, "not a parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_kernel_starts(
    given: dict[str, str], words: str
) -> None:
    """Parameters reach code, so each is checked."""
    with pytest.raises(UsageFault, match=words):
        check_month(given)


def test_a_month_is_a_calendar_month_in_utc() -> None:
    """A scheduler that names none gets the last that is over, over the turn of the year too."""
    assert bounds("2026-12") == (
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert last_month(datetime(2027, 1, 1, 0, 5, tzinfo=UTC)) == "2026-12"
    assert last_month(datetime(2026, 11, 30, tzinfo=UTC)) == "2026-10"


def test_a_month_before_the_registry_has_no_categories(in_the_scene: Scene) -> None:
    """What was registered later was not there: the log is read as it stood at the month's end."""
    before = monthly_review({"month": "2026-10", "as_of": AS_OF}).document()
    assert before["categories"] == {}
    assert before["sentence"].startswith("0 categories in 2026-10")


def test_readiness_is_what_the_registry_and_the_engines_file_say() -> None:
    """What asks no gate and has no engine here is not stopped; a checklist counts its answers; no drill is none."""
    state = a_store(registry=REGISTRY).state()
    rows = readiness_rows(state, frozenset(), until=datetime(2027, 1, 1, tzinfo=UTC))
    found = rows.set_index("automation_id")
    assert list(found.index) == ["invoice-triage", "order-sync", "price-lookup", "ticket-reply"]
    assert list(found["is_stoppable"]) == [True, True, False, True]
    assert list(found["answer_count"]) == [7, 0, 0, 0]
    assert found["last_drill_at"].isna().all()

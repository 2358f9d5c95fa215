"""The back-test as a page: parameters, the executed notebook, the command, its figures, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.reports import little_incident as story
from tests.review.streams import Stream
from tests.store.ground import SetClock, a_control, break_glass, pause
from workbench.cli import main
from workbench.clock import FixedClock, to_text
from workbench.errors import NotFound, UsageFault
from workbench.plots import back_test as plots
from workbench.plots.drawing import to_svg
from workbench.reports.back_test import back_test, check_back_test, make_back_test
from workbench.reports.back_test_place import (
    Place,
    cell_seconds,
    own_place,
    placed_again,
    replay_holds,
)
from workbench.review.backtest import compare_rules
from workbench.review.relapse import relapse_shares
from workbench.review.replay import HoldReplay
from workbench.settings import Settings
from workbench.warehouse import Warehouse

LONG = Stream(days=900, relapse=0.2, units=("api", "pages"))


def run(*arguments: str) -> int:
    """Run one command and return its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Set up the little incident, and beside it a long history of a status page with a planted relapse."""
    root = tmp_path_factory.mktemp("back-test")
    found, _ = story.set_up(root)
    rows = [
        {
            "source_id": "page", "provider": "made", "component": row["units"], "since_at": to_text(row["began_at"]),
            "until_at": to_text(row["ended_at"]), "status": "degraded", "incident_ref": row["incident_ref"],
        }
        for row in LONG.rows(1).to_dict("records")
    ]  # fmt: skip
    path = root / "page.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Warehouse.open(found.home, FixedClock(story.at(story.END_MINUTE))).load_files(
        [("provider_status", path)]
    )
    return found


@pytest.fixture
def in_place(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands and notebooks see that place."""
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def replayed(settings: Settings) -> list[HoldReplay]:
    """Replay the hold of the little incident."""
    place = own_place(settings, until=story.at(story.END_MINUTE))
    assert place is not None
    return replay_holds(place, most=10)


@pytest.mark.slow
def test_our_own_hold_is_replayed(replayed: list[HoldReplay]) -> None:
    """The gate is asked from the minute in which the alert went green on, and lets nothing start over a leak."""
    (one,) = replayed
    assert one.hold_id == "H-1"
    assert one.stopped_at == pd.Timestamp(story.at(story.GREEN_MINUTE))
    assert len(one.looks) == story.END_MINUTE - story.GREEN_MINUTE
    assert not one.looks[0].allowed
    assert "pause_held" in one.looks[0].failed
    assert one.ran is None  # nobody released it, so nobody knows what would have run


@pytest.mark.slow
def test_a_look_knows_nothing_of_what_came_later(
    settings: Settings, replayed: list[HoldReplay]
) -> None:
    """Asked with the record cut off a second after the alert stopped, the gate says the same."""
    until = story.at(story.GREEN_MINUTE + 1)
    place = own_place(settings, until=until)
    assert place is not None
    (early,) = replay_holds(place, most=1)
    assert early.looks == replayed[0].looks[:1]


def test_trouble_is_back_under_whatever_scope_it_is_paused(tmp_path: Path) -> None:
    """After a release a hold on one of its automations is a relapse, in other words too; one on others is none."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control, "kind=agent")
    clock.move(600)
    control.resume_full(break_glass("H-1"))
    released = pd.Timestamp(clock.now())
    clock.move(600)
    pause(control, "kind=workflow")
    pause(control, "automation=ticket-reply")
    again = pd.Timestamp(clock.now())
    clock.move(600)
    events = tuple(control.store.events())
    place = Place(control.store, events, tmp_path, 0, pd.Timestamp(clock.now()))
    assert placed_again(place, place.state.holds["H-1"], since=released) == [again]


@pytest.mark.slow
@pytest.mark.usefixtures("in_place")
def test_the_command_makes_a_page(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The notebook runs by papermill and leaves one offline page; histories of few incidents read `cannot tell`."""
    assert run("back-test", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    made, few = found["histories"][0], found["histories"][1]
    assert made["title"] == "Status page of made, from page"
    assert "relapsed within 6 h" in made["says"]
    assert "cannot tell" in few["says"]
    assert "%" not in few["says"]
    assert "let nothing start in 1 of 1 hold" in found["replay"]["says"]
    page = Path(found["html"]).read_text(encoding="utf-8")
    assert page.count('data-wb-figure="1"') == 3
    assert "INCOMPLETE" not in page
    assert "<script" not in page
    assert "What this cannot tell" in page
    assert "BY HAND" not in page
    assert Path(found["html"]).is_relative_to(settings.home / "back-tests")


@pytest.mark.usefixtures("in_place")
def test_by_hand_it_says_so() -> None:
    """A notebook that a person runs shows the same and is marked."""
    report = back_test({"hold_count": 0})
    assert "BY HAND" in report.top.html
    assert "DEMO" in report.top.html  # the little incident's clock stands
    assert "No hold stood while the alerts" in report.gate.html
    assert report.ending._repr_mimebundle_()["text/plain"] == "run by hand"


def test_nothing_to_test_back_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a history and without a hold there is one sentence and what to do, before any kernel starts."""
    assert run("back-test") == 4
    said = capsys.readouterr().err
    assert "There is nothing to test back" in said
    assert "workbench load --mapping status-page-incidents" in said
    with pytest.raises(NotFound):
        back_test({})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"as_of": "yesterday"}, "as_of"),
        ({"as_of": "2026-11-20T08:00:00"}, "as_of"),
        ({"runs_per_hour": 0}, "runs_per_hour"),
        ({"runs_per_hour": "10"}, "runs_per_hour"),
        ({"recording": "../other"}, "recording"),
        ({"since_when": ""}, "is not a parameter of it"),
    ],
)
def test_bad_parameters_are_named(given: dict[str, Any], words: str) -> None:
    """Each fault is named on one line; nothing is cast."""
    with pytest.raises(UsageFault, match=words):
        check_back_test(given)


def test_a_recording_that_is_not_there_is_named(settings: Settings) -> None:
    """An unknown recording is refused before a kernel starts, and those there are are named."""
    with pytest.raises(NotFound, match="agents-relapse"):
        make_back_test(settings, {"recording": "other"})


@pytest.mark.usefixtures("in_place")
def test_a_window_that_runs_backwards_is_refused() -> None:
    """`since` has to lie before `as_of`."""
    with pytest.raises(UsageFault, match="has to be before"):
        back_test({"since": "2026-11-20T09:00:00Z", "as_of": "2026-11-20T08:00:00Z"})


def test_the_figures_follow_the_page() -> None:
    """Each figure is drawn in colours that the style sheet can turn dark, with its numbers in words beside it."""
    history = LONG.history(1)
    shares = to_svg(plots.relapse_shares(relapse_shares(history, horizon_hours=24)))
    rules = to_svg(plots.rules(compare_rules(history)))
    asked = pd.DataFrame(
        {
            "hold": ["H-1", "H-1"],
            "after_minutes": [0.0, 5.0],
            "verdict": ["escalate", "narrow restart allowed"],
        }
    )
    looks = to_svg(plots.looks(asked))
    assert all("var(--wb-ch-" in svg for svg in (shares, rules, looks))
    assert "chance, local rate" in shares
    assert "h held" in rules
    assert "met by a narrow restart" in rules
    assert "narrow restart allowed" in looks
    assert "keep paused" not in looks


@pytest.mark.usefixtures("in_place")
def test_before_the_first_hold_there_is_none() -> None:
    """Asked of a time before any hold was placed nothing is replayed, and the page says so."""
    report = back_test({"as_of": to_text(story.at(story.PAUSE_MINUTE - 5))})
    assert not report.found.replays
    assert "cannot tell" in report.gate.text


def test_many_holds_may_take_longer() -> None:
    """A hundred holds, each looked at 26 times for two seconds, end within the limit of a cell; few have the old one."""
    assert cell_seconds(0) == cell_seconds(10) == 900
    assert cell_seconds(100) > 100 * 26 * 2

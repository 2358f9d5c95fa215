"""The demo's place: its own store only, replaced cleanly, never somebody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.demo.played import run_workbench
from tests.store.test_migrating import workbench_of_schema_1
from workbench.clock import FixedClock, SystemClock
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.demo.crew import DemoFailed
from workbench.demo.place import MARK, Place, choose_place, claimed, standing_holds
from workbench.demo.play import REGISTRY, Wish, play, shell_lines
from workbench.errors import Refused, StorageUnavailable, UsageFault
from workbench.records import Automation
from workbench.registry import Registry, read_registry
from workbench.settings import Settings
from workbench.store import init_store, open_store

OWN = ("order-sync",)


@pytest.fixture
def place(own_folders: Path) -> Place:
    """Return the place that the test's own folders make."""
    return choose_place(Settings.from_environment(), None, is_told_where=True)


def play_briefly(place: Place, clock: FixedClock) -> str:
    """Claim a place, leave something there, and return the id of the store that was made."""
    with claimed(place, clock, own=OWN) as store:
        (place.folder / "left").write_text("by the demo")
        return store.meta()["store_id"]


def test_it_plays_where_the_variables_point(place: Place, own_folders: Path) -> None:
    """With WORKBENCH_* set the demo uses exactly those folders."""
    assert place.settings == Settings.from_environment()
    assert place.folder == own_folders / "home" / "demo-stage"


def test_a_store_of_an_earlier_version_s_demo_is_replaced(place: Place, clock: FixedClock) -> None:
    """Who pulls a new version and types `make demo` again sees it play, and nothing of the old store is left."""
    with workbench_of_schema_1():
        before = play_briefly(place, clock)
    assert play_briefly(place, clock) != before
    left = [path.name for path in place.settings.store.glob("store.sqlite*")]
    assert not [name for name in left if "schema" in name]


def test_a_foreign_store_of_an_earlier_version_is_not_touched(
    place: Place, clock: FixedClock
) -> None:
    """A store without the demo's mark is neither brought up to date nor replaced."""
    with workbench_of_schema_1():
        made = init_store(place.settings, clock, environment="staging", actor="os:test")
    content = (made.backend.folder / "store.sqlite").read_bytes()
    with pytest.raises(StorageUnavailable, match="has schema 1"), claimed(place, clock, own=OWN):
        pass
    assert (made.backend.folder / "store.sqlite").read_bytes() == content


def test_the_holds_of_the_demo_before_are_named(place: Place, clock: FixedClock) -> None:
    """Before an earlier demo's store is replaced, its standing holds can be told; without one there are none."""
    assert standing_holds(place, clock) == ""
    with claimed(place, clock, own=OWN) as store:
        hold = PauseRequest(scope="*", reason="left over")
        Control(store, clock).pause(hold, wait_seconds=0.0)
    assert standing_holds(place, clock) == "H-1 (*)"


def stop_playing(*_: Any, **__: Any) -> None:
    """Stand in for the reports of a demo, and end it where they would begin."""
    raise DemoFailed("far enough")


def test_replacing_a_demo_says_which_holds_go(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second demo names the standing holds of the store it replaces, in one sentence; a first has none."""
    monkeypatch.setattr("workbench.demo.play.start_reports", stop_playing)
    said = []
    for _ in range(2):
        with pytest.raises(DemoFailed, match="far enough"):
            play(Wish(opens_reports=False))
        said.append(" ".join(capsys.readouterr().out.split()))
        settings = place.settings
        hold = PauseRequest(scope="kind=agent", reason="left over")
        open_control(settings, SystemClock()).pause(hold, wait_seconds=0.0)
    assert said[0] == ""
    assert said[1] == (
        "The earlier demo's store is replaced, and with it what stood there: H-1 (kind=agent)."
    )


def test_a_refused_demo_does_not_say_that_it_replaces(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the demo's store has been put to use nothing is replaced, and no line says so."""
    monkeypatch.setattr("workbench.demo.play.start_reports", stop_playing)
    with pytest.raises(DemoFailed):
        play(Wish(opens_reports=False))
    known = read_registry(REGISTRY)
    mine = Automation("mine", "agent", "commerce", "demo", "ops-lead")
    grown = Registry(known.owners, known.categories, {**known.automations, "mine": mine})
    control = open_control(place.settings, SystemClock())
    control.apply_registry(grown)
    control.pause(PauseRequest(scope="*", reason="real"), wait_seconds=0.0)
    capsys.readouterr()
    with pytest.raises(Refused, match="it holds mine"):
        play(Wish(opens_reports=False))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("has_path", [True, False])
def test_the_last_lines_work_in_another_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_path: bool
) -> None:
    """The lines name the store in full, and the program too where the shell would not find it."""
    base = tmp_path / "a folder"
    settings = Settings(base / "store", base / "gate", base)
    made = init_store(settings, SystemClock(), environment="demo", actor="os:test")
    tools = tmp_path / "tools"
    tools.mkdir()
    if has_path:
        (tools / "workbench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workbench "$@"\n')
        (tools / "workbench").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    export, status, lab = shell_lines(settings)
    assert status.startswith("workbench ") is has_path
    assert lab == status.removesuffix("status") + "lab"
    ended = subprocess.run(
        ["bash", "-c", f"{export}\n{status}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert made.meta()["store_id"] in ended.stdout


def test_a_folder_that_is_named_wins(tmp_path: Path) -> None:
    """`--folder` puts store, gate and home under that folder, whatever the variables say."""
    found = choose_place(Settings.from_environment(), tmp_path / "f", is_told_where=True)
    assert found.settings.store == tmp_path / "f" / "store"
    assert found.settings.gate == tmp_path / "f" / "gate"
    assert found.settings.home == tmp_path / "f"


def test_without_variables_it_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Where nothing is set the demo stays out of the place of the real store."""
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    found = choose_place(settings, None, is_told_where=False)
    assert found.settings.store == settings.home / "demo" / "store"
    assert found.settings.store != settings.store


def test_a_standing_clock_is_refused(clock: FixedClock) -> None:
    """The live scenes need a clock that goes."""
    settings = Settings.from_environment({"WORKBENCH_CLOCK": clock.at.isoformat()})
    with pytest.raises(UsageFault, match="WORKBENCH_CLOCK"):
        choose_place(settings, None, is_told_where=True)


def test_a_second_demo_replaces_the_first(place: Place, clock: FixedClock) -> None:
    """A demo over a demo makes a new store and leaves nothing of the old one."""
    first = play_briefly(place, clock)
    (place.folder / "more").mkdir()
    with claimed(place, clock, own=OWN) as store:
        assert store.meta()["store_id"] != first
        assert list(place.folder.iterdir()) == []
        assert [event.action for event in store.events()] == ["store.init"]
    assert not (place.settings.gate / "tickets").exists() or not list(
        (place.settings.gate / "tickets").iterdir()
    )


def test_what_else_lies_in_home_is_kept(place: Place, clock: FixedClock) -> None:
    """Replacing takes away the demo's own things and not a person's warehouse or reports."""
    play_briefly(place, clock)
    mine = place.settings.home / "reports" / "R-1" / "mine.html"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me")
    play_briefly(place, clock)
    assert mine.read_text() == "keep me"


@pytest.mark.parametrize("environment", ["production", "demo"])
def test_a_foreign_store_is_refused_and_kept(
    place: Place, clock: FixedClock, environment: str
) -> None:
    """A store that no demo made is left byte for byte as it is, whatever environment it names."""
    made = init_store(place.settings, clock, environment=environment, actor="os:test")
    before = made.backend.path.read_bytes()
    with pytest.raises(Refused, match="not made by the demo"):
        play_briefly(place, clock)
    assert made.backend.path.read_bytes() == before
    assert not place.folder.exists()


def test_a_store_made_over_a_demo_is_refused(place: Place, clock: FixedClock) -> None:
    """A mark left by a demo does not give a later store away: the mark names the store's id."""
    play_briefly(place, clock)
    for path in (*place.settings.store.glob("store.*"), *place.settings.gate.glob("[es]*o*")):
        if path.is_file():
            path.unlink()
    init_store(place.settings, clock, environment="demo", actor="os:test")
    with pytest.raises(Refused, match="not made by the demo"):
        play_briefly(place, clock)


def test_a_demo_store_put_to_use_is_refused(place: Place, clock: FixedClock) -> None:
    """A demo store in which somebody registered an automation of their own is not thrown away."""
    play_briefly(place, clock)
    known = read_registry(REGISTRY)
    mine = Automation("mine", "agent", "commerce", "demo", "ops-lead")
    grown = Registry(known.owners, known.categories, {**known.automations, "mine": mine})
    Control(open_store(place.settings, clock), clock).apply_registry(grown)
    with (
        pytest.raises(Refused, match="it holds mine"),
        claimed(place, clock, own=known.automations),
    ):
        pass


def test_a_foreign_gate_is_refused(place: Place, clock: FixedClock, tmp_path: Path) -> None:
    """A gate folder into which another store publishes is refused and left alone."""
    other = Settings(store=tmp_path / "other", gate=place.settings.gate, home=tmp_path)
    init_store(other, clock, environment="production", actor="os:test")
    before = (place.settings.gate / "epoch").read_bytes()
    with pytest.raises(Refused, match="another store"):
        play_briefly(place, clock)
    assert (place.settings.gate / "epoch").read_bytes() == before


def test_a_foreign_stage_is_refused(place: Place, clock: FixedClock) -> None:
    """A folder of the demo's name that no demo made is not emptied."""
    place.folder.mkdir(parents=True)
    with pytest.raises(Refused, match="not the demo's"):
        play_briefly(place, clock)


def test_a_broken_mark_counts_as_none(place: Place, clock: FixedClock) -> None:
    """A mark that cannot be read protects the store rather than giving it away."""
    play_briefly(place, clock)
    (place.settings.store / MARK).write_text("[not json")
    assert place.marked_id() == ""
    with pytest.raises(Refused):
        play_briefly(place, clock)


def test_a_removal_cut_short_is_taken_up(place: Place, clock: FixedClock) -> None:
    """Where only the mark is left of a demo, the next one plays."""
    play_briefly(place, clock)
    for path in place.settings.store.glob("store.sqlite*"):
        path.unlink()
    assert play_briefly(place, clock)


def test_two_demos_do_not_play_in_one_place(place: Place, clock: FixedClock) -> None:
    """A second demo does not replace what the first is playing on."""
    with claimed(place, clock, own=OWN) as store:
        with pytest.raises(Refused, match="Another demo is playing"):
            play_briefly(place, clock)
        assert store.backend.path.exists()


def test_a_place_that_cannot_be_written_is_named(
    place: Place, clock: FixedClock, own_folders: Path
) -> None:
    """Where the home folder cannot be made the demo says which and what to do."""
    (own_folders / "home").write_text("a file is in the way")
    with pytest.raises(StorageUnavailable, match=str(own_folders / "home")):
        play_briefly(place, clock)


def test_the_command_refuses_a_foreign_store(own_folders: Path) -> None:
    """`workbench demo` on a real store exits 3, says why and what next, and changes nothing."""
    assert run_workbench("store", "init", "-e", "staging", environment={}).returncode == 0
    before = (own_folders / "store" / "store.sqlite").read_bytes()
    said = run_workbench("demo", "--no-open", environment={})
    assert said.returncode == 3
    assert "was not made by the demo" in said.stderr
    assert "--folder" in said.stderr
    assert (own_folders / "store" / "store.sqlite").read_bytes() == before
    assert not (own_folders / "home").exists()


def test_the_mark_names_the_store(place: Place, clock: FixedClock) -> None:
    """What lies beside the store's file says which store the demo made."""
    store_id = play_briefly(place, clock)
    mark = json.loads((place.settings.store / MARK).read_text())
    assert mark == {"store_id": store_id}

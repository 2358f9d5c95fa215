"""A store that moved is left by its gates, too: who still asks the old folder, or reads the old place, is told where to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, run
from tests.store.ground import settings_in
from workbench.clock import SystemClock
from workbench.gate import Gate, GateState
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.audit import verify_store

CLEAR, PAUSED, UNKNOWN = GateState.CLEAR, GateState.PAUSED, GateState.UNKNOWN


@pytest.fixture
def old(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A store with a hold and an automation that is free, its gate folder where it lies by default."""
    for name, value in settings_in(place).as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WORKBENCH_GATE")
    (place / "automations.toml").write_text(REGISTRY)
    assert run("store", "init", "-e", "staging").code == 0
    assert run("registry", "apply", str(place / "automations.toml"), "--yes").code == 0
    assert run("pause", "automation=order-sync", "-r", "why", "--yes", "--no-wait").code == 10
    return Settings.from_environment()


@pytest.fixture
def named(other_place: Path) -> str:
    """The new place as `--to` names it."""
    return settings_in(other_place).as_environment()["WORKBENCH_STORE"]


def is_left(old: Settings, named: str) -> bool:
    """Tell whether the new place has another gate folder by default: two addresses share that of the home."""
    return Settings.at(named).gate != old.gate


def test_a_gate_that_runs_hears_of_the_move(old: Settings, named: str) -> None:
    """What was CLEAR is UNKNOWN with the new place named, what was held stays PAUSED; nothing opens it but the new place."""
    if not is_left(old, named):
        pytest.skip("one gate folder for both places")
    gate = Gate(old.gate)
    assert [gate.check(i).state for i in ("ticket-reply", "order-sync")] == [CLEAR, PAUSED]
    moved = run("store", "migrate", "--to", named)
    assert (moved.code, moved.err) == (0, "")
    for asked in (gate, Gate(old.gate)):
        said = asked.check("ticket-reply")
        assert (said.state, Settings.at(named).place in said.reason) == (UNKNOWN, True)
        assert asked.check("order-sync").state is PAUSED
    assert run("status").code == 0, "looking at the old place publishes nothing"
    assert gate.check("ticket-reply").state is UNKNOWN
    assert Gate(Settings.at(named).gate).check("ticket-reply").state is CLEAR


def test_a_gate_folder_that_is_named_goes_on(
    old: Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With WORKBENCH_GATE set both places tell one folder, and a look at the old one closes nothing."""
    monkeypatch.setenv("WORKBENCH_GATE", str(old.gate))
    gate = Gate(old.gate)
    assert gate.check("ticket-reply").state is CLEAR
    found = run("store", "migrate", "--to", named)
    assert f"WORKBENCH_GATE stays {old.gate}" in found.out
    assert "workbench mirror --watch" in found.out
    assert run("status").code == 0
    assert gate.check("ticket-reply").state is CLEAR


def test_a_folder_that_was_left_is_taken_up_again(
    old: Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lets the new place tell the old folder opens it with the first command, by a publication."""
    if not is_left(old, named):
        pytest.skip("one gate folder for both places")
    assert run("store", "migrate", "--to", named).code == 0
    monkeypatch.setenv("WORKBENCH_STORE", named)
    monkeypatch.setenv("WORKBENCH_GATE", str(old.gate))
    gate = Gate(old.gate)
    assert gate.check("ticket-reply").state is UNKNOWN
    assert "does not have the newest" not in run("status").out
    assert gate.check("ticket-reply").state is CLEAR
    assert gate.check("order-sync").state is PAUSED


def test_what_shows_the_old_place_says_moved(old: Settings, named: str) -> None:
    """status, card and hold list say where the store went, also as JSON."""
    assert run("store", "migrate", "--to", named).code == 0
    new = Settings.at(named).place
    for words in (("status",), ("card", "automation=order-sync"), ("hold", "list")):
        assert f"MOVED to {new}: what this place shows is how it stood then" in run(*words).out
    for words in (("status", "--json"), ("card", "automation=order-sync", "--json")):
        assert run(*words).document["store"]["moved_to"] == new
    assert f"MOVED to {new}" in run("hold", "list", "--json").err
    assert "NOT DELIVERED" not in run("status").out


def test_the_doctor_names_who_still_asks_the_old_folder(
    old: Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the new place the doctor warns of automations that asked the folder that was left."""
    if not is_left(old, named):
        pytest.skip("one gate folder for both places")
    assert run("store", "migrate", "--to", named).code == 0
    monkeypatch.setenv("WORKBENCH_STORE", named)

    def finding() -> str:
        found = {f["about"]: f for f in run("doctor", "--json").document}
        return str(found["gate folder that was left"]["finding"])

    assert finding() == f"nobody asks {old.gate} any more"
    Gate(old.gate).check("ticket-reply")
    assert finding().startswith(f"WARNING, still asked within a day: {old.gate}, by ticket-reply")
    monkeypatch.setenv("WORKBENCH_GATE", str(old.gate))
    assert "gate folder that was left" not in run("doctor").out


def test_a_restart_that_is_over_stays_so(
    old: Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tickets lie in the folder that is left, so its end is recorded before; one with runs left lets none through."""
    narrow = ("resume", "H-1", "--only", "automation=order-sync", "--runs")
    assert run(*narrow, "1", "--break-glass", "try", "--yes").code == 0
    with Gate(old.gate).run("order-sync", "r1"):
        pass
    assert run("store", "migrate", "--to", named).code == 0
    monkeypatch.setenv("WORKBENCH_STORE", named)
    assert "P-1 narrow restart is over: used its 1 runs" in run("status").out
    new = Settings.from_environment()
    assert verify_store(open_store(new, SystemClock())).is_ok
    assert Gate(new.gate).check("order-sync").state is PAUSED


def test_power_that_goes_at_the_mark_leaves_nothing_clear(
    old: Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the mark in the old place and what gates are told of it they are UNKNOWN; said again, gates hear why."""
    if not is_left(old, named):
        pytest.skip("one gate folder for both places")

    def lost(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("workbench.store.publishing.GateFolder.tell_moved", lost)
        assert run("store", "migrate", "--to", named).code == 130
    assert Gate(old.gate).check("ticket-reply").state is UNKNOWN
    assert run("status").code == 0
    assert Gate(old.gate).check("ticket-reply").state is UNKNOWN, "a look opens nothing"
    assert "moved there before" in run("store", "migrate", "--to", named).out
    assert Settings.at(named).place in Gate(old.gate).check("ticket-reply").reason

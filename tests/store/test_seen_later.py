"""A confirmation that comes after the pause has ended is recorded by whoever looks next, once, on either database."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import REGISTRY, Result, run
from tests.postgres_server import Server
from tests.store.ground import settings_in
from tests.store.several_hosts import a_mirror, as_mirror_account, on_host
from workbench.clock import FixedClock, SystemClock, from_text
from workbench.control import Control, open_control
from workbench.gate import Gate, GateState
from workbench.records import Event
from workbench.store import open_store
from workbench.store.store import MOVED_TO

NAME = "ticket-reply"


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the environment name a store with a registry, by the machine's clock."""
    for name, value in settings_in(place).as_environment().items():
        monkeypatch.setenv(name, value)
    (place / "automations.toml").write_text(REGISTRY)
    assert run("store", "init", "-e", "staging").code == 0
    assert run("registry", "apply", str(place / "automations.toml"), "--yes").code == 0
    assert run("pause", f"automation={NAME}", "-r", "why", "--yes", "--no-wait").code == 10
    return place


def seen(place: Path) -> list[Event]:
    """Return the events that say what was seen of the hold."""
    store = open_store(settings_in(place), SystemClock())
    return [e for e in store.events() if e.action == "hold.observe"]


def confirmed(place: Path) -> str:
    """Return when the log says that the hold was seen, or an empty text."""
    known = open_store(settings_in(place), SystemClock()).state().observed
    return str(known.get(("H-1", NAME), {}).get("confirmed_at", ""))


LOOKS: dict[str, Callable[[], Result]] = {
    "status": lambda: run("status"),
    "json": lambda: run("status", "--json"),
    "card": lambda: run("card", f"automation={NAME}"),
    "hold list": lambda: run("hold", "list"),
    "doctor": lambda: run("doctor"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_records_what_was_seen_once(here: Path, look: str) -> None:
    """After `pause --no-wait` a gate asks; the next look records when it did, and the one after adds nothing."""
    before = len(seen(here))
    LOOKS[look]()
    assert (len(seen(here)), confirmed(here)) == (before, "")
    began = SystemClock().now()
    assert run("gate", NAME).code == 20
    asked = SystemClock().now()
    LOOKS[look]()
    assert began <= from_text(confirmed(here)) <= asked, "the gate's own instant"
    count = len(seen(here))
    assert count == before + 1
    LOOKS[look]()
    assert run("status").code == 0
    assert len(seen(here)) == count


def test_a_hold_that_another_host_saw_is_confirmed_later(
    database_place: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without a mirror while it was paused reports when it is back; the next look records it, its mirror may not."""
    here = database_place
    other = as_mirror_account(postgres_server, here, "a")
    for name, value in settings_in(here).as_environment().items():
        monkeypatch.setenv(name, value)
    (here / "automations.toml").write_text(REGISTRY)
    assert run("store", "init", "-e", "staging").code == 0
    assert run("registry", "apply", str(here / "automations.toml"), "--yes").code == 0
    mirror = a_mirror(other, SystemClock())
    mirror.once()
    assert Gate(other.gate).check(NAME).state is GateState.CLEAR
    mirror.once()
    assert run("pause", f"automation={NAME}", "-r", "why", "--yes", "--no-wait").code == 10
    mirror.once()
    assert Gate(other.gate).check(NAME).state is GateState.PAUSED
    mirror.once()
    mirror.look = Control(mirror.store, SystemClock()).look
    said: list[str] = []
    mirror._look(said.append)
    assert ("is not recorded" in said[0], confirmed(here)) == (True, "")
    assert "UNCONFIRMED" not in run("status").out
    assert confirmed(here)


def test_two_who_look_at_once_record_it_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else recorded between the look and the commit is left out."""
    assert run("gate", NAME).code == 20
    control, other = open_control(settings_in(here)), open_control(settings_in(here))
    right = control.store.transact

    def late(*words: Any, **more: Any) -> Any:
        assert other.look() == ""
        return right(*words, **more)

    monkeypatch.setattr(control.store, "transact", late)
    before = len(seen(here))
    assert control.look() == ""
    assert len(seen(here)) == before + 1


def test_a_store_that_cannot_be_written_is_read_and_it_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the commit fails the status is printed all the same, and a line says what was not recorded."""
    assert run("gate", NAME).code == 20

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("workbench.store.store.Store.transact", full)
    found = run("status")
    assert (found.code, "paused" in found.out) == (0, True)
    assert "What gates have seen of H-1 is not recorded. No space left" in found.err
    assert confirmed(here) == ""


def test_a_recorded_clock_and_a_store_that_moved_record_nothing(here: Path) -> None:
    """Gates go by the machine's clock, which a recorded one is not; a place that was left takes no events."""
    assert run("gate", NAME).code == 20
    control = open_control(settings_in(here), FixedClock(SystemClock().now()))
    assert (control.look(), confirmed(here)) == ("", "")
    with control.store.backend.writing() as session:
        session.begin()
        session.insert_meta(MOVED_TO, "elsewhere")
        session.commit()
    assert (open_control(settings_in(here)).look(), confirmed(here)) == ("", "")


def test_a_watching_mirror_of_a_file_records_it(tmp_path: Path) -> None:
    """On one host the mirror may write, and does."""
    from tests.store.ground import a_control, pause

    control = a_control(tmp_path, SystemClock())
    pause(control)
    Gate(tmp_path / "gate").check("invoice-triage")
    mirror = a_mirror(on_host(tmp_path, "a"), SystemClock())
    mirror.look, said = control.look, []
    mirror._look(said.append)
    assert said == []
    assert control.state().observed["H-1", "invoice-triage"]["confirmed_at"]

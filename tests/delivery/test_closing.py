"""Whoever connects to an engine closes it again, however the work ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import run
from tests.delivery.place import a_place
from tests.delivery.shell import a_fleet
from tests.engines.fake_engine import Tricks
from workbench.clock import SystemClock
from workbench.delivery.fleet import Fleet
from workbench.engines.airflow import connect as airflow
from workbench.engines.binding import RegistryBinding
from workbench.engines.connecting import close
from workbench.engines.interface import Engine, EngineAddress
from workbench.engines.prefect import connect as prefect
from workbench.engines.temporal import connect as temporal
from workbench.errors import EngineError

PAUSE = ("pause", "kind=workflow", "-r", "x", "--yes")
COMMANDS = {
    "preview and pause": PAUSE,
    "resume": ("resume", "H-1", "--full", "--break-glass", "x", "--yes"),
    "serve": ("serve", "--once"),
    "probe": ("engine", "probe", "main"),
    "drill": ("drill", "main", "--yes", "--watch", "1", "--after", "1"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("is_away", [False, True])
def test_a_command_closes_what_it_opened(
    monkeypatch: pytest.MonkeyPatch, name: str, is_away: bool
) -> None:
    """Each command that speaks to an engine closes it as often as it connected, with or without answers."""
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 0.2)
    monkeypatch.setattr("workbench.control.engine_fleet.BRING_BACK_SECONDS", 0.2)
    monkeypatch.setattr("workbench.delivery.drilling.time.sleep", lambda _: None)
    engine = a_fleet(monkeypatch)
    if name == "resume":
        run(*PAUSE)
    if is_away:
        engine.tricks = Tricks(reads=away)  # type: ignore[arg-type]
        monkeypatch.setattr(engine, "probe", lambda: away(None))
    before = engine.opened_count
    run(*COMMANDS[name])
    assert engine.opened_count > before
    assert engine.closed_count == engine.opened_count


def away(_: object) -> None:
    """Stand for an engine that does not answer."""
    raise EngineError("fake.example:1 cannot be reached")


def test_an_inner_piece_of_work_closes_nothing(tmp_path: Path) -> None:
    """A preview inside of a delivery keeps its connection; after the outermost it is made anew when asked."""
    place = a_place(tmp_path)
    address = EngineAddress("fake", "fake", "http://fake.example:1")
    fleet = Fleet(
        {"fake": address}, place.control.store, SystemClock(), make=lambda *_, clock: place.engine
    )
    with fleet:
        assert fleet.engine("fake") is place.engine
        with fleet:
            assert fleet.notes(place.control.state().automations.values(), "drain")  # type: ignore[arg-type]
        assert place.engine.closed_count == 0
    assert place.engine.closed_count == 1
    with fleet:
        assert fleet.engine("fake") is place.engine
    assert place.engine.closed_count == 2


def test_an_adapter_without_an_end_is_let_go(tmp_path: Path) -> None:
    """One of another package has no `close`, or stumbles in it: neither ends a delivery."""

    class Old:
        engine = "old"

    class Odd:
        engine = "odd"

        def close(self) -> None:
            raise KeyError("socket")

    close(Old())
    made = {"old": Old(), "odd": Odd()}
    addresses = {name: EngineAddress(name, name, "http://h") for name in made}
    fleet = Fleet(
        addresses,
        a_place(tmp_path).control.store,
        SystemClock(),
        make=lambda address, *_, clock: made[address.kind],  # type: ignore[arg-type]
    )
    with fleet:
        assert fleet.engine("old") is made["old"]
        assert fleet.engine("odd") is made["odd"]


@pytest.mark.parametrize("connect", [prefect, airflow, temporal])
def test_our_adapters_have_an_end(connect) -> None:  # type: ignore[no-untyped-def]
    """Each closes its client, after which it asks nothing more."""
    address = EngineAddress("one", "one", "http://127.0.0.1:9", user="u", password="p")
    engine: Engine = connect(address, RegistryBinding((), "one"), clock=SystemClock())
    engine.close()
    with pytest.raises((EngineError, RuntimeError)):
        engine.probe()

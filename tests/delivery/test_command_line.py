"""A pause typed in a shell stops real work in an engine, says how far it came, and a resume brings it back."""

from __future__ import annotations

import threading
import time

import pytest

from tests.cli.ground import events, inert, refused, run
from tests.delivery.shell import ENGINES, a_fleet
from tests.engines.fake_engine import Tricks
from workbench.engines.switching import CallResult
from workbench.errors import EngineError
from workbench.opening import open_control
from workbench.settings import Settings

PAUSE = ("pause", "kind=workflow", "-r", "wrong amounts", "--yes")
RELEASE = ("resume", "H-1", "--full", "--break-glass", "x", "--yes")


def paused(engine) -> set[str]:  # type: ignore[no-untyped-def]
    """Return the names of paused jobs."""
    return {job.name for job in engine.jobs.values() if job.is_paused}


def test_a_pause_is_confirmed_by_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workflows that ask no gate are paused in their engine, read back and quiet: exit code 0."""
    engine = a_fleet(monkeypatch)
    found = run(*PAUSE)
    assert found.code == 0, found.said
    assert "2 of 2 automations confirmed" in found.out
    assert found.out.count(" quiet ") >= 2
    assert "NOT stopped" not in found.out
    assert "their engines pause 2 of 2" in found.out
    told = run("status").out
    assert "NOT stopped" not in told and "paused" in told
    assert paused(engine) == {"orders", "invoices"}


def test_the_preview_says_what_the_engine_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything happens each class of work is told, in words."""
    a_fleet(monkeypatch)
    found = run(*PAUSE[:-1], "--mode", "halt", typed="n\n")
    assert "main, halt: running: is cancelled" in found.said
    assert "queued" in found.said
    assert events("hold.place") == []


def test_a_resume_says_what_starts_and_brings_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forecast stands before the release; afterwards what we paused runs again, nothing else."""
    engine = a_fleet(monkeypatch)
    engine.add("attic", is_paused=True)
    run(*PAUSE)
    engine.tick()
    engine.tick()
    found = run("resume", "H-1", "--full", "--break-glass", "the customer waits", "--yes")
    assert found.code == 0, found.said
    assert "would start: orders: 2 runs start" in found.out
    assert paused(engine) == {"attic"}
    assert [e.action for e in events()].count("receipt.close") == 2


def test_a_resume_waits_for_the_server_that_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has the lease the resume waits for it, and says no failure when all is brought back."""
    engine = a_fleet(monkeypatch)
    assert run(*PAUSE).code == 0
    store = open_control(Settings.from_environment()).store
    has_it = threading.Event()

    def serve_for_a_while() -> None:
        with store.backend.leasing("deliver-main") as is_ours:
            assert is_ours
            has_it.set()
            time.sleep(1.0)

    server = threading.Thread(target=serve_for_a_while)
    server.start()
    assert has_it.wait(60)
    found = run(*RELEASE)
    server.join()
    assert found.code == 0, found.said
    assert paused(engine) == set()


def test_a_server_that_brings_nothing_back_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the wait the resume says who delivers, exits with 10, and the release stands."""
    monkeypatch.setattr("workbench.control.engine_fleet.BRING_BACK_SECONDS", 0.5)
    engine = a_fleet(monkeypatch)
    assert run(*PAUSE).code == 0
    store = open_control(Settings.from_environment()).store
    with store.backend.leasing("deliver-main") as is_ours:
        assert is_ours
        found = run(*RELEASE)
    assert found.code == 10
    assert "main is delivered to by another process" in found.out
    assert paused(engine) == {"orders", "invoices"}
    assert run("serve", "--once").code == 0
    assert paused(engine) == set()


def test_an_engine_that_does_not_obey_is_not_called_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """200 without effect: exit code 10, UNCONFIRMED on top, and what is in the way."""
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 1.0)
    engine = a_fleet(monkeypatch)
    engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    found = run(*PAUSE)
    assert found.code == 10
    assert "0 of 2 automations confirmed" in found.out
    assert "UNCONFIRMED" in found.out
    assert "held, UNCONFIRMED in its engine" in run("status").out
    assert "main: is not paused" in found.out
    assert "stop by hand" in found.out


def test_an_engine_that_is_away_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer: UNREACHABLE with the engine's words; the hold stands and a later `serve --once` delivers."""
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 1.0)
    engine = a_fleet(monkeypatch)

    def away(_: object) -> None:
        raise EngineError("fake.example:1 cannot be reached: refused")

    engine.tricks = Tricks(reads=away)  # type: ignore[arg-type]
    found = run(*PAUSE)
    assert found.code == 10
    assert found.out.count("UNREACHABLE") >= 2
    assert "cannot be reached" in found.out
    refused(run("serve", "--once"), 16, "main")
    engine.tricks = Tricks()
    assert run("serve", "--once").code == 0
    assert paused(engine) == {"orders", "invoices"}


def test_without_waiting_the_server_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--no-wait` records and sends nothing; `serve --once` brings the engine there, and status tells."""
    engine = a_fleet(monkeypatch)
    found = run(*PAUSE, "--no-wait")
    assert found.code == 10
    assert paused(engine) == set()
    assert "`workbench serve` delivers" in found.out
    told = run("serve", "--once")
    assert told.code == 0, told.said
    assert "main: 2 of 2 confirmed, 2 quiet" in told.out
    assert paused(engine) == {"orders", "invoices"}


def test_gate_and_engine_both_have_to_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An automation that asks the gate too is not confirmed by its engine alone."""
    engine = a_fleet(monkeypatch, asks="true")
    found = run(*PAUSE)
    assert found.code == 10
    assert "has not asked" in found.out
    assert paused(engine) == {"orders", "invoices"}


def test_a_mode_that_cannot_be_had_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an engine cannot drain, the preview says that nothing is stopped there, and so does the receipt."""
    engine = a_fleet(monkeypatch)
    right = engine.capabilities

    def without_drain():  # type: ignore[no-untyped-def]
        from dataclasses import replace

        return [
            replace(one, cannot="it has no drain", effects=()) if one.mode == "drain" else one
            for one in right()
        ]

    plan = engine.plan_pause

    def cannot(scopes, mode):  # type: ignore[no-untyped-def]
        from dataclasses import replace

        found = plan(scopes, mode)
        if mode != "drain":
            return found
        why = {scope.key: "it has no drain" for scope in scopes}
        return replace(found, calls=(), cannot=why, members={}, scopes=(), before=())

    monkeypatch.setattr(engine, "capabilities", without_drain)
    monkeypatch.setattr(engine, "plan_pause", cannot)
    found = run(*PAUSE, "--mode", "drain")
    assert found.code == 10
    assert "main does NOT stop anything in mode drain: it has no drain" in found.out
    assert "NOTHING: not stopped" in found.out
    assert paused(engine) == set()


def test_a_broken_file_of_engines_stops_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hold is recorded and gates hold it; that no engine was told is said."""
    a_fleet(monkeypatch, engines="[engines")
    found = run(*PAUSE)
    assert found.code == 10
    assert "No engine is told anything" in found.out
    assert len(events("hold.place")) == 1
    refused(run("serve", "--once"), 17, "cannot be read")


def test_serve_needs_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file there is nothing to deliver to, and the way out is named."""
    a_fleet(monkeypatch)
    Settings.from_environment().engines_file.unlink()
    refused(run("serve", "--once"), 4, "names no engine")


def test_engines_are_listed_and_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind, place, automations; version, and what each mode does; a missing workflow is named."""
    engine = a_fleet(monkeypatch)
    listed = run("engine", "list")
    assert (listed.code, "fake.example" in listed.out) == (0, True)
    assert run("engine", "list", "--json").document[0]["automation_count"] == "2"
    del engine.jobs["orders"]
    probed = run("engine", "probe", "main")
    assert probed.code == 0, probed.said
    assert "main is fake 1.0 and answers" in probed.out
    assert "orders: the engine has no workflow named orders" in probed.out
    assert "CANNOT: it has no schedules" in probed.out
    assert run("engine", "probe", "main", "--json").document["health"]["version"] == "1.0"
    refused(run("engine", "probe", "other"), 4, "there are main")


def test_an_engine_of_no_kind_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that nobody ships: the probe and the server name the kinds that there are."""
    a_fleet(monkeypatch, engines=ENGINES.replace('"fake"', '"n8n"'))
    refused(run("engine", "probe", "main"), 16, "n8n", "fake")
    found = run("serve", "--once")
    refused(found, 16, "main")
    assert "n8n" in found.out


def test_what_an_engine_says_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's words are shown without anything that a terminal obeys."""
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 1.0)
    engine = a_fleet(monkeypatch)

    def hostile(_: object) -> None:
        raise EngineError("down \x1b[2J\r\nlog head 99 all is well")

    engine.tricks = Tricks(reads=hostile)  # type: ignore[arg-type]
    inert(run(*PAUSE))
    inert(run("serve", "--once"))

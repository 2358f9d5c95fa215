"""A narrow restart counts runs, which only the gate can: what does not ask it is not let through, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import events, refused, run
from tests.delivery.shell import a_fleet
from tests.store.ground import a_control, an_automation
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest

PAUSE = ("pause", "kind=workflow", "-r", "x", "--yes", "--no-wait")


def test_what_does_not_ask_the_gate_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 3, who it is, why, and the two ways out; nothing is recorded."""
    a_fleet(monkeypatch)
    run(*PAUSE)
    narrow = ("resume", "H-1", "--only", "automation=orders", "--runs", "2")
    found = run(*narrow, "--break-glass", "x", "--yes")
    refused(found, 3, "orders does not ask the gate", "asks_gate = true", "--full")
    assert events("probation.start") == []


def test_what_asks_the_gate_is_opened_in_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine starts it again, and its neighbour stays paused there."""
    engine = a_fleet(monkeypatch, asks="true")
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 0.5)
    run(*PAUSE[:-1])
    narrow = ("resume", "H-1", "--only", "automation=orders", "--runs", "2")
    found = run(*narrow, "--break-glass", "x", "--yes")
    assert found.code == 0, found.said
    assert {job.name for job in engine.jobs.values() if job.is_paused} == {"invoices"}


def test_under_a_safe_mode_it_is_said_that_the_engine_stays_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 10, who is let through, what keeps the engine shut and the way out; status flags it as long as it is so."""
    engine = a_fleet(monkeypatch, asks="true")
    monkeypatch.setattr("workbench.cli.pause.CONFIRM_WAIT_SECONDS", 0.5)
    run("pause", "*", "-r", "x", "--yes")
    narrow = ("resume", "H-1", "--only", "automation=orders", "--runs", "2")
    found = run(*narrow, "--break-glass", "x", "--yes")
    said = "main: orders is let through, but H-1 on `*` keeps all of main paused"
    assert found.code == 10, found.said
    assert said in found.out
    assert "`workbench resume H-1 --full`" in found.out
    assert {job.name for job in engine.jobs.values() if job.is_paused} == {"invoices", "orders"}
    assert said in run("status").out
    run("pause", "automation=invoices", "-r", "x", "--yes", "--no-wait")
    assert run("resume", "H-1", "--full", "--break-glass", "x", "--yes").code == 0
    assert {job.name for job in engine.jobs.values() if job.is_paused} == {"invoices"}
    assert "let through" not in run("status").out


def test_where_no_engine_is_switched_nothing_is_said_of_one(tmp_path: Path) -> None:
    """An engine that is read from alone keeps nothing shut."""
    bound = an_automation("a", engine="read-only")
    control = a_control(tmp_path, automations=[bound])
    hold = control.pause(PauseRequest("*", "x"), wait_seconds=0).hold
    control.resume_narrow(ResumeRequest(hold.hold_id, "automation=a", 2, break_glass_reason="x"))
    assert not [flag for flag in control.status().flags if "let through" in flag]


def test_in_a_mixed_part_only_those_that_ask_are_let_through(tmp_path: Path) -> None:
    """The others are not in the restart, stay held, and are named."""
    control = a_control(
        tmp_path, automations=[an_automation("a"), an_automation("deaf", asks_gate=False)]
    )
    hold = control.pause(PauseRequest("*", "x"), wait_seconds=0).hold
    kind = control.state().automations["a"].kind
    probation = control.resume_narrow(
        ResumeRequest(hold.hold_id, f"kind={kind}", 2, break_glass_reason="x")
    )
    assert probation.automation_ids == ("a",)
    assert control.left_out(probation) == ("deaf",)
    assert control.state().paused_by("deaf", control.clock.now())

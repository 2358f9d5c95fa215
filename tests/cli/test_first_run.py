"""First run at the terminal and in the panel: shown before it is asked, named while it lasts, ended by a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_store, events, refused, run
from tests.control.test_first_run import vouch_for_the_gate
from workbench.clock import to_text
from workbench.control import open_control
from workbench.opening import open_control as open_with_evidence
from workbench.panels import resume_model
from workbench.panels.control_model import ControlModel
from workbench.panels.resume_model import ResumeWay
from workbench.settings import Settings

MEMBERS = REGISTRY.replace('members = ["duty officer"]', 'members = ["ann", "bo"]')
NEW = """
[automations.refund-bot]
kind = "agent"
category = "commerce"
environment = "production"
asks_gate = true
[automations.refund-bot.checklist]
trigger = "each refund"
input_data = "the refund queue"
output = "a booked refund"
approval_requirement = "above 100"
retry_behaviour = "none"
failure_notification = "pager 7"
kill_switch = "workbench pause"
"""


def be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Act as a person with a private folder of their own."""
    root = Settings.from_environment().store.parent
    monkeypatch.setenv("WORKBENCH_HOME", str(root / f"home-{name}"))


def two_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a production store in which ann and bo have keys and the gate was drilled, and act as ann."""
    a_store("production", MEMBERS)
    made = {}
    for name in ("bo", "ann"):
        be(monkeypatch, name)
        made[name] = run("key", "new").out.splitlines()[1]
    for name in ("ann", "bo"):
        words = ("key", "enrol", made[name], "--person", name, "--role", "ops-lead", "-y")
        assert run(*words).code == 0
    vouch_for_the_gate(open_control(Settings.from_environment()))


def register(*more: str) -> str:
    """Apply the registry with the new automation; returns what was said."""
    path = Settings.from_environment().store.parent / "automations.toml"
    path.write_text(MEMBERS + NEW, encoding="utf-8")
    return run("registry", "apply", str(path), *more).said


def load_runs(**modes: str) -> None:
    """Load runs of the new automation, id=run_mode."""
    settings = Settings.from_environment()
    path = Path(settings.store.parent / f"runs-{'-'.join(modes)}.jsonl")
    at = to_text(settings.clock().now())
    rows = [
        {
            "run_id": run_id, "automation_id": "refund-bot", "environment": "staging", "kind": "agent",
            "category": "commerce", "engine": "cron", "status": "succeeded", "run_mode": mode, "first_seen_at": at,
        }
        for run_id, mode in modes.items()
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run("load", "--table", "run", "--source", "cron", str(path), "--no-progress")
    assert done.code == 0, done.said


def test_from_registered_to_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown, held, reviewed run by run, released by another person; every screen says where it stands."""
    two_people(monkeypatch)
    shown = register()
    assert "refund-bot is new in production, held: not ready: lacks reviewed runs (0 of 3)" in shown
    assert "--already-running" in shown and events("hold.place") == []
    register("--yes")
    (event,) = events("hold.place")
    assert event.payload["purpose"] == "guard"
    lines = run("status").out.splitlines()
    assert any("refund-bot" in x and "paused, not ready: lacks reviewed" in x for x in lines)
    assert any(x.startswith("H-1  automation=refund-bot  not ready: lacks") for x in lines)
    (held,) = run("status", "--json").document["holds"]
    assert held["lacks"] == ["reviewed runs (0 of 3)"]
    card = run("card", "automation=refund-bot").out
    assert "workbench hold release H-1" in card and "first run            not ready: lacks" in card
    assert run("gate", "refund-bot").code == 20
    refused(run("hold", "release", "H-1", "-y"), 3, "is not ready", "workbench reviewed RUN_ID")
    be(monkeypatch, "bo")
    load_runs(d1="dry_run", d2="read_only", d3="staging", d4="live")
    refused(run("reviewed", "d4", "-r", "x"), 3, "it ran live", "workbench sql")
    refused(run("reviewed", "d9", "-r", "x"), 4, "No run d9 is loaded", "workbench load")
    assert "still lacks reviewed runs (1 of 3)" in run("reviewed", "d1", "-r", "good").out
    run("reviewed", "d2", "-r", "good")
    done = run("reviewed", "d3", "-r", "good")
    assert "`workbench hold release H-1`" in done.out, done.said
    assert "ready, a person may release it" in run("hold", "list").out
    refused(run("hold", "release", "H-1", "-y"), 3, "other than bo, who releases")
    be(monkeypatch, "ann")
    assert "H-1 released" in run("hold", "release", "H-1", "-y").out
    assert run("gate", "refund-bot").code == 0


def test_a_run_of_two_sources_is_asked_for_by_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two sources know a run of that id, the refusal names them and the option."""
    two_people(monkeypatch)
    register("--yes")
    load_runs(d1="dry_run")
    path = Settings.from_environment().store.parent / "runs-d1.jsonl"
    assert run("load", "--table", "run", "--source", "other", str(path)).code == 0
    refused(run("reviewed", "d1", "-r", "x"), 3, "cron, other", "--source cron")
    assert run("reviewed", "d1", "-r", "x", "--source", "other").code == 0
    assert events("run.review")[0].target == "other/d1"
    refused(
        run("reviewed", "d1", "--source", "third", "-r", "x"), 4, "of third is loaded; cron, other"
    )


def test_what_runs_already_is_said_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken over with a reason: no hold, and a flag that names who said so."""
    two_people(monkeypatch)
    said = register("--already-running", "live since spring", "--yes")
    assert "refund-bot is new in production, taken over without a hold" in said
    assert events("hold.place") == []
    assert "flagged: taken over as already running, not ready" in run("status").out
    assert "live since spring" in run("card", "automation=refund-bot").out


def test_the_panel_says_what_is_lacking_and_releases_what_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The resume form of a first-run hold asks for no decision: for what is lacking, and then for a click."""
    monkeypatch.setattr(resume_model, "SETTLE_SECONDS", 0)
    two_people(monkeypatch)
    register("--yes")
    be(monkeypatch, "bo")
    model = ControlModel(open_with_evidence(Settings.from_environment()))
    assert model.holds[0].state_in_words == "not ready: lacks reviewed runs (0 of 3)"
    model.choose_resume("H-1")
    model.resume.way = ResumeWay.FULL
    model.resume.arm()
    assert "not ready: lacks reviewed runs" in model.resume.message.text
    assert "workbench reviewed RUN_ID" in model.resume.message.next_step
    be(monkeypatch, "ann")
    load_runs(d1="dry_run", d2="dry_run", d3="dry_run")
    for run_id in ("d1", "d2", "d3"):
        assert run("reviewed", run_id, "-r", "good").code == 0
    model.refresh()
    model.choose_resume("H-1")
    model.resume.way = ResumeWay.FULL
    model.resume.arm()
    assert model.resume.armed is not None
    assert model.resume.armed.sentence == "Confirm: release H-1 whole, ready for its first run"
    model.resume.confirm()
    assert "H-1 is released" in model.resume.message.text
    assert open_control(Settings.from_environment()).state().standing_holds() == []

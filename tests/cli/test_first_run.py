"""First run at the terminal and in the panel: shown before it is asked, named while it lasts, ended by a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_hold, a_store, events, refused, run
from tests.control.test_first_run import vouch_for_the_gate
from workbench.clock import to_text
from workbench.control import open_control
from workbench.opening import open_control as open_with_evidence
from workbench.panels import resume_model
from workbench.panels.control_model import ControlModel
from workbench.panels.form_html import draw_hold
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
    assert any("refund-bot" in x and "paused, not ready  H-1" in x for x in lines)
    assert any(x.startswith("H-1  automation=refund-bot  not ready: lacks") for x in lines)
    assert "\n".join(lines).count("lacks") == 1, "said once, at the hold"
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
    assert run("reviewed", "d2", "-r", "good", "--yes").code == 0, "typed out of habit"
    done = run("reviewed", "d3", "-r", "good")
    assert "`workbench hold release H-1`" in done.out, done.said
    for words in (("hold", "list"), ("status",), ("card", "automation=refund-bot")):
        assert "ready, a person may release it" in (said := run(*words).out)
        assert "lacks" not in said, "what it lacked when it was placed is no reason any more"
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


def test_the_card_of_a_first_run_asks_for_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hold lacks stands there as commands: the drill, where it is taken over, the runs, the release."""
    two_people(monkeypatch)
    monkeypatch.setattr("workbench.store.readiness.drill_fault", lambda *_, **__: "never drilled")
    register("--yes")
    lines = run("card", "automation=refund-bot").out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("To let it run first: "))
    assert "workbench drill gate --kind agent in the staging store" in lines[first]
    assert "workbench engine certify gate --from STAGING-STORE" in lines[first]
    assert "workbench reviewed RUN_ID --reason TEXT" in lines[first + 1]
    assert lines[first + 2].strip() == "workbench hold release H-1"


def test_an_incident_on_a_first_run_has_both_ways_on_its_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guard is released for being ready, the other hold reviewed and decided; no id stands in both."""
    two_people(monkeypatch)
    register("--yes")
    a_hold("automation=refund-bot")
    card = run("card", "automation=refund-bot").out
    assert "To restart it: workbench review H-2, then" in card
    assert "workbench hold release H-1" in card and "review H-1" not in card


def test_an_incident_on_what_was_taken_over_is_reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No first-run hold stands on it: its card names the review of the hold that does, and nothing of a first run."""
    two_people(monkeypatch)
    register("--already-running", "live since spring", "--yes")
    a_hold("automation=refund-bot")
    card = run("card", "automation=refund-bot").out
    assert "To restart it: workbench review H-1, then workbench decide R-N" in card
    assert "To let it run first" not in card and "hold release" not in card


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
    (ready,) = model.holds
    assert "lacks" not in draw_hold(ready), (
        "what it lacked when it was placed is no reason any more"
    )
    assert "ready, a person may release it" in draw_hold(ready)
    model.choose_resume("H-1")
    model.resume.way = ResumeWay.FULL
    model.resume.arm()
    assert model.resume.armed is not None
    assert model.resume.armed.sentence == "Confirm: release H-1 whole, ready for its first run"
    model.resume.confirm()
    assert "H-1 is released" in model.resume.message.text
    assert open_control(Settings.from_environment()).state().standing_holds() == []

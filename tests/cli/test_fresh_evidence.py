"""One path for every surface: command line, panel and Python refuse old evidence alike, and the named command mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import workbench as wb
from tests.cli.ground import AGENT_IDS, a_hold, a_report, a_store, events, refused, run
from workbench.clock import to_text
from workbench.control.deciding import DecideRequest
from workbench.control.resuming import ResumeRequest
from workbench.errors import Refused
from workbench.opening import open_control
from workbench.panels import resume_model
from workbench.panels.resume_model import ResumeModel
from workbench.records import VerdictKind
from workbench.settings import Settings

WORDS = ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "1", "--yes")


def load_runs(path: Path, until: datetime) -> None:
    """Load one run of each agent from a file that is complete until an instant, by the command line."""
    rows = [
        {
            "run_id": f"{name}-{until:%H%M%S%f}",
            "automation_id": name,
            "environment": "staging",
            "kind": "agent",
            "category": "commerce",
            "engine": "cron",
            "status": "succeeded",
            "first_seen_at": to_text(until - timedelta(hours=1)),
        }
        for name in AGENT_IDS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ("--table", "run", "--source", "billing-cron", "--complete-until", to_text(until))
    done = run("load", *words, str(path), "--no-progress")
    assert done.code == 0, done.said


def by_command_line() -> str:
    """Resume at the terminal; returns what was said, with the next step."""
    return run(*WORDS).said


def by_python() -> str:
    """Resume as a notebook does, with the public name."""
    control = wb.open_control(Settings.from_environment())
    try:
        control.resume_narrow(ResumeRequest("H-1", "automation=ticket-reply", 1, decision_id="D-1"))
    except Refused as exc:
        return f"{exc.message} {exc.then}"
    return "may run"


def by_panel() -> str:
    """Resume in the panel's form."""
    control = open_control(Settings.from_environment())
    model = ResumeModel(control)
    model.choose(control.holds()[0])
    model.only, model.runs, model.decision_id = "automation=ticket-reply", 1, "D-1"
    model.arm()
    model.confirm()
    return f"{model.message.text} {model.message.next_step}"


@pytest.mark.parametrize("attempt", [by_command_line, by_python, by_panel])
def test_every_surface_asks_for_the_same(
    attempt: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing loaded, loaded before the decision, loaded since: refused, refused, resumed."""
    monkeypatch.setattr(resume_model, "SETTLE_SECONDS", 0)
    control = a_store()
    a_hold()
    report = a_report(verdict=VerdictKind.RESTART_NARROW, ids=AGENT_IDS)
    load_before = control.clock.now()
    control.decide(DecideRequest(report.report_id))
    said = attempt()
    assert "no loaded source tells of runs of ticket-reply" in said
    assert "workbench sync ENGINE" in said
    load_runs(tmp_path / "before.jsonl", load_before)
    said = attempt()
    assert "run of billing-cron is loaded until" in said and "before the decision" in said
    assert "`workbench load --table run --source billing-cron FILE --complete-until" in said
    assert events("probation.start") == []
    load_runs(tmp_path / "since.jsonl", control.clock.now())
    said = attempt()
    (event,) = events("probation.start")
    assert event.payload["evidence"][0][:2] == ["billing-cron", "run"], said


def test_break_glass_overrides_it_and_is_flagged() -> None:
    """Without a single loaded run break-glass still opens, and the status says so until it is reviewed."""
    a_store()
    a_hold()
    refused(run(*WORDS), 3, "is not resumed without a decision")
    assert run(*WORDS, "--break-glass", "customers wait").code == 0
    assert "by break-glass: customers wait" in run("status").out

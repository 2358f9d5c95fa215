"""Keys, policy and sign-offs at the terminal: two people, each with a private folder of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_decision, a_hold, a_store, refused, run
from workbench.records import VerdictKind
from workbench.settings import Settings

MEMBERS = REGISTRY.replace('members = ["duty officer"]', 'members = ["ann", "bo"]')
PLAN = ("H-1", "--only", "automation=ticket-reply", "--runs", "3")


def test_two_people_restart_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, a policy, a refusal that names the next command, request, sign-off and resume."""
    a_store("production", MEMBERS)
    root = Settings.from_environment().home.parent
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-ann"))
    ann = run("key", "new")
    assert (root / "home-ann" / "key.json").stat().st_mode & 0o777 == 0o600
    refused(run("key", "new"), 3, "There is a key in")
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-bo"))
    bo = run("key", "new")
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-ann"))
    for person, made in (("ann", ann), ("bo", bo)):
        public = made.out.splitlines()[1]
        found = run("key", "enrol", public, "--person", person, "--role", "ops-lead", "-y")
        assert found.code == 0, found.said
    path = Path(root / "policy.toml")
    path.write_text("[production]\nsignoffs_required = 1\nsignoff_valid_seconds = 600\n")
    assert run("policy", "check", str(path), "-e", "production").code == 0
    assert run("policy", "apply", str(path), "-y").code == 0
    refused(run("policy", "apply", str(path), "-y"), 3, "in force already")
    assert json.loads(run("policy", "show", "--json").out)["signoff_valid_seconds"] == 600
    a_hold()
    a_decision(verdict=VerdictKind.RESTART_FULL)
    refused(run("resume", *PLAN, "-y"), 3, "none was asked for", "workbench signoff request H-1")
    assert "workbench signoff give S-1" in run("signoff", "request", *PLAN).out
    refused(run("signoff", "give", "S-1", "-y"), 3, "was asked for by ann")
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-bo"))
    assert run("signoff", "give", "S-1", "-y").code == 0
    assert "ready" in run("signoff", "list").out
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-ann"))
    assert run("resume", *PLAN, "-y").code == 0
    assert "was used at event" in run("signoff", "list", "--json").document[0]["why_not"]
    key_id = next(k["key_id"] for k in run("key", "list", "--json").document if k["person"] == "bo")
    assert "counts no more" in run("key", "revoke", key_id, "-r", "lost", "-y").out
    assert "revoked" in run("key", "list").out


def test_two_people_weaken_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is weaker is shown, refused to one person, asked for, and applied by the other; status shows the wish."""
    a_store("production", MEMBERS)
    root = Settings.from_environment().home.parent
    public = {}
    for name in ("bo", "cy", "ann"):
        monkeypatch.setenv("WORKBENCH_HOME", str(root / f"home-{name}"))
        public[name] = run("key", "new").out.splitlines()[1]
    for name in ("ann", "bo"):
        words = ("key", "enrol", public[name], "--person", name, "--role", "ops-lead", "-y")
        assert run(*words).code == 0
    assert "ann for bo" in run("key", "list").out
    path = Path(root / "policy.toml")
    path.write_text("[production]\nsignoffs_required = 0\nclean_runs = 5\n")
    found = run("policy", "apply", str(path), "-y")
    refused(found, 3, "weaker in signoffs_required, clean_runs", "workbench policy request FILE")
    assert "weaker than now: clean_runs 59 -> 5 (runs without a failure" in found.out
    assert (
        "Next, by another person: `workbench policy apply FILE`"
        in run("policy", "request", str(path)).out
    )
    assert "flagged: asked by ann: a policy that is weaker in" in run("status").out
    third = (public["cy"], "--person", "cy", "--role", "ops-lead")
    refused(run("key", "enrol", *third, "-y"), 3, "needs two persons", "workbench key request")
    assert run("key", "request", *third).code == 0
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-bo"))
    assert run("policy", "apply", str(path), "-y").code == 0
    refused(run("policy", "request", str(path)), 3, "weaker in nothing", "policy apply FILE")
    assert "from event" in run("key", "enrol", *third, "-y").out
    assert "bo for cy" in run("key", "list").out


def test_hold_release_is_a_full_resume() -> None:
    """`hold release` asks for the same grounds as `resume --full` and records the same event."""
    a_store()
    a_hold()
    refused(run("hold", "release", "H-1", "-y"), 3, "is not resumed without a decision")
    a_decision(
        verdict=VerdictKind.RESTART_FULL, ids=("invoice-triage", "price-lookup", "ticket-reply")
    )
    assert "H-1 released" in run("hold", "release", "H-1", "-y").out

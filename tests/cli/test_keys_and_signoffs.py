"""Keys, policy and sign-offs at the terminal: two people, each with a private folder of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.ground import (
    AGENT_IDS,
    REGISTRY,
    a_decision,
    a_hold,
    a_report,
    a_store,
    a_sync,
    refused,
    run,
)
from tests.cli.test_first_run import be, two_people
from workbench.opening import open_control
from workbench.records import VerdictKind
from workbench.reports.shelf import Shelf
from workbench.settings import Settings

MEMBERS = REGISTRY.replace('members = ["duty officer"]', 'members = ["ann", "bo"]')
PLAN = ("H-1", "--only", "automation=ticket-reply", "--runs", "3")


def shelve(report_id: str) -> Path:
    """Put a page where this person's own report lies, as a review does."""
    settings = Settings.from_environment()
    folder = Shelf(settings.home, open_control(settings).state().store_id).place_of(report_id)
    folder.mkdir(parents=True)
    page = folder / "restart-decision.html"
    page.write_text("<h1>Restart decision</h1>", encoding="utf-8")
    return page


def test_who_signs_reads_where_the_report_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it in their own folder is given its place before they are asked, and that it goes against the report."""
    two_people(monkeypatch)
    a_hold("kind=agent")
    a_report(verdict=VerdictKind.KEEP_PAUSED, ids=AGENT_IDS)
    words = ("--override", "restart_narrow", "-r", "month end", "-y")
    assert run("decide", "R-1", *words).code == 0
    a_sync(*AGENT_IDS)
    assert run("signoff", "request", *PLAN).code == 0
    be(monkeypatch, "bo")
    page = shelve("R-1")
    shown = run("signoff", "give", "S-1", typed="n\n")
    assert "It rests on D-1, restart_narrow, AGAINST R-1, by " in shown.out
    assert f"R-1 said keep_paused: {page}" in shown.out
    assert "lies in the WORKBENCH_HOME" not in shown.out
    assert run("signoff", "list", "--json").document[0]["signer_keys"] == []


def test_two_people_restart_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, a policy, a refusal that names the next command, request, sign-off and resume."""
    a_store("production", MEMBERS)
    root = Settings.from_environment().home.parent
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-ann"))
    ann = run("key", "new")
    assert (root / "home-ann" / "key.json").stat().st_mode & 0o777 == 0o600
    public = ann.out.splitlines()[1]
    refused(
        run("key", "new"), 3, "There is a key in", f"`workbench key enrol {public} --person NAME"
    )
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
    a_report("H-1", VerdictKind.RESTART_FULL)
    decided = run("decide", "R-1", "-y").out
    assert "      `workbench signoff request H-1 --full --decision D-1`," in decided
    assert decided.index("signoff request") < decided.index("`workbench resume H-1 --full")
    a_sync(*AGENT_IDS)
    refused(run("resume", *PLAN, "-y"), 3, "none was asked for", "workbench signoff request H-1")
    page = shelve("R-1")
    asked = run("signoff", "request", *PLAN, "--yes").out
    assert "workbench signoff give S-1" in asked
    assert f"Send them R-1, for your WORKBENCH_HOME is yours alone: {page}" in asked
    refused(run("signoff", "give", "S-1", "-y"), 3, "was asked for by ann")
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-bo"))
    given = run("signoff", "give", "S-1", "-y")
    assert given.code == 0
    assert "It rests on D-1, restart_full, by " in given.out
    assert "R-1 said restart_full; it lies in the WORKBENCH_HOME of " in given.out
    assert "Ask for its HTML file" in given.out and "`workbench review H-1`" in given.out
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
    refused(
        found,
        3,
        "weaker in signoffs_required, clean_runs",
        f"workbench policy request {path}`, then another person `workbench policy apply {path}`",
    )
    assert "weaker than now: clean_runs 59 -> 5 (runs without a failure" in found.out
    assert (
        f"Next, by another person: `workbench policy apply {path}`"
        in run("policy", "request", str(path)).out
    )
    assert "flagged: asked by ann: a policy that is weaker in" in run("status").out
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-di"))
    di = run("key", "new").out
    assert "two persons who have a key here (ann, bo): one types `workbench key request" in di
    assert "then another `workbench key enrol" in di
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-ann"))
    third = (public["cy"], "--person", "cy", "--role", "ops-lead")
    refused(run("key", "enrol", *third, "-y"), 3, "needs two persons", "workbench key request")
    assert run("key", "request", *third).code == 0
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "home-bo"))
    assert run("policy", "apply", str(path), "-y").code == 0
    refused(run("policy", "request", str(path)), 3, "weaker in nothing", f"policy apply {path}")
    assert "from event" in run("key", "enrol", *third, "-y").out
    assert "bo for cy, ann had asked" in run("key", "list").out


def test_hold_release_is_a_full_resume() -> None:
    """`hold release` asks for the same grounds as `resume --full` and records the same event."""
    a_store()
    a_hold()
    refused(run("hold", "release", "H-1", "-y"), 3, "is not resumed without a decision")
    a_decision(
        verdict=VerdictKind.RESTART_FULL, ids=("invoice-triage", "price-lookup", "ticket-reply")
    )
    assert "H-1 released" in run("hold", "release", "H-1", "-y").out


def test_a_key_of_no_member_is_warned_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person whom the registry does not name in the role is told of with the members, before the key counts."""
    a_store("production", MEMBERS)
    public = run("key", "new").out.splitlines()[1]
    found = run("key", "enrol", public, "--person", "eve", "--role", "ops-lead", "-y")
    assert found.code == 0
    assert "WARNING: the registry names ann" in found.out
    assert "as ops-lead, and not eve" in found.out
    assert found.out.index("WARNING") < found.out.index("counts as eve")


def test_a_policy_file_is_checked_whole_without_an_environment(tmp_path: Path) -> None:
    """`policy check FILE` checks each table; a file without one is refused."""
    path = tmp_path / "policy.toml"
    path.write_text("[production]\nclean_runs = 5\n[staging]\n")
    found = run("policy", "check", str(path))
    assert (found.code, "valid for production" in found.out, "valid for staging" in found.out) == (
        0,
        True,
        True,
    )
    path.write_text("")
    refused(run("policy", "check", str(path)), 17, "has no table", "as [production]")

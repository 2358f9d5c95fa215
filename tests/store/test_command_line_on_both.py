"""The daily commands on both databases: made, paused, asked, verified, migrated, with the place in every line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, run
from tests.store.ground import settings_in
from tests.store.test_migrating import workbench_of_schema_1
from workbench.settings import Settings


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the environment name the store of a place."""
    for name, value in settings_in(place).as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment().place == settings_in(place).place
    return place


def a_registered_store(here: Path) -> None:
    """Make the store and say which automations there are."""
    (here / "automations.toml").write_text(REGISTRY)
    assert run("store", "init", "-e", "staging").code == 0
    assert run("registry", "apply", str(here / "automations.toml"), "--yes").code == 0


def test_the_daily_verbs_work_and_name_the_place(here: Path) -> None:
    """pause, status, gate, hold, resume, audit and doctor end as they should on either database."""
    a_registered_store(here)
    where = settings_in(here).place
    paused = run(
        "pause", "automation=order-sync", "--reason", "wrong amounts", "--yes", "--no-wait"
    )
    assert (paused.code, where in paused.out) == (10, True)
    assert run("gate", "order-sync").code == 20
    status = run("status", "--json")
    assert status.document["store"]["place"] == where
    assert [
        a["state"] for a in status.document["automations"] if a["automation_id"] == "order-sync"
    ] == ["paused"]
    assert where in run("status").out
    assert "H-1" in run("hold", "list").out
    assert run("resume", "H-1", "--full", "--break-glass", "x", "--yes").code == 0
    assert run("gate", "order-sync").code == 0
    verified = run("audit", "verify")
    assert (verified.code, "ok to" in verified.out) == (0, True)
    examined = run("doctor")
    assert where in examined.out
    assert "WRONG" not in "".join(
        line
        for line in examined.out.splitlines()
        if line.startswith(("store", "audit", "gate", "SQLite"))
    )


def test_a_second_init_is_refused(here: Path) -> None:
    """Where a store is, another is not made, and the place is named."""
    a_registered_store(here)
    again = run("store", "init", "-e", "staging")
    assert (again.code, settings_in(here).place in again.err) == (3, True)


def test_a_missing_store_is_said_to_be_missing(here: Path) -> None:
    """A reading command makes nothing: exit code 15, and the command that makes one."""
    found = run("status")
    assert found.code == 15
    assert "There is no store in" in found.err
    assert "workbench store init" in found.err


def test_an_old_store_is_migrated_by_the_command_that_is_named(here: Path) -> None:
    """A pause on an older schema is spooled and names the command; the next command records what was spooled."""
    with workbench_of_schema_1():
        a_registered_store(here)
    words = ("pause", "*", "--reason", "x", "--yes", "--no-wait")
    refused = run(*words)
    assert (refused.code, "workbench store migrate" in refused.err) == (11, True)
    done = run("store", "migrate")
    assert (done.code, "from schema 1 to 3" in done.out) == (0, True)
    assert "it was before it lies in" in done.out
    assert "already" in run("store", "migrate").out
    assert run(*words).code == 10
    assert [hold["reason"] for hold in json.loads(run("hold", "list", "--json").out)] == ["x", "x"]
    assert run("audit", "verify").code == 0


def test_a_store_is_moved_by_a_command(
    here: Path, other_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`store migrate --to` moves it; the old place refuses with the new one named; said twice it changes nothing."""
    a_registered_store(here)
    named = settings_in(other_place).as_environment()["WORKBENCH_STORE"]
    done = run("store", "migrate", "--to", named)
    assert (done.code, done.err) == (0, "")
    assert "byte for byte" in done.out
    assert settings_in(other_place).place in done.out
    refused = run("pause", "*", "--reason", "x", "--yes", "--no-wait")
    assert (refused.code, settings_in(other_place).place in refused.err) == (3, True)
    assert "was moved to" in run("doctor").out
    assert "moved there before" in run("store", "migrate", "--to", named).out
    monkeypatch.setenv("WORKBENCH_STORE", named)
    assert run("audit", "verify").code == 0
    assert run("pause", "*", "--reason", "x", "--yes", "--no-wait").code == 10


def test_an_address_of_another_kind_is_refused(here: Path) -> None:
    """`--to` takes a folder or a PostgreSQL address."""
    a_registered_store(here)
    found = run("store", "migrate", "--to", "mysql://host/db")
    assert (found.code, "mysql" in found.err) == (17, True)

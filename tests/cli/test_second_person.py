"""A production store says from the first key on that it takes a second person, and what that person types."""

from __future__ import annotations

import pytest

from tests.cli.ground import REGISTRY, a_store, run
from tests.cli.test_first_run import MEMBERS, be, two_people

ALONE = "production asks for a sign-off of another person before a resume, and only ann can sign"
ENROL = "`workbench key enrol PUBLIC-KEY --person NAME --role ROLE`"


def keys_of_doctor() -> dict[str, str]:
    """Return what the doctor says of keys."""
    return next(row for row in run("doctor", "--json").document if row["about"] == "keys")


def test_one_key_in_production_is_one_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrolling the first key and the doctor both say that another person is needed, and how they come in."""
    a_store("production", MEMBERS)
    be(monkeypatch, "ann")
    public = run("key", "new").out.splitlines()[1]
    said = run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y").out
    assert ALONE in said and ENROL in said
    found = keys_of_doctor()
    assert found["finding"].startswith(f"WARNING, {ALONE}") and ENROL in found["next_step"]


def test_store_init_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a production store with a key of theirs reads it before anything is paused."""
    be(monkeypatch, "ann")
    words = ("--environment", "production", "--key", "--person", "ann", "--role", "ops-lead")
    assert ALONE in run("store", "init", *words).out


def test_two_persons_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is said once another person has a key, nor where policy asks for no sign-off."""
    two_people(monkeypatch)
    assert keys_of_doctor()["finding"].startswith("2 of 2 persons")
    assert "can sign" not in run("status").out


def test_staging_needs_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where policy asks for no sign-off, one key is enough."""
    a_store("staging", REGISTRY)
    be(monkeypatch, "ann")
    public = run("key", "new").out.splitlines()[1]
    said = run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y").out
    assert "can sign" not in said
    assert keys_of_doctor()["finding"].startswith("1 of 1 person")


def test_two_keys_of_one_person_are_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Persons count, not keys."""
    a_store("production", MEMBERS)
    made = []
    for place in ("laptop", "desk"):
        be(monkeypatch, place)
        made.append(run("key", "new").out.splitlines()[1])
    be(monkeypatch, "laptop")
    for public in made:
        run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y")
    assert ALONE in keys_of_doctor()["finding"]

"""The doctor asks each engine of the file, and counts what an engine stops as within reach of a pause."""

from __future__ import annotations

import pytest

from tests.cli.ground import run
from tests.delivery.shell import a_fleet
from workbench.errors import EngineError
from workbench.settings import Settings


def told(about: str) -> dict[str, object]:
    """Return the doctor's line about something."""
    found = run("doctor", "--json")
    (line,) = [one for one in found.document if one["about"] == about]
    return dict(line)


def test_an_engine_that_answers_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind and version stand there, and its automations are within reach although they do not ask the gate."""
    engine = a_fleet(monkeypatch)
    line = told("engine main")
    assert (line["is_well"], "answers" in str(line["finding"])) == (True, True)
    assert told("reach of a pause")["is_well"]
    assert engine.opened_count >= 1


def test_an_engine_that_is_away_or_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says stands there with what to type; exit code 15, and nothing else of the doctor is lost."""
    engine = a_fleet(monkeypatch)

    def refuse() -> None:
        raise EngineError("fake.example:1 refuses the credentials (401)")

    monkeypatch.setattr(engine, "probe", refuse)
    assert run("doctor").code == 15
    line = told("engine main")
    assert not line["is_well"]
    assert "refuses the credentials" in str(line["finding"])
    assert "workbench engine probe main" in str(line["next_step"])
    assert told("audit log")["is_well"]


def test_what_makes_its_answers_doubtful_is_no_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that answers and plans no starts is not well."""
    from dataclasses import replace

    engine = a_fleet(monkeypatch)
    right = engine.probe()
    monkeypatch.setattr(engine, "probe", lambda: replace(right, findings=("no scheduler runs",)))
    line = told("engine main")
    assert (line["is_well"], "no scheduler runs" in str(line["finding"])) == (False, True)


def test_a_broken_file_of_engines_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is examined all the same, and the automations of engines count as out of reach."""
    a_fleet(monkeypatch)
    Settings.from_environment().engines_file.write_text("[engines.main]\nkind = 3\n")
    line = told("engines")
    assert not line["is_well"] and "[engines.main]" in str(line["finding"])
    assert not told("reach of a pause")["is_well"]


def test_without_a_file_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no engine reads nothing of engines."""
    a_fleet(monkeypatch)
    Settings.from_environment().engines_file.unlink()
    assert not [
        one for one in run("doctor", "--json").document if one["about"].startswith("engine")
    ]

"""One home may serve the stores of staging and production: neither is seen in the other's reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.reports import little_incident as story
from workbench.clock import FixedClock
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.registry import read_registry
from workbench.reports.derive import ReviewWish, parameters_for_hold
from workbench.reports.make import MadeReport, make_report
from workbench.settings import Settings
from workbench.store import init_store

pytestmark = pytest.mark.slow


def another_store(settings: Settings, root: Path) -> tuple[Settings, Control]:
    """Make a staging store beside the story's in the same home, with the same automations and a hold H-1 of its own."""
    mine = dataclasses.replace(settings, store=root / "store-2", gate=root / "gate-2")
    init_store(mine, FixedClock(story.at(-9)), environment="staging", actor="ops-lead")
    registry = root / "staging.toml"
    registry.write_text(story.registry_text().replace('"production"', '"staging"'))
    open_control(mine, FixedClock(story.at(-4))).apply_registry(read_registry(registry))
    open_control(mine, FixedClock(story.at(101))).pause(
        PauseRequest("kind=workflow", "a rehearsal"), wait_seconds=0
    )
    return mine, open_control(mine)


def reviewed(settings: Settings, control: Control) -> tuple[MadeReport, dict[str, Any]]:
    """Review H-1; returns the report, and its verdict without the positions that it was sealed to."""
    given = parameters_for_hold(control.state(), ReviewWish("H-1"), as_of=control.clock.now())
    made = make_report(control, settings, name="restart-decision", given=given)
    assert made.incomplete_because is None
    document = json.loads((made.folder / "verdict.json").read_text())
    # What a check says of the log counts its events, of which the first report is one more.
    checks = [(c["name"], c["status"], c["number"]) for c in document["checks"]]
    said = {key: document[key] for key in ("verdict", "reason", "first_blocker")}
    return made, {**said, "checks": checks}


def test_the_reports_of_two_stores_in_one_home_do_not_meet(tmp_path: Path) -> None:
    """Each has its own H-1 and its own R-1; what one reviews is the same before and after the other was there."""
    settings, control = story.set_up(tmp_path)
    first, before = reviewed(settings, control)
    mine, other = another_store(settings, tmp_path)
    second, _ = reviewed(mine, other)
    assert first.report_id == second.report_id == "R-1"
    assert first.folder != second.folder
    assert (first.document["scope"], second.document["scope"]) == (story.SCOPE, "kind=workflow")
    third, after = reviewed(settings, control)
    assert third.report_id == "R-2"
    assert after == before

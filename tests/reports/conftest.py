"""The little incident with both reports made about it: once per worker, because kernels are slow to start."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.reports import little_incident as story
from workbench.control import Control
from workbench.reports.derive import ReviewWish, parameters_for_hold
from workbench.reports.make import MadeReport, make_report
from workbench.settings import Settings

NAMES = ("restart-decision", "post-incident-review")


@dataclass(frozen=True)
class Scene:
    """Store and warehouse of the little incident, and its reports by name."""

    settings: Settings
    control: Control
    reports: dict[str, MadeReport]

    @property
    def made(self) -> MadeReport:
        """The restart decision."""
        return self.reports["restart-decision"]

    def given(self, only: str = "") -> dict[str, str]:
        """Return the parameters of a review of the hold of the story."""
        wish = ReviewWish("H-1", only=only)
        return parameters_for_hold(self.control.state(), wish, as_of=self.control.clock.now())


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Make the story and its two reports."""
    settings, control = story.set_up(tmp_path_factory.mktemp("story"))
    found = Scene(settings, control, {})
    for name in NAMES:
        found.reports[name] = make_report(control, settings, name=name, given=found.given())
    return found

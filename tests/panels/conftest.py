"""The panel's models over a real store; no kernel, no browser."""

from __future__ import annotations

import pytest

from tests.panels.stage import AGENTS, FaultyControl, a_control
from workbench.clock import FixedClock
from workbench.panels import pause_model, resume_model, signoff_model
from workbench.panels.control_model import ControlModel


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for text on another thread: these tests type before they click."""
    monkeypatch.setattr(pause_model, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(resume_model, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(signoff_model, "SETTLE_SECONDS", 0)


@pytest.fixture
def control(clock: FixedClock) -> FaultyControl:
    """Return a real control layer over a store of five automations."""
    return FaultyControl(a_control(clock))


@pytest.fixture
def model(control: FaultyControl) -> ControlModel:
    """Return the panel's state over that store; nothing refreshes by itself."""
    return ControlModel(control, actor="os:test (unverified)")


@pytest.fixture
def filled(model: ControlModel) -> ControlModel:
    """Return the panel with a pause filled in, not armed."""
    model.pause.scope = AGENTS
    model.pause.reason = "three agents fail since 02:40"
    return model

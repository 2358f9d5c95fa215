"""Opening the panel: live for a person, read-only text for a schedule, a sentence without a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.panels.stage import a_control, a_pause
from workbench.clock import FixedClock, SystemClock
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.signing import file_signer
from workbench.panels import control_panel, launch
from workbench.panels.control_view import ControlView
from workbench.panels.launch import PanelText
from workbench.settings import KEY_FILE, Settings
from workbench.store.keys import make_key


@pytest.fixture(autouse=True)
def close_panels() -> Iterator[None]:
    """Stop the threads of whatever panel a test opened."""
    yield
    while launch._open_views:
        launch._open_views.pop().stop()


def test_a_person_gets_live_widgets(clock: FixedClock) -> None:
    """With a store and somebody at the screen the panel opens and beats."""
    a_control(clock)
    view = control_panel()
    assert isinstance(view, ControlView)
    assert view.model.head is not None
    assert "unverified" in view.model.actor
    assert launch._open_views == [view]


def test_the_panel_says_whose_key_signs(clock: FixedClock) -> None:
    """With an enrolled key the panel names its person; a key that nobody enrolled is said to be one."""
    control = a_control(clock)
    settings = Settings.from_environment()
    key = make_key(settings.home / KEY_FILE)
    before = control_panel()
    assert isinstance(before, ControlView)
    assert f"key {key.key_id} is not enrolled" in before.model.actor
    control.signer = file_signer(settings.home)
    enrol_key(control, Enrolment(key.public_hex, "ann", "ops-lead"))
    view = control_panel()
    assert isinstance(view, ControlView)
    assert view.model.actor == f"ops-lead (ann, key {key.key_id})"
    assert view.model.signoff.actor == view.model.actor


def test_opening_another_panel_closes_the_former(clock: FixedClock) -> None:
    """One panel is live in a kernel: running the cell again leaves no second one behind."""
    a_control(clock)
    first, second = control_panel(), control_panel()
    assert isinstance(first, ControlView)
    assert isinstance(second, ControlView)
    assert first.heartbeat.is_closed
    assert not second.heartbeat.is_closed


def test_unattended_it_is_text_without_controls(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduled run, by parameter or by setting, gets the state as text and nothing to press."""
    a_pause(a_control(clock))
    by_parameter = control_panel(unattended=True)
    monkeypatch.setenv("WORKBENCH_UNATTENDED", "1")
    for panel in (by_parameter, control_panel()):
        assert isinstance(panel, PanelText)
        assert "2 of 5 automations paused" in repr(panel)
        assert "2 of 5 automations paused" in panel._repr_html_()
        assert "<button" not in panel._repr_html_()
    assert launch._open_views == []


def test_without_a_store_it_says_what_to_type() -> None:
    """No store is one sentence in place and the command that makes one, not a traceback."""
    panel = control_panel()
    assert isinstance(panel, PanelText)
    assert "workbench store init" in repr(panel)
    assert "role='alert'" in panel._repr_html_()


def test_an_unknown_role_is_refused_in_place(clock: FixedClock) -> None:
    """Acting for a role that nobody registered is refused with the roles there are."""
    a_control(clock)
    assert "ops-lead" in repr(control_panel(role="nobody"))
    view = control_panel(role="ops-lead")
    assert isinstance(view, ControlView)
    assert view.model.actor.startswith("ops-lead (os:")


def test_the_recorded_clock_reaches_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With WORKBENCH_CLOCK set the panel says DEMO and the recorded time."""
    a_control(SystemClock())
    monkeypatch.setenv("WORKBENCH_CLOCK", "2026-11-20T03:12:00Z")
    assert "DEMO, recorded clock: 2026-11-20 03:12:00 UTC" in repr(control_panel(unattended=True))


def test_importing_the_package_loads_no_widgets(repository: Path) -> None:
    """`import workbench.panels` is cheap: widgets come with the panel."""
    import subprocess
    import sys

    program = "import sys, workbench.panels; print(sorted({'ipywidgets', 'anywidget'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

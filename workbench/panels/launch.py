"""Opens the control panel: live for a person, as read-only text where nobody is at the screen."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.control.signing import shown_as
from workbench.errors import StorageUnavailable, StoreMissing, WorkbenchError
from workbench.opening import open_control
from workbench.panels.control_html import draw_summary
from workbench.panels.control_model import ControlModel
from workbench.panels.control_text import write_summary
from workbench.panels.guard import Message
from workbench.panels.html_parts import draw_message, styled_page
from workbench.settings import KEY_FILE, Settings

if TYPE_CHECKING:
    from workbench.panels.control_view import ControlView

_one_at_a_time = threading.Lock()
_open_views: list[ControlView] = []


class PanelText:
    """The panel without a single control: its last state, or why it cannot be opened."""

    def __init__(self, text: str, html: str) -> None:
        """Keep both forms; nothing is read afterwards."""
        self._text = text
        self._html = html

    def __repr__(self) -> str:
        """Return plain text, for a terminal or a log."""
        return self._text

    def _repr_html_(self) -> str:
        """Return the same as HTML, for an executed notebook."""
        return self._html


def control_panel(*, role: str | None = None, unattended: bool = False) -> ControlView | PanelText:
    """Open the control panel of the store that the settings name.

    What is clicked is recorded as done by this process's user, for `role` where one is given.
    One panel is live in a kernel: opening another closes the former one, which then says so. With
    `unattended` (or WORKBENCH_UNATTENDED=1, as in scheduled runs) it is read-only text.
    """
    try:
        settings = Settings.from_environment()
        control = open_control(settings, role=role)
        actor = shown_as(control.state(), settings.home / KEY_FILE, role=role)
    except WorkbenchError as error:
        return _refusal(error)
    model = ControlModel(control, actor=actor, recorded_at=settings.demo_clock_at)
    if unattended or settings.is_unattended:
        return PanelText(write_summary(model), styled_page(draw_summary(model)))
    return _open_live(model)


def _refusal(error: WorkbenchError) -> PanelText:
    """Say why there is no panel; where a store cannot be reached, also how a pause goes all the same."""
    said = Message.of_error(error)
    if isinstance(error, StorageUnavailable) and not isinstance(error, StoreMissing):
        how = (
            "to pause now, type `workbench pause SCOPE --reason TEXT` in a terminal: without the store it is spooled, "
            "and gates obey it"
        )
        said = replace(
            said, text=f"NOTHING IS PAUSED here: {said.text}", next_step=f"{how}; {said.next_step}"
        )
    return PanelText(f"{said.text}\nNext: {said.next_step}", styled_page(draw_message(said)))


def _open_live(model: ControlModel) -> ControlView:
    from workbench.panels.control_view import ControlView

    view = ControlView(model)
    with _one_at_a_time:
        while _open_views:
            _open_views.pop().stop()
        _open_views.append(view)
    view.start()
    return view

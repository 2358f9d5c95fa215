"""The view: wired to the model and to the store, with labels, and without a decision of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ipywidgets
import pytest

from tests.panels.stage import AGENTS, FaultyControl, a_pause, break_store, events_of
from workbench.control.resuming import ResumeRequest
from workbench.panels import control_view, view_parts
from workbench.panels.control_model import ControlModel
from workbench.panels.control_view import ControlView
from workbench.panels.resume_model import ResumeWay
from workbench.records import Mode


@pytest.fixture
def view(model: ControlModel) -> Iterator[ControlView]:
    """Return the panel as widgets; nothing beats or refreshes by itself."""
    made = ControlView(model)
    yield made
    made.stop()


def widgets_in(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Walk everything a widget shows."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def all_html(view: ControlView) -> str:
    """Return all that the panel shows as HTML now."""
    return "".join(w.value for w in widgets_in(view) if isinstance(w, ipywidgets.HTML))


def test_pause_by_the_buttons_writes_one_hold(view: ControlView, control: FaultyControl) -> None:
    """Scope and reason typed, Pause pressed, Confirm pressed: one hold in the store, and it is shown."""
    form = view.pause_form
    form.scope.value, form.reason.value = AGENTS, "three agents fail"
    form.arm.click()
    assert form.confirm.description == "Confirm: freeze 3 automations"
    assert form.armed.layout.display == ""
    form.confirm.click()
    (event,) = events_of(control, "hold.place")
    assert (event.payload["scope"], event.reason) == (AGENTS, "three agents fail")
    assert form.armed.layout.display == "none"
    assert form.reason.value == ""
    assert list(view.hold_list.rows) == ["H-1"]
    assert "H-1: how far the pause has come" in all_html(view)


def test_a_double_click_on_each_button_writes_one_hold(
    view: ControlView, control: FaultyControl
) -> None:
    """Every button pressed twice has the effect of once."""
    form = view.pause_form
    form.scope.value, form.reason.value = AGENTS, "three agents fail"
    for each in (form.arm, form.arm, form.confirm, form.confirm):
        each.click()
    assert len(events_of(control, "hold.place")) == 1


def test_search_and_matches_fill_the_scope(view: ControlView) -> None:
    """A search lists scopes as plain text and choosing one fills and previews the scope."""
    form = view.pause_form
    form.search.value = "agents acme"
    labels = [label for label, _ in form.matches.options]
    assert labels[0].endswith("to choose from")
    assert f"3 automations: {AGENTS}" in labels
    assert form.matches.value is None
    form.matches.label = f"3 automations: {AGENTS}"
    assert form.scope.value == AGENTS
    assert "3 automations under" in all_html(view)


def test_the_find_button_searches(view: ControlView) -> None:
    """The button does what Enter does."""
    view.model.pause.search = "order"
    view.pause_form.matches.options = [("", None)]
    view.pause_form.find.click()
    view.model.pause.proposals = ()
    view.pause_form.find.click()
    assert any("order-sync" in label for label, _ in view.pause_form.matches.options)


def test_each_mode_is_chosen_by_its_sentence(view: ControlView) -> None:
    """The choice of mode shows what each does, and the model follows."""
    labels = [label for label, _ in view.pause_form.mode.options]
    assert [label.split(".")[0] for label in labels] == ["Drain", "Freeze", "Halt"]
    assert all(mode.in_plain_words in label for mode, label in zip(Mode, labels, strict=True))
    view.pause_form.mode.value = Mode.HALT
    assert view.model.pause.mode is Mode.HALT


def test_cancel_hides_the_confirmation(view: ControlView, control: FaultyControl) -> None:
    """After Cancel there is no confirmation to press, and nothing was recorded."""
    form = view.pause_form
    form.scope.value, form.reason.value = AGENTS, "three agents fail"
    form.arm.click()
    form.cancel.click()
    assert form.armed.layout.display == "none"
    assert form.confirm.description == "Confirm"
    form.confirm.click()
    assert events_of(control, "hold.place") == []


def test_an_error_is_shown_in_place_as_an_alert(view: ControlView, control: FaultyControl) -> None:
    """A store that went away is told under the button that was pressed."""
    form = view.pause_form
    form.scope.value, form.reason.value = AGENTS, "three agents fail"
    form.arm.click()
    break_store(control)
    form.confirm.click()
    shown = form.children[-1].value
    assert "role='alert'" in shown
    assert "The pause is spooled, NOT recorded" in shown
    assert "Next:" in shown
    assert form.armed.layout.display == "none"
    assert "THE STORE CANNOT BE REACHED" not in view.heartbeat.trouble
    view.model.refresh()
    assert view.heartbeat.trouble.startswith("THE STORE CANNOT BE REACHED since 09:30:00 UTC")


def test_resume_by_the_buttons(view: ControlView, control: FaultyControl) -> None:
    """Refused without grounds, in place; then by break-glass a narrow restart is in the store."""
    a_pause(control)
    view.model.refresh()
    form = view.resume_form
    assert form.children[0].layout.display == "none"
    view.hold_list.rows["H-1"].resume.click()
    assert form.children[0].layout.display == ""
    form.only.value = "automation=invoice-triage"
    form.arm.click()
    assert "workbench review H-1" in form.children[1].value
    assert "role='alert'" in form.children[1].value
    form.runs.value, form.break_glass_reason.value = 2, "customers wait"
    form.arm.click()
    assert form.confirm.description.endswith("by BREAK-GLASS")
    form.confirm.click()
    form.confirm.click()
    (event,) = events_of(control, "probation.start")
    assert (event.payload["max_runs"], event.payload["automation_ids"]) == (2, ["invoice-triage"])
    assert form.children[0].layout.display == "none"
    assert "Narrow restart P-1" in view.hold_list.rows["H-1"].text.value


def test_a_full_restart_hides_what_only_a_narrow_one_needs(
    view: ControlView, control: FaultyControl
) -> None:
    """With the whole hold released there is no part and no number of runs to give."""
    a_pause(control)
    view.model.refresh()
    view.hold_list.rows["H-1"].resume.click()
    form = view.resume_form
    narrow = next(w for w in widgets_in(form) if form.only in getattr(w, "children", ()))
    assert narrow.layout.display == ""
    form.way.value = ResumeWay.FULL
    assert narrow.layout.display == "none"
    form.close_form.click()
    assert form.children[0].layout.display == "none"
    assert view.model.resume.hold is None


def test_rows_follow_the_holds_and_keep_their_buttons(
    view: ControlView, control: FaultyControl
) -> None:
    """A row that stays is the same widget, so that the focus on its buttons survives a refresh."""
    a_pause(control)
    view.model.refresh()
    first = view.hold_list.rows["H-1"]
    a_pause(control, "kind=watcher")
    view.model.refresh()
    assert list(view.hold_list.rows) == ["H-2", "H-1"]
    assert view.hold_list.rows["H-1"] is first
    view.hold_list.rows["H-2"].watch.click()
    assert view.model.watched_id == "H-2"
    first.watch.click()
    assert view.model.watched_id == "H-1"


def test_the_resume_form_stands_under_its_card(view: ControlView, control: FaultyControl) -> None:
    """Form and message stand under the hold that was pressed, with an example of its own; they stay in sight."""
    a_pause(control)
    a_pause(control, "kind=watcher")
    view.model.refresh()
    listed = view.hold_list
    listed.rows["H-1"].resume.click()
    assert listed.children[1:] == (listed.rows["H-2"], listed.rows["H-1"], view.resume_form)
    assert view.resume_form.only.placeholder == "automation=invoice-triage"
    listed.rows["H-2"].resume.click()
    assert listed.children[1:] == (listed.rows["H-2"], view.resume_form, listed.rows["H-1"])
    assert view.resume_form.only.placeholder == "automation=stock-watch"
    view.resume_form.arm.click()
    assert "for example <code>automation=stock-watch</code>" in view.resume_form.children[1].value
    view.resume_form.close_form.click()
    assert listed.children[2] is view.resume_form
    control.resume_full(ResumeRequest("H-2", break_glass_reason="a try"))
    view.model.refresh()
    assert listed.children[1:] == (view.resume_form, listed.rows["H-1"]), (
        "on top once its card is gone"
    )


def test_hints_fit_their_fields_and_are_plain(view: ControlView) -> None:
    """No hint is cut by its field or shows the marks of a command."""
    hints = [w.placeholder for w in widgets_in(view) if isinstance(w, ipywidgets.Text)]
    assert not any("`" in hint for hint in hints)
    assert max(map(len, hints)) <= 45


def test_each_button_has_text_and_each_field_a_label(
    view: ControlView, control: FaultyControl
) -> None:
    """Nothing is told by an icon or a placeholder alone; buttons of a hold name it."""
    a_pause(control)
    view.model.refresh()
    buttons = [w for w in widgets_in(view) if isinstance(w, ipywidgets.Button)]
    fields = (ipywidgets.Text, ipywidgets.Select, ipywidgets.RadioButtons, ipywidgets.IntText)
    assert len(buttons) >= 10
    assert all(each.description and not each.icon for each in buttons)
    assert {"Progress of H-1", "Resume H-1…"} <= {each.description for each in buttons}
    assert all(w.description for w in widgets_in(view) if isinstance(w, fields))


def test_text_fields_tell_only_finished_text(view: ControlView) -> None:
    """Half a reason never reaches the model while somebody is typing."""
    texts = [w for w in widgets_in(view) if isinstance(w, ipywidgets.Text)]
    assert len(texts) == 7
    assert not any(w.continuous_update for w in texts)


def test_a_surprise_is_visible_though_the_button_swallows_it(
    view: ControlView, control: FaultyControl
) -> None:
    """The widget library hides what a callback raises; the panel shows it all the same."""
    control.faults["pause"] = ZeroDivisionError("surprise")
    form = view.pause_form
    form.scope.value, form.reason.value = AGENTS, "three agents fail"
    form.arm.click()
    form.confirm.click()
    assert "ZeroDivisionError: surprise" in form.children[-1].value


def test_the_view_decides_nothing() -> None:
    """There is no branch and no catching of errors in the view: those belong to the model."""
    for module in (control_view, view_parts):
        assert module.__file__ is not None
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        branching = (ast.If, ast.IfExp, ast.Try, ast.While, ast.Match)
        assert not [node.lineno for node in ast.walk(tree) if isinstance(node, branching)]


def test_without_a_frontend_the_last_state_is_plain_html(
    view: ControlView, control: FaultyControl
) -> None:
    """An export that cannot show widgets shows the last state, with nothing to press."""
    a_pause(control)
    view.model.refresh()
    bundle = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "2 of 5 automations paused" in bundle["text/html"]
    assert "<button" not in bundle["text/html"]


def test_stopping_says_closed(view: ControlView) -> None:
    """A panel that another one replaced tells its browser so."""
    view.start()
    view.stop()
    assert view.heartbeat.is_closed

"""The panel while its store cannot be reached: a pause goes to the spool, and nothing looks as if it were well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.panels.stage import AGENTS, FaultyControl, break_store, events_of
from tests.panels.test_drawing import text_of
from workbench.control import Control
from workbench.errors import StorageUnavailable
from workbench.gate import Gate
from workbench.panels import control_html as html
from workbench.panels import control_panel, launch
from workbench.panels import form_html as forms
from workbench.panels.control_model import ControlModel
from workbench.panels.launch import PanelText
from workbench.snapshot import SNAPSHOT_FILE
from workbench.spool import Spool, SpoolFault


@pytest.fixture
def gone(filled: ControlModel, control: FaultyControl) -> tuple[ControlModel, Path]:
    """Return a panel with a pause filled in whose store was moved away, and where the store went."""
    moved = break_store(control)
    filled.refresh()
    return filled, moved


def mend(control: Control, moved: Path) -> None:
    """Bring the store's folder back."""
    moved.rename(control.store.backend.folder)


def test_a_pause_is_armed_by_what_gates_know(gone: tuple[ControlModel, Path]) -> None:
    """Without a preview the armed box says so, names what gates know, and what confirming will do."""
    model, _ = gone
    model.pause.arm()
    assert model.pause.armed is not None
    assert model.pause.armed.sentence == "Confirm: freeze 3 automations by the spool"
    shown = text_of(forms.draw_armed(model.pause))
    for part in (
        "No preview",
        "invoice-triage, product-copy, ticket-reply",
        "is spooled, not recorded",
    ):
        assert part in shown
    assert "as gates were told last" in text_of(forms.draw_preview(model.pause))


def test_confirm_spools_and_gates_obey(
    gone: tuple[ControlModel, Path], control: FaultyControl
) -> None:
    """Confirm goes the way of the command line: spooled once, held by gates, recorded when the store is back."""
    model, moved = gone
    gate = Gate(control.store.gate_folder)
    model.pause.arm()
    model.pause.confirm()
    model.pause.confirm()
    assert "The pause is spooled, NOT recorded" in model.pause.message.text
    assert (model.pause.armed, model.pause.reason) == (None, "")
    assert str(gate.check("invoice-triage").state) == "PAUSED"
    model.refresh()
    assert "gates obey, a pause of invoice-triage" in text_of(html.draw_headline(model))
    mend(control, moved)
    model.refresh()
    (event,) = events_of(control, "hold.place")
    assert event.payload["scope"] == AGENTS
    assert [view.hold.hold_id for view in model.holds] == ["H-1"]
    assert "held already" in text_of(forms.draw_preview(model.pause))
    assert model.pause.message.text.startswith("The spooled pause is recorded now")
    assert (model.spooled, model.reach) == ("", "")


def test_a_full_disk_is_told_though_the_store_can_be_read(
    filled: ControlModel, control: FaultyControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only writing fails the pause is spooled, and the headline says that it is not recorded yet."""

    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("The disk is full. Nothing was recorded.", next_step="make room")

    filled.pause.arm()
    with monkeypatch.context() as patch:
        patch.setattr(type(control.store), "transact", full)
        filled.pause.confirm()
        filled.refresh()
        assert "NOT RECORDED yet: The spool holds" in text_of(html.draw_headline(filled))
        assert text_of(html.draw_headline(filled)).startswith(
            "Besides the spool: nothing is paused"
        )
        assert filled.reach == ""
    filled.refresh()
    assert [view.hold.hold_id for view in filled.holds] == ["H-1"]


def test_where_no_gate_was_told_nothing_is_paused(
    gone: tuple[ControlModel, Path], control: FaultyControl
) -> None:
    """Neither store nor gates: the panel says NOTHING IS PAUSED and the exact command."""
    model, _ = gone
    (control.store.gate_folder / SNAPSHOT_FILE).unlink()
    model.pause.arm()
    assert model.pause.armed is None
    assert model.pause.message.is_alert
    assert model.pause.message.text.startswith("NOTHING IS PAUSED by this panel: ")
    typed = f"`workbench pause {AGENTS} --mode freeze --reason 'three agents fail since 02:40'`"
    assert typed in model.pause.message.next_step


def test_where_no_spool_takes_it_nothing_is_paused(
    gone: tuple[ControlModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool that fails too is told as NOTHING IS PAUSED, and Confirm may be pressed again."""

    def fails(*_: object, **__: object) -> None:
        raise SpoolFault("no slot is free")

    model, _ = gone
    monkeypatch.setattr(Spool, "write", fails)
    model.pause.arm()
    model.pause.confirm()
    assert model.pause.message.text.startswith("NOTHING IS PAUSED by this panel: ")
    assert "no slot is free" in model.pause.message.text
    assert model.pause.armed is not None


def test_a_scope_that_gates_do_not_know_is_refused(gone: tuple[ControlModel, Path]) -> None:
    """A slip in the scope is no pause of nothing: it is refused as with a store."""
    model, _ = gone
    model.pause.scope = "kind=agnt"
    model.pause.arm()
    assert model.pause.armed is None
    assert model.pause.preview_problem


def test_what_is_shown_is_said_to_be_old(gone: tuple[ControlModel, Path]) -> None:
    """Status line and headline say that the store cannot be reached; no old state stands as if it were now."""
    model, _ = gone
    assert model.reach == "THE STORE CANNOT BE REACHED since 09:30:00 UTC; the kernel answers"
    shown = text_of(html.draw_headline(model))
    assert shown.startswith("When last read: nothing is paused")
    assert "workbench pause SCOPE --reason TEXT" in shown


def test_opened_without_a_store_it_says_how_to_pause(
    control: FaultyControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A panel that cannot be opened says that nothing is paused, and how a pause goes all the same."""

    def down(*_: object, **__: object) -> None:
        raise StorageUnavailable("The server does not answer.", next_step="start it")

    monkeypatch.setattr(launch, "open_control", down)
    panel = control_panel()
    assert isinstance(panel, PanelText)
    assert "NOTHING IS PAUSED here: The server does not answer." in repr(panel)
    assert "workbench pause SCOPE --reason TEXT" in repr(panel)

"""The pause form: find, preview, arm, confirm, and everything that can go wrong in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.panels.stage import AGENTS, FaultyControl, a_pause, break_store, events_of
from workbench.control.resuming import ResumeRequest
from workbench.errors import Refused, StorageUnavailable
from workbench.gate import Gate
from workbench.panels import guard
from workbench.panels.control_model import ControlModel
from workbench.panels.guard import Message
from workbench.records import Mode


@contextmanager
def under_way(model: ControlModel, control: FaultyControl) -> Iterator[threading.Thread]:
    """Keep a Confirm waiting in the middle of its command, on a thread of its own."""
    control.may_go_on.clear()
    first = threading.Thread(target=model.pause.confirm)
    first.start()
    assert control.is_in_pause.wait(10)
    yield first
    control.may_go_on.set()
    first.join(10)


def test_two_actions_write_exactly_one_hold(filled: ControlModel, control: FaultyControl) -> None:
    """Arm and confirm are all it takes, and the log then has one hold.place event."""
    filled.pause.arm()
    filled.pause.confirm()
    (event,) = events_of(control, "hold.place")
    assert (event.target, event.reason) == ("H-1", "three agents fail since 02:40")
    assert event.payload["scope"] == AGENTS
    assert event.payload["mode"] == "freeze"
    assert event.payload["covered"] == ["invoice-triage", "product-copy", "ticket-reply"]


def test_the_token_is_the_command_id(filled: ControlModel, control: FaultyControl) -> None:
    """What was armed is what is sent: the one-use token travels as the id of the command."""
    filled.pause.arm()
    assert filled.pause.armed is not None
    token = filled.pause.armed.token
    filled.pause.confirm()
    assert control.commands == [token]
    assert filled.pause.armed is None


def test_a_second_confirm_finds_the_token_spent(
    filled: ControlModel, control: FaultyControl
) -> None:
    """A double click that comes after the first one returned does nothing."""
    filled.pause.arm()
    filled.pause.confirm()
    said = filled.pause.message
    filled.pause.confirm()
    assert len(events_of(control, "hold.place")) == 1
    assert filled.pause.message is said


def test_a_click_while_the_pause_is_under_way_is_dropped(
    filled: ControlModel, control: FaultyControl
) -> None:
    """While one Confirm runs on one thread, a Confirm on another thread returns at once."""
    filled.pause.arm()
    with under_way(filled, control) as first:
        filled.pause.confirm()
        assert filled.pause.is_busy
        assert first.is_alive()
    assert len(events_of(control, "hold.place")) == 1
    assert len(control.commands) == 1
    assert not filled.pause.is_busy
    assert filled.pause.armed is None


def test_another_action_meanwhile_waits_and_then_says_so(
    filled: ControlModel, control: FaultyControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancel cannot overtake a pause that is under way, and does not pretend to."""
    monkeypatch.setattr(guard, "PATIENCE_SECONDS", 0.01)
    filled.pause.arm()
    with under_way(filled, control):
        filled.pause.cancel()
        assert filled.pause.message.text == "Still busy with confirm; nothing else was done."
    assert len(events_of(control, "hold.place")) == 1


def test_confirm_is_not_lost_while_arming_ends(
    filled: ControlModel, control: FaultyControl
) -> None:
    """Confirm pressed the moment it is shown, before arming has returned, is carried out."""
    presses: list[threading.Thread] = []

    def press(change: dict[str, object]) -> None:
        if change["new"] is not None:
            presses.append(threading.Thread(target=filled.pause.confirm))
            presses[0].start()

    filled.pause.observe(press, "armed")
    filled.pause.arm()
    presses[0].join(10)
    assert len(events_of(control, "hold.place")) == 1


def test_many_threads_race_for_one_token(filled: ControlModel, control: FaultyControl) -> None:
    """However many callbacks start together, one command goes out."""
    filled.pause.arm()
    start = threading.Barrier(8)

    def click() -> None:
        start.wait(10)
        filled.pause.confirm()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(control.commands) == 1
    assert len(events_of(control, "hold.place")) == 1


def test_confirm_without_arm_records_nothing(filled: ControlModel, control: FaultyControl) -> None:
    """There is no way to a pause past the confirmation."""
    filled.pause.confirm()
    assert control.commands == []
    assert events_of(control, "hold.place") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("scope", "kind=watcher"), ("mode", Mode.HALT), ("reason", "another reason")],
)
def test_an_edit_after_arming_disarms(
    filled: ControlModel, control: FaultyControl, field: str, value: str
) -> None:
    """What is confirmed is what was read: any edit takes the confirmation away and says so."""
    filled.pause.arm()
    setattr(filled.pause, field, value)
    assert filled.pause.armed is None
    assert f"The {field} was changed" in filled.pause.message.text
    filled.pause.confirm()
    assert events_of(control, "hold.place") == []


def test_cancel_takes_the_armed_pause_back(filled: ControlModel, control: FaultyControl) -> None:
    """After Cancel the old confirmation is worth nothing."""
    filled.pause.arm()
    filled.pause.cancel()
    filled.pause.confirm()
    assert filled.pause.message.text == "Cancelled; nothing was recorded."
    assert events_of(control, "hold.place") == []


def test_arming_twice_keeps_the_first_token(filled: ControlModel) -> None:
    """A double click on Pause arms once."""
    filled.pause.arm()
    armed = filled.pause.armed
    filled.pause.arm()
    assert filled.pause.armed is armed is not None


@pytest.mark.parametrize(
    ("scope", "reason", "words"),
    [
        ("", "spend climbs", "Say what to pause"),
        (AGENTS, "   ", "Give a reason"),
        ("kind=robot", "spend climbs", "kind=robot"),
        ("Kind=agent", "spend climbs", "did you mean `kind`"),
        ("kind=agent,kind=watcher", "spend climbs", "twice"),
        ("owner=nobody", "spend climbs", "covers no automation"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_armed(
    model: ControlModel, scope: str, reason: str, words: str
) -> None:
    """An incomplete or empty pause is refused in place, as an alert, before any confirmation."""
    model.pause.scope, model.pause.reason = scope, reason
    model.pause.arm()
    assert model.pause.armed is None
    assert model.pause.message.is_alert
    assert words in model.pause.message.text


def test_blocked_because_is_none_once_all_is_there(filled: ControlModel) -> None:
    """The question answers with a reason or with None."""
    assert filled.pause.blocked_because is None
    filled.pause.reason = ""
    assert filled.pause.blocked_because is not None


def test_the_preview_covers_everything_and_names_what_is_not_stopped(filled: ControlModel) -> None:
    """Before anything happens every covered automation is listed, those not stopped among them."""
    preview = filled.pause.preview
    assert preview is not None
    assert [a.automation_id for a in preview.automations] == [
        "invoice-triage",
        "product-copy",
        "ticket-reply",
    ]
    assert [a.automation_id for a in preview.not_stopped] == ["product-copy"]
    assert "2 of 3; the others are NOT stopped" in preview.sentence


def test_the_preview_follows_scope_and_mode(model: ControlModel) -> None:
    """A change of scope or mode shows at once what it would mean; an empty scope shows nothing."""
    model.pause.scope = "kind=watcher"
    assert model.pause.preview is not None
    assert [a.automation_id for a in model.pause.preview.automations] == ["stock-watch"]
    model.pause.mode = Mode.HALT
    assert model.pause.preview.mode is Mode.HALT
    assert any("cancel" in note for note in model.pause.preview.notes)
    model.pause.scope = ""
    assert model.pause.preview is None


def test_safe_mode_is_named_on_the_button(model: ControlModel, control: FaultyControl) -> None:
    """A pause of everything says so in the words of the confirmation."""
    model.pause.scope, model.pause.reason = "*", "spend climbs everywhere"
    model.pause.arm()
    assert model.pause.armed is not None
    assert model.pause.armed.sentence == "Confirm: safe mode, freeze 5 automations"
    model.pause.confirm()
    assert events_of(control, "hold.place")[0].payload["scope"] == "*"


def test_find_proposes_scopes_and_choosing_one_fills_the_form(model: ControlModel) -> None:
    """Words lead to scopes that exist, and a chosen one is previewed."""
    model.pause.search = "agents acme"
    model.pause.find()
    proposed = {str(proposal.scope) for proposal in model.pause.proposals}
    assert AGENTS in proposed
    chosen = next(p for p in model.pause.proposals if str(p.scope) == AGENTS)
    model.pause.choose(chosen)
    assert model.pause.scope == AGENTS
    assert model.pause.preview is not None
    model.pause.choose(None)
    assert model.pause.scope == AGENTS


def test_find_says_when_nothing_matches(model: ControlModel) -> None:
    """No match is told with the words that were looked for."""
    model.pause.search = "zebra"
    model.pause.find()
    assert model.pause.proposals == ()
    assert "zebra" in model.pause.message.text


def test_before_any_search_the_usual_scopes_are_offered(model: ControlModel) -> None:
    """At 3 a.m. whole kinds, whole categories and safe mode are one choice away."""
    offered = [str(proposal.scope) for proposal in model.pause.proposals]
    assert offered[-1] == "*"
    assert {"kind=agent", "category=commerce"} <= set(offered)
    model.pause.search = "zebra"
    model.pause.find()
    model.pause.search = ""
    model.pause.find()
    assert [str(p.scope) for p in model.pause.proposals] == offered


def test_a_store_that_is_gone_is_said_in_place(
    filled: ControlModel, control: FaultyControl
) -> None:
    """With the store moved away the pause is not recorded, the screen says so, and gates hold it."""
    filled.pause.arm()
    moved = break_store(control)
    filled.pause.confirm()
    assert filled.pause.message.is_alert
    assert "spooled, NOT recorded" in filled.pause.message.text
    assert filled.pause.message.next_step
    assert filled.pause.armed is None
    moved.rename(control.store.backend.folder)
    assert events_of(control, "hold.place") == []


def test_what_was_so_at_the_click_gives_way(filled: ControlModel, control: FaultyControl) -> None:
    """The alert that not all confirmed follows what is so now, watched or not, and ends with the hold."""
    filled.pause.scope = "kind=workflow"
    filled.pause.arm()
    filled.pause.confirm()
    assert "When the click returned, 0 of 1 had confirmed" in filled.pause.message.text
    a_pause(control, "kind=watcher")
    filled.watch("H-2")
    assert "By now, 0 of 1 had confirmed" in filled.pause.message.text
    assert filled.pause.message.is_alert
    Gate(control.store.gate_folder).check("order-sync")
    filled.refresh()
    assert filled.pause.message.text.endswith("Confirmed by 1 of 1.")
    assert not filled.pause.message.is_alert


def test_an_alert_about_a_hold_that_is_gone_goes_with_it(
    filled: ControlModel, control: FaultyControl
) -> None:
    """A released hold leaves no red box that tells to stop something by hand; other words are left alone."""
    filled.pause.arm()
    filled.pause.confirm()
    control.resume_full(ResumeRequest("H-1", break_glass_reason="a try"))
    filled.refresh()
    assert filled.pause.message.text == "H-1 stands no longer."
    filled.pause.message = Message("something else", is_alert=True)
    filled.refresh()
    assert filled.pause.message.text == "something else"


def test_confirming_again_after_an_unclear_end_does_not_pause_twice(
    filled: ControlModel, control: FaultyControl
) -> None:
    """Recorded, but the answer was lost: the same token again gives the first hold, not a second."""
    control.fails_after_pause = StorageUnavailable("the disk went away after the commit")
    filled.pause.arm()
    filled.pause.confirm()
    assert filled.pause.message.text.startswith("NOT KNOWN TO BE PAUSED: ")
    filled.pause.confirm()
    assert control.commands[0] == control.commands[1]
    assert len(events_of(control, "hold.place")) == 1
    assert filled.pause.receipt is not None
    assert filled.pause.receipt.is_repeat


def test_a_surprise_is_shown_with_its_type_and_raised(
    filled: ControlModel, control: FaultyControl
) -> None:
    """An error nobody foresaw is visible in the panel and not swallowed."""
    control.faults["pause"] = ZeroDivisionError("surprise")
    filled.pause.arm()
    with pytest.raises(ZeroDivisionError):
        filled.pause.confirm()
    assert filled.pause.last_error == "ZeroDivisionError: surprise"
    assert filled.pause.message.is_alert
    assert "ZeroDivisionError" in filled.pause.message.text
    assert not filled.pause.is_busy
    filled.pause.confirm()
    assert len(events_of(control, "hold.place")) == 1


def test_a_refusal_disarms(filled: ControlModel, control: FaultyControl) -> None:
    """What was refused is not kept armed: pressing again would be refused again."""
    filled.pause.arm()
    control.faults["pause"] = Refused("the scope is closed")
    filled.pause.confirm()
    assert filled.pause.armed is None
    assert filled.pause.message.text == "the scope is closed"
    assert events_of(control, "hold.place") == []


def test_after_the_pause_the_form_asks_for_a_new_reason(filled: ControlModel) -> None:
    """A second pause cannot go out on the first one's reason by accident."""
    filled.pause.arm()
    filled.pause.confirm()
    assert filled.pause.reason == ""
    filled.pause.arm()
    assert filled.pause.armed is None


def test_the_message_counts_who_confirmed(filled: ControlModel) -> None:
    """Nobody asked the gate yet, so the pause is told as recorded and not as done."""
    filled.pause.arm()
    filled.pause.confirm()
    assert "H-1 is recorded" in filled.pause.message.text
    assert "0 of 3 had confirmed" in filled.pause.message.text
    assert filled.pause.message.is_alert


def test_the_preview_is_looked_at_again_when_arming(
    filled: ControlModel, control: FaultyControl
) -> None:
    """What is confirmed is what stands now, though another person paused in between."""
    a_pause(control, "automation=ticket-reply")
    filled.pause.arm()
    assert filled.pause.armed is not None
    assert filled.pause.armed.preview.already_paused == ("ticket-reply",)

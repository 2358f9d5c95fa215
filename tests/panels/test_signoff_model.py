"""The sign-off form: what waits is listed with all it opens, given by arm and confirm, and refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest

from tests.control.test_signoffs import PLAN, a_house, clock_of
from tests.panels.stage import HOSTILE, break_store, events_of
from workbench.control import Control
from workbench.control.approving import give_signoff, request_signoff
from workbench.panels.control_html import draw_summary
from workbench.panels.control_model import ControlModel
from workbench.panels.control_text import write_summary
from workbench.panels.signoff_html import draw_armed_signoff, draw_pending, draw_signoff_head
from workbench.panels.signoff_model import ArmedSignoff, SignoffModel
from workbench.panels.signoff_view import SignoffForm

OPENS = "3 runs of kind=agent,automation=ticket-reply through H-1 on D-1"


class Slow(Control):
    """The real control layer; the next command fails after it was recorded, as a lost answer would."""

    loses_answer = False

    def transact(self, command: object, decide: object) -> object:  # type: ignore[override]
        done = super().transact(command, decide)  # type: ignore[arg-type]
        if self.loses_answer:
            self.loses_answer = False
            raise OSError("the answer was lost")
        return done


@pytest.fixture
def people(tmp_path: Path) -> list[Control]:
    """Return ann, who asked for S-1, and bo, of a production store."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    return [ann, bo]


def form_of(control: Control, actor: str = "ops-lead (bo, key 1)") -> SignoffModel:
    """Return the form as the panel of one person shows it."""
    model = SignoffModel(control.desk, actor=actor)
    model.follow()
    return model


def test_what_waits_is_listed_with_all_it_opens(people: list[Control]) -> None:
    """Hold, decision, plan, who asked, until when, and what is lacking stand in the list."""
    (found,) = form_of(people[1]).pending
    assert (found.signoff_id, found.hold.hold_id, found.decision.decision_id) == (
        "S-1",
        "H-1",
        "D-1",
    )
    assert found.plan_in_words == OPENS
    assert "0 of 1 sign-offs that count" in found.lacking
    drawn = draw_pending(found)
    for part in (
        OPENS,
        "H-1: wrong amounts",
        "D-1, restart_full, by",
        "R-1 said restart_full",
        "Asked by ops-lead (ann, key",
    ):
        assert part in drawn
    assert "2026-11-20 10:30:00 UTC" in drawn


def test_arm_then_confirm_signs_once(people: list[Control]) -> None:
    """Nothing is signed by arming; confirming twice is one event, and the list then says ready."""
    ann, bo = people
    model = form_of(bo)
    model.arm("S-1")
    assert model.armed is not None
    assert model.armed.sentence == "Confirm: sign off S-1"
    shown = draw_armed_signoff(model)
    assert OPENS in shown and "ops-lead (bo, key 1)" in shown
    assert events_of(bo, "signoff.give") == []
    model.confirm()
    model.confirm()
    (event,) = events_of(bo, "signoff.give")
    assert event.actor.startswith("ops-lead (bo, key ")
    assert "S-1 is signed off" in model.message.text
    assert "ann" in model.message.next_step
    model.follow()
    assert model.pending[0].lacking == ""
    assert "ready, the resume may go" in draw_pending(model.pending[0])
    ann.resume_narrow(PLAN)
    model.follow()
    assert model.pending == ()


@pytest.mark.parametrize(
    ("who", "words", "next_step"),
    [
        ("ann", "was asked for by ann; another person signs off", "workbench signoff give S-1"),
        ("nobody", "must be signed by an enrolled key", "workbench key new"),
    ],
)
def test_a_refusal_is_shown_in_words(
    people: list[Control], who: str, words: str, next_step: str
) -> None:
    """Who asked, and who has no enrolled key, read why not and what to type; nothing is signed."""
    ann = people[0]
    control = ann if who == "ann" else Control(ann.store, ann.clock)
    model = form_of(control, actor="os:test (unverified)")
    assert "You would sign as os:test (unverified)." in draw_signoff_head(model)
    model.arm("S-1")
    model.confirm()
    assert model.message.is_alert
    assert words in model.message.text and next_step in model.message.next_step
    assert model.armed is None
    assert events_of(ann, "signoff.give") == []


def test_what_waits_no_longer_is_disarmed(people: list[Control]) -> None:
    """Expired or used meanwhile, an armed sign-off is taken back with a word, and is not armed again."""
    ann, bo = people
    model = form_of(bo)
    model.arm("S-1")
    clock_of(ann).move(3600)
    model.follow()
    assert (model.armed, model.pending) == (None, ())
    assert "S-1 changed or waits no longer" in model.message.text
    model.arm("S-1")
    assert model.armed is None and "S-1 waits no longer" in model.message.text


def test_another_signature_meanwhile_disarms(tmp_path: Path) -> None:
    """What changed since it was read is read again before it is signed."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    request_signoff(ann, PLAN)
    model = form_of(bo)
    model.arm("S-1")
    give_signoff(cy, "S-1")
    model.follow()
    assert model.armed is None
    assert "changed" in model.message.text


def test_cancel_signs_nothing(people: list[Control]) -> None:
    """Taken back, confirming has nothing to confirm."""
    model = form_of(people[1])
    model.arm("S-1")
    model.cancel()
    model.confirm()
    assert "nothing was signed" in model.message.text
    assert events_of(people[1], "signoff.give") == []


def test_a_lost_answer_does_not_sign_twice(people: list[Control]) -> None:
    """Where nobody knows whether it was recorded, the same token stays armed, and again is one event."""
    bo = people[1]
    slow = Slow(bo.store, bo.clock, signer=bo.signer)
    model = form_of(slow)
    model.arm("S-1")
    slow.loses_answer = True
    with pytest.raises(OSError, match="the answer was lost"):
        model.confirm()
    assert model.armed is not None and model.message.is_alert
    model.confirm()
    assert len(events_of(bo, "signoff.give")) == 1
    assert model.given_count == 1


def test_the_panel_reads_it_again_with_everything(people: list[Control]) -> None:
    """The control panel lists what waits, counts it again after a sign-off, and keeps it in read-only forms."""
    model = ControlModel(people[1], actor="ops-lead (bo, key 1)")
    assert [p.signoff_id for p in model.signoff.pending] == ["S-1"]
    assert f"to sign off S-1 waits: {OPENS}, asked by ops-lead (ann" in write_summary(model)
    assert OPENS in draw_summary(model)
    model.signoff.arm("S-1")
    model.signoff.confirm()
    assert model.signoff.pending[0].lacking == ""
    break_store(people[1])
    model.refresh()
    assert model.read_problem and model.signoff.pending


def test_no_stored_text_becomes_markup(tmp_path: Path) -> None:
    """Reasons and actors written by a stranger are shown as text."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    model = form_of(ann, actor=HOSTILE)
    found = model.pending[0]
    hostile = replace(
        found,
        signoff=replace(found.signoff, requested_by=HOSTILE),
        decision=replace(found.decision, reason=HOSTILE, decided_by=HOSTILE),
        hold=replace(found.hold, reason=HOSTILE),
    )
    model.pending, model.armed = (hostile,), ArmedSignoff("token", hostile)
    drawn = draw_pending(model.pending[0]) + draw_armed_signoff(model) + draw_signoff_head(model)
    assert "<script>" not in drawn and "<img" not in drawn
    assert drawn.count("&lt;script&gt;") >= 4


@pytest.fixture
def view(people: list[Control]) -> Iterator[SignoffForm]:
    """Return the form as widgets, in bo's panel."""
    yield SignoffForm(form_of(people[1]))


def test_the_buttons_name_the_sign_off(view: SignoffForm, people: list[Control]) -> None:
    """One row a sign-off; its button arms, Confirm appears with the name and signs, and the row is kept."""
    row = view.rows["S-1"]
    assert row.sign.description == "Sign off S-1…"
    assert view.armed.layout.display == "none"
    row.sign.click()
    assert (view.confirm.description, view.armed.layout.display) == ("Confirm: sign off S-1", "")
    view.confirm.click()
    assert len(events_of(people[1], "signoff.give")) == 1
    view.model.follow()
    assert view.rows["S-1"] is row
    assert "ready, the resume may go" in row.text.value
    assert all(isinstance(child, ipywidgets.Widget) for child in view.children)

"""Decisions AGAINST their report, and what else waits for persons: never hidden, in the words of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control.test_signoffs import a_house
from tests.panels.test_drawing import text_of
from tests.store.ground import a_report
from workbench.control import Control
from workbench.control.approving import give_signoff, request_signoff
from workbench.control.deciding import DecideRequest
from workbench.control.resuming import ResumeRequest
from workbench.panels import control_html as html
from workbench.panels import form_html as forms
from workbench.panels.control_model import ControlModel
from workbench.panels.control_text import write_summary
from workbench.panels.signoff_html import draw_armed_signoff, draw_pending, draw_signoff_head
from workbench.panels.signoff_view import SignoffForm
from workbench.records import VerdictKind

AGAINST = "D-2, restart_narrow, AGAINST R-2, by ops-lead (bo, key "
WANTED = ResumeRequest("H-1", "automation=ticket-reply", 3, decision_id="D-2")


@pytest.fixture
def people(tmp_path: Path) -> list[Control]:
    """Return ann, bo, who decided against a report, and cy."""
    found = a_house(tmp_path, "ann", "bo", "cy")
    a_report(found[0], "H-1", VerdictKind.KEEP_PAUSED)
    found[1].decide(DecideRequest("R-2", VerdictKind.RESTART_NARROW, "the queue is fine"))
    return found


def test_an_override_is_said_wherever_it_is_signed(people: list[Control]) -> None:
    """List, hold card, armed box and text name the report, what it said, and that the decision goes against it."""
    ann, _, cy = people
    assert AGAINST in text_of(draw_signoff_head(ControlModel(cy).signoff)), (
        "before it was asked for"
    )
    request_signoff(ann, WANTED)
    model = ControlModel(cy)
    model.signoff.arm("S-1")
    drawn = {
        "list": draw_pending(model.signoff.pending[0]),
        "card": forms.draw_hold(model.holds[0]),
        "armed": draw_armed_signoff(model.signoff),
    }
    for where, shown in drawn.items():
        assert AGAINST in text_of(shown), where
        assert "R-2 said keep_paused" in text_of(shown), where
        assert "wb-warn" in shown, where
    assert "OVERRIDE" in drawn["armed"]
    assert "R-2 said keep_paused" in write_summary(model)


def test_an_override_is_said_where_it_is_resumed_on(people: list[Control]) -> None:
    """The armed resume shows what the report said that the decision goes against."""
    ann, _, cy = people
    request_signoff(ann, WANTED)
    give_signoff(cy, "S-1")
    model = ControlModel(ann)
    model.choose_resume("H-1")
    model.resume.only, model.resume.runs, model.resume.decision_id = (
        "automation=ticket-reply",
        3,
        "D-2",
    )
    model.resume.arm()
    shown = text_of(forms.draw_armed_resume(model.resume))
    assert AGAINST in shown
    assert "R-2 said keep_paused" in shown


def test_agreement_is_no_warning(people: list[Control]) -> None:
    """A decision that agrees with its report is told plainly, with what the report said."""
    shown = forms.draw_decision(people[0].state().decisions["D-1"])
    assert "R-1 said restart_full" in shown
    assert "wb-warn" not in shown
    assert "AGAINST" not in shown


def test_flags_that_wait_for_persons_are_never_folded(people: list[Control]) -> None:
    """Overrides and break-glass stand in the list as warnings, however many other flags there are."""
    ann = people[0]
    ann.resume_narrow(
        ResumeRequest("H-1", "automation=ticket-reply", 3, break_glass_reason="customers wait")
    )
    model = ControlModel(ann)
    model.flags = (*model.flags, *(f"flag {number}" for number in range(5)))
    drawn = html.draw_flags(model)
    assert "D-2 overrides R-2: it said keep_paused" in text_of(drawn)
    assert "P-1 restarted" in text_of(drawn)
    assert drawn.count("wb-flag-warn") == 2
    assert "and 2 more" in text_of(drawn)


def test_what_is_signed_offers_no_button(people: list[Control]) -> None:
    """Once signed a row says ready, once, and neither offers the button nor names who may sign."""
    ann, _, cy = people
    request_signoff(ann, WANTED)
    model = ControlModel(cy)
    form = SignoffForm(model.signoff)
    (row,) = form.rows.values()
    assert row.text.value.count("S-1") == 1
    assert row.sign.layout.display == ""
    give_signoff(cy, "S-1")
    model.refresh()
    assert "ready, the resume may go" in row.text.value
    assert "May sign" not in row.text.value
    assert row.sign.layout.display == "none"
    assert "to sign off S-1 waits" not in write_summary(model)

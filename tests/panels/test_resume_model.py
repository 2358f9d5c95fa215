"""The resume form: on a decision or by break-glass, narrow or whole, refused in place with the next command."""

from __future__ import annotations

import threading

import pytest

from tests.panels.stage import (
    AGENTS,
    FaultyControl,
    a_control,
    a_decision,
    a_pause,
    an_automation,
    events_of,
)
from workbench.clock import FixedClock
from workbench.control.resuming import ResumeRequest
from workbench.errors import StorageUnavailable
from workbench.panels.control_model import ControlModel
from workbench.panels.form_html import draw_armed_resume
from workbench.panels.resume_model import CatchUpChoice, ResumeModel, ResumeWay
from workbench.records import VerdictKind

ALL = ("invoice-triage", "product-copy", "ticket-reply")


@pytest.fixture
def resume(model: ControlModel, control: FaultyControl) -> ResumeModel:
    """Return the form of H-1, a freeze of three agents, filled in but for the grounds."""
    a_pause(control)
    model.refresh()
    model.choose_resume("H-1")
    model.resume.only = "automation=invoice-triage"
    return model.resume


def test_without_a_decision_it_is_refused_with_the_next_command(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """That the alert stopped is no ground: the refusal names the command that makes the report."""
    resume.arm()
    assert resume.armed is None
    assert resume.message.is_alert
    assert "decision" in resume.message.text
    assert "`workbench review H-1`" in resume.message.next_step
    assert events_of(control, "probation.start") == []


def test_break_glass_works_and_is_recorded_as_such(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """A typed reason lets a part through; the hold stays and the log says why."""
    resume.break_glass_reason = "customers wait for invoices"
    resume.arm()
    assert resume.armed is not None
    assert "BREAK-GLASS" in resume.armed.sentence
    resume.confirm()
    (event,) = events_of(control, "probation.start")
    assert event.payload["automation_ids"] == ["invoice-triage"]
    assert event.payload["max_runs"] == 5
    assert event.payload["break_glass_reason"] == "customers wait for invoices"
    assert events_of(control, "hold.release") == []
    assert resume.hold is None
    assert "H-1 stays" in resume.message.text


def test_a_narrow_restart_on_a_decision(resume: ResumeModel, control: FaultyControl) -> None:
    """A decision's id is grounds enough where the decision allows it."""
    a_decision(control, "H-1", VerdictKind.RESTART_NARROW, *ALL)
    resume.decision_id, resume.runs = " D-1 ", 3
    resume.arm()
    resume.confirm()
    (event,) = events_of(control, "probation.start")
    assert (event.payload["decision_id"], event.payload["max_runs"]) == ("D-1", 3)


def test_hosts_go_along_and_an_edit_of_them_disarms(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """What was said of hosts is part of what is confirmed; one that does not report opens nothing."""
    resume.break_glass_reason, resume.hosts = "x", " b "
    resume.arm()
    assert resume.armed is not None
    assert resume.armed.request.hosts == "b"
    resume.hosts = "c"
    assert resume.armed is None
    resume.arm()
    resume.confirm()
    assert "No host c reports" in resume.message.text
    assert events_of(control, "probation.start") == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [(VerdictKind.KEEP_PAUSED, "keep_paused"), (VerdictKind.RESTART_NARROW, "restart_narrow")],
)
def test_what_the_decision_does_not_allow_is_refused_in_place(
    resume: ResumeModel, control: FaultyControl, kind: VerdictKind, words: str
) -> None:
    """The store's refusal is shown with its next step, nothing is recorded, the form is kept."""
    a_decision(control, "H-1", kind, *ALL)
    resume.way, resume.decision_id = ResumeWay.FULL, "D-1"
    resume.arm()
    resume.confirm()
    assert resume.message.is_alert
    assert words in resume.message.text
    assert "workbench review H-1" in resume.message.next_step
    assert events_of(control, "hold.release") == []
    assert resume.armed is None
    assert resume.decision_id == "D-1"


def test_an_unknown_decision_is_named(resume: ResumeModel) -> None:
    """A mistyped id is told with the ids there are."""
    resume.decision_id = "D-9"
    resume.arm()
    resume.confirm()
    assert "There is no decision D-9" in resume.message.text


def test_a_full_restart_releases_the_hold(
    model: ControlModel, resume: ResumeModel, control: FaultyControl
) -> None:
    """Released whole, the hold leaves the list and the headline counts nothing as paused."""
    resume.way, resume.break_glass_reason = ResumeWay.FULL, "the provider confirmed the repair"
    resume.arm()
    assert resume.armed is not None
    assert resume.armed.sentence == "Confirm: release H-1 whole, by BREAK-GLASS"
    resume.confirm()
    assert [event.target for event in events_of(control, "hold.release")] == ["H-1"]
    assert model.holds == ()
    assert model.stopped_count == 0


def test_the_plan_says_what_runs_what_is_still_held_and_what_stays(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """Before the confirmation: other holds keep their own, and the rest stays under this one."""
    a_pause(control, "automation=ticket-reply")
    resume.only, resume.break_glass_reason = AGENTS, "a try"
    resume.arm()
    assert resume.armed is not None
    assert resume.armed.plan.lets_run == ("invoice-triage", "product-copy")
    assert resume.armed.plan.still_held == (("ticket-reply", "H-2"),)
    assert resume.armed.plan.stays == ()
    resume.cancel()
    resume.only = "automation=invoice-triage"
    resume.arm()
    assert resume.armed.plan.stays == ("product-copy", "ticket-reply")


def test_a_hold_that_lets_through_is_not_counted_as_holding(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """An automation under two holds runs when the other one has a live narrow restart for it."""
    a_pause(control, "automation=invoice-triage")
    request = ResumeRequest(
        "H-2", only="automation=invoice-triage", runs=2, break_glass_reason="a try"
    )
    control.resume_narrow(request)
    resume.break_glass_reason = "a try"
    resume.arm()
    assert resume.armed is not None
    assert resume.armed.plan.lets_run == ("invoice-triage",)
    assert resume.armed.plan.still_held == ()


@pytest.mark.parametrize(
    ("only", "runs", "words"),
    [
        ("", 5, "Say which part"),
        ("automation=invoice-triage", 0, "at least 1 run"),
        ("automation=nobody", 5, "covers no automation"),
        ("kind=watcher", 5, "kind=watcher is not a part of kind=agent"),
        ("invoice-triage", 5, "did you mean `automation=invoice-triage`?"),
        ("automation", 5, "key=value"),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_arming(
    resume: ResumeModel, control: FaultyControl, only: str, runs: int, words: str
) -> None:
    """A part that is none of the hold, no part or no runs: refused in place, nothing recorded."""
    resume.only, resume.runs, resume.break_glass_reason = only, runs, "a try"
    resume.arm()
    assert resume.armed is None
    assert resume.message.is_alert
    assert words in resume.message.text
    assert events_of(control, "probation.start") == []


def test_no_hold_chosen_is_said(model: ControlModel) -> None:
    """The form does nothing before a hold was chosen."""
    model.resume.arm()
    assert model.resume.message.text == "Choose a hold from the list first."
    assert model.resume.hold_id == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("only", "automation=ticket-reply"),
        ("runs", 50),
        ("way", ResumeWay.FULL),
        ("decision_id", "D-7"),
        ("break_glass_reason", "another reason"),
    ],
)
def test_an_edit_after_arming_disarms(
    resume: ResumeModel, control: FaultyControl, field: str, value: object
) -> None:
    """What is confirmed is what was read: an edit takes the confirmation away."""
    resume.break_glass_reason = "a try"
    resume.arm()
    setattr(resume, field, value)
    assert resume.armed is None
    resume.confirm()
    assert events_of(control, "probation.start") == []


def test_two_confirms_open_once(resume: ResumeModel, control: FaultyControl) -> None:
    """A double click, on two threads at once, starts one narrow restart."""
    resume.break_glass_reason = "a try"
    resume.arm()
    start = threading.Barrier(4)

    def click() -> None:
        start.wait(10)
        resume.confirm()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(events_of(control, "probation.start")) == 1


def test_a_hold_that_changed_meanwhile_disarms(
    model: ControlModel, resume: ResumeModel, control: FaultyControl
) -> None:
    """When another person opens part of the hold, an armed form has to be read again."""
    resume.break_glass_reason = "a try"
    resume.arm()
    other = ResumeRequest(
        "H-1", only="automation=ticket-reply", runs=1, break_glass_reason="mine first"
    )
    control.resume_narrow(other)
    model.refresh()
    assert resume.armed is None
    resume.confirm()
    assert len(events_of(control, "probation.start")) == 1


def test_what_was_armed_on_an_older_state_is_refused(
    resume: ResumeModel, control: FaultyControl
) -> None:
    """Between two refreshes the store itself refuses what was based on an older state."""
    resume.break_glass_reason = "a try"
    resume.arm()
    other = ResumeRequest(
        "H-1", only="automation=ticket-reply", runs=1, break_glass_reason="mine first"
    )
    control.resume_narrow(other)
    resume.confirm()
    assert "H-1 changed" in resume.message.text
    assert len(events_of(control, "probation.start")) == 1


def test_a_hold_that_was_released_meanwhile_closes_the_form(
    model: ControlModel, resume: ResumeModel, control: FaultyControl
) -> None:
    """The form of a hold that stands no longer goes away and says why."""
    control.resume_full(ResumeRequest("H-1", break_glass_reason="another person did it"))
    model.refresh()
    assert resume.hold is None
    assert resume.message.text == "H-1 stands no longer."


def test_an_unclear_end_can_be_confirmed_again(resume: ResumeModel, control: FaultyControl) -> None:
    """When the store fails the form stays armed with its token, and is carried out once."""
    resume.way, resume.break_glass_reason = ResumeWay.FULL, "a try"
    resume.arm()
    armed = resume.armed
    control.faults["resume_full"] = StorageUnavailable("the disk went away")
    resume.confirm()
    assert resume.armed is armed
    assert resume.message.text == "the disk went away"
    resume.confirm()
    assert len(events_of(control, "hold.release")) == 1


def test_choosing_another_hold_empties_the_form(
    model: ControlModel, resume: ResumeModel, control: FaultyControl
) -> None:
    """Grounds given for one hold never slip into the form of another."""
    a_pause(control, "kind=watcher")
    model.refresh()
    resume.break_glass_reason, resume.runs, resume.way = "a try", 9, ResumeWay.FULL
    resume.arm()
    model.choose_resume("H-2")
    assert resume.hold_id == "H-2"
    assert resume.armed is None
    assert (resume.only, resume.decision_id, resume.break_glass_reason) == ("", "", "")
    assert (resume.runs, resume.way) == (5, ResumeWay.NARROW)


def test_what_no_engine_runs_asks_for_no_rate(resume: ResumeModel, control: FaultyControl) -> None:
    """Without an engine no start is missed: the fields are hidden, and the event is what it always was."""
    assert not resume.has_engine
    resume.break_glass_reason = "customers wait for invoices"
    resume.arm()
    resume.confirm()
    (event,) = events_of(control, "probation.start")
    assert not {"catch_up", "rate_per_minute"} & set(event.payload)


def test_missed_starts_and_their_rate_are_chosen_and_shown_before(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What engines would start is read before the confirmation, and the choice stands in the log."""
    run = an_automation("nightly", "workflow", "commerce", engine="prefect", engine_ref="nightly/a")
    control = FaultyControl(a_control(clock, run))
    asked: list[str] = []

    def forecast(request: ResumeRequest) -> tuple[str, ...]:
        asked.append(request.catch_up)
        return ("nightly/a: 3 starts that were missed",)

    monkeypatch.setattr(control, "forecast", forecast)
    a_pause(control, "automation=nightly")
    model = ControlModel(control, actor="os:test (unverified)")
    model.refresh()
    model.choose_resume("H-1")
    form = model.resume
    assert form.has_engine
    form.way, form.break_glass_reason = ResumeWay.FULL, "customers wait"
    form.catch_up, form.rate_per_minute = CatchUpChoice.LATEST, 5
    form.arm()
    assert asked == ["latest"]
    drawn = draw_armed_resume(form)
    assert "3 starts that were missed" in drawn and "5 runs a minute" in drawn
    form.confirm()
    (event,) = events_of(control, "hold.release")
    assert (event.payload["catch_up"], event.payload["rate_per_minute"]) == ("latest", 5)


def test_another_rate_disarms_and_a_negative_one_is_refused(resume: ResumeModel) -> None:
    """What was read before the confirmation is what is carried out."""
    resume.break_glass_reason = "customers wait for invoices"
    resume.arm()
    assert resume.armed is not None
    resume.rate_per_minute = 3
    assert resume.armed is None
    resume.rate_per_minute = -1
    resume.arm()
    assert resume.armed is None and "0 for no limit" in resume.message.text


def test_the_rest_is_named_and_only_where_there_is_one(
    model: ControlModel, control: FaultyControl
) -> None:
    """After a narrow restart the panel names what its hold goes on pausing, and speaks of no rest without one."""
    a_pause(control)
    a_pause(control, "automation=order-sync")
    model.refresh()
    said = {}
    for hold_id, part in (("H-1", "ticket-reply"), ("H-2", "order-sync")):
        model.choose_resume(hold_id)
        model.resume.only, model.resume.runs = f"automation={part}", 1
        model.resume.break_glass_reason = "a try"
        model.resume.arm()
        model.resume.confirm()
        said[hold_id] = model.resume.message.text
    assert said["H-1"] == (
        "1 run of ticket-reply may pass; H-1 stays for the rest: invoice-triage, product-copy."
    )
    assert said["H-2"] == (
        "1 run of order-sync may pass; H-2 stays, and pauses them again afterwards."
    )

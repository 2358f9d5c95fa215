"""The control panel as a person uses it: JupyterLab, a browser, and what the store then holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import Lab, Panel
from tests.control.test_keys import a_person
from tests.panels.stage import AGENTS, a_decision, a_pause, a_registry, events_of
from workbench.control.approving import request_signoff
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.resuming import ResumeRequest
from workbench.records import Owner, VerdictKind
from workbench.settings import KEY_FILE, Settings
from workbench.store.keys import make_key

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def holds(lab: Lab) -> list[Any]:
    """Return the hold.place events of the store, read beside the panel."""
    return events_of(lab.control(), "hold.place")


def test_pause_in_two_clicks_writes_one_hold(lab: Lab, panel: Panel) -> None:
    """Find, choose, say why, Pause, Confirm: one hold.place event, and the screen counts it."""
    before = len(holds(lab))
    expect(panel.output.get_by_text("PRODUCTION", exact=True)).to_be_visible()
    panel.field("Find").fill("agents acme")
    panel.page.keyboard.press("Enter")
    panel.field("Matches").select_option(label=f"3 automations: {AGENTS}")
    expect(panel.output.get_by_text("1 automation will NOT be stopped.")).to_be_visible()
    panel.field("Reason").fill("three agents fail since 02:40")
    panel.button("Pause…").click()
    expect(panel.button("Confirm: freeze 3 automations")).to_be_visible()
    assert len(holds(lab)) == before, "armed is not paused"
    panel.button("Confirm: freeze 3 automations").click()
    expect(panel.output.get_by_text("2 of 5 automations paused")).to_be_visible()
    new = holds(lab)[before:]
    assert [(event.payload["scope"], event.reason) for event in new] == [
        (AGENTS, "three agents fail since 02:40")
    ]
    expect(panel.button(f"Resume {new[0].target}…")).to_be_visible()
    expect(panel.output.get_by_text("has not asked yet").first).to_be_visible()


def test_double_clicks_write_one_hold(lab: Lab, panel: Panel) -> None:
    """Every button pressed twice, several times over, makes one hold each time."""
    for number in range(3):
        before = len(holds(lab))
        panel.fill_pause("automation=order-sync", f"double click {number}")
        panel.button("Pause…").dblclick()
        confirm = panel.button("Confirm: freeze 1 automation")
        expect(confirm).to_be_visible()
        confirm.dblclick()
        expect(confirm).to_be_hidden()
        panel.page.wait_for_timeout(500)
        assert [event.reason for event in holds(lab)[before:]] == [f"double click {number}"]


def test_an_error_is_shown_in_place(lab: Lab, panel: Panel) -> None:
    """With the store moved away the pause is spooled and said to be; moved back, it is one hold."""
    panel.fill_pause("automation=stock-watch", "the disk goes away")
    panel.button("Pause…").click()
    confirm = panel.button("Confirm: freeze 1 automation")
    expect(confirm).to_be_visible()
    store = lab.control().store.backend.folder
    before = len(holds(lab))
    moved = store.rename(store.with_name("moved-away"))
    try:
        confirm.click()
        expect(panel.alert("The pause is spooled, NOT recorded")).to_be_visible()
        expect(panel.alert("THE STORE CANNOT BE REACHED")).to_be_visible()
        expect(panel.output.get_by_text("Connected")).to_be_hidden()
        expect(confirm).to_be_hidden()
        panel.fill_pause("automation=order-sync", "armed without the store")
        panel.button("Pause…").click()
        expect(panel.button("Confirm: freeze 1 automation by the spool")).to_be_visible()
        panel.button("Cancel").first.click()
    finally:
        moved.rename(store)
    expect(panel.alert("The store cannot be read now")).to_be_hidden()
    assert len(holds(lab)) == before + 1


def test_a_restarted_kernel_disarms_the_panel(lab: Lab, panel: Panel) -> None:
    """After a kernel restart the panel says STALE and no control works; run again, it works."""
    panel.fill_pause(AGENTS, "never to be recorded")
    panel.button("Pause…").click()
    confirm = panel.button("Confirm: freeze 3 automations")
    expect(confirm).to_be_visible()
    before = len(holds(lab))
    (kernel_id,) = lab.kernel_ids()
    lab.ask(f"/api/kernels/{kernel_id}/restart", "POST")
    expect(panel.alert("STALE")).to_be_visible(timeout=15_000)
    with pytest.raises(Error):
        confirm.click(timeout=1_500)
    assert len(holds(lab)) == before
    control = lab.control()
    hold_id = a_pause(control, "automation=order-sync").hold.hold_id
    panel.run_all()
    expect(panel.button(f"Resume {hold_id}…")).to_be_visible()
    expect(panel.alert("STALE")).to_be_hidden()
    panel.fill_pause("automation=stock-watch", "after the restart")
    panel.button("Pause…").click()
    panel.button("Confirm: freeze 1 automation").click()
    expect(panel.output.get_by_text("is recorded at")).to_be_visible()
    assert holds(lab)[-1].reason == "after the restart"


def test_a_narrow_restart_is_refused_then_goes_by_break_glass(lab: Lab, panel: Panel) -> None:
    """Without a decision the reason and the next command are shown; break-glass is recorded as such."""
    control = lab.control()
    hold_id = a_pause(control).hold.hold_id
    panel.button(f"Resume {hold_id}…").click()
    expect(panel.button("Resume…")).to_be_in_viewport()
    panel.field("Only").fill("automation=invoice-triage")
    panel.button("Resume…").click()
    expect(panel.alert(f"workbench review {hold_id}")).to_be_visible()
    assert [e for e in events_of(control, "probation.start") if e.correlation_id == hold_id] == []
    panel.field("Runs").fill("2")
    panel.field("Break-glass reason").fill("customers wait for invoices")
    panel.button("Resume…").click()
    confirm = panel.button(
        f"Confirm: 2 runs of automation=invoice-triage through {hold_id}, by BREAK-GLASS"
    )
    expect(confirm).to_be_in_viewport()
    confirm.click()
    expect(panel.output.get_by_text("0 of 2 runs used").first).to_be_visible()
    (event,) = [e for e in events_of(control, "probation.start") if e.correlation_id == hold_id]
    assert event.payload["break_glass_reason"] == "customers wait for invoices"
    assert event.payload["max_runs"] == 2


def test_by_keyboard_alone_and_no_key_cuts_the_panel(lab: Lab, panel: Panel) -> None:
    """Tab reaches Confirm, Enter presses it, and `x` on a focused button leaves the cell in place."""
    before = len(holds(lab))
    panel.fill_pause("automation=order-sync", "by keyboard")
    keyboard = panel.page.keyboard
    panel.button("Pause…").focus()
    for key in ("x", "d", "d", "0", "0"):
        keyboard.press(key)
    expect(panel.button("Pause…")).to_be_visible()
    keyboard.press("Enter")
    confirm = panel.button("Confirm: freeze 1 automation")
    expect(confirm).to_be_visible()
    keyboard.press("Tab")
    for _ in range(6):
        if confirm.evaluate("it => it === document.activeElement"):
            break
        keyboard.press("Tab")
    keyboard.press("Enter")
    expect(confirm).to_be_hidden()
    panel.page.wait_for_timeout(300)
    assert [event.reason for event in holds(lab)[before:]] == ["by keyboard"]


def test_an_edit_after_arming_takes_the_confirmation_away(lab: Lab, panel: Panel) -> None:
    """Text changed in the browser after arming disarms before anything can be confirmed."""
    before = len(holds(lab))
    panel.fill_pause(AGENTS, "first reason")
    panel.button("Pause…").click()
    expect(panel.button("Confirm: freeze 3 automations")).to_be_visible()
    panel.field("Reason").fill("second reason")
    panel.page.keyboard.press("Tab")
    expect(panel.button("Confirm: freeze 3 automations")).to_be_hidden()
    expect(panel.output.get_by_text("The reason was changed")).to_be_visible()
    assert len(holds(lab)) == before


def test_a_second_person_signs_off(lab: Lab, panel: Panel, tmp_path: Path) -> None:
    """What ann asked for is listed with all it opens; bo presses twice, and ann's resume goes. Last: it enrols keys."""
    bo, home = lab.control(), Settings.from_environment(lab.environ).home
    owners = {"ops-lead": Owner("ops-lead", ("ann", "bo"))}
    bo.apply_registry(replace(a_registry(), owners=owners))
    ann, ann_key = a_person(bo, tmp_path, "ann")
    own = make_key(home / KEY_FILE)
    enrol_key(ann, Enrolment(ann_key, "ann", "ops-lead"))
    enrol_key(ann, Enrolment(own.public_hex, "bo", "ops-lead"))
    hold_id = a_pause(ann).hold.hold_id
    made = a_decision(
        ann, hold_id, VerdictKind.RESTART_NARROW, "invoice-triage", "product-copy", "ticket-reply"
    )
    wanted = ResumeRequest(hold_id, "automation=ticket-reply", 2, decision_id=made.decision_id)
    asked = request_signoff(ann, wanted)
    panel.run_all()
    expect(
        panel.output.get_by_text(f"You would sign as ops-lead (bo, key {own.key_id})")
    ).to_be_visible()
    expect(
        panel.output.get_by_text("2 runs of kind=agent,automation=ticket-reply").first
    ).to_be_visible()
    panel.button(f"Sign off {asked.signoff_id}…").click()
    confirm = panel.button(f"Confirm: sign off {asked.signoff_id}")
    expect(confirm).to_be_visible()
    assert events_of(bo, "signoff.give") == []
    confirm.dblclick()
    expect(panel.output.get_by_text(f"{asked.signoff_id} is signed off.")).to_be_visible()
    (event,) = events_of(bo, "signoff.give")
    assert event.actor.startswith("ops-lead (bo, key ")
    assert ann.resume_narrow(wanted).max_runs == 2
    expect(panel.output.get_by_text("No sign-off waits.")).to_be_visible()

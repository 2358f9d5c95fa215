"""An id names one thing, and a store is made once: a log written past the command path opens nothing by saying it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_signoffs import FULL, a_house
from tests.store.ground import AGENTS, a_control, a_decision, a_report, break_glass, pause
from workbench.control import Control
from workbench.control.placing import next_id
from workbench.control.reviewing import review_break_glass
from workbench.gate import Gate, GateState
from workbench.policy import PRODUCTION
from workbench.store.audit import verify_store
from workbench.store.documents import documents
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.signoffs import policy_of
from workbench.store.store import Change, Command

SMALLER: dict[str, Any] = {
    "scope": "automation=stock-watch",
    "purpose": "incident",
    "mode": "drain",
    "incident_id": "",
    "review_by": None,
    "covered": ["stock-watch"],
}


def written_past(control: Control, action: str, target: str, payload: dict[str, Any]) -> None:
    """Write an unsigned event into the log as who may write there could, and publish what follows."""
    draft = Draft(control.clock.now(), "eve", action, target, payload=payload)
    control.store.transact(Command(f"{action} {target}", payload), lambda _: Change([draft]))


def answers(control: Control) -> set[GateState]:
    """Return what a new gate says of the agents."""
    gate = Gate(control.store.gate_folder)
    return {gate.check(automation_id).state for automation_id in AGENTS}


def folded_with(control: Control, action: str, target: str, payload: dict[str, Any]) -> Any:
    """Return the state of the log with one more event."""
    events = control.store.events()
    more = replace(
        events[-1], seq=len(events) + 1, action=action, target=target, payload=payload, actor="eve"
    )
    return fold([*events, more])


def test_a_hold_placed_again_lets_nothing_go(tmp_path: Path) -> None:
    """I2: the id of a standing hold over a smaller scope leaves the hold as it was, and is a doubt."""
    control = a_control(tmp_path)
    pause(control)
    before = control.state().holds["H-1"]
    state = folded_with(control, "hold.place", "H-1", SMALLER)
    assert state.holds["H-1"] == before
    assert all(state.holds_on(automation_id) for automation_id in AGENTS)
    assert "H-1 was placed before" in state.doubts[state.seq]


def test_gates_stay_paused_after_a_hold_was_written_again(tmp_path: Path) -> None:
    """Whoever writes it into the store itself is refused, and gates say PAUSED as before."""
    control = a_control(tmp_path)
    pause(control)
    with pytest.raises(ValueError, match="placed before"):
        written_past(control, "hold.place", "H-1", SMALLER)
    assert answers(control) == {GateState.PAUSED}
    assert verify_store(control.store).is_ok
    pause(control, "kind=workflow")


def test_a_store_made_again_asks_for_no_less(tmp_path: Path) -> None:
    """A second making for staging does not take production's rules away, and a release on it opens nothing."""
    ann, _bo = a_house(tmp_path, "ann", "bo")
    state = folded_with(ann, "store.init", ann.state().store_id, {"environment": "staging"})
    assert (state.environment, policy_of(state).signoffs_required) == (PRODUCTION, 1)
    assert "made once" in state.doubts[state.seq]
    free = {"covered": sorted(AGENTS), "decision_id": "D-1", "break_glass_reason": ""}
    release = replace(
        ann.store.events()[-1], seq=state.seq + 1, action="hold.release", target="H-1", payload=free
    )
    assert fold([release], state).holds["H-1"].released_seq is None


@pytest.mark.parametrize("what", ["probation.start", "report.record", "decision.record"])
def test_an_id_that_is_taken_names_nothing_else(tmp_path: Path, what: str) -> None:
    """A restart, report or decision under the id of another stands in the log, not obeyed and shown."""
    control = a_control(tmp_path)
    pause(control)
    a_decision(control, "H-1", FULL)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3))
    event = next(e for e in control.store.events() if e.action == what)
    written_past(control, what, event.target, {**event.payload, "hold_id": "H-2"})
    state = control.state()
    assert "names another one already" in state.refused[state.seq]
    assert state.decisions["D-1"].hold_id == state.reports["R-1"].hold_id == "H-1"
    assert state.probations["P-1"].hold_id == "H-1"
    assert control.store.projection() == documents(state)


def test_a_reviewed_break_glass_hides_no_second_one(tmp_path: Path) -> None:
    """Two reviews of P-1 are no reviews of another restart that is written under its id."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    ann.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3))
    for one in (bo, cy):
        review_break_glass(one, "P-1", reason="it was right")
    started = next(e for e in ann.store.events() if e.action == "probation.start")
    wider = {**started.payload, "automation_ids": list(AGENTS), "scope": "kind=agent"}
    written_past(ann, "probation.start", "P-1", {**wider, "max_runs": 5000})
    assert ann.state().probations["P-1"].max_runs == 3
    assert ann.state().open_probation("H-1", "product-copy") is None


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("hold.place", {**SMALLER, "scope": "*", "covered": ["stock-watch", None]}),
        ("hold.place", {**SMALLER, "scope": "*", "covered": [["stock-watch"]]}),
        ("automation.register", {"automation": {"automation_id": None, "kind": "agent"}}),
        ("automation.register", {"automation": {"automation_id": 7, "kind": "agent"}}),
    ],
)
def test_ids_that_are_no_text_stop_no_pause(
    tmp_path: Path, action: str, payload: dict[str, Any]
) -> None:
    """Such an event is a doubt, and the state after it can be written, published and paused on."""
    control = a_control(tmp_path)
    pause(control, "*")
    state = folded_with(control, action, "H-9", payload)
    assert "no text" in state.doubts[state.seq]
    assert documents(state)


def test_a_known_id_is_passed_over() -> None:
    """Where a log was written past the command path, the next hold takes an id that nothing has."""
    assert next_id("H", {"H-1": 1, "H-2": 2}) == "H-3"
    assert next_id("H", {"H-1": 1, "H-3": 2}) == "H-4"


def test_a_second_report_and_decision_of_the_command_path_are_new(tmp_path: Path) -> None:
    """What people do draws new ids: nothing of it is refused."""
    control = a_control(tmp_path)
    pause(control)
    a_report(control, "H-1")
    a_decision(control, "H-1")
    a_decision(control, "H-1", FULL)
    assert (control.state().refused, control.state().doubts) == ({}, {})

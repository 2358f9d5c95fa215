"""A resume: only with a decision or a flagged break-glass, only as far as it says, and only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.ground import (
    AGENTS,
    START,
    SetClock,
    a_control,
    a_decision,
    a_registry,
    a_report,
    an_automation,
    break_glass,
    pause,
)
from workbench.control import Control
from workbench.control.deciding import DecideRequest
from workbench.control.resuming import ResumeRequest
from workbench.errors import Conflict, NoMatch, NotFound, Refused, ScopeError, UsageFault
from workbench.gate import Gate, GateState, Paused
from workbench.records import VerdictKind
from workbench.store.documents import documents
from workbench.tickets import TicketBook

NARROW, FULL = VerdictKind.RESTART_NARROW, VerdictKind.RESTART_FULL


def runs(gate: Gate, automation_id: str, run_id: str) -> bool:
    """Tell whether a run may start."""
    try:
        with gate.run(automation_id, run_id):
            return True
    except Paused:
        return False


def test_without_a_decision_nothing_is_resumed(tmp_path: Path) -> None:
    """A quiet alert is not evidence: full and narrow are refused, and the next step is named."""
    control = a_control(tmp_path)
    pause(control)
    before = control.head_note()
    for request in (ResumeRequest("H-1"), ResumeRequest("H-1", break_glass_reason="  ")):
        with pytest.raises(Refused, match="not resumed without a decision") as caught:
            control.resume_full(request)
        assert "workbench review H-1" in caught.value.then
    with pytest.raises(Refused, match="not resumed without a decision"):
        control.resume_narrow(ResumeRequest("H-1", "*", 1))
    assert control.head_note() == before
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED


def test_a_decision_lets_a_hold_be_released(tmp_path: Path) -> None:
    """A decision for a full restart releases its hold, and the event names the decision."""
    control = a_control(tmp_path)
    pause(control)
    decision = a_decision(control, "H-1", FULL)
    released = control.resume_full(ResumeRequest("H-1", decision_id=decision.decision_id))
    assert released.released_by.startswith("os:")
    event = control.store.events()[-1]
    assert (event.action, event.payload["decision_id"]) == ("hold.release", "D-1")
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.CLEAR
    assert control.status().flags == ()


@pytest.mark.parametrize(
    ("verdict", "may_narrow", "may_full"),
    [
        (VerdictKind.KEEP_PAUSED, False, False),
        (VerdictKind.ESCALATE, False, False),
        (NARROW, True, False),
        (FULL, True, True),
    ],
)
def test_a_decision_allows_what_it_says_and_less(
    tmp_path: Path, verdict: VerdictKind, may_narrow: bool, may_full: bool
) -> None:
    """keep_paused and escalate allow nothing, narrow allows narrow, full allows both."""
    control = a_control(tmp_path)
    pause(control)
    a_decision(control, "H-1", verdict)
    narrow = ResumeRequest("H-1", "automation=ticket-reply", 1, decision_id="D-1")
    if may_narrow:
        assert control.resume_narrow(narrow).decision_id == "D-1"
    else:
        with pytest.raises(Refused, match=f"decided {verdict}, which does not allow"):
            control.resume_narrow(narrow)
    if may_full:
        assert control.resume_full(ResumeRequest("H-1", decision_id="D-1")).released_seq
    else:
        with pytest.raises(Refused, match="does not allow restart_full"):
            control.resume_full(ResumeRequest("H-1", decision_id="D-1"))


def test_a_decision_about_another_hold_is_refused(tmp_path: Path) -> None:
    """A decision works only for its own hold."""
    control = a_control(tmp_path)
    pause(control)
    pause(control)
    a_decision(control, "H-2", FULL)
    with pytest.raises(Refused, match="D-1 is about H-2, not H-1"):
        control.resume_full(ResumeRequest("H-1", decision_id="D-1"))


def test_an_unknown_decision_or_hold_is_not_found(tmp_path: Path) -> None:
    """What is not there is named, with what there is."""
    control = a_control(tmp_path)
    pause(control)
    with pytest.raises(NotFound, match="no decision D-9; for H-1 there is: none"):
        control.resume_full(ResumeRequest("H-1", decision_id="D-9"))
    with pytest.raises(NotFound, match="no hold H-9; standing holds: H-1"):
        control.resume_full(break_glass("H-9"))


def test_only_the_newest_decision_counts(tmp_path: Path) -> None:
    """A later decision on the same hold supersedes the earlier one, also when it says to keep paused."""
    control = a_control(tmp_path)
    pause(control)
    a_decision(control, "H-1", FULL)
    a_decision(control, "H-1", VerdictKind.KEEP_PAUSED)
    with pytest.raises(Refused, match=r"D-1 was superseded by D-2 \(keep_paused\)"):
        control.resume_full(ResumeRequest("H-1", decision_id="D-1"))


@pytest.mark.parametrize("verdict", [VerdictKind.ESCALATE, VerdictKind.KEEP_PAUSED, NARROW])
def test_a_newer_report_that_allows_less_is_decided_on_first(
    tmp_path: Path, verdict: VerdictKind
) -> None:
    """What a narrow restart brought to light is not passed over on the full decision from before it."""
    control = a_control(tmp_path, SetClock())
    pause(control)
    a_decision(control, "H-1", FULL)
    control.resume_narrow(ResumeRequest("H-1", "automation=ticket-reply", 3, decision_id="D-1"))
    a_report(control, "H-1", verdict)
    full = ResumeRequest("H-1", decision_id="D-1")
    with pytest.raises(Refused, match=f"R-2, which is newer than D-1, says {verdict}") as caught:
        control.resume_full(full)
    assert "workbench decide R-2 --override restart_full" in caught.value.then
    control.decide(DecideRequest("R-2", FULL, "the failures were of the test data"))
    assert control.resume_full(replace(full, decision_id="D-2")).released_seq


def test_a_newer_report_that_says_nothing_new_is_in_no_way(tmp_path: Path) -> None:
    """The same verdict again, one that allows enough, of other automations, of another kind, or not whole."""
    control = a_control(tmp_path, SetClock())
    pause(control)
    a_report(control, "H-1", VerdictKind.KEEP_PAUSED)
    control.decide(DecideRequest("R-1", FULL, "the provider confirmed"))
    a_report(control, "H-1", VerdictKind.KEEP_PAUSED)
    a_report(control, "H-1", VerdictKind.ESCALATE, ids=("stock-watch",))
    a_report(control, "H-1", VerdictKind.ESCALATE, name="post-incident-review")
    a_report(control, "H-1", VerdictKind.ESCALATE, is_complete=False)
    assert control.resume_full(ResumeRequest("H-1", decision_id="D-1")).released_seq


def test_the_newest_report_counts(tmp_path: Path) -> None:
    """A report that allowed less and was itself overtaken by one that allows it is no reason any more."""
    control = a_control(tmp_path, SetClock())
    pause(control)
    a_decision(control, "H-1", FULL)
    a_report(control, "H-1", VerdictKind.ESCALATE)
    a_report(control, "H-1", FULL)
    assert control.resume_full(ResumeRequest("H-1", decision_id="D-1")).released_seq


@pytest.mark.parametrize("more", [{"runs": 10**20}, {"runs": 3, "rate_per_minute": 10**20}])
def test_a_number_that_no_log_can_hold_is_refused_in_words(
    tmp_path: Path, more: dict[str, int]
) -> None:
    """Too many runs, or too high a rate, is a usage fault that records nothing, and no broken program."""
    control = a_control(tmp_path)
    pause(control)
    before = control.head_note()
    with pytest.raises(UsageFault, match="up to 1,000,000,000"):
        control.resume_narrow(break_glass("H-1", "automation=ticket-reply", **more))
    assert control.head_note() == before


def test_a_decision_covers_only_the_automations_it_is_about(tmp_path: Path) -> None:
    """An automation that came under the hold after the review supersedes the decision for a full restart."""
    control = a_control(tmp_path)
    pause(control)
    a_decision(control, "H-1", FULL)
    control.apply_registry(
        a_registry([*a_registry().automations.values(), an_automation("newcomer")])
    )
    with pytest.raises(Refused, match="D-1 is not about newcomer"):
        control.resume_full(ResumeRequest("H-1", decision_id="D-1"))
    narrow = ResumeRequest("H-1", "automation=ticket-reply", 1, decision_id="D-1")
    assert control.resume_narrow(narrow).automation_ids == ("ticket-reply",)


def test_who_looked_at_an_older_state_is_refused(tmp_path: Path) -> None:
    """A hold that changed since the asker looked is not released from the old screen."""
    control = a_control(tmp_path)
    pause(control)
    seen = control.head_note().seq
    control.resume_narrow(break_glass("H-1", "*", 1))
    with pytest.raises(Refused, match="after what you were looking at"):
        control.resume_full(break_glass("H-1", based_on=seen))
    released = control.resume_full(break_glass("H-1", based_on=control.head_note().seq))
    assert released.released_seq is not None


def test_another_holds_change_is_no_reason_to_refuse(tmp_path: Path) -> None:
    """`based_on` is about the hold that is resumed, not about everything else in the store."""
    control = a_control(tmp_path)
    pause(control)
    seen = control.head_note().seq
    pause(control, "automation=order-sync")
    assert control.resume_full(break_glass("H-1", based_on=seen)).released_seq is not None


def test_break_glass_is_recorded_and_flagged(tmp_path: Path) -> None:
    """Going without a decision works with a reason, which stays in the log and on the status screen."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_narrow(break_glass("H-1", "*", 1, break_glass_reason="caf\udce9 closes"))
    control.resume_full(break_glass("H-1"))
    assert control.state().probations["P-1"].break_glass_reason == "caf? closes"
    assert control.store.events()[-1].reason == "break-glass: the customer waits"
    flags = control.status().flags
    assert any("P-1 restarted kind=agent by break-glass: caf? closes" in flag for flag in flags)
    assert any(f.startswith("H-1 was released by break-glass: ") for f in flags)


def test_a_decision_and_break_glass_exclude_each_other(tmp_path: Path) -> None:
    """Both at once is a mistake, so that nobody hides an override behind a decision."""
    control = a_control(tmp_path)
    pause(control)
    a_decision(control, "H-1", FULL)
    with pytest.raises(UsageFault, match="not both"):
        control.resume_full(break_glass("H-1", decision_id="D-1"))


def test_a_release_is_final(tmp_path: Path) -> None:
    """A released hold is not released again, not restarted narrowly, and the refusal names who did it (I3)."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_full(break_glass("H-1"))
    for again in (
        lambda: control.resume_full(break_glass("H-1")),
        lambda: control.resume_narrow(break_glass("H-1", "*", 1)),
        lambda: a_decision(control, "H-1", FULL),
    ):
        with pytest.raises(Refused, match=r"H-1 was released by os:.*a release is final"):
            again()
    assert [e.action for e in control.store.events()].count("hold.release") == 1


def test_the_same_resume_twice_is_one_event(tmp_path: Path) -> None:
    """A repeated command id gives the first result; other content under it is a conflict."""
    control = a_control(tmp_path)
    pause(control)
    request = break_glass("H-1", "automation=ticket-reply", 2)
    first = control.resume_narrow(request, command_id="c")
    assert control.resume_narrow(request, command_id="c") == first
    with pytest.raises(Conflict):
        control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3), command_id="c")
    assert list(control.state().probations) == ["P-1"]


@pytest.mark.parametrize(
    ("only", "run_count", "error", "words"),
    [
        ("automation=ticket-reply", None, UsageFault, "number of runs above 0"),
        ("automation=ticket-reply", 0, UsageFault, "number of runs above 0"),
        ("automation=ticket-reply", -1, UsageFault, "number of runs above 0"),
        ("automation=order-sync", 1, NoMatch, "is not under H-1"),
        ("automation=ghost", 1, NoMatch, "is not under H-1"),
        ("kind=workflow", 1, NoMatch, "is not under H-1, which holds kind=agent"),
        ("", 1, ScopeError, "empty"),
    ],
)
def test_a_narrow_restart_needs_a_number_and_a_part_of_the_hold(
    tmp_path: Path, only: str, run_count: int | None, error: type[Exception], words: str
) -> None:
    """No number, nothing under the hold, or a scope outside it: refused and nothing recorded."""
    control = a_control(tmp_path)
    pause(control)
    before = control.head_note()
    with pytest.raises(error, match=words):
        control.resume_narrow(break_glass("H-1", only, run_count))
    assert control.head_note() == before
    assert not (tmp_path / "gate/tickets/P-1.jsonl").exists()


def test_an_end_in_the_past_is_refused(tmp_path: Path) -> None:
    """A narrow restart ends in the future or not by time at all."""
    control = a_control(tmp_path)
    pause(control)
    for until in (START, START - timedelta(days=1)):
        with pytest.raises(UsageFault, match="lies in the past"):
            control.resume_narrow(break_glass("H-1", "*", 1, until=until))


def test_a_narrow_restart_stops_at_its_own_limit(tmp_path: Path) -> None:
    """The hold stays; two runs go through, the third is stopped, and the next command records the end."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 2))
    gate = Gate(tmp_path / "gate", clock=SetClock())
    assert [runs(gate, "ticket-reply", f"r{n}") for n in range(3)] == [True, True, False]
    assert not runs(gate, "invoice-triage", "r1")
    assert control.state().holds["H-1"].released_seq is None
    (view,) = control.holds()
    assert (view.probations[0].runs_taken, view.probations[0].why_over) == (2, "used its 2 runs")
    states = {r.automation.automation_id: r.state for r in control.status().automations}
    assert states["ticket-reply"] == "paused"
    pause(control, "automation=order-sync")
    ended = control.state().probations["P-1"]
    assert (ended.ended_why, ended.ended_seq is not None) == ("used its 2 runs", True)


def test_a_newer_narrow_restart_ends_the_one_it_overlaps(tmp_path: Path) -> None:
    """There is one narrow restart at most for an automation under a hold, and its own count begins at 0."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_narrow(break_glass("H-1", "*", 1))
    gate = Gate(tmp_path / "gate", clock=SetClock())
    assert runs(gate, "ticket-reply", "r1")
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    assert control.state().probations["P-1"].ended_why in ("superseded by P-2", "used its 1 runs")
    (view,) = control.holds()
    assert view.probations[0].why_over == "used its 1 runs, then superseded by P-2"
    assert not runs(gate, "invoice-triage", "r2")
    assert [runs(gate, "ticket-reply", f"n{n}") for n in range(2)] == [True, False]


def test_two_narrow_restarts_of_different_automations_stand_side_by_side(tmp_path: Path) -> None:
    """A narrow restart of one automation does not end that of another."""
    control = a_control(tmp_path)
    pause(control)
    for name in ("ticket-reply", "invoice-triage"):
        control.resume_narrow(break_glass("H-1", f"automation={name}", 1))
    gate = Gate(tmp_path / "gate", clock=SetClock())
    assert runs(gate, "ticket-reply", "r1") and runs(gate, "invoice-triage", "r1")
    assert {p.ended_seq for p in control.state().probations.values()} == {None}


def test_every_hold_on_an_automation_needs_its_own_narrow_restart(tmp_path: Path) -> None:
    """Under two holds a narrow restart of one opens nothing; with one on each it runs."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=ticket-reply")
    gate = Gate(tmp_path / "gate", clock=SetClock())
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    assert not runs(gate, "ticket-reply", "r1")
    control.resume_narrow(break_glass("H-2", "automation=ticket-reply", 1))
    assert runs(gate, "ticket-reply", "r1")
    assert [len(TicketBook(tmp_path / "gate", p, 1).taken()) for p in ("P-1", "P-2")] == [1, 1]


def test_tickets_an_operator_cannot_read_end_nothing(tmp_path: Path) -> None:
    """A missing book closes the gate, but a pause by somebody else does not record an end for it."""
    control = a_control(tmp_path)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    book = TicketBook(tmp_path / "gate", "P-1", 1)
    content = book.path.read_bytes()
    book.path.unlink()
    assert not runs(Gate(tmp_path / "gate", clock=SetClock()), "ticket-reply", "r1")
    pause(control, "automation=order-sync")
    assert control.state().probations["P-1"].ended_seq is None
    assert "cannot be read" in control.holds()[1].probations[0].why_over
    book.path.write_bytes(content)
    assert runs(Gate(tmp_path / "gate", clock=SetClock()), "ticket-reply", "r1")


def test_a_screen_that_saw_the_end_keeps_it(tmp_path: Path) -> None:
    """An end that a screen saw stays reached when the clock is set back, on screens and at the gate."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control)
    until = START + timedelta(minutes=10)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 5, until=until))
    clock.move(660)
    assert "ended at" in control.holds()[0].probations[0].why_over
    clock.move(-660)
    assert "ended at" in control.holds()[0].probations[0].why_over
    assert not runs(Gate(tmp_path / "gate", clock=clock), "ticket-reply", "r1")


def test_an_edit_of_the_registry_un_pauses_nothing(tmp_path: Path) -> None:
    """Out of scope, retired, re-registered, moved: what was covered stays held (sticky)."""
    control = a_control(tmp_path)
    pause(control)
    gate = Gate(tmp_path / "gate")
    others = [a for a in a_registry().automations.values() if a.automation_id != "ticket-reply"]
    for moved in (
        [*others, an_automation("ticket-reply", "workflow", category="support")],
        others,
        [*others, an_automation("ticket-reply", "workflow")],
    ):
        assert control.apply_registry(a_registry(moved)) == 1
        assert gate.check("ticket-reply").state is GateState.PAUSED
    assert control.state().covered["H-1"] == set(AGENTS)


def test_a_new_automation_is_born_paused(tmp_path: Path) -> None:
    """What is registered under a held scope is held from its first question on."""
    control = a_control(tmp_path)
    pause(control, "category=support")
    gate = Gate(tmp_path / "gate")
    assert gate.check("newcomer").state is GateState.UNKNOWN
    newcomer = an_automation("newcomer", category="support")
    control.apply_registry(a_registry([*a_registry().automations.values(), newcomer]))
    assert gate.check("newcomer").holds == ("H-1",)


def test_applying_the_same_registry_records_nothing(tmp_path: Path) -> None:
    """A registry that differs in nothing adds no event."""
    control = a_control(tmp_path)
    before = control.head_note()
    assert control.registry_differences(a_registry()) == []
    assert control.apply_registry(a_registry()) == 0
    assert control.head_note() == before


def test_a_decision_accepts_or_overrides_with_a_reason(tmp_path: Path) -> None:
    """Accepting takes the verdict; deciding otherwise needs a reason and is flagged."""
    control = a_control(tmp_path)
    pause(control)
    a_report(control, "H-1", VerdictKind.KEEP_PAUSED, reason="the provider is degraded")
    accepted = control.decide(DecideRequest("R-1"))
    assert (accepted.decision, accepted.is_override) == (VerdictKind.KEEP_PAUSED, False)
    assert (accepted.reason, accepted.automation_ids) == ("the provider is degraded", AGENTS)
    with pytest.raises(UsageFault, match="to decide restart_full instead, say why") as caught:
        control.decide(DecideRequest("R-1", FULL))
    assert "`workbench decide R-1 --override restart_full --reason" in caught.value.then
    overridden = control.decide(DecideRequest("R-1", FULL, "ann checked by hand"))
    assert overridden.is_override
    assert any("D-2 overrides R-1" in flag for flag in control.status().flags)


@pytest.mark.parametrize(
    ("more", "words"),
    [({"is_complete": False}, "INCOMPLETE"), ({"hold_id": ""}, "about no hold")],
)
def test_a_report_that_proves_nothing_is_not_decided_on(
    tmp_path: Path, more: dict[str, object], words: str
) -> None:
    """An incomplete report, or one about no hold, carries no decision."""
    control = a_control(tmp_path)
    pause(control)
    hold_id = str(more.pop("hold_id", "H-1"))
    a_report(control, hold_id, **more)  # type: ignore[arg-type] # options of the entry
    with pytest.raises(Refused, match=words):
        control.decide(DecideRequest("R-1"))
    assert control.state().decisions == {}


def test_an_unknown_report_names_the_newest(tmp_path: Path) -> None:
    """A report that is not there is not found, and the newest are named."""
    control = a_control(tmp_path)
    with pytest.raises(NotFound, match="no report R-9; newest: none"):
        control.decide(DecideRequest("R-9"))


def test_an_older_review_gives_way_to_the_newer_of_the_same_question(tmp_path: Path) -> None:
    """A newer complete review of the same automations supersedes; an incomplete or other one does not."""
    control = a_control(tmp_path)
    pause(control)
    a_report(control, "H-1")
    a_report(control, "H-1", is_complete=False)
    a_report(control, "H-1", ids=("ticket-reply",))
    a_report(control, "H-1", name="post-incident-review")
    assert control.decide(DecideRequest("R-1")).decision_id == "D-1"
    a_report(control, "H-1")
    with pytest.raises(Refused, match="R-1 is not the newest review of H-1; R-5 is"):
        control.decide(DecideRequest("R-1"))
    assert control.decide(DecideRequest("R-5")).decision_id == "D-2"


def test_a_decision_on_a_changed_hold_is_refused(tmp_path: Path) -> None:
    """A decider who looked before the hold changed is asked to look again."""
    control = a_control(tmp_path)
    pause(control)
    a_report(control, "H-1")
    seen = control.head_note().seq
    control.resume_narrow(break_glass("H-1", "*", 1))
    with pytest.raises(Refused, match="changed after what you were looking at"):
        control.decide(DecideRequest("R-1", based_on=seen))


def proposing(control: Control, ids: tuple[str, ...] | None, runs: int | None) -> None:
    """Record a report that proposes a narrow restart, and accept it."""
    report = a_report(control, "H-1", NARROW, narrow_ids=ids, narrow_run_count=runs)
    control.decide(DecideRequest(report.report_id))


def narrow(only: str, runs_asked: int, decision_id: str = "D-1") -> ResumeRequest:
    """Return a request for a narrow restart of H-1."""
    return ResumeRequest("H-1", only, runs_asked, decision_id=decision_id)


def test_a_narrow_decision_entitles_to_what_was_reviewed_and_once(tmp_path: Path) -> None:
    """Other automations, more runs and a second restart are refused; what was proposed, or less, starts."""
    control = a_control(tmp_path)
    pause(control)
    proposing(control, ("ticket-reply",), 5)
    with pytest.raises(Refused, match="R-1 proposed to let ticket-reply through, not invoice-tri"):
        control.resume_narrow(narrow("kind=agent", 5))
    with pytest.raises(Refused, match="R-1 proposed 5 runs, not 6"):
        control.resume_narrow(narrow("automation=ticket-reply", 6))
    assert control.state().probations == {}
    assert control.resume_narrow(narrow("automation=ticket-reply", 5)).max_runs == 5
    with pytest.raises(Refused, match="D-1 was used by P-1"):
        control.resume_narrow(narrow("automation=ticket-reply", 5))
    assert control.state().probations["P-1"].ended_seq is None
    assert control.store.projection() == documents(control.state())
    proposing(control, ("ticket-reply",), 5)
    assert control.resume_narrow(narrow("automation=ticket-reply", 4, "D-2")).max_runs == 4


def test_a_report_that_told_no_proposal_knows_no_limit(tmp_path: Path) -> None:
    """Logs recorded before reports told theirs are read on: the decision's automations are the limit."""
    control = a_control(tmp_path)
    pause(control)
    proposing(control, None, None)
    payload = next(e for e in control.store.events() if e.action == "report.record").payload
    assert not {"narrow_ids", "narrow_run_count"} & set(payload)
    assert ("report", "R-1") in control.store.projection()
    assert "narrow_ids" not in control.store.projection()["report", "R-1"]
    assert control.resume_narrow(narrow("kind=agent", 99)).max_runs == 99


def test_an_override_to_narrow_has_no_proposal(tmp_path: Path) -> None:
    """Who decides a narrow restart against the verdict may choose within the reviewed automations, once."""
    control = a_control(tmp_path)
    pause(control)
    report = a_report(control, "H-1", VerdictKind.KEEP_PAUSED, AGENTS[:2], narrow_run_count=1)
    control.decide(DecideRequest(report.report_id, NARROW, "the owner checked by hand"))
    with pytest.raises(Refused, match=f"D-1 is not about {AGENTS[2]}"):
        control.resume_narrow(narrow("kind=agent", 9))
    assert control.resume_narrow(narrow(f"automation={AGENTS[0]}", 9)).max_runs == 9
    with pytest.raises(Refused, match="D-1 was used by P-1"):
        control.resume_narrow(narrow(f"automation={AGENTS[1]}", 9))


def test_a_report_from_before_the_hold_or_its_restart_is_not_decided_on(tmp_path: Path) -> None:
    """What was looked at must be the hold as it stands: placed, and since its last narrow restart."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control)
    clock.move(60)
    early = a_report(control, "H-1", FULL, as_of=START - timedelta(hours=1))
    with pytest.raises(Refused, match=r"R-1 looks at H-1 as of 2026-11-20 08:30:00") as caught:
        control.decide(DecideRequest(early.report_id))
    assert "look again: `workbench review H-1`" in caught.value.then
    current = a_report(control, "H-1", FULL)
    clock.move(60)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    with pytest.raises(Refused, match="the hold last changed at 2026-11-20 09:32:00 UTC"):
        control.decide(DecideRequest(current.report_id))
    again = a_report(control, "H-1", FULL)
    assert control.decide(DecideRequest(again.report_id)).decision is FULL

"""Words that are taken back: anybody may, the block is there again, and a later word stands all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_first_run import a_company
from tests.control.test_signoffs import a_house
from tests.store.ground import AGENTS, a_control, a_decision, a_report, break_glass, pause
from tests.store.test_none_said import a_word
from tests.store.test_verified_records import PAID, SENT
from workbench.control import Control
from workbench.control.approving import request_signoff
from workbench.control.deciding import DecideRequest
from workbench.control.resuming import ResumeRequest
from workbench.control.saying_none import say_none
from workbench.control.verifying import MOST_CHANGES, verify_records
from workbench.control.withdrawing import withdraw_none, withdraw_records
from workbench.errors import Conflict, NotFound, Refused, UsageFault
from workbench.records import VerdictKind
from workbench.reports.words import none_said_rows, verification_rows, withdrawn_rows
from workbench.store import record_events
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.record_events import is_verified
from workbench.store.store import Change, Command


def check_a_word_is_taken_back(place: Path) -> None:
    """Of one record and no other, by whoever finds it wrong; who verifies it later is heard again."""
    control = a_control(place)
    verify_records(control, [SENT, PAID], reason="read it")
    assert withdraw_records(control, "email/M-1", reason="it was the wrong customer") == 1
    for state in (control.state(), fold(control.store.events())):
        assert not is_verified(state, SENT)
        assert is_verified(state, PAID)
        assert list(verification_rows(state)["record_id"]) == ["INV-1"]
        (row,) = withdrawn_rows(state).to_dict("records")
        assert (row["record_id"], row["reason"]) == ("M-1", "it was the wrong customer")
        assert row["withdrawn_by"]
    assert "withdrawn_change" in {entity for entity, _ in control.store.projection()}
    verify_records(control, [SENT], reason="called the right one")
    assert is_verified(control.state(), SENT)
    assert verify_store(control.store).is_ok


def test_a_word_is_taken_back_in_both_stores(place: Path) -> None:
    """What was unblocked is blocked again, and the log says who took the word back and why."""
    check_a_word_is_taken_back(place)


def test_a_fold_that_keeps_words_that_were_taken_back_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: a withdrawal is noted and changes no word."""
    monkeypatch.setattr(record_events, "change_key", lambda change: repr(change))
    with pytest.raises(AssertionError):
        check_a_word_is_taken_back(tmp_path)


def test_anybody_may_take_a_signed_word_back(tmp_path: Path) -> None:
    """It closes: in production a stranger without a key takes a member's word back, and gives none."""
    ann, _ = a_company(tmp_path, "ann", "bo")
    verify_records(ann, [SENT], reason="read it")
    stranger = Control(ann.store, ann.clock)
    assert withdraw_records(stranger, "email/M-1", reason="no, it went to everybody") == 1
    assert not is_verified(ann.state(), SENT)
    assert ann.state().refused == {}


def test_what_nobody_said_is_not_taken_back(tmp_path: Path) -> None:
    """Each refusal leaves the log as it was; the same command id gives the first result."""
    control = a_control(tmp_path)
    pause(control)
    verify_records(control, [SENT], reason="read it")
    seq = control.head_note().seq
    with pytest.raises(UsageFault, match="why the word does not stand"):
        withdraw_records(control, "email/M-1", reason=" ")
    with pytest.raises(NotFound, match="Nobody verified"):
        withdraw_records(control, "email/M-2", reason="x")
    with pytest.raises(NotFound, match="Nobody said"):
        withdraw_none(control, "H-1", reason="x")
    assert control.head_note().seq == seq
    withdraw_records(control, "email/M-1", reason="x", command_id="c1")
    assert withdraw_records(control, "email/M-1", reason="x", command_id="c1") == 1
    with pytest.raises(Conflict):
        withdraw_records(control, "email/M-2", reason="x", command_id="c1")
    with pytest.raises(NotFound, match="Nobody verified"):
        withdraw_records(control, "email/M-1", reason="again")


def test_what_only_its_source_calls_verified_can_be_taken_back(tmp_path: Path) -> None:
    """The log has no word of it, so that the command brings the loaded change along."""
    control = a_control(tmp_path)
    assert withdraw_records(control, "email/M-1", reason="not so", told_by_source=[SENT]) == 1
    assert list(withdrawn_rows(control.state())["run_id"]) == ["r1"]


def test_what_rested_on_a_word_is_looked_at_again(tmp_path: Path) -> None:
    """A report from before the withdrawal is not decided on; of a hold on others it still is."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=order-sync")
    verify_records(control, [SENT], reason="read it")
    report, other = a_report(control, "H-1"), a_report(control, "H-2", ids=("order-sync",))
    withdraw_records(control, "email/M-1", reason="wrong")
    with pytest.raises(Refused, match="the hold last changed"):
        control.decide(DecideRequest(report.report_id))
    assert control.decide(DecideRequest(other.report_id)).hold_id == "H-2"
    report = a_report(control, "H-1")
    say_none(control, a_word("product-copy"), reason="it only reads")
    assert control.decide(DecideRequest(report.report_id)).hold_id == "H-1"
    report = a_report(control, "H-1")
    withdraw_none(control, "H-1", reason="it wrote")
    with pytest.raises(Refused, match="the hold last changed"):
        control.decide(DecideRequest(report.report_id))


def test_no_decision_from_before_resumes(tmp_path: Path) -> None:
    """Neither in full nor narrowly, by the command or a forged event; a review after it is decided on as usual."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=order-sync")
    verify_records(control, [SENT], reason="read it")
    a_decision(control, "H-1", VerdictKind.RESTART_FULL)
    withdraw_records(control, "email/M-1", reason="wrong customer")
    seq = control.head_note().seq
    why = f"that D-1 rested on was taken back at event {seq}"
    with pytest.raises(Refused, match=why):
        control.resume_full(ResumeRequest("H-1", decision_id="D-1"))
    with pytest.raises(Refused, match=why):
        control.resume_narrow(ResumeRequest("H-1", "automation=product-copy", 1, decision_id="D-1"))
    forged(control, "hold.release", "H-1", covered=list(AGENTS), decision_id="D-1")
    body = {"hold_id": "H-1", "scope": "automation=product-copy", "max_runs": 1, "until": None}
    ids = ["product-copy"]
    forged(control, "probation.start", "P-1", **body, automation_ids=ids, decision_id="D-1")
    state = fold(control.store.events())
    assert (len(state.refused), state.holds["H-1"].released_seq, state.probations) == (2, None, {})
    a_decision(control, "H-1", VerdictKind.RESTART_FULL)
    control.resume_full(ResumeRequest("H-1", decision_id="D-2"))
    assert verify_store(control.store).is_ok


def forged(control: Control, action: str, target: str, **body: Any) -> None:
    """Write an event that opens, past the commands."""
    draft = Draft(
        control.clock.now(), "os:x", action, target, payload={**body, "break_glass_reason": ""}
    )
    control.transact(Command(f"forged-{action}", {"n": 1}), lambda *_: Change([draft]))


def test_a_word_of_none_that_is_taken_back_is_of_its_own_hold(tmp_path: Path) -> None:
    """A decision about another hold on the same automation never rested on it, and resumes."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=product-copy")
    say_none(control, a_word(), reason="they only read")
    a_decision(control, "H-1", VerdictKind.RESTART_FULL)
    a_decision(control, "H-2", VerdictKind.RESTART_FULL, ("product-copy",))
    withdraw_none(control, "H-1", reason="one wrote to the bank")
    with pytest.raises(Refused, match="rested on was taken back"):
        control.resume_full(ResumeRequest("H-1", decision_id="D-1"))
    control.resume_full(ResumeRequest("H-2", decision_id="D-2"))
    control.resume_full(break_glass("H-1"))


def test_in_production_a_new_sign_off_does_not_mend_it(tmp_path: Path) -> None:
    """The decision is what rests on the word that was taken back, whoever signs it off later."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    stranger = Control(ann.store, ann.clock)
    withdraw_records(stranger, "email/M-1", reason="not so", told_by_source=[SENT])
    with pytest.raises(Refused, match="rested on was taken back"):
        request_signoff(ann, ResumeRequest("H-1", decision_id="D-1"))


def test_a_record_of_many_changes_is_taken_back_in_events_of_a_readable_size(
    tmp_path: Path,
) -> None:
    """However often it was written, every word on it goes by one command."""
    control = a_control(tmp_path)
    many = [replace(SENT, change_seq=n) for n in range(MOST_CHANGES + 1)]
    verify_records(control, many, reason="all of it")
    assert withdraw_records(control, "email/M-1", reason="none of it") == len(many)
    assert verification_rows(control.state()).empty
    events = [e for e in control.store.events() if e.action == "record.withdraw"]
    assert [len(e.payload["changes"]) for e in events] == [MOST_CHANGES, 1]


def test_that_nothing_was_written_is_taken_back_too(tmp_path: Path) -> None:
    """Of all automations of the hold, whoever said it; who looks again may say it again."""
    control = a_control(tmp_path)
    pause(control)
    say_none(control, a_word(), reason="they only read")
    assert withdraw_none(control, "H-1", reason="one wrote to the bank") == tuple(sorted(AGENTS))
    for state in (control.state(), fold(control.store.events())):
        assert none_said_rows(state).empty
    say_none(control, a_word(), reason="it did not")
    assert len(none_said_rows(control.state())) == len(AGENTS)
    assert verify_store(control.store).is_ok

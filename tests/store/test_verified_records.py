"""Verified records: a signed word about one content of one change, in both stores, and nobody's word beyond that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.control.test_first_run import a_company, production, registry
from tests.store.ground import a_control
from workbench.control import Control
from workbench.control.verifying import MOST_CHANGES, verify_records
from workbench.errors import Conflict, Refused, UsageFault
from workbench.evidence import LoadedChange
from workbench.policy import Policy
from workbench.store import record_events
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.record_events import change_key, is_verified
from workbench.store.store import Change, Command

SENT = LoadedChange("ledger", "r1", "email", "M-1", 0, "invoice-triage", "a" * 64)
PAID = LoadedChange("ledger", "r1", "invoice", "INV-1", 0, "invoice-triage", "b" * 64)


def test_a_verification_is_in_the_log_the_fold_and_the_projection(place: Path) -> None:
    """One event a record, with who, why and the content that was seen; the log verifies and the fold says the same."""
    control = a_control(place)
    again = replace(SENT, run_id="r2")
    done = verify_records(control, [SENT, PAID, again], reason="called the customer")
    assert (done.record_names, done.change_count) == (("email/M-1", "invoice/INV-1"), 3)
    events = [e for e in control.store.events() if e.action == "record.verify"]
    assert [(e.target, e.reason, len(e.payload["changes"])) for e in events] == [
        ("email/M-1", "called the customer", 2),
        ("invoice/INV-1", "called the customer", 1),
    ]
    for state in (control.state(), fold(control.store.events())):
        assert all(is_verified(state, one) for one in (SENT, PAID, again))
    assert "verified_change" in {entity for entity, _ in control.store.projection()}
    assert verify_store(control.store).is_ok


def test_a_change_that_was_rewritten_since_is_not_verified(place: Path) -> None:
    """The word is about what was seen: other content under the same ids must be looked at again."""
    control = a_control(place)
    verify_records(control, [SENT], reason="read it")
    rewritten = replace(SENT, content_sha256="c" * 64)
    assert not is_verified(control.state(), rewritten)
    verify_records(control, [rewritten], reason="read the new one")
    assert is_verified(control.state(), rewritten)


def test_without_a_reason_or_twice_or_too_many_nothing_is_recorded(place: Path) -> None:
    """Each refusal says why and leaves the log as it was; the same command id gives the first result."""
    control = a_control(place)
    with pytest.raises(UsageFault, match="what you found"):
        verify_records(control, [SENT], reason=" ")
    many = [replace(SENT, change_seq=n) for n in range(MOST_CHANGES + 1)]
    with pytest.raises(Refused, match="more than one command"):
        verify_records(control, many, reason="all of it")
    assert control.state().verified == {}
    verify_records(control, [SENT], reason="read it", command_id="c1")
    seq = control.head_note().seq
    verify_records(control, [SENT], reason="read it", command_id="c1")
    with pytest.raises(Refused, match="verified already"):
        verify_records(control, [SENT], reason="read it")
    with pytest.raises(Conflict):
        verify_records(control, [PAID], reason="read it", command_id="c1")
    assert control.head_note().seq == seq


def test_ids_that_pose_as_others_name_other_changes() -> None:
    """A slash or a percent sign in an id moves no part of a name into the next."""
    one, other = replace(SENT, run_id="r1/email"), replace(SENT, record_type="email/email")
    assert len({change_key(c) for c in (SENT, one, other, replace(SENT, run_id="r1%2Femail"))}) == 4


def forged(control: Control, change: LoadedChange) -> None:
    """Write an unsigned verification past the command path."""
    told = ("source_id", "run_id", "change_seq", "automation_id", "content_sha256")
    body = {
        "record_type": change.record_type,
        "record_id": change.record_id,
        "changes": [{name: getattr(change, name) for name in told}],
    }
    target = f"{change.record_type}/{change.record_id}"
    draft = Draft(control.clock.now(), "ops-lead", "record.verify", target, payload=body)
    control.store.transact(Command("forged", {"name": "forged"}), lambda _: Change([draft]))


def check_an_unsigned_word_does_not_count(root: Path) -> None:
    """In production a member with a key verifies; a stranger is refused, and what they write is not obeyed."""
    ann, _ = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production("new-agent")))
    stranger = Control(ann.store, ann.clock)
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        verify_records(stranger, [SENT], reason="looks fine")
    forged(stranger, SENT)
    assert not is_verified(ann.state(), SENT)
    assert "not signed" in "".join(ann.state().refused.values())
    verify_records(ann, [SENT], reason="asked the customer")
    found = ann.state().verified[change_key(SENT)]
    assert (found["is_signed"], found["reason"]) == (True, "asked the customer")
    assert "ann" in found["verified_by"]
    assert verify_store(ann.store).is_ok


def test_in_production_only_a_signed_word_counts(place: Path) -> None:
    """What unblocks a restart is signed by an enrolled member, in both stores."""
    check_an_unsigned_word_does_not_count(place)


def test_a_fold_that_takes_anybodys_word_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: the fold asks no policy whether a word must be signed."""
    lax = Policy("production", signoffs_required=0)
    monkeypatch.setattr(record_events, "policy_of", lambda _: lax)
    with pytest.raises(AssertionError):
        check_an_unsigned_word_does_not_count(tmp_path)

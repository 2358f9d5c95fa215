"""Verified records: a signed word about one content of one change, in both stores, and nobody's word beyond that."""

from __future__ import annotations

import random
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_first_run import a_company, production, registry
from tests.control.test_keys import a_person
from tests.store.ground import a_control
from workbench.control import Control
from workbench.control.approving import apply_policy
from workbench.control.enrolling_keys import Enrolment, enrol_key, revoke_key
from workbench.control.verifying import MOST_CHANGES, verify_records
from workbench.errors import Conflict, Refused, UsageFault
from workbench.evidence import LoadedChange
from workbench.policy import Policy
from workbench.reports.words import verification_rows
from workbench.store import record_events
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.record_events import (
    change_key,
    counted_words,
    is_verified,
    is_verified_enough,
    verifiers_of,
)
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


def test_a_record_of_many_changes_takes_several_events_of_one_command(tmp_path: Path) -> None:
    """However often a run wrote a record, it can be verified, and each event stays of a readable size."""
    control = a_control(tmp_path)
    many = [replace(SENT, change_seq=n) for n in range(2 * MOST_CHANGES + 1)]
    done = verify_records(control, many, reason="all of it", manifest_version=7)
    assert (done.record_names, done.change_count) == (("email/M-1",), len(many))
    events = [e for e in control.store.events() if e.action == "record.verify"]
    assert [len(e.payload["changes"]) for e in events] == [MOST_CHANGES, MOST_CHANGES, 1]
    assert {e.payload["manifest_version"] for e in events} == {7}
    assert all(is_verified(control.state(), one) for one in many)


def test_without_a_reason_or_twice_nothing_is_recorded(place: Path) -> None:
    """Each refusal says why and leaves the log as it was; the same command id gives the first result."""
    control = a_control(place)
    with pytest.raises(UsageFault, match="what you found"):
        verify_records(control, [SENT], reason=" ")
    assert control.state().verified == {}
    verify_records(control, [SENT], reason="read it", command_id="c1")
    seq = control.head_note().seq
    verify_records(control, [SENT], reason="read it", command_id="c1")
    with pytest.raises(Refused, match="verified already"):
        verify_records(control, [SENT], reason="read it")
    with pytest.raises(Conflict):
        verify_records(control, [PAID], reason="read it", command_id="c1")
    assert control.head_note().seq == seq


def test_ids_of_any_length_can_be_verified_and_half_a_character_is_refused(place: Path) -> None:
    """What a source may call a record is not for a database's index to limit; the refusal is one sentence."""
    control = a_control(place)
    chosen = random.Random(1).choices(string.ascii_letters + string.digits, k=4000)
    for record_id in ("".join(chosen), "a\u0000b", "Rechnung \u00e4\u4e00"):
        named = replace(SENT, record_id=record_id)
        verify_records(control, [named], reason="read it")
        assert is_verified(control.state(), named)
        assert len(change_key(named)) == 64
    with pytest.raises(UsageFault, match="half a character"):
        verify_records(control, [replace(SENT, record_id="q\ud800x")], reason="read it")


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
    (found,) = counted_words(ann.state())
    assert found["reason"] == "asked the customer"
    assert "ann" in found["verified_by"]
    assert verify_store(ann.store).is_ok


def test_in_production_only_a_signed_word_counts(place: Path) -> None:
    """What unblocks a restart is signed by an enrolled member, in both stores."""
    check_an_unsigned_word_does_not_count(place)


def test_a_fold_that_takes_anybodys_word_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: the fold asks no policy whether a word must be signed."""
    monkeypatch.setattr(record_events, "asks_for_keys", lambda _: False)
    with pytest.raises(AssertionError):
        check_an_unsigned_word_does_not_count(tmp_path)


POLICIES = [
    {"signoffs_required": 1},
    {"is_override_signed": True},
    {"may_decide": ("ops-lead",)},
    {"may_release": ("ops-lead",)},
    {"may_resume": ("ops-lead",)},
    {"verifiers_required": 2},
]


def a_member(control: Control, root: Path) -> Control:
    """Return the same store as a member of a role, with a key, gives commands to it."""
    owners = control.state().owners
    role, person = next((role, owner.members[0]) for role, owner in owners.items() if owner.members)
    member, public_hex = a_person(control, root, person)
    enrol_key(member, Enrolment(public_hex, person, role))
    return member


def check_a_policy_asks_for_keys_of_earlier_words_too(root: Path, asks: dict[str, Any]) -> None:
    """An unsigned word counts until policy asks for keys; then a member's takes its place, until the key is out."""
    control = a_control(root)
    environment = control.state().environment
    verify_records(control, [SENT], reason="trust me")
    ann = a_member(control, root)
    assert is_verified(ann.state(), SENT)
    apply_policy(ann, Policy(environment, **asks))
    assert not is_verified(ann.state(), SENT)
    assert verification_rows(ann.state()).empty
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        verify_records(control, [SENT], reason="trust me still")
    done = verify_records(ann, [SENT], reason="I looked")
    assert (done.change_count, done.known_count) == (1, 0)
    for state in (ann.state(), fold(ann.store.events())):
        assert is_verified(state, SENT)
        assert list(verification_rows(state)["reason"]) == ["I looked"]
    assert verify_store(ann.store).is_ok
    (key,) = ann.state().keys.values()
    other, public_hex = a_person(control, root / "another", key.person)
    enrol_key(ann, Enrolment(public_hex, key.person, key.role))
    revoke_key(other, key.key_id, reason="lost")
    assert not is_verified(ann.state(), SENT)


@pytest.mark.parametrize("asks", POLICIES, ids=lambda asks: next(iter(asks)))
def test_a_policy_asks_for_keys_of_earlier_words_too(tmp_path: Path, asks: dict[str, Any]) -> None:
    """Whether a word counts is asked at its use: under each policy that lets no stranger open."""
    check_a_policy_asks_for_keys_of_earlier_words_too(tmp_path, asks)


def test_in_production_two_persons_verify_what_cannot_be_undone(tmp_path: Path) -> None:
    """One word is recorded and does not do; the same person again is refused, and a second one is enough."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    done = verify_records(ann, [SENT, PAID], reason="read it")
    assert (done.change_count, done.wanting_count) == (2, 2)
    assert verifiers_of(ann.state(), SENT) == {"ann"}
    assert not is_verified_enough(ann.state(), SENT)
    with pytest.raises(Refused, match="ann verified it before, and policy asks 2 persons"):
        verify_records(ann, [SENT], reason="read it again")
    done = verify_records(bo, [SENT], reason="called the customer")
    assert (done.change_count, done.known_count, done.wanting_count) == (1, 1, 0)
    assert is_verified_enough(ann.state(), SENT)
    assert list(verification_rows(ann.state())["person"]) == ["ann", "ann", "bo"]
    with pytest.raises(Refused, match="verified already"):
        verify_records(bo, [SENT], reason="again")
    assert verify_store(ann.store).is_ok


def test_a_person_with_two_keys_is_one(tmp_path: Path) -> None:
    """Keys are cheap; a second look is another person's."""
    ann, _ = a_company(tmp_path, "ann", "bo")
    again, public_hex = a_person(ann, tmp_path / "again", "ann")
    enrol_key(ann, Enrolment(public_hex, "ann", "ops-lead"))
    verify_records(ann, [SENT], reason="read it")
    with pytest.raises(Refused, match="ann verified it before"):
        verify_records(again, [SENT], reason="read it with another key")
    assert not is_verified_enough(ann.state(), SENT)


def test_outside_production_one_person_is_enough(tmp_path: Path) -> None:
    """As before this rule, and as in a production store that was made before it."""
    control = a_control(tmp_path)
    assert verify_records(control, [SENT], reason="read it").wanting_count == 0
    assert is_verified_enough(control.state(), SENT)


def test_an_unsigned_word_does_not_push_a_signed_one_out(tmp_path: Path) -> None:
    """What a stranger writes of the same change, while policy still lets them, costs no member their word."""
    control = a_control(tmp_path)
    ann = a_member(control, tmp_path)
    verify_records(ann, [SENT], reason="I looked")
    forged(control, SENT)
    apply_policy(ann, Policy(ann.state().environment, 1))
    assert is_verified(ann.state(), SENT)


def test_a_ledger_that_judges_words_when_they_come_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: what was once taken in counts under every later policy."""
    monkeypatch.setattr(record_events, "is_counted", lambda *_: True)
    with pytest.raises(AssertionError):
        check_a_policy_asks_for_keys_of_earlier_words_too(tmp_path, POLICIES[0])

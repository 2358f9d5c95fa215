"""Words that nothing was written: bound to hold, automations and time, signed where policy asks, in both stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.control.test_first_run import a_company, production, registry
from tests.store.ground import AGENTS, START, a_control, pause
from tests.store.test_verified_records import POLICIES, SENT, a_member
from workbench.control import Control
from workbench.control.approving import apply_policy
from workbench.control.saying_none import NoneWord, say_none
from workbench.control.verifying import verify_records
from workbench.errors import Conflict, NotFound, Refused, UsageFault
from workbench.evidence import NothingLoaded
from workbench.policy import Policy
from workbench.reports.words import none_said_rows
from workbench.store import none_events
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.none_events import counted_none_words, lacking_persons
from workbench.store.store import Change, Command


def a_word(*ids: str, hold_id: str = "H-1") -> NoneWord:
    """Return a word about the hour before the tests begin."""
    loaded = tuple(NothingLoaded(name, 3, "a" * 64) for name in ids or AGENTS)
    return NoneWord(hold_id, START - timedelta(hours=1), START, loaded, 7)


def test_a_word_is_in_the_log_the_fold_and_the_projection(place: Path) -> None:
    """One event with hold, time, automations and what was loaded; the log verifies and the fold says the same."""
    control = a_control(place)
    pause(control)
    assert say_none(control, a_word(), reason="read the audit log") == AGENTS
    (event,) = (e for e in control.store.events() if e.action == "record.say_none")
    assert (event.target, event.correlation_id, event.reason) == (
        "H-1",
        "H-1",
        "read the audit log",
    )
    for state in (control.state(), fold(control.store.events())):
        rows = none_said_rows(state)
        assert list(rows["automation_id"]) == list(AGENTS)
        assert set(rows["runs_sha256"]) == {"a" * 64}
        assert set(rows["until_at"]) == {START}
    assert "none_said" in {entity for entity, _ in control.store.projection()}
    assert verify_store(control.store).is_ok


def test_the_newest_word_of_a_key_stands(place: Path) -> None:
    """Who looks again says it of the longer time; the earlier word gives way."""
    control = a_control(place)
    pause(control)
    say_none(control, a_word(), reason="read it")
    say_none(control, replace(a_word("product-copy"), manifest_version=8), reason="read it again")
    found = {word["automation_id"]: word["reason"] for word in counted_none_words(control.state())}
    assert found == {
        "invoice-triage": "read it", "product-copy": "read it again", "ticket-reply": "read it"
    }  # fmt: skip


def test_in_production_another_person_must_say_it_too(tmp_path: Path) -> None:
    """The same person again is no second one; where one is enough nobody lacks."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    ann.apply_registry(registry(*production("new-agent")), already_running="ran before")
    pause(ann, "automation=new-agent")
    assert lacking_persons(ann.state(), "H-1") == 0
    for who, lacking in ((ann, 1), (ann, 1), (bo, 0)):
        say_none(who, a_word("new-agent"), reason="read it")
        assert lacking_persons(ann.state(), "H-1") == lacking
    assert list(none_said_rows(ann.state())["person"]) == ["ann", "bo"]
    plain = a_control(tmp_path / "plain")
    pause(plain)
    say_none(plain, a_word(), reason="read it")
    assert lacking_persons(plain.state(), "H-1") == 0


def test_what_cannot_be_said_is_refused_and_not_recorded(place: Path) -> None:
    """Without a reason, of time to come, of what the hold does not cover, of a hold that is none or over."""
    control = a_control(place)
    pause(control)
    seq = control.head_note().seq
    with pytest.raises(UsageFault, match="how you know"):
        say_none(control, a_word(), reason=" ")
    with pytest.raises(Refused, match="ends after now"):
        say_none(control, replace(a_word(), until_at=START + timedelta(seconds=1)), reason="x")
    with pytest.raises(Refused, match="does not cover order-sync"):
        say_none(control, a_word("order-sync"), reason="x")
    with pytest.raises(NotFound):
        say_none(control, a_word(hold_id="H-9"), reason="x")
    assert control.head_note().seq == seq
    say_none(control, a_word(), reason="x", command_id="c1")
    later = replace(a_word(), since_at=START - timedelta(hours=2))
    say_none(control, later, reason="x", command_id="c1")
    with pytest.raises(Conflict):
        say_none(control, a_word("product-copy"), reason="x", command_id="c1")
    assert [e.action for e in control.store.events()].count("record.say_none") == 1


def forged(control: Control, word: NoneWord) -> None:
    """Write an unsigned word past the command path."""
    draft = Draft(
        control.clock.now(), "ops-lead", "record.say_none", word.hold_id, payload=word.payload()
    )
    control.store.transact(Command("forged", {"name": "forged"}), lambda _: Change([draft]))


def check_an_unsigned_word_does_not_count(root: Path) -> None:
    """In production a member with a key says it; a stranger is refused, and what they write is not obeyed."""
    ann, _ = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production("new-agent")), already_running="ran before")
    pause(ann, "automation=new-agent")
    word = a_word("new-agent")
    stranger = Control(ann.store, ann.clock)
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        say_none(stranger, word, reason="nothing")
    forged(stranger, word)
    assert counted_none_words(ann.state()) == []
    assert "not signed" in "".join(ann.state().refused.values())
    say_none(ann, word, reason="asked the bank")
    (found,) = counted_none_words(ann.state())
    assert "ann" in found["said_by"]
    assert verify_store(ann.store).is_ok


def test_in_production_only_a_signed_word_counts(place: Path) -> None:
    """What lets a restart pass without evidence is signed by an enrolled member, in both stores."""
    check_an_unsigned_word_does_not_count(place)


def test_a_fold_that_takes_anybodys_word_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: the fold asks no policy whether a word must be signed."""
    monkeypatch.setattr(none_events, "asks_for_keys", lambda _: False)
    monkeypatch.setattr(none_events, "is_counted", lambda *_: True)
    with pytest.raises(AssertionError):
        check_an_unsigned_word_does_not_count(tmp_path)


def test_a_policy_that_asks_for_keys_ends_earlier_unsigned_words(tmp_path: Path) -> None:
    """Whether a word counts is asked at its use, as of a verification."""
    control = a_control(tmp_path)
    pause(control)
    say_none(control, a_word(), reason="trust me")
    ann = a_member(control, tmp_path)
    assert len(counted_none_words(ann.state())) == len(AGENTS)
    apply_policy(ann, Policy(control.state().environment, **POLICIES[0]))
    assert counted_none_words(ann.state()) == []
    say_none(ann, a_word(), reason="I looked")
    assert {word["reason"] for word in counted_none_words(ann.state())} == {"I looked"}


def test_a_word_written_past_the_commands_about_time_to_come_is_not_obeyed(tmp_path: Path) -> None:
    """Of what has not been yet nobody can say anything, whoever wrote the event."""
    control = a_control(tmp_path)
    pause(control)
    forged(control, replace(a_word(), until_at=START + timedelta(days=1)))
    assert counted_none_words(control.state()) == []
    assert "ends after it was said" in "".join(control.state().refused.values())


def test_what_a_copy_of_the_state_takes_in_changes_no_other(tmp_path: Path) -> None:
    """A trial of an event on a copy leaves no word behind where it was copied from."""
    control = a_control(tmp_path)
    pause(control)
    verify_records(control, [SENT], reason="read it")
    say_none(control, a_word(), reason="read it")
    events = control.store.events()
    before = fold(e for e in events if not e.action.startswith("record."))
    verify_records(control, [replace(SENT, content_sha256="c" * 64)], reason="read the new one")
    first = fold(events)
    fold((e for e in control.store.events() if e.seq > first.seq), first.copy())
    (words,) = first.verified.values()
    assert {word["reason"] for word in words.values()} == {"read it"}
    assert (before.verified, before.none_said) == ({}, {})

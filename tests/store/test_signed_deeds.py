"""Each event of a signed command is signed itself: nothing else in the log can stand under that signature (F70, F72)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_keys import a_person, enrolled
from tests.control.test_signoffs import PLAN, a_house, clock_of
from tests.store.ground import AGENTS, START, SetClock, a_control, break_glass, pause
from workbench.clock import to_text
from workbench.control import Control
from workbench.control.approving import give_signoff, request_signoff
from workbench.control.enrolling_keys import Enrolment, enrol_key, revoke_key
from workbench.control.reviewing import review_break_glass
from workbench.control.signing import file_signer
from workbench.gate import Gate, GateState
from workbench.records import Event
from workbench.settings import KEY_FILE
from workbench.store import signatures
from workbench.store.audit import forged_signature, verify_store
from workbench.store.folding import fold
from workbench.store.keys import load_key
from workbench.store.log import Draft, body_of, chain_hash, deed_digest, parse_event
from workbench.store.signatures import signer_of
from workbench.store.signoffs import decision_digest


def appended(events: list[Event], under: Event, action: str, target: str, body: Any) -> Event:
    """Return an event at the end of a log under the mark and the actor of another one: what a SQL shell can write."""
    payload = {**body, "command": under.payload["command"]}
    draft = Draft(under.occurred_at, under.actor, action, target, payload=payload)
    last = events[-1]
    text = body_of(draft, seq=last.seq + 1, store_id=last.store_id)
    return parse_event(text, prev_hash=last.hash, hash_text=chain_hash(last.hash, text))


def pauses_of(events: list[Event], *people: str) -> list[Event]:
    """Return the newest signed pause of each person."""
    placed = [e for e in events if e.action == "hold.place"]
    return [next(e for e in reversed(placed) if f"({name}," in e.actor) for name in people]


def a_forged_release(root: Path) -> list[Event]:
    """Return a log in which pauses of three people stand, and their marks under a sign-off of H-1 and its release."""
    ann, bo, cy = a_house(root, "ann", "bo", "cy")
    for person in (ann, bo, cy):
        pause(person, "automation=stock-watch")
    events, state, ids = ann.store.events(), ann.state(), sorted(AGENTS)
    marks = pauses_of(events, "ann", "bo", "cy")
    plan = {"hold_id": "H-1", "covered": ids}
    asked = {"hold_id": "H-1", "decision_id": "D-1", "plan": plan, "covered": ids}
    asked |= {"decision_digest": decision_digest(state.decisions["D-1"])}
    asked |= {"expires_at": to_text(START.replace(year=2027))}
    free = {"covered": ids, "decision_id": "D-1", "break_glass_reason": "", "signoff_id": "S-1"}
    steps = [
        ("signoff.request", "S-1", asked),
        ("signoff.give", "S-1", {"plan": plan}),
        ("hold.release", "H-1", free),
    ]
    for mark, (action, target, body) in zip(marks, steps, strict=True):
        events.append(appended(events, mark, action, target, body))
    return events


def test_marks_of_pauses_release_no_hold(tmp_path: Path) -> None:
    """The signatures of three people's pauses carry no sign-off and no release, and the audit names the first."""
    events = a_forged_release(tmp_path)
    state = fold(events)
    assert state.holds["H-1"].released_seq is None
    assert [state.refused[e.seq].split()[0] for e in events[-3:]] == [e.action for e in events[-3:]]
    found = forged_signature(events)
    assert found is not None and found.broken_at == events[-3].seq
    assert "did not sign it" in found.finding


def test_a_fold_that_looks_at_the_command_alone_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: where only the command's signature counts, those three pauses release the hold."""
    monkeypatch.setattr(signatures, "_is_deed_signed", lambda *_: True)
    assert fold(a_forged_release(tmp_path)).holds["H-1"].released_seq is not None


CHANGES: dict[str, Callable[[Event], Event]] = {
    "action": lambda e: replace(e, action="hold.take_over"),
    "target": lambda e: replace(e, target="H-9"),
    "reason": lambda e: replace(e, reason="planned work"),
    "actor": lambda e: replace(e, actor="os:eve"),
    "correlation": lambda e: replace(e, correlation_id="H-9"),
    "outcome": lambda e: replace(e, outcome="failure"),
    "place": lambda e: replace(e, seq=e.seq + 1),
    "payload": lambda e: replace(e, payload={**e.payload, "mode": "drain"}),
    "more": lambda e: replace(e, payload={**e.payload, "covers": 1}),
    "a float": lambda e: replace(e, payload={**e.payload, "rate": 0.5}),
    "no deed": lambda e: replace(e, payload={**e.payload, "command": _without(e, "deed")}),
    "no text": lambda e: replace(
        e, payload={**e.payload, "command": _without(e, "deed") | {"deed": 7}}
    ),
}


def _without(event: Event, name: str) -> dict[str, Any]:
    return {key: value for key, value in event.payload["command"].items() if key != name}


@pytest.mark.parametrize("what", CHANGES)
def test_a_signature_covers_all_that_an_event_says(tmp_path: Path, what: str) -> None:
    """Whatever of an event is changed, nobody has signed it any more."""
    ann, _bo = enrolled(tmp_path, "ann", "bo")
    pause(ann)
    *before, placed = ann.store.events()[: ann.state().holds["H-1"].placed_seq]
    state = fold(before)
    signer = signer_of(state, placed)
    assert signer is not None and signer.person == "ann"
    assert signer_of(state, CHANGES[what](placed)) is None


def test_what_people_do_is_signed_and_obeyed(tmp_path: Path) -> None:
    """A whole sign-off, a narrow restart, its end by the system and a revocation: all obeyed, and the audit says ok."""
    ann, bo, _cy = a_house(tmp_path, "ann", "bo", "cy")
    give_signoff(bo, request_signoff(ann, PLAN).signoff_id)
    ann.resume_narrow(PLAN)
    clock_of(ann).move(60)
    ann.resume_narrow(break_glass("H-1", "automation=ticket-reply", 2))
    review_break_glass(bo, "P-2", reason="it was right")
    revoke_key(
        bo, next(k.key_id for k in ann.state().keys.values() if k.person == "cy"), reason="left"
    )
    state = ann.state()
    assert (state.refused, state.doubts) == ({}, {})
    assert verify_store(ann.store).is_ok
    signed = [e for e in ann.store.events() if "signature" in e.payload.get("command", {})]
    assert len(signed) > 8
    assert all(len(e.payload["command"]["deed"]) == 128 for e in signed)
    assert len({deed_digest(e) for e in signed}) == len(signed)


def test_a_log_from_before_keeps_its_rule(tmp_path: Path) -> None:
    """A store that was made before events were signed is read by the rule that it had: nothing in it closes anew."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    give_signoff(bo, request_signoff(ann, PLAN).signoff_id)
    ann.resume_narrow(PLAN)
    first, *rest = ann.store.events()
    older = {key: value for key, value in first.payload.items() if key != "asks_deeds"}
    unsigned = [
        replace(e, payload={**e.payload, "command": _without(e, "deed")}) if _mark(e) else e
        for e in rest
    ]
    state = fold([replace(first, payload=older), *unsigned])
    assert (state.refused, list(state.probations)) == ({}, ["P-1"])
    assert fold([first, *unsigned]).probations == {}


def _mark(event: Event) -> Any:
    return event.payload.get("command")


def test_a_key_that_goes_away_in_between_signs_its_command_whole(tmp_path: Path) -> None:
    """The file of the key is gone when the events are signed: the pause stands, signed by who gave it."""
    control = a_control(tmp_path, SetClock())
    ann, _ = a_person(control, tmp_path, "ann")
    file = tmp_path / "home-ann" / KEY_FILE
    sign = file_signer(tmp_path / "home-ann")

    def once(command: Any, told: Any) -> Any:
        seal = sign(command, told)
        file.unlink(missing_ok=True)
        return seal

    key = load_key(file)
    assert key is not None
    enrol_key(ann, Enrolment(key.public_hex, "ann", "ops-lead"))
    hold = pause(Control(ann.store, ann.clock, signer=once)).hold
    assert hold.placed_by.startswith("ops-lead (ann, key")
    assert verify_store(ann.store).is_ok
    assert Gate(ann.store.gate_folder).check("ticket-reply").state is GateState.PAUSED

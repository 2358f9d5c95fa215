"""Keys: what is signed counts as a person's, what is not is shown, and a pause is never in the way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import START, SetClock, a_control, loaded_by, pause, settings_in
from workbench.clock import to_text
from workbench.control import Control, signing
from workbench.control.approving import apply_policy, request_policy
from workbench.control.deciding import DecideRequest
from workbench.control.enrolling_keys import Enrolment, enrol_key, request_enrolment, revoke_key
from workbench.control.signing import Signer, file_signer
from workbench.errors import BadSettings, Refused, UsageFault
from workbench.policy import Policy
from workbench.records import EnrolledKey
from workbench.store import signatures
from workbench.store.attesting import signature_words
from workbench.store.audit import verify_store
from workbench.store.checkpoint import note_of
from workbench.store.documents import documents
from workbench.store.keys import load_key, make_key
from workbench.store.log import Draft
from workbench.store.signatures import mark_of
from workbench.store.signoffs import policy_of
from workbench.store.store import Change, Command


def a_person(control: Control, root: Path, name: str) -> tuple[Control, str]:
    """Return the same store as a person of their own gives commands to it, and their public key."""
    home = root / f"home-{name}"
    key = make_key(home / "key.json")
    found = Control(
        control.store,
        control.clock,
        signer=file_signer(home),
        evidence=loaded_by(control.clock),
    )
    return found, key.public_hex


def enrol_all(people: list[tuple[Control, str]], names: tuple[str, ...]) -> None:
    """Enrol everybody as ops-lead: the first by themselves, the second by the first, each later one by both."""
    first = people[0][0] if people else None
    for number, (name, (_, public_hex)) in enumerate(zip(names, people, strict=True)):
        wanted = Enrolment(public_hex, name, "ops-lead")
        assert first is not None
        is_by_two = number > 1 and policy_of(first.state()).signoffs_required > 0
        if is_by_two:
            request_enrolment(first, wanted)
        enrol_key(people[1][0] if is_by_two else first, wanted)


def by_two(asker: Control, doer: Control, policy: Policy) -> None:
    """Let one person ask for a weaker policy and another apply it."""
    request_policy(asker, policy)
    apply_policy(doer, policy)


def enrolled(root: Path, *names: str) -> tuple[Control, ...]:
    """Make a store in which these people have enrolled keys, the first by themselves."""
    control = a_control(root, SetClock())
    people = [a_person(control, root, name) for name in names]
    enrol_all(people, names)
    return tuple(person for person, _ in people)


def twisted(signer: Signer, **changes: str) -> Signer:
    """Return a signer whose seal says something else than was signed."""
    return lambda command, told: {**(signer(command, told) or {}), **changes}


def test_a_signed_command_names_person_key_and_user(tmp_path: Path) -> None:
    """An enrolled key's command is recorded under its person, and the seal stands in the event."""
    ann, _ = enrolled(tmp_path, "ann", "bo")
    hold = pause(ann).hold
    key_id = next(iter(ann.state().keys))
    assert hold.placed_by.startswith(f"ops-lead (ann, key {key_id}, os:")
    placed = next(e for e in ann.store.events() if e.action == "hold.place")
    mark = placed.payload["command"]
    assert (mark["key_id"], len(mark["signature"])) == (key_id, 128)
    assert verify_store(ann.store).is_ok
    assert ann.store.projection() == documents(ann.state())


def test_the_second_key_needs_the_first(tmp_path: Path) -> None:
    """The first key enrols itself and says so; nobody without a key enrols another."""
    (ann,) = enrolled(tmp_path, "ann")
    assert "on nobody's word" in ann.store.events()[-1].reason
    stranger, public_hex = a_person(ann, tmp_path, "eve")
    with pytest.raises(Refused, match="must be signed by an enrolled key") as caught:
        enrol_key(stranger, Enrolment(public_hex, "eve", "ops-lead"))
    assert "have yours enrolled, by somebody who has one" in caught.value.then
    with pytest.raises(Refused, match="must be signed by an enrolled key") as caught:
        enrol_key(Control(ann.store, ann.clock), Enrolment(public_hex, "eve", "ops-lead"))
    assert "workbench key new" in caught.value.then


def test_a_key_is_enrolled_once_for_a_known_role(tmp_path: Path) -> None:
    """A second enrolment, an unknown role, a look-alike name and a broken key are refused in words."""
    (ann,) = enrolled(tmp_path, "ann")
    own = next(iter(ann.state().keys.values()))
    _, fresh = a_person(ann, tmp_path, "bo")
    with pytest.raises(Refused, match="was enrolled at event"):
        enrol_key(ann, Enrolment(own.public_hex, "bo", "ops-lead"))
    with pytest.raises(Refused, match="not a registered role; there are: ops-lead"):
        enrol_key(ann, Enrolment(fresh, "bo", "boss"))
    with pytest.raises(UsageFault, match="not a name that counts"):
        enrol_key(ann, Enrolment(fresh, "b\u043e", "ops-lead"))
    with pytest.raises(UsageFault, match="is not a public key"):
        enrol_key(ann, Enrolment("abcd", "bo", "ops-lead"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"store_id": "st-other"}, "signed for store st-other"),
        ({"environment": "production"}, "signed for production; this store is for staging"),
        ({"signed_at": "2026-11-20T09:00:00.000000Z"}, "more than 10 minutes from now"),
        ({"signature": "00" * 64}, "altered or replayed"),
    ],
)
def test_a_seal_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, str], why: str
) -> None:
    """Another store, another environment, a stale instant or other bytes: refused with the reason."""
    ann, _ = enrolled(tmp_path, "ann", "bo")
    before = ann.head_note()
    bad = Control(ann.store, ann.clock, signer=twisted(ann.signer, **changes))
    with pytest.raises(Refused, match=why):
        bad.decide(DecideRequest("R-1"))
    with pytest.raises(Refused, match=why):
        revoke_key(bad, next(iter(ann.state().keys)), reason="x")
    assert ann.head_note() == before


def test_a_signature_of_another_command_is_a_replay(tmp_path: Path) -> None:
    """What was signed for one command does not carry another one."""
    ann, _ = enrolled(tmp_path, "ann", "bo")
    kept: list[Any] = []

    def keep(command: Any, told: Any) -> Any:
        kept.append(ann.signer(command, told))
        return kept[-1]

    pause(Control(ann.store, ann.clock, signer=keep))
    replayed = Control(ann.store, ann.clock, signer=lambda command, told: kept[0])
    with pytest.raises(Refused, match="altered or replayed"):
        revoke_key(replayed, next(iter(ann.state().keys)), reason="gone")


def test_a_clock_set_back_does_not_freshen_a_signature(tmp_path: Path) -> None:
    """The newest event counts as the time when the clock stands before it."""
    ann, _ = enrolled(tmp_path, "ann", "bo")
    assert isinstance(ann.clock, SetClock)
    ann.clock.move(3600)
    pause(ann)
    ann.clock.at = START + timedelta(seconds=1)
    with pytest.raises(Refused, match="more than 10 minutes from now"):
        revoke_key(ann, next(iter(ann.state().keys)), reason="gone")


def test_a_revoked_key_signs_nothing_more(tmp_path: Path) -> None:
    """From its revocation on a key is refused with the reason, and is not enrolled again."""
    ann, bo = enrolled(tmp_path, "ann", "bo")
    key_id = next(k.key_id for k in ann.state().keys.values() if k.person == "bo")
    revoked = revoke_key(ann, key_id, reason="laptop stolen")
    with pytest.raises(Refused, match=f"was revoked at event {revoked.revoked_seq}: laptop stolen"):
        bo.decide(DecideRequest("R-1"))
    with pytest.raises(Refused, match="a revoked one stays revoked"):
        enrol_key(ann, Enrolment(revoked.public_hex, "bo", "ops-lead"))
    with pytest.raises(Refused, match="was revoked at event"):
        revoke_key(ann, key_id, reason="again")


def test_the_last_key_that_lasts_is_not_revoked(tmp_path: Path) -> None:
    """Without it nobody could enrol another; with another that lasts beside it, it goes."""
    (ann,) = enrolled(tmp_path, "ann")
    own = next(iter(ann.state().keys))
    guest, later = make_key(tmp_path / "guest.json"), make_key(tmp_path / "later.json")
    until = START + timedelta(days=30)
    enrol_key(ann, Enrolment(guest.public_hex, "ann", "ops-lead", until=until))
    with pytest.raises(Refused, match="is the last one that lasts") as refusal:
        revoke_key(ann, own, reason="laptop stolen")
    assert "workbench key new" in refusal.value.then
    assert ann.state().keys[own].revoked_seq is None
    enrol_key(ann, Enrolment(later.public_hex, "ann", "ops-lead"))
    assert revoke_key(ann, own, reason="laptop stolen").revoked_seq


def test_no_key_is_ever_in_the_way_of_a_pause(tmp_path: Path) -> None:
    """Revoked, unreadable by rule, not enrolled or badly signed: the hold is placed and the reason shown."""
    ann, bo = enrolled(tmp_path, "ann", "bo")
    bo_key = next(k.key_id for k in ann.state().keys.values() if k.person == "bo")
    revoke_key(ann, bo_key, reason="stolen")
    assert "was revoked" in pause(bo).hold.placed_by
    stranger, _ = a_person(ann, tmp_path, "eve")
    assert "is not enrolled" in pause(stranger).hold.placed_by
    (tmp_path / "home-ann" / "key.json").chmod(0o644)
    assert "is open to others" in pause(ann).hold.placed_by
    with pytest.raises(BadSettings, match="is open to others"):
        ann.decide(DecideRequest("R-1"))


def test_a_forged_enrolment_in_the_log_is_not_obeyed(tmp_path: Path) -> None:
    """A key event that nobody enrolled signed stands in the log, changes nothing and is flagged."""
    (ann,) = enrolled(tmp_path, "ann")
    content = {"public_hex": "ab" * 32, "person": "eve", "role": "ops-lead"}
    draft = Draft(START, "ops-lead (ann, key)", "key.enrol", "feed", payload=content)
    ann.store.transact(Command("forged", content), lambda _: Change([draft]))
    assert "feed" not in ann.state().keys
    assert any("not signed by an enrolled key" in flag for flag in ann.status().flags)
    assert ann.store.projection() == documents(ann.state())


def test_without_a_key_file_nothing_changes(tmp_path: Path) -> None:
    """A store that nobody enrolled a key in works as before, every action shown as unverified."""
    control = a_control(tmp_path)
    signing = Control(control.store, control.clock, signer=file_signer(settings_in(tmp_path).home))
    assert pause(signing).hold.placed_by.endswith("(unverified)")
    assert "signature" not in signing.store.events()[-1].payload["command"]


def test_a_private_folder_that_cannot_be_looked_into_stops_no_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses even to say whether a key is there, the pause is recorded unsigned."""
    control = a_control(tmp_path)
    control.signer = file_signer(tmp_path / "home")
    control.anchor_key = tmp_path / "home" / "key.json"
    real = Path.exists

    def refused(path: Path, **more: Any) -> bool:
        if path.name == "key.json":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **more)

    monkeypatch.setattr(Path, "exists", refused)
    assert "unverified" in pause(control).hold.placed_by


def a_key_with_an_end(root: Path) -> tuple[Control, Control, SetClock]:
    """Make a store in which bo's key counts for an hour."""
    (ann,) = enrolled(root, "ann")
    bo, public_hex = a_person(ann, root, "bo")
    enrol_key(ann, Enrolment(public_hex, "bo", "ops-lead", START + timedelta(hours=1)))
    assert isinstance(ann.clock, SetClock)
    return ann, bo, ann.clock


def check_an_expired_key_signs_nothing_more(root: Path) -> None:
    """Up to its end it signs; from then on it is refused with the reason, however the clock is set back."""
    ann, bo, clock = a_key_with_an_end(root)
    clock.move(3599)
    assert "(bo, key" in pause(bo).hold.placed_by
    clock.move(1)
    _, fresh = a_person(ann, root, "cy")
    wanted = Enrolment(fresh, "cy", "ops-lead")
    with pytest.raises(Refused, match=r"expired at 2026-11-20 10:30:00 UTC") as caught:
        enrol_key(bo, wanted)
    assert "workbench key new" in caught.value.then
    pause(ann, "automation=order-sync")  # the log has seen this time
    clock.move(-1800)
    with pytest.raises(Refused, match="expired at"):
        enrol_key(bo, wanted)
    hold = pause(bo).hold
    assert "unverified: key" in hold.placed_by and "expired at" in hold.placed_by
    assert ann.store.projection() == documents(ann.state())
    assert verify_store(ann.store).is_ok


def check_the_fold_takes_nothing_of_an_expired_key(root: Path) -> None:
    """An event whose command an expired key signed is not obeyed, though its own time says that it was in time."""
    ann, bo, clock = a_key_with_an_end(root)
    clock.move(3600)
    pause(ann)
    clock.move(-600)
    body = {"public_hex": "ab" * 32, "person": "mallory", "role": "ops-lead"}
    draft = Draft(clock.now(), "bo", "key.enrol", "feed", payload=body)
    command = Command("late", body)
    told = {
        "store_id": ann.state().store_id,
        "environment": "staging",
        "signed_at": to_text(clock.now()),
    }
    seal = bo.signer(command, told)
    assert seal is not None
    sign = functools.partial(signing._deed_signed, command, bo.signer, told)
    ann.store.transact(command, lambda _: Change([draft], seal=mark_of(seal), sign=sign))
    assert "feed" not in ann.state().keys
    assert any("NOT OBEYED" in flag for flag in ann.status().flags)


EXPIRY_CHECKS = (
    check_an_expired_key_signs_nothing_more,
    check_the_fold_takes_nothing_of_an_expired_key,
)


@pytest.mark.parametrize("check", EXPIRY_CHECKS)
def test_a_key_can_end(check: Callable[[Path], None], tmp_path: Path) -> None:
    """A key with an end signs until then and no later, at the command and in the fold."""
    check(tmp_path)


def seed_keys_do_not_end(patch: pytest.MonkeyPatch) -> None:
    """The end of a key is forgotten."""
    patch.setattr(EnrolledKey, "is_live", lambda key, reached: key.revoked_seq is None)


def seed_the_clock_counts_alone(patch: pytest.MonkeyPatch) -> None:
    """A clock that is set back revives a key."""
    right = signatures.seal_fault

    def fault(state: Any, seal: Any, *, command_id: str, digest: str, now: datetime) -> str:
        older = replace(state, newest_at=None)
        return right(older, seal, command_id=command_id, digest=digest, now=now)

    patch.setattr(signatures, "seal_fault", fault)
    patch.setattr(signing, "seal_fault", fault)


@pytest.mark.parametrize("seed", [seed_keys_do_not_end, seed_the_clock_counts_alone])
@pytest.mark.parametrize("check", EXPIRY_CHECKS)
def test_the_expiry_checks_catch(
    seed: Callable[[pytest.MonkeyPatch], None], check: Callable[[Path], None], tmp_path: Path
) -> None:
    """Each seeded bug makes each check fail."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(tmp_path)


def test_an_end_that_would_lock_everybody_out_is_refused(tmp_path: Path) -> None:
    """The first key has no end, nor has any while no other key lasts; a past end is a mistake."""
    control = a_control(tmp_path, SetClock())
    ann, public_hex = a_person(control, tmp_path, "ann")
    end = START + timedelta(hours=1)
    with pytest.raises(Refused, match="once all have expired nobody could enrol one"):
        enrol_key(ann, Enrolment(public_hex, "ann", "ops-lead", end))
    enrol_key(ann, Enrolment(public_hex, "ann", "ops-lead"))
    _, fresh = a_person(control, tmp_path, "bo")
    with pytest.raises(UsageFault, match="lies in the past"):
        enrol_key(ann, Enrolment(fresh, "bo", "ops-lead", START))
    assert enrol_key(ann, Enrolment(fresh, "bo", "ops-lead", end)).expires_at == end


def test_a_checkpoint_of_an_expired_key_vouches_for_nothing_later(tmp_path: Path) -> None:
    """What a key's checkpoint says about events after its end counts as little as a revoked key's."""
    from workbench.store.audit import _signers

    ann, _, clock = a_key_with_an_end(tmp_path)
    clock.move(3700)
    placed = pause(ann).hold
    state, events = ann.state(), ann.store.events()
    ended = _signers(state, events, trusted=())
    by_person = {key.person: ended[key.public_hex] for key in state.keys.values()}
    assert by_person == {"ann": None, "bo": placed.placed_seq}


def test_the_head_line_names_no_expired_key_as_its_signer(tmp_path: Path) -> None:
    """What who has an expired key commands is unverified, and so is the checkpoint that they leave."""
    ann, bo, clock = a_key_with_an_end(tmp_path)

    def words(name: str) -> str:
        """Say who signed the checkpoint that this person leaves of the log as it stands."""
        state, key = ann.state(), load_key(tmp_path / f"home-{name}" / "key.json")
        root = bytes.fromhex(state.head.root)
        note = note_of(state.store_id, state.event_count, root=root, signer=key)
        return signature_words(state, [note])

    pause(bo)
    assert words("bo").startswith("signed by ops-lead (bo, key ")
    clock.move(3700)
    pause(bo, "automation=order-sync")
    assert words("bo").startswith("signed by an expired key, ")
    assert words("ann").startswith("signed by ops-lead (ann, key ")

"""Keys: who signed a command is proved by the log itself, and no key is ever in the way of a pause."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.ground import SetClock, a_control, break_glass, pause, settings_in
from workbench.control import Control
from workbench.control.keying import EnrolRequest, RevokeRequest, own_key
from workbench.control.keyring import Keyring
from workbench.control.placing import PauseRequest
from workbench.control.signing import check_seal, sealed
from workbench.errors import BadSettings, Refused
from workbench.settings import KEY_FILE
from workbench.store import log
from workbench.store.audit import verify_store
from workbench.store.keys import SigningKey, is_signed_by, key_id_of, load_key, make_key
from workbench.store.sqlite import Change, Command


def a_key(root: Path, name: str = "key.json") -> SigningKey:
    """Make a key file."""
    return make_key(root / name)


def enrolment(key: SigningKey, person: str = "ann", why: str = "") -> EnrolRequest:
    """Ask for a key to be enrolled for ops-lead."""
    return EnrolRequest(key.public_hex, key.key_id, "ops-lead", person, why)


def signing(root: Path, clock: SetClock | None = None) -> tuple[Control, SigningKey, SetClock]:
    """Return a control that signs with an enrolled key."""
    used = clock or SetClock()
    control = a_control(root, used)
    key = a_key(root)
    control.signer = key
    Keyring(control).enrol(enrolment(key))
    return control, key, used


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A new key has mode 0600, reads back the same, and is never overwritten."""
    key = a_key(tmp_path)
    assert stat.S_IMODE(os.stat(tmp_path / "key.json").st_mode) == 0o600
    found = load_key(tmp_path / "key.json")
    assert found is not None
    assert (found.key_id, found.public_hex) == (key.key_id, key.public_hex)
    with pytest.raises(Refused, match="left as it is"):
        a_key(tmp_path)
    assert load_key(tmp_path / "none.json") is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o660])
def test_a_key_open_to_others_is_not_used(tmp_path: Path, mode: int) -> None:
    """What others could have read or replaced signs nothing, and the message says what to do."""
    a_key(tmp_path)
    (tmp_path / "key.json").chmod(mode)
    with pytest.raises(BadSettings, match=f"{mode:04o}") as caught:
        load_key(tmp_path / "key.json")
    assert "chmod 600" in caught.value.then
    (tmp_path / "home").mkdir()
    (tmp_path / "key.json").rename(tmp_path / "home" / KEY_FILE)
    assert own_key(settings_in(tmp_path)) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"format": "other", "private": "00"}'])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, text: str) -> None:
    """A damaged key file is a fault of settings, not a traceback."""
    path = tmp_path / "key.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(BadSettings, match="is not a key file"):
        load_key(path)


def test_a_signature_is_over_every_byte(tmp_path: Path) -> None:
    """A signature holds for its message and key alone, and no shape of it raises."""
    key, other = a_key(tmp_path), a_key(tmp_path, "b.json")
    signature = key.sign(b"pause")
    assert is_signed_by(key.public_hex, b"pause", signature_hex=signature)
    assert not is_signed_by(key.public_hex, b"pausf", signature_hex=signature)
    assert not is_signed_by(other.public_hex, b"pause", signature_hex=signature)
    for wrong in ("", "zz", signature[:-2], "00" * 64):
        assert not is_signed_by(key.public_hex, b"pause", signature_hex=wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        key_id_of("abcd")


def test_the_log_names_who_signed(tmp_path: Path) -> None:
    """A signed command carries its signature, and the actor is the enrolled person, not the system's user."""
    control, key, _ = signing(tmp_path)
    hold = pause(control).hold
    assert hold.placed_by == f"ops-lead (ann, key {key.key_id})"
    placed = next(e for e in control.store.events() if e.action == "hold.place")
    mark = placed.payload["command"]
    assert mark["key_id"] == key.key_id
    assert is_signed_by(key.public_hex, log.sealed_statement(mark), signature_hex=mark["signature"])
    assert verify_store(control.store).is_ok


def test_an_unenrolled_key_is_shown_as_unverified(tmp_path: Path) -> None:
    """A key that nobody enrolled makes no name: the action is the system user's, unverified."""
    control = a_control(tmp_path)
    control.signer = a_key(tmp_path)
    assert "unverified" in pause(control).hold.placed_by
    assert verify_store(control.store).is_ok


def test_the_first_key_needs_nobody_and_the_next_a_standing_one(tmp_path: Path) -> None:
    """After the first key another is enrolled only by a command that an enrolled key signed."""
    control, key, _ = signing(tmp_path)
    second = a_key(tmp_path, "b.json")
    control.signer = second
    with pytest.raises(Refused, match="is enrolled by one of them") as caught:
        Keyring(control).enrol(enrolment(second, "bo"))
    assert f"workbench key enrol {second.public_hex}" in caught.value.then
    control.signer = key
    made = Keyring(control).enrol(enrolment(second, "bo"))
    assert (made.person, made.enrolled_by) == ("bo", f"ops-lead (ann, key {key.key_id})")
    with pytest.raises(Refused, match="is enrolled"):
        Keyring(control).enrol(enrolment(second, "bo"))


def test_when_no_key_stands_a_new_one_is_break_glass_and_flagged(tmp_path: Path) -> None:
    """Revoking the last key does not open enrolment: it needs a reason, and status shows it."""
    control, key, _ = signing(tmp_path)
    Keyring(control).revoke(RevokeRequest(key.key_id, "laptop lost"))
    second = a_key(tmp_path, "b.json")
    control.signer = second
    with pytest.raises(Refused, match="by break-glass only"):
        Keyring(control).enrol(enrolment(second))
    Keyring(control).enrol(enrolment(second, why="the only laptop was lost"))
    assert any("enrolled by break-glass" in flag for flag in control.status().flags)
    control.signer = key
    with pytest.raises(Refused, match="was revoked"):
        Keyring(control).enrol(enrolment(key))


def test_a_revoked_key_commands_nothing_but_stops_no_pause(tmp_path: Path) -> None:
    """With a revoked key a resume is refused with the reason; a pause is recorded, unverified."""
    control, key, _ = signing(tmp_path)
    pause(control)
    Keyring(control).revoke(RevokeRequest(key.key_id, "laptop lost"))
    with pytest.raises(Refused, match=r"revoked at .*: laptop lost"):
        control.resume_full(break_glass("H-1"))
    assert "unverified" in pause(control).hold.placed_by
    assert len(control.state().standing_holds()) == 2
    assert verify_store(control.store).is_ok


def test_only_a_standing_key_revokes(tmp_path: Path) -> None:
    """Nobody revokes in another's name: without a signature of an enrolled key it is refused."""
    control, key, _ = signing(tmp_path)
    control.signer = None
    with pytest.raises(Refused, match="revoked by the holder of an enrolled key"):
        Keyring(control).revoke(RevokeRequest(key.key_id, "I say so"))


def test_a_key_signs_for_its_own_role(tmp_path: Path) -> None:
    """A role that the key was not enrolled for is refused, except for a pause of a known role."""
    control, key, _ = signing(tmp_path)
    pause(control)
    control.role = "agent-owner"
    with pytest.raises(Refused, match=f"{key.key_id} is enrolled for ops-lead"):
        control.resume_full(break_glass("H-1"))


def captured(control: Control, key: SigningKey) -> Command:
    """Return a signed command as somebody could have copied it."""
    command = PauseRequest("kind=agent", "captured").command("c-1")
    return sealed(command, control.state(), signer=key, clock=control.clock)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("store_id", "st-else", "signed for store st-else"),
        ("environment", "production", "signed for environment production"),
        ("signature", "00" * 64, "is not over this command"),
        ("signature", "", "is not over this command"),
        ("signed_at", "2026-11-20T09:29:59.000000Z", "is not over this command"),
    ],
)
def test_a_captured_command_works_nowhere_else(
    tmp_path: Path, field: str, value: str, words: str
) -> None:
    """Another store, environment, instant or signature: refused with the reason."""
    control, key, clock = signing(tmp_path)
    command = captured(control, key)
    assert check_seal(control.state(), command, now=clock.now()) == control.state().keys[key.key_id]
    wrong = replace(command, seal={**command.seal, field: value})
    with pytest.raises(Refused, match=words):
        check_seal(control.state(), wrong, now=clock.now())


def test_a_signature_is_for_its_content_alone(tmp_path: Path) -> None:
    """A captured signature under another content is refused."""
    control, key, clock = signing(tmp_path)
    other = replace(captured(control, key), content={"name": "resume", "hold_id": "H-1"})
    with pytest.raises(Refused, match="is not over this command"):
        check_seal(control.state(), other, now=clock.now())


@pytest.mark.parametrize(
    ("seconds", "words"), [(601, "is not taken later"), (-601, "lies in the future")]
)
def test_a_captured_command_is_not_taken_later(tmp_path: Path, seconds: float, words: str) -> None:
    """Ten minutes after its signing a command is too old, and one from the future is refused."""
    control, key, clock = signing(tmp_path)
    command = captured(control, key)
    reached = control.state()
    clock.move(seconds)
    if seconds < 0:
        reached.newest_at = clock.now()
    with pytest.raises(Refused, match=words):
        check_seal(reached, command, now=clock.now())


def test_a_clock_set_back_makes_nothing_young(tmp_path: Path) -> None:
    """The newest event's time counts where the clock is behind it."""
    control, key, clock = signing(tmp_path)
    command = captured(control, key)
    clock.move(3600)
    pause(control)
    clock.move(-3600)
    with pytest.raises(Refused, match="is not taken later"):
        check_seal(control.state(), command, now=clock.now())


@pytest.mark.parametrize("how", ["no signature", "wrong signature"])
def test_an_event_in_anothers_name_is_found(tmp_path: Path, how: str) -> None:
    """Whoever writes an event that names a key without its signature is found by verification."""
    control, key, clock = signing(tmp_path)
    seal = {} if how == "no signature" else {**captured(control, key).seal, "signature": "00" * 64}
    name = f"ops-lead (ann, key {key.key_id})"
    draft = log.Draft(clock.now(), name, "note.write", "H-9")
    control.store.transact(Command("forged", {"name": "x"}, seal), lambda _: Change([draft]))
    result = verify_store(control.store)
    assert not result.is_ok
    assert f"key {key.key_id}" in result.finding


def test_what_was_signed_before_a_revocation_stays_signed(tmp_path: Path) -> None:
    """A revocation counts from its event on; the log before it still verifies."""
    control, key, _ = signing(tmp_path)
    pause(control)
    Keyring(control).revoke(RevokeRequest(key.key_id, "rotated"))
    assert verify_store(control.store).is_ok
    assert control.state().keys[key.key_id].revoked_why == "rotated"

"""What a head note says of its signature: only what was verified, and nothing of another position."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.ground import pause
from tests.store.test_anchors import anchored
from workbench.control.enrolling_keys import Enrolment, enrol_key, revoke_key
from workbench.store.anchors import anchor_file, append_note, newest_notes
from workbench.store.attesting import FOREIGN, FORGED, UNSIGNED, signature_words
from workbench.store.checkpoint import note_of
from workbench.store.keys import make_key
from workbench.store.merkle import root_of


def test_a_signed_head_names_role_person_and_key(tmp_path: Path) -> None:
    """The head of a log whose newest checkpoint an enrolled key signed says whose key it was."""
    control, _, key = anchored(tmp_path, "signed")
    head = control.head_note()
    assert head.signature == f"signed by ops-lead (ann, key {key.key_id})"
    assert head.text.endswith(f"({head.environment}), {head.signature}")
    assert control.status().head == control.card("*").head
    assert control.status().head.signature == head.signature


@pytest.mark.parametrize("how", ["chain", "unsigned"])
def test_without_a_signature_the_head_is_unsigned(tmp_path: Path, how: str) -> None:
    """No checkpoint, and one of a user without a key, are called what they are."""
    control, _, _ = anchored(tmp_path, how)
    assert control.head_note().signature == UNSIGNED


def test_a_signature_counts_for_its_own_position_only(tmp_path: Path) -> None:
    """A head that went on without a checkpoint is unsigned, though the one before it was signed."""
    control, elsewhere, _ = anchored(tmp_path, "signed")
    control.store.anchor_folders = ()
    pause(control, "automation=ticket-reply")
    control.store.anchor_folders = (elsewhere,)
    assert control.head_note().signature == UNSIGNED


def test_a_note_with_another_root_says_nothing(tmp_path: Path) -> None:
    """A signed note of the same size over other events is no word for this log."""
    control, _, key = anchored(tmp_path, "chain")
    state = control.state()
    note = note_of(state.store_id, state.event_count, root=b"r" * 32, signer=key)
    assert signature_words(state, [note, "no note at all"]) == UNSIGNED


def test_signatures_that_do_not_count_are_called_so(tmp_path: Path) -> None:
    """A forged one is said, a stranger's and a revoked key's are not taken for a member's; a member's wins."""
    control, _, key = anchored(tmp_path, "signed")
    other = make_key(tmp_path / "other.json")
    state = control.state()
    size, root = state.event_count, root_of(state.peaks)
    own = note_of(state.store_id, size, root=root, signer=key)
    foreign = note_of(state.store_id, size, root=root, signer=other)
    forged = own[:-9] + "AAAAAAA=\n"
    assert signature_words(state, [foreign]) == FOREIGN
    assert signature_words(state, [foreign, forged]) == FORGED
    assert signature_words(state, [foreign, forged, own]).startswith("signed by ops-lead (ann")
    enrol_key(control, Enrolment(other.public_hex, "ann", "ops-lead"))  # another that lasts
    revoke_key(control, key.key_id, reason="lost")
    assert control.head_note().signature == f"signed by a revoked key, {key.key_id}"


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    """However many checkpoints there are, the newest is found, and a missing folder is no fault."""
    for number in range(200):
        append_note((tmp_path,), "st-1", note=f"note {number} {'x' * 300}")
    found = newest_notes((tmp_path / "away", tmp_path), "st-1")
    assert found[-1].startswith("note 199 ")
    assert len(found) < 50
    anchor_file(tmp_path, "st-1").write_bytes(b"\xff torn")
    assert newest_notes((tmp_path,), "st-1") == []

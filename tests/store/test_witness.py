"""Head notes from print-outs: read strictly, and compared with the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.ground import SetClock, a_control, pause
from tests.store.test_anchors import rewritten
from workbench.store.audit import verify_store
from workbench.store.witness import Witness, read_witness

HASH = "5b1c5bb09385265d"


@pytest.mark.parametrize(
    ("text", "store_id"),
    [
        (f"12 {HASH}", ""),
        (f"12:{HASH}", ""),
        (f"  log head 12 {HASH} of store st-6d78aff8548f (staging), unsigned\n", "st-6d78aff8548f"),
        (f"log head 12 {HASH} of store st-6d78aff8548f", "st-6d78aff8548f"),
    ],
)
def test_a_head_note_is_read_as_it_is_printed(text: str, store_id: str) -> None:
    """The whole line and its two numbers alone mean the same."""
    assert read_witness(text) == Witness(12, HASH, store_id)


@pytest.mark.parametrize(
    "text",
    ["", "12", HASH, f"12 {HASH[:15]}", f"0 {HASH}", f"-1 {HASH}", f"12 {HASH.upper()}", f"\u0661 {HASH}",
     f"12 {HASH} of store", f"12 {HASH}\n13 {HASH}", f"{'9' * 16} {HASH}", f"12 {HASH * 5}"],
)  # fmt: skip
def test_what_is_no_head_note_is_refused(text: str) -> None:
    """Too short a hash, no number or two notes at once are not compared with anything."""
    with pytest.raises(ValueError, match="not a head note"):
        read_witness(text)


def test_every_printed_head_agrees_with_its_log(tmp_path: Path) -> None:
    """Notes of each command, read back from their print-out, agree for as long as the log grows."""
    control = a_control(tmp_path, SetClock())
    said = []
    for scope in ("kind=agent", "automation=order-sync", "automation=stock-watch"):
        pause(control, scope)
        said.append(read_witness(control.head_note().text))
    result = verify_store(control.store, witnesses=said)
    assert result.is_ok
    assert result.finding.endswith("; every head note given agrees")


def test_a_head_note_finds_what_no_cut_checkpoint_can(tmp_path: Path) -> None:
    """A tail that was cut, an edit before and another store's note each contradict the print-out."""
    control = a_control(tmp_path, SetClock())
    pause(control)
    pause(control, "automation=order-sync")
    head = control.head_note()
    said = read_witness(head.text)
    foreign = Witness(1, head.hash, "st-else")
    assert "of another log" in verify_store(control.store, witnesses=[foreign]).finding
    rewritten(control, lambda bodies: [b.replace("wrong amounts", "planned work") for b in bodies])
    edited = verify_store(control.store, witnesses=[said])
    assert (edited.broken_at, "saw other events" in edited.finding) == (head.seq, True)
    rewritten(control, lambda bodies: bodies[:-1])
    cut = verify_store(control.store, witnesses=[said])
    assert (cut.broken_at, "tail missing" in cut.finding) == (head.seq, True)
    assert verify_store(control.store).is_ok

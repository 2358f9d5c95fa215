"""Checkpoints outside of the store: what each attack on the log looks like with and without them.

What each attack of FAULTS F76 and F77 meets is in `test_matrix.py`; here are the notes, the words and the export.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.ground import SetClock, a_control, file_of, pause, settings_in
from workbench.control import Control
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.signing import file_signer
from workbench.store import log
from workbench.store.anchors import BETWEEN, anchor_file, append_note
from workbench.store.audit import AuditResult, verify_store
from workbench.store.checkpoint import Checkpoint, note_of, read_note
from workbench.store.exporting import export_log
from workbench.store.keys import SigningKey, make_key
from workbench.store.making import restore_store
from workbench.store.merkle import Peaks, grown, root_of


def tree(bodies: list[str]) -> bytes:
    """Return the root of a tree by the recursive definition of RFC 9162, the oracle."""
    if not bodies:
        return hashlib.sha256(b"").digest()
    if len(bodies) == 1:
        return hashlib.sha256(b"\0" + bodies[0].encode()).digest()
    split = 1 << (len(bodies) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree(bodies[:split]) + tree(bodies[split:])).digest()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 100])
def test_the_growing_tree_is_that_of_the_standard(count: int) -> None:
    """Grown leaf by leaf, the root equals the recursive definition at every size."""
    bodies = [f"event {n}" for n in range(count)]
    peaks: Peaks = ()
    for size, body in enumerate(bodies):
        peaks = grown(peaks, size, body=body)
    assert root_of(peaks) == tree(bodies)
    assert len(peaks) == bin(count).count("1")


def test_a_note_reads_back_and_is_small(tmp_path: Path) -> None:
    """A signed note names log, size and root, verifies under its key alone, and fits in 300 bytes."""
    key, other = make_key(tmp_path / "a.json"), make_key(tmp_path / "b.json")
    note = note_of("st-1", 7, root=b"r" * 32, signer=key)
    assert len(note.encode()) < 300
    found = read_note(note)
    assert (found.store_id, found.size, found.root) == ("st-1", 7, b"r" * 32)
    assert found.signed_by([other.public_hex, key.public_hex]) == (key.public_hex, False)
    assert found.signed_by([other.public_hex]) == (None, False)
    forged = read_note(note.replace("\n7\n", "\n8\n"))
    assert forged.signed_by([key.public_hex]) == (None, True)
    assert read_note(note_of("st-1", 7, root=b"r" * 32, signer=None)).signatures == ()


@pytest.mark.parametrize(
    "note",
    ["", "x", "other/st-1\n7\nAAAA\n", "workbench/st-1\n-7\nAAAA\n", "workbench/st-1\n07\nAAAA\n",
     "workbench/st-1\n7\nAAAA\n", "workbench/st-1\n7\n!!\n", Checkpoint("st-1", 7, b"r" * 32).text + "\nname only\n"],
)  # fmt: skip
def test_what_is_no_note_is_refused(note: str) -> None:
    """A damaged note is named as such, never taken for a smaller one."""
    with pytest.raises(ValueError) as caught:
        read_note(note)
    assert str(caught.value)


def anchored(root: Path, how: str) -> tuple[Control, Path, SigningKey]:
    """Return a store with eight events, whose checkpoints lie elsewhere."""
    control = a_control(root, SetClock())
    elsewhere = root / "elsewhere"
    key = make_key(root / "key.json")
    control.store.anchor_folders = () if how == "chain" else (elsewhere,)
    if how == "signed":
        control.signer = file_signer(root)
        control.anchor_key = root / "key.json"
        enrol_key(control, Enrolment(key.public_hex, "ann", "ops-lead"))
    pause(control)
    pause(control, "automation=order-sync")
    pause(control, "automation=stock-watch")
    return control, elsewhere, key


def verdict(control: Control, elsewhere: Path, key: SigningKey | None = None) -> AuditResult:
    """Verify against the checkpoints that lie elsewhere."""
    trusted = [key.public_hex] if key else []
    return verify_store(control.store, anchors=(elsewhere,), trusted=trusted)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("chain", "unanchored: no checkpoint"),
        ("unsigned", "none of them signed"),
        ("signed", "signed to "),
    ],
)
def test_an_untouched_log_says_how_far_it_is_vouched_for(
    tmp_path: Path, how: str, said: str
) -> None:
    """Without tampering every defence says ok, and how much it rests on."""
    control, elsewhere, key = anchored(tmp_path, how)
    result = verdict(control, elsewhere, key)
    assert result.is_ok
    assert said in result.finding
    if how == "signed":
        assert result.anchored.signed_size == control.head_note().seq


def rewritten(control: Control, change: Callable[[list[str]], list[str]]) -> None:
    """Replace the log by another that is whole in itself, its caches with it: what an administrator can do."""
    store = control.store
    store_id = store.meta()["store_id"]
    bodies = change([event.body for event in store.events()])
    lines, prev = [], log.genesis(store_id)
    for seq, body in enumerate(bodies, start=1):
        own = log.chain_hash(prev, body)
        lines.append({"seq": seq, "prev_hash": prev, "hash": own, "body": body})
        prev = own
    file = file_of(store)
    folder = file.parent.with_name("rewritten")
    made = restore_store(settings_in(folder), SetClock(), lines=lines)
    for suffix in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
    for suffix in ("", "-wal", "-shm"):
        left = file_of(made).with_name(f"{file.name}{suffix}")
        if left.exists():
            left.rename(file.with_name(left.name))
    store._known = None


def _drop_last(bodies: list[str]) -> list[str]:
    return bodies[:-1]


def test_a_restored_backup_is_found(tmp_path: Path) -> None:
    """An old copy put back ends before what a checkpoint saw."""
    control, elsewhere, _ = anchored(tmp_path, "signed")
    seen = control.head_note().seq
    rewritten(control, lambda bodies: bodies[:-2])
    assert f"the log ends at {seen - 2}" in verdict(control, elsewhere).finding


def test_exchanged_anchors_do_not_count_as_signed(tmp_path: Path) -> None:
    """Who rewrites log and anchor file alike passes the chain, but no trusted key vouches for it any more."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    rewritten(control, _drop_last)
    state = control.state()
    note = note_of(state.store_id, state.event_count, root=root_of(state.peaks), signer=None)
    anchor_file(elsewhere, state.store_id).unlink()
    append_note((elsewhere,), state.store_id, note=note)
    result = verdict(control, elsewhere, key)
    assert result.is_ok
    assert result.anchored.signed_size == 0


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("forged signature", "forged signature"),
        ("another log", "of another log"),
        ("larger than the log", "tail missing"),
        ("not a note", "cannot be read"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_named(tmp_path: Path, attack: str, words: str) -> None:
    """Forged, foreign, impossible and damaged checkpoints are findings, never silently skipped."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    state = control.state()
    root = root_of(state.peaks)
    note = {
        "forged signature": note_of(state.store_id, state.event_count, root=root, signer=key)[:-9]
        + "AAAAAAA=\n",
        "another log": note_of("st-else", state.event_count, root=root, signer=key).replace(
            "x", "x"
        ),
        "larger than the log": note_of(state.store_id, 999, root=root, signer=key),
        "not a note": "workbench/x",
    }[attack]
    append_note((elsewhere,), state.store_id, note=note)
    result = verdict(control, elsewhere, key)
    assert not result.is_ok
    assert words in result.finding


def test_an_anchor_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """A pause is recorded whatever becomes of its checkpoint."""
    control = a_control(tmp_path)
    (tmp_path / "file").write_text("in the way")
    control.store.anchor_folders = (tmp_path / "file" / "folder",)
    assert pause(control).hold.hold_id == "H-1"
    assert append_note(control.store.anchor_folders, "st-1", note="x") != []


ROW = {"seq": 0, "prev_hash": "", "hash": ""}


def test_a_torn_note_vouches_for_nothing_and_is_no_finding(tmp_path: Path) -> None:
    """A note cut short by a crash is passed over, the next one stands whole, and both verifiers say ok."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    path = anchor_file(elsewhere, control.store.meta()["store_id"])
    path.write_bytes(path.read_bytes()[:-30])
    torn = verdict(control, elsewhere, key)
    assert (torn.is_ok, torn.anchored.size < torn.event_count) == (True, True)
    pause(control, "automation=ticket-reply")
    assert "(torn)" in path.read_text()
    result = verdict(control, elsewhere, key)
    assert (result.is_ok, result.anchored.signed_size) == (True, result.event_count)
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    assert verify_export(tmp_path / "out", "--trust-key", key.public_hex)[0] == 0


def test_a_note_whose_first_sector_was_lost_is_passed_over_too(tmp_path: Path) -> None:
    """Where power took the first part of a note and left its end, zeros stand for it: that is a torn note as well."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    path = anchor_file(elsewhere, control.store.meta()["store_id"])
    notes = path.read_bytes().removesuffix(BETWEEN.encode()).split(BETWEEN.encode())
    notes[-1] = bytes(40) + notes[-1][40:]
    path.write_bytes(b"".join(note + BETWEEN.encode() for note in notes))
    torn = verdict(control, elsewhere, key)
    assert (torn.is_ok, torn.anchored.size < torn.event_count) == (True, True)
    pause(control, "automation=ticket-reply")
    result = verdict(control, elsewhere, key)
    assert (result.is_ok, result.anchored.signed_size) == (True, result.event_count)
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    assert verify_export(tmp_path / "out", "--trust-key", key.public_hex)[0] == 0


def test_a_key_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """The shipped verifier takes no short key for one that trusts nothing."""
    control, elsewhere, _ = anchored(tmp_path, "signed")
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    assert verify_export(tmp_path / "out", "--trust-key", "00ff")[0] == 2


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that took only a part of the note is reported, as any other failure."""
    monkeypatch.setattr("workbench.store.anchors.os.write", lambda descriptor, content: 5)
    (said,) = append_note((tmp_path,), "st-1", note="x")
    assert "No space left" in said


def verify_export(folder: Path, *words: str) -> tuple[int, str]:
    """Run the verifier of an export by itself: isolated, so that no workbench can be imported."""
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_export_verifies_by_itself(tmp_path: Path) -> None:
    """The shipped verifier, at most 150 lines and without the workbench, confirms log and signed checkpoints."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    made = export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    lines = (tmp_path / "out" / "verify.py").read_text().splitlines()
    assert len(lines) <= 150
    assert not any("workbench." in line for line in lines if "import" in line)
    code, said = verify_export(tmp_path / "out", "--trust-key", key.public_hex)
    assert (code, said.startswith(f"ok to {made.event_count}, anchored to the end")) == (0, True), (
        said
    )
    assert f"signed by a trusted key to {made.event_count}" in said
    assert "signatures not looked at" in verify_export(tmp_path / "out")[1]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "events.jsonl",
            lambda t: t.replace("wrong amounts", "planned work"),
            "altered after it was recorded",
        ),
        ("events.jsonl", lambda t: "".join(t.splitlines(True)[:-1]), "tail missing"),
        ("events.jsonl", lambda t: "".join(t.splitlines(True)[1:]), "stands at place 1"),
        ("events.jsonl", lambda t: t + "{}\n", "not an event"),
        ("events.jsonl", lambda t: "", "no event"),
        ("events.jsonl", lambda t: t.replace("wrong amounts", "\udcff"), "not an event"),
        ("events.jsonl", lambda t: t + json.dumps(ROW | {"body": "[]"}) + "\n", "not an event"),
        (
            "events.jsonl",
            lambda t: t + json.dumps(ROW | {"body": "[" * 99_999}) + "\n",
            "not an event",
        ),
        ("checkpoints", lambda t: t.replace("\N{EM DASH} ", "- ", 1), "misshapen"),
        ("checkpoints", lambda t: t.replace("workbench/", "\udcff", 1), "broken at"),
        (
            "checkpoints",
            lambda t: t.replace("workbench/st-", "workbench/st-0"),
            "is of another log",
        ),
        ("checkpoints", lambda t: t.replace("\n\n----\n", "!\n\n----\n", 1), "broken at"),
    ],
)
def test_a_tampered_export_is_named(
    tmp_path: Path, name: str, change: Callable[[str], str], words: str
) -> None:
    """Edit, cut, deletion, garbage and foreign checkpoints each end with exit 14 and the place."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    (path,) = (p for p in (tmp_path / "out").iterdir() if p.name.endswith(name))
    path.write_text(change(path.read_text()), errors="surrogateescape")
    code, said = verify_export(tmp_path / "out", "--trust-key", key.public_hex)
    assert code == 14, said
    assert words in said


def test_a_forged_signature_in_an_export_is_named(tmp_path: Path) -> None:
    """A signature that a trusted key did not make breaks the export, whatever the root says."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    (path,) = (tmp_path / "out").glob("*.checkpoints")
    text = path.read_text()
    at = text.rindex("\n\n----") - 12 if "\n\n----" in text else text.rindex("\n----") - 12
    flipped = "B" if text[at] == "A" else "A"
    path.write_text(text[:at] + flipped + text[at + 1 :])
    code, said = verify_export(tmp_path / "out", "--trust-key", key.public_hex)
    assert (code, "forged signature" in said) == (14, True), said

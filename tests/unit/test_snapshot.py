"""The published files: never torn, never another store's, never older than what gates were told."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.published import PROBATION, a_document, a_hold, publish
from workbench.snapshot import (
    EPOCH_FILE,
    EPOCH_SIZE_BYTES,
    SNAPSHOT_FILE,
    Publisher,
    SnapshotFault,
    read_snapshot,
    write_durably,
)


def epoch_of(folder: Path) -> int:
    """Return the epoch word from the file's bytes."""
    return int(struct.unpack("=8s16sQQQ16x", (folder / EPOCH_FILE).read_bytes())[2])


def test_a_publication_is_even_when_complete_and_odd_before(tmp_path: Path) -> None:
    """The epoch is odd from `begin` to `complete`, and grows with every publication."""
    publisher = publish(tmp_path)
    assert (epoch_of(tmp_path), publisher.published_seq()) == (2, 1)
    publisher.begin(2)
    assert (epoch_of(tmp_path), publisher.published_seq()) == (3, None)
    publisher.begin(2)  # a writer that begins where another one died
    assert epoch_of(tmp_path) == 3
    publisher.complete(a_document(2))
    assert (epoch_of(tmp_path), publisher.published_seq()) == (4, 2)
    assert read_snapshot(tmp_path).seq == 2


def test_who_comes_late_puts_nothing_over_a_newer_position(tmp_path: Path) -> None:
    """What was begun for an older position, and is completed after a newer one, changes nothing and leaves nothing."""
    publisher, late = publish(tmp_path), Publisher(tmp_path, "st-1")
    files = sorted(tmp_path.iterdir())
    late.begin(2)
    draft = late.draft(a_document(2))
    draft.begin()
    publisher.begin(3)
    publisher.complete(a_document(3))
    before = (tmp_path / EPOCH_FILE).read_bytes()
    for own in (draft, None):
        with pytest.raises(SnapshotFault, match="event 3 already"):
            late.complete(a_document(2), own)
    assert ((tmp_path / EPOCH_FILE).read_bytes(), sorted(tmp_path.iterdir())) == (before, files)
    assert read_snapshot(tmp_path).seq == 3


def test_what_waits_for_gates_begins_when_they_see_it_and_before_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`on_shown` finds the new snapshot under its name with an even epoch, and the folder not yet synced."""
    publisher = publish(tmp_path)
    seen: list[object] = []
    module = sys.modules[Publisher.__module__]
    monkeypatch.setattr(module, "fsync_folder", lambda _: seen.append("folder synced"))
    publisher.begin(2)
    publisher.complete(a_document(2), on_shown=lambda: seen.append(publisher.published_seq()))
    assert seen == [2, "folder synced"]


def test_the_epoch_file_is_never_replaced(tmp_path: Path) -> None:
    """Many publications leave the same inode with the same size: open maps stay true."""
    publisher = publish(tmp_path)
    before = os.stat(tmp_path / EPOCH_FILE)
    for seq in range(2, 20):
        publisher.begin(seq)
        publisher.complete(a_document(seq))
    after = os.stat(tmp_path / EPOCH_FILE)
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    assert after.st_size == EPOCH_SIZE_BYTES == 64


def test_the_epoch_wraps_without_an_error(tmp_path: Path) -> None:
    """At the largest even epoch a publication still ends even and complete."""
    publisher = publish(tmp_path)
    largest = 2**64 - 2
    content = bytearray((tmp_path / EPOCH_FILE).read_bytes())
    content[24:32] = struct.pack("=Q", largest)
    with open(tmp_path / EPOCH_FILE, "r+b") as file:
        file.write(content)
    publisher.begin(2)
    publisher.complete(a_document(2))
    assert epoch_of(tmp_path) % 2 == 0
    assert publisher.published_seq() == 2


def test_another_stores_folder_is_refused(tmp_path: Path) -> None:
    """Two stores never publish into one folder: the second is told so and changes nothing."""
    publish(tmp_path)
    before = (tmp_path / EPOCH_FILE).read_bytes(), (tmp_path / SNAPSHOT_FILE).read_bytes()
    other = Publisher(tmp_path, "st-2")
    for refused in (other.prepare, other.check_owner, lambda: other.begin(9)):
        with pytest.raises(SnapshotFault, match="another store"):
            refused()
    assert other.published_seq() is None
    assert before == ((tmp_path / EPOCH_FILE).read_bytes(), (tmp_path / SNAPSHOT_FILE).read_bytes())


def test_an_older_copy_of_the_store_cannot_publish(tmp_path: Path) -> None:
    """A store that ends before what gates were told is an older copy, and opens nothing."""
    publish(tmp_path, seq=9, automations={"a": [a_hold()]})
    older = Publisher(tmp_path, "st-1")
    with pytest.raises(SnapshotFault, match="older copy"):
        older.begin(8)
    assert older.published_seq() == 9
    assert read_snapshot(tmp_path).automations["a"][0]["hold_id"] == "H-1"


@pytest.mark.parametrize("content", [b"", b"x" * 64, b"WBEPOCH1", b"WBEPOCH1" + b"\0" * 57])
def test_an_odd_epoch_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    """A file that is no epoch file is named; it is never silently replaced."""
    (tmp_path / EPOCH_FILE).write_bytes(content)
    with pytest.raises(SnapshotFault, match=r"is not an epoch file|another store"):
        Publisher(tmp_path, "st-1").prepare()
    assert (tmp_path / EPOCH_FILE).read_bytes() == content


def test_writing_durably_replaces_whole_files(tmp_path: Path) -> None:
    """A reader sees the old or the new content, and no temporary file stays."""
    target = tmp_path / "file"
    for content in (b"one", b"two" * 1000, b""):
        write_durably(target, content)
        assert target.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "another format"),
        ({"seq": "1"}, "misshapes"),
        ({"seq": True}, "misshapes"),
        ({"store_id": None}, "misshapes"),
        ({"automations": []}, "misshapes"),
        ({"automations": {"a": {}}}, "misshapes"),
        ({"automations": {"a": ["H-1"]}}, "misshapes"),
        ({"automations": {"a": [{}]}}, "misshapes"),
        ({"automations": {"a": [a_hold(mode=1)]}}, "misshapes"),
        ({"everything": [a_hold(probation={})]}, "misshapes"),
        ({"everything": [a_hold(probation=PROBATION)]}, "misshapes"),
        ({"everything": [a_hold(probation={**PROBATION, "until": "soon"})]}, "misshapes"),
        (
            {"named": {"a": [a_hold(probation={**PROBATION, "until": "2026-11-20T09:30"})]}},
            "offset",
        ),
        ({"published_at": "2026-11-20T09:30:00"}, "offset"),
        ({"published_at": 5}, "misshapes"),
        ({"doubt": 5}, "misshapes"),
    ],
)
def test_a_misshapen_snapshot_is_no_snapshot(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    """Whatever a snapshot lacks or misshapes is a fault, never an answer."""
    body = {"format": 1, **a_document(), **change}
    (tmp_path / SNAPSHOT_FILE).write_text(json.dumps(body))
    with pytest.raises(SnapshotFault, match=words):
        read_snapshot(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_garbage_is_no_snapshot(tmp_path: Path, content: bytes) -> None:
    """Empty, cut off, deep or binary files are faults with a sentence."""
    (tmp_path / SNAPSHOT_FILE).write_bytes(content)
    with pytest.raises(SnapshotFault, match="snapshot in"):
        read_snapshot(tmp_path)


def test_a_missing_snapshot_is_a_fault(tmp_path: Path) -> None:
    """Where there is no snapshot the folder is named."""
    with pytest.raises(SnapshotFault, match="no snapshot in"):
        read_snapshot(tmp_path)

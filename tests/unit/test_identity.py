"""The identity of a gate folder: kept over every publication, and never had by two."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.published import a_document, publish
from workbench import identity
from workbench.identity import folder_id
from workbench.snapshot import EPOCH_FILE, Publisher


def identity_of(folder: Path) -> tuple[str, str]:
    """Return number and id of a gate folder as a mirror reads them."""
    return Publisher(folder, "st-1").identity()


def test_a_folder_keeps_its_identity(tmp_path: Path) -> None:
    """Publications, another preparation and a rename of the folder leave number and id as they are."""
    publisher = publish(tmp_path / "gate")
    before = publisher.identity()
    assert len(before[0]) == 16
    assert before[1].startswith("gf-")
    for seq in range(2, 5):
        publisher.prepare()
        publisher.begin(seq)
        publisher.complete(a_document(seq))
    publisher.beat(datetime.now(UTC))
    assert publisher.identity() == before
    (tmp_path / "gate").rename(tmp_path / "moved")
    assert identity_of(tmp_path / "moved") == before


def test_two_folders_are_two(tmp_path: Path) -> None:
    """Folders of one store have numbers of their own."""
    assert len({publish(tmp_path / name).identity()[0] for name in "abcd"}) == 4


def test_a_copy_is_another_folder(tmp_path: Path) -> None:
    """A copied or restored folder has the same number, and another id."""
    original = publish(tmp_path / "gate").identity()
    shutil.copytree(tmp_path / "gate", tmp_path / "copy")
    copied = identity_of(tmp_path / "copy")
    assert (copied[0] == original[0], copied[1] == original[1]) == (True, False)


def test_after_a_restart_of_the_machine_it_is_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file after a restart, or on a machine that was cloned with it, has another id."""
    before = publish(tmp_path).identity()
    monkeypatch.setattr(identity, "boot_id", lambda: "after the restart")
    after = identity_of(tmp_path)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_a_folder_of_an_earlier_version_gets_a_number(tmp_path: Path) -> None:
    """Without a number nobody can be told apart, so it has no id; the next publication draws one."""
    publisher = publish(tmp_path)
    path = tmp_path / EPOCH_FILE
    path.write_bytes(path.read_bytes()[:56] + bytes(8))
    assert publisher.identity() == ("", "")
    assert folder_id(0, os.stat(path)) == ""
    publisher.prepare()
    assert publisher.identity()[1]


def test_a_new_number_makes_it_another_folder(tmp_path: Path) -> None:
    """After `renumber` neither number nor id is what it was, and what was published still stands."""
    publisher = publish(tmp_path)
    before = publisher.identity()
    publisher.renumber()
    assert set(publisher.identity()) & set(before) == set()
    assert publisher.published_seq() == 1


def test_no_folder_has_no_identity(tmp_path: Path) -> None:
    """Before anything was published, and in another store's folder, there is none."""
    assert identity_of(tmp_path) == ("", "")
    publish(tmp_path, store_id="st-2")
    assert identity_of(tmp_path) == ("", "")

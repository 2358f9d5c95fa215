"""Files that go back under a running automation open nothing: an older gate folder, a spool that went away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.ground import a_control, break_glass, pause
from tests.unit.published import a_hold, publish
from workbench.control import Control
from workbench.gate import Gate, GateAnswer, GateState
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, store_digest
from workbench.spool import Spool, SpooledPause, tell_gates

REQUEST = {"name": "pause", "mode": "freeze", "scope": "kind=agent", "reason": "wrong amounts"}


def asked_anew(gate: Gate, automation_id: str = "ticket-reply") -> GateAnswer:
    """Ask as the gate does a second later, when it looks at its files again."""
    gate._restat_at = 0.0
    return gate.check(automation_id)


def by_rename(gate: Path, backup: Path) -> None:
    """Put a backup in the folder's place."""
    shutil.rmtree(gate)
    shutil.copytree(backup, gate)


def in_place(gate: Path, backup: Path) -> None:
    """Write a backup's bytes into the files that are there, as a tool does that keeps inodes."""
    for name in (SNAPSHOT_FILE, EPOCH_FILE):
        (gate / name).write_bytes((backup / name).read_bytes())


@pytest.mark.parametrize("put_back", [by_rename, in_place])
def test_an_older_gate_folder_opens_nothing(
    tmp_path: Path, put_back: Callable[[Path, Path], None]
) -> None:
    """I14: what a process knows to be paused stays so when a backup of the folder from before is put back."""
    control = a_control(tmp_path)
    folder, backup = control.store.gate_folder, tmp_path / "backup"
    shutil.copytree(folder, backup)
    pause(control)
    gate = Gate(folder)
    assert gate.check("ticket-reply").state is GateState.PAUSED
    assert gate.check("order-sync").state is GateState.CLEAR
    put_back(folder, backup)
    answer = asked_anew(gate)
    assert (answer.state, answer.holds) == (GateState.PAUSED, ("H-1",))
    other = asked_anew(gate, "order-sync")
    assert other.state is GateState.UNKNOWN
    assert "older or forked copy: it told of event 11 before, and now of event 9" in other.reason


def test_the_newest_store_takes_a_gate_on_again(tmp_path: Path) -> None:
    """After the next command of the real store the folder tells the newest state, and the gate goes by it."""
    control = a_control(tmp_path)
    folder, backup = control.store.gate_folder, tmp_path / "backup"
    shutil.copytree(folder, backup)
    pause(control)
    gate = Gate(folder)
    gate.check("ticket-reply")
    in_place(folder, backup)
    assert asked_anew(gate, "order-sync").state is GateState.UNKNOWN
    control.resume_full(break_glass("H-1"))
    assert asked_anew(gate).state is GateState.CLEAR


def test_another_history_of_the_same_length_is_not_believed(tmp_path: Path) -> None:
    """A fork that reaches the same position has another hash there."""
    publish(tmp_path, 5, automations={"a": [a_hold()]})
    gate = Gate(tmp_path)
    assert gate.check("a").state is GateState.PAUSED
    publish(tmp_path, 5, head_hash="cd")
    assert asked_anew(gate, "a").state is GateState.PAUSED
    publish(tmp_path, 6, head_hash="ef")
    assert asked_anew(gate, "a").state is GateState.CLEAR


def test_an_older_folder_under_an_odd_epoch_is_not_remembered(tmp_path: Path) -> None:
    """What an incomplete publication of an older copy says does not take the place of what was known."""
    publish(tmp_path, 5, automations={"a": [a_hold()]})
    gate = Gate(tmp_path)
    gate.check("a")
    shutil.rmtree(tmp_path)
    publish(tmp_path, 3).begin(4)
    assert asked_anew(gate, "a").state is GateState.PAUSED


def test_the_folder_of_another_store_opens_nothing(tmp_path: Path) -> None:
    """A link that is turned to a store in which nothing is held lets nothing go in a process that knows of the hold."""
    held, free = a_control(tmp_path / "held"), a_control(tmp_path / "free")
    pause(held)
    link = tmp_path / "gate"
    link.symlink_to(held.store.gate_folder)
    gate = Gate(link)
    assert gate.check("ticket-reply").state is GateState.PAUSED
    link.unlink()
    link.symlink_to(free.store.gate_folder)
    assert asked_anew(gate).state is GateState.PAUSED
    other = asked_anew(gate, "order-sync")
    assert other.state is GateState.UNKNOWN
    assert f"is of store {free.state().store_id} now" in other.reason
    assert Gate(link).check("ticket-reply").state is GateState.CLEAR
    link.unlink()
    link.symlink_to(held.store.gate_folder)
    assert asked_anew(gate, "order-sync").state is GateState.CLEAR


def a_spooled(control: Control) -> Spool:
    """Put a pause of two agents into the spool of a store and return it."""
    spool = Spool(control.store.gate_folder, store_digest(control.state().store_id))
    spool.make()
    ids = ("invoice-triage", "ticket-reply")
    spool.write(SpooledPause("command-1", REQUEST, ids, False, "os:ann", "2026-11-20T09:30:00Z"))
    tell_gates(control.store.gate_folder)
    return spool


def gone(spool: Spool) -> None:
    """Take the file away."""
    spool.path.unlink()


def made_anew(spool: Spool) -> None:
    """Let an empty file be made in its place."""
    spool.path.unlink()
    spool.make()


def made_anew_and_used(spool: Spool) -> None:
    """Let one be made and used as often as the one before, so that its number of changes is the same."""
    made_anew(spool)
    pause = SpooledPause("command-2", REQUEST, ("product-copy",), False, "os:bo", "2026-11-20")
    spool.write(pause)


def from_a_backup(spool: Spool) -> None:
    """Write the bytes of the empty file over it, in place."""
    empty = Spool(spool.folder / "seen", spool.store_digest)
    empty.make()
    spool.path.write_bytes(empty.path.read_bytes())


LOSSES = [gone, made_anew, made_anew_and_used, from_a_backup]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_spool_that_goes_away_opens_nothing(
    tmp_path: Path, lose: Callable[[Spool], None]
) -> None:
    """A process that saw a pause in a spool holds on to it until its slot is freed in that file."""
    control = a_control(tmp_path)
    spool = a_spooled(control)
    gate = Gate(control.store.gate_folder)
    assert gate.check("ticket-reply").holds == ("spool command-1",)
    lose(spool)
    for _ in range(2):
        assert asked_anew(gate).state is GateState.PAUSED
    assert asked_anew(gate, "order-sync").state is GateState.CLEAR
    if lose is made_anew_and_used:
        assert asked_anew(gate, "product-copy").holds == ("spool command-2",)


def test_a_pause_that_comes_back_with_its_file_is_freed_as_ever(tmp_path: Path) -> None:
    """The same file in its place again: the store frees the slot, and the gate lets go."""
    control = a_control(tmp_path)
    spool = a_spooled(control)
    gate = Gate(control.store.gate_folder)
    gate.check("ticket-reply")
    os.rename(spool.path, tmp_path / "elsewhere")
    assert asked_anew(gate).state is GateState.PAUSED
    os.rename(tmp_path / "elsewhere", spool.path)
    assert asked_anew(gate).state is GateState.PAUSED
    spool.free("command-1")
    assert asked_anew(gate).state is GateState.CLEAR

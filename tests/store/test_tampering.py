"""Somebody with a SQLite shell: each kind of tampering is named, and none stops a pause."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.store.ground import PLAIN_TABLE, a_control, break_glass, pause, raw_sql
from workbench.control import Control
from workbench.errors import AuditBroken
from workbench.gate import Gate, GateState
from workbench.store.audit import AuditResult, verify_store


def a_busy_control(tmp_path: Path) -> Control:
    """Make a store with two holds, one of them released."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=order-sync")
    control.resume_full(break_glass("H-2"))
    return control


def seq_of(control: Control, action: str) -> int:
    """Return the position of the first event of an action."""
    return next(e.seq for e in control.store.events() if e.action == action)


def verify_after(control: Control, *statements: str) -> AuditResult:
    """Tamper and verify."""
    raw_sql(control.store, *statements)
    return verify_store(control.store)


def test_an_untouched_store_is_ok_and_unanchored(tmp_path: Path) -> None:
    """Without tampering the log is ok to its head, and says that no signed anchor vouches for it."""
    control = a_busy_control(tmp_path)
    result = verify_store(control.store)
    assert result.is_ok
    assert (
        result.finding
        == f"ok to {control.head_note().seq}, unanchored: no checkpoint outside of the store"
    )
    assert result.head == control.head_note()


@pytest.mark.parametrize(
    "statement",
    [
        "update event set body = body || ' '",
        "delete from event",
        "delete from event where seq = 3",
        "update event set hash = 'x' where seq = 2",
        "insert or replace into event (seq, prev_hash, hash, body) select seq, prev_hash, hash, body from event where seq = 2",
        "insert or ignore into event (seq, prev_hash, hash, body) select seq + 50, prev_hash, 'z', body from event where seq = 2",
        "insert into event (seq, prev_hash, hash, body) select max(seq) + 2, 'a', 'b', '{\"seq\": 99}' from event",
        "insert into event (seq, prev_hash, hash, body) select max(seq) + 1, 'a', 'b', '{\"seq\": 1}' from event",
    ],
)
def test_the_triggers_keep_the_log_append_only(tmp_path: Path, statement: str) -> None:
    """Update, delete, replace, a gap and a wrong predecessor are refused by the file itself."""
    control = a_busy_control(tmp_path)
    before = [e.body for e in control.store.events()]
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        raw_sql(control.store, statement, without_triggers=False)
    assert [e.body for e in control.store.events()] == before


def test_an_edited_body_is_named(tmp_path: Path) -> None:
    """The first altered row is named with its action, target and actor."""
    control = a_busy_control(tmp_path)
    at = seq_of(control, "hold.place")
    result = verify_after(
        control, f"update event set body = replace(body, 'wrong', 'right') where seq = {at}"
    )
    assert (result.broken_at, result.event_count) == (at, at - 1)
    assert result.finding.startswith(f"broken at {at}: event {at} (hold.place H-1 by os:")
    assert "altered after it was recorded" in result.finding


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update event set body = 'no json' where seq = {at}", "cannot be read"),
        ("update event set body = cast(x'ff00fe' as text) where seq = {at}", "cannot be read"),
        ("update event set body = '{{}}' where seq = {at}", "cannot be read"),
        ("update event set hash = 'deadbeef' where seq = {at}", "altered"),
        ("update event set prev_hash = 'deadbeef' where seq = {at}", "does not follow"),
        ("delete from event where seq = {at}", "stands at place"),
        ("update event set seq = 1000 where seq = {at}", "stands at place"),
    ],
)
def test_each_kind_of_tampering_names_the_row(tmp_path: Path, statement: str, words: str) -> None:
    """Garbage, invalid text, a foreign hash, a gap and a moved row are each broken at that row."""
    control = a_busy_control(tmp_path)
    at = seq_of(control, "hold.place")
    result = verify_after(control, *PLAIN_TABLE, statement.format(at=at))
    assert result.broken_at == at
    assert words in result.finding
    assert not result.is_ok


def test_exchanged_rows_are_named(tmp_path: Path) -> None:
    """Two rows that changed places are found at the first of them."""
    control = a_busy_control(tmp_path)
    result = verify_after(
        control,
        "update event set seq = -1 where seq = 4",
        "update event set seq = 4 where seq = 5",
        "update event set seq = 5 where seq = -1",
    )
    assert result.broken_at == 4
    assert "it says seq 5 and stands at place 4" in result.finding


def test_a_cut_tail_is_named_by_the_head_row(tmp_path: Path) -> None:
    """A log that lost its last event no longer agrees with the head row."""
    control = a_busy_control(tmp_path)
    last = control.head_note().seq
    result = verify_after(control, f"delete from event where seq = {last}")
    assert (result.broken_at, result.is_ok) == (last, False)
    assert f"the head row says {last}, the log ends at {last - 1}" in result.finding


def test_a_cut_tail_with_a_fitting_head_is_named_by_the_caches(tmp_path: Path) -> None:
    """Somebody who sets the head row back, too, is betrayed by the rows that the lost event left."""
    control = a_busy_control(tmp_path)
    last = control.head_note().seq
    result = verify_after(
        control,
        f"delete from event where seq = {last}",
        f"update head set seq = {last - 1}, hash = (select hash from event where seq = {last - 1})",
    )
    assert result.broken_at is None
    assert not result.is_ok
    assert any(name.startswith("command ") for name in result.stale_caches)
    assert "hold H-2" in result.stale_caches


@pytest.mark.parametrize(
    "statement",
    ["update head set seq = seq + 1", "update head set hash = 'x'", "delete from head"],
)
def test_an_edited_head_row_is_named(tmp_path: Path, statement: str) -> None:
    """A head row that does not say where the log ends breaks verification."""
    result = verify_after(a_busy_control(tmp_path), statement)
    assert not result.is_ok
    assert "the head row says" in result.finding


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (
            "update projection set body = '{}' where entity = 'hold' and entity_id = 'H-1'",
            "hold H-1",
        ),
        (
            "update projection set body = 'x' where entity_id = 'order-sync'",
            "automation order-sync",
        ),
        ("delete from projection where entity_id = 'H-2' and entity = 'hold'", "hold H-2"),
        ("insert into projection values ('hold', 'H-9', '{}')", "hold H-9"),
        (
            "update outbox set desired = 'running' where decided_seq = 10",
            "outbox 10/invoice-triage",
        ),
        ("delete from outbox where decided_seq = 10", "outbox 10/product-copy"),
        (
            "insert into outbox values (3, 'order-sync', 'H-1', 'running', null)",
            "outbox 3/order-sync",
        ),
    ],
)
def test_an_edited_cache_is_named_and_the_log_wins(
    tmp_path: Path, statement: str, name: str
) -> None:
    """A projection or outbox row that does not follow from the log is named; answers come from the log."""
    control = a_busy_control(tmp_path)
    assert seq_of(control, "hold.place") == 10
    before = control.status().automations
    result = verify_after(control, statement)
    assert name in result.stale_caches
    assert (result.is_ok, result.broken_at) == (False, None)
    assert "the log wins" in result.finding
    assert control.status().automations == before


def test_a_store_id_exchanged_in_the_facts_is_named(tmp_path: Path) -> None:
    """The log vouches for its store id; a row that says another one breaks at the first event."""
    result = verify_after(
        a_busy_control(tmp_path), "update meta set value = 'st-0' where name = 'store_id'"
    )
    assert result.broken_at == 1


DAMAGE = [
    "update event set body = 'no json' where seq = {at}",
    "update event set body = cast(x'ff' as text) where seq = {at}",
    "update event set body = json_remove(body, '$.payload.mode') where seq = {at}",
    "update event set body = json_set(body, '$.payload.scope', 'Kind = AGENT') where seq = {at}",
    "update event set body = json_set(body, '$.payload.covered', 5) where seq = {at}",
    "update event set body = json_set(body, '$.payload.command', 5) where seq = {at}",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_damaged_log_still_takes_a_pause_and_opens_nothing(
    tmp_path: Path, statement: str
) -> None:
    """A pause is recorded, delivered and obeyed on a damaged log; gates say no CLEAR and no resume goes."""
    control = a_busy_control(tmp_path)
    at = seq_of(control, "hold.place")
    raw_sql(control.store, *PLAIN_TABLE, statement.format(at=at))
    fresh = Control(
        control.store.__class__(
            control.store.backend, control.store.gate_folder, clock=control.clock
        ),
        control.clock,
    )
    receipt = pause(fresh, "automation=stock-watch")
    assert receipt.publication_fault == ""
    assert fresh.state().holds[receipt.hold.hold_id].placed_seq == receipt.hold.placed_seq
    gate = Gate(tmp_path / "gate")
    assert gate.check("stock-watch").state is GateState.PAUSED
    assert gate.check("order-sync").state is GateState.UNKNOWN
    assert gate.check("invoice-triage").state is not GateState.CLEAR
    before = fresh.head_note().seq
    for request in (break_glass(receipt.hold.hold_id), break_glass(receipt.hold.hold_id, "*", 1)):
        with pytest.raises(AuditBroken, match=f"Event {at} of the log"):
            (fresh.resume_narrow if request.only else fresh.resume_full)(request)
    assert fresh.head_note().seq == before
    assert any(f"event {at} of the log" in flag for flag in fresh.status().flags)
    assert verify_store(fresh.store).broken_at == at


def test_a_pause_after_a_deleted_middle_keeps_the_finding(tmp_path: Path) -> None:
    """Commands after the tampering do not paint over it: the gap is still named."""
    control = a_busy_control(tmp_path)
    raw_sql(control.store, "delete from event where seq = 4")
    assert pause(control, "automation=stock-watch").hold.hold_id == "H-3"
    assert verify_store(control.store).broken_at == 4

"""Hosts that report: a pause is confirmed wherever automations ask, and a silent host is never passed over."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres_server import Server
from tests.store.ground import (
    CLOCK,
    a_control,
    break_glass,
    pause,
    settings_in,
    start_asking,
    stop_asking,
    wait_until,
)
from tests.store.several_hosts import a_mirror, as_mirror_account, mirrors_of, on_host, watching
from tests.store.test_postgres import as_member, connection_of
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.control.forgetting import forget_host
from workbench.control.placing import PauseRequest
from workbench.errors import NotFound, Refused, UsageFault
from workbench.gate import Gate, GateState
from workbench.records import TargetState
from workbench.snapshot import EPOCH_FILE
from workbench.store import hosts, reporting
from workbench.store.audit import verify_store
from workbench.store.hosts import MOST_HOSTS


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Let a host count as silent almost at once; gives the seconds."""
    monkeypatch.setattr(hosts, "SILENT_SECONDS", 0.4)
    yield 0.4


def hosts_seen(control: Control) -> dict[str, Any]:
    """Return the hosts that the store knows of, by name."""
    return {host.name: host for host in control.store.hosts(control.state()).known}


def has_asked(control: Control, name: str, automation_id: str) -> bool:
    """Tell whether the store has heard of a host that an automation asks there."""
    host = hosts_seen(control).get(name)
    return host is not None and automation_id in host.said


def let_ask(gate: Path, *automation_ids: str) -> None:
    """Ask once for each automation, as this process, which lives on."""
    gate_there = Gate(gate)
    for automation_id in automation_ids:
        gate_there.check(automation_id)


def row_of(name: str, **more: Any) -> dict[str, Any]:
    """Return a report as somebody who makes it up would write it."""
    entry = {
        "seen_seq": 999,
        "seen_at": "2026-11-20T09:30:00.000000Z",
        "asked_at": "2026-11-20T09:30:00.000000Z",
        "is_alive": True,
        "in_flight_count": 0,
    }
    body = {
        "format": 1,
        "told_at": "2026-11-20T09:30:00.000000Z",
        "automations": {"ticket-reply": [entry]},
        "books": {"P-1": {"taken_count": -5, "why_closed": "", "tickets": []}},
        "is_whole": True,
    }
    row = {
        "name": name,
        "number": "f" * 16,
        "folder_id": "gf-forged",
        "gate_folder": "/nowhere",
        "reported_by": "postgres",
        "said_at": "2026-11-20T09:30:00.000000Z",
        "published_seq": 999,
        "report": json.dumps(body),
    }
    return {**row, **more}


def forge(control: Control, row: dict[str, Any]) -> bool:
    """Write a report straight into the store."""
    with control.store.backend.reading() as session:
        return session.report_host(row)


def test_a_pause_is_confirmed_by_the_gates_of_another_host(
    database_place: Path, postgres_server: Server
) -> None:
    """Given on a host where nothing runs, it waits for what asks elsewhere; the mirror needs its own role alone."""
    control = a_control(database_place, SystemClock())
    own = as_mirror_account(postgres_server, database_place, "b")
    with mirrors_of(own):
        wait_until(lambda: (own.gate / EPOCH_FILE).exists())
        child = start_asking(own.gate, "ticket-reply")
        try:
            wait_until(lambda: has_asked(control, "b", "ticket-reply"))
            receipt = control.pause(PauseRequest("automation=ticket-reply", "why"), wait_seconds=10)
        finally:
            stop_asking(child)
        (target,) = receipt.targets
        assert receipt.is_confirmed, (target, receipt.hosts)
        assert (target.delivered_at, target.confirmed_at) != (None, None)
        assert [(v.label, v.state_in_words) for v in receipt.hosts] == [("b", "told")]
        stages = [target.recorded_at, target.delivered_at, target.confirmed_at]
        assert stages == sorted(stages)  # type: ignore[type-var] # none is None, as asserted
    assert set(control.state().observed["H-1", "ticket-reply"]) >= {"delivered_at", "confirmed_at"}
    assert verify_store(control.store).is_ok


def test_it_is_confirmed_only_when_every_host_has_seen_it(place: Path) -> None:
    """With gates on two hosts, one that was not told or has not asked since keeps the pause open, and is named."""
    control = a_control(place, SystemClock())
    a, b = (on_host(place, name) for name in "ab")
    mirrors = [a_mirror(settings, SystemClock()) for settings in (a, b)]
    for mirror, settings in zip(mirrors, (a, b), strict=True):
        mirror.once()
        let_ask(settings.gate, "ticket-reply")
        mirror._reporter._told_at = float("-inf")
        mirror.once()
    receipt = pause(control, "automation=ticket-reply")
    (target,) = receipt.targets
    assert (target.state, receipt.is_confirmed) == (TargetState.RECORDED, False)
    assert target.note == "not published to the gate on host a on host b"
    assert {v.label: v.state_in_words for v in receipt.hosts} == dict.fromkeys("ab", "not told yet")
    mirrors[0].once()
    let_ask(a.gate, "ticket-reply")
    mirrors[0].once()
    (target,) = control.observe("H-1")
    assert (target.state, target.note) == (
        TargetState.RECORDED,
        "not published to the gate on host b",
    )
    mirrors[1].once()
    (target,) = control.observe("H-1")
    assert target.state is TargetState.UNCONFIRMED
    assert target.note.startswith("has not asked since ")
    assert target.note.endswith(" on host b")
    let_ask(b.gate, "ticket-reply")
    mirrors[1].once()
    (target,) = control.observe("H-1")
    assert (target.state, target.confirmed_at is not None) == (TargetState.QUIET, True)


def test_a_silent_host_is_unreachable_and_said_with_its_last_heartbeat(
    place: Path, short_silence: float
) -> None:
    """What was last seen there is UNREACHABLE; other automations are confirmed, and the pause is not."""
    control = a_control(place, SystemClock())
    let_ask(place / "gate", "order-sync")
    own = on_host(place, "b")
    with watching(a_mirror(own, SystemClock())):
        wait_until(lambda: (own.gate / EPOCH_FILE).exists())
        let_ask(own.gate, "ticket-reply")
        wait_until(lambda: has_asked(control, "b", "ticket-reply"))
    wait_until(lambda: hosts_seen(control)["b"].is_silent)
    receipt = pause(control, "automation=ticket-reply")
    (target,) = receipt.targets
    assert target.state is TargetState.UNREACHABLE
    assert target.note.startswith("host b: last heartbeat 20")
    assert not target.is_asking  # nobody is waited for who cannot answer
    let_ask(place / "gate", "order-sync")
    elsewhere = control.pause(PauseRequest("automation=order-sync", "why"), wait_seconds=0)
    let_ask(place / "gate", "order-sync")
    assert control.observe("H-2")[0].confirmed_at
    assert [view.label for view in elsewhere.not_told] == ["b"]
    assert not elsewhere.is_confirmed
    flags = [flag for flag in control.status().flags if "UNREACHABLE" in flag]
    assert len(flags) == 1
    assert "host b is UNREACHABLE: last heartbeat 20" in flags[0]
    with watching(a_mirror(own, SystemClock())):
        wait_until(lambda: hosts_seen(control)["b"].seq == control.head_note().seq)
        let_ask(own.gate, "ticket-reply")
        wait_until(lambda: control.observe("H-1")[0].confirmed_at is not None)
    assert [f for f in control.status().flags if "not told" in f] == []


def test_a_host_that_was_told_before_it_fell_silent_keeps_nothing_open(
    place: Path, short_silence: float
) -> None:
    """Its gates hold what they were told, whether or not anybody hears of them."""
    control = a_control(place, SystemClock())
    let_ask(place / "gate", "order-sync")
    mirror = a_mirror(on_host(place, "b"), SystemClock())
    mirror.once()
    receipt = pause(control, "automation=order-sync")
    mirror._reporter._told_at = float("-inf")
    mirror.once()
    let_ask(place / "gate", "order-sync")
    wait_until(lambda: hosts_seen(control)["b"].is_silent)
    assert control.observe(receipt.hold.hold_id)[0].confirmed_at


def test_a_host_is_struck_off_by_a_recorded_command(place: Path, short_silence: float) -> None:
    """Only a silent one, with a reason; the log says who did it, and a host that reports again counts again."""
    control = a_control(place, SystemClock())
    mirror = a_mirror(on_host(place, "b"), SystemClock())
    mirror.once()
    with pytest.raises(Refused, match=r"Host b reported \d s ago"):
        forget_host(control, "b", reason="gone")
    wait_until(lambda: hosts_seen(control)["b"].is_silent)
    with pytest.raises(UsageFault, match="needs a reason"):
        forget_host(control, "b", reason=" ")
    with pytest.raises(NotFound, match="No host c reports to this store; there are: b"):
        forget_host(control, "c", reason="gone")
    told = mirror.store.events()
    forget_host(control, "b", reason="the machine was sold")
    (event,) = control.store.events(told[-1].seq)
    assert (event.action, event.reason) == ("host.forget", "the machine was sold")
    assert event.target.startswith("b/")
    assert hosts_seen(control) == {}
    assert control.status().hosts == ()
    assert verify_store(control.store).is_ok
    mirror._reporter._told_at = float("-inf")
    mirror.once()
    assert list(hosts_seen(control)) == ["b"]


def test_two_hosts_of_one_name_are_two(place: Path, short_silence: float) -> None:
    """Both are shown, with the numbers of their gate folders; a name that two have strikes nobody off."""
    control = a_control(place, SystemClock())
    for folder in ("one", "two"):
        settings = on_host(place, folder)
        mirror = a_mirror(settings, SystemClock())
        mirror.host = mirror._reporter._name = "worker"
        mirror.once()
    views = control.status().hosts
    assert len(views) == 2
    assert len({view.label for view in views}) == 2
    assert all(view.label.startswith("worker/") for view in views)
    wait_until(lambda: all(view.host.is_silent for view in control.status().hosts))
    with pytest.raises(UsageFault, match="Several hosts are named worker: worker/"):
        forget_host(control, "worker", reason="gone")
    forget_host(control, views[0].label, reason="gone")
    assert [view.label for view in control.status().hosts] == ["worker"]


def test_a_folder_of_an_earlier_version_reports_under_a_number(place: Path) -> None:
    """Where nothing is published anew the mirror draws the number that tells the folder from others."""
    control = a_control(place, SystemClock())
    own = on_host(place, "b")
    a_mirror(own, SystemClock()).once()
    epoch = own.gate / EPOCH_FILE
    with open(epoch, "r+b") as file:
        file.seek(56)
        file.write(bytes(8))
    a_mirror(own, SystemClock()).once()
    known = control.store.hosts(control.state()).known
    assert len(known) == 2  # the row of the number that it had, and the new one
    assert all(host.number and host.folder_id for host in known)


def test_a_copied_gate_folder_becomes_another_host(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy with the same name gives way to the folder that reports, and soon goes by a number of its own."""
    control = a_control(place, SystemClock())
    original, copy = on_host(place, "b"), on_host(place, "copy")
    mirror = a_mirror(original, SystemClock())
    mirror.once()
    shutil.copytree(original.gate, copy.gate)
    other = a_mirror(copy, SystemClock())
    other.host = other._reporter._name = "b"
    other.once()
    assert "another gate folder reports as b" in other._report_fault
    assert [h.gate_folder for h in hosts_seen(control).values()] == [str(original.gate)]
    monkeypatch.setattr(reporting, "COPY_SECONDS", 0.0)
    other.once()
    assert "has a new number" in other._report_fault
    other.once()
    assert other._report_fault == ""
    known = control.store.hosts(control.state()).known
    assert {h.gate_folder for h in known} == {str(original.gate), str(copy.gate)}
    assert len({h.folder_id for h in known}) == len({h.number for h in known}) == 2


@pytest.mark.parametrize("name", ["b", "stranger"])
def test_a_forged_row_opens_nothing(place: Path, name: str) -> None:
    """Whatever a host says of itself, gates and fold stay where the log has them; only looking is misled."""
    control = a_control(place, SystemClock())
    own = on_host(place, "b")
    mirror = a_mirror(own, SystemClock())
    mirror.once()
    pause(control)
    mirror.once()
    before = control.state(), control.store.events()
    assert forge(control, row_of(name))
    mirror._reporter._told_at = float("-inf")
    mirror.once()
    for gate in (own.gate, place / "gate"):
        assert Gate(gate).check("ticket-reply").state is GateState.PAUSED
    assert control.store.events() == before[1]
    assert control.state().holds == before[0].holds
    states = {row.automation.automation_id: row.state for row in control.status().automations}
    assert states["ticket-reply"] == "paused"


@pytest.mark.parametrize(
    "report",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 50_000,
        '{"format": 2}',
        '{"format": 1, "told_at": "soon", "automations": {}, "books": {}, "is_whole": true}',
        '{"format": 1, "told_at": "", "automations": {"ticket-reply": 5}, "books": {}, "is_whole": true}',
        '{"format": 1, "told_at": "", "automations": [], "books": {}, "is_whole": true}',
    ],
)
def test_a_report_that_cannot_be_read_confirms_nothing(place: Path, report: str) -> None:
    """Such a host is UNREACHABLE, whatever position it claims, and stops no command."""
    control = a_control(place, SystemClock())
    assert forge(control, row_of("b", report=report, published_seq=0))
    receipt = pause(control)
    assert not receipt.is_confirmed
    assert [view.state_in_words for view in receipt.hosts] == ["UNREACHABLE"]
    assert "cannot be read" in receipt.hosts[0].host.last_heard


def test_what_does_not_fit_into_a_report_is_never_taken_for_confirmed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report is bounded, what is held comes first, and of the rest nobody says that it has seen the hold."""
    monkeypatch.setattr(reporting, "MOST_AUTOMATIONS", 1)
    control = a_control(place, SystemClock())
    own = on_host(place, "b")
    mirror = a_mirror(own, SystemClock())
    mirror.once()
    let_ask(own.gate, "invoice-triage", "order-sync")
    receipt = pause(control, "automation=order-sync")
    let_ask(own.gate, "order-sync")
    for _ in range(2):
        mirror.once()
        let_ask(own.gate, "invoice-triage", "order-sync")
    assert list(hosts_seen(control)["b"].said) == ["order-sync"]
    assert control.observe(receipt.hold.hold_id)[0].confirmed_at
    pause(control, "automation=stock-watch")
    mirror.once()
    (target,) = control.observe("H-2")
    assert target.state is TargetState.UNREACHABLE
    assert "has more to report than it can" in target.note


def test_a_mirror_may_report_and_nothing_else(
    database_place: Path, postgres_server: Server
) -> None:
    """Its role adds and renews rows of its own account; log, other rows, time and account are out of its reach."""
    control = a_control(database_place, SystemClock())
    assert forge(control, row_of("b"))
    settings = as_member(postgres_server, database_place, "mirror")
    account = psycopg.conninfo.conninfo_to_dict(settings.store_url.text)["user"]
    refused = [
        "insert into workbench.event (seq, prev_hash, hash, body) values (99, 'a', 'b', '{}')",
        "update workbench.event set body = body",
        "delete from workbench.event",
        "update workbench.head set seq = 1",
        "insert into workbench.projection values ('hold', 'H-1', '{}')",
        "update workbench.outbox set delivered_at = 'now'",
        "update workbench.meta set value = 'x'",
        "delete from workbench.host",
        "truncate workbench.host",
        "alter table workbench.host disable row level security",
        "insert into workbench.host select name, number, folder_id, gate_folder, reported_by, beaten_at,"
        " said_at, published_seq, report from workbench.host on conflict (name, number) do update"
        " set report = 'x'",
    ]
    with connection_of(settings) as own:
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(statement.encode())
        assert own.execute("update workbench.host set report = 'x'").rowcount == 0
        values = "('mine', '1', 'gf', '/x', 'postgres', '2099-01-01', '2099-01-01', 1, '{}')"
        own.execute(f"insert into workbench.host values {values}".encode())
        said = own.execute(
            "select reported_by, beaten_at < clock_timestamp() from workbench.host where name = 'mine'"
        ).fetchone()
        assert said == (account, True)
        own.execute(b"update workbench.host set beaten_at = '2099-01-01', reported_by = 'postgres'")
        assert own.execute(
            "select count(*) from workbench.host where beaten_at > clock_timestamp()"
        ).fetchone() == (0,)
    assert hosts_seen(control)["b"].reported_by == "postgres"
    assert verify_store(control.store).is_ok


def test_a_mirror_that_may_only_read_tells_its_gates_all_the_same(
    database_place: Path, postgres_server: Server
) -> None:
    """As a reader it says once that its report is not taken; its host is then unknown to pauses."""
    control = a_control(database_place, SystemClock())
    settings = as_member(postgres_server, database_place, "reader")
    own = on_host(database_place, "b")
    mirror = a_mirror(type(own)(**{**vars(own), "store_url": settings.store_url}), SystemClock())
    with watching(mirror) as said:
        pause(control)
        wait_until(lambda: Gate(own.gate).check("ticket-reply").state is GateState.PAUSED)
    assert len([line for line in said if "permission denied" in line]) == 1
    assert hosts_seen(control) == {}


def test_more_hosts_than_can_be_looked_at_confirm_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the list is cut nobody can say that all were told."""
    monkeypatch.setattr(hosts, "MOST_HOSTS", 2)
    control = a_control(place, SystemClock())
    for number in range(3):
        forge(control, row_of(f"h{number}", said_at="2026-11-20T09:30:00.000000Z"))
    let_ask(place / "gate", "order-sync")
    pause(control, "automation=order-sync")
    let_ask(place / "gate", "order-sync")
    receipt = pause(control, "automation=order-sync", command_id=None)
    assert receipt.has_more_hosts
    assert not receipt.is_confirmed
    assert MOST_HOSTS > 100


def test_ages_are_told_by_the_clock_of_the_store(place: Path) -> None:
    """A host whose own clock is hours wrong is neither silent nor fresh for that; doctor's figure is the difference."""
    control = a_control(place, CLOCK)
    forge(control, row_of("b", said_at="2001-01-01T00:00:00.000000Z"))
    host = hosts_seen(control)["b"]
    assert host.age_seconds < 5
    assert not host.is_silent
    assert host.skew_seconds < -(20 * 365 * 86400)


def test_reports_are_beside_the_log(place: Path) -> None:
    """However often a host reports, the log does not grow, and a move of the store leaves the rows behind."""
    control = a_control(place)
    before = control.store.events()
    mirror = a_mirror(on_host(place, "b"))
    for _ in range(3):
        mirror._reporter._told_at = float("-inf")
        mirror.once()
    assert control.store.events() == before
    assert list(hosts_seen(control)) == ["b"]
    assert os.path.samefile(hosts_seen(control)["b"].gate_folder, place / "b" / "gate")


def test_a_full_release_waits_for_nobody(place: Path, short_silence: float) -> None:
    """A silent host keeps no resume back: it can only be late in opening."""
    control = a_control(place)
    a_mirror(on_host(place, "b")).once()
    pause(control)
    wait_until(lambda: hosts_seen(control)["b"].is_silent)
    assert control.resume_full(break_glass("H-1")).released_seq
    assert Gate(settings_in(place).gate).check("ticket-reply").state is GateState.CLEAR

"""A server that stops, crashes, starts again or is replaced: one sentence, nothing acknowledged lost, nothing opened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres_server import Cluster, clusters
from tests.store.ground import (
    CLOCK,
    DATABASE_FILE,
    a_control,
    break_glass,
    pause,
    settings_in,
    wait_until,
)
from tests.store.several_hosts import a_mirror, on_host, watching
from tests.store.test_hosts import hosts_seen
from tests.store.test_postgres import a_note
from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.errors import Refused, Spooled, StorageUnavailable
from workbench.gate import Gate, GateState
from workbench.settings import StoreUrl
from workbench.store import postgres
from workbench.store.audit import verify_store
from workbench.store.store import Command, store_of

pytestmark = pytest.mark.slow


@pytest.fixture
def making() -> Iterator[Callable[..., Cluster]]:
    """Return what makes servers of the test's own."""
    with clusters() as make:
        yield make


@pytest.fixture
def primary(making: Callable[..., Cluster], tmp_path: Path) -> Cluster:
    """Return a running server whose database the store of `tmp_path` is to lie in."""
    cluster = making()
    cluster.start()
    (tmp_path / DATABASE_FILE).write_text(cluster.server.database())
    return cluster


def a_replica(making: Callable[..., Cluster], primary: Cluster) -> Cluster:
    """Return a running replica that has everything that the primary has."""
    replica = making(made_from=primary)
    replica.start()
    catch_up(primary, replica)
    return replica


def catch_up(primary: Cluster, replica: Cluster) -> None:
    """Wait until the replica has replayed what the primary has written."""
    target = primary.ask("select pg_current_wal_lsn()")
    wait_until(
        lambda: replica.ask(f"select pg_last_wal_replay_lsn() >= '{target}'::pg_lsn") == "True",
        seconds=30,
    )


def address_of(place: Path, *servers: Cluster, **more: str) -> StoreUrl:
    """Return the address of a place's database on other servers, in the order of these."""
    name = psycopg.conninfo.conninfo_to_dict((place / DATABASE_FILE).read_text())["dbname"]
    sockets = ",".join(psycopg.conninfo.conninfo_to_dict(c.server.address)["host"] for c in servers)
    options = "".join(f"&{key}={value}" for key, value in more.items())
    return StoreUrl(f"postgresql://postgres@/{name}?host={sockets}{options}")


def test_a_stopped_server_is_said_in_one_sentence_and_come_back_to(
    primary: Cluster, tmp_path: Path
) -> None:
    """Away: looking fails plainly, a pause is spooled and held; back: it is recorded, mirror and gates go on."""
    control = a_control(tmp_path, SystemClock())
    own = on_host(tmp_path, "b")
    with watching(a_mirror(own, SystemClock())) as said:
        wait_until(lambda: "b" in hosts_seen(control))
        primary.stop()
        with pytest.raises(StorageUnavailable) as caught:
            control.status()
        assert "cannot be reached" in caught.value.message
        assert "recorded" not in caught.value.message  # a look says nothing of what was recorded
        assert "\n" not in caught.value.message
        with pytest.raises(Spooled, match="cannot be reached"):
            pause(control)
        assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED
        wait_until(lambda: any("without a heartbeat" in line for line in said))
        primary.start()
        again = open_control(settings_in(tmp_path), SystemClock())
        assert [hold.reason for hold in again.state().holds.values()] == ["wrong amounts"]
        wait_until(lambda: Gate(own.gate).check("ticket-reply").state is GateState.PAUSED)
        wait_until(lambda: not hosts_seen(control)["b"].is_silent)
    assert len([line for line in said if "without a heartbeat" in line]) == 1
    assert verify_store(control.store).is_ok


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_no_acknowledged_command_is_lost_over_restarts(
    primary: Cluster, tmp_path: Path, mode: str
) -> None:
    """Stopped or crashed again and again under a writer: what was acknowledged is there, each once, in one chain."""
    store = a_control(tmp_path).store
    told: list[str] = []
    failed: list[str] = []
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                done = store.transact(Command(f"c{number}", {"n": number}), a_note)
                told.append(done.events[0].hash)
            except StorageUnavailable as exc:
                failed.append(exc.message)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            before = len(told)
            wait_until(lambda seen=before: len(told) > seen + 2, seconds=60)
            primary.stop(mode)
            primary.start()
        before = len(told)
        wait_until(lambda: len(told) > before, seconds=60)
    finally:
        over.set()
        writer.join(60)
    found = [event.hash for event in store.events()]
    assert set(told) <= set(found)
    assert len(found) == len(set(found))
    assert [line for line in failed if "\n" in line] == []
    assert verify_store(store).is_ok


@pytest.mark.parametrize("is_done", [True, False])
def test_a_crash_in_the_commit_is_settled_when_the_server_is_back(
    primary: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """The command waits for the server, sees whether it was recorded, and says so: neither lost nor done twice."""
    control = a_control(tmp_path)
    right, crashed = postgres.run, []
    starter = threading.Timer(1.0, primary.start)

    def crashing(connection: Any, name: str, /, **values: Any) -> Any:
        if name != "commit" or crashed:
            return right(connection, name, **values)
        crashed.append(name)
        if is_done:
            right(connection, name, **values)
        primary.stop("immediate")
        starter.start()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(postgres, "run", crashing)
    try:
        if is_done:
            assert pause(control, command_id="c1").hold.hold_id == "H-1"
        else:
            with pytest.raises(Spooled, match="was not recorded"):
                pause(control, command_id="c1")
    finally:
        starter.join()
    assert list(control.state().holds) == (["H-1"] if is_done else [])
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED
    later = open_control(settings_in(tmp_path), CLOCK)
    assert [hold.reason for hold in later.state().holds.values()] == ["wrong amounts"]


def test_a_server_that_stays_away_after_the_commit_is_said_to_leave_it_open(
    primary: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was recorded is not known, the command id settles it later, and nothing is recorded twice."""
    control = a_control(tmp_path)
    monkeypatch.setattr(postgres, "DOUBT_SECONDS", 0.5)
    right = postgres.run

    def crashing(connection: Any, name: str, /, **values: Any) -> Any:
        found = right(connection, name, **values)
        if name == "commit":
            primary.stop("immediate")
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(postgres, "run", crashing)
        command = Command("c1", {"n": 1})
        with pytest.raises(StorageUnavailable, match="is not known") as caught:
            control.store.transact(command, a_note)
    assert "same command id" in caught.value.then
    primary.start()
    done = control.store.transact(command, a_note)
    assert done.is_repeat
    assert len([e for e in control.store.events() if e.action == "note.make"]) == 1


def test_a_server_that_goes_away_after_a_pause_takes_nothing_back(
    primary: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt says what is recorded, and that nobody can say what other hosts have seen."""
    control = a_control(tmp_path)
    Gate(tmp_path / "gate").check("ticket-reply")
    right = Control.transact

    def then_stopped(self: Control, command: Command, decide: Any) -> Any:
        done = right(self, command, decide)
        primary.stop()
        return done

    monkeypatch.setattr(Control, "transact", then_stopped)
    receipt = pause(control, "automation=ticket-reply")
    assert (receipt.hold.hold_id, receipt.publication_fault) == ("H-1", "")
    assert receipt.targets[0].delivered_at is not None
    assert (receipt.is_confirmed, receipt.has_more_hosts) == (False, True)
    assert receipt.head.seq == receipt.hold.placed_seq


def test_a_replica_takes_nothing_in_and_says_so(
    primary: Cluster, making: Callable[..., Cluster], tmp_path: Path
) -> None:
    """Reading goes on there; a pause is spooled with the reason, and a mirror calls no old state alive."""
    control = a_control(tmp_path, SystemClock())
    pause(control)
    replica = a_replica(making, primary)
    settings = replace(on_host(tmp_path, "r"), store_url=address_of(tmp_path, replica))
    there = Control(store_of(settings, SystemClock()), SystemClock())
    assert list(there.state().holds) == ["H-1"]
    assert verify_store(there.store).is_ok
    with pytest.raises(StorageUnavailable, match="is a replica, or was set read-only") as caught:
        there.store.transact(Command("c1", {}), a_note)
    assert "target_session_attrs=read-write" in caught.value.then
    with watching(a_mirror(settings, SystemClock())) as said:
        wait_until(lambda: any("is a replica" in line for line in said))
        time.sleep(0.3)
    assert len([line for line in said if "is a replica" in line]) == 1
    assert Gate(settings.gate).check("ticket-reply").state is GateState.UNKNOWN


def test_after_a_fail_over_commands_and_mirrors_go_on(
    primary: Cluster, making: Callable[..., Cluster], tmp_path: Path
) -> None:
    """With both servers in the address the replica takes over: nothing acknowledged is lost, gates hear of more."""
    control = a_control(tmp_path, SystemClock())
    pause(control)
    replica = a_replica(making, primary)
    both = address_of(tmp_path, primary, replica, target_session_attrs="read-write")
    (tmp_path / DATABASE_FILE).write_text(both.text)
    own = on_host(tmp_path, "b")
    with watching(a_mirror(own, SystemClock())) as said:
        wait_until(lambda: Gate(own.gate).check("ticket-reply").state is GateState.PAUSED)
        catch_up(primary, replica)
        before = control.store.events()
        primary.stop("immediate")
        replica.promote()
        wait_until(lambda: any("without a heartbeat" in line for line in said))
        later = open_control(settings_in(tmp_path), SystemClock())
        assert later.store.events() == before
        pause(later, "automation=order-sync")
        wait_until(lambda: Gate(own.gate).check("order-sync").state is GateState.PAUSED)
    assert verify_store(later.store).is_ok


def test_a_replica_that_lost_the_newest_events_opens_nothing(
    primary: Cluster, making: Callable[..., Cluster], tmp_path: Path
) -> None:
    """Promoted without the last pause it is an older copy: gates keep what they know, and a resume is refused."""
    control = a_control(tmp_path, SystemClock())
    pause(control, "automation=order-sync")
    replica = a_replica(making, primary)
    replica.stop()
    pause(control)
    primary.stop("immediate")
    replica.start()
    replica.promote()
    settings = replace(settings_in(tmp_path), store_url=address_of(tmp_path, replica))
    after = Control(store_of(settings, SystemClock()), SystemClock())
    assert list(after.state().holds) == ["H-1"]
    with pytest.raises(Refused, match="older or forked copy"):
        after.resume_full(break_glass("H-1"))
    mirror = a_mirror(settings, SystemClock())
    with pytest.raises(StorageUnavailable, match="Nothing was mirrored"):
        mirror.once()
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED

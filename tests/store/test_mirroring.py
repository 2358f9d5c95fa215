"""The mirror: a pause on one host reaches the gates of another, and a silent store is never taken for CLEAR."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres_server import Server
from tests.store.ground import (
    CLOCK,
    START,
    SetClock,
    a_control,
    break_glass,
    pause,
    settings_in,
    wait_until,
)
from tests.store.several_hosts import a_mirror, on_host, watching
from tests.store.test_postgres import as_member
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.errors import Refused, StorageUnavailable
from workbench.gate import Gate, GateState, Paused
from workbench.settings import Settings
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, Publisher
from workbench.store import mirroring, moving
from workbench.store.postgres import PostgresSession
from workbench.store.sqlite import SqliteBackend, SqliteSession
from workbench.store.store import store_of
from workbench.tickets import TicketBook


def host_b(place: Path) -> Settings:
    """Return the settings of another host than the one where commands are given."""
    return on_host(place, "b")


def beat_of(gate: Path) -> int:
    """Return the heartbeat from the file's bytes, in nanoseconds."""
    return int.from_bytes((gate / EPOCH_FILE).read_bytes()[40:48], sys.byteorder)


def test_a_mirror_tells_the_other_host_once(place: Path) -> None:
    """`once` brings the other folder to the newest state, and says where it stands."""
    control = a_control(place)
    gate_b = Gate(host_b(place).gate)
    assert gate_b.check("ticket-reply").state is GateState.UNKNOWN
    mirror = a_mirror(host_b(place))
    assert mirror.once() == control.head_note().seq
    assert gate_b.check("ticket-reply").state is GateState.CLEAR
    pause(control)
    assert gate_b.check("ticket-reply").state is GateState.CLEAR
    assert mirror.once() == control.head_note().seq
    assert gate_b.check("ticket-reply").state is GateState.PAUSED
    control.resume_full(break_glass("H-1"))
    mirror.once()
    assert gate_b.check("ticket-reply").state is GateState.CLEAR


def test_a_pause_on_one_host_reaches_a_gate_on_another(
    database_place: Path, postgres_server: Server
) -> None:
    """A watching mirror with the reader's rights tells the other host well before its next look is due."""
    control = a_control(database_place)
    settings = as_member(postgres_server, database_place, "reader")
    own = replace(host_b(database_place), store_url=settings.store_url)
    gate_b = Gate(own.gate)
    with watching(a_mirror(own), wait=5.0):
        wait_until(lambda: gate_b.check("ticket-reply").state is GateState.CLEAR)
        for turn in range(1, 6):
            pause(control)
            started = time.monotonic()
            wait_until(lambda: gate_b.check("ticket-reply").state is GateState.PAUSED)
            assert time.monotonic() - started < 2.5  # notified: the look by itself comes after 5 s
            control.resume_full(break_glass(f"H-{turn}"))
            wait_until(lambda: gate_b.check("ticket-reply").state is GateState.CLEAR)


def test_the_heart_beats_while_the_store_is_alive(place: Path) -> None:
    """The beat goes on without any event, and ends with the mirror."""
    a_control(place)
    own = host_b(place)
    seen = set()
    with watching(a_mirror(own, SystemClock())):
        wait_until(lambda: (own.gate / EPOCH_FILE).exists() and beat_of(own.gate))

        def has_beaten() -> bool:
            seen.add(beat_of(own.gate))
            return len(seen) >= 4

        wait_until(has_beaten)
        assert abs(max(seen) / 1e9 - time.time()) < 5
    last = beat_of(own.gate)
    time.sleep(0.3)
    assert beat_of(own.gate) == last


def test_a_dead_connection_keeps_paused_and_stops_the_heart(
    database_place: Path, postgres_server: Server
) -> None:
    """Cut off, the mirror says so once, PAUSED stays, CLEAR becomes UNKNOWN with age, and it comes back."""
    control = a_control(database_place)
    pause(control)
    own = host_b(database_place)
    name = psycopg.conninfo.conninfo_to_dict(own.store_url.text if own.store_url else "")["dbname"]
    gate_b = Gate(own.gate, max_age_seconds=0.4)
    with watching(a_mirror(own, SystemClock())) as said:
        wait_until(lambda: gate_b.check("order-sync").state is GateState.CLEAR)
        assert gate_b.check("ticket-reply").state is GateState.PAUSED
        postgres_server.run(f"alter database {name} allow_connections false")
        postgres_server.run(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        )
        wait_until(lambda: gate_b.check("order-sync").state is GateState.UNKNOWN)
        assert "last known alive" in gate_b.check("order-sync").reason
        assert gate_b.check("ticket-reply").state is GateState.PAUSED
        still = beat_of(own.gate)
        time.sleep(0.3)
        assert beat_of(own.gate) == still
        assert len([line for line in said if "without a heartbeat" in line]) == 1
        postgres_server.run(f"alter database {name} allow_connections true")
        wait_until(lambda: gate_b.check("order-sync").state is GateState.CLEAR)
        assert gate_b.check("ticket-reply").state is GateState.PAUSED
        pause(control, "automation=order-sync")
        wait_until(lambda: gate_b.check("order-sync").state is GateState.PAUSED)
    assert said[-1].endswith(f"event {control.head_note().seq}")


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, "CLEAR"), (9, "CLEAR"), (11, "UNKNOWN"), (-9, "CLEAR"), (-11, "UNKNOWN")],
)
def test_an_old_clear_is_unknown(tmp_path: Path, seconds: float, state: str) -> None:
    """Where no file proves the store alive, CLEAR beyond the largest age is UNKNOWN; PAUSED stays, and no limit."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control)
    (tmp_path / "store").rename(tmp_path / "gone")
    clock.move(seconds)
    gate = Gate(tmp_path / "gate", clock=clock, max_age_seconds=10)
    assert gate.check("order-sync").state.name == state
    assert gate.check("ticket-reply").state is GateState.PAUSED
    assert Gate(tmp_path / "gate", clock=clock).check("order-sync").state is GateState.CLEAR


def test_a_narrow_restart_stops_with_the_heart(tmp_path: Path) -> None:
    """In a narrow restart a store that is silent for too long is PAUSED, and no ticket is spent."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3))
    gate = Gate(tmp_path / "gate", clock=clock, max_age_seconds=10)
    with gate.run("ticket-reply", "r1") as answer:
        assert answer.state is GateState.CLEAR
    book_before = TicketBook(tmp_path / "gate", "P-1", 3).taken()
    assert len(book_before) == 1
    (tmp_path / "store").rename(tmp_path / "gone")
    clock.move(30)
    fresh = Gate(tmp_path / "gate", clock=clock, max_age_seconds=10)
    with (
        pytest.raises(Paused, match="last known alive"),
        fresh.run("ticket-reply", "r2", on_unknown="continue"),
    ):
        pytest.fail("a run went on")
    assert TicketBook(tmp_path / "gate", "P-1", 3).taken() == book_before


def test_a_narrow_restart_lets_through_on_its_own_host_only(place: Path) -> None:
    """Runs are counted where the restart was given; on another host they are refused, not counted again."""
    control = a_control(place)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    a_mirror(host_b(place)).once()
    elsewhere = Gate(host_b(place).gate)
    for turn in range(3):
        with (
            pytest.raises(Paused),
            elsewhere.run("ticket-reply", f"b{turn}", on_unknown="continue"),
        ):
            pytest.fail("a run went on")
    with Gate(place / "gate").run("ticket-reply", "a1") as answer:
        assert answer.state is GateState.CLEAR


def test_the_publication_of_a_writer_is_a_beat(tmp_path: Path) -> None:
    """What a writer publishes says by itself when the store was alive."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    clock.move(3600)
    pause(control)
    expected = (START + timedelta(hours=1) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert beat_of(tmp_path / "gate") == int(expected) * 10**9


def test_a_mirror_repairs_what_a_writer_left(place: Path) -> None:
    """An unfinished publication on the mirror's host is finished by it."""
    control = a_control(place)
    own = host_b(place)
    mirror = a_mirror(own)
    mirror.once()
    Publisher(own.gate, control.head_note().store_id).begin(control.head_note().seq)
    assert Gate(own.gate).check("order-sync").state is GateState.UNKNOWN
    mirror.once()
    assert Gate(own.gate).check("order-sync").state is GateState.CLEAR


def test_a_mirror_claims_no_delivery(place: Path) -> None:
    """What reached another host's folder is not noted as delivered, and nothing is written to the store."""
    control = a_control(place)
    before = control.store.outbox(), control.store.events()
    a_mirror(host_b(place)).once()
    assert (control.store.outbox(), control.store.events()) == before


def test_a_mirror_takes_turns_with_writers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody publishes into the folder the mirror waits, then says who is in the way; no beat is faked."""
    a_control(place)
    own = host_b(place)
    mirror = a_mirror(own)
    mirror.once()
    before = beat_of(own.gate)
    monkeypatch.setattr(mirroring, "LOCK_SECONDS", 0.05)
    with (
        mirror.store.backend.publishing(own.gate),
        pytest.raises(StorageUnavailable, match=f"pid {os.getpid()}"),
    ):
        mirror.once()
    assert beat_of(own.gate) == before


def test_a_late_mirror_takes_back_no_pause(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that a slow disk holds up, while a writer commits, never puts an older state over the newer one."""
    control = a_control(place, SystemClock())
    mirror = a_mirror(settings_in(place), SystemClock())
    is_held, may_go, late = threading.Event(), threading.Event(), threading.local()
    replace_file = os.replace

    def replace_late(source: Any, target: Any) -> None:
        if getattr(late, "is_mirror", False) and str(target).endswith(SNAPSHOT_FILE):
            is_held.set()
            may_go.wait(20)
        replace_file(source, target)

    def mirror_once() -> None:
        late.is_mirror = True
        mirror.once()

    thread = threading.Thread(target=mirror_once)
    session = SqliteSession if isinstance(control.store.backend, SqliteBackend) else PostgresSession
    commit = session.commit

    def commit_meanwhile(self: Any) -> None:
        if not thread.ident:
            thread.start()  # the epoch is odd: a mirror that did not wait would publish again
            is_held.wait(0.5)
        commit(self)

    monkeypatch.setattr(os, "replace", replace_late)
    monkeypatch.setattr(session, "commit", commit_meanwhile)
    receipt = pause(control)
    may_go.set()
    thread.join(20)
    assert not receipt.publication_fault
    found = Gate(settings_in(place).gate).check("ticket-reply")
    assert (found.state, found.as_of_seq) == (GateState.PAUSED, control.head_note().seq)


def test_a_mirror_of_another_store_is_refused(place: Path, other_place: Path) -> None:
    """A folder that another store publishes into is left as it is."""
    a_control(place)
    a_control(other_place)
    wrong = replace(settings_in(place), gate=settings_in(other_place).gate)
    before = (wrong.gate / EPOCH_FILE).read_bytes()
    with pytest.raises(StorageUnavailable, match="another store"):
        a_mirror(wrong).once()
    assert (wrong.gate / EPOCH_FILE).read_bytes() == before


def test_a_mirror_of_a_moved_store_ends(tmp_path: Path, database_place: Path) -> None:
    """The old place gets no events any more: its mirror tells gates so, and ends; one of the new place opens them."""
    control = a_control(tmp_path / "old")
    own = replace(settings_in(tmp_path / "old"), gate=tmp_path / "b" / "gate")
    mirror = a_mirror(own)
    mirror.once()
    target = replace(settings_in(database_place), gate=tmp_path / "old" / "gate")
    moving.move_store(control.store, target, clock=CLOCK)
    gate = Gate(own.gate)
    assert gate.check("ticket-reply").state is GateState.CLEAR
    with pytest.raises(Refused, match="was moved to"):
        mirror.watch(lambda: False, lambda _: None)
    said = gate.check("ticket-reply")
    assert (said.state, target.place in said.reason) == (GateState.UNKNOWN, True)
    before = (own.gate / EPOCH_FILE).read_bytes()
    with pytest.raises(Refused, match="was moved to"):
        mirror.once()
    assert (own.gate / EPOCH_FILE).read_bytes() == before, "said once"
    a_mirror(replace(target, gate=own.gate)).once()
    assert gate.check("ticket-reply").state is GateState.CLEAR
    pause(Control(store_of(target, CLOCK), CLOCK))
    a_mirror(replace(target, gate=own.gate)).once()
    assert Gate(own.gate).check("ticket-reply").state is GateState.PAUSED


def test_the_command_mirrors_until_it_is_ended(database_place: Path) -> None:
    """`workbench mirror --watch` says what it does and ends with exit code 0 at SIGTERM; --once ends by itself."""
    control = a_control(database_place)
    own = host_b(database_place)
    environment = {**os.environ, **own.as_environment()}
    words = [sys.executable, "-m", "workbench", "mirror"]
    done = subprocess.run(
        [*words, "--once"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"gates in {own.gate} have event {control.head_note().seq}\n"
    child = subprocess.Popen(
        [*words, "--watch"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("mirroring postgresql://")
    assert "have event" in child.stdout.readline()
    pause(control)
    wait_until(lambda: Gate(own.gate).check("ticket-reply").state is GateState.PAUSED)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    child.stdout.close()
    neither = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (neither.returncode, "--watch or --once" in neither.stderr) == (2, True)

"""What only a store on a PostgreSQL server has: roles, turns at the head row, a commit in doubt, secrets."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.postgres_server import Server
from tests.store.conftest import use_database
from tests.store.ground import (
    DATABASE_FILE,
    START,
    a_control,
    a_store,
    break_glass,
    pause,
    settings_in,
)
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.errors import BadSettings, Refused, Spooled, StorageUnavailable, StoreMissing
from workbench.gate import Gate, GateState
from workbench.settings import Settings, StoreUrl, store_url
from workbench.store import open_store, postgres
from workbench.store.audit import verify_store
from workbench.store.log import Draft
from workbench.store.postgres_connection import plain_error
from workbench.store.store import Change, Command

CLOCK = FixedClock(START)
CHANGES = [
    "update workbench.event set body = body",
    "update workbench.event set seq = 99 where seq = 1",
    "delete from workbench.event",
    "delete from workbench.event where seq = 1",
    "truncate workbench.event",
    "truncate workbench.event cascade",
    "insert into workbench.event select seq, prev_hash, hash, body from workbench.event where seq = 1"
    " on conflict (seq) do update set body = 'x'",
]


def name_of(place: Path) -> str:
    """Return the name of the database that holds the store of a folder."""
    found = psycopg.conninfo.conninfo_to_dict((place / DATABASE_FILE).read_text())["dbname"]
    return str(found)


def as_member(server: Server, place: Path, role: str) -> Settings:
    """Return the settings of somebody who is a member of one role of the store and nothing else."""
    user = f"only_{role}_{name_of(place)}"
    server.run(f"create role {user} login in role workbench_{role}")
    return replace(settings_in(place), store_url=StoreUrl(server.url(name_of(place), user)))


def connection_of(settings: Settings) -> psycopg.Connection[Any]:
    """Open a connection of one's own, as somebody with a shell would."""
    assert settings.store_url is not None
    return psycopg.connect(settings.store_url.text, autocommit=True)


def test_a_database_without_a_store_is_said_to_have_none(database_place: Path) -> None:
    """Opening makes nothing: there is no store, and the database stays empty."""
    with pytest.raises(StoreMissing, match="There is no store in postgresql://"):
        open_store(settings_in(database_place), CLOCK)
    with connection_of(settings_in(database_place)) as found:
        assert found.execute("select to_regnamespace('workbench')").fetchone() == (None,)


def test_a_database_that_is_not_utf8_is_refused(tmp_path: Path, postgres_server: Server) -> None:
    """Bodies are UTF-8 bytes; a database that would change them is not made a store."""
    name = f"latin_{os.getpid()}"
    postgres_server.run(
        f"create database {name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0"
    )
    (tmp_path / DATABASE_FILE).write_text(postgres_server.url(name))
    with pytest.raises(Refused, match="LATIN1"):
        a_store(tmp_path)


@pytest.mark.parametrize("statement", CHANGES)
def test_a_writer_cannot_change_the_log(
    database_place: Path, postgres_server: Server, statement: str
) -> None:
    """A member of workbench_writer gives commands; update, delete and truncate of events are refused."""
    a_control(database_place)
    settings = as_member(postgres_server, database_place, "writer")
    control = Control(open_store(settings, CLOCK), CLOCK)
    assert pause(control).publication_fault == ""
    before = control.store.events()
    with connection_of(settings) as own, pytest.raises(psycopg.errors.InsufficientPrivilege):
        own.execute(statement.encode())
    assert control.store.events() == before
    assert verify_store(control.store).is_ok


@pytest.mark.parametrize("statement", CHANGES)
def test_the_owner_cannot_change_the_log_by_mistake(database_place: Path, statement: str) -> None:
    """Triggers refuse the same to the owner of the tables, and to the server's administrator."""
    store = a_control(database_place).store
    before = store.events()
    with connection_of(settings_in(database_place)) as own, pytest.raises(psycopg.Error) as caught:
        own.execute(statement.encode())
    assert "append-only" in str(caught.value)
    assert store.events() == before


@pytest.mark.parametrize(
    ("seq", "said", "prev"), [(12, "12", "h"), (11, "12", "h"), (11, "11", "x"), (10, "10", "h")]
)
def test_an_event_must_follow_the_last_one(
    database_place: Path, seq: int, said: str, prev: str
) -> None:
    """A gap, another place in the body, another predecessor or a place taken is refused by the database."""
    control = a_control(database_place)
    pause(control)
    head = control.head_note()
    assert head.seq == 11
    row = (seq - 1 + 1, head.hash if prev == "h" else "f" * 64, f"{seq}", f'{{"seq":{said}}}')
    row = (
        seq + 1 if seq != 10 else 10,
        *row[1:3],
        f'{{"seq":{int(said) + (1 if seq != 10 else 0)}}}',
    )
    with connection_of(settings_in(database_place)) as own, pytest.raises(psycopg.Error):
        own.execute("insert into workbench.event values (%s, %s, %s, %s)", row)
    assert control.head_note() == head


def test_a_reader_reads_and_does_nothing_else(
    database_place: Path, postgres_server: Server
) -> None:
    """A member of workbench_reader sees the state and verifies it; a command is not recorded and names the role; the gates hold."""
    control = a_control(database_place)
    pause(control)
    settings = as_member(postgres_server, database_place, "reader")
    store = open_store(settings, CLOCK)
    assert list(store.state().holds) == ["H-1"]
    assert verify_store(store).is_ok
    with pytest.raises(Spooled, match="permission denied") as caught:
        pause(Control(store, CLOCK))
    assert "workbench_writer" in caught.value.then
    with connection_of(settings) as own:
        for statement in (
            *CHANGES,
            "update workbench.head set seq = 1",
            "delete from workbench.outbox",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(statement.encode())


def test_who_keeps_writers_waiting_is_named(database_place: Path) -> None:
    """A writer that finds the head row locked says by whom, and that nothing was recorded; readers go on."""
    store = a_control(database_place).store
    with store.backend.writing() as holder:
        holder.begin()
        with pytest.raises(StorageUnavailable) as caught, store.backend.writing(0.2) as second:
            second.begin()
        assert f"workbench {os.getpid()}@" in caught.value.message
        assert "nothing was recorded" in caught.value.message
        assert len(store.state().automations) == 5
        holder.rollback()
    assert store.transact(Command("c", {}), a_note).events[0].seq == 10


def a_note(_: Any = None) -> Change:
    """Decide an event without meaning."""
    return Change([Draft(START, "os:test", "note.make", "N-1")])


def write_elsewhere(place: Path, host: str, count: int) -> int:
    """Give many commands as another host would: the same database, a gate folder of its own."""
    settings = replace(settings_in(place), gate=place / host)
    store = open_store(settings, CLOCK)
    done = [store.transact(Command(f"{host}-{n}", {"n": n}), a_note) for n in range(count)]
    assert not any(one.publication_fault for one in done)
    return sum(len(one.events) for one in done)


def test_writers_on_several_hosts_make_one_chain(database_place: Path) -> None:
    """Four hosts without any lock in common write at once: one whole chain, every acknowledged event in it."""
    store = a_control(database_place).store
    before = store.head_note().seq
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        counts = pool.starmap(write_elsewhere, [(database_place, f"host{n}", 15) for n in range(4)])
    assert counts == [15] * 4
    result = verify_store(store)
    assert (result.is_ok, result.event_count) == (True, before + 60)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_connection_that_breaks_in_the_commit_is_settled(
    database_place: Path, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """Whether the commit took place is looked up: recorded is not called lost, nor lost recorded."""
    control = a_control(database_place)
    right, broken = postgres.run, []

    def breaking(connection: Any, name: str, **values: Any) -> Any:
        if name == "commit" and not broken:
            broken.append(name)
            if is_done:
                right(connection, name, **values)
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return right(connection, name, **values)

    monkeypatch.setattr(postgres, "run", breaking)
    if is_done:
        assert pause(control).publication_fault == ""
    else:
        with pytest.raises(Spooled, match="was not recorded"):
            pause(control)
    assert broken
    assert list(control.state().holds) == (["H-1"] if is_done else [])
    assert verify_store(control.store).is_ok
    assert Gate(database_place / "gate").check("ticket-reply").state is GateState.PAUSED


def test_a_connection_that_is_ended_loses_nothing_acknowledged(
    database_place: Path, postgres_server: Server
) -> None:
    """The administrator ends connections again and again; what was acknowledged is there, once (I5, I9)."""
    store = a_control(database_place).store
    told, over = [], threading.Event()

    def end_connections() -> None:
        query = (
            "select pg_terminate_backend(pid) from pg_stat_activity"
            f" where datname = '{name_of(database_place)}' and application_name like 'workbench %'"
        )
        while not over.is_set():
            postgres_server.run(query)
            time.sleep(random.random() / 5)

    killer = threading.Thread(target=end_connections)
    killer.start()
    failed = 0
    try:
        for n in range(2000):
            try:
                told.append(store.transact(Command(f"c{n}", {"n": n}), a_note).events[0].hash)
            except StorageUnavailable:
                failed += 1
            if len(told) > 5 and failed > 20:
                break
    finally:
        over.set()
        killer.join()
    assert told
    assert failed
    found = [event.hash for event in store.events()]
    assert set(told) <= set(found)
    assert len(found) == len(set(found))
    assert verify_store(store).is_ok


def test_a_body_keeps_every_byte(database_place: Path) -> None:
    """Text that databases stumble over comes back as it was hashed: NUL, percent, quotes, other scripts."""
    control = a_control(database_place)
    odd = "100 % ''\"\\ \x00 \u0001 $1 %(seq)s \U0001f6d1 \u202e a\u0308"
    store = control.store
    done = store.transact(
        Command("odd", {}), lambda _: Change([Draft(START, odd, "note.make", odd, reason=odd)])
    )
    assert store.events()[-1].body == done.events[0].body
    assert (store.events()[-1].reason, store.events()[-1].actor) == (odd, odd)
    assert verify_store(store).is_ok


def test_the_fields_of_events_are_columns_of_a_view(database_place: Path) -> None:
    """Any PostgreSQL client reads the log with its fields, each taken from the body."""
    control = a_control(database_place)
    pause(control)
    with connection_of(settings_in(database_place)) as own:
        found = own.execute(
            "select action, target, reason from workbench.event_fields where seq = 10"
        ).fetchone()
    assert found == ("hold.place", "H-1", "wrong amounts")


def test_a_server_that_does_not_sync_is_named(
    database_place: Path, postgres_server: Server
) -> None:
    """`faults` names settings under which an acknowledged command may be lost; ours never commits without sync."""
    store = a_store(database_place)
    assert store.faults() == []
    name = name_of(database_place)
    postgres_server.run(f"alter database {name} set synchronous_commit = off")
    with store.backend.reading() as session:
        found = session._connection.execute("show synchronous_commit").fetchone()
    assert found == ("on",)


@pytest.mark.parametrize("text", ["host/db", "", "/a/path", "relative"])
def test_a_path_is_no_address(text: str) -> None:
    """Only what has a scheme is an address."""
    assert store_url(text) is None


@pytest.mark.parametrize("text", ["mysql://h/db", "http://h/db", "sqlite:///x"])
def test_another_kind_of_address_is_refused(text: str) -> None:
    """A store is a folder or a PostgreSQL database; another scheme is named."""
    with pytest.raises(BadSettings, match=text.partition(":")[0]):
        Settings.from_environment({"WORKBENCH_STORE": text})


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:s3cr%40t@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=ann&password=s3cr%40t",
        "postgresql://ann:s3cr%40t@127.0.0.1:1/db?sslpassword=s3cr%40t&host=127.0.0.1",
    ],
)
def test_no_password_is_ever_shown(tmp_path: Path, address: str) -> None:
    """Place, repr, messages of ours and of the driver: none holds the password; a child process gets it."""
    environ = {"WORKBENCH_STORE": address, "WORKBENCH_HOME": str(tmp_path)}
    settings = Settings.from_environment(environ)
    assert settings.gate == tmp_path / "gate"
    assert settings.as_environment()["WORKBENCH_STORE"] == address
    with pytest.raises(StorageUnavailable) as caught:
        open_store(settings, CLOCK)
    assert settings.store_url is not None
    shown = [
        settings.place,
        repr(settings),
        str(settings.store_url),
        str(caught.value.diagnostics()),
        settings.store_url.without_secrets(f"in {address}: s3cr@t, s3cr%40t"),
    ]
    assert [text for text in shown if "s3cr" in text] == []
    assert "127.0.0.1" in settings.place


def test_a_store_on_a_server_that_is_away_is_said_to_be_so(
    tmp_path: Path, database_place: Path
) -> None:
    """Nothing is recorded, the place is named, and gates keep what they were told."""
    control = a_control(database_place)
    pause(control)
    gone = replace(settings_in(database_place), store_url=StoreUrl("postgresql://127.0.0.1:1/none"))
    with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:1/none cannot be reached"):
        open_store(gone, CLOCK)
    assert Gate(database_place / "gate").check("ticket-reply").state is GateState.PAUSED
    control.resume_full(break_glass("H-1"))
    assert Gate(database_place / "gate").check("ticket-reply").state is GateState.CLEAR


def test_an_owner_who_may_make_no_roles_is_told_which_ones_to_have_made() -> None:
    """The refusal names the three roles and the line that an administrator types; secrets stay out."""
    url = StoreUrl("postgresql://own:secret@host/db")
    exc = psycopg.errors.InsufficientPrivilege("permission denied to create role")
    said = plain_error(url, exc, is_lost=False)
    assert "needs three roles, workbench_writer, workbench_reader, workbench_mirror" in said.message
    assert "an administrator of the server types once: `psql -d postgres -c" in said.then
    assert '-c "create role workbench_reader"' in said.then
    assert "secret" not in said.message + said.then
    other = psycopg.errors.InsufficientPrivilege("permission denied for table event")
    assert "member of workbench_writer" in plain_error(url, other, is_lost=False).then


def test_an_owner_without_createrole_makes_a_store_where_the_roles_are(
    tmp_path: Path, postgres_server: Server
) -> None:
    """With the roles made beforehand a plain owner makes the store, and gives commands there."""
    a_store_elsewhere = tmp_path / "first"
    use_database(a_store_elsewhere, postgres_server)
    a_store(a_store_elsewhere)  # whoever may make roles made them
    name = f"owned_{os.getpid()}"
    postgres_server.run(f"create role {name} login nocreaterole nosuperuser")
    postgres_server.run(f"create database {name} owner {name} encoding 'UTF8' template template0")
    (tmp_path / DATABASE_FILE).write_text(postgres_server.url(name, name))
    assert pause(a_control(tmp_path)).hold.hold_id == "H-1"

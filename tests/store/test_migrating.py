"""Migrations and moves: an older store is brought up whole or not at all, a moved one keeps every byte."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from tests.store.conftest import use_database
from tests.store.ground import (
    DATABASE_FILE,
    START,
    SetClock,
    a_control,
    a_store,
    break_glass,
    pause,
    raw_sql,
    settings_in,
)
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.errors import AuditBroken, Refused, Spooled, StorageUnavailable, UsageFault
from workbench.gate import Gate, GateState
from workbench.queries import load_query, query_names
from workbench.settings import Settings
from workbench.store import (
    Store,
    connection,
    migrations,
    moving,
    open_store,
    postgres,
    postgres_connection,
    sqlite,
)
from workbench.store.audit import verify_store
from workbench.store.backend import Upgrade
from workbench.store.store import backend_of, store_of

CLOCK = FixedClock(START)
FOLDERS = ("store_migrations", "store_postgres_migrations")
RELEASED = {
    "store_migrations": {1: "a21016c67ca0a184", 2: "b5fbc7862b78006c"},
    "store_postgres_migrations": {1: "b4de77db2fa014aa", 2: "55efc9971334f2c9"},
}
"""Beginning of the digest over the steps of each version that was released."""

CATALOG = (
    "select 'table', table_name, column_name, data_type, is_nullable from information_schema.columns"
    " where table_schema = 'workbench'",
    "select 'check', conname, pg_get_constraintdef(oid), '', '' from pg_constraint"
    " where connamespace = 'workbench'::regnamespace",
    "select 'trigger', tgname, pg_get_triggerdef(oid), '', '' from pg_trigger"
    " where tgrelid in (select oid from pg_class where relnamespace = 'workbench'::regnamespace)"
    " and not tgisinternal",
    "select 'function', proname, pg_get_functiondef(oid), '', '' from pg_proc"
    " where pronamespace = 'workbench'::regnamespace",
    "select 'view', viewname, definition, '', '' from pg_views where schemaname = 'workbench'",
    "select 'grant', table_name, grantee, privilege_type, '' from information_schema.role_table_grants"
    " where table_schema = 'workbench'",
    "select 'fact', name, value, '', '' from workbench.meta where name = 'schema_version'",
)


def schema_of(place: Path) -> list[tuple[Any, ...]]:
    """Return everything that makes the schema of a store, from the database's own catalog."""
    settings = settings_in(place)
    if settings.store_url is None:
        found = apsw.Connection(str(settings.store / "store.sqlite"))
        rows = list(found.cursor().execute("select type, name, tbl_name, sql from sqlite_master"))
        rows += list(found.cursor().execute("pragma user_version"))
        found.close()
    else:
        with psycopg.connect(settings.store_url.text) as own:
            rows = [row for query in CATALOG for row in own.execute(query.encode()).fetchall()]
    return sorted(rows, key=repr)


@contextmanager
def workbench_of_schema_1() -> Iterator[None]:
    """Act as the version of the workbench that wrote schema 1 did."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (connection, postgres_connection):
            patch.setattr(
                module,
                "steps_after",
                lambda version, folder: migrations.steps_after(version, folder, until=1),
            )
        for module in (connection, postgres):
            patch.setattr(module, "refuse_other_version", lambda *_: None)
        yield


def an_old_control(place: Path) -> Control:
    """Make a store of schema 1 with a hold in it."""
    with workbench_of_schema_1():
        control = a_control(place)
        pause(control)
    return control


@pytest.mark.parametrize("folder", FOLDERS)
def test_steps_are_numbered_without_gaps(folder: str) -> None:
    """Versions go from 1 to the schema of today, steps within each from 1 on, the version's own last."""
    names = query_names(f"{folder}.v")
    versions = [migrations.version_of(name) for name in names]
    assert sorted(set(versions)) == list(range(1, migrations.SCHEMA_VERSION + 1))
    for version in set(versions):
        own = [name.split(".v")[1].split("_", 2) for name in names if f".v{version:04}_" in name]
        assert [int(step) for _, step, _ in own] == list(range(1, len(own) + 1))
        assert own[-1][2] == "version"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_released_version_never_changes(folder: str) -> None:
    """Each version's steps are those that stores out there were made by: a change needs a new version."""
    for version, wanted in RELEASED[folder].items():
        names = migrations.steps_after(version - 1, folder, until=version)
        text = "".join(f"{name}\n{load_query(name).sql}\n" for name in names)
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == wanted, (folder, version)


def test_the_schema_is_what_the_migrations_make(place: Path, other_place: Path) -> None:
    """A store of version 1 brought up to date has exactly the schema of a store made today."""
    an_old_control(place)
    a_control(other_place)
    assert schema_of(place) != schema_of(other_place)
    backend_of(settings_in(place)).upgrade()
    assert schema_of(place) == schema_of(other_place)


def test_an_older_store_is_refused_until_it_is_migrated(place: Path) -> None:
    """It is not touched, the next command is named, and after that log, holds and gate are as they were."""
    old = an_old_control(place)
    with workbench_of_schema_1():
        before = old.store.events()
    schema = schema_of(place)
    with pytest.raises(
        StorageUnavailable, match="has schema 1; this workbench reads schema 2"
    ) as caught:
        open_store(settings_in(place), CLOCK)
    assert "workbench store migrate" in caught.value.then
    assert schema_of(place) == schema
    done = backend_of(settings_in(place)).upgrade()
    assert done.found == 1
    control = Control(open_store(settings_in(place), CLOCK), CLOCK)
    assert control.store.events() == before
    assert verify_store(control.store).is_ok
    assert pause(control, "*").publication_fault == ""
    assert backend_of(settings_in(place)).upgrade() == Upgrade(migrations.SCHEMA_VERSION)


def test_a_file_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    """The copy is a whole store of the old schema with the same log."""
    old = an_old_control(tmp_path)
    with workbench_of_schema_1():
        before = old.store.events()
    done = backend_of(settings_in(tmp_path)).upgrade()
    copied = tmp_path / "copied" / "store"
    copied.mkdir(parents=True)
    Path(done.copy).rename(copied / "store.sqlite")
    with workbench_of_schema_1():
        store = store_of(settings_in(tmp_path / "copied"), CLOCK)
        assert store.events() == before
    with pytest.raises(StorageUnavailable, match="has schema 1"):
        store.events()


def test_a_newer_store_is_refused(place: Path) -> None:
    """A store of a workbench that is newer than this one is named with its version, and never changed."""
    store = a_store(place)
    if isinstance(store.backend, sqlite.SqliteBackend):
        raw_sql(store, "pragma user_version = 9", without_triggers=False)
    else:
        url = settings_in(place).store_url
        assert url is not None
        with psycopg.connect(url.text) as own:
            own.execute("update workbench.meta set value = '9' where name = 'schema_version'")
    schema = schema_of(place)
    with pytest.raises(StorageUnavailable, match="has schema 9; this workbench reads") as caught:
        open_store(settings_in(place), CLOCK)
    assert "newer workbench" in caught.value.then
    with pytest.raises(StorageUnavailable, match="has schema 9"):
        backend_of(settings_in(place)).upgrade()
    assert schema_of(place) == schema


@pytest.mark.parametrize("is_ctrl_c", [True, False])
def test_a_migration_that_is_cut_short_changes_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_ctrl_c: bool
) -> None:
    """Whatever stops it after its steps, the store is as before; the next try brings it up to date."""
    an_old_control(place)
    schema, backend = schema_of(place), backend_of(settings_in(place))
    module = sqlite if isinstance(backend, sqlite.SqliteBackend) else postgres
    error = KeyboardInterrupt if is_ctrl_c else backend.failures[0]
    right = module.apply_steps

    def cut_short(own: Any, version: int) -> None:
        right(own, version)
        raise error("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(module, "apply_steps", cut_short)
        with pytest.raises((error, StorageUnavailable)):
            backend.upgrade()
    assert schema_of(place) == schema
    assert backend.upgrade().found == 1
    assert verify_store(open_store(settings_in(place), CLOCK)).is_ok


def upgrade_found(place: Path) -> int:
    """Bring a store up to date and return the version that this process found."""
    return backend_of(settings_in(place)).upgrade().found


def test_of_two_migrations_at_once_one_does_it(place: Path) -> None:
    """Four processes migrate together: one goes from 1 to today's schema, the others find it done (F08)."""
    an_old_control(place)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(upgrade_found, [place] * 4, chunksize=1)
    assert sorted(found) == [1] + [migrations.SCHEMA_VERSION] * 3
    assert verify_store(open_store(settings_in(place), CLOCK)).is_ok


# Moves


@pytest.fixture(params=["file to database", "database to file", "file to file"])
def journey(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Return the folder of the old place and of the new one, for each kind of move."""
    old, _, new = request.param.partition(" to ")
    roots = tmp_path / "old", tmp_path / "new"
    for root, kind in zip(roots, (old, new), strict=True):
        if kind == "database":
            use_database(root, request.getfixturevalue("postgres_server"))
    return roots


def target_of(journey: tuple[Path, Path]) -> Settings:
    """Return the settings of the new place; gates go on reading the old place's folder."""
    return replace(settings_in(journey[1]), gate=settings_in(journey[0]).gate)


def a_busy_store(root: Path) -> Control:
    """Make a store with holds, a narrow restart, a release and a publication that failed."""
    control = a_control(root)
    pause(control)
    control.resume_narrow(break_glass("H-1", "automation=ticket-reply", 2))
    pause(control, "automation=order-sync", reason="50 % \x00 \U0001f6d1 'x'")
    control.resume_full(break_glass("H-2"))
    return control


def test_a_move_keeps_every_byte(journey: tuple[Path, Path]) -> None:
    """Events, caches, deliveries and facts are the same there; the chain verifies, and commands go on."""
    control = a_busy_store(journey[0])
    old = control.store
    before = old.events(), old.projection(), old.outbox(), old.state().holds
    done = moving.move_store(old, target_of(journey), clock=CLOCK)
    new = open_store(target_of(journey), CLOCK)
    assert (new.events(), new.projection(), new.outbox(), new.state().holds) == before
    assert [e.body.encode() for e in new.events()] == [e.body.encode() for e in before[0]]
    assert (done.event_count, done.head.hash) == (len(before[0]), before[0][-1].hash)
    assert done.head.place == target_of(journey).place
    facts = {k: v for k, v in new.meta().items() if k not in ("schema_version", "moved_at")}
    assert facts.pop("moved_from") == old.place
    assert facts.items() <= old.meta().items()
    assert verify_store(new).is_ok
    receipt = pause(Control(new, CLOCK), "automation=stock-watch")
    assert (receipt.hold.hold_id, receipt.publication_fault) == ("H-3", "")
    gate = Gate(journey[0] / "gate")
    assert gate.check("stock-watch").state is GateState.PAUSED
    assert gate.check("ticket-reply").state is GateState.PAUSED
    assert gate.check("order-sync").state is GateState.CLEAR
    assert verify_store(new).is_ok


def test_nothing_is_recorded_in_the_old_place_any_more(journey: tuple[Path, Path]) -> None:
    """A command there is refused with the new place named, also one that was open before; reading goes on."""
    control = a_busy_store(journey[0])
    moving.move_store(control.store, target_of(journey), clock=CLOCK)
    before = control.store.events()
    for found in (control, Control(open_store(settings_in(journey[0]), CLOCK), CLOCK)):
        with pytest.raises(Refused, match="was moved to") as caught:
            pause(found, "*")
        assert target_of(journey).place in caught.value.message
        assert "WORKBENCH_STORE" in caught.value.then
    assert control.store.events() == before
    assert verify_store(control.store).is_ok


def test_the_database_itself_keeps_an_older_workbench_out(journey: tuple[Path, Path]) -> None:
    """Somebody who does not look at the mark is refused by a trigger; a pause then goes to the spool of the gates."""
    control = a_busy_store(journey[0])
    moving.move_store(control.store, target_of(journey), clock=CLOCK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.store.store.refuse_moved", lambda _: None)
        with pytest.raises(Spooled, match="moved to another place"):
            pause(control, "*")


def test_a_move_can_be_said_twice(journey: tuple[Path, Path]) -> None:
    """The second time nothing is changed, also after commands in the new place."""
    control = a_busy_store(journey[0])
    first = moving.move_store(control.store, target_of(journey), clock=CLOCK)
    pause(Control(open_store(target_of(journey), CLOCK), CLOCK), "*")
    after = open_store(target_of(journey), CLOCK).events()
    again = moving.move_store(control.store, target_of(journey), clock=CLOCK)
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert open_store(target_of(journey), CLOCK).events() == after
    other = replace(settings_in(journey[0].with_name("third")), gate=journey[0] / "gate")
    with pytest.raises(Refused, match=r"was moved to .* before"):
        moving.move_store(control.store, other, clock=CLOCK)


def test_a_move_that_was_cut_short_is_taken_up(
    journey: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the old place was marked, it stays the one to use; the next move adds what came since."""
    control = a_busy_store(journey[0])

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_compared", stopped)
        with pytest.raises(KeyboardInterrupt):
            moving.move_store(control.store, target_of(journey), clock=CLOCK)
    clock = SetClock()
    clock.move(60)
    pause(Control(control.store, clock), "automation=stock-watch")
    done = moving.move_store(control.store, target_of(journey), clock=CLOCK)
    new = open_store(target_of(journey), CLOCK)
    assert new.events() == control.store.events()
    assert new.outbox() == control.store.outbox()
    assert done.event_count == len(new.events())
    assert verify_store(new).is_ok


def test_two_histories_are_never_joined(journey: tuple[Path, Path]) -> None:
    """Where both places went on by themselves the move is refused, and the old place stays in use."""
    control = a_busy_store(journey[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving, "_compared", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            moving.move_store(control.store, target_of(journey), clock=CLOCK)
    alone = replace(target_of(journey), gate=journey[1] / "gate")
    pause(Control(open_store(alone, CLOCK), CLOCK), "automation=stock-watch")
    pause(control, "automation=product-copy")
    with pytest.raises(Refused, match="has another history"):
        moving.move_store(control.store, alone, clock=CLOCK)
    assert pause(control, "*").publication_fault == ""


def test_another_store_is_not_moved_into(journey: tuple[Path, Path]) -> None:
    """A place that holds a store of its own is refused and stays as it is."""
    control = a_busy_store(journey[0])
    other = a_store(journey[1])
    before = other.events()
    with pytest.raises(Refused, match="Another store is in"):
        moving.move_store(control.store, target_of(journey), clock=CLOCK)
    assert other.events() == before
    assert pause(control, "*").publication_fault == ""


def test_a_place_is_no_new_place_of_itself(place: Path) -> None:
    """A move to where the store is says so and marks nothing."""
    store = a_store(place)
    with pytest.raises(UsageFault, match="already"):
        moving.move_store(store, settings_in(place), clock=CLOCK)
    assert store.meta().get("moved_to") is None


def test_a_broken_log_is_not_moved(tmp_path: Path, database_place: Path) -> None:
    """An altered event stops the move before anything is made in the new place."""
    control = a_busy_store(tmp_path / "old")
    raw_sql(control.store, "update event set body = replace(body, 'wrong', 'right') where seq = 10")
    target = replace(settings_in(database_place), gate=tmp_path / "old" / "gate")
    with pytest.raises(AuditBroken, match="broken at 10"):
        moving.move_store(control.store, target, clock=CLOCK)
    assert (database_place / DATABASE_FILE).exists()
    with pytest.raises(StorageUnavailable, match="no store"):
        open_store(target, CLOCK)
    assert control.store.meta().get("moved_to") is None


def test_commands_wait_for_a_move(
    journey: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a store is moved nobody adds to the old place: what is acknowledged is in the copy."""
    control = a_busy_store(journey[0])
    right, seen = moving._compared, []

    def looked_at(target: Store, events: Any) -> Any:
        with (
            pytest.raises(StorageUnavailable, match="locked"),
            control.store.backend.writing(0.1) as own,
        ):
            own.begin()
        seen.append(len(events))
        return right(target, events)

    monkeypatch.setattr(moving, "_compared", looked_at)
    moving.move_store(control.store, target_of(journey), clock=CLOCK)
    assert seen == [len(control.store.events())]

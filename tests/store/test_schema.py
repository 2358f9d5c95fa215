"""What guards the log, compared with what the migrations make: each part that is gone, changed or added is named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import refused, run
from tests.postgres_server import Server
from tests.store.ground import a_control, raw_sql, settings_in
from tests.store.refresh_schema import as_text, rows_of_a_new_store
from tests.store.test_command_line_on_both import a_registered_store, here
from tests.store.test_migrating import an_old_control
from tests.store.test_postgres import as_member, connection_of, name_of
from workbench.clock import SystemClock
from workbench.settings import Settings
from workbench.store import schema
from workbench.store.audit import verify_store
from workbench.store.schema import EXPECTED_FILE, Drift, Part, differences, expected_on_a_server
from workbench.store.sqlite import _expected
from workbench.store.store import backend_of, store_of

__all__ = ["here"]

PLACES = {"file": _expected(), "server": expected_on_a_server()}
PARTS = [
    pytest.param(parts, part, id=f"{where}: {part.kind} {part.name}")
    for where, parts in PLACES.items()
    for part in parts
]


def test_a_new_and_a_migrated_store_have_no_drift(place: Path, other_place: Path) -> None:
    """What the steps make, at once or one version after the other, is what verification expects."""
    assert a_control(place).store.drift() == []
    old = an_old_control(other_place)
    backend_of(settings_in(other_place)).upgrade(other_place / "copies")
    assert old.store.drift() == []


def test_the_list_of_a_server_is_what_the_migrations_make(postgres_server: Server) -> None:
    """After a new migration the file is written again: `python -m tests.store.refresh_schema`."""
    made = as_text(rows_of_a_new_store(postgres_server.database()))
    assert EXPECTED_FILE.read_text(encoding="utf-8") == made


def drift_without(parts: Iterable[Part], part: Part, *others: Part) -> list[Drift]:
    """Return the drift of a schema in which other parts stand in the place of one."""
    found = [*(p for p in parts if p != part), *others]
    return differences(found, parts)


@pytest.mark.parametrize(("parts", "part"), PARTS)
def test_each_part_that_is_missing_is_named(parts: tuple[Part, ...], part: Part) -> None:
    """Whatever is dropped is named; all but a right that was taken away weakens the evidence."""
    (drift,) = drift_without(parts, part)
    assert drift.finding.endswith("is missing")
    assert drift.is_harmless is (part.kind == "right")


@pytest.mark.parametrize(("parts", "part"), PARTS)
def test_each_part_that_was_changed_is_named(parts: tuple[Part, ...], part: Part) -> None:
    """A part that keeps its name and says something else is no longer what the workbench made."""
    (drift,) = drift_without(parts, part, part._replace(definition=f"{part.definition} or true"))
    assert part.name in drift.finding
    assert not drift.is_harmless


def test_a_comparison_of_names_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded bug: who looks only whether each part is there misses every change of one."""
    monkeypatch.setattr(schema.Part, "essence", property(lambda part: part.name))
    parts = PLACES["file"]
    missed = [p for p in parts if not drift_without(parts, p, p._replace(definition="x"))]
    assert missed == list(parts)


def test_a_layout_of_words_is_no_drift() -> None:
    """Line breaks, and how another version of the server writes a view, make no difference."""
    view = Part("view", "v", "v", " SELECT e.seq,\n    (e.body)::text\n   FROM event e;")
    other = view._replace(definition="SELECT seq, body::text FROM event e;")
    assert differences([other], [view]) == []
    table = Part("table", "t", "t", "create table t (\n    a text\n)")
    assert differences([table._replace(definition="create table t ( a text )")], [table]) == []


@pytest.mark.parametrize(
    ("name", "definition", "is_harmless"),
    [
        ("select on event for auditor", "", True),
        ("insert on event for app", "", True),
        ("select on event for auditor", "and to give it on", False),
        ("delete on event for app", "", False),
        ("update on event for workbench_writer", "", False),
        ("insert on event for public", "", False),
        ("trigger on event for app", "", False),
    ],
)
def test_a_right_does_no_harm_where_writers_have_it_anyway(
    name: str, definition: str, is_harmless: bool
) -> None:
    """To read and to add events is what members may; to change, to pass on and for everybody is more."""
    parts = PLACES["server"]
    (drift,) = differences([*parts, Part("right", name, "event", definition)], parts)
    assert (name in drift.finding, drift.is_harmless) == (True, is_harmless)


TRIGGER = {"file": "event_no_delete", "server": "event_no_change"}


def drop_trigger(place: Path) -> str:
    """Drop one of the triggers that keep the log append-only, as somebody with a shell; returns its name."""
    settings = settings_in(place)
    if settings.store_url is None:
        raw_sql(
            store_of(settings, SystemClock()),
            "drop trigger event_no_delete",
            without_triggers=False,
        )
        return TRIGGER["file"]
    with connection_of(settings) as connection:
        connection.execute("drop trigger event_no_change on workbench.event")
    return TRIGGER["server"]


def doctors_row(about: str) -> dict[str, Any]:
    """Return one row of the doctor."""
    found: dict[str, Any] = {row["about"]: row for row in run("doctor", "--json").document}
    return found[about]


def test_a_dropped_trigger_ends_verification_with_14(here: Path) -> None:
    """Found with no row changed, named by the doctor, in nobody's way, and mended by a move to a whole place."""
    a_registered_store(here)
    assert doctors_row("schema")["finding"] == "as the migrations made it"
    name = drop_trigger(here)
    found = run("audit", "verify")
    refused(found, 14, f"trigger {name} on event is missing", "holds to event")
    assert "store migrate --to" in found.err
    assert run("audit", "verify", "--json").document["schema_faults"] == [
        f"trigger {name} on event is missing"
    ]
    row = doctors_row("schema")
    assert (row["is_well"], name in row["finding"]) == (False, True)
    assert run("pause", "kind=agent", "-r", "x", "-y", "--no-wait").code == 10
    moved = run("store", "migrate", "--to", str(here / "whole"))
    assert moved.code == 0, moved.said
    assert verify_store(store_of(settings_of(here / "whole"), SystemClock())).drift == ()


def test_what_does_no_harm_is_named_and_no_failure(here: Path) -> None:
    """A table of somebody's own beside the store's is said by both commands, and nothing fails."""
    a_registered_store(here)
    settings = settings_in(here)
    if settings.store_url is None:
        raw_sql(
            store_of(settings, SystemClock()), "create table mine (a text)", without_triggers=False
        )
    else:
        with connection_of(settings) as connection:
            connection.execute("create table workbench.mine (a text)")
    found = run("audit", "verify")
    assert (found.code, "of no harm: table mine does not belong" in found.out) == (0, True)
    assert run("audit", "verify", "--json").document["schema_extras"]
    assert "WARNING, table mine" in doctors_row("schema")["finding"]


def test_who_may_change_the_log_of_a_server_is_named(
    database_place: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Superusers, the owner and whoever got a right are named by both commands; to give commands as one is warned of."""
    a_control(database_place)
    postgres_server.run(f"create role meddler_{name_of(database_place)}")
    with connection_of(settings_in(database_place)) as connection:
        connection.execute(
            f"grant delete on workbench.event to meddler_{name_of(database_place)}".encode()
        )
    member = as_member(postgres_server, database_place, "writer")
    for settings, is_warned in ((settings_in(database_place), True), (member, False)):
        for name, value in settings.as_environment().items():
            monkeypatch.setenv(name, value)
        row = doctors_row("who may change the log")
        assert ("WARNING" in row["finding"]) is is_warned
        assert "postgres (superuser)" in row["finding"]
        said = run("audit", "verify", "--json").document["may_change"]
        assert f"meddler_{name_of(database_place)} (right to change rows)" in said


def test_a_file_knows_no_roles(tmp_path: Path) -> None:
    """Of a store in a file nobody is named: whoever may write the file may change it."""
    assert a_control(tmp_path).store.changers() == []


def settings_of(folder: Path) -> Settings:
    """Return the settings of a store that was moved into a folder."""
    return Settings(folder, folder / "gate", folder / "home")

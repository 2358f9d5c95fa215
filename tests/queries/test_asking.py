"""What every query promises that asks the warehouse: portable, bounded in time, ordered, and tried on given rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.queries.given import STORE, TRIAGE, WINDOW, Given
from tests.review.world import AS_OF, DAY, at
from workbench.queries import load_query, parse_query
from workbench.warehouse.dictionary import asking_names, stand_ins, tables_read
from workbench.warehouse.tables import Column, table

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = asking_names()
UNPORTABLE = (
    "select *",
    "group by all",
    "order by all",
    "qualify",
    "exclude (",
    "arg_max",
    "arg_min",
    "date_diff",
    "now()",
    "current_",
    "ilike",
)
"""Forms that other engines read otherwise, or not at all."""

UNBOUNDED = {
    "audit.chain_fault": "it is given its rows",
    "load.endless_run": "a batch is bounded by itself",
    "load.named_run": "it is asked by name",
    "load.unknown_status": "a batch is bounded by itself",
    "load.unknown_step_status": "a batch is bounded by itself",
    "load.unnamed_alert": "a batch is bounded by itself",
    "review.registered_automations": "the registry is a state",
    "review.watermarks": "how far a source is loaded is a state",
    "sync.open_runs": "a run that is not over counts whatever its age",
}
BOUNDED = [name for name in NAMES if name not in UNBOUNDED]
LONG_AGO, LONG_AFTER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ASKED: dict[str, Any] = {
    **WINDOW,
    **TRIAGE,
    "providers": ["acme"],
    "environment": "production",
    "record": None,
    "store_id": STORE,
    "source_id": "source",
    "hour_since": at("10:00"),
    "day_since": DAY,
    "ended_since": DAY,
    "run_count": 20,
    "newest_count": 0,
    "paused_at": at("10:00"),
    "resumed_at": at("10:20"),
    "until": AS_OF,
}
AGELESS = {"review.serving_sources": ["provider_status"]}
"""What counts whatever its age, as the header says: a provider's page serves though it was quiet for long."""

NEEDS_ORDER = {"review.pause_in_flight", "engine.fired_backlog"}
"""Ask for instants that follow each other, which a row of equal instants never has."""


def bare(name: str) -> str:
    """Return a query's text without comments, small."""
    return re.sub(r"--[^\n]*", "", load_query(name).sql).lower()


@pytest.mark.parametrize("name", NAMES)
def test_it_stays_portable(name: str) -> None:
    """None of the forms that other engines read otherwise, or not at all, is used."""
    assert [form for form in UNPORTABLE if form in bare(name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_a_row_is_and_gives_them_in_one_order(name: str) -> None:
    """The header tells the grain; the last clause of the statement orders its rows."""
    assert "one row per" in load_query(name).description.lower()
    last = bare(name).rsplit("order by", 1)
    assert len(last) == 2 and ")" not in last[1] and "select" not in last[1]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_bounded_on_both_sides_or_says_why_not(name: str) -> None:
    """A begin and an end are parameters; else the header gives the reason that is agreed here."""
    asked = set(load_query(name).parameters)
    is_bounded = "since" in asked and bool(asked & {"as_of", "until"})
    assert is_bounded == (name not in UNBOUNDED)
    if not is_bounded and tables_read(load_query(name)):
        assert f"Not bounded in time: {UNBOUNDED[name]}." in load_query(name).description


def _cell(column: Column, instant: datetime) -> Any:
    if column.type == "timestamptz":
        return instant
    named = {
        "source_id": "source",
        "automation_id": "triage",
        "environment": "production",
        "provider": "acme",
        "status": "failed",
        "target_id": "triage",
        "action": "incident.opened",
        "cost_currency": "USD",
        "customer_facing": True,
        "correlation_id": None,
    }
    if column.name in named:
        return named[column.name]
    plain = {"varchar": "x", "json": "{}", "boolean": True, "map(varchar, varchar)": None}
    return plain.get(column.type, 1)


def filled(name: str, instant: datetime) -> Given:
    """Return a warehouse with one row, all of whose instants are the same, in each table that a query reads."""
    given = Given()
    for read in tables_read(load_query(name)):
        columns = table(read).columns
        places = ", ".join("?" for _ in columns)
        given.connection.execute(
            f"insert into {read} values ({places})", [_cell(c, instant) for c in columns]
        )
    return given


@pytest.mark.parametrize("instant", [LONG_AGO, LONG_AFTER])
@pytest.mark.parametrize("name", BOUNDED)
def test_what_lies_outside_the_window_changes_nothing(name: str, instant: datetime) -> None:
    """A row that was over long before, or comes long after, is in no result, whichever table has it."""
    found = filled(name, instant).ask(name, **{k: ASKED[k] for k in load_query(name).parameters})
    ageless = AGELESS.get(name, []) if instant == LONG_AGO else []
    assert list(found["table_name"] if ageless else found.iloc[:, 0]) == ageless


@pytest.mark.parametrize("name", [name for name in BOUNDED if name not in NEEDS_ORDER])
def test_the_same_row_inside_the_window_is_found(name: str) -> None:
    """So the test above can fail: within the window the row counts."""
    found = filled(name, at("10:30")).ask(
        name, **{k: ASKED[k] for k in load_query(name).parameters}
    )
    assert len(found) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_it_is_tried_on_given_rows(name: str) -> None:
    """Some test asks it by its name and compares what it gives."""
    tests = (p for p in (REPOSITORY / "tests").rglob("test_*.py") if p != Path(__file__))
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    if name == "audit.chain_fault":
        assert f'ask("{name}"' in text
    else:
        assert re.search(rf'ask\(\s*(?:given,\s*)?"{re.escape(name)}"', text), name


def test_a_stand_in_has_the_type_that_the_header_states() -> None:
    """Seeded bug: a parameter whose header begins with no type is refused by name."""
    query = parse_query("x.y", "-- One row per run.\n-- $n: how many\nselect $n", sha256="0")
    with pytest.raises(Exception, match=r"x\.y gives \$n no type"):
        stand_ins(query)

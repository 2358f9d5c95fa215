"""Given rows, expect rows: what a back-test reads of incidents, and which histories it makes of them."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.queries.given import WINDOW, Given
from tests.review.world import AS_OF, DAY, at
from workbench.queries import load_query, query_names
from workbench.review.histories import WATERMARKS, histories_of, history_queries
from workbench.review.relapse import NO_UNIT

NAMES = query_names("backtest.")
COLUMNS = ["source_id", "subject", "units", "incident_ref", "began_at", "ended_at"]


def ask(given: Given, name: str) -> list[tuple[Any, ...]]:
    """Return units, reference, begin and end of each row, instants as minutes of the day."""
    found = given.ask(name, **WINDOW)[["units", "incident_ref", "began_at", "ended_at"]]
    return [tuple(_plain(v) for v in row) for row in found.astype(object).itertuples(index=False)]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return f"{value:%H:%M}"
    return None if pd.isna(value) else value


@pytest.mark.parametrize("name", NAMES)
def test_a_back_test_gives_each_query_what_its_header_asks(name: str) -> None:
    """One statement, bounded on both sides, in a total order, with the columns that every history has."""
    (statement,) = duckdb.connect().extract_statements(load_query(name).sql)
    asked = {call.name: call.parameters for call in history_queries(since=DAY, as_of=AS_OF)}
    assert set(statement.named_parameters) == set(asked[name]) == {"since", "as_of"}
    assert set(asked) == {*NAMES, WATERMARKS}
    assert load_query(name).grain.startswith("one row per")
    order = load_query(name).sql.rsplit("order by", 1)[1]
    assert "source_id" in order
    found = Given().ask(name, **asked[name])
    assert found.empty
    assert list(found.columns) == COLUMNS


STATUS = """
    provider | component    | since_at | until_at | status       | incident_ref
    acme     | api, billing | 09:00    | 10:00    | degraded     | INC-1
    acme     | api          | 09:10    | 09:20    | maintenance  | INC-2
    acme     | api          | 09:30    | 12:00    | major_outage | INC-3
    acme     | api          | 10:10    | 10:20    | operational  | none
    acme     | none         | 10:30    | 10:40    | operational  | INC-4
    acme     | api          | 10:50    | -        | -            | INC-5
    acme     | api          | 11:00    | 11:10    | degraded     | INC-6
"""


def status_rows() -> Given:
    """Return the rows above; `none` is an empty text."""
    given = Given().table("provider_status", STATUS)
    given.connection.execute("update provider_status set component = '' where component = 'none'")
    given.connection.execute(
        "update provider_status set incident_ref = '' where incident_ref = 'none'"
    )
    return given


def test_a_status_page_gives_its_incidents() -> None:
    """Maintenance and quiet stretches are none, one of no impact is one, an end after the window is not known."""
    given = status_rows()
    assert ask(given, "backtest.provider_status") == [
        ("api, billing", "INC-1", "09:00", "10:00"),
        ("api", "INC-3", "09:30", None),
        ("", "INC-4", "10:30", "10:40"),
        ("api", "INC-5", "10:50", None),
    ]


def test_our_own_incidents_are_told_by_scope() -> None:
    """An incident without a scope has an empty one; what began later, or ended later, is not known."""
    given = Given().table(
        "incident",
        """
        incident_id | scope      | started_at | resolved_at
        I-1         | kind=agent | 09:00      | 10:00
        I-2         | -          | 10:30      | 11:30
        I-3         | kind=agent | 11:00      | 11:30
        """,
    )
    assert ask(given, "backtest.incident") == [
        ("kind=agent", "I-1", "09:00", "10:00"),
        ("", "I-2", "10:30", None),
    ]


def test_alerts_are_told_by_automation() -> None:
    """One row per firing, in the order in which they fired."""
    given = Given().table(
        "alert",
        """
        alert_id | automation_id | fired_at | resolved_at
        A-2      | triage        | 10:00    | 11:30
        A-1      | triage        | 09:00    | 09:10
        A-3      | -             | 11:00    | -
        """,
    )
    assert ask(given, "backtest.alert") == [
        ("triage", "A-1", "09:00", "09:10"),
        ("triage", "A-2", "10:00", None),
    ]


def tables(given: Given) -> dict[str, pd.DataFrame]:
    """Return what a back-test reads of the given rows."""
    calls = history_queries(since=DAY, as_of=AS_OF)
    return {call.name: given.ask(call.name, **call.parameters) for call in calls}


def test_each_source_is_a_history_of_its_own() -> None:
    """Two sources about one provider are not added up, and each table says what its rows are."""
    given = status_rows().table(
        "provider_status",
        """
        source_id | provider | component | since_at | until_at | status   | incident_ref
        mirror    | acme     | api       | 09:00    | 10:00    | degraded | INC-1
        """,
    )
    given.table("incident", "incident_id | started_at\nI-1 | 09:00")
    found = histories_of(tables(given), as_of=AS_OF)
    assert [one.name for one in found] == [
        "status page of acme, from source",
        "status page of acme, from mirror",
        "own incidents of source",
    ]
    assert found[0].units == (NO_UNIT, "api", "billing")  # one trouble each: those of api overlap


@pytest.mark.parametrize(
    ("loaded", "until"), [("10:45", "10:50"), ("10:55", "10:55"), ("11:40", "11:00"), ("", "10:50")]
)
def test_a_history_ends_where_it_was_watched(loaded: str, until: str) -> None:
    """What the loads vouch for or its last word, whichever is later, as far as the question goes."""
    given = status_rows()
    if loaded:
        given.table(
            "source_watermark",
            f"table_name | loaded_until_at | checked_at\nprovider_status | {loaded} | {loaded}",
        )
    (found,) = histories_of(tables(given), as_of=AS_OF)
    assert found.until == at(until)
    assert (found.trouble["began_at"] < found.until).all()

"""What every query of a review promises: one statement, honest header, bounded window, portable SQL, total order."""

from __future__ import annotations

import re

import duckdb
import pytest

from tests.queries.given import STORE, TRIAGE, WINDOW, Given
from tests.review.world import AS_OF, DAY, request
from workbench.queries import load_query, query_names
from workbench.review.ground import COLUMNS
from workbench.review.incident import incident_queries
from workbench.review.month import MonthRequest, month_queries
from workbench.review.request import of_store, registry_queries

NAMES = [*query_names("review."), *query_names("month.")]
PARAMETERS = {
    **WINDOW,
    **TRIAGE,
    "environment": None,
    "providers": ["acme"],
    "record": None,
    "store_id": STORE,
    "ended_since": DAY,
}
KEYS = {
    "review.registered_automations": "automation_id",
    "review.holds": "hold_id",
    "review.hold_targets": "hold_id automation_id",
    "review.decisions": "decision_id",
    "review.runs": "source_id run_id",
    "review.outcomes": "source_id run_id",
    "review.failed_steps": "source_id run_id step_id attempt",
    "review.audit_events": "source_id event_id",
    "review.operator_events": "source_id event_id",
    "review.approvals": "source_id approval_id",
    "review.provider_status": "source_id provider component since_at incident_ref",
    "review.affected_records": "source_id run_id record_type record_id change_seq",
    "review.alerts": "source_id alert_id fired_at",
    "review.changes": "source_id change_id",
    "review.incidents": "source_id incident_id",
    "review.pause_reach": "recorded_at hold_id automation_id",
    "review.pause_in_flight": "hold_id source_id run_id",
    "review.watermarks": "source_id table_name",
    "review.serving_sources": "table_name source_id provider",
    "month.held_runs": "source_id run_id",
    "month.failures": "source_id run_id",
    "month.outcomes": "automation_id status error_message started_at",
}


def _bare(name: str) -> str:
    return re.sub(r"--[^\n]*", "", load_query(name).sql)


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_exactly_the_parameters(name: str) -> None:
    """One statement, and the parameters DuckDB finds in it are those that the header explains."""
    statements = duckdb.connect().extract_statements(load_query(name).sql)
    assert len(statements) == 1
    assert set(statements[0].named_parameters) == set(load_query(name).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_empty_tables_and_has_the_promised_columns(name: str) -> None:
    """An empty warehouse gives no rows, in the columns that the review relies on."""
    needed = {key: PARAMETERS[key] for key in load_query(name).parameters}
    found = Given().ask(name, **needed)
    assert found.empty
    assert list(found.columns) == COLUMNS[name].split()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_a_row_is(name: str) -> None:
    """The header tells the grain."""
    assert load_query(name).grain.startswith("one row per")


@pytest.mark.parametrize("name", NAMES)
def test_the_order_is_total(name: str) -> None:
    """The statement ends by ordering over every column of its key, so that equal data gives equal bytes."""
    order = _bare(name).rsplit("order by", 1)[1].replace("\n", " ")
    named = {column.strip().rsplit(".", 1)[-1] for column in order.split(",")}
    assert set(KEYS[name].split()) <= named


def test_what_a_review_asks_for_is_what_there_is() -> None:
    """The calls of a review give each query exactly its parameters, and no review query is left over."""
    month = MonthRequest(
        "2026-11", DAY, AS_OF, AS_OF, categories={"commerce": ("triage",)}, environment=None
    )
    calls = [*incident_queries(request()), *registry_queries(DAY), *month_queries(month)]
    for call in calls:
        call = of_store(call, STORE)
        assert set(call.parameters) == set(load_query(call.name).parameters), call.name
    assert {call.name for call in calls} == set(NAMES)

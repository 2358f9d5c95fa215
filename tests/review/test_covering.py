"""What a hold covers now or covered when it was placed, read from the registry's rows."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.review.world import rows
from workbench.review.covering import covered_ids, known_automations, touches
from workbench.review.ground import shaped

REGISTRY = """
automation_id | kind     | category | environment | owner | restart_owner | provider | tools              | expected_interval_seconds | approval_requirement
triage        | agent    | commerce | production  | desk  | ops-lead      | acme     | ["ledger"]         | 120                       | above 880
reply         | agent    | support  | production  | desk  | ops-lead      | acme     | ["mail", "crm"]    | -                         | none
sync          | workflow | commerce | staging     | desk  | -             | -        | -                  | 30                        | -
"""


def _tables(targets: str = "hold_id | automation_id | recorded_at") -> dict[str, pd.DataFrame]:
    return {
        "review.registered_automations": shaped("review.registered_automations", rows(REGISTRY)),
        "review.hold_targets": shaped("review.hold_targets", rows(targets)),
    }


def _hold(scope: str) -> pd.Series:
    return pd.Series({"hold_id": "H-1", "scope": scope})


@pytest.mark.parametrize(
    ("scope", "ids"),
    [
        ("*", ("reply", "sync", "triage")),
        ("kind=agent", ("reply", "triage")),
        ("kind=agent,category=support", ("reply",)),
        ("provider=acme", ("reply", "triage")),
        ("tool=crm", ("reply",)),
        ("environment=staging", ("sync",)),
        ("automation=triage", ("triage",)),
        ("kind=watcher", ()),
    ],
)
def test_a_hold_covers_what_its_scope_names(scope: str, ids: tuple[str, ...]) -> None:
    """Each key of a scope selects by the registry's column; `*` is everything."""
    assert covered_ids(_hold(scope), _tables()) == ids


@pytest.mark.parametrize(
    ("only", "ids"),
    [
        (None, ("reply", "triage")),
        ("category=support", ("reply",)),
        ("automation=triage", ("triage",)),
        ("automation=sync", ()),
    ],
)
def test_only_takes_a_part(only: str | None, ids: tuple[str, ...]) -> None:
    """A narrower scope never reaches outside of the hold."""
    assert covered_ids(_hold("kind=agent"), _tables(), only=only) == ids


def test_what_was_covered_stays_covered() -> None:
    """An automation that no longer matches, or is gone from the registry, is still under the hold that took it."""
    targets = "hold_id | automation_id | recorded_at\nH-1 | gone | 10:00\nH-1 | sync | 10:00\nH-2 | reply | 10:00"
    assert covered_ids(_hold("automation=triage"), _tables(targets)) == ("gone", "sync", "triage")
    assert covered_ids(_hold("automation=triage"), _tables(targets), only="automation=gone") == (
        "gone",
    )


def test_rows_become_records() -> None:
    """Missing text is empty, missing numbers are None, tools are a tuple, the checklist is there."""
    found = known_automations(_tables()["review.registered_automations"])
    assert found["reply"].tools == ("mail", "crm")
    assert found["sync"].tools == ()
    assert (
        found["triage"].expected_interval_seconds,
        found["reply"].expected_interval_seconds,
    ) == (120, None)
    assert (found["sync"].restart_owner, found["sync"].provider) == ("", "")
    assert found["triage"].checklist["approval_requirement"] == "above 880"


@pytest.mark.parametrize("tools", ["", "{}", '"mail"', "null"])
def test_tools_that_are_no_list_are_none(tools: str) -> None:
    """A tools column that holds something else than a list names no tool."""
    frame = shaped("review.registered_automations", rows(REGISTRY)).assign(tools=tools)
    assert known_automations(frame)["triage"].tools == ()


@pytest.mark.parametrize(
    ("target", "touched"),
    [
        ("kind=agent", True),
        ("reply", True),
        ("mail", True),
        ("kind=agent,provider=other", False),
        ("", False),
        ("kind=", False),
    ],
)
def test_a_target_touches_the_automations_it_names(target: str, touched: bool) -> None:
    """A target is read as a scope or as a bare name; one that is neither touches nothing."""
    known = known_automations(_tables()["review.registered_automations"])
    assert touches(target, {"reply": known["reply"]}) is touched

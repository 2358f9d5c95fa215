"""Parameters are checked before a kernel starts, and each fault is named."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import UsageFault
from workbench.reports.parameters import RestartDecisionParameters, check_parameters

GOOD: dict[str, Any] = {
    "hold_id": "H-7",
    "only": "provider=acme-llm,kind=agent",
    "as_of": "2026-11-23T20:00:00+02:00",
    "since": "",
}


def test_good_parameters_come_out_canonical() -> None:
    """Scopes are put in order and instants in UTC, so that equal requests have equal digests."""
    found = check_parameters("restart-decision", GOOD)
    assert isinstance(found, RestartDecisionParameters)
    assert found.only == "kind=agent,provider=acme-llm"
    assert found.as_of == "2026-11-23T18:00:00.000000Z"
    assert found.optional_instant("since") is None
    assert check_parameters("restart-decision", found.values()) == found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wrong": 1}, "wrong is not a parameter of it"),
        ({"__import__('os').system('touch x')#": 1}, "is not a parameter of it"),
        ({"since": "2026-11-23"}, "has no offset"),
        ({"since": "2026-11-23T18:00:00"}, "has no offset"),
        ({"since": 2026}, "since: "),
        ({"as_of": "tomorrow"}, "as_of: "),
        ({"hold_id": 7}, "hold_id: "),
        ({"hold_id": "H-07"}, "hold_id: "),
        ({"hold_id": "../etc"}, "hold_id: "),
        ({"run_ticket": "R-1; rm"}, "run_ticket: "),
        ({"manifest_version": "3"}, "manifest_version: "),
        ({"manifest_version": -1}, "manifest_version: "),
        ({"log_seq": True}, "log_seq: "),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    """Unknown names, instants without offset and wrong types are refused with the fault named."""
    with pytest.raises(UsageFault, match="was not started") as caught:
        check_parameters("restart-decision", {**GOOD, **change})
    assert says in caught.value.message


def test_a_scope_is_checked_as_a_scope() -> None:
    """A scope with an unknown key is refused before anything starts."""
    with pytest.raises(UsageFault, match="not a key of a scope"):
        check_parameters("restart-decision", {**GOOD, "only": "vendor=acme"})


def test_missing_parameters_are_named() -> None:
    """Each missing parameter is listed."""
    with pytest.raises(UsageFault, match=r"hold_id is missing.*as_of is missing"):
        check_parameters("restart-decision", {"only": "*"})


def test_an_unknown_report_is_named() -> None:
    """A report that does not exist is refused with those that do."""
    with pytest.raises(UsageFault, match="post-incident-review, restart-decision"):
        check_parameters("weekly", {})

"""One tree of errors: each has its exit code, a sentence, and a next step."""

from __future__ import annotations

import pytest

from workbench import errors
from workbench.errors import WorkbenchError

EXIT_CODES = {
    "UsageFault": 2,
    "ScopeError": 2,
    "Refused": 3,
    "Conflict": 3,
    "NotFound": 4,
    "NoMatch": 4,
    "NotConfirmed": 10,
    "ReportIncomplete": 12,
    "TooManyRejects": 13,
    "AuditBroken": 14,
    "StorageUnavailable": 15,
    "StoreMissing": 15,
    "WarehouseError": 15,
    "EngineError": 16,
    "BadSettings": 17,
}


def every_error() -> list[type[WorkbenchError]]:
    """Return all classes of the tree."""
    found = [v for v in vars(errors).values() if isinstance(v, type)]
    return [c for c in found if issubclass(c, WorkbenchError)]


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_exit_codes_are_those_of_the_design(name: str, code: int) -> None:
    """Each error leaves with the exit code that scripts rely on."""
    assert getattr(errors, name).exit_code == code


@pytest.mark.parametrize("kind", every_error())
def test_each_error_can_speak_for_itself(kind: type[WorkbenchError]) -> None:
    """Without a message the docstring is the sentence, and there is always a next step."""
    found = kind()
    assert found.message == (kind.__doc__ or "").strip() != ""
    assert found.diagnostics() == {
        "error": kind.__name__,
        "message": found.message,
        "next_step": found.then,
    }
    assert found.then


def test_a_message_and_a_step_of_its_own_win() -> None:
    """What is said at the raise replaces the default."""
    found = errors.Refused("No.", next_step="ask ann")
    assert (str(found), found.message, found.then) == ("No.", "No.", "ask ann")

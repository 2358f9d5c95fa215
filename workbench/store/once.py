"""What a log says once: a store is made once, and an id names one thing for good, whoever writes it again.

The command path draws a new id for each. A log that says one twice was written past it, and an unsigned line could
else open what nobody released: the second placing of a hold, over a smaller scope, or a second making of the store
for an environment that asks for less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workbench.errors import ScopeError
from workbench.records import Event
from workbench.store.state import State
from workbench.store.trusting import refuse

NOT_TAKEN_IN = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError),
    ScopeError,
)
"""What an event raises whose content is not what its action needs."""

_NAMED_ONCE = {
    "probation.start": "probations",
    "report.record": "reports",
    "decision.record": "decisions",
    "signoff.request": "signoffs",
}


def is_said_once(state: State, event: Event) -> bool:
    """Tell whether an event may be taken in; one whose id names something else already is kept as not obeyed.

    Raises ValueError for a second placing of a hold or making of the store, and for ids that are no text. Then
    nobody knows what was meant to be held, so that it is a doubt, for which no gate says CLEAR.
    """
    if event.action == "store.init" and state.environment:
        raise ValueError("a store is made once")
    if event.action == "hold.place":
        if event.target in state.holds:
            raise ValueError(f"{event.target} was placed before, and an id is never used again")
        _check_texts(event.payload["covered"])
    if event.action in ("automation.register", "automation.change"):
        _check_texts([event.payload["automation"]["automation_id"]])
    known = getattr(state, _NAMED_ONCE.get(event.action, ""), ())
    if event.target in known:
        refuse(state, event, why="its id names another one already; an id is never used again")
        return False
    return True


def _check_texts(values: Iterable[Any]) -> None:
    if not all(isinstance(value, str) for value in values):
        raise ValueError("an id that is no text")

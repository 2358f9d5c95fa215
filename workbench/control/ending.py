"""Recording the ends of narrow restarts: no command passes over a limit that was reached before it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from workbench.control.usage import Counter, limit_reached
from workbench.errors import WorkbenchError
from workbench.restarts import Probation
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Store
from workbench.tickets import TicketFault

if TYPE_CHECKING:
    from workbench.control.commanding import Commander


def with_endings(state: State, change: Change, *, store: Store, now: datetime) -> Change:
    """Return the change with the ends of the narrow restarts that reached a limit since the last command."""
    ending = {draft.target for draft in change.drafts if draft.action == "probation.end"}
    still_open = [
        probation
        for probation in state.probations.values()
        if probation.ended_seq is None and probation.probation_id not in ending
    ]
    over = []
    if still_open:
        over = _over(still_open, Counter.of(store, state), now=now)
    return replace(change, drafts=[*over, *change.drafts]) if over else change


def record_endings(control: Commander) -> None:
    """Record which narrow restarts are over: their tickets lie in a gate folder that may be left behind.

    What cannot be recorded stops nothing: a restart whose tickets cannot be read lets nothing through.
    """
    if all(p.ended_seq is not None for p in control.state().probations.values()):
        return
    with contextlib.suppress(WorkbenchError):
        command = Command(control.new_id(None), {"name": "end restarts"})
        control.transact(command, lambda *_: Change([]))


def _over(probations: Sequence[Probation], counter: Counter, *, now: datetime) -> list[Draft]:
    found = []
    for probation in probations:
        # Tickets that cannot be read end nothing: gates let nothing through without them anyway.
        with contextlib.suppress(TicketFault):
            if why := limit_reached(probation, counter.uses(probation), now=now):
                found.append(
                    Draft(now, "system", "probation.end", probation.probation_id, reason=why)
                )
    return found

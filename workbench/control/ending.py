"""Recording the ends of narrow restarts: no command passes over a limit that was reached before it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from workbench.control.reading import limit_reached
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change
from workbench.tickets import TicketBook, TicketFault


def with_endings(state: State, change: Change, *, gate_folder: Path, now: datetime) -> Change:
    """Return the change with the ends of the narrow restarts that reached a limit since the last command."""
    ending = {draft.target for draft in change.drafts if draft.action == "probation.end"}
    over = []
    for probation in state.probations.values():
        if probation.ended_seq is not None or probation.probation_id in ending:
            continue
        book = TicketBook(gate_folder, probation.probation_id, probation.max_runs)
        # Tickets that cannot be read end nothing: gates let nothing through without them anyway.
        with contextlib.suppress(TicketFault):
            why = limit_reached(probation, book, now=now)
            if why:
                over.append(
                    Draft(now, "system", "probation.end", probation.probation_id, reason=why)
                )
    return replace(change, drafts=[*over, *change.drafts]) if over else change

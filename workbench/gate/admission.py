"""Who is let through a hold: runs with a ticket of a narrow restart, and under a drain what was in flight."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.answers import GateAnswer, GateState
from workbench.clock import Clock, from_text
from workbench.gate.asked import AskedRun, Bearing
from workbench.gate.view import View
from workbench.tickets import TicketBook, TicketFault

DRAIN = "drain"
"""The mode under which what was in flight goes on; the words of a snapshot are plain text."""


class Admission:
    """Judges runs against what was published, at the latest instant that was ever seen."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Count tickets in a gate folder."""
        self._folder = folder
        self._clock = clock
        self._newest: datetime | None = None

    def judge(self, view: View, run: AskedRun, *, bearing: Bearing) -> GateAnswer:
        """Return whether a run may act; takes its tickets where it may."""
        answer = view.answer(run.automation_id, run.max_age_seconds)
        if answer.state is not GateState.PAUSED:
            return answer
        told = from_text(view.published.published_at)
        self._newest = max(self._clock.now(), told, self._newest or told)
        holds = view.holds_on(run.automation_id)
        firm = [hold for hold in holds if hold["probation"] is None]
        if any(not (bearing.is_in_flight and hold["mode"] == DRAIN) for hold in firm):
            return answer
        probations = [hold["probation"] for hold in holds if hold["probation"] is not None]
        if doubt := view.doubt or view.silence(run.max_age_seconds):
            return answer._replace(reason=doubt) if probations else answer
        refusal = next((why for p in probations if (why := _not_here(p, view.folder_id))), "")
        refusal = refusal or self._refusal(probations, run, may_take=bearing.may_take)
        if refusal:
            return answer._replace(reason=refusal)
        return answer._replace(state=GateState.CLEAR, reason=_let_through(holds))

    def _refusal(self, probations: list[dict[str, Any]], run: AskedRun, *, may_take: bool) -> str:
        """Return why a narrow restart lets the run not through; takes its tickets where it may.

        All are asked before any ticket is taken: one is spent only where the run may go on.
        """
        who = (run.automation_id, run.run_id)
        now = self._newest or self._clock.now()
        books = [TicketBook(self._folder, p["probation_id"], p["max_runs"]) for p in probations]
        try:
            for probation, book in zip(probations, books, strict=True):
                why = (
                    self._over(probation, book, now)
                    or _not_this_effect(probation, run)
                    or book.refusal(*who)
                )
                if why:
                    return why
                if not may_take and not book.has_ticket(*who):
                    return f"the run has no ticket of {book.probation_id}; pause_point() takes one"
            if may_take:
                return next((why for book in books if (why := book.take(*who, now=now))), "")
        except TicketFault as exc:
            return str(exc)
        return ""

    @staticmethod
    def _over(probation: dict[str, Any], book: TicketBook, now: datetime) -> str:
        """Return why a narrow restart is over by the clock; what is seen over once stays over."""
        until = probation["until"]
        if until is None or now < from_text(until):
            return ""
        why = f"the narrow restart {book.probation_id} ended at {until}"
        with contextlib.suppress(TicketFault):
            book.close(why, now=now)
        return why


def _let_through(holds: list[dict[str, Any]]) -> str:
    """Say what lets a run through the holds that cover it: a narrow restart of each, or that it drains."""
    said = [
        f"in flight, and {hold['hold_id']} drains"
        if hold["probation"] is None
        else f"narrow restart {hold['probation']['probation_id']} under {hold['hold_id']}"
        for hold in holds
    ]
    return f"let through: {', '.join(said)}"


def _not_here(probation: dict[str, Any], folder_id: str) -> str:
    """Return why a narrow restart lets nothing through in this gate folder, or an empty text.

    What was published is this folder's share already. It is looked at again, because a copy of the folder
    has what was published for the folder that it was copied from, and tickets besides.
    """
    shares = probation.get("shares")
    is_ours = folder_id and any(s["folder_id"] == folder_id and s["runs"] > 0 for s in shares or ())
    if shares is None or is_ours:
        return ""
    named = ", ".join(f"{share['host']} ({share['runs']})" for share in shares)
    return (
        f"the narrow restart {probation['probation_id']} lets no run through on this host: its runs are on "
        f"{named}, as these hosts were when it was given"
    )


def _not_this_effect(probation: dict[str, Any], run: AskedRun) -> str:
    """Return why a narrow restart that is for reads holds what is about to write, or an empty text."""
    if run.effect == "read" or probation.get("effects", "write") != "read":
        return ""
    return f"the narrow restart {probation['probation_id']} lets reads through, and this is a write"

"""The monthly review as a notebook shows it: one object, one property for each cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.clock import from_text, to_text
from workbench.delivery.judging import kept_outcome
from workbench.drills import GATE, DrillOutcome
from workbench.engines.addresses import read_addresses
from workbench.errors import UsageFault
from workbench.plots.text import label
from workbench.records import CHECKLIST, Event, HeadNote
from workbench.reports.markup import Fragment, facts, heading, join, paragraph, safe, strip, style
from workbench.reports.opened import objective_rows, probation_rows, ticket_rows
from workbench.reports.parameters import RUN_TICKET, Instant, faults_of
from workbench.reports.shelf import PAYLOAD_MIME, sentinel_of
from workbench.reports.tables import TableNote, table, to_second
from workbench.review.month import (
    MonthFound,
    MonthRequest,
    assess_month,
    month_queries,
    seen_until,
)
from workbench.review.request import of_store
from workbench.review.thresholds import thresholds_under
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.folding import fold
from workbench.store.reported import HEAD_LABEL
from workbench.store.state import State
from workbench.warehouse import Warehouse

NAME = "monthly-review"
NO_CATEGORY = "(none)"
LABELS = {"interval_95": "95 % interval", "observation_count": "observations"}
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


class MonthlyReviewParameters(BaseModel):
    """Which month is looked at.

    Attributes:
        month: `2026-11`, in UTC.
        as_of: nothing that happened at or after it is looked at.
        manifest_version: the sealed state of the warehouse; 0 takes the newest.
        log_seq: the sealed position of the store's log; 0 takes the newest.
        run_ticket: names the run that made a page of it; empty when a person runs the notebook by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    title: ClassVar[str] = "Monthly review"

    month: Annotated[str, Field(pattern=f"^{_MONTH.pattern}$")]
    as_of: Instant
    manifest_version: Annotated[int, Field(ge=0)] = 0
    log_seq: Annotated[int, Field(ge=0)] = 0
    run_ticket: Annotated[str, Field(pattern=RUN_TICKET)] = ""


def check_month(given: Mapping[str, Any]) -> MonthlyReviewParameters:
    """Return the checked parameters; raises UsageFault that names each fault, or a month that has not begun."""
    month = str(given.get("month", ""))
    if not _MONTH.fullmatch(month):
        raise UsageFault(
            f"There is no month {label(month)!r}: write the year and a month from 01 to 12, as 2026-11.",
            next_step="`workbench report monthly` for the last month that is over",
        )
    try:
        asked = MonthlyReviewParameters.model_validate(dict(given))
    except ValidationError as exc:
        raise UsageFault(f"The notebook {NAME} was not started: {faults_of(exc)}.") from exc
    if bounds(asked.month)[0] >= from_text(asked.as_of):
        raise UsageFault(f"The month {asked.month} has not begun at {asked.as_of}.")
    return asked


def bounds(month: str) -> tuple[datetime, datetime]:
    """Return where a month begins and where the next one does, in UTC."""
    year, number = map(int, month.split("-"))
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)


def last_month(now: datetime) -> str:
    """Return the calendar month that was over last, as a scheduler asks for it."""
    year, month = (now.year - 1, 12) if now.month == 1 else (now.year, now.month - 1)
    return f"{year:04d}-{month:02d}"


def stood_at(events: Sequence[Event], until: datetime) -> State:
    """Return the state as it stood at the end of a month: what was registered or drilled later is not of it."""
    last = max((event.seq for event in events if event.occurred_at < until), default=0)
    return fold(event for event in events if event.seq <= last)


def request_of(asked: MonthlyReviewParameters, state: State) -> MonthRequest:
    """Return the frozen question: every category that has automations in the registry of that time."""
    since, end = bounds(asked.month)
    now = from_text(asked.as_of)
    until = min(end, now)
    members: dict[str, list[str]] = {}
    for key, record in sorted(state.automations.items()):
        if not record.is_retired:
            members.setdefault(record.category or NO_CATEGORY, []).append(key)
    return MonthRequest(
        month=asked.month,
        since=since,
        until=until,
        as_of=seen_until(until, now),
        categories={name: tuple(ids) for name, ids in members.items()},
        thresholds=thresholds_under(state.policies.get(state.environment)),
        environment=state.environment or None,
    )


def readiness_rows(state: State, engine_ids: frozenset[str], *, until: datetime) -> pd.DataFrame:
    """Return one row per automation that is not retired.

    Columns automation_id, is_stoppable (it asks the gate, or its engine is named here), answer_count (of the
    checklist), last_drill_at (of its engine, or of the gate, before the end, and passed).
    """
    rows = [
        (
            key,
            record.asks_gate or record.engine in engine_ids,
            sum(bool(record.checklist.get(question)) for question in CHECKLIST),
            _last_drill(state, record.engine or GATE, until),
        )
        for key, record in sorted(state.automations.items())
        if not record.is_retired
    ]
    return pd.DataFrame(
        rows, columns=["automation_id", "is_stoppable", "answer_count", "last_drill_at"]
    )


def _last_drill(state: State, engine_id: str, until: datetime) -> datetime | None:
    passed = (
        from_text(body["command_at"])
        for body in state.drills.values()
        if body["engine"] == engine_id and kept_outcome(body)[0] is not DrillOutcome.FAILED
    )
    return max((at for at in passed if at < until), default=None)


def monthly_review(given: Mapping[str, Any]) -> MonthlyReview:
    """Check the parameters again, open the sealed positions, and look back over the month."""
    asked = check_month(given)
    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    events = list(store.events(until_seq=asked.log_seq or None))
    until = min(bounds(asked.month)[1], from_text(asked.as_of))
    state, then = fold(events), stood_at(events, until)
    request = request_of(asked, then)
    with Warehouse.open(settings.home).snapshot(asked.manifest_version or None) as snapshot:
        calls = [of_store(call, state.store_id) for call in month_queries(request)]
        tables = {call.name: snapshot.query(call.name, **call.parameters) for call in calls}
        version = snapshot.version
    engines = frozenset(read_addresses(settings.engines_file))
    tables["store.objectives"] = objective_rows(then)
    tables["store.readiness"] = readiness_rows(then, engines, until=request.until)
    first_runs = sorted(hold.hold_id for hold in state.holds.values() if hold.is_first_run)
    tables["store.first_runs"] = pd.DataFrame({"hold_id": first_runs})
    tables["store.probation"] = probation_rows(state)
    tables["store.tickets"] = ticket_rows(store, state, until=request.until)
    found = assess_month(request, tables)
    seen = Seen(state.head, version, is_demo=settings.demo_clock_at is not None)
    return MonthlyReview(asked, request, found=found, seen=seen)


@dataclass(frozen=True)
class Seen:
    """The positions that a monthly review was read from."""

    head: HeadNote
    manifest_version: int
    is_demo: bool


class MonthlyReview:
    """One monthly review, computed once; its properties are the parts of the page."""

    def __init__(
        self,
        asked: MonthlyReviewParameters,
        request: MonthRequest,
        *,
        found: MonthFound,
        seen: Seen,
    ) -> None:
        """Take what was asked, the frozen question, what was found, and where it was read from."""
        self._asked, self._request, self.found, self._seen = asked, request, found, seen

    @property
    def style(self) -> Fragment:
        """The style sheet, for a notebook opened in JupyterLab."""
        return style()

    @property
    def top(self) -> Fragment:
        """Strips, which month, up to when it is known, and one sentence."""
        request, head = self._request, self._seen.head
        title = f"Monthly review: {request.month}"
        is_over = request.until == bounds(request.month)[1]
        pairs = [
            ("From (UTC)", to_second(request.since)),
            ("Until (UTC)", to_second(request.until) + ("" if is_over else ", not over yet")),
            ("Relapses known until (UTC)", to_second(request.as_of)),
            ("Automations", str(len(request.automation_ids))),
            ("Store", f"{head.store_id} ({head.environment})"),
            ("Snapshot", f"warehouse {self._seen.manifest_version}, log {head.seq}"),
        ]
        strips = []
        if self._seen.is_demo:
            strips.append(
                strip("DEMO", "Made from a recording; its clock stands. Nothing is live.")
            )
        if not self._asked.run_ticket:
            strips.append(strip("BY HAND", "Run by hand, not by the command."))
        shown = Fragment(f"<h1>{safe(title)}</h1>", title)
        return join([*strips, shown, facts(pairs), paragraph(self.found.sentence, "wb-lede")])

    @property
    def categories(self) -> Fragment:
        """One section for each category: its measures as rows."""
        return self._shown([n for n in self.found.sections if n.startswith("category-")])

    @property
    def rest(self) -> Fragment:
        """Action items, and how far the sources are loaded."""
        return self._shown([n for n in self.found.sections if not n.startswith("category-")])

    @cached_property
    def ending(self) -> Ending:
        """Where the log stood, the measures as plain values, and the words that end a run that makes a page."""
        return Ending(self._seen, self.document(), ticket=self._asked.run_ticket)

    def document(self) -> dict[str, Any]:
        """Return what was found as plain values: month, bounds, positions, and each category's measures."""
        return {
            "month": self._request.month,
            "since": to_text(self._request.since),
            "until": to_text(self._request.until),
            "as_of": to_text(self._request.as_of),
            "manifest_version": self._seen.manifest_version,
            "log_seq": self._seen.head.seq,
            "sentence": self.found.sentence,
            "categories": {
                name.removeprefix("category-"): next(iter(section.tables.values())).to_dict(
                    "records"
                )
                for name, section in self.found.sections.items()
                if name.startswith("category-")
            },
            "action_items": self.found.sections["action_items"].sentence,
        }

    def _shown(self, names: list[str]) -> Fragment:
        parts = []
        for name in names:
            section = self.found.sections[name]
            parts += [heading(section.title, anchor=name), paragraph(section.sentence, "wb-lede")]
            parts += [
                table(rows, TableNote(said, labels=LABELS)) for said, rows in section.tables.items()
            ]
        return join(parts)


class Ending:
    """The last thing that the page shows: where the log stood."""

    def __init__(self, seen: Seen, document: Mapping[str, Any], *, ticket: str) -> None:
        """Take the positions, what was found, and the ticket of the run; empty by hand."""
        self._seen, self._document, self._ticket = seen, document, ticket

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        words = sentinel_of(self._ticket) if self._ticket else "run by hand"
        shown = join(
            [
                heading("What this was read from", anchor="log"),
                facts([(HEAD_LABEL, self._seen.head.text)]),
            ]
        )
        return {
            "text/html": shown.html,
            "text/plain": words,
            PAYLOAD_MIME: {"monthly": dict(self._document)},
        }

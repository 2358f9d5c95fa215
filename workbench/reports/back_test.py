"""The back-test as a notebook shows it, and the page that is made of it.

It reads incident histories of the warehouse and replays holds, one's own or a shipped recording's. It decides
nothing and records nothing: no hold rests on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import altair as alt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.clock import from_text, to_text
from workbench.errors import NotFound, ReportIncomplete, UsageFault
from workbench.plots import back_test as plots
from workbench.plots.drawing import to_svg
from workbench.recordings import Recording
from workbench.reports.back_test_place import cell_seconds, own_place, recorded_place, replay_holds
from workbench.reports.make import notebooks_folder
from workbench.reports.markup import (
    Fragment,
    facts,
    figure,
    heading,
    join,
    paragraph,
    safe,
    strip,
    style,
)
from workbench.reports.page import stamp, to_html
from workbench.reports.parameters import RUN_TICKET, OptionalInstant, faults_of
from workbench.reports.runner import RunLimits, execute
from workbench.reports.shelf import PAYLOAD_MIME, sentinel_of
from workbench.reports.tables import TableNote, table, to_second
from workbench.review.backtest import Pace
from workbench.review.backtest_page import LIMITS, history_section, replay_section
from workbench.review.ground import Section
from workbench.review.histories import histories_of, history_queries
from workbench.review.relapse import History
from workbench.review.replay import HoldReplay
from workbench.settings import Settings
from workbench.warehouse import Warehouse

NAME = "back-test"
NOTEBOOK = "back_test"
NOTHING = "There is nothing to test back: no incident history is loaded, and no hold was placed."
LOAD_FIRST = (
    "`workbench load --mapping status-page-incidents --constant provider=NAME FILE`, or "
    "`workbench back-test --recording agents-relapse`"
)
HISTORY_TABLES = ("provider_status", "incident", "alert")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
DRAWERS: Mapping[str, tuple[Any, str]] = {
    "relapse_shares": (
        plots.relapse_shares,
        "Share of resolutions that relapsed within 24 h, with its exact 95 % interval, beside what chance gives.",
    ),
    "rules": (
        plots.rules,
        "What became of the relapses under each rule, and the hours that it held everything paused.",
    ),
    "looks": (
        plots.looks,
        "What the gate said, each time it was asked after the last alert had stopped.",
    ),
}


LABELS = {
    "resolution_count": "resolutions",
    "relapse_count": "relapses",
    "relapse_share": "share",
    "chance_share": "chance, own rate",
    "local_chance_share": "chance, local rate",
}


class BackTestParameters(BaseModel):
    """What is tested back.

    Attributes:
        recording: a shipped recording whose holds are replayed; empty for one's own.
        since: incidents before it are left out; empty for none.
        as_of: nothing at or after it is looked at; empty for now.
        runs_per_hour: runs of an automation an hour, which say how long clean runs take.
        hold_count: the newest holds that are replayed; 0 for none.
        manifest_version: the warehouse's version; 0 for the newest.
        run_ticket: names the run that made a page of it; empty when a person runs the notebook by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    title: ClassVar[str] = "Back-test of restart rules"

    recording: Annotated[str, Field(pattern=r"^(?:[a-z0-9][a-z0-9-]{0,62})?$")] = ""
    since: OptionalInstant = ""
    as_of: OptionalInstant = ""
    runs_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    hold_count: Annotated[int, Field(ge=0, le=100)] = 10
    manifest_version: Annotated[int, Field(ge=0)] = 0
    run_ticket: Annotated[str, Field(pattern=RUN_TICKET)] = ""


def back_test(given: Mapping[str, Any]) -> BackTest:
    """Read the histories and replay the holds; raises UsageFault for parameters, NotFound for nothing to read."""
    asked = check_back_test(given)
    settings = Settings.from_environment()
    as_of = from_text(asked.as_of) if asked.as_of else settings.clock().now()
    since = from_text(asked.since) if asked.since else BEGINNING
    if since >= as_of:
        raise UsageFault(f"since ({to_text(since)}) has to be before as_of ({to_text(as_of)}).")
    with Warehouse.open(settings.home).snapshot(asked.manifest_version or None) as snapshot:
        calls = history_queries(since=since, as_of=as_of)
        tables = {call.name: snapshot.query(call.name, **call.parameters) for call in calls}
        version, digests = snapshot.version, dict(snapshot.queries_used)
    histories = histories_of(tables, as_of=as_of)
    replays = _replays(asked, settings, as_of)
    if not histories and not replays:
        raise NotFound(NOTHING, next_step=LOAD_FIRST)
    found = Found(histories, replays, version=version, digests=digests, as_of=as_of)
    return BackTest(found, asked, demo_clock_at=settings.demo_clock_at)


def check_back_test(given: Mapping[str, Any]) -> BackTestParameters:
    """Return the checked parameters; raises UsageFault that names each fault on one line."""
    try:
        return BackTestParameters.model_validate(dict(given))
    except ValidationError as exc:
        raise UsageFault(f"The {NAME} was not started: {faults_of(exc)}.") from exc


def _replays(asked: BackTestParameters, settings: Settings, as_of: datetime) -> list[HoldReplay]:
    if not asked.hold_count:
        return []
    if asked.recording:
        with recorded_place(asked.recording) as recorded:
            return replay_holds(recorded, most=asked.hold_count)
    place = own_place(settings, until=as_of)
    return replay_holds(place, most=asked.hold_count) if place else []


@dataclass(frozen=True)
class Found:
    """What a back-test read: histories, replayed holds, and the positions they were read at."""

    histories: Sequence[History]
    replays: Sequence[HoldReplay]
    version: int
    digests: Mapping[str, str]
    as_of: datetime


class BackTest:
    """One back-test, computed once; its properties are the parts of the page."""

    def __init__(
        self, found: Found, asked: BackTestParameters, *, demo_clock_at: datetime | None
    ) -> None:
        """Take what was read, what was asked, and the recorded clock where one stands."""
        self.found, self._asked, self._demo_clock_at = found, asked, demo_clock_at

    @cached_property
    def histories(self) -> list[Section]:
        """A section for each history."""
        pace = Pace(float(self._asked.runs_per_hour))
        return [history_section(history, pace=pace) for history in self.found.histories]

    @cached_property
    def replay(self) -> Section:
        """The section of the replayed holds."""
        of = f"recording {self._asked.recording}" if self._asked.recording else "our own holds"
        return replay_section(self.found.replays, title=f"The gate replayed: {of}")

    @property
    def style(self) -> Fragment:
        """The style sheet, for a notebook opened in JupyterLab."""
        return style()

    @property
    def top(self) -> Fragment:
        """Strips, the question, and where everything was read."""
        title = self._asked.title
        pairs = [
            ("Incidents until (UTC)", to_second(self.found.as_of)),
            ("Histories", len(self.found.histories)),
            ("Holds replayed", len(self.found.replays)),
            ("Runs an hour, assumed", self._asked.runs_per_hour),
            ("Warehouse version", self.found.version),
        ]
        question = "What would `resume when the alert stops` have met, and what would waiting or the gate have avoided?"
        return join(
            [
                *self._strips(),
                Fragment(f"<h1>{safe(title)}</h1>", title),
                paragraph(question, "wb-lede"),
                facts(pairs),
            ]
        )

    def _strips(self) -> list[Fragment]:
        found = []
        if self._demo_clock_at is not None:
            at = to_second(self._demo_clock_at)
            found.append(strip("DEMO", f"Made from a recording; its clock stands at {at} UTC."))
        if self._asked.recording and self.found.replays:
            said = f"The holds are those of the recording {self._asked.recording}: the fault in it is staged."
            found.append(strip("RECORDING", said))
        if not self._asked.run_ticket:
            found.append(strip("BY HAND", "Run by hand."))
        return found

    @property
    def relapses(self) -> Fragment:
        """Every history: relapse shares, chance beside them, rules compared."""
        if not self.histories:
            said = "No incident history is loaded: cannot tell how often what is resolved relapses."
            return join(
                [heading("Incident histories", anchor="histories"), paragraph(said, "wb-lede")]
            )
        return join([_shown(section, f"history-{n}") for n, section in enumerate(self.histories)])

    @property
    def gate(self) -> Fragment:
        """The replayed holds."""
        return join([_shown(self.replay, "replay")])

    @property
    def limits(self) -> Fragment:
        """What an incident history cannot tell."""
        parts = [paragraph(line) for line in LIMITS]
        return join([heading("What this cannot tell", anchor="limits"), *parts])

    @cached_property
    def ending(self) -> Ending:
        """What it was read from, and the words that end a run that makes a page."""
        return Ending(self.found, self.document(), ticket=self._asked.run_ticket)

    def document(self) -> dict[str, Any]:
        """Return what was found as plain values."""
        return {
            "as_of": to_text(self.found.as_of),
            "manifest_version": self.found.version,
            "histories": [_plain(section) for section in self.histories],
            "replay": _plain(self.replay),
            "limits": list(LIMITS),
        }


def _plain(section: Section) -> dict[str, Any]:
    tables = {
        caption: rows.astype(object).where(rows.notna(), None).to_dict("records")
        for caption, rows in section.tables.items()
    }
    return {"title": section.title, "says": section.sentence, "tables": tables}


def _shown(section: Section, anchor: str) -> Fragment:
    said = [paragraph(line, "wb-lede") for line in section.sentence.splitlines()]
    pieces = [heading(section.title, anchor=anchor), *said]
    for name, rows in section.figures.items():
        draw, caption = DRAWERS[name]
        chart: alt.TopLevelMixin = draw(rows)
        pieces.append(figure(to_svg(chart), caption))
    pieces += [
        table(rows, TableNote(caption, labels=LABELS)) for caption, rows in section.tables.items()
    ]
    return join(pieces)


class Ending:
    """The last thing that the page shows: what it was read from."""

    def __init__(self, found: Found, document: Mapping[str, Any], *, ticket: str) -> None:
        """Take what was read, what was found, and the ticket of the run; empty by hand."""
        self._found, self._document, self._ticket = found, document, ticket

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        words = sentinel_of(self._ticket) if self._ticket else "run by hand"
        digests = pd.DataFrame(sorted(self._found.digests.items()), columns=["query", "sha256"])
        shown = join(
            [
                heading("What this was read from", anchor="read"),
                facts([("Warehouse version", self._found.version)]),
                table(digests, TableNote("Queries that were run, with the digest of their text")),
            ]
        )
        return {"text/html": shown.html, "text/plain": words, PAYLOAD_MIME: dict(self._document)}


@dataclass(frozen=True)
class MadePage:
    """A page of a back-test, and what it found as plain values."""

    html: Path
    document: Mapping[str, Any]


def make_back_test(settings: Settings, given: Mapping[str, Any]) -> MadePage:
    """Run the notebook and return its page.

    Raises UsageFault or NotFound before a kernel starts, ReportIncomplete with where it came to.
    """
    asked = check_back_test(given)
    _refuse_nothing(settings, asked)
    ticket = secrets.token_hex(16)
    name = asked.as_of or to_text(settings.clock().now())
    folder = settings.home / "back-tests" / name.replace(":", "").replace("+", "")
    folder.mkdir(parents=True, exist_ok=True)
    done = execute(
        notebooks_folder() / f"{NOTEBOOK}.ipynb",
        folder / f"{NAME}.ipynb",
        parameters={**asked.model_dump(), "run_ticket": ticket},
        sentinel=sentinel_of(ticket),
        settings=settings,
        limits=RunLimits(cell_seconds(asked.hold_count)),
    )
    why = done.incomplete_because
    stamp(done.notebook, title=asked.title, incomplete_because=why)
    page = folder / (f"{NAME}.INCOMPLETE.html" if why else f"{NAME}.html")
    page.write_text(to_html(done.notebook), encoding="utf-8")
    if why:
        raise ReportIncomplete(
            f"The back-test is INCOMPLETE: {why}", next_step=f"open {page} to see how far it came"
        )
    return MadePage(page, done.payload)


def _refuse_nothing(settings: Settings, asked: BackTestParameters) -> None:
    """Refuse at once what the notebook could only refuse after its kernel had started."""
    if asked.recording:
        Recording.open(asked.recording)
        return
    with Warehouse.open(settings.home).snapshot(asked.manifest_version or None) as snapshot:
        has_history = any(snapshot.row_count(name) for name in HISTORY_TABLES)
    until = from_text(asked.as_of) if asked.as_of else settings.clock().now()
    if not has_history and not (asked.hold_count and own_place(settings, until=until)):
        raise NotFound(NOTHING, next_step=LOAD_FIRST)

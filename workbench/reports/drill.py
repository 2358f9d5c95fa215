"""A drill as a notebook shows it: the outcome, declared against observed with differences marked, earlier drills."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.clock import from_text
from workbench.delivery.judging import kept_outcome, outcome_in_words
from workbench.drills import DrillOutcome
from workbench.errors import NotFound, ReportIncomplete, UsageFault
from workbench.records import HeadNote, Mode
from workbench.reports.make import notebooks_folder
from workbench.reports.markup import Fragment, facts, heading, join, paragraph, safe, strip, style
from workbench.reports.page import stamp, to_html
from workbench.reports.parameters import RUN_TICKET, faults_of
from workbench.reports.runner import RunLimits, execute
from workbench.reports.shelf import PAYLOAD_MIME, sentinel_of
from workbench.reports.tables import TableNote, table, to_second
from workbench.scope import SLUG
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.folding import fold
from workbench.store.reported import HEAD_LABEL

NAME = "pause-drill"
TONES = {
    DrillOutcome.PASSED: "good",
    DrillOutcome.AS_DECLARED: "warn",
    DrillOutcome.FAILED: "bad",
}
DIFFERS = "DIFFERS"
AS_DECLARED = "as declared"
NOT_TRIED = "not tried"
NOT_SEEN = "not seen"


class PauseDrillParameters(BaseModel):
    """Which drill is shown.

    Attributes:
        engine_id: as in the file of engines, or `gate`.
        log_seq: the newest drill up to this event of the log; 0 for the newest of all.
        run_ticket: names the run that made a page of it; empty when a person runs the notebook by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    title: ClassVar[str] = "Pause drill"

    engine_id: Annotated[str, Field(pattern=f"^(?:{SLUG.pattern})$")]
    mode: Annotated[str, Field(pattern="^(?:drain|freeze|halt)$")] = str(Mode.FREEZE)
    log_seq: Annotated[int, Field(ge=0)] = 0
    run_ticket: Annotated[str, Field(pattern=RUN_TICKET)] = ""


def pause_drill(given: Mapping[str, Any]) -> PauseDrill:
    """Return the newest drill of an engine in a mode; raises UsageFault for what was asked, NotFound for no drill."""
    try:
        asked = PauseDrillParameters.model_validate(dict(given))
    except ValidationError as exc:
        raise UsageFault(f"The notebook {NAME} was not started: {faults_of(exc)}.") from exc
    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    state = fold(store.events(until_seq=asked.log_seq or None))
    found = [
        b
        for b in state.drills.values()
        if (b["engine"], b["mode"]) == (asked.engine_id, asked.mode)
    ]
    if not found:
        raise NotFound(
            f"No drill of {asked.engine_id} in mode {asked.mode} is on record.",
            next_step=f"`workbench drill {asked.engine_id} --mode {asked.mode}` in staging",
        )
    newest = max(found, key=lambda body: str(body["command_at"]))
    version = state.engine_versions.get(asked.engine_id, newest["version"])
    return PauseDrill(
        newest, list(state.drills.values()), asked=asked, head=state.head, version_now=version
    )


class PauseDrill:
    """One drill from the log; its properties are the parts of the page."""

    def __init__(
        self,
        body: Mapping[str, Any],
        others: list[Mapping[str, Any]],
        *,
        asked: PauseDrillParameters,
        head: HeadNote,
        version_now: str,
    ) -> None:
        """Take the certificate, all that are on record, what was asked, and where the log stood."""
        self.body, self._others, self._asked = body, others, asked
        self._head, self._version_now = head, version_now
        self.outcome, self.not_held = kept_outcome(body)

    @property
    def style(self) -> Fragment:
        """The style sheet, for a notebook opened in JupyterLab."""
        return style()

    @property
    def top(self) -> Fragment:
        """What was drilled, the outcome in large words, and the times from the command on."""
        body = self.body
        words = outcome_in_words(self.outcome, self.not_held)
        pairs = [
            ("Engine", f"{body['engine']} ({body['engine_kind']} {body['version']})"),
            ("Environment", body["environment"]),
            ("Kind of automation", body["kind"]),
            ("Drilled at (UTC)", to_second(from_text(body["command_at"]))),
            ("Drilled by", body["drilled_by"]),
            ("Read back", self._after("confirmed_at", "NEVER")),
            ("Quiet", self._after("quiet_at", "not while it was watched")),
            ("Last start", self._after("last_start_at", "none")),
            ("Started after it", ", ".join(body["leaks"]) or "none"),
        ]
        title = f"Pause drill: {body['engine']}, {body['mode']}"
        return join(
            [
                *self._strips(),
                Fragment(f"<h1>{safe(title)}</h1>", title),
                self._banner(words),
                facts(pairs),
            ]
        )

    @property
    def effects(self) -> Fragment:
        """Declared against observed, a row for each class of work, differences first and marked."""
        rows = sorted(self.rows, key=lambda row: row["is_it"] != DIFFERS)
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        said = _in_words([str(row["is_it"]) for row in rows])
        return join(
            [
                heading("Declared against observed", anchor="effects"),
                paragraph(said, "wb-lede"),
                table(frame, TableNote("Each class of work", labels=_COLUMNS)),
                *(paragraph(f"Clean up by hand: {one}") for one in self.body["left"]),
            ]
        )

    @property
    def rows(self) -> list[dict[str, str | None]]:
        """The rows of the comparison as plain values."""
        return list(self._rows())

    @property
    def others(self) -> Fragment:
        """Every drill on record, newest first, so that a change of version or of outcome is seen."""
        rows = [
            {
                "drilled_at": from_text(body["command_at"]),
                "engine": f"{body['engine']} ({body['engine_kind']} {body['version']})",
                "kind": body["kind"],
                "mode": body["mode"],
                "environment": body["environment"],
                "outcome": outcome_in_words(*kept_outcome(body)),
            }
            for body in sorted(self._others, key=lambda b: str(b["command_at"]), reverse=True)
        ]
        note = TableNote("The newest drill of each engine, version, kind, mode and environment")
        return join(
            [heading("All drills on record", anchor="others"), table(pd.DataFrame(rows), note)]
        )

    @cached_property
    def ending(self) -> Ending:
        """Where the log stood, and the words that end a run that makes a page."""
        return Ending(self._head, self._asked.run_ticket)

    def _strips(self) -> Iterator[Fragment]:
        if self._version_now != self.body["version"]:
            yield strip(
                "STALE", f"The engine is version {self._version_now} now; this drill is of another."
            )
        if not self._asked.run_ticket:
            yield strip("BY HAND", "Shown by hand; the drill itself stands in the log.")

    def _banner(self, words: str) -> Fragment:
        tone = TONES[self.outcome]
        return Fragment(
            f'<section class="wb-verdict wb-tone-{tone}" aria-label="Outcome">'
            f'<p class="wb-word">{safe(words)}</p></section>',
            words,
        )

    def _after(self, name: str, otherwise: str) -> str:
        if not self.body[name]:
            return otherwise
        seconds = (from_text(self.body[name]) - from_text(self.body["command_at"])).total_seconds()
        return f"{abs(seconds):.1f} s {'after' if seconds >= 0 else 'before'} the command"

    def _rows(self) -> Iterator[dict[str, str | None]]:
        odd = {one["work_class"]: one["declared"] for one in self.body["differences"]}
        known = {one["work_class"]: one for one in self.body.get("declared", ())} | odd
        for seen in self.body["effects"]:
            name = seen["work_class"]
            mark = NOT_SEEN if seen["on_pause"] == "unknown" else AS_DECLARED
            yield _row(name, known.get(name, {}), seen, DIFFERS if name in odd else mark)
        for one in self.body["cannot"]:
            yield _row(one["work_class"], {}, {}, f"{NOT_TRIED}: {one['why']}")


_COLUMNS = {
    "work_class": "work",
    "declared_pause": "declared on pause",
    "observed_pause": "observed on pause",
    "declared_resume": "declared on resume",
    "observed_resume": "observed on resume",
    "is_it": "result",
}


def _row(
    name: str, said: Mapping[str, str], seen: Mapping[str, str], mark: str
) -> dict[str, str | None]:
    return {
        "work_class": name.replace("_", " "),
        "declared_pause": _plain(said.get("on_pause")),
        "observed_pause": _plain(seen.get("on_pause")),
        "declared_resume": _plain(said.get("on_resume")),
        "observed_resume": _plain(seen.get("on_resume")),
        "is_it": mark,
    }


def _in_words(marks: list[str]) -> str:
    """Sum the comparison up, what differs first."""
    counts = [
        (marks.count(DIFFERS), "did otherwise than declared"),
        (marks.count(NOT_SEEN), "were started and not seen well enough to tell"),
        (marks.count(AS_DECLARED), "did what is declared"),
        (sum(mark.startswith(NOT_TRIED) for mark in marks), "could not be tried"),
    ]
    said = "; ".join(f"{count} {words}" for count, words in counts if count)
    return f"Of {len(marks)} classes of work: {said}."


def _plain(word: str | None) -> str | None:
    return word.replace("_", " ") if word else None


class Ending:
    """The last thing that the page shows: where the log stood."""

    def __init__(self, head: HeadNote, ticket: str) -> None:
        """Take the position of the log, and the ticket of the run; empty by hand."""
        self._head, self._ticket = head, ticket

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        words = sentinel_of(self._ticket) if self._ticket else "run by hand"
        shown = join(
            [
                heading("What this was read from", anchor="log"),
                facts([(HEAD_LABEL, self._head.text)]),
            ]
        )
        return {"text/html": shown.html, "text/plain": words, PAYLOAD_MIME: {"seq": self._head.seq}}


def make_drill_page(
    settings: Settings, *, engine_id: str, mode: str, head: HeadNote, checkpoint: str
) -> Path:
    """Run the notebook about the newest drill and return its page; raises ReportIncomplete with where it came to.

    The page shows what the log has; the drill itself is recorded already and is not lost with the page.
    """
    folder = settings.home / "drills" / f"{engine_id}-{mode}-{head.seq}"
    folder.mkdir(parents=True, exist_ok=True)
    ticket = secrets.token_hex(16)
    done = execute(
        notebooks_folder() / "pause_drill.ipynb",
        folder / f"{NAME}.ipynb",
        parameters={
            "engine_id": engine_id,
            "mode": mode,
            "log_seq": head.seq,
            "run_ticket": ticket,
        },
        sentinel=sentinel_of(ticket),
        settings=settings,
        limits=replace(RunLimits(), cell_seconds=60),
    )
    why = done.incomplete_because
    title = f"Pause drill: {engine_id}, {mode}"
    stamp(done.notebook, title=title, incomplete_because=why, checkpoint=checkpoint)
    page = folder / (f"{NAME}.INCOMPLETE.html" if why else f"{NAME}.html")
    page.write_text(to_html(done.notebook), encoding="utf-8")
    if why:
        raise ReportIncomplete(
            f"The page of the drill is INCOMPLETE: {why} The drill itself is recorded.",
            next_step=f"open {page} to see how far it came",
        )
    return page

"""Rechecks a decision: its report again from the sealed inputs, then with what was loaded since about the same time.

Three answers and never a fourth: unchanged, changed, or unknown. What cannot be had as it was sealed is unknown,
and so is what late rows would do while a source is still not loaded up to the report's instant.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.clock import to_text
from workbench.control.commands import Control
from workbench.errors import NotFound, WorkbenchError, in_words
from workbench.records import Check, Decision, ReportRef, Verdict
from workbench.reports.opened import Frozen, freeze
from workbench.reports.parameters import ReportParameters, check_parameters
from workbench.reports.parts import check_document
from workbench.reports.seal import code_digest, digest
from workbench.reports.shelf import Shelf
from workbench.review.check_freshness import SERVED_BY, stale_tables, telling_sources
from workbench.review.ground import Ground, listed
from workbench.review.restart import assess_restart, restart_queries
from workbench.settings import Settings
from workbench.store.folding import fold
from workbench.warehouse import Warehouse

JUDGED = ("verdict", "reason", "first_blocker", "checks")
"""What must come out again from the sealed inputs; the rest of `verdict.json` follows from it or names versions."""

DERIVED = (
    "review.watermarks",
    "review.serving_sources",
    "review.pause_reach",
    "review.pause_in_flight",
)
"""Queries whose rows say of other tables' rows what those say themselves."""

RUNS, OUTCOMES = "review.runs", "review.outcomes"
"""The second reaches further back than the first and says of the same runs less."""

Tables = Mapping[str, pd.DataFrame]


class Answer(StrEnum):
    """What a recheck can say."""

    UNCHANGED = "UNCHANGED"
    CHANGED = "CHANGED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Recheck:
    """What a recheck found.

    Attributes:
        because: why it is unknown, or what the late rows did; one sentence.
        changed_checks: check -> its status then and with what came late, where they differ.
        late_rows: query -> rows that were not there, told otherwise, or are gone since the report was made.
        late_verdict: what it would be with them; empty where the sealed inputs cannot be had.
        not_yet: tables of sources that are still not loaded up to the report's instant, and needed ones of no source.
        next_steps: the commands that load those.
    """

    decision: Decision
    report: ReportRef
    answer: Answer
    because: str
    late_verdict: str = ""
    changed_checks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    late_rows: Mapping[str, int] = field(default_factory=dict)
    not_yet: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sealed:
    """What the report's folder holds: its verdict and its seal, found to be those that were recorded."""

    document: Mapping[str, Any]
    seal: Mapping[str, Any]
    parameters: ReportParameters


class NotHad(Exception):
    """The sealed inputs cannot be had as they were; the text says why."""


def recheck_decision(control: Control, settings: Settings, *, decision_id: str) -> Recheck:
    """Recompute the report behind a decision; raises NotFound for a decision that there is not.

    The log counts up to its sealed position both times: it is written when things happen, so nothing of it is late.
    """
    state = control.state()
    decision = state.decisions.get(decision_id)
    if decision is None:
        known = ", ".join(list(state.decisions)[-5:]) or "none"
        raise NotFound(
            f"There is no decision {decision_id}; newest: {known}.",
            next_step="`workbench report list` shows what was decided on",
        )
    report = state.reports[decision.report_id]
    try:
        sealed = _sealed(Shelf(settings.home, state.store_id), report)
        _refuse_other_inputs(control, settings.home, sealed=sealed)
        then = _frozen(control, settings, sealed.parameters)
        verdict, checks = _judged(then)
        _refuse_other_verdict(sealed, verdict, checks)
        now = _frozen(control, settings, _newest(sealed.parameters), pinned=then)
    except NotHad as exc:
        return Recheck(decision, report, Answer.UNKNOWN, str(exc))
    except WorkbenchError as exc:
        return Recheck(decision, report, Answer.UNKNOWN, exc.message)
    with Warehouse.open(settings.home).snapshot() as snapshot:
        synced = {mark.source_id for mark in snapshot.watermarks() if not mark.batch_id}
    return _compared(decision, report, then=then, now=now, synced=synced)


def _sealed(shelf: Shelf, report: ReportRef) -> Sealed:
    """Read verdict and seal of a report; raises NotHad for what is not what the log says was recorded."""
    folder = shelf.place_of(report.report_id)
    try:
        text = (folder / "verdict.json").read_text(encoding="ascii")
        document, seal = json.loads(text), json.loads((folder / "seal.json").read_bytes())
        content = {k: v for k, v in seal.items() if k not in ("seal_digest", "checkpoint")}
        is_same = hashlib.sha256(text.encode("ascii")).hexdigest() == report.digest
        if not is_same or digest(content) != document["seal_digest"]:
            raise NotHad(
                f"verdict.json or seal.json of {report.report_id} is not what was recorded."
            )
        parameters = check_parameters(report.name, seal["parameters"])
    except FileNotFoundError as exc:
        raise NotHad(
            f"{report.report_id} was made in another WORKBENCH_HOME, or its folder was removed: it is not in {folder}. "
            f"Recheck with the home that it was made in, or `workbench review {report.hold_id}` anew."
        ) from exc
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise NotHad(
            f"The report {report.report_id} cannot be read in {folder} ({in_words(exc)})."
        ) from exc
    return Sealed(document, seal, parameters)


def _frozen(
    control: Control,
    settings: Settings,
    parameters: ReportParameters,
    *,
    pinned: Frozen | None = None,
) -> Frozen:
    events = control.store.events(until_seq=parameters.log_seq)
    return freeze(
        control.store,
        fold(events),
        parameters=parameters,
        home=settings.home,
        queries_of=restart_queries,
        pinned=pinned,
    )


def _newest(parameters: ReportParameters) -> ReportParameters:
    return parameters.model_copy(update={"manifest_version": 0})


def _refuse_other_inputs(control: Control, home: Path, *, sealed: Sealed) -> None:
    """Compare the log's head with the sealed one, and the warehouse's files, byte for byte, with the seal."""
    head = control.store.state(until_seq=sealed.parameters.log_seq).head
    if head.hash != sealed.seal["log_head"]["hash"]:
        raise NotHad(
            f"The log was rewritten since: event {head.seq} is another than the sealed one."
        )
    with Warehouse.open(home).snapshot(sealed.parameters.manifest_version) as snapshot:
        if damage := snapshot.damage():
            raise NotHad(f"The warehouse was rewritten since the report: {damage}.")
        told = sealed.seal.get("warehouse_digest")
        if told is not None and told != snapshot.content_digest():
            raise NotHad(
                f"Version {snapshot.version} of the warehouse holds something else than when the report was made."
            )


def _judged(found: Frozen) -> tuple[Verdict, tuple[Check, ...]]:
    review = assess_restart(found.request, found.tables)
    return review.verdict, review.checks


def _refuse_other_verdict(sealed: Sealed, verdict: Verdict, checks: tuple[Check, ...]) -> None:
    again = {
        "verdict": verdict.kind.value,
        "reason": verdict.reason,
        "first_blocker": verdict.first_blocker,
        "checks": [check_document(check) for check in checks],
    }
    if all(again[name] == sealed.document[name] for name in JUDGED):
        return
    said = f"computed again from the sealed inputs the verdict is {verdict.kind}"
    if sealed.seal["code_digest"] != code_digest():
        raise NotHad(f"The judgement itself was changed since the report; {said}.")
    raise NotHad(f"The sealed inputs give not the same review again; {said}.")


def _compared(
    decision: Decision, report: ReportRef, *, then: Frozen, now: Frozen, synced: set[str]
) -> Recheck:
    before, checks_before = _judged(then)
    after, checks_after = _judged(now)
    late = _late_rows(then.tables, now.tables)
    changed = {
        was.name: (was.status.value, new.status.value)
        for was, new in zip(checks_before, checks_after, strict=True)
        if was.status is not new.status
    }
    behind = _behind(now)
    not_yet = tuple(
        f"{table} of {source}" if source else f"{table}, from no source" for source, table in behind
    )
    answer, because = Answer.UNCHANGED, ""
    if (before.kind, before.narrow_scope) != (after.kind, after.narrow_scope):
        answer, because = Answer.CHANGED, _moved(before, after)
    elif not_yet:
        answer = Answer.UNKNOWN
        until = to_text(report.as_of)
        because = f"More may come: {_lacking(behind, until)}."
    return Recheck(
        decision,
        report,
        answer,
        because,
        late_verdict=after.kind.value,
        changed_checks=changed,
        late_rows=late,
        not_yet=not_yet,
        next_steps=_load_all(behind, until=report.as_of, synced=synced),
    )


def _lacking(behind: list[tuple[str, str]], until: str) -> str:
    """Return which tables nobody ever loaded, and which sources are not loaded far enough."""
    never = [table for source, table in behind if not source]
    late = [f"{table} of {source}" for source, table in behind if source]
    said = [f"{listed(never, len(never))} came from no source at all"] if never else []
    said += [f"not loaded up to {until}: {listed(late, len(late))}"] if late else []
    return "; ".join(said)


def _moved(before: Verdict, after: Verdict) -> str:
    """Return the reason of the later verdict; where it is of the same kind, after what it would now let through."""
    if before.kind is not after.kind:
        return after.reason
    was, new = (one.narrow_scope or "nothing" for one in (before, after))
    return f"A narrow restart would have let through {new}, not {was}. {after.reason}"


def _late_rows(then: Tables, now: Tables) -> dict[str, int]:
    """Return the late rows of each query that has any; a run counts as an outcome only where `review.runs` lacks it."""
    known = pd.concat([then[RUNS], now[RUNS]])
    found = {}
    for name in now:
        was, rows = then[name], now[name]
        if name == OUTCOMES:
            was, rows = (_not_among(known, one) for one in (was, rows))
        if name not in DERIVED and (count := late_count(was, rows)):
            found[name] = count
    return found


def _not_among(runs: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    key = ["source_id", "run_id"]
    listed = outcomes.set_index(key).index.isin(runs.set_index(key).index)
    return outcomes[~listed]


def late_count(then: pd.DataFrame, now: pd.DataFrame) -> int:
    """Return how many rows are new, say otherwise, or are gone; one that says otherwise counts once."""
    known, found = Counter(_as_text(then)), Counter(_as_text(now))
    return max((found - known).total(), (known - found).total())


def _as_text(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in rows.itertuples(index=False)]


def _behind(now: Frozen) -> list[tuple[str, str]]:
    """Return source and table of what is not loaded up to the report's instant, or nobody knows how far.

    Where it shows which sources tell of these automations, only those count: what another brings is of others.
    Where none of a table's sources is shown to, each counts; a needed table that nobody loaded has no source.
    """
    marks = now.tables["review.watermarks"].reset_index(drop=True)
    ground = Ground(now.request, now.tables)
    is_loaded = marks["loaded_until_at"] >= pd.Timestamp(now.request.as_of)
    behind = marks[~is_loaded & ~_of_others(ground, marks)]
    absent = [name for name in stale_tables(ground) if name not in set(marks["table_name"])]
    found = zip(behind["source_id"].map(str), behind["table_name"].map(str), strict=True)
    return [*found, *(("", name) for name in absent)]


def _of_others(ground: Ground, marks: pd.DataFrame) -> pd.Series[bool]:
    """Tell which marks are of sources that tell of other automations alone, while another tells of these."""
    found = pd.Series(False, index=marks.index, dtype=bool)
    for table, mine in marks[marks["table_name"].isin(list(SERVED_BY))].groupby("table_name"):
        serves = mine["source_id"].isin(telling_sources(ground, str(table))["source_id"])
        if serves.any():
            found[mine.index] = ~serves
    return found


def _load_all(
    behind: list[tuple[str, str]], *, until: datetime, synced: set[str]
) -> tuple[str, ...]:
    """Return the commands that load what is behind, each once: an engine is read, what came in files comes in files."""
    commands = [
        shlex.join(["workbench", "sync", source])
        if source in synced
        else _load_of(source, table, until=until)
        for source, table in behind
    ]
    return tuple(dict.fromkeys(commands))


def _load_of(source: str, table: str, *, until: datetime) -> str:
    words = ["workbench", "load", "--table", table, "--source", source or "SOURCE", "FILE"]
    return shlex.join([*words, "--complete-until", to_text(until)])

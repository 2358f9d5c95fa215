"""Which sources tell of some automations, and how far each is loaded: what a resume is asked to bring along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import pandas as pd

from workbench.clock import FixedClock
from workbench.errors import NotFound, Refused
from workbench.evidence import Evidence, EvidenceQuestion, LoadedRun, SourceMark
from workbench.review.check_freshness import ALSO_SERVED_BY, SERVED_BY
from workbench.warehouse.manifest import Watermark
from workbench.warehouse.shelf import Warehouse


def read_evidence(home: Path, question: EvidenceQuestion) -> Evidence:
    """Return how far every source is loaded that told of these automations or of their providers."""
    with Warehouse.open(home, FixedClock(question.as_of)).snapshot() as snapshot:
        known = snapshot.query(
            "review.serving_sources",
            automation_ids=list(question.automation_ids),
            providers=list(question.providers),
            since=question.since,
            as_of=question.as_of,
        )
        marks = snapshot.watermarks()
    return Evidence(question.automation_ids, tuple(_serving(known, marks)))


def find_run(home: Path, run_id: str, *, source_id: str = "") -> LoadedRun:
    """Return a loaded run; raises NotFound where there is none, and Refused where several sources know one."""
    with Warehouse.open(home).snapshot() as snapshot:
        rows = snapshot.query("load.named_run", run_id=run_id)
    rows = rows.astype(object).where(rows.notna(), "")
    found = [LoadedRun(*map(str, row)) for row in rows.itertuples(index=False)]
    mine = [run for run in found if source_id in ("", run.source_id)]
    if not mine:
        elsewhere = ", ".join(run.source_id for run in found)
        known = f"; {elsewhere} knows one" if elsewhere else ""
        of_source = f" of {source_id}" if source_id else ""
        raise NotFound(
            f"No run {run_id}{of_source} is loaded{known}.",
            next_step="load it with `workbench sync` or `workbench load`, then review it",
        )
    if len(mine) > 1:
        names = ", ".join(run.source_id for run in mine)
        raise Refused(
            f"Several sources know a run {run_id}: {names}.",
            next_step=f"`workbench reviewed {quote(run_id)} --source {quote(mine[0].source_id)} --reason TEXT`",
        )
    return mine[0]


def _serving(known: pd.DataFrame, marks: tuple[Watermark, ...]) -> Iterator[SourceMark]:
    for mark in marks:
        name = mark.table_name
        served = (SERVED_BY[name], *ALSO_SERVED_BY.get(name, ())) if name in SERVED_BY else None
        telling = known if served is None else known[known["table_name"].isin(served)]
        if mark.source_id in set(telling["source_id"]):
            yield SourceMark(mark.source_id, name, mark.loaded_until_at, _load_command(mark))


def _load_command(mark: Watermark) -> str:
    """Return the command that loads it further.

    What an engine's reading marked belongs to no batch of a file, and its source is named as the engine is.
    """
    source = quote(mark.source_id)
    if not mark.batch_id:
        return f"`workbench sync {source}`"
    return f"`workbench load --table {mark.table_name} --source {source} FILE --complete-until INSTANT`"

"""What a notebook opens first: the sealed snapshot, and whether this is a recorded run or one by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from workbench.control import open_control
from workbench.errors import WorkbenchError
from workbench.records import HeadNote
from workbench.reports.parameters import ReportParameters
from workbench.reports.seal import Seal, package_versions, query_digests
from workbench.reports.shelf import Shelf
from workbench.settings import Settings
from workbench.warehouse import Warehouse

RunQuery = Callable[[str, Mapping[str, Any]], pd.DataFrame]


@dataclass(frozen=True)
class Opened:
    """The frozen ground of one report.

    Attributes:
        tables: result of each query, by its dotted name.
        is_recorded: a run that the runner started; otherwise the page says that it was run by hand.
        demo_clock_at: recorded instant at which everything stands, or None.
    """

    parameters: ReportParameters
    seal: Seal
    tables: Mapping[str, pd.DataFrame]
    is_recorded: bool
    demo_clock_at: datetime | None


def open_report(
    name: str, parameters: ReportParameters, calls: Iterable[tuple[str, Mapping[str, Any]]]
) -> Opened:
    """Run the queries over the sealed snapshot and return everything that the page is made from."""
    settings = Settings.from_environment()
    ticket = Shelf(settings.home).ticket(parameters.run_ticket)
    snapshot = Warehouse.open(settings.home).snapshot(parameters.manifest_version or None)
    found = list(calls)
    tables = {query: snapshot.query(query, **given) for query, given in found}
    seal = Seal(
        report=name,
        manifest_version=snapshot.version,
        log_head=_head(ticket, settings),
        query_digests=query_digests(query for query, _ in found),
        package_versions=package_versions(),
        parameters=parameters.asked(),
    )
    return Opened(parameters, seal, tables, bool(ticket), settings.demo_clock_at)


def _head(ticket: Mapping[str, Any], settings: Settings) -> HeadNote:
    if ticket:
        return HeadNote(**ticket["log_head"])
    try:
        return open_control(settings).head_note()
    except WorkbenchError:
        # A person may read a warehouse without any store at hand; the page then says so.
        return HeadNote(store_id="none", environment="unknown", seq=0, hash="")

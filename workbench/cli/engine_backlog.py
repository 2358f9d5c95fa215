"""`workbench engine backlog`: what was forecast at each resume, and what then started by the loaded run history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click

from workbench.cli.present import as_json, one_line, store_line, table, when
from workbench.delivery.backlog import Forecast, forecasts
from workbench.engines.addresses import read_addresses
from workbench.errors import NotFound
from workbench.settings import Settings
from workbench.store.store import open_store
from workbench.warehouse import Warehouse, WarehouseSnapshot

NOT_LOADED = "not loaded since"
_LOOKBACK = timedelta(days=31)
"""Before the pause; what an engine told of earlier and has not ended since is a run it lost, not its backlog."""


@dataclass(frozen=True)
class Compared:
    """One forecast and what came of it.

    Attributes:
        fired_count: runs that were due before the resume and started after it; None where that is not loaded.
        went_on_count: runs that were at work when the pause came and had not ended at the resume.
        until: end of the time that is looked at.
        loaded_until_at: how far the engine's history is loaded; None where it never was.
    """

    forecast: Forecast
    fired_count: int | None
    went_on_count: int
    until: datetime
    loaded_until_at: datetime | None

    @property
    def in_words(self) -> str:
        """Say whether it came as forecast."""
        if self.fired_count is None:
            return f"{NOT_LOADED}: `workbench sync {self.forecast.engine_id}`"
        if self.forecast.count is None:
            return "could not be told before"
        if not self.forecast.automation_ids:
            return "cannot be compared: no automation is bound to it"
        least, most = self.fired_count, self.fired_count + self.went_on_count
        if least > self.forecast.count:
            return f"{least - self.forecast.count} MORE than forecast"
        if most >= self.forecast.count:
            return "as forecast"
        fewer = f"{self.forecast.count - most} fewer than forecast"
        is_over = self.loaded_until_at is not None and self.loaded_until_at >= self.until
        return fewer if is_over else f"{fewer} so far: loaded until {when(self.loaded_until_at)}"


@click.command("backlog")
@click.argument("engine_id", required=False, default=None)
@click.option(
    "--within",
    type=click.IntRange(1, 10080),
    default=60,
    show_default=True,
    help="Minutes after a resume in which a start counts as fired by it.",
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def backlog(engine_id: str | None, within: int, is_json: bool) -> None:
    """Compare what was forecast at each resume in ENGINE_ID with what then started, by the loaded history."""
    settings = Settings.from_environment()
    clock = settings.clock()
    store = open_store(settings, clock)
    known = forecasts(store.events(), engine_id or "")
    if engine_id is not None and not known:
        _require(settings, engine_id)
    with Warehouse.open(settings.home, clock).snapshot() as snapshot:
        found = [_compared(snapshot, one, timedelta(minutes=within)) for one in known]
    if is_json:
        click.echo(as_json([_document(one) for one in found]))
        return
    click.echo(store_line(store.head_note(), settings))
    if not found:
        click.echo("Nothing was brought back in an engine yet.")
        return
    click.echo(
        table(
            ["resumed", "engine", "workflow", "forecast", "fired", "went on", ""], map(_row, found)
        )
    )


def _require(settings: Settings, engine_id: str) -> None:
    """Raise NotFound for an engine that nobody named: its having no backlog would say nothing."""
    there = read_addresses(settings.engines_file)
    if engine_id not in there:
        raise NotFound(
            f"There is no engine {engine_id!r:.80} in {settings.engines_file}, and none of that name was "
            f"resumed; there are {', '.join(sorted(there)) or 'none'}.",
            next_step="see `workbench engine list`",
        )


def _compared(snapshot: WarehouseSnapshot, one: Forecast, within: timedelta) -> Compared:
    marks = [
        mark.loaded_until_at
        for mark in snapshot.watermarks()
        if (mark.source_id, mark.table_name) == (one.engine_id, "run")
    ]
    loaded, until = max(marks, default=None), one.resumed_at + within
    if loaded is None or loaded <= one.resumed_at:
        return Compared(one, None, 0, until, loaded)
    rows = snapshot.query(
        "engine.fired_backlog",
        source_id=one.engine_id,
        automation_ids=list(one.automation_ids),
        since=one.paused_at - _LOOKBACK,
        paused_at=one.paused_at,
        resumed_at=one.resumed_at,
        until=until,
    )
    fired, went_on = (int(rows[name].sum()) for name in ("fired_count", "went_on_count"))
    return Compared(one, fired, went_on, until, loaded)


def _row(one: Compared) -> tuple[str, ...]:
    told = one.forecast
    return (
        when(told.resumed_at),
        told.engine_id,
        one_line(told.name),
        "?" if told.count is None else str(told.count),
        "?" if one.fired_count is None else str(one.fired_count),
        "?" if one.fired_count is None else str(one.went_on_count),
        one.in_words,
    )


def _document(one: Compared) -> dict[str, Any]:
    told = one.forecast
    return {
        "engine_id": told.engine_id,
        "hold_id": told.hold_id,
        "target_id": told.target_id,
        "name": told.name,
        "automation_ids": list(told.automation_ids),
        "paused_at": told.paused_at,
        "resumed_at": told.resumed_at,
        "forecast_count": told.count,
        "forecast": told.sentence,
        "fired_count": one.fired_count,
        "went_on_count": one.went_on_count,
        "loaded_until_at": one.loaded_until_at,
        "in_words": one.in_words,
    }

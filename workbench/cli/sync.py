"""`workbench sync`: read run history from an engine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from workbench.cli.present import as_json, demo_words, one_line, when
from workbench.clock import from_text
from workbench.engines.binding import RegistryBinding
from workbench.engines.http import JsonClient
from workbench.engines.prefect import PrefectReader
from workbench.errors import StoreMissing, TooManyRejects
from workbench.records import Automation
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.folding import fold
from workbench.warehouse import Warehouse
from workbench.warehouse.batch import DEFAULT_ALLOWED_REJECT_SHARE
from workbench.warehouse.syncing import SyncReport, sync_engine

_PREFECT_URL = "http://127.0.0.1:4200/api"


@click.group()
def command() -> None:
    """Read run history from an engine into the warehouse."""


@command.command("prefect")
@click.option(
    "--url", default=_PREFECT_URL, show_default=True, help="Address of the server's REST interface."
)
@click.option(
    "--source", default="prefect", show_default=True, help="Name of this server in the warehouse."
)
@click.option(
    "--since", metavar="INSTANT", help="Read from here on, instead of from the last reading."
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def prefect(url: str, source: str, since: str | None, is_json: bool) -> None:
    """Read runs, states, steps and events of a Prefect 3 server; reading again changes nothing."""
    settings = Settings.from_environment()
    clock = settings.clock()
    automations, note = _automations(settings)
    client = JsonClient(url)
    try:
        reader = PrefectReader(client, RegistryBinding(automations, "prefect"))
        warehouse = Warehouse.open(settings.home, clock)
        begin = _instant(since)
        report = sync_engine(warehouse, reader, source_id=source, now=clock.now(), since=begin)
    finally:
        client.close()
    click.echo(
        as_json(asdict(report)) if is_json else demo_words(settings) + _in_words(report, note)
    )
    if excess := [
        load for load in report.loads if load.reject_share > DEFAULT_ALLOWED_REJECT_SHARE
    ]:
        said = ", ".join(
            f"{load.rejected_count} of {load.line_count} rows of {load.table}" for load in excess
        )
        raise TooManyRejects(f"{said} were rejected; the others are loaded")


def _automations(settings: Settings) -> tuple[list[Automation], str]:
    """Return the registry's present automations; without a store everything keeps the engine's names."""
    try:
        state = fold(open_store(settings, settings.clock()).events())
    except StoreMissing:
        return [], "there is no store, so no registry: flows keep their own names"
    return [one for one in state.automations.values() if not one.is_retired], ""


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return from_text(text)
    except ValueError as exc:
        raise click.UsageError(f"--since: {exc}") from exc


def _in_words(report: SyncReport, note: str) -> str:
    begin = f"since {when(report.since)}" if report.since else "from the beginning"
    lines = [
        f"{report.source_id}, version {report.engine_version}, read {begin} until {when(report.until)}"
    ]
    for load in report.loads:
        rejected = f", {load.rejected_count:,} rejected" if load.rejected_count else ""
        lines.append(
            f"    {load.table}: {load.accepted_count:,} rows, {load.changed_count:,} new or newer{rejected}"
        )
    if report.vanished_count:
        lines.append(
            f"    {report.vanished_count:,} runs are gone from the engine; they stay here, marked"
        )
    if report.unbound:
        names = ", ".join(map(one_line, report.unbound))
        lines.append(f"    no automation of the registry is bound to: {names}")
    lines += [f"    {one_line(sentence)}" for sentence in (*report.findings, note) if sentence]
    lines.append(f"warehouse version {report.manifest_version}")
    return "\n".join(lines)

"""`workbench sync`: read run history from an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime

import click

from workbench.cli.engine_named import engine_named, told_where
from workbench.cli.present import as_json, counted, demo_words, one_line, when
from workbench.clock import from_text
from workbench.delivery.stumbling import STUMBLES, stumble
from workbench.engines.addresses import read_addresses
from workbench.engines.binding import RegistryBinding
from workbench.engines.connecting import close, connect
from workbench.engines.interface import EngineAddress
from workbench.errors import EngineError, NotFound, StoreMissing, TooManyRejects
from workbench.records import Automation
from workbench.scope import SLUG
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.folding import fold
from workbench.warehouse import Warehouse
from workbench.warehouse.batch import DEFAULT_ALLOWED_REJECT_SHARE
from workbench.warehouse.syncing import SyncReport, sync_engine

FILES = "`workbench load --table run --source NAME FILE --complete-until INSTANT`"
"""How run history comes in that no engine tells of."""


@click.command()
@click.argument("engine_id", required=False)
@click.option("--all", "is_all", is_flag=True, help="Read every engine of the file of engines.")
@click.option("--url", help="Address of an engine that the file of engines does not name.")
@click.option("--kind", help="Kind of the engine at --url; ENGINE_ID itself where that is a kind.")
@click.option(
    "--since", metavar="INSTANT", help="Read from here on, instead of from the last reading."
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(
    engine_id: str | None,
    is_all: bool,
    url: str | None,
    kind: str | None,
    since: str | None,
    is_json: bool,
) -> None:
    """Read runs, states, steps, events and approvals of ENGINE_ID into the warehouse; reading again changes nothing.

    ENGINE_ID is a name in the file of engines, and names the source in the warehouse.
    """
    settings = Settings.from_environment()
    begin = _instant(since)
    addresses = _chosen(settings, engine_id, is_all, url=url, kind=kind)
    automations, note = _automations(settings)
    reports, faults = [], []
    for address in addresses:
        try:
            with told_where(settings, address):
                reports.append(_read(settings, address, automations, begin))
        except STUMBLES as exc:
            if not is_all:
                raise
            faults.append(f"{address.engine_id}: {stumble(exc)}")
    if is_json:
        found = [asdict(report) for report in reports]
        click.echo(as_json(found if is_all else found[0]))
    else:
        click.echo(demo_words(settings) + "\n".join(_in_words(one, note) for one in reports))
    if faults:
        raise EngineError(f"{len(faults)} of {len(addresses)} were not read: {'; '.join(faults)}")
    if excess := list(_excess(reports)):
        raise TooManyRejects(f"{', '.join(excess)} were rejected; the others are loaded")


def _chosen(
    settings: Settings,
    engine_id: str | None,
    is_all: bool,
    *,
    url: str | None,
    kind: str | None,
) -> list[EngineAddress]:
    """Return where to read; raises UsageError for a choice that names nothing, NotFound for an engine nobody named."""
    if is_all == (engine_id is not None) or (is_all and (url or kind)):
        raise click.UsageError("Name one engine, or give --all alone.")
    if kind and not url:
        raise click.UsageError("--kind belongs to --url; the file of engines says its own.")
    if engine_id is None:
        known = read_addresses(settings.engines_file)
        if not known:
            raise NotFound(
                f"{settings.engines_file} names no engine, so there is nothing to sync.",
                next_step="put one into it, `[engines.NAME]` with `kind` and `url`; where you load files "
                f"instead, {FILES}",
            )
        return [known[name] for name in sorted(known)]
    if url:
        if not SLUG.fullmatch(engine_id):
            raise click.UsageError(f"{engine_id!r} is no valid id (letters a-z, digits, . _ -).")
        return [EngineAddress(engine_id, kind or engine_id, url)]
    return [engine_named(settings, engine_id, beside=", or add `--url URL --kind KIND`")]


def _read(
    settings: Settings,
    address: EngineAddress,
    automations: list[Automation],
    since: datetime | None,
) -> SyncReport:
    """Bring what one engine changed into the warehouse."""
    clock = settings.clock()
    engine = connect(address, RegistryBinding(automations, address.engine_id), clock=clock)
    try:
        warehouse = Warehouse.open(settings.home, clock)
        return sync_engine(
            warehouse, engine, source_id=address.engine_id, now=clock.now(), since=since
        )
    finally:
        close(engine)


def _excess(reports: Iterable[SyncReport]) -> Iterator[str]:
    for load in (load for report in reports for load in report.loads):
        if load.reject_share > DEFAULT_ALLOWED_REJECT_SHARE:
            yield f"{load.rejected_count} of {load.line_count} rows of {load.table}"


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
        raise click.UsageError(f"--since: {exc}; nothing was done.") from exc


def _in_words(report: SyncReport, note: str) -> str:
    begin = f"since {when(report.since)}" if report.since else "from the beginning"
    lines = [
        f"{report.source_id}, version {report.engine_version}, read {begin} until {when(report.until)}"
    ]
    for load in report.loads:
        rejected = f", {load.rejected_count:,} rejected" if load.rejected_count else ""
        lines.append(
            f"    {load.table}: {counted(load.accepted_count, 'row')}, {load.changed_count:,} new or newer{rejected}"
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

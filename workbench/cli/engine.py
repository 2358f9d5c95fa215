"""`workbench engine`: which engines may be switched, whether they answer, and what a pause does there."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from workbench.cli.engine_backlog import backlog
from workbench.cli.engine_named import LOCAL_PREFECT, engine_named, told_where
from workbench.cli.present import as_json, ask, closing_line, one_line, store_line, table
from workbench.control.certifying import accept_drills
from workbench.delivery.fleet import Fleet
from workbench.engines.addresses import read_addresses
from workbench.engines.connecting import kinds
from workbench.engines.interface import Engine
from workbench.engines.switching import Capability
from workbench.errors import EngineError, WorkbenchError
from workbench.opening import open_control
from workbench.settings import Settings, folder_named, store_url
from workbench.store.store import open_store, store_of


@click.group()
def command() -> None:
    """List the engines of the file of engines, and ask one what it is and what a pause does there."""


command.add_command(backlog)


@command.command("list")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def list_engines(is_json: bool) -> None:
    """Show every engine with its kind, its place and how many automations it runs."""
    settings, fleet = _fleet()
    automations = fleet.store.state().automations.values()
    rows = [
        (name, one.kind, one.place, str(sum(a.engine == name for a in automations)))
        for name, one in sorted(fleet.addresses.items())
    ]
    if is_json:
        names = ("engine_id", "kind", "url", "automation_count")
        click.echo(as_json([dict(zip(names, row, strict=True)) for row in rows]))
        return
    click.echo(store_line(fleet.store.head_note(), settings))
    click.echo(table(["engine", "kind", "address", "automations"], rows))
    if not rows:
        click.echo(
            f"{settings.engines_file} names no engine; kinds that can be: {', '.join(kinds())}."
        )
    named = {a.engine for a in automations if a.engine} - set(fleet.addresses)
    for name in sorted(named):
        click.echo(f"{name} runs automations and is not in that file: a hold does not reach it.")


@command.command("probe")
@click.argument("engine_id")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def probe(engine_id: str, is_json: bool) -> None:
    """Ask ENGINE_ID for its version and say what each mode does there; changes nothing."""
    settings, fleet = _fleet()
    address = engine_named(settings, engine_id)
    fleet.addresses = {**fleet.addresses, engine_id: address}
    with fleet, told_where(settings, address):
        _probe(fleet, engine_id, is_json=is_json)
    if address is LOCAL_PREFECT and not is_json:
        click.echo(
            f"{one_line(str(settings.engines_file))} does not name it: a pause does not reach it. "
            f"Next: put `[engines.{engine_id}]` with `kind` and `url` there."
        )


def _probe(fleet: Fleet, engine_id: str, *, is_json: bool) -> None:
    engine = fleet.engine(engine_id)
    if engine is None:
        raise EngineError(f"{engine_id}: {fleet.faults[engine_id]}")
    health = engine.probe()
    found = engine.capabilities()
    if is_json:
        click.echo(as_json({"health": asdict(health), "capabilities": [asdict(c) for c in found]}))
        return
    click.echo(f"{engine_id} is {health.engine} {health.version} and answers.")
    for finding in health.findings:
        click.echo(f"  DOUBT: {one_line(finding)}")
    _show_unbound(fleet, engine, engine_id)
    rows = [row for one in found for row in _rows(one)]
    click.echo(table(["scope", "mode", "work", "on pause", "on resume", "known by"], rows))


@command.command("certify")
@click.argument("engine_id")
@click.option("--from", "origin", required=True, help="Staging store: folder or postgresql://.")
@click.option("--drilled-as", default="", help="The engine's name there, if it is another.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def certify(engine_id: str, origin: str, drilled_as: str, yes: bool) -> None:
    """Vouch here for the drills of ENGINE_ID that passed in the staging store, as a first run needs them."""
    settings = Settings.from_environment()
    control = open_control(settings)
    url = store_url(origin)
    folder = settings.store if url else folder_named(origin, "--from")
    # Opened to read alone: `open_store` would publish what it holds to the gates of this store.
    elsewhere = store_of(replace(settings, store=folder, store_url=url), settings.clock())
    elsewhere.backend.require()
    click.echo(store_line(control.head_note(), settings))
    if not yes:
        ask(f"Vouch that the drills in {elsewhere.place} were of such an engine as {engine_id}?")
    found = accept_drills(
        control, elsewhere, drilled_id=drilled_as or engine_id, engine_id=engine_id
    )
    for body in found:
        click.echo(
            one_line(
                f"{engine_id}, {body['mode']}, kind {body['kind']}: version {body['version']}, "
                f"drilled {body['command_at']} by {body['drilled_by']}"
            )
        )
    closing_line(control)


def _show_unbound(fleet: Fleet, engine: Engine, engine_id: str) -> None:
    """Name automations whose workflow the engine does not have: a pause of them cannot be delivered."""
    try:
        names = {name for target in engine.targets() for name in target.names}
    except WorkbenchError as exc:
        click.echo(f"  DOUBT: its workflows cannot be listed: {one_line(exc.message)}")
        return
    for automation in fleet.store.state().automations.values():
        name = automation.engine_ref or automation.automation_id
        if automation.engine == engine_id and not automation.is_retired and name not in names:
            click.echo(
                f"  {automation.automation_id}: the engine has no workflow named {one_line(name)}"
            )


def _rows(one: Capability) -> list[tuple[str, ...]]:
    if one.cannot:
        return [(one.scope_kind, one.mode, "-", f"CANNOT: {one.cannot}", "-", "-")]
    return [
        (
            one.scope_kind,
            one.mode,
            effect.work_class,
            effect.on_pause,
            effect.on_resume,
            " ".join(filter(None, (effect.evidence, effect.version))),
        )
        for effect in one.effects
    ]


def _fleet() -> tuple[Settings, Fleet]:
    settings = Settings.from_environment()
    clock = settings.clock()
    store = open_store(settings, clock)
    return settings, Fleet(read_addresses(settings.engines_file), store, clock)

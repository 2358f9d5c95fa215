"""`workbench store`: make the one shared store, bring it up to date, move it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from workbench.cli.present import YES_ALL_THE_SAME, head_line, not_delivered, one_line, store_line
from workbench.control import Control, open_control
from workbench.control.actor import actor_text
from workbench.control.ending import record_endings
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.flagging import ENROL_ANOTHER, why_alone, why_unsigned
from workbench.errors import UsageFault
from workbench.policy import PRODUCTION
from workbench.scope import SLUG
from workbench.settings import KEY_FILE, Settings
from workbench.store import init_store, restore_store
from workbench.store.copies import read_lines
from workbench.store.migrations import SCHEMA_VERSION
from workbench.store.moving import Moved, move_store
from workbench.store.store import backend_of

COPIES = "copies"
"""Folder in `WORKBENCH_HOME` for the log of a database as it was before a migration."""


@click.group()
def command() -> None:
    """Make the one shared store, bring it up to date, move it, or make it again from a copy."""


@command.command("init")
@click.option(
    "--environment",
    "-e",
    required=True,
    help="Environment the store is for, e.g. production or staging.",
)
@click.option("--key", "wants_key", is_flag=True, help="Enrol a key of yours as the store's first.")
@click.option("--person", default="", help="Who you are, as the role's members will be named.")
@click.option("--role", default="", help="Owner role that you act for.")
def init(environment: str, wants_key: bool, person: str, role: str) -> None:
    """Make the store where WORKBENCH_STORE points; refused where one is already.

    With `--key` your key, made where you have none, is enrolled as its first, on nobody's word.
    """
    if not SLUG.fullmatch(environment):
        raise UsageFault(
            f"{environment!r} is not a valid environment; write it like production or staging."
        )
    first = _first_key(wants_key, person, role)
    settings = Settings.from_environment()
    store = init_store(
        settings, settings.clock(), environment=environment, actor=actor_text(None, {})
    )
    click.echo(f"Made {store_line(store.head_note(), settings)}")
    control = open_control(settings)
    if first is not None:
        _enrol_first(control, settings, first)
    elif why := why_unsigned(control.state(), now=control.clock.now()):
        click.echo(f"{why}. To change that: `workbench key new`, then `workbench key enrol`.")
    if environment != PRODUCTION:
        click.echo(
            f"{environment} asks for no sign-off and guards no first run; only a store of the environment "
            f"`{PRODUCTION}` does so by itself."
        )
    click.echo(
        "Next: `workbench registry apply FILE` to say which automations there are and who owns them."
    )
    head_line(store.head_note())


def _first_key(wants_key: bool, person: str, role: str) -> tuple[str, str] | None:
    """Return person and role of the first key, asked for on a terminal; None where none is wanted."""
    if not (wants_key or person or role):
        if not sys.stdin.isatty():
            return None
        if not click.confirm("Enrol a key of yours as the store's first, so that you can sign?"):
            return None
    if sys.stdin.isatty():
        person = person or click.prompt("Your name, as the registry will name you (a-z, digits)")
        role = role or click.prompt("The owner role that you act for")
    for name, value in (("--person", person), ("--role", role)):
        if not SLUG.fullmatch(value):
            raise UsageFault(
                f"The first key needs {name}, written like anna or ops-lead; nothing was made.",
                next_step="`workbench store init --environment E --key --person NAME --role ROLE`",
            )
    return person, role


def _enrol_first(control: Control, settings: Settings, first: tuple[str, str]) -> None:
    """Enrol the key of this user's private folder, made where there is none."""
    from workbench.store.keys import load_key, make_key

    path = settings.home / KEY_FILE
    own = load_key(path) or make_key(path)
    person, role = first
    key = enrol_key(control, Enrolment(own.public_hex, person, role))
    click.echo(
        f"Key {key.key_id} in {one_line(str(path))} counts as {person}, {role}: the store's first, on "
        "nobody's word. Tell the others its id, and let the registry name you as a member of that role."
    )
    if why := why_alone(control.state(), now=control.clock.now()):
        click.echo(f"{why}. To change that {ENROL_ANOTHER}.")


@command.command("restore")
@click.argument("copy", type=click.Path(path_type=Path, dir_okay=False))
def restore(copy: Path) -> None:
    """Make the store again where WORKBENCH_STORE points, from COPY: a log that was kept or exported.

    Refused where a store is. The chain is recomputed over every line, and gates that know a newer state of
    this store stay with that: an older copy opens nothing.
    """
    settings = Settings.from_environment()
    store = restore_store(settings, settings.clock(), lines=read_lines(copy))
    head = store.head_note()
    click.echo(f"Made again {store_line(head, settings)}")
    if fault := store.publication_fault(store.state()):
        click.echo(not_delivered(fault))
    click.echo("Next: `workbench audit verify`, and start the mirrors again.")
    head_line(head)


@command.command("migrate")
@YES_ALL_THE_SAME
@click.option("--to", "target", help="Folder or postgresql:// address to move the store to.")
def migrate(target: str | None) -> None:
    """Bring an older store up to date where it is, or move the whole log to another place.

    The log is copied byte for byte and verified; then nothing is recorded in the old place any more.
    """
    settings = Settings.from_environment()
    if target is None:
        _upgrade(settings)
        return
    new = Settings.at(target)
    clock = settings.clock()
    control = open_control(settings)
    record_endings(control)
    moved = move_store(control.store, new, clock=clock)
    how = "had been moved there before" if moved.is_repeat else "is there now, byte for byte"
    click.echo(f"{store_line(moved.head, settings)}")
    click.echo(f"The log of {moved.event_count} events {how}, and verifies.")
    click.echo(f"Next: let WORKBENCH_STORE name {one_line(moved.head.place)} for everybody.")
    for line in _gate_lines(moved, new):
        click.echo(one_line(line))
    head_line(moved.head)


def _gate_lines(moved: Moved, new: Settings) -> list[str]:
    """Say what becomes of the folders that gates read, and of mirrors."""
    mirrors = (
        "Mirrors: on each host start `workbench mirror --watch` again with the new WORKBENCH_STORE; one of the old "
        "place ends, and its gates answer UNKNOWN or PAUSED until then."
    )
    if moved.closed_gate is None:
        return [f"WORKBENCH_GATE stays {new.gate}: automations go on asking there.", mirrors]
    told = f"answers UNKNOWN, or PAUSED where a hold stands: the new place tells {new.gate}"
    lines = [
        f"Gates: {moved.closed_gate} {told}.",
        f"Let each automation have WORKBENCH_GATE={new.gate}; `workbench doctor` says who still asks the old one.",
        mirrors,
    ]
    return [not_delivered(moved.gate_fault), *lines] if moved.gate_fault else lines


def _upgrade(settings: Settings) -> None:
    done = backend_of(settings).upgrade(settings.home / COPIES)
    if done.found == SCHEMA_VERSION:
        click.echo(f"{one_line(settings.place)} has schema {SCHEMA_VERSION} already.")
        return
    click.echo(f"{one_line(settings.place)} went from schema {done.found} to {SCHEMA_VERSION}.")
    if done.copy:
        click.echo(f"As it was before it lies in {one_line(done.copy)}.")
    click.echo("Next: `workbench audit verify`.")

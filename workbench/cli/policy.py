"""`workbench policy`: check, apply and show who may do what in this store's environment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from shlex import quote

import click

from workbench.cli.present import (
    as_json,
    ask,
    closing_line,
    head_line,
    one_line,
    store_line,
    table,
    when,
)
from workbench.control import Control, open_control
from workbench.control.approving import apply_policy, request_policy
from workbench.control.pending import setting_in_words
from workbench.errors import Refused
from workbench.policy import MEANING, Policy, environments_in, read_policy, weaker_fields
from workbench.settings import Settings
from workbench.store.signoffs import policy_of


@click.group()
def command() -> None:
    """Check, apply and show the policy: how many sign-offs, whose, for how long."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--environment", "-e", help="Table of the file to check; default: each one.")
def check(file: Path, environment: str | None) -> None:
    """Check a policy file without a store."""
    for name in [environment] if environment is not None else environments_in(file):
        found = read_policy(file, name)
        click.echo(f"{one_line(str(file))}: valid for {name}.")
        click.echo(_words(found))


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def apply(file: Path, yes: bool) -> None:
    """Record the policy of this store's environment, signed, under the policy before it."""
    settings = Settings.from_environment()
    control = open_control(settings)
    head = control.head_note()
    policy = read_policy(file, head.environment)
    if policy == control.state().policies.get(head.environment):
        raise Refused("This policy is in force already.", next_step="see `workbench policy show`")
    click.echo(store_line(head, settings))
    click.echo(_words(policy))
    _show_weaker(control, policy)
    if not yes:
        ask("Let this be the policy?")
    with _file_named(file):
        apply_policy(control, policy)
    click.echo(f"The policy of {head.environment} is in force.")
    closing_line(control)


@command.command("request")
@click.argument("file", type=click.Path(path_type=Path))
def request(file: Path) -> None:
    """Ask another person for a policy that is weaker than the present one; they apply the same file."""
    settings = Settings.from_environment()
    control = open_control(settings)
    head = control.head_note()
    policy = read_policy(file, head.environment)
    click.echo(store_line(head, settings))
    _show_weaker(control, policy)
    with _file_named(file):
        made = request_policy(control, policy)
    click.echo(f"{made.about}; it can be done until {when(made.expires_at)}.")
    again = f"`workbench policy apply {quote(str(file))}`"
    click.echo(f"Next, by another person: {one_line(again)}, with the same content")
    head_line(control.head_note())


@contextlib.contextmanager
def _file_named(file: Path) -> Iterator[None]:
    """Let a refusal repeat the file in the command that it tells to type."""
    try:
        yield
    except Refused as exc:
        then = exc.then.replace("FILE`", f"{quote(str(file))}`")
        raise Refused(exc.message, next_step=then) from exc


def _show_weaker(control: Control, policy: Policy) -> None:
    """Print in what a policy is weaker than the present one, for whoever is asked to agree."""
    present = policy_of(control.state())
    for name in weaker_fields(present, policy):
        was, will = (setting_in_words(getattr(p, name)) for p in (present, policy))
        click.echo(f"weaker than now: {name} {was} -> {will} ({MEANING[name]})")


@command.command("show")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def show(is_json: bool) -> None:
    """Show the policy in force; before one was applied, the environment's default."""
    settings = Settings.from_environment()
    control = open_control(settings)
    state = control.state()
    policy = policy_of(state)
    if is_json:
        click.echo(as_json(asdict(policy)))
        return
    click.echo(store_line(control.head_note(), settings))
    click.echo("applied:" if state.policies else "none applied; the default:")
    click.echo(_words(policy))
    head_line(control.head_note())


def _words(policy: Policy) -> str:
    rows = [("environment", policy.environment, "")]
    rows += [(n, setting_in_words(getattr(policy, n)), meaning) for n, meaning in MEANING.items()]
    return table(["setting", "value", "what it says"], rows)

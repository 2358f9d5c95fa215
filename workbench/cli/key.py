"""`workbench key`: make, enrol, list and revoke the keys that sign commands."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, ask, head_line, one_line, store_line, table, when
from workbench.control import open_control
from workbench.control.actor import operating_system_user
from workbench.control.keying import EnrolRequest, RevokeRequest
from workbench.control.keyring import Keyring
from workbench.errors import NotFound, UsageFault
from workbench.settings import KEY_FILE, Settings


@click.group()
def command() -> None:
    """Make, enrol, list and revoke signing keys."""


@command.command("new")
def new() -> None:
    """Make your key in WORKBENCH_HOME, readable by you alone; it signs what you command from then on."""
    from workbench.store.keys import make_key

    path = Settings.from_environment().home / KEY_FILE
    key = make_key(path)
    click.echo(f"Made key {key.key_id} in {path}; it does not count before it is enrolled.")
    click.echo(f"Public key: {key.public_hex}")
    click.echo("Next: `workbench key enrol --as ROLE`, or let the holder of an enrolled key do it.")


@command.command("enrol")
@click.argument("public_hex", required=False)
@click.option("--as", "role", required=True, help="Role that the key signs for.")
@click.option("--person", default="", help="Who holds it; default: you.")
@click.option(
    "--break-glass", "break_glass", default="", help="Reason, where no key stands any more."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def enrol(public_hex: str | None, role: str, person: str, break_glass: str, yes: bool) -> None:
    """Enrol PUBLIC_HEX, by default your own key. The first needs nobody; later ones an enrolled key."""
    from workbench.store.keys import key_id_of, load_key

    settings = Settings.from_environment()
    if public_hex is None:
        own = load_key(settings.home / KEY_FILE)
        if own is None:
            raise NotFound(
                f"There is no key in {settings.home}.",
                next_step="make one with `workbench key new`",
            )
        public_hex = own.public_hex
    try:
        key_id = key_id_of(public_hex)
    except ValueError as exc:
        raise UsageFault(f"{one_line(public_hex)[:80]} is not a public key: {exc}.") from exc
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    if not yes:
        ask(f"Enrol key {key_id} for {role}?")
    made = Keyring(control).enrol(
        EnrolRequest(
            public_hex.lower(), key_id, role, person or operating_system_user(), break_glass
        )
    )
    click.echo(f"Enrolled key {made.key_id} of {one_line(made.person)} for {made.role}.")
    head_line(control.head_note())


@command.command("list")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def list_keys(is_json: bool) -> None:
    """List the keys of the store, revoked ones included."""
    settings = Settings.from_environment()
    control = open_control(settings)
    keys = list(control.state().keys.values())
    if is_json:
        click.echo(as_json([key.document() for key in keys]))
        return
    click.echo(store_line(control.head_note(), settings))
    rows = [
        (
            key.key_id,
            key.role,
            key.person,
            when(key.enrolled_at),
            key.enrolled_by,
            f"revoked {when(key.revoked_at)}: {key.revoked_why}" if key.revoked_seq else "stands",
        )
        for key in keys
    ]
    headers = ["key", "role", "person", "enrolled", "by", "state"]
    click.echo(table(headers, rows) if rows else "No key is enrolled; every action is unverified.")
    head_line(control.head_note())


@command.command("revoke")
@click.argument("key_id")
@click.option("--reason", "-r", default="", help="Why; needed.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def revoke(key_id: str, reason: str, yes: bool) -> None:
    """Revoke KEY_ID: what it signs from now on is refused; what it signed before stays signed."""
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    if not yes:
        ask(f"Revoke key {key_id}?")
    gone = Keyring(control).revoke(RevokeRequest(key_id, reason))
    click.echo(
        f"Revoked key {gone.key_id} of {one_line(gone.person)}: {one_line(gone.revoked_why)}"
    )
    head_line(control.head_note())

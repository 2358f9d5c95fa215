"""`workbench key`: make a signing key, enrol it, list and revoke keys."""

from __future__ import annotations

from datetime import datetime

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
from workbench.clock import from_text
from workbench.control import open_control
from workbench.control.enrolling_keys import (
    Enrolment,
    enrol_key,
    request_enrolment,
    revoke_key,
    wish_of,
)
from workbench.control.flagging import ENROL_ANOTHER, why_alone
from workbench.errors import UsageFault, WorkbenchError
from workbench.records import EnrolledKey
from workbench.settings import KEY_FILE, Settings
from workbench.store.countersigning import KEY, is_for_another
from workbench.store.state import State


@click.group()
def command() -> None:
    """Make, enrol, list and revoke the keys that sign commands."""


@command.command("new")
def new() -> None:
    """Make a private key in WORKBENCH_HOME that only you can read, and print its public half."""
    from workbench.store.keys import make_key

    settings = Settings.from_environment()
    path = settings.home / KEY_FILE
    key = make_key(path)
    click.echo(f"Made key {key.key_id} in {one_line(str(path))} (mode 0600). Its public half:")
    click.echo(key.public_hex)
    words = f"{key.public_hex} --person NAME --role ROLE"
    enrol_it = f"`workbench key enrol {words}`"
    holders, needs_two = _holders(settings)
    if needs_two:
        click.echo(
            f"Next: send this to two persons who have a key here ({holders}): one types "
            f"`workbench key request {words}`, then another {enrol_it}"
        )
        return
    if holders:
        click.echo(
            f"Next: send this to a person who has a key here ({holders}), to type it: {enrol_it}"
        )
        return
    click.echo(f"Next: {enrol_it}")
    click.echo(
        "A store's first key enrols itself; each later one is enrolled by somebody who has one."
    )


def _holders(settings: Settings) -> tuple[str, bool]:
    """Return who has a key that counts, of the store that is set up here, and whether a further one needs two."""
    try:
        control = open_control(settings)
        state, now = control.state(), control.clock.now()
    except WorkbenchError:  # a key is made before there is a store, and on machines that reach none
        return "", False
    now = max(now, state.newest_at or now)
    live = [k for k in state.keys.values() if k.is_live(now)]
    needs_two = any(is_for_another(state, k, person="", role="") for k in live)
    return one_line(", ".join(sorted({k.person for k in live}))), needs_two


@command.command("enrol")
@click.argument("public_hex")
@click.option("--person", required=True, help="Who holds the key, as the role's members are named.")
@click.option("--role", required=True, help="Owner role that the key acts for.")
@click.option("--until", metavar="INSTANT", help="From then on it signs nothing more.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def enrol(public_hex: str, person: str, role: str, until: str | None, yes: bool) -> None:
    """Let PUBLIC_HEX count as a person's key, in a role."""
    wanted = Enrolment(public_hex, person, role, _instant(until))
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    _warn_of_stranger(control.state(), person, role)
    if not yes:
        ask(f"Let this key count as {person}, {role}?")
    key = enrol_key(control, wanted)
    until_words = f" until {when(key.expires_at)}" if key.expires_at else ""
    click.echo(
        f"Key {key.key_id} counts as {key.person}, {key.role}, from event {key.enrolled_seq}{until_words}."
    )
    if key.enrolled_by != key.key_id:
        click.echo(f"Enrolled by {_by(control.state(), key)}.")
    if key.enrolled_by == key.key_id:
        click.echo(
            "It is the store's first key, enrolled on nobody's word: tell the others its id."
        )
    if why := why_alone(control.state(), now=control.clock.now()):
        click.echo(f"{why}. Next: {ENROL_ANOTHER}.")
    closing_line(control)


@command.command("request")
@click.argument("public_hex")
@click.option("--person", required=True, help="Who holds the key.")
@click.option("--role", required=True, help="Owner role that the key acts for.")
@click.option("--until", metavar="INSTANT", help="From then on it signs nothing more.")
def request(public_hex: str, person: str, role: str, until: str | None) -> None:
    """Ask another person to enrol PUBLIC_HEX in somebody's name, where policy asks two for it."""
    wanted = Enrolment(public_hex, person, role, _instant(until))
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    _warn_of_stranger(control.state(), person, role)
    made = request_enrolment(control, wanted)
    click.echo(f"{made.about}; it can be done until {when(made.expires_at)}.")
    click.echo(f"Next, by another person: {wish_of(wanted).do}")
    head_line(control.head_note())


def _warn_of_stranger(state: State, person: str, role: str) -> None:
    """Say before a key is enrolled that its person is no member of the role: it would count and may do nothing."""
    owner = state.owners.get(role)
    if owner is None or person in owner.members:
        return
    members = ", ".join(owner.members) or "nobody"
    click.echo(
        one_line(
            f"WARNING: the registry names {members} as {role}, and not {person}: this key would sign nothing off, "
            f"but count as another person's, so that further keys need two. `workbench registry apply FILE` with "
            f"{person} among the members first."
        )
    )


def _instant(text: str | None) -> datetime | None:
    """Return the end that was said; an empty one is a slip of a script's, and not a key without an end."""
    try:
        return None if text is None else from_text(text)
    except ValueError as exc:
        raise UsageFault(f"--until: {exc}; nothing was done.") from exc


def _state(key: EnrolledKey, now: datetime) -> str:
    if key.revoked_seq:
        return f"revoked {when(key.revoked_at)}: {key.revoked_reason}"
    if key.expires_at is None:
        return "counts"
    return f"{'counts until' if key.is_live(now) else 'expired'} {when(key.expires_at)}"


def _by(state: State, key: EnrolledKey) -> str:
    """Say who enrolled a key, for whom where that is somebody else, and who had asked for it."""
    keys = state.keys
    if key.enrolled_by == key.key_id:
        return "itself (first key)"
    who = keys[key.enrolled_by]
    is_own = (who.person, who.role) == (key.person, key.role)
    used = (r for r in state.requests.values() if (r.action, r.used_seq) == (KEY, key.enrolled_seq))
    asked = "".join(f", {keys[r.requester_key].person} had asked" for r in used)
    return who.person if is_own else f"{who.person} for {key.person}{asked}"


@command.command("list")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def list_keys(is_json: bool) -> None:
    """List the enrolled keys, revoked ones too."""
    settings = Settings.from_environment()
    control = open_control(settings)
    state = control.state()
    known, now = state.keys, max(control.clock.now(), state.newest_at or control.clock.now())
    keys = list(known.values())
    if is_json:
        click.echo(as_json([vars(key) for key in keys]))
        return
    click.echo(store_line(control.head_note(), settings))
    rows = [
        (
            k.key_id,
            k.person,
            k.role,
            when(k.enrolled_at),
            _by(state, k),
            _state(k, now),
        )
        for k in keys
    ]
    headers = ["key", "person", "role", "enrolled", "by", "state"]
    click.echo(table(headers, rows) if rows else "No key is enrolled; every action is unsigned.")
    head_line(control.head_note())


@command.command("revoke")
@click.argument("key_id")
@click.option("--reason", "-r", default="", help="Why; always needed.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def revoke(key_id: str, reason: str, yes: bool) -> None:
    """Let KEY_ID count no more, for good; sign-offs that rest on it do not count either."""
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    if not yes:
        lacking = () if reason.strip() else ("--reason", "TEXT")
        ask(f"Revoke key {key_id} for good?", *lacking)
    key = revoke_key(control, key_id, reason=reason)
    click.echo(f"Key {key.key_id} of {key.person} counts no more, from event {key.revoked_seq}.")
    closing_line(control)

"""Who a command is from: the key of this user's private folder, or else an unverified user."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.clock import to_text
from workbench.control.actor import actor_text, operating_system_user
from workbench.errors import BadSettings, Refused
from workbench.records import EnrolledKey
from workbench.settings import KEY_FILE
from workbench.store.signatures import Seal, deed_command, is_deed, mark_of, seal_fault, statement
from workbench.store.state import State
from workbench.store.store import Command

if TYPE_CHECKING:
    from workbench.store.keys import SigningKey

Signer = Callable[[Command, Mapping[str, str]], Seal | None]
"""Gives the seal of a command for a store, environment and instant; None without a key.

Raises BadSettings for a key that is not to be used.
"""


@dataclass(frozen=True)
class Who:
    """Who gives a command.

    Attributes:
        text: how the log names the person.
        key: enrolled key that signed the command; None for an unsigned one.
        seal: what each event of the command keeps of the signature.
        sign: gives the signature of an event of the command from its digest; None for an unsigned one.
    """

    text: str
    key: EnrolledKey | None = None
    seal: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[str], str] | None = None


def is_there(path: Path) -> bool:
    """Tell whether a key file is there; a folder that cannot be looked into holds none, and stops no pause."""
    try:
        return path.exists()
    except OSError:
        return False


def file_signer(home: Path) -> Signer:
    """Return what signs with the key file of a private folder; without one nothing is imported.

    The events of a command are signed with the key that signed it, whatever became of the file meanwhile.
    """
    used = threading.local()  # another thread's command may be signed with a newer key meanwhile

    def sign(command: Command, told: Mapping[str, str]) -> Seal | None:
        own: SigningKey | None = getattr(used, "key", None)
        key = own if own and is_deed(command.content) else _key_in(home / KEY_FILE)
        if key is None:
            return None
        used.key = key
        said = statement(command.command_id, command.digest, **told)
        return {**told, "key_id": key.key_id, "signature": key.sign(said)}

    return sign


def _key_in(path: Path) -> SigningKey | None:
    if not is_there(path):
        return None
    from workbench.store.keys import load_key

    return load_key(path)


def own_key(path: Path | None) -> SigningKey | None:
    """Return the key that signs checkpoints; one that is not to be used signs none, and stops nothing."""
    if path is None or not is_there(path):
        return None
    from workbench.store.keys import load_key

    with contextlib.suppress(BadSettings):
        return load_key(path)
    return None


def shown_as(state: State, path: Path, *, role: str | None) -> str:
    """Return how the log would name this user, before anything is signed; raises Refused for an unknown role."""
    own = own_key(path)
    key = state.keys.get(own.key_id) if own else None
    if key is not None and key.is_live(state.newest_at):
        return f"{key.role} ({key.person}, key {key.key_id})"
    note = f"key {own.key_id} is not enrolled, or signs no more" if own else ""
    return actor_text(role, state.owners, note=note)


def unsigned(command: Command, told: Mapping[str, str]) -> Seal | None:
    """Sign nothing: what a control without a private folder does."""
    return None


def identify(
    command: Command, state: State, *, signer: Signer, role: str | None, now: datetime
) -> Who:
    """Return who gives a command, with the seal that counts for it; raises Refused for a seal that does not count.

    A pause is never refused for its signature: it is recorded as unsigned, with the reason in the
    actor's name. A key that nobody enrolled yet signs nothing, and its holder is shown as unverified.
    """
    is_pause = command.content.get("name") == "pause"
    told = {
        "store_id": state.store_id,
        "environment": state.environment,
        "signed_at": to_text(now),
    }
    try:
        seal = signer(command, told)
    except BadSettings as exc:
        if not is_pause:
            raise
        return Who(actor_text(role, state.owners, note=exc.message.rstrip(".")))
    if seal is None:
        return Who(actor_text(role, state.owners))
    if seal["key_id"] not in state.keys:
        note = f"key {seal['key_id']} is not enrolled"
        return Who(actor_text(role, state.owners, note=note))
    fault = seal_fault(state, seal, command_id=command.command_id, digest=command.digest, now=now)
    key = state.keys[seal["key_id"]]
    if not fault and role is not None and role != key.role:
        fault = f"key {key.key_id} is enrolled for {key.role}, not for {role}"
    if fault and not is_pause:
        raise Refused(f"Nothing was done: {fault}.", next_step=_way_out(seal, fault))
    if fault:
        return Who(actor_text(role, state.owners, note=fault))
    text = f"{key.role} ({key.person}, key {key.key_id}, os:{operating_system_user()})"
    return Who(text, key, mark_of(seal), functools.partial(_deed_signed, command, signer, told))


def _deed_signed(
    command: Command, signer: Signer, told: Mapping[str, str], deed_digest: str
) -> str:
    """Return the signature of an event of a command; raises Refused where the key went away in between."""
    seal = signer(Command(command.command_id, deed_command(deed_digest)), told)
    if seal is None:
        raise Refused(
            "Nothing was done: the key went away while it signed.",
            next_step="see `workbench key list`, and give the command again",
        )
    return seal["signature"]


def _way_out(seal: Seal, fault: str) -> str:
    if "revoked" in fault or "expired" in fault:
        return "`workbench key new` after moving the old file away, then have the new key enrolled"
    if "enrolled for" in fault:
        return "leave `--as` out"
    return "give the command again, on this store, with a clock that is right"


SECOND_FIRST = "; where two persons have keys, one of them types the same with `key request` first"
"""What an enrolment asks besides once there are two."""


def key_of(who: Who, purpose: str) -> EnrolledKey:
    """Return the key that signed, where only an enrolled one will do; raises Refused saying how to get one."""
    if who.key is None:
        enrol = "`workbench key enrol PUBLIC-KEY --person NAME --role ROLE`"
        has_key = "is not enrolled" in who.text
        raise Refused(
            f"{purpose} must be signed by an enrolled key; this is from {who.text}.",
            next_step=f"have yours enrolled, by somebody who has one or as the store's first: {enrol}{SECOND_FIRST}"
            if has_key
            else f"`workbench key new`, then have it enrolled: {enrol}{SECOND_FIRST}",
        )
    return who.key

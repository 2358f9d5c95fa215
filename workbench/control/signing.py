"""Signed commands: what a signature says, how one is made, and why one is refused.

The signed statement is canonical JSON of store, environment, command id, digest of the command's content and
the instant of signing. So a captured command works for no other store, environment or content; it works once,
because its id does; and not later than `VALID_SECONDS`, nor with a key that was revoked meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from workbench.clock import Clock, from_text, to_text
from workbench.errors import Refused
from workbench.records import EnrolledKey
from workbench.store.log import sealed_statement
from workbench.store.sqlite import Command
from workbench.store.state import State

if TYPE_CHECKING:
    from workbench.store.keys import SigningKey

VALID_SECONDS = 600.0
"""How far signing and recording may lie apart: a queue at the lock and a small skew, not a captured command."""


def sealed(command: Command, state: State, *, signer: SigningKey, clock: Clock) -> Command:
    """Return the command with a signature for this store."""
    seal = {
        "store_id": state.store_id,
        "environment": state.environment,
        "signed_at": to_text(clock.now()),
    }
    message = sealed_statement({**seal, "id": command.command_id, "digest": command.digest})
    return replace(
        command, seal={**seal, "key_id": signer.key_id, "signature": signer.sign(message)}
    )


def check_seal(state: State, command: Command, *, now: datetime) -> EnrolledKey | None:
    """Return the enrolled key that signed a command, None for an unsigned or unenrolled one.

    Raises Refused for a signature that is not for this store, environment and content, is too old, or is of
    a revoked key. A clock that is behind the newest event does not make an old signature young.
    """
    seal = command.seal
    key = state.keys.get(seal.get("key_id", ""))
    if not seal or key is None:
        return None
    for name, here in (("store_id", state.store_id), ("environment", state.environment)):
        if seal.get(name) != here:
            raise Refused(
                f"The command was signed for {name.removesuffix('_id')} {seal.get(name)}, this is {here}.",
                next_step="give the command here yourself",
            )
    if key.revoked_seq is not None:
        raise Refused(
            f"Key {key.key_id} was revoked at {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC: {key.revoked_why}.",
            next_step="make a new one with `workbench key new` and have it enrolled",
        )
    if not _is_over(seal, command, key):
        raise Refused(
            f"The signature of key {key.key_id} is not over this command; nothing was recorded.",
            next_step="give the command again",
        )
    _check_age(state, from_text(seal["signed_at"]), now)
    return key


def _is_over(seal: Mapping[str, str], command: Command, key: EnrolledKey) -> bool:
    from workbench.store.keys import is_signed_by

    message = sealed_statement({**seal, "id": command.command_id, "digest": command.digest})
    return is_signed_by(key.public_hex, message, signature_hex=seal.get("signature", ""))


def _check_age(state: State, signed_at: datetime, now: datetime) -> None:
    reached = max(now, state.newest_at or now)
    if (reached - signed_at).total_seconds() > VALID_SECONDS:
        raise Refused(
            f"The command was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, more than "
            f"{VALID_SECONDS:.0f} s ago; a captured command is not taken later.",
            next_step="give the command again",
        )
    if (signed_at - reached).total_seconds() > VALID_SECONDS:
        raise Refused(
            f"The command was signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, which lies in the future here.",
            next_step="set the clock of the machine that signed",
        )

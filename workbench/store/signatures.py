"""Signed commands and events: what a signature covers, and whose it is. The log verifies it again at every fold.

A signature covers the store, its environment, the command's id and the digest of its content, and the
instant of signing. Nothing of it can be used for another command, in another store or much later. What a command
decided is not its content, so each of its events has a signature of its own over all that it says, its place in the log
with it: else whoever may write the log could put another event under a command that somebody signed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from workbench.clock import from_text
from workbench.records import EnrolledKey, Event
from workbench.store import log

if TYPE_CHECKING:
    from workbench.store.state import State

FRESH_SECONDS = 600
"""How far the instant of signing may lie from the clock, either way."""

Seal = Mapping[str, str]
"""key_id, store_id, environment, signed_at, signature: what a signer puts beside a command."""


def statement(
    command_id: str, digest: str, *, store_id: str, environment: str, signed_at: str
) -> bytes:
    """Return the bytes that are signed for a command."""
    content = {
        "store_id": store_id,
        "environment": environment,
        "command_id": command_id,
        "digest": digest,
        "signed_at": signed_at,
    }
    return log.canonical(content).encode()


def mark_of(seal: Seal) -> dict[str, str]:
    """Return what an event keeps of a seal: store and environment are the event's own."""
    return {name: seal[name] for name in ("key_id", "signed_at", "signature")}


def seal_fault(state: State, seal: Seal, *, command_id: str, digest: str, now: datetime) -> str:
    """Return why a seal does not count here, or an empty text; the clock never runs behind the log."""
    key = state.keys.get(seal["key_id"])
    if key is None:
        return f"key {seal['key_id']} is not enrolled in this store"
    if key.revoked_seq is not None:
        return f"key {key.key_id} was revoked at event {key.revoked_seq}: {key.revoked_reason}"
    if seal["store_id"] != state.store_id:
        return f"it was signed for store {seal['store_id']}; this is {state.store_id}"
    if seal["environment"] != state.environment:
        return f"it was signed for {seal['environment']}; this store is for {state.environment}"
    reached = max(now, state.newest_at or now)
    if not key.is_live(reached):
        return f"key {key.key_id} expired at {key.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if abs(reached - from_text(seal["signed_at"])) > timedelta(seconds=FRESH_SECONDS):
        return f"it was signed at {seal['signed_at']}, more than {FRESH_SECONDS // 60} minutes from now"
    said = statement(
        command_id,
        digest,
        store_id=state.store_id,
        environment=state.environment,
        signed_at=seal["signed_at"],
    )
    if not _is_signed(key.public_hex, said, seal["signature"]):
        return f"the signature is not of key {key.key_id} over this command (altered or replayed)"
    return ""


def deed_command(digest: str) -> dict[str, str]:
    """Return what is signed for an event as the content of a command, which no command that people give has."""
    return {"deed": digest}


def is_deed(content: Mapping[str, Any]) -> bool:
    """Tell whether a content is what is signed for an event."""
    return set(content) == {"deed"}


def signer_of(state: State, event: Event) -> EnrolledKey | None:
    """Return the enrolled key that signed an event and its command, as of the state before it; else None.

    In a log from before events were signed, that of its command.
    """
    mark = event.payload.get("command") or {}
    if not mark.get("signature"):
        return None
    seal = {
        **{name: str(mark[name]) for name in ("key_id", "signed_at", "signature")},
        "store_id": event.store_id,
        "environment": state.environment,
    }
    fault = seal_fault(
        state, seal, command_id=mark["id"], digest=mark["digest"], now=event.occurred_at
    )
    if fault or (state.asks_deeds and not _is_deed_signed(state, event, seal)):
        return None
    return state.keys[seal["key_id"]]


def _is_deed_signed(state: State, event: Event, seal: Seal) -> bool:
    mark = event.payload["command"]
    try:
        digest = log.digest(deed_command(log.deed_digest(event)))
    except ValueError:  # nobody signs what has no canonical bytes
        return False
    said = statement(
        mark["id"],
        digest,
        store_id=state.store_id,
        environment=state.environment,
        signed_at=seal["signed_at"],
    )
    return _is_signed(state.keys[seal["key_id"]].public_hex, said, str(mark.get("deed", "")))


@functools.lru_cache(maxsize=4096)
def _is_signed(public_hex: str, message: bytes, signature_hex: str) -> bool:
    # Only now: a log without signatures costs a cold shell no cryptography.
    from workbench.store.keys import is_signed_by

    return is_signed_by(public_hex, message, signature_hex=signature_hex)

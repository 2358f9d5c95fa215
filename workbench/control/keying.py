"""Enrolling and revoking keys: the first by whoever made the store, later ones signed by a standing key."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from workbench.control.placing import storable
from workbench.errors import BadSettings, NotFound, Refused, UsageFault
from workbench.records import EnrolledKey
from workbench.settings import KEY_FILE, Settings
from workbench.store.log import Draft
from workbench.store.sqlite import Change, Command
from workbench.store.state import State

if TYPE_CHECKING:
    from workbench.store.keys import SigningKey


def own_key(settings: Settings) -> SigningKey | None:
    """Return this user's signing key, or None; only where there is one is cryptography imported.

    A key that is open to others or damaged is not used: what it would have signed is unsigned, and
    `workbench doctor` says why. It must stop no pause.
    """
    path = settings.home / KEY_FILE
    if not path.exists():
        return None
    from workbench.store.keys import load_key

    with contextlib.suppress(BadSettings):
        return load_key(path)
    return None


@dataclass(frozen=True)
class EnrolRequest:
    """A public key to be enrolled for a person who acts for a role.

    Attributes:
        key_id: first 16 hex digits of SHA-256 over the raw public key.
        person: who holds it, as the log shall name them; two keys of one person are one signer.
        break_glass_reason: needed where keys were enrolled and none stands any more.
    """

    public_hex: str
    key_id: str
    role: str
    person: str
    break_glass_reason: str = ""

    def command(self, command_id: str) -> Command:
        """Return the request as a command with an id of its own."""
        content = {"name": "key enrol", **self.content()}
        return Command(command_id, content)

    def content(self) -> dict[str, str]:
        """Return the request as plain values."""
        return {
            "public_hex": self.public_hex,
            "key_id": self.key_id,
            "role": self.role,
            "person": storable(self.person),
            "break_glass_reason": storable(self.break_glass_reason),
        }


@dataclass(frozen=True)
class RevokeRequest:
    """A key that shall not count any more, and why."""

    key_id: str
    reason: str

    def command(self, command_id: str) -> Command:
        """Return the request as a command with an id of its own."""
        content = {"name": "key revoke", "key_id": self.key_id, "reason": storable(self.reason)}
        return Command(command_id, content)


def decide_enrol(
    state: State, request: EnrolRequest, *, actor: str, now: datetime, signed_by: EnrolledKey | None
) -> Change:
    """Return the event that enrols a key; raises Refused saying who can enrol it."""
    known = state.keys.get(request.key_id)
    if known is not None:
        how = "was revoked; a key is never enrolled again" if known.revoked_seq else "is enrolled"
        raise Refused(f"Key {request.key_id} {how}.", next_step="see `workbench key list`")
    if request.role not in state.owners:
        roles = ", ".join(sorted(state.owners)) or "none yet"
        raise Refused(
            f"{request.role!r} is not a registered role; there are: {roles}.",
            next_step="`workbench registry apply FILE`, then enrol the key",
        )
    if not storable(request.person):
        raise UsageFault("A key needs a person; add `--person NAME`.")
    _check_right(state, request, signed_by)
    draft = Draft(
        now,
        actor,
        "key.enrol",
        request.key_id,
        reason=storable(request.break_glass_reason),
        payload=request.content(),
    )
    return Change([draft])


def _check_right(state: State, request: EnrolRequest, signed_by: EnrolledKey | None) -> None:
    if not state.keys or signed_by is not None:
        return
    standing = [key.key_id for key in state.keys.values() if key.revoked_seq is None]
    if standing:
        raise Refused(
            f"Keys are enrolled here already ({', '.join(standing[:4])}); another is enrolled by one of them.",
            next_step=f"let its holder type `workbench key enrol {request.public_hex} "
            f"--as {request.role} --person NAME`",
        )
    if not storable(request.break_glass_reason):
        raise Refused(
            "Every key of this store was revoked; a new one is enrolled by break-glass only.",
            next_step='add `--break-glass "REASON"`, which is recorded and flagged',
        )


def decide_revoke(
    state: State,
    request: RevokeRequest,
    *,
    actor: str,
    now: datetime,
    signed_by: EnrolledKey | None,
) -> Change:
    """Return the event that revokes a key; raises Refused unless a standing key signed it."""
    known = state.keys.get(request.key_id)
    if known is None:
        raise NotFound(
            f"There is no key {request.key_id}; enrolled: {', '.join(state.keys) or 'none'}.",
            next_step="see `workbench key list`",
        )
    if known.revoked_seq is not None:
        raise Refused(f"{request.key_id} was revoked already, at event {known.revoked_seq}.")
    if not storable(request.reason):
        raise UsageFault("A revocation needs a reason; add `--reason TEXT`.")
    if signed_by is None:
        raise Refused(
            "A key is revoked by the holder of an enrolled key, so that nobody revokes in another's name.",
            next_step="give the command with your own key in WORKBENCH_HOME, see `workbench key list`",
        )
    draft = Draft(now, actor, "key.revoke", request.key_id, reason=storable(request.reason))
    return Change([draft])

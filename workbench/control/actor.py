"""Who gives a command: the operating-system user of this process, and the role they act for."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from workbench.errors import Refused
from workbench.records import EnrolledKey, Owner


def operating_system_user() -> str:
    """Return the user of this process from its uid, never from an environment variable."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def signer_text(key: EnrolledKey, role: str | None) -> str:
    """Return how the log names who signed: `ops-lead (anna, key 1a2b3c4d5e6f7a8b)`.

    Raises Refused when the key was enrolled for another role than the one named.
    """
    if role is not None and role != key.role:
        raise Refused(
            f"Key {key.key_id} is enrolled for {key.role}, not for {role}.",
            next_step="leave `--as` out, or use the key that is enrolled for the role",
        )
    return f"{key.role} ({key.person}, key {key.key_id})"


def actor_text(role: str | None, owners: Mapping[str, Owner]) -> str:
    """Return how the log names the person: `ops-lead (os:anna, unverified)` or `os:anna (unverified)`.

    Raises Refused when the role is not one of the registered owners.
    """
    user = operating_system_user()
    if role is None:
        return f"os:{user} (unverified)"
    if role not in owners:
        known = ", ".join(sorted(owners)) or "none yet"
        raise Refused(
            f"{role!r} is not a registered role; there are: {known}.", next_step="leave `--as` out"
        )
    return f"{role} (os:{user}, unverified)"

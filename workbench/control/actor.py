"""Who gives a command: the operating-system user of this process, and the role they act for."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from workbench.errors import Refused
from workbench.records import Owner


def operating_system_user() -> str:
    """Return the user of this process from its uid, never from an environment variable."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


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

"""Who gives a command: the operating-system user of this process, and the role they act for."""

from __future__ import annotations

import functools
import os
import pwd
from collections.abc import Mapping

from workbench.control.hub import hub_user
from workbench.errors import Refused
from workbench.records import Owner


def operating_system_user() -> str:
    """Return the user of this process from its uid, never from an environment variable."""
    return _name_of(os.getuid())


@functools.cache
def _name_of(uid: int) -> str:
    """Look a name up once a process: where a directory service has the names, a second pause is not to wait for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def actor_text(role: str | None, owners: Mapping[str, Owner], *, note: str = "") -> str:
    """Return how the log names a person without a key: `ops-lead (os:anna, unverified)`.

    A note says why no signature counts. Without a role it is `os:anna (unverified)`; where JupyterHub vouches
    for the user it is `hub:anna (no key)`.
    Raises Refused when the role is not one of the registered owners.
    """
    if hub := hub_user():
        user, unverified = f"hub:{hub}", f"no key: {note}" if note else "no key"
    else:
        user = f"os:{operating_system_user()}"
        unverified = f"unverified: {note}" if note else "unverified"
    if role is None:
        return f"{user} ({unverified})"
    if role not in owners:
        known = ", ".join(sorted(owners)) or "none yet"
        raise Refused(
            f"{role!r} is not a registered role; there are: {known}.", next_step="leave `--as` out"
        )
    return f"{role} ({user}, {unverified})"

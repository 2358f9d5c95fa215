"""The systemd unit that keeps a mirror running, filled in for this host and these settings."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from workbench.settings import Settings

UNIT = Path(__file__).resolve().parents[1] / "units" / "workbench-mirror.service"

_SANDBOX = (
    "NoNewPrivileges=yes",
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
)
"""What a mirror does not need; a manager of one user cannot take these away."""


def unit_text(settings: Settings, *, is_for_user: bool) -> str:
    """Return the unit for the whole host, run as this user, or for the manager of this user.

    It names store, gate and home folder as they are set now, never a password: that stays in ~/.pgpass.
    """
    named = {
        "WORKBENCH_STORE": settings.place,
        "WORKBENCH_GATE": str(settings.gate),
        "WORKBENCH_HOME": str(settings.home),
    }
    user = [] if is_for_user else [f"User={getpass.getuser()}"]
    filled = {
        "COMMAND": f"{quoted(sys.executable).replace('$', '$$')} -m workbench",
        "SETTINGS": "\n".join([*user, *_environment(named)]),
        "SANDBOX": "" if is_for_user else "\n".join(_SANDBOX),
        "TARGET": "default.target" if is_for_user else "multi-user.target",
    }
    text = UNIT.read_text(encoding="utf-8")
    for name, value in filled.items():
        text = text.replace(f"@{name}@", value)
    return text.replace("\n\n\n", "\n\n")


def _environment(named: Mapping[str, str]) -> list[str]:
    return [f"Environment={quoted(f'{name}={value}')}" for name, value in named.items()]


def quoted(word: str) -> str:
    """Return a word as a unit file needs it: specifiers doubled, and in quotes with its own escaped."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("\n", "\\n")
    return f'"{escaped}"'

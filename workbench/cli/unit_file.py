"""The systemd units that keep a mirror or the delivery to engines running, filled in for this host and its settings."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from workbench.settings import Settings

UNITS = Path(__file__).resolve().parents[1] / "units"
MIRROR, SERVE = (UNITS / f"workbench-{name}.service" for name in ("mirror", "serve"))

_SANDBOX = (
    "NoNewPrivileges=yes",
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
)
"""What neither needs; a manager of one user cannot take these away."""


def unit_text(unit: Path, settings: Settings, *, is_for_user: bool) -> str:
    """Return a unit for the whole host, run as this user, or for the manager of this user.

    It names store, gate, folders, host and file of engines as they are set now, never a password: that stays in
    ~/.pgpass, or in the file that the file of engines names.
    """
    named = {
        **settings.as_environment(),
        "WORKBENCH_STORE": settings.place,
        "WORKBENCH_ENGINES": str(settings.engines_file),
    }
    for moment in ("WORKBENCH_CLOCK", "WORKBENCH_UNATTENDED"):
        named.pop(moment, None)
    user = [] if is_for_user else [f"User={getpass.getuser()}"]
    filled = {
        "COMMAND": f"{quoted(sys.executable).replace('$', '$$')} -m workbench",
        "SETTINGS": "\n".join([*user, *_environment(named)]),
        "SANDBOX": "" if is_for_user else "\n".join(_SANDBOX),
        "TARGET": "default.target" if is_for_user else "multi-user.target",
    }
    text = unit.read_text(encoding="utf-8")
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

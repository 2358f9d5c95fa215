"""The policy of an environment: how many sign-offs, whose, and for how long; a TOML file read strictly."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workbench.errors import BadSettings
from workbench.scope import SLUG

PRODUCTION = "production"


@dataclass(frozen=True)
class Policy:
    """Who may do what in one environment. An empty list of roles means every registered role.

    Attributes:
        signoffs_required: persons, other than who asks and who resumes, that a resume needs.
        signoff_valid_seconds: how long after its request a sign-off can be used.
        is_override_signed: a decision against its report's verdict needs a second person's sign-off.
    """

    environment: str
    signoffs_required: int = 0
    signoff_valid_seconds: int = 3600
    is_override_signed: bool = False
    may_sign: tuple[str, ...] = ()
    may_resume: tuple[str, ...] = ()
    may_release: tuple[str, ...] = ()
    may_change_policy: tuple[str, ...] = ()


_NAMES = {f.name for f in fields(Policy)} - {"environment"}


def default_policy(environment: str) -> Policy:
    """Return what holds before a policy was applied: production asks for a sign-off, others do not."""
    is_production = environment == PRODUCTION
    return Policy(environment, int(is_production), is_override_signed=is_production)


def policy_from(body: Mapping[str, Any]) -> Policy:
    """Read a policy from plain values, as events hold it."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}
    return Policy(**values)


def read_policy(path: Path, environment: str) -> Policy:
    """Read one environment's table of a file; raises BadSettings naming file, line and what to mend."""
    try:
        text = path.read_text(encoding="utf-8")
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = re.search(r"line (\d+)", str(exc))
        line = f":{found.group(1)}" if found else ""
        raise BadSettings(f"{path}{line}: not valid TOML: {exc}.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(f"{path} cannot be read: {exc}.") from exc
    lines = text.splitlines()
    for name, table in body.items():
        if not isinstance(table, dict) or not SLUG.fullmatch(name):
            raise _fault(path, lines, name, "write a table for each environment, as [production]")
        for key, value in table.items():
            if why := _why_wrong(key, value):
                raise _fault(path, lines, name, why, key=key)
    if environment not in body:
        raise BadSettings(
            f"{path} has no table [{environment}]; it has {', '.join(body) or 'none'}."
        )
    return policy_from({"environment": environment, **body[environment]})


def _why_wrong(key: str, value: Any) -> str:
    if key not in _NAMES:
        return f"unknown key {key!r}; there are {', '.join(sorted(_NAMES))}"
    if key.startswith("may_"):
        is_roles = isinstance(value, list) and all(
            isinstance(v, str) and SLUG.fullmatch(v) for v in value
        )
        return "" if is_roles else f"{key} must be a list of roles"
    if key.startswith("is_"):
        return "" if isinstance(value, bool) else f"{key} must be true or false"
    least = 1 if key == "signoff_valid_seconds" else 0
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return "" if is_count else f"{key} must be a whole number, {least} or more"


def _fault(
    path: Path, lines: list[str], table: str, why: str, *, key: str | None = None
) -> BadSettings:
    start = next((n for n, text in enumerate(lines) if text.strip() == f"[{table}]"), 0)
    wanted = re.compile(r"\s*" + re.escape(key or "") + r"\s*=")
    at = next((n for n, t in enumerate(lines[start:], start) if key and wanted.match(t)), start)
    return BadSettings(f"{path}:{at + 1}: {table}: {why}.")

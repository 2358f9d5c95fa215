"""The policy of an environment: how many sign-offs, whose, and for how long; a TOML file read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadSettings, why_unreadable
from workbench.scope import SLUG
from workbench.toml_file import NotToml, parse_toml, read_text

PRODUCTION = "production"


@dataclass(frozen=True)
class Policy:
    """Who may do what in one environment; `MEANING` says each setting in words, for screens and files."""

    environment: str
    signoffs_required: int = 0
    signoff_valid_seconds: int = 3600
    is_override_signed: bool = False
    may_sign: tuple[str, ...] = ()
    may_resume: tuple[str, ...] = ()
    may_release: tuple[str, ...] = ()
    may_change_policy: tuple[str, ...] = ()
    may_decide: tuple[str, ...] = ()
    evidence_max_age_seconds: int = 900
    pause_latency_seconds: int = 5
    clean_runs: int = 59
    is_first_run_guarded: bool = False
    reviewed_runs: int = 3
    is_drill_required: bool = False
    drill_max_age_days: int = 31
    is_pause_by_person: bool = False
    verifiers_required: int = 1

    @property
    def named_roles(self) -> set[str]:
        """Return every role that it names."""
        return {role for name in ROLES for role in getattr(self, name)}


MEANING: Mapping[str, str] = {
    "signoffs_required": "persons, other than who asks and who resumes, that a resume needs",
    "signoff_valid_seconds": "how long after its request a sign-off can be used",
    "is_override_signed": "a decision against its report needs a second person's sign-off",
    "may_sign": "roles that sign off",
    "may_decide": "roles that decide on a report",
    "may_resume": "roles that restart narrowly",
    "may_release": "roles that release a hold",
    "may_change_policy": "roles that change this policy",
    "evidence_max_age_seconds": "age at which loaded evidence is too old",
    "pause_latency_seconds": "a pause that takes longer was slow, and what runs later leaked",
    "clean_runs": "runs without a failure that a full restart needs in production",
    "is_first_run_guarded": "what comes to production is held until it is ready",
    "reviewed_runs": "read-only or staging runs that a person reviewed, to be ready",
    "is_drill_required": "a drill of its engine that passed, to be ready",
    "drill_max_age_days": "age at which a drill is too old",
    "verifiers_required": "persons who must verify a record that cannot be undone, or of which nobody knows, each with "
    "a key where it is more than one",
    "is_pause_by_person": "a trigger never pauses by itself, whatever the registry says",
}
"""Setting -> what it says; roles that are not named mean everybody, and named ones need an enrolled key."""

ROLES = tuple(name for name in MEANING if name.startswith("may_"))
_MOST = 1_000_000_000
"""Largest number that is taken, some thirty years of seconds: with a larger one no end of a sign-off has a date."""
_LEAST = {"signoffs_required": 0, "reviewed_runs": 0}
_NAMES = set(MEANING)
_FIRST = {name for name in ROLES if name != "may_decide"} | {
    "signoffs_required",
    "signoff_valid_seconds",
    "is_override_signed",
}
"""Settings that every policy in a log has."""


def default_policy(environment: str) -> Policy:
    """Return what holds before a policy was applied: production asks for sign-offs, drills and reviews first."""
    if environment != PRODUCTION:
        return Policy(environment)
    return Policy(
        environment,
        1,
        is_override_signed=True,
        is_first_run_guarded=True,
        is_drill_required=True,
        verifiers_required=2,
    )


_LESS_ASKS_LESS = {"signoffs_required", "clean_runs", "reviewed_runs", "verifiers_required"}


def weaker_fields(old: Policy, new: Policy) -> tuple[str, ...]:
    """Return the settings in which a policy asks for less than another, or lets more people."""
    return tuple(
        name for name in MEANING if _is_weaker(name, getattr(old, name), getattr(new, name))
    )


def _is_weaker(name: str, old: Any, new: Any) -> bool:
    if name in ROLES:  # none named lets everybody
        return bool(old) and (not new or not set(new) <= set(old))
    if name.startswith("is_") or name in _LESS_ASKS_LESS:
        return bool(new < old)
    return bool(new > old)


def policy_from(body: Mapping[str, Any]) -> Policy:
    """Read a policy from plain values, as events hold it."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}
    return Policy(**values)


def policy_to(policy: Policy) -> dict[str, Any]:
    """Return a policy as plain values; later settings only where they say something, for older logs lack them."""
    usual = Policy(policy.environment)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(policy).items()
        if name == "environment" or name in _FIRST or value != getattr(usual, name)
    }


def read_policy(path: Path, environment: str) -> Policy:
    """Read one environment's table of a file; what it does not name is as before any policy was applied.

    Raises BadSettings naming file, line and what to mend.
    """
    body = _tables(path)
    if environment not in body:
        raise BadSettings(
            f"{path} has no table [{environment}]; it has {', '.join(body) or 'none'}."
        )
    said: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in body[environment].items()
    }
    return replace(default_policy(environment), **said)


def environments_in(path: Path) -> tuple[str, ...]:
    """Return the environments that a file has a table for; raises BadSettings where it has none, as `read_policy`."""
    found = tuple(_tables(path))
    if not found:
        raise BadSettings(
            f"{path} has no table.", next_step="write one for each environment, as [production]"
        )
    return found


def _tables(path: Path) -> dict[str, Any]:
    """Return every table of a file, checked; raises BadSettings."""
    try:
        text = read_text(path)
        body = parse_toml(text)
    except NotToml as exc:
        found = re.search(r"line (\d+)", str(exc))
        line = f":{found.group(1)}" if found else ""
        raise BadSettings(f"{path}{line}: not valid TOML: {exc}.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(
            f"{path} cannot be read: {why_unreadable(exc)}.",
            next_step="name the policy's file, a TOML file with a table for each environment",
        ) from exc
    lines = text.splitlines()
    for name, table in body.items():
        if not isinstance(table, dict) or not SLUG.fullmatch(name):
            raise _fault(path, lines, name, "write a table for each environment, as [production]")
        for key, value in table.items():
            if why := _why_wrong(key, value):
                raise _fault(path, lines, name, why, key=key)
    return body


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
    least = _LEAST.get(key, 1)
    is_count = isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST
    return "" if is_count else f"{key} must be a whole number from {least} to {_MOST}"


def _fault(
    path: Path, lines: list[str], table: str, why: str, *, key: str | None = None
) -> BadSettings:
    start = next((n for n, text in enumerate(lines) if text.strip() == f"[{table}]"), 0)
    wanted = re.compile(r"\s*" + re.escape(key or "") + r"\s*=")
    at = next((n for n, t in enumerate(lines[start:], start) if key and wanted.match(t)), start)
    return BadSettings(f"{path}:{at + 1}: {table}: {why}.")

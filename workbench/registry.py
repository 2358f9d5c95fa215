"""The registry of automations: a TOML file that people edit, read strictly and compared with the log."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadSettings
from workbench.records import CHECKLIST, Automation, Category, Kind, Owner
from workbench.registry_triggers import TriggerTables
from workbench.scope import SLUG

PRODUCTION = "production"
_TABLES = ("owners", "categories", "automations", "triggers")
_KEYS: dict[str, frozenset[str]] = {
    "owners": frozenset({"members", "deputy", "contact"}),
    "categories": frozenset({"owner", "restart_owner", "triggers"}),
    "automations": frozenset(f.name for f in fields(Automation)) - {"automation_id", "is_retired"},
}
_LISTS = frozenset({"members", "tools", "cleanup"})
_TEXTS = frozenset({"kind", "title", "engine_ref", "alert_match", "contact"})
_SLUGS = frozenset(
    {"category", "environment", "owner", "restart_owner", "deputy", "engine", "provider"}
)


@dataclass(frozen=True)
class Registry:
    """What the file says: owners, categories and automations by id."""

    owners: Mapping[str, Owner]
    categories: Mapping[str, Category]
    automations: Mapping[str, Automation]


@dataclass(frozen=True)
class Difference:
    """One line of what applying the file would record."""

    action: str
    target: str
    details: str
    record: Owner | Category | Automation | None = None


def read_registry(path: Path) -> Registry:
    """Read and check a registry file; raises BadSettings naming file, line and what to mend."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(f"{path} cannot be read: {exc}") from exc
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = re.search(r"line (\d+)", str(exc))
        line = found.group(1) if found else str(len(text.splitlines()))
        raise BadSettings(f"{path}:{line}: not valid TOML: {exc}.") from exc
    return _Reader(path, text).registry(body)


def compare(wanted: Registry, known: Registry) -> list[Difference]:
    """Return what differs, in the order in which it is recorded; nothing where all is as it was."""
    found: list[Difference] = []
    tables: tuple[
        tuple[str, Mapping[str, Owner | Category], Mapping[str, Owner | Category]], ...
    ] = (
        ("owner", wanted.owners, known.owners),
        ("category", wanted.categories, known.categories),
    )
    for noun, new, old in tables:
        found += [
            Difference(
                f"{noun}.register",
                key,
                "new" if key not in old else _changes(old[key], record),
                record,
            )
            for key, record in sorted(new.items())
            if old.get(key) != record
        ]
    for key, record in sorted(wanted.automations.items()):
        before = known.automations.get(key)
        if before is None:
            found.append(Difference("automation.register", key, _one_line(record), record))
        elif before != record:
            found.append(Difference("automation.change", key, _changes(before, record), record))
    for key, before in sorted(known.automations.items()):
        if key not in wanted.automations and not before.is_retired:
            found.append(Difference("automation.retire", key, "not in the file any more"))
    return found


def _one_line(record: Automation) -> str:
    return f"{record.kind} in {record.category}, {record.environment}, owner {record.owner}"


def _changes(before: Any, after: Any) -> str:
    changed = [f.name for f in fields(after) if getattr(before, f.name) != getattr(after, f.name)]
    return "; ".join(
        f"{name}: {getattr(before, name)!r} -> {getattr(after, name)!r}" for name in changed
    )


class _Reader:
    """Checks one file; every complaint names the line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def registry(self, body: Mapping[str, Any]) -> Registry:
        for table in body:
            if table not in _TABLES:
                raise self._fault(
                    table, None, f"unknown table [{table}]; there are {', '.join(_TABLES)}"
                )
        owners = {k: self._owner(k, v) for k, v in self._rows(body, "owners")}
        self.triggers = TriggerTables(body, self._fault)
        categories = {k: self._category(k, v, owners) for k, v in self._rows(body, "categories")}
        automations = {
            k: self._automation(k, v, owners, categories)
            for k, v in self._rows(body, "automations")
        }
        return Registry(owners, categories, automations)

    def _rows(self, body: Mapping[str, Any], table: str) -> list[tuple[str, Mapping[str, Any]]]:
        rows = body.get(table, {})
        if not isinstance(rows, dict):
            raise self._fault(table, None, f"[{table}] must be a table of tables")
        for key, row in rows.items():
            where = f"{table}.{key}"
            if not SLUG.fullmatch(key):
                raise self._fault(
                    where, None, f"{key!r} is not a valid id (letters a-z, digits, . _ -)"
                )
            if not isinstance(row, dict):
                raise self._fault(where, None, "must be a table")
            self._check_values(where, row, _KEYS[table])
        return list(rows.items())

    def _check_values(self, where: str, row: Mapping[str, Any], allowed: frozenset[str]) -> None:
        for name, value in row.items():
            if name not in allowed:
                raise self._fault(
                    where, name, f"unknown key {name!r}; there are {', '.join(sorted(allowed))}"
                )
            if name in _LISTS and not (
                isinstance(value, list) and all(isinstance(v, str) for v in value)
            ):
                raise self._fault(where, name, f"{name} must be a list of texts")
            if name in _TEXTS and not isinstance(value, str):
                raise self._fault(where, name, f"{name} must be text")
            if name in _SLUGS and not (isinstance(value, str) and SLUG.fullmatch(value)):
                raise self._fault(
                    where, name, f"{value!r} is not a valid {name} (letters a-z, digits, . _ -)"
                )
            if name == "tools" and not all(SLUG.fullmatch(v) for v in value):
                raise self._fault(where, name, f"{value!r} holds a tool name that is not valid")

    def _owner(self, key: str, row: Mapping[str, Any]) -> Owner:
        return Owner(
            key, tuple(row.get("members", ())), row.get("deputy", ""), row.get("contact", "")
        )

    def _category(self, key: str, row: Mapping[str, Any], owners: Mapping[str, Owner]) -> Category:
        where = f"categories.{key}"
        owner = row.get("owner")
        if owner is None:
            raise self._fault(where, None, "needs an owner")
        for name in ("owner", "restart_owner"):
            if row.get(name) and row[name] not in owners:
                raise self._fault(where, name, f"{row[name]!r} is not one of the owners")
        stated = self.triggers.of_category(key)
        return Category(key, owner, row.get("restart_owner", ""), triggers=stated)

    def _automation(
        self,
        key: str,
        row: Mapping[str, Any],
        owners: Mapping[str, Owner],
        categories: Mapping[str, Category],
    ) -> Automation:
        where = f"automations.{key}"
        for name in ("kind", "category", "environment"):
            if name not in row:
                raise self._fault(where, None, f"needs {name}")
        if row["kind"] not in list(Kind):
            raise self._fault(
                where, "kind", f"{row['kind']!r} is not a kind; there are {', '.join(Kind)}"
            )
        if row["category"] not in categories:
            raise self._fault(
                where, "category", f"{row['category']!r} is not one of the categories"
            )
        category = categories[row["category"]]
        record = self._record(where, key, row)
        record = replace(
            record,
            owner=record.owner or category.owner,
            restart_owner=record.restart_owner or category.restart_owner,
            triggers=self.triggers.of_automation(key, record),
        )
        for name in ("owner", "restart_owner", "deputy"):
            if getattr(record, name) and getattr(record, name) not in owners:
                raise self._fault(
                    where, name, f"{getattr(record, name)!r} is not one of the owners"
                )
        self._complete(where, record)
        return record

    def _record(self, where: str, key: str, row: Mapping[str, Any]) -> Automation:
        values = dict(row)
        checklist = values.pop("checklist", {})
        if not isinstance(checklist, dict) or not all(
            isinstance(v, str) for v in checklist.values()
        ):
            raise self._fault(where, "checklist", "checklist must be a table of texts")
        unknown = sorted(set(checklist) - set(CHECKLIST))
        if unknown:
            raise self._fault(
                where,
                unknown[0],
                f"the checklist has no {unknown[0]!r}; it asks {', '.join(CHECKLIST)}",
            )
        interval = values.get("expected_interval_seconds")
        if interval is not None and (
            not isinstance(interval, int) or isinstance(interval, bool) or interval <= 0
        ):
            raise self._fault(
                where,
                "expected_interval_seconds",
                "expected_interval_seconds must be a whole number of seconds above 0",
            )
        if not isinstance(values.get("asks_gate", False), bool):
            raise self._fault(where, "asks_gate", "asks_gate must be true or false")
        values.pop("triggers", None)  # put in with what it inherits
        values["tools"] = tuple(values.get("tools", ()))
        values["cleanup"] = tuple(values.get("cleanup", ()))
        defaults = {"owner": ""}
        return Automation(automation_id=key, checklist=dict(checklist), **{**defaults, **values})

    def _complete(self, where: str, record: Automation) -> None:
        if record.environment != PRODUCTION:
            return
        missing = [name for name in CHECKLIST if not record.checklist.get(name, "").strip()]
        if missing:
            raise self._fault(
                where, None, f"is in production and its checklist lacks {', '.join(missing)}"
            )
        if not record.restart_owner:
            raise self._fault(
                where, None, "is in production and names no restart_owner (nor does its category)"
            )

    def _fault(self, where: str, key: str | None, why: str) -> BadSettings:
        return BadSettings(f"{self.path}:{self._line(where, key)}: {where}: {why}.")

    def _line(self, where: str, key: str | None) -> int:
        """Return the line of a key below its table's header, as well as text can tell."""
        header = re.compile(r"\s*\[\s*" + re.escape(where) + r"(\.|\s*\])")
        found = [n for n, line in enumerate(self.lines) if header.match(line)]
        if not found and "." in where:  # written inline, in the table above it
            return self._line(where.rpartition(".")[0], key)
        start = found[0] if found else 0
        if key is None:
            return start + 1
        wanted = re.compile(r"\s*[\"']?" + re.escape(key) + r"[\"']?\s*=")
        return next(
            (n + 1 for n, line in enumerate(self.lines[start:], start) if wanted.match(line)),
            start + 1,
        )

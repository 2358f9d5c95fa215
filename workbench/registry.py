"""The registry of automations: a TOML file that people edit, read strictly and compared with the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadSettings, why_unreadable
from workbench.records import CHECKLIST, Automation, Category, Kind, Owner
from workbench.registry_triggers import TriggerTables
from workbench.scope import SLUG
from workbench.toml_file import NotToml, parse_toml, read_text

PRODUCTION = "production"
_TABLES = ("owners", "categories", "automations", "triggers")
_KEYS: dict[str, frozenset[str]] = {
    "owners": frozenset({"members", "deputy", "contact"}),
    "categories": frozenset({"owner", "restart_owner", "triggers"}),
    "automations": frozenset(f.name for f in fields(Automation)) - {"automation_id", "is_retired"},
}
MOST_SECONDS = 1_000_000_000
"""Longest interval that is taken, some thirty years: with a longer one no next start has a date."""
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
    """Read and check a registry file; raises BadSettings naming file, line and what to mend for every fault."""
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(
            f"{path} cannot be read: {why_unreadable(exc)}.",
            next_step="name the registry's file, a TOML file as workbench/demo/automations.toml is one",
        ) from exc
    try:
        body = parse_toml(text)
    except NotToml as exc:
        found = re.search(r"line (\d+)", str(exc))
        line = found.group(1) if found else str(len(text.splitlines()))
        raise BadSettings(f"{path}:{line}: not valid TOML: {exc}.") from exc
    return _Reader(path, text).registry(body)


def notes_on(registry: Registry) -> list[str]:
    """Return what is allowed in a file and seldom meant: a role without members, or no automation at all."""
    found = []
    for key, owner in sorted(registry.owners.items()):
        if not owner.members:
            silent = "" if owner.contact else "; it has no contact either"
            found.append(
                f"owners.{key}: it has no members, so no key can be enrolled in it{silent}"
            )
    if not registry.automations:
        said = "the file names no automation: `registry apply` would retire every one there is"
        found.append(said)
    return found


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


def _why_wrong(name: str, value: Any, allowed: frozenset[str]) -> str:
    """Return why a key or its value cannot stand in a row, or an empty text."""
    slugs = "(letters a-z, digits, . _ -)"
    is_texts = isinstance(value, list) and all(isinstance(v, str) for v in value)
    if name not in allowed:
        return f"unknown key {name!r}; there are {', '.join(sorted(allowed))}"
    if name in _LISTS and not is_texts:
        return f"{name} must be a list of texts"
    if name in _TEXTS and not isinstance(value, str):
        return f"{name} must be text"
    if name in _SLUGS and not (isinstance(value, str) and SLUG.fullmatch(value)):
        return f"{value!r} is not a valid {name} {slugs}"
    if name == "tools" and not all(SLUG.fullmatch(v) for v in value):
        return f"{value!r} holds a tool name that is not valid"
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if name == "expected_interval_seconds" and not (is_whole and 0 < value <= MOST_SECONDS):
        return f"{name} must be a whole number of seconds above 0, and {MOST_SECONDS} at most"
    if name == "asks_gate" and not isinstance(value, bool):
        return f"{name} must be true or false"
    return ""


def _headers(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Give the place of each line that opens a table, with the table's name as complaints write it, unquoted."""
    for place, line in enumerate(lines):
        if not line.lstrip().startswith("["):
            continue
        try:
            body: Any = parse_toml(line)
        except NotToml:  # a line of an array
            continue
        names = []
        while isinstance(body, dict) and body:
            ((name, body),) = body.items()
            names.append(name)
        yield place, ".".join(names)


class _Reader:
    """Checks one file whole; every complaint names the line, and what is wrong in one place hides nothing elsewhere."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.headers = list(_headers(self.lines))
        self.faults: list[tuple[int, str]] = []
        self.spoiled: set[tuple[str, str]] = set()

    def registry(self, body: Mapping[str, Any]) -> Registry:
        for table in body:
            if table not in _TABLES:
                self._note(table, None, f"unknown table [{table}]; there are {', '.join(_TABLES)}")
        rows = self._rows(body, "owners")
        owners = {k: self._owner(k, v) for k, v in rows}
        for key, row in rows:
            self._check_owners(f"owners.{key}", row, ("deputy",), owners)
        self.triggers = TriggerTables(body, self._note)
        categories = {k: self._category(k, v, owners) for k, v in self._rows(body, "categories")}
        automations = {
            k: self._automation(k, v, owners, categories)
            for k, v in self._rows(body, "automations")
        }
        if self.faults:
            raise self._complaint()
        return Registry(owners, categories, automations)

    def _complaint(self) -> BadSettings:
        found = [said for _, said in sorted(self.faults)]
        if len(found) == 1:
            return BadSettings(found[0])
        return BadSettings(
            "\n".join([f"{self.path} has {len(found)} faults:", *found]),
            next_step="mend the named lines and run the command again",
        )

    def _rows(self, body: Mapping[str, Any], table: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the rows of a table with those of their values that can be used."""
        rows, found = body.get(table, {}), []
        if not isinstance(rows, dict):
            self._note(table, None, f"[{table}] must be a table of tables")
            return []
        for key, row in rows.items():
            where = f"{table}.{key}"
            if not SLUG.fullmatch(key):
                self._note(where, None, f"{key!r} is not a valid id (letters a-z, digits, . _ -)")
            if not isinstance(row, dict):
                self._note(where, None, "must be a table")
                row = {}
            found.append((key, self._usable(where, row, _KEYS[table])))
        return found

    def _usable(
        self, where: str, row: Mapping[str, Any], allowed: frozenset[str]
    ) -> Mapping[str, Any]:
        wrong = {name: _why_wrong(name, value, allowed) for name, value in row.items()}
        for name, why in wrong.items():
            if why:
                self._note(where, name, why)
        return {name: value for name, value in row.items() if not wrong[name]}

    def _owner(self, key: str, row: Mapping[str, Any]) -> Owner:
        return Owner(
            key, tuple(row.get("members", ())), row.get("deputy", ""), row.get("contact", "")
        )

    def _category(self, key: str, row: Mapping[str, Any], owners: Mapping[str, Owner]) -> Category:
        where = f"categories.{key}"
        self._needs(where, row, "owner", said="an owner")
        self._check_owners(where, row, ("owner", "restart_owner"), owners)
        stated = self.triggers.of_category(key)
        return Category(key, row.get("owner", ""), row.get("restart_owner", ""), triggers=stated)

    def _needs(self, where: str, row: Mapping[str, Any], name: str, *, said: str) -> None:
        if name not in row and (where, name) not in self.spoiled:
            self._note(where, None, f"needs {said}")

    def _check_owners(
        self, where: str, row: Mapping[str, Any], names: Sequence[str], owners: Mapping[str, Owner]
    ) -> None:
        for name in names:
            if row.get(name) and row[name] not in owners:
                self._note(where, name, f"{row[name]!r} is not one of the owners")

    def _automation(
        self,
        key: str,
        row: Mapping[str, Any],
        owners: Mapping[str, Owner],
        categories: Mapping[str, Category],
    ) -> Automation:
        where = f"automations.{key}"
        for name in ("kind", "category", "environment"):
            self._needs(where, row, name, said=name)
        if "kind" in row and row["kind"] not in list(Kind):
            self._note(where, "kind", f"{row['kind']!r} is not a kind; there are {', '.join(Kind)}")
        if "category" in row and row["category"] not in categories:
            self._note(where, "category", f"{row['category']!r} is not one of the categories")
        category = categories.get(row.get("category", ""))
        record = self._record(where, key, row)
        record = replace(
            record,
            owner=record.owner or (category.owner if category else ""),
            restart_owner=record.restart_owner or (category.restart_owner if category else ""),
            triggers=self.triggers.of_automation(key, record),
        )
        self._check_owners(where, row, ("owner", "restart_owner", "deputy"), owners)
        self._complete(where, record, category)
        return record

    def _record(self, where: str, key: str, row: Mapping[str, Any]) -> Automation:
        values = {"kind": "", "category": "", "environment": "", "owner": "", **row}
        checklist = values.pop("checklist", {})
        if not isinstance(checklist, dict) or not all(
            isinstance(v, str) for v in checklist.values()
        ):
            self._note(where, "checklist", "checklist must be a table of texts")
            checklist = {}
        for name in sorted(set(checklist) - set(CHECKLIST)):
            said = f"the checklist has no {name!r}; it asks {', '.join(CHECKLIST)}"
            self._note(where, name, said)
        values.pop("triggers", None)  # put in with what it inherits
        values["tools"] = tuple(values.get("tools", ()))
        values["cleanup"] = tuple(values.get("cleanup", ()))
        return Automation(automation_id=key, checklist=dict(checklist), **values)

    def _complete(self, where: str, record: Automation, category: Category | None) -> None:
        """Note what production lacks, but for what is noted as wrong already."""
        if record.environment != PRODUCTION:
            return
        missing = [name for name in CHECKLIST if not record.checklist.get(name, "").strip()]
        if missing and (where, "checklist") not in self.spoiled:
            self._note(
                where, None, f"is in production and its checklist lacks {', '.join(missing)}"
            )
        places = ((where, "restart_owner"), (f"categories.{record.category}", "restart_owner"))
        if category is not None and not record.restart_owner and not self.spoiled & {*places}:
            said = "is in production and names no restart_owner (nor does its category)"
            self._note(where, None, said)

    def _note(self, where: str, key: str | None, why: str) -> None:
        line = self._line(where, key)
        self.faults.append((line, f"{self.path}:{line}: {where}: {why}."))
        if key is not None:
            self.spoiled.add((where, key))

    def _line(self, where: str, key: str | None) -> int:
        """Return the line of a key below its table's header, as well as text can tell."""
        own = [n for n, name in self.headers if name == where]
        below = [n for n, name in self.headers if name.startswith(f"{where}.")]
        if not own and not below and "." in where:  # written inline, in the table above it
            above, _, name = where.rpartition(".")
            return self._line(above, name)
        start = (own or below or [0])[0]
        if key is None:
            return start + 1
        wanted = re.compile(r"\s*[\"']?" + re.escape(key) + r"[\"']?\s*[=.]")
        foreign = (n for n, _ in self.headers if n > start and n not in below)
        end = next(foreign, len(self.lines))
        found = (n for n in range(start, end) if wanted.match(self.lines[n]))
        return next(found, start) + 1

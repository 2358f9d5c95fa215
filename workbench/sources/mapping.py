"""Mappings: how the fields of a foreign file become the columns of a warehouse table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingType
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.errors import BadSettings, why_unreadable
from workbench.sources.bodies import instant_of, parts_of
from workbench.sources.strict import NotStrict, parse_object
from workbench.toml_file import NotToml, parse_toml, read_text

_FOLDER = Path(__file__).resolve().parent / "mappings"


class FieldRule(BaseModel):
    """Where a column's value comes from.

    Attributes:
        any_of: fields tried in this order; the first that is there counts. `a.b` is field b inside a.
        all_of: fields joined by `join`; absent when one of them is.
        join: put between the parts of `all_of`, or between the members of a list.
        when: field -> the words that it must have one of; otherwise the column has no value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    join: str = "/"
    when: dict[str, tuple[str, ...]] = {}

    def value_in(self, record: MappingType[str, Any]) -> Any:
        """Return the column's value in one record, or None."""
        if any(look_up(record, name) not in words for name, words in self.when.items()):
            return None
        if self.all_of:
            parts = [look_up(record, name) for name in self.all_of]
            return None if None in parts else self.join.join(map(str, parts))
        for name in self.any_of:
            value = look_up(record, name)
            if isinstance(value, list):
                return self.join.join(map(str, value))
            if value is not None:
                return value
        return None


def _name_in(value: MappingType[str, Any]) -> Any:
    """Return the name in a reference as PagerDuty writes one, `{"id": "S1", "summary": "order-sync"}`, else all."""
    return next((value[key] for key in ("summary", "id") if value.get(key)), value)


class Mapping(BaseModel):
    """One mapping, as a TOML file states it; unknown entries are refused.

    Attributes:
        fields: column -> field name, or a rule (`any_of`, `all_of`, `join`).
        constants: column -> value where the record has none.
        words: column -> the source's word in lower case -> our word; other words stay as they are.
        ignore: fields that are neither mapped nor kept as labels.
        naive_offset: offset of instants written without one; without it such lines are rejected.
        keep_names: fields named like our columns are those columns, where no rule or constant gives them.
        each: list whose members are the records; a member is read as `part`, beside the body's other fields.
        is_body: a file may be one indented body; always so with `each`.
        only: field -> the words that it must have one of; other records are rejected by name.
        instants: columns cut to microseconds, and absent in the year 1, which says "not yet".
        automation_label: put for `{automation_label}` in the names of `fields`.
        number_repeats: a run id that stands again in the same file is kept as a run of its own, `ID#2`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    table: str
    description: str = ""
    source_id: str | None = None
    naive_offset: str | None = Field(default=None, pattern=r"^(Z|[+-](0\d|1[0-4]):[0-5]\d)$")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    number_repeats: bool = False
    keep_names: bool = False
    each: str | None = None
    is_body: bool = False
    only: dict[str, tuple[str, ...]] = {}
    instants: tuple[str, ...] = ()
    automation_label: str | None = None
    fields: dict[str, str | FieldRule]
    constants: dict[str, str] = {}
    words: dict[str, dict[str, str]] = {}
    ignore: tuple[str, ...] = ()

    @cached_property
    def rules(self) -> dict[str, FieldRule]:
        """Return every column's rule, short forms written out."""
        label = self.automation_label or ""
        return {
            column: FieldRule(any_of=(rule.replace("{automation_label}", label),))
            if isinstance(rule, str)
            else rule
            for column, rule in self.fields.items()
        }

    @cached_property
    def used_fields(self) -> frozenset[str]:
        """Return the top-level field names that the mapping reads or ignores."""
        named = [name for rule in self.rules.values() for name in (*rule.any_of, *rule.all_of)]
        named += self.only
        return frozenset(name.split(".")[0] for name in named) | set(self.ignore)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of what the mapping says; part of a batch's id."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def apply(self, record: MappingType[str, Any], columns: frozenset[str]) -> dict[str, Any]:
        """Return the record under our column names; fields that no rule reads stay, to become labels."""
        found: dict[str, Any] = {}
        for column, rule in self.rules.items():
            value = rule.value_in(record)
            if column == "automation_id" and isinstance(value, MappingType):
                value = _name_in(value)
            if column in self.instants:
                value = instant_of(value)
            if value is not None:
                found[column] = self._word(column, value)
        if "status" in found and "raw_status" in columns and "raw_status" not in found:
            found["raw_status"] = self.rules["status"].value_in(record)
        if self.keep_names:
            own = columns & record.keys() - self.used_fields
            found = {**{name: record[name] for name in own if record[name] is not None}, **found}
        for column, constant in self.constants.items():
            found.setdefault(column, constant)
        self._keep_the_rest(record, found, columns)
        return found

    def records_in(self, line: str) -> list[dict[str, Any]]:
        """Return the records that a line holds; raises NotStrict for a line that this mapping does not read."""
        record = parse_object(line)
        for name, words in self.only.items():
            if (said := look_up(record, name)) not in words:
                raise NotStrict(f"{name} is {said!r:.60}, which the mapping {self.name} leaves out")
        return parts_of(record, self.each) if self.each else [record]

    def _word(self, column: str, value: Any) -> Any:
        words = self.words.get(column)
        return words.get(str(value).strip().lower(), value) if words else value

    def _keep_the_rest(
        self, record: MappingType[str, Any], found: dict[str, Any], columns: frozenset[str]
    ) -> None:
        labels: dict[str, Any] = {}
        for name, value in record.items():
            if name in self.used_fields or value is None:
                continue
            if found.get(name) is value:
                continue
            if name in found or name in columns:
                labels[name] = value
            else:
                found[name] = value
        if labels and "labels" in columns and isinstance(found.get("labels", {}), dict):
            found["labels"] = {**labels, **found.get("labels", {})}


def look_up(record: MappingType[str, Any], name: str) -> Any:
    """Return a field, `a.b` meaning field b inside a; None when it is not there."""
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def shipped_names() -> list[str]:
    """Return the names of the mappings that come with the workbench."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_mapping(name_or_file: str) -> Mapping:
    """Read a shipped mapping by name or a user's TOML file; raises BadSettings naming file and entry."""
    path = _FOLDER / f"{name_or_file}.toml"
    if name_or_file not in shipped_names():
        path = Path(name_or_file)
        if not path.is_file():
            raise BadSettings(
                f"no mapping {name_or_file!r}: shipped are {', '.join(shipped_names())}, or name a TOML file",
                next_step="give `--mapping` one of these names or a file that is there",
            )
    try:
        said = parse_toml(read_text(path))
        return Mapping(**{"name": path.stem, **said})
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(
            f"mapping {path.name} cannot be read: {why_unreadable(exc)}.",
            next_step="name a mapping's file, as those in workbench/sources/mappings/",
        ) from exc
    except NotToml as exc:
        raise BadSettings(f"mapping {path.name} is not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadSettings(f"mapping {path.name}, entry {where}: {first['msg']}") from exc

"""The schema as it was found, compared with what the migrations make: what guards the log, and whether it still does.

A dropped trigger changes no row, so neither chain nor checkpoint shows it, and whatever happens next is no
longer refused. Whatever hangs on a table of the store runs, or is read, with each command, so any difference
there weakens the evidence. What nothing of the store runs or reads (a table of somebody's own beside it, a
right that its readers have anyway, a right that was taken away) is named and does no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

EXPECTED_FILE = Path(__file__).with_name("postgres_schema.json")
"""What the migrations make on a server, as `queries/store_postgres/list_schema.sql` lists it."""

_BESIDE = ("table", "view", "function")
_PREFIX = re.compile(r"\be\.")
_WORDS_OF_A_SERVER = re.compile(r"[\s()]")


class Part(NamedTuple):
    """One part of a schema: an object, column, right or owner, the table it is on, and what it is made of."""

    kind: str
    name: str
    on_table: str
    definition: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same part, whatever it is made of."""
        return self.kind, self.name, self.on_table

    @property
    def essence(self) -> str:
        """What it is made of, without what servers of other versions write in another way."""
        if self.kind == "view":
            return _WORDS_OF_A_SERVER.sub("", _PREFIX.sub("", self.definition))
        return " ".join(self.definition.split())


@dataclass(frozen=True)
class Drift:
    """One difference between a store's schema and what its migrations make.

    Attributes:
        finding: what differs, in words.
        is_harmless: nothing of the store runs or reads it, and nobody may do more than before.
    """

    finding: str
    is_harmless: bool = False


def differences(found: Iterable[Part], expected: Iterable[Part]) -> list[Drift]:
    """Return each part that is missing, made otherwise or added, those that weaken the evidence first."""
    here, made = {part.key: part for part in found}, {part.key: part for part in expected}
    lost = [part for key, part in made.items() if key not in here]
    added = [part for key, part in here.items() if key not in made]
    gone = {part.name for part in lost if part.kind == "table"}
    own = {part.on_table for part in made.values()}
    drift = [
        *(
            Drift(f"{_named(part)} is missing", part.kind == "right")
            for part in lost
            if part.kind == "table" or part.on_table not in gone
        ),
        *(
            Drift(f"{_named(part)} is not as the workbench made it")
            for key, part in here.items()
            if key in made and part.essence != made[key].essence
        ),
        *(
            _addition(part, made.values())
            for part in added
            if part.on_table in own or part.kind in _BESIDE
        ),
    ]
    return sorted(drift, key=lambda one: (one.is_harmless, one.finding))


def _addition(part: Part, made: Iterable[Part]) -> Drift:
    if part.kind == "owner":
        return Drift(part.name)
    if part.kind == "right":
        return Drift(
            f"a right was given: {part.name} {part.definition}".rstrip(), _is_had(part, made)
        )
    return Drift(f"{_named(part)} does not belong to the store", part.kind in _BESIDE)


def _is_had(right: Part, made: Iterable[Part]) -> bool:
    """Tell whether a right is one that writers have anyway; what everybody is given, readers must have."""
    what, _, whom = right.name.rpartition(" for ")
    like = "workbench_reader" if whom == "public" else "workbench_writer"
    is_like = any(part.kind == "right" and part.name == f"{what} for {like}" for part in made)
    return is_like and not right.definition


def _named(part: Part) -> str:
    is_on = part.kind not in ("table", "view", "column", "right") and part.on_table
    return f"{part.kind} {part.name}{f' on {part.on_table}' if is_on else ''}"


@cache
def expected_on_a_server() -> tuple[Part, ...]:
    """Return what the migrations make in a PostgreSQL database."""
    return tuple(Part(*row) for row in json.loads(EXPECTED_FILE.read_text(encoding="utf-8")))

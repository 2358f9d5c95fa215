"""Numbered migrations: the steps that lead from an empty database to the schema of today.

One statement a file, named `vNNNN_SS_what.sql`: version, step. A version that was released never changes;
a store of an older one is brought up by the steps of the versions after it, in one transaction.
"""

from __future__ import annotations

from workbench.errors import StorageUnavailable
from workbench.queries import query_names

SCHEMA_VERSION = 3


def steps_after(version: int, folder: str, *, until: int = SCHEMA_VERSION) -> list[str]:
    """Return the names of the steps that lead from a version to another, in their order."""
    names = query_names(f"{folder}.v")
    return [name for name in names if version < version_of(name) <= until]


def version_of(name: str) -> int:
    """Return the version that a step belongs to."""
    return int(name.rpartition(".v")[2].partition("_")[0])


def refuse_other_version(found: int, place: str) -> None:
    """Raise StorageUnavailable where a store has another schema than this workbench writes."""
    if found == SCHEMA_VERSION:
        return
    what = f"{place} has schema {found}; this workbench reads schema {SCHEMA_VERSION}."
    way_out = (
        "run `workbench store migrate`"
        if found < SCHEMA_VERSION
        else "use the newer workbench that made or migrated the store"
    )
    raise StorageUnavailable(f"{what} It was not touched.", next_step=way_out)

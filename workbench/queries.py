"""Finds and checks the SQL texts under `queries/`; runs nothing.

A query is one file with one statement. Its header, the `--` lines on top, says in a sentence what a row is
and has one line per parameter: `-- $since: timestamptz, UTC, inclusive`. Parameters appear only as `$name`.
A column that no table has gets a line as well: `-- > age_seconds: seconds from ... to ...`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from workbench.errors import QueryError

_PARAMETER_LINE = re.compile(r"^\$(?P<name>[a-z][a-z0-9_]*):\s*(?P<meaning>\S.*)$")
_COLUMN_LINE = re.compile(r"^>\s+(?P<name>[a-z][a-z0-9_]*):\s*(?P<meaning>\S.*)$")
_USED_PARAMETER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_GRAIN = re.compile(r"\b(one row\b[^.;]*)", re.IGNORECASE)
_TRIGGER_BODY = re.compile(r"(?<=\s)begin\s.*\send\b", re.IGNORECASE | re.DOTALL)
_QUIET_PARTS = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"",
    re.DOTALL,
)
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Query:
    """One checked SQL text.

    Attributes:
        name: dotted, folder and stem: `review.failed_steps`.
        parameters: what the header says of each parameter, in the order of the header.
        sha256: digest of the file's bytes; reports record it.
        description: the header's sentences without the parameter lines.
        grain: the part of the description that says what a row is; empty for statements without rows.
        columns: what the header says of columns that the query makes itself.
    """

    name: str
    sql: str
    parameters: dict[str, str]
    sha256: str
    description: str
    grain: str
    columns: dict[str, str] = field(default_factory=dict)


@cache
def queries_folder() -> Path:
    """Return the folder of the SQL texts: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "queries", package / "_shipped" / "queries"):
        if folder.is_dir():
            return folder
    raise QueryError(
        f"no queries folder beside or inside {package.name}; the installation is not whole"
    )


def query_names(prefix: str = "", *, folder: Path | None = None) -> list[str]:
    """Return the dotted names of all queries whose name starts with the prefix, sorted."""
    root = folder or queries_folder()
    names = (f"{path.parent.name}.{path.stem}" for path in root.glob("*/*.sql"))
    return sorted(name for name in names if name.startswith(prefix))


def load_query(name: str, *, folder: Path | None = None) -> Query:
    """Find and check one query; raises QueryError that names what exists or what is wrong."""
    return _load(name, folder or queries_folder())


def load_folder(prefix: str, *, folder: Path | None = None) -> Iterator[Query]:
    """Load every query whose name starts with the prefix, in the order of their names."""
    for name in query_names(prefix, folder=folder):
        yield load_query(name, folder=folder)


@cache
def _load(name: str, folder: Path) -> Query:
    path = folder / (name.replace(".", "/") + ".sql")
    if not _NAME.fullmatch(name) or not path.is_file():
        raise QueryError(_unknown(name, folder))
    raw = path.read_bytes()
    return parse_query(name, raw.decode("utf-8"), sha256=hashlib.sha256(raw).hexdigest())


def _unknown(name: str, folder: Path) -> str:
    names = query_names(folder=folder)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    same_folder = [other for other in names if other.split(".")[0] == name.split(".")[0]]
    shown = near or same_folder or sorted({other.split(".")[0] + ".*" for other in names})
    return f"no query is named {name!r}; there is {', '.join(shown) or 'none at all'}"


def parse_query(name: str, text: str, *, sha256: str) -> Query:
    """Read header and statement of one SQL text and refuse what breaks the rules of this module."""
    description, parameters, columns = _header(name, text)
    bare = _QUIET_PARTS.sub(" ", text).strip()
    outer = _TRIGGER_BODY.sub(" ", bare) if bare.lower().startswith("create trigger") else bare
    if ";" in outer.rstrip().removesuffix(";"):
        raise QueryError(f"{name} has more than one statement; put each into a file of its own")
    if not bare.strip(" ;\n"):
        raise QueryError(f"{name} has no statement")
    used = set(_USED_PARAMETER.findall(bare))
    if undeclared := sorted(used - parameters.keys()):
        raise QueryError(
            f"{name} uses ${', $'.join(undeclared)} but its header does not say what that is"
        )
    if unused := sorted(parameters.keys() - used):
        raise QueryError(f"{name} declares ${', $'.join(unused)} in its header but does not use it")
    grain = _GRAIN.search(description)
    return Query(
        name=name,
        sql=text.strip().removesuffix(";"),
        parameters=parameters,
        sha256=sha256,
        description=description,
        grain=grain.group(1).strip() if grain else "",
        columns=columns,
    )


def _header(name: str, text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Split the `--` lines on top into the description and what is said of each parameter and column."""
    sentences: list[str] = []
    parameters: dict[str, str] = {}
    columns: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        said = line.removeprefix("--").strip()
        if match := _PARAMETER_LINE.match(said):
            if match["name"] in parameters:
                raise QueryError(f"{name} declares ${match['name']} twice")
            parameters[match["name"]] = match["meaning"]
        elif match := _COLUMN_LINE.match(said):
            if match["name"] in columns:
                raise QueryError(f"{name} explains the column {match['name']} twice")
            columns[match["name"]] = match["meaning"]
        elif said:
            sentences.append(said)
    if not sentences:
        raise QueryError(
            f"{name} has no header; start the file with `-- ` and a sentence that says what a row is"
        )
    return " ".join(sentences), parameters, columns

"""Who may do what: one reader of the environment, a review without I/O, output through click."""

from __future__ import annotations

import ast

import pytest

from tests.checks.tree import files_matching, read

ENVIRONMENT = {"environ", "getenv", "putenv", "environb"}
FILE_CALLS = {
    "open",
    "read_text",
    "write_text",
    "read_bytes",
    "write_bytes",
    "read_csv",
    "read_parquet",
    "to_csv",
    "to_parquet",
}
IO_MODULES = {
    "os",
    "io",
    "pathlib",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "sqlite3",
    "httpx",
    "urllib",
    "requests",
    "duckdb",
    "apsw",
    "logging",
}


def imported_roots(tree: ast.AST) -> dict[str, int]:
    """Return the top-level names that a module imports, with the line of the first import."""
    roots: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                roots.setdefault(alias.name.split(".")[0], node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.setdefault(node.module.split(".")[0], node.lineno)
    return roots


def environment_readers(text: str) -> list[int]:
    """Return the lines that touch the environment."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        is_attribute = isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT
        is_import = (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in ENVIRONMENT for alias in node.names)
        )
        if (is_attribute and ast.unparse(node).startswith("os.")) or is_import:
            lines.append(node.lineno)  # type: ignore[attr-defined]  # both node kinds have a line
    return lines


def io_of(text: str) -> list[str]:
    """Return what a module does that reaches outside of it: imports and calls."""
    tree = ast.parse(text)
    found = [
        f"imports {name} at {line}"
        for name, line in imported_roots(tree).items()
        if name in IO_MODULES
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if name in FILE_CALLS:
                found.append(f"calls {name} at {node.lineno}")
            if ast.unparse(node.func) in {"datetime.now", "time.time", "date.today"}:
                found.append(f"asks the time at {node.lineno}")
    return found


def test_only_settings_reads_the_environment() -> None:
    """No module but workbench/settings.py touches the environment."""
    faults = {
        path: lines
        for path in files_matching("workbench/*.py")
        if path != "workbench/settings.py" and (lines := environment_readers(read(path)))
    }
    assert faults == {}


def test_review_is_pure() -> None:
    """The review computes from what it is given: no file, no network, no clock, no database."""
    faults = {p: f for p in files_matching("workbench/review/*.py") if (f := io_of(read(p)))}
    assert faults == {}


@pytest.mark.parametrize(
    "text",
    ["import os\nos.environ['X']", "import os\nos.getenv('X')", "from os import environ"],
)
def test_the_environment_check_catches(text: str) -> None:
    """Every way to the environment is seen."""
    assert environment_readers(text) == [text.count("\n") + 1]


@pytest.mark.parametrize(
    "text",
    [
        "from pathlib import Path",
        "import duckdb",
        "open('x')",
        "frame.to_csv('x')",
        "from datetime import datetime\ndatetime.now(UTC)",
    ],
)
def test_the_purity_check_catches(text: str) -> None:
    """An import or a call that reaches outside is named, and so is asking the time."""
    assert io_of(text)

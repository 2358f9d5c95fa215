"""Finds the files of the checkout for the checks; knows no rule itself."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SKIPPED_FOLDERS = {".git", ".venv", ".venv-bench", "__pycache__", "dist", "build", ".home"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def repository_files() -> tuple[str, ...]:
    """Return what git tracks or would track; without git, every file that is not made by a tool."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = {name for name in listed.stdout.split("\0") if name}
    else:
        names = {
            str(path.relative_to(REPOSITORY))
            for path in REPOSITORY.rglob("*")
            if path.is_file() and not SKIPPED_FOLDERS & set(path.relative_to(REPOSITORY).parts)
        }
    return tuple(sorted(name for name in names if (REPOSITORY / name).is_file()))


def files_matching(*patterns: str) -> list[str]:
    """Return the repository's files that match any of the patterns (`*` also crosses folders)."""
    return [name for name in repository_files() if any(fnmatch(name, p) for p in patterns)]


def read(name: str) -> str:
    """Return one file's text."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def functions_of(tree: ast.AST) -> Iterator[tuple[str, Function]]:
    """Yield every function with its dotted name inside the module, methods and inner ones too."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(tree, "")


def docstring_nodes(tree: ast.AST) -> set[int]:
    """Return the ids of the constants that are docstrings or bare strings under an attribute."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }

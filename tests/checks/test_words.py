"""The code uses the project's words, finishes what it starts, and explains what it silences."""

from __future__ import annotations

import ast
import re

import pytest

from tests.checks.tree import files_matching, read

FORBIDDEN = {
    "process",
    "handle",
    "manage",
    "util",
    "utils",
    "helper",
    "helpers",
    "data",
    "bot",
    "job",
    "task",
}
WAIVERS: dict[str, str] = {
    "workbench/hooks/airflow.py:task_policy": "Airflow finds it by this name",
}
"""`path:name` -> why this name stays."""

# In two halves, so that this file does not find itself.
UNFINISHED = re.compile(
    r"\bTO" r"DO\b|\bFIX" r"ME\b|\bXX" r"X\b|(?i:not implemented" r" yet|coming" r" soon)"
)
SILENCED = re.compile(
    r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w,\s-]+\])?)(.*)"
)


def words_of(name: str) -> set[str]:
    """Split a snake_case or CamelCase name into its small words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return set(spaced.lower().strip("_").split("_"))


def forbidden_names(path: str, text: str) -> list[str]:
    """Return the module, class and function names that say nothing or use another trade's word."""
    stem = path.rsplit("/", 1)[-1].removesuffix(".py")
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = [stem] + [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [n for n in names if words_of(n) & FORBIDDEN and f"{path}:{n}" not in WAIVERS]


def silenced_without_reason(text: str) -> list[str]:
    """Return the lines that silence a checker and do not say why, or which rule."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = SILENCED.search(line)
        if match and len(re.findall(r"[A-Za-z]{2,}", match.group(1))) < 2:
            found.append(f"{number}: {line.strip()}")
    return found


def test_names_use_our_words() -> None:
    """No module, class or function is named by an empty verb or by another trade's noun."""
    names = files_matching("workbench/*.py")
    assert {n: found for n in names if (found := forbidden_names(n, read(n)))} == {}


def test_nothing_is_left_unfinished() -> None:
    """No file says that something is still to be done: open work is an issue, not a remark."""
    names = files_matching(
        "workbench/*", "queries/*", "tests/*.py", "*.md", "Makefile", ".ci/*", "*.toml"
    )
    texts = {
        n: read(n)
        for n in names
        if n.endswith((".py", ".sql", ".md", ".toml", ".js", "file", "run"))
    }
    assert [n for n, text in texts.items() if UNFINISHED.search(text)] == []


def test_each_silenced_check_has_a_reason() -> None:
    """Where a checker is told to look away, the same line says why."""
    names = files_matching("workbench/*.py", "benchmarks/*.py", "docs/*.py")
    assert {n: found for n in names if (found := silenced_without_reason(read(n)))} == {}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("workbench/utils.py", ""),
        ("workbench/x.py", "def process_runs(): ..."),
        ("workbench/x.py", "class RunHandle: ..."),
        ("workbench/x.py", "def list_jobs_of_job(): ..."),
    ],
)
def test_the_word_check_catches(path: str, text: str) -> None:
    """An empty or foreign word is found in module, class and function names."""
    assert len(forbidden_names(path, text)) == 1


@pytest.mark.parametrize(
    "text", ["x = 1  # TO" + "DO later", "raise X('not implemented" + " yet')"]
)
def test_the_unfinished_check_catches(text: str) -> None:
    """The usual marks of unfinished work are seen."""
    assert UNFINISHED.search(text)


@pytest.mark.parametrize("mark", ["noqa", "noqa: BLE001", "type: ignore[attr-defined]"])
def test_the_silence_check_catches(mark: str) -> None:
    """A silenced rule without a reason is reported, with one it is not."""
    assert silenced_without_reason(f"x = 1  # {mark}")
    assert not silenced_without_reason(f"x = 1  # {mark}  # the library has no types")

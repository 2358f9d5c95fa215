"""Notebooks hold parameters and calls; what decides anything lives in the package, under test."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from tests.checks.test_sql_only_in_queries import sql_literals
from tests.checks.tree import files_matching, read

MOST_CODE_CELLS = 10
MOST_LINES = 8
LOGIC = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.If,
    ast.IfExp,
    ast.Try,
    ast.With,
    ast.Match,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
PATH = re.compile(r"[/\\]|\.(?:csv|jsonl?|parquet|sql|ipynb|db|sqlite|duckdb|gz|html)$")

Cell = dict[str, Any]


def faults_of_parameters(source: str) -> list[str]:
    """Return what keeps a parameters cell from being read as help: a type, a literal, a remark."""
    faults = []
    for statement in ast.parse(source).body:
        line = source.splitlines()[statement.lineno - 1]
        if not isinstance(statement, ast.AnnAssign):
            faults.append(f"parameter without a type: {line!r}")
        elif not _is_literal(statement.value):
            faults.append(f"parameter whose default is not a literal: {line!r}")
        elif "#" not in line:
            faults.append(f"parameter without a remark: {line!r}")
    return faults


def _is_literal(value: ast.expr | None) -> bool:
    try:
        ast.literal_eval(value) if value is not None else None
    except ValueError:
        return False
    return value is not None


def faults_of_cell(cell: Cell) -> list[str]:
    """Return what a code cell holds that belongs elsewhere."""
    source = "".join(cell["source"])
    if len(source.splitlines()) > MOST_LINES:
        return [f"cell of {len(source.splitlines())} lines, {MOST_LINES} at most: {source[:40]!r}"]
    if source.lstrip().startswith(("%", "!")):
        return [f"magic or shell: {source[:40]!r}"]
    tree = ast.parse(source)
    faults = [
        f"{type(node).__name__} at line {node.lineno} of {source[:40]!r}"
        for node in ast.walk(tree)
        if isinstance(node, LOGIC)
    ]
    faults += [f"SQL: {start!r}" for _, start in sql_literals(source)]
    faults += [
        f"file path: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PATH.search(node.value)
    ]
    return faults


def faults_of_notebook(notebook: dict[str, Any]) -> list[str]:
    """Return every way in which a notebook is not thin."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    faults = [fault for cell in code for fault in faults_of_cell(cell)]
    if len(code) > MOST_CODE_CELLS:
        faults.append(f"{len(code)} code cells, {MOST_CODE_CELLS} at most")
    if len(tagged) != 1:
        faults.append(f"{len(tagged)} cells tagged `parameters`, exactly one is wanted")
    for cell in tagged:
        faults += faults_of_parameters("".join(cell["source"]))
    return faults


def code_cell(source: str, *tags: str) -> Cell:
    """Return a code cell for the seeded notebooks below."""
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}


PARAMETERS = code_cell('scope: str = "*"  # what is reviewed', "parameters")


def test_our_notebooks_are_thin() -> None:
    """Every shipped notebook is within the limits, and there is at least one."""
    names = files_matching("notebooks/*.ipynb")
    faults = [f"{name}: {f}" for name in names for f in faults_of_notebook(json.loads(read(name)))]
    assert names, "no notebook found"
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (code_cell("x = 1\n" * 9), "9 lines"),
        (code_cell("def f(): ..."), "FunctionDef"),
        (code_cell("if x: pass"), "If"),
        (code_cell("[row for row in rows]"), "ListComp"),
        (code_cell("key = lambda row: row"), "Lambda"),
        (code_cell("w.sql('select 1')"), "SQL"),
        (code_cell("open('runs.csv')"), "file path"),
        (code_cell("load('/srv/runs')"), "file path"),
        (code_cell("%pip install x"), "magic"),
        (code_cell("x: int = 1  # a second one", "parameters"), "2 cells tagged"),
    ],
)
def test_the_thin_check_catches(cell: Cell, words: str) -> None:
    """Each kind of logic, SQL, path, magic or surplus is named."""
    faults = faults_of_notebook({"cells": [PARAMETERS, cell]})
    assert any(words in fault for fault in faults)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("scope = '*'  # said", "without a type"),
        ("scope: str = '*'", "without a remark"),
        ("since: str = now()  # said", "not a literal"),
    ],
)
def test_the_parameter_check_catches(source: str, words: str) -> None:
    """A parameter without type, remark or literal default is named."""
    assert any(words in fault for fault in faults_of_parameters(source))


def test_a_thin_notebook_passes() -> None:
    """Parameters, an import and a call are all a notebook needs."""
    cells = [PARAMETERS, code_cell("import workbench as wb"), code_cell("wb.show(scope)")]
    assert faults_of_notebook({"cells": cells}) == []
    assert faults_of_notebook({"cells": [PARAMETERS] + [code_cell("x")] * 10})

"""All SQL stands in queries/, one statement a file; Python and notebooks hold none."""

from __future__ import annotations

import ast
import re

import pytest

from tests.checks.tree import docstring_nodes, files_matching, read

# Keywords as SQL writes them, all small or all capital: "Select a scope" is a sentence for people.
STATEMENT = re.compile(
    r"""\s*(?:--[^\n]*\n\s*)*(?:
        select\s | SELECT\s
      | (?i:insert\s+(?:or\s+\w+\s+)?into\s | update\s+[\w."]+\s+set\s | delete\s+from\s
          | (?:create|drop)\s+(?:or\s+replace\s+)?(?:temp\w*\s+|unique\s+|virtual\s+)*
            (?:table|view|index|trigger|schema|macro|sequence|type)\s
          | alter\s+table\s | with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\s*\(
          | begin\s+(?:immediate|exclusive|deferred|transaction)
          | copy\s+[("\w]+.*\sto\s | attach\s+'| explain\s+select
          | set\s+(?:global\s+|session\s+)?\w+\s*=)
      | pragma\s+\w+ | PRAGMA\s+\w+
    )""",
    re.VERBOSE,
)
# One word alone may also be a query's name, so it counts only where it is run as it stands.
ONE_WORD = re.compile(r"(?i)\s*(?:begin|commit|rollback|vacuum|checkpoint)\s*;?\s*$")
RUNNERS = {"execute", "executemany", "executescript", "sql"}


def sql_literals(text: str) -> list[tuple[int, str]]:
    """Return line and beginning of each string literal that is a statement; docstrings do not count."""
    tree = ast.parse(text)
    docstrings, run = docstring_nodes(tree), _run_literals(tree)
    return [
        (node.lineno, " ".join(node.value.split())[:60])
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and (STATEMENT.match(node.value) or (id(node) in run and ONE_WORD.match(node.value)))
    ]


def _run_literals(tree: ast.AST) -> set[int]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        id(call.args[0])
        for call in calls
        if call.args and isinstance(call.func, ast.Attribute) and call.func.attr in RUNNERS
    }


def test_python_holds_no_sql() -> None:
    """No module of the product has a string that begins like a statement."""
    faults = [
        f"{path}:{line} move this to queries/: {start!r}"
        for path in files_matching("workbench/*.py")
        for line, start in sql_literals(read(path))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "literal",
    [
        "select 1",
        "\n  SELECT a from b",
        "-- a remark\nselect a from b",
        "insert into event values (?)",
        "INSERT OR REPLACE INTO event values (?)",
        "update run set status = 'x'",
        "delete from run",
        "create temp table t(a int)",
        "create trigger t before update on event begin select 1; end",
        "with recent as (select 1) select * from recent",
        "pragma journal_mode = wal",
        "begin immediate",
        "set TimeZone = 'UTC'",
        "copy (select 1) to 'x.parquet'",
    ],
)
def test_the_sql_check_catches(literal: str) -> None:
    """Every kind of statement is seen, as a plain string and as the start of an f-string."""
    assert sql_literals(f"x = {literal!r}")
    assert sql_literals("x = f" + repr(literal + " {y}"))


@pytest.mark.parametrize("literal", ["begin", "commit", "ROLLBACK;"])
def test_one_word_counts_where_it_is_run(literal: str) -> None:
    """Transaction words are statements when they are executed, and names of queries elsewhere."""
    assert sql_literals(f"connection.execute({literal!r})")
    assert not sql_literals(f"load_query({literal!r})")


@pytest.mark.parametrize(
    "literal",
    ["update", "delete", "Select a scope first.", "Create a store.", "set aside", "With care"],
)
def test_the_sql_check_lets_pass(literal: str) -> None:
    """Sentences, and single words that name a change, are not statements."""
    assert sql_literals(f"x = {literal!r}") == []


def test_docstrings_may_speak_of_sql() -> None:
    """A docstring that begins like a statement is text."""
    assert sql_literals('def f():\n    """select what is open."""') == []

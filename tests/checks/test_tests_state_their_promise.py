"""Tests are written like the product: each says its promise, and there is as much of them."""

from __future__ import annotations

import ast
import re

import pytest

from tests.checks.tree import files_matching, functions_of, read

LEAST_RATIO = 1.0
# The recorder makes the shipped recording; it tests nothing, so it does not count as tests.
NOT_TESTS = ("tests/record/",)


def silent_tests(text: str) -> list[str]:
    """Return the tests whose docstring is missing, is not a sentence, or only repeats the name."""
    silent = []
    for name, function in functions_of(ast.parse(text)):
        if not function.name.startswith("test_"):
            continue
        first = (ast.get_docstring(function) or "").strip().split("\n\n")[0]
        same = re.sub(r"\W+", "_", first.lower()).strip("_") == function.name.removeprefix("test_")
        if len(first.split()) < 4 or not first.endswith((".", "?", "`", ")")) or same:
            silent.append(name)
    return silent


def line_total(names: list[str]) -> int:
    """Count the lines that are not blank."""
    return sum(1 for name in names for line in read(name).splitlines() if line.strip())


def test_every_test_states_its_promise() -> None:
    """Each test's docstring is a sentence that says what the product promises."""
    names = files_matching("tests/*test_*.py")
    silent = {name: found for name in names if (found := silent_tests(read(name)))}
    assert silent == {}


def test_there_are_as_many_test_lines_as_source_lines() -> None:
    """The tests are at least as long as the product."""
    tests = [n for n in files_matching("tests/*.py") if not n.startswith(NOT_TESTS)]
    source, test = line_total(files_matching("workbench/*.py")), line_total(tests)
    assert test >= LEAST_RATIO * source, f"{test} lines of tests for {source} lines of source"


@pytest.mark.parametrize(
    "text",
    [
        "def test_a(): ...",
        'def test_a():\n    """Works."""',
        'def test_it_all_works_well():\n    """It all works well."""',
        'class TestA:\n    def test_b(self):\n        """no full stop at the end"""',
    ],
)
def test_the_promise_check_catches(text: str) -> None:
    """A missing, short, repeated or unfinished promise is reported."""
    assert len(silent_tests(text)) == 1

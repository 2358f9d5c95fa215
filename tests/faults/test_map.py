"""The map of faults: every id of six groups names tests that exist, or says plainly why there is none yet."""

from __future__ import annotations

import ast
import functools
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
GROUPS = {
    "Store and process": range(1, 15),
    "Time": range(20, 24),
    "Concurrency and commands": range(30, 38),
    "Engines": range(40, 48),
    "Secrets": range(65, 66),
    "Identity, approval, audit": range(70, 80),
}
IDS = [f"F{number:02d}" for numbers in GROUPS.values() for number in numbers]


def the_map() -> dict[str, dict[str, Any]]:
    """Return the map."""
    return tomllib.loads((HERE / "map.toml").read_text(encoding="utf-8"))


@functools.cache
def known_tests() -> frozenset[str]:
    """Return the names of every test function of the repository."""
    found = set()
    for path in HERE.parent.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        }
    return frozenset(found)


def faults_of(entry: dict[str, Any]) -> list[str]:
    """Return what is wrong with one entry."""
    tests, waiver = entry.get("tests", []), entry.get("waiver", "")
    faults = [f"no test {name}" for name in tests if name not in known_tests()]
    if not tests and not waiver:
        faults.append("neither a test nor a waiver")
    if waiver and len(waiver.split()) < 6:
        faults.append("a waiver without a reason")
    if unknown := set(entry) - {"tests", "waiver"}:
        faults.append(f"unknown {', '.join(sorted(unknown))}")
    return faults


@pytest.mark.parametrize("fault_id", IDS)
def test_each_fault_has_a_test_or_a_reason(fault_id: str) -> None:
    """Every id is in the map, each named test exists, and each waiver says why."""
    assert faults_of(the_map()[fault_id]) == []


def test_the_map_holds_no_other_ids() -> None:
    """An id outside of the groups, or mistyped, is not silently kept."""
    assert sorted(the_map()) == sorted(IDS)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "neither"),
        ({"tests": ["test_that_is_not_there"]}, "no test"),
        ({"waiver": "later"}, "without a reason"),
        ({"tests": ["test_i8"], "wavier": "x"}, "unknown wavier"),
    ],
)
def test_the_check_catches(entry: dict[str, Any], words: str) -> None:
    """An empty entry, a test that is gone, a bare waiver and a mistyped key are each reported."""
    assert any(words in fault for fault in faults_of(entry))

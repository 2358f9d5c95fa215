"""Dependencies earn their place, and lock files say what, never where from."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.checks.tree import files_matching, read

DEPENDENCY = re.compile(r'^\s+"[A-Za-z][\w.\[\]-]*\s*(?:[<>=!~][^"]*)?",')
ADDRESS = re.compile(r"(?i)https?:|git\+|--(?:extra-)?index-url|--find-links|-i\s|file:|\s@\s")
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?==\S+")


def dependencies_without_reason(text: str) -> list[str]:
    """Return the dependency lines of pyproject.toml that do not say why they are there."""
    start, end = text.index("[project]"), text.index("[project.scripts]")
    lines = [line for line in text[start:end].splitlines() if DEPENDENCY.match(line)]
    return [line.strip() for line in lines if len(line.partition("#")[2].split()) < 3]


def requirements_without_reason(text: str) -> list[str]:
    """Return the lines of a requirements.in that no remark stands above."""
    lines = ["", *(line for line in text.splitlines() if line.strip())]
    pairs = itertools.pairwise(lines)
    return [
        line
        for above, line in pairs
        if not line.startswith("#") and not (above.startswith("#") and len(above.split()) > 3)
    ]


def faults_of_lock(text: str) -> list[str]:
    """Return the lines of a lock file that name an address, and pins without a hash."""
    faults = [line for line in text.splitlines() if ADDRESS.search(line)]
    entries = re.split(r"\n(?=\S)", text)
    faults += [e.split()[0] for e in entries if PIN.match(e) and "--hash=sha256:" not in e]
    return faults


def test_each_dependency_has_a_reason() -> None:
    """Beside each dependency stands one line that says why we need it."""
    assert dependencies_without_reason(read("pyproject.toml")) == []


def test_each_requirement_of_another_environment_has_a_reason() -> None:
    """Above each line of a requirements.in stands one that says why the environment needs it."""
    names = files_matching("*/requirements.in")
    assert "benchmarks/requirements.in" in names
    assert {n: found for n in names if (found := requirements_without_reason(read(n)))} == {}


def test_what_the_gate_is_measured_against_does_not_ship() -> None:
    """The flag clients are in the lock of the benchmarks and in none of the others."""
    clients = {"openfeature-sdk", "unleashclient", "launchdarkly-server-sdk"}
    pinned = {
        name: set(re.findall(r"(?m)^([a-z0-9._-]+)==", read(name)))
        for name in files_matching("requirements*.lock", "benchmarks/requirements.lock")
    }
    assert {name for name, pins in pinned.items() if pins & clients} == {
        "benchmarks/requirements.lock"
    }
    assert clients <= pinned["benchmarks/requirements.lock"]


def test_locks_have_hashes_and_no_addresses() -> None:
    """Every pin of every lock file has a hash, and no line says where a file comes from."""
    locks = files_matching(
        "requirements*.lock", "*/requirements*.lock", "tests/engines/live/*.lock"
    )
    assert {"requirements.lock", "requirements-dev.lock", "requirements-uv.lock"} <= set(locks)
    assert {name: f for name in locks if (f := faults_of_lock(read(name)))} == {}


@pytest.mark.parametrize(
    "line", ['    "click>=8.4",', '    "click>=8.4", # cli', '    "nbval",  #']
)
def test_the_reason_check_catches(line: str) -> None:
    """A dependency with no remark, or hardly one, is reported."""
    text = f"[project]\ndependencies = [\n{line}\n]\n[project.scripts]\n"
    assert dependencies_without_reason(text) == [line.strip()]


def test_the_reason_check_of_requirements_catches() -> None:
    """A requirement without a remark right above it is reported, and one under another requirement too."""
    text = "# It is needed for this.\nclick>=8\nnbval\n#\nruff\n"
    assert requirements_without_reason(text) == ["nbval", "ruff"]


@pytest.mark.parametrize(
    "text",
    [
        "click==8.4.0\n",
        "click==8.4.0 \\\n    --hash=sha256:ab\n--index" + "-url x\n",
        "click @ https:" + "//example.org/click.whl\n",
        "-e git+ssh://x\n",
    ],
)
def test_the_lock_check_catches(text: str) -> None:
    """A pin without a hash, an index line and an address are reported."""
    assert faults_of_lock(text)

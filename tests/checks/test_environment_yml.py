"""Conda users, pip users and `make` install the same packages."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.checks.tree import read

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
CONDA_LINES = ["python=3.11", "pip", "pip:", "-r requirements.lock"]


def locked(text: str) -> dict[str, set[Version]]:
    """Return the versions that a lock file pins, by canonical name (markers may give several)."""
    pins: dict[str, set[Version]] = {}
    for name, version in PINNED.findall(text):
        pins.setdefault(canonicalize_name(name), set()).add(Version(version))
    return pins


def missing_from(lock_text: str, requirements: list[str]) -> list[str]:
    """Return the requirements that a lock does not pin, or pins outside their bounds."""
    pins = locked(lock_text)
    wanted = [(text, Requirement(text)) for text in requirements]
    return [
        text
        for text, one in wanted
        if not any(v in one.specifier for v in pins.get(canonicalize_name(one.name), ()))
    ]


def conda_lines(text: str) -> list[str]:
    """Return what environment.yml asks for, one entry a line, remarks left out."""
    entries = (line.strip() for line in text.splitlines() if line.strip().startswith("- "))
    return [entry.removeprefix("- ").strip() for entry in entries]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return pyproject.toml's project table."""
    found: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
    return found


def test_environment_yml_asks_for_the_locked_packages_and_nothing_else(
    project: dict[str, Any],
) -> None:
    """It names our oldest Python, pip and the one lock file, so the two lists cannot drift apart."""
    text = read("environment.yml")
    assert conda_lines(text) == CONDA_LINES
    assert f"name: {project['name']}\n" in text
    assert project["requires-python"] == ">=" + CONDA_LINES[0].removeprefix("python=")


def test_each_dependency_is_locked_within_its_bounds(project: dict[str, Any]) -> None:
    """What pyproject.toml asks for is pinned in the lock files, at a version it allows."""
    extras = project["optional-dependencies"]
    runtime = project["dependencies"] + extras["build"]
    assert missing_from(read("requirements.lock"), runtime) == []
    assert missing_from(read("requirements-dev.lock"), runtime + extras["dev"]) == []


def test_both_locks_pin_the_same_versions() -> None:
    """A package that stands in both lock files has one version, so tests run what ships."""
    runtime, dev = locked(read("requirements.lock")), locked(read("requirements-dev.lock"))
    assert {name: pins for name, pins in runtime.items() if dev.get(name) != pins} == {}


@pytest.mark.parametrize("lock", ["altair==6.3.0 \\\n", "click==7.0\n", "# click==8.4\n"])
def test_the_lock_check_catches(lock: str) -> None:
    """An absent package and a version out of bounds are both reported."""
    assert missing_from(lock, ["click>=8.4"]) == ["click>=8.4"]

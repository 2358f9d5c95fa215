"""A pause is quick from a cold shell, and asking the gate costs an automation nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "duckdb",
    "pandas",
    "numpy",
    "scipy",
    "pyarrow",
    "papermill",
    "nbconvert",
    "nbclient",
    "ipywidgets",
    "anywidget",
    "IPython",
    "altair",
    "apprise",
    "great_tables",
    "pydantic",
    "psycopg",  # only a store on a server needs it
}
PROBE = (
    "import json, sys; {statement}; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
)


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after one statement."""
    probe = PROBE.format(statement=statement)
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "module",
    ["workbench", "workbench.gate", "workbench.control", "workbench.cli", "workbench.cli.pause"],
)
def test_nothing_heavy_is_loaded(module: str) -> None:
    """The package, the gate and the pause command load no analysis, notebook or chart library."""
    assert loaded_by(f"import {module}") & HEAVY == set()


def test_the_gate_needs_the_standard_library_alone() -> None:
    """An automation that imports the gate loads no package but ours."""
    brought_in = loaded_by("import workbench.gate") - loaded_by("pass")
    foreign = {n for n in brought_in if n not in sys.stdlib_module_names and not n.startswith("_")}
    assert foreign == {"workbench"}


def test_the_gate_loads_only_what_a_question_needs() -> None:
    """What only waiters, event loops, decorators or the workbench itself need is not loaded with the gate."""
    probe = "import sys, workbench.gate; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout.split()
    late = {
        *("asyncio", "ctypes", "uuid", "subprocess", "tomllib", "logging", "email", "http"),
        *("workbench.records", "workbench.scope", "workbench.registry", "workbench.store"),
        *("workbench.gate.around", "workbench.gate.waiting", "workbench.gated"),
        *("workbench.gate.admission", "workbench.tickets"),
    }
    assert set(found) & late == set()
    assert "workbench.gate.asking" in found


def test_the_isolation_check_catches() -> None:
    """A heavy import, even a late one through another module, is seen."""
    assert "pandas" in loaded_by("import pandas") & HEAVY

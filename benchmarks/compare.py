"""The gate against the flag clients that people would ask instead, in one process of an environment of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Target, of_rounds
from benchmarks.place import FOUR_KEYS, PROVIDERS, hold_by_four_keys, make_place
from workbench.settings import child_environment

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = REPOSITORY / ".venv-bench" / "bin" / "python"
"""The environment that `make bench` makes of `requirements.lock` beside this file."""
AUTOMATION_COUNT = 100
SHOWN = {"openfeature": "OpenFeature", "unleash": "Unleash", "launchdarkly": "LaunchDarkly"}
TARGETS = {"openfeature": Target(30, is_ratio=True, is_least=True)}
NOTE = (
    "both in one process, from memory, offline, a question whose answer hangs on four keys: the clients evaluate "
    "them at each call, the gate was told at the publication which automations they cover"
)


def measure(root: Path) -> list[Figure]:
    """Ask the gate and each client by turns; without their environment nothing is measured, and that is said."""
    if not PYTHON.exists():
        return [_not_measured(name) for name in SHOWN]
    settings, control = make_place(root, automation_count=AUTOMATION_COUNT)
    hold_by_four_keys(control)
    context = {**FOUR_KEYS, "provider": PROVIDERS[1]}
    words = [str(PYTHON), "-m", "benchmarks.rivals", str(settings.gate)]
    done = subprocess.run(
        [*words, json.dumps(FOUR_KEYS), json.dumps(context)],
        env=child_environment(settings, PYTHONPATH=str(REPOSITORY)),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the clients could not be compared: {done.stderr.strip()[-300:]}")
    return figures_of(json.loads(done.stdout))


def figures_of(found: dict[str, Any]) -> list[Figure]:
    """Return what was found of each client, as so many times what the gate takes."""
    rounds = found["rounds"]
    return [
        of_rounds(
            f"{shown} client",
            rounds[name],
            rounds["gate"],
            bare="gate, CLEAR",
            target=TARGETS.get(name),
            note=NOTE,
            versions=found["versions"][name],
        )
        for name, shown in SHOWN.items()
    ]


def _not_measured(name: str) -> Figure:
    note = "not measured: `make bench` installs the clients, in an environment of their own"
    return Figure(f"{SHOWN[name]} client", None, target=TARGETS.get(name), note=note)

"""What starting costs: a pause typed into a shell, and an automation that imports the gate."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from benchmarks.measure import Figure, Target, of_rounds
from benchmarks.place import make_place
from workbench.settings import child_environment

AUTOMATION_COUNT = 100
PAUSES = 9
IMPORTS = 21
RECORDED = 10
"""Exit code of a pause that no automation has confirmed, for none runs here."""

PAUSE_TARGET = Target(0.4)
IMPORT_TARGET = Target(0.05)

IMPORTING = (
    "import time; begun = time.perf_counter(); import workbench.gate; "
    "print(time.perf_counter() - begun)"
)


def measure(root: Path) -> list[Figure]:
    """Start a pause and an import of the gate, each by turns with an interpreter that does nothing."""
    settings, _ = make_place(root, automation_count=AUTOMATION_COUNT)
    environment = child_environment(settings)
    command = Path(sysconfig.get_path("scripts")) / "workbench"
    pauses, imports, bare = [], [], []
    cpu_seconds = []
    for number in range(PAUSES):
        words = f'"{command}" pause automation=a-{number} --reason benchmark --yes'
        begun = _children_cpu_seconds()
        pauses.append(_seconds(["sh", "-c", words], environment, expected=RECORDED))
        cpu_seconds.append(_children_cpu_seconds() - begun)
        bare.append(_seconds([sys.executable, "-c", "pass"], environment))
    for _ in range(IMPORTS):
        found = run_as([sys.executable, "-c", IMPORTING], environment)
        imports.append(float(found.stdout))
        bare.append(_seconds([sys.executable, "-c", "pass"], environment))
    against = "python -c pass"
    return [
        of_rounds(
            "cold pause",
            pauses,
            bare,
            bare=against,
            target=PAUSE_TARGET,
            note="from a shell, a new interpreter each time, its files in the page cache; "
            f"{statistics.median(cpu_seconds):.2f} s of it on a core",
        ),
        of_rounds(
            "cold import",
            imports,
            bare,
            bare=against,
            target=IMPORT_TARGET,
            note="import workbench.gate in a new interpreter, its own start not counted",
        ),
    ]


def _seconds(words: list[str], environment: dict[str, str], expected: int = 0) -> float:
    begun = time.perf_counter()
    run_as(words, environment, expected)
    return time.perf_counter() - begun


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_as(
    words: list[str], environment: dict[str, str], expected: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command; raises RuntimeError where it ends otherwise than it should."""
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        raise RuntimeError(f"{words[-1]} ended with {done.returncode}: {done.stderr.strip()}")
    return done

"""What one question to the gate costs an automation against looking a word up in a dict."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Ratio, alternate
from benchmarks.place import make_place
from workbench.gate import Gate

CALLS = 20_000


def measure(root: Path) -> Ratio:
    """Ask the gate about a registered automation, by turns with asking a dict."""
    settings, _ = make_place(root, automation_count=100)
    gate = Gate(settings.gate)
    states = {f"a-{n}": "CLEAR" for n in range(100)}
    ours_seconds, bare_seconds = alternate(
        lambda: gate.check("a-7"), lambda: states.get("a-7"), calls=CALLS
    )
    return Ratio(
        "gate check",
        "Gate.check",
        "dict.get",
        ours_seconds,
        bare_seconds,
        "ours sees a pause given by any other process; both are called through a lambda",
    )

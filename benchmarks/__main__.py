"""Run every benchmark and print a table, then the same as JSON: `make bench`."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import gate, load, pause
from benchmarks.measure import Ratio, in_words

BENCHMARKS = (pause.measure, gate.measure, load.measure)


def table(ratios: list[Ratio]) -> str:
    """Return the comparisons as lines of text."""
    rows = [
        f"{r.name:<16} {in_words(r.ours_seconds):>10} {in_words(r.bare_seconds):>10} {r.ratio:>9.3g}  {r.bare}"
        for r in ratios
    ]
    head = f"{'':<16} {'ours':>10} {'bare':>10} {'ratio':>9}  bare is"
    return "\n".join([head, *rows])


def main() -> None:
    """Measure in a temporary folder and say what was found."""
    ratios = []
    for measure in BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
            ratios.append(measure(Path(folder)))
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "ratios": [ratio.as_json() for ratio in ratios],
    }
    sys.stdout.write(table(ratios) + "\n\n" + json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

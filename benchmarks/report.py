"""What a run of the benchmarks found: one document, and the table that is made of it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.measure import Figure, in_words

FORMAT = 1
OURS = ("apsw", "cryptography", "duckdb", "orjson", "workbench")
HEADS = ("what", "figure", "spread", "compared with", "ratio", "target", "reached")


def document(figures: Sequence[Figure], *, loads: Sequence[float]) -> dict[str, Any]:
    """Return all that is kept of a run: figures, versions and the class of machine, never its name.

    `loads` are the load averages of one minute before and after each benchmark.
    """
    found = [figure.as_json() for figure in figures]
    compared = {name: number for figure in figures for name, number in figure.versions.items()}
    return {
        "format": FORMAT,
        "machine": {
            "cores": os.cpu_count(),
            "system": sys.platform,
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "load_least": round(min(loads), 1),
            "load_most": round(max(loads), 1),
        },
        "versions": {**{name: version(name) for name in OURS}, **compared},
        "figures": found,
        "missed": [one["name"] for one in found if one["is_reached"] is False],
    }


def table(found: Mapping[str, Any]) -> str:
    """Return a document as an aligned table, with what was missed in a sentence below it."""
    rows = [HEADS, *(_row(one) for one in found["figures"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", _machine(found["machine"]), _verdict(found)])


def markdown(found: Mapping[str, Any]) -> str:
    """Return the same table as Markdown, for the README."""
    rows = [HEADS, tuple("---" for _ in HEADS), *(_row(one) for one in found["figures"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    unit = one["unit"]
    spread = (
        ""
        if one["low"] is None or one["high"] is None
        else f"{in_words(one['low'], unit)} to {in_words(one['high'], unit)}"
    )
    bare = f"{one['bare']}: {in_words(one['bare_value'], unit)}" if one["bare_value"] else ""
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.3g}x"
    reached = {True: "yes", False: "NO", None: ""}[one["is_reached"]]
    return (
        one["name"],
        in_words(one["value"], unit),
        spread,
        bare,
        ratio,
        target_words(one),
        reached,
    )


def target_words(one: Mapping[str, Any]) -> str:
    """Write what a figure was to reach; an empty text without a target."""
    target = one["target"]
    if target is None:
        return ""
    side = "at least" if target["is_least"] else "at most"
    limit = target["limit"]
    return f"{side} {f'{limit:g}x' if target['is_ratio'] else in_words(limit, one['unit'])}"


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['cores']} cores, {machine['system']} {machine['architecture']}, "
        f"Python {machine['python']}, load average {machine['load_least']} to {machine['load_most']}. "
        "Ratios hold; absolute times are this machine's, at this load."
    )


def _verdict(found: Mapping[str, Any]) -> str:
    aimed = sum(one["target"] is not None for one in found["figures"])
    missed = found["missed"]
    if not missed:
        return f"All {aimed} targets are reached."
    return f"{len(missed)} of {aimed} targets are NOT reached: {', '.join(missed)}."

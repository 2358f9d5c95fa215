"""Run the benchmarks, all or those that are named, and print a table: `make bench`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import (
    causes,
    cold,
    compare,
    delivery,
    gate,
    guardrails,
    load,
    pause,
    propagation,
    scale,
    verify,
    writers,
)
from benchmarks.measure import Figure
from benchmarks.report import document, markdown, table

REPOSITORY = Path(__file__).resolve().parents[1]
BENCHMARKS: dict[str, Callable[[Path], list[Figure]]] = {
    "pause": pause.measure,
    "writers": writers.measure,
    "gate": gate.measure,
    "compare": compare.measure,
    "propagation": propagation.measure,
    "cold": cold.measure,
    "delivery": delivery.measure,
    "verify": verify.measure,
    "load": load.measure,
    "scale": scale.measure,
    "guardrails": guardrails.measure,
    "causes": causes.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)), metavar="[NAME]...")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=REPOSITORY / "build" / "bench.json",
    help="File for the figures; by default bench.json in the checkout's build folder.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 where a target is missed.")
@click.option("--markdown", "is_markdown", is_flag=True, help="Print the table as Markdown.")
def main(names: tuple[str, ...], json_path: Path, *, strict: bool, is_markdown: bool) -> None:
    """Measure in temporary folders and say what was found, by default everything.

    A missed target is said plainly; it is a failure only with --strict.
    """
    figures, loads = measured(names or tuple(BENCHMARKS))
    found = document(figures, loads=loads)
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{table(found)}\n\nThe figures are in {json_path}.")
    if is_markdown:
        click.echo(f"\n{markdown(found)}")
    sys.exit(1 if strict and found["missed"] else 0)


def measured(names: tuple[str, ...]) -> tuple[list[Figure], list[float]]:
    """Run benchmarks one after the other; returns their figures and the machine's load in between."""
    figures: list[Figure] = []
    loads = [os.getloadavg()[0]]
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    for name in names:
        begun = time.monotonic()
        click.echo(f"{name} ...", nl=False, err=True)
        # On the checkout's disk: where temporary files lie in memory a sync would cost nothing.
        with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
            figures += BENCHMARKS[name](Path(folder))
        loads.append(os.getloadavg()[0])
        click.echo(f" {time.monotonic() - begun:.0f} s", err=True)
    return figures, loads


if __name__ == "__main__":
    main()

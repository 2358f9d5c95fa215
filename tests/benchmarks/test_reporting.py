"""Table and JSON of a run say the same, and a target that is missed is said and never passed over."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmarks import __main__ as command
from benchmarks import gate
from benchmarks.measure import Figure, Target, in_words, of_rounds
from benchmarks.report import HEADS, document, markdown, table
from workbench.gate import Gate, GateAnswer

FIGURES = [
    of_rounds("pause", [0.002, 0.003], [0.001], bare="fdatasync", target=Target(6, is_ratio=True)),
    Figure("slowest", 0.41, "of the fastest", target=Target(0.5, is_least=True)),
    Figure("client", None, target=Target(30, is_ratio=True, is_least=True)),
    Figure("load", 0.5, versions={"some-client": "1.2"}),
]


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a printed table, cell by cell; columns are told apart by two spaces or more."""
    head, rule, *lines = text.split("\n\n")[0].splitlines()
    ends = [match.span() for match in re.finditer(r"-+", rule)]
    assert tuple(head[a:b].strip() for a, b in ends) == HEADS
    return [
        {name: line[a:b].strip() for name, (a, b) in zip(HEADS, ends, strict=True)}
        for line in lines
    ]


def disagreements(found: dict[str, Any], text: str) -> list[str]:
    """Return where a printed table says something else than the JSON beside it."""
    rows = rows_of(text)
    faults = [] if len(rows) == len(found["figures"]) else ["another number of rows"]
    for one, row in zip(found["figures"], rows, strict=False):
        wanted = {
            "what": one["name"],
            "figure": in_words(one["value"], one["unit"]),
            "ratio": "" if one["ratio"] is None else f"{one['ratio']:.3g}x",
            "reached": {True: "yes", False: "NO", None: ""}[one["is_reached"]],
        }
        faults += [f"{one['name']}: {key}" for key, value in wanted.items() if row[key] != value]
        limit = str(one["target"]["limit"]) if one["target"] else ""
        if bool(row["target"]) != bool(limit):
            faults.append(f"{one['name']}: target")
    said = re.findall(r"NOT reached: (.*)\.", text)
    # A name may have a comma in it, so the whole is compared: on a slow machine `gate, CLEAR` misses its target.
    if (said[0] if said else "") != ", ".join(found["missed"]):
        faults.append("missed")
    return faults


def ran(monkeypatch: pytest.MonkeyPatch, json_path: Path, *words: str) -> tuple[Result, Any]:
    """Run the gate's benchmark with few and short rounds; returns the outcome and the JSON that it wrote."""
    monkeypatch.setattr(gate, "CALLS", 20)
    monkeypatch.setattr(gate, "ROUNDS", 3)
    done = CliRunner().invoke(command.main, ["gate", "--json", str(json_path), *words])
    return done, json.loads(json_path.read_text())


def test_the_table_and_the_json_of_a_run_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row of the table has the figure, ratio and verdict of the JSON, and both name what is missed."""
    done, found = ran(monkeypatch, tmp_path / "deep" / "bench.json")
    assert done.exception is None, done.output
    printed = done.stdout[done.stdout.index(HEADS[0]) :]
    assert disagreements(found, printed) == []
    assert [one["name"] for one in found["figures"]] == ["gate, CLEAR", "gate, PAUSED"]
    assert all(one["value"] > one["bare_value"] > 0 for one in found["figures"])
    assert str(tmp_path / "deep" / "bench.json") in done.stdout


def test_the_markdown_has_the_cells_of_the_table() -> None:
    """What is pasted into the README is cell by cell what was printed."""
    found = document(FIGURES, loads=[0.5])
    head, rule, *lines = markdown(found).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert tuple(cell.strip() for cell in head.strip("|").split("|")) == HEADS
    assert set(rule) <= set("| -")
    assert [dict(zip(HEADS, row, strict=True)) for row in cells] == rows_of(table(found))


@pytest.mark.parametrize("key", ["value", "ratio", "is_reached", "name"])
def test_a_table_of_other_figures_is_seen(key: str) -> None:
    """The comparison of table and JSON notices one changed figure, ratio, verdict or name."""
    found = document(FIGURES, loads=[0.5])
    text = table(found)
    assert disagreements(found, text) == []
    altered = json.loads(json.dumps(found))
    other = {"value": 0.9, "ratio": 7.0, "is_reached": False, "name": "another"}[key]
    altered["figures"][0][key] = other
    assert disagreements(altered, text)


def test_a_slowed_gate_is_flagged_as_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that takes a thousandth of a second misses its target, in table, JSON and strict exit code."""
    asked = Gate.check

    def slowed(self: Gate, *args: Any, **options: Any) -> GateAnswer:
        time.sleep(0.001)
        return asked(self, *args, **options)

    monkeypatch.setattr(Gate, "check", slowed)
    done, found = ran(monkeypatch, tmp_path / "bench.json")
    assert done.exit_code == 0
    assert found["missed"] == ["gate, CLEAR"]
    assert "1 of 1 targets are NOT reached: gate, CLEAR." in done.stdout
    assert ran(monkeypatch, tmp_path / "bench.json", "--strict")[0].exit_code == 1


def test_the_document_says_what_was_compared_and_on_what_class_of_machine() -> None:
    """Versions, cores, Python and load are kept; the machine's name is not."""
    found = document(FIGURES, loads=[0.44, 7.06, 2.0])
    assert found["missed"] == ["slowest", "client"]
    assert found["versions"]["some-client"] == "1.2"
    assert {"apsw", "duckdb", "workbench"} <= set(found["versions"])
    assert (found["machine"]["load_least"], found["machine"]["load_most"]) == (0.4, 7.1)
    assert set(found["machine"]) == {
        *("cores", "system", "architecture", "python", "load_least", "load_most"),
    }


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    """A name that there is not is answered with those that there are."""
    done = CliRunner().invoke(command.main, ["gates"])
    assert done.exit_code == 2
    assert "'gates'" in done.output and "'propagation'" in done.output

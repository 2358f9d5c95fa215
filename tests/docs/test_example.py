"""The README's example for analysts works as it is pasted, on the folder that the demo leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.demo.replay import load, restore, settings_at
from workbench.recordings import Recording, shipped_names

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(
    r"^```sh\n(?P<shell>(?:(?!```).)*demo-stage/end\n.*?)```.*?^```python\n(?P<python>import workbench as wb.*?)```",
    re.DOTALL | re.MULTILINE,
)
DRIVER = """\
import ast, json, sys
scope, told = {}, []
for node in ast.parse(sys.argv[1]).body:
    if isinstance(node, ast.Expr):
        value = eval(compile(ast.Expression(node.value), "README.md", "eval"), scope)
        told.append([ast.unparse(node.value)[:30], len(value), getattr(value, "note", "")])
    else:
        exec(compile(ast.Module([node], []), "README.md", "exec"), scope)
print(json.dumps(told))
"""
"""Runs the example line by line, as a notebook does, and tells how many rows each line showed."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the recorded incident lies where the demo leaves it, made as the demo makes it."""
    root = tmp_path_factory.mktemp("checkout")
    recording = Recording.open(shipped_names()[-1])
    instant = recording.instant("end")
    settings = settings_at(root / ".home" / "demo-stage" / "end", instant)
    restore(recording, instant, settings=settings)
    load(recording, instant, settings=settings)
    return root


def test_the_example_for_analysts_works_when_pasted(checkout: Path) -> None:
    """Each line of the example shows rows, and the sealed data of D-1 says what it is."""
    found = EXAMPLE.search((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert found
    exports = [line for line in found["shell"].splitlines() if line.startswith("export ")]
    assert exports
    elsewhere = {f"WORKBENCH_{name}": f"{checkout}/{name}" for name in ("STORE", "GATE", "HOME")}
    ended = subprocess.run(
        ["bash", "-c", "\n".join([*exports, 'exec "$0" "$@"']), sys.executable, "-c", DRIVER, found["python"]],
        cwd=checkout, env={**os.environ, **elsewhere, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [text for text, row_count, _ in told if not row_count] == []
    assert len(told) == 5
    assert "data of D-1" in told[-1][2]
    assert [note for _, _, note in told[:-1] if note] == []

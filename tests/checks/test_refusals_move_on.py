"""A refusal's next step is something to do: it repeats nothing of the sentence, and is no option without its command."""

from __future__ import annotations

import ast

import pytest

from tests.checks.tree import files_matching, read


def words_of(node: ast.expr | None) -> str:
    """Return what stands in a text of the source, `{}` for what is filled in; of a choice the first."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(v) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    if isinstance(node, ast.BinOp):
        return words_of(node.left) + words_of(node.right)
    return words_of(node.body) if isinstance(node, ast.IfExp) else ""


def faults_of(path: str, text: str) -> list[str]:
    """Return the calls whose next step moves nobody on."""
    found = []
    for node in ast.walk(ast.parse(text)):
        named = {k.arg: k.value for k in node.keywords} if isinstance(node, ast.Call) else {}
        if not isinstance(node, ast.Call) or "next_step" not in named:
            continue
        step = words_of(named["next_step"])
        sentence = words_of(node.args[0]) if node.args else ""
        if step and step.strip("`. ") in sentence:
            found.append(f"{path}:{node.lineno}: {step!r} repeats its sentence")
        if step.startswith(("add `--", "add --")):
            found.append(f"{path}:{node.lineno}: {step!r} is an option without its command")
    return found


def test_every_next_step_moves_on() -> None:
    """No refusal of the product repeats itself as its next step, or names an option alone."""
    paths = files_matching("workbench/*.py")
    faults = [fault for path in paths for fault in faults_of(path, read(path))]
    assert faults == []


@pytest.mark.parametrize(
    "call",
    [
        'Refused("Nobody is there; add `--yes`.", next_step="add `--yes`")',
        'UsageFault("Say why.", next_step="add `--reason TEXT`")',
        'Refused(f"{a} is late; run `workbench doctor`.", next_step="run `workbench doctor`")',
    ],
)
def test_the_check_catches(call: str) -> None:
    """A step that repeats the sentence, or is an option alone, is named."""
    assert faults_of("seeded.py", call)


@pytest.mark.parametrize(
    "call",
    [
        'Refused("Nobody is there.", next_step=typed_again("--yes"))',
        'Refused("H-1 is held.", next_step="`workbench review H-1`")',
        'Refused("No reason was given.")',
    ],
)
def test_the_check_lets_pass(call: str) -> None:
    """A command to type, and a class's own next step, are well."""
    assert faults_of("seeded.py", call) == []

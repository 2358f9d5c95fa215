"""Modules, functions and signatures stay small enough to read at once."""

from __future__ import annotations

import ast

import pytest

from tests.checks.tree import Function, files_matching, functions_of, read

MODULE_LINES = 350
FUNCTION_LINES = 35
PARAMETERS = 6
POSITIONAL_PARAMETERS = 2
"""Of public functions: the callers of a private one stand a few lines away."""
COMMAND_OPTIONS = 10
"""A click command takes its options by name, one parameter each; nobody calls it from Python."""

_LAYOUT = "a form is laid out in one place, a line a widget; it decides nothing"
WAIVERS: dict[str, str] = {
    "workbench/records.py": "the vocabulary: split, half of the words would be overlooked",
    "workbench/panels/control_view.py:ControlView.__init__": _LAYOUT,
    "workbench/panels/control_view.py:PauseForm.__init__": _LAYOUT,
    "workbench/panels/control_view.py:ResumeForm.__init__": _LAYOUT,
}
"""`path:function` or `path` -> why the budget does not fit it. Hard stops: 60 lines, 500 lines."""

HARD_FUNCTION_LINES = 60
HARD_MODULE_LINES = 500


def line_count(function: Function) -> int:
    """Count a function's lines from `def` to its end, its docstring not included."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def is_command(function: Function) -> bool:
    """Tell whether click or a group of ours decorates the function as a command."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any("command" in text.split("(")[0] for text in decorators)


def is_bound(function: Function) -> bool:
    """Tell whether the first parameter is the object or the class itself."""
    arguments = function.args.posonlyargs + function.args.args
    return bool(arguments) and arguments[0].arg in {"self", "cls"}


def faults_of_function(path: str, name: str, function: Function) -> list[str]:
    """Return what is over budget in one function."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args) - is_bound(function)
    total = positional + len(arguments.kwonlyargs)
    is_ours_to_shape = function.name == "__init__" or not function.name.startswith("_")
    limit = FUNCTION_LINES if f"{path}:{name}" not in WAIVERS else HARD_FUNCTION_LINES
    allowed = COMMAND_OPTIONS if is_command(function) else PARAMETERS
    where = f"{path}:{function.lineno} {name}"
    faults = []
    if (lines := line_count(function)) > limit:
        faults.append(f"{where} has {lines} lines; split it at {limit}")
    if total > allowed:
        faults.append(
            f"{where} takes {total} parameters; {allowed} at most, group them in a record"
        )
    if positional > POSITIONAL_PARAMETERS and is_ours_to_shape and not is_command(function):
        faults.append(f"{where} has {positional} positional parameters; put `*,` after the second")
    return faults


def faults_of_module(path: str, text: str) -> list[str]:
    """Return everything that is over budget in one module."""
    limit = MODULE_LINES if path not in WAIVERS else HARD_MODULE_LINES
    lines = len(text.splitlines())
    faults = [f"{path} has {lines} lines; split it at {limit}"] if lines > limit else []
    for name, function in functions_of(ast.parse(text)):
        faults += faults_of_function(path, name, function)
    return faults


def test_modules_and_functions_keep_their_budgets() -> None:
    """Every module, function and signature of the product is within its budget."""
    faults = [
        f for path in files_matching("workbench/*.py") for f in faults_of_module(path, read(path))
    ]
    assert not faults, "\n".join(faults)


def test_waivers_are_needed() -> None:
    """A waiver that no longer excuses anything is taken out."""
    idle = []
    for key in WAIVERS:
        path, _, name = key.partition(":")
        text = read(path)
        functions = dict(functions_of(ast.parse(text)))
        size = line_count(functions[name]) if name else len(text.splitlines())
        if size <= (FUNCTION_LINES if name else MODULE_LINES):
            idle.append(key)
    assert idle == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n" * 351, "351 lines"),
        ("def long():\n" + "    x = 1\n" * 35, "36 lines"),
        ("class A:\n    def long(self):\n" + "        x = 1\n" * 35, "A.long has 36 lines"),
        ("def wide(a, b, *, c, d, e, f, g): ...", "takes 7 parameters"),
        ("def loose(a, b, c): ...", "3 positional"),
        ("class A:\n    def loose(self, a, b, c): ...", "3 positional"),
        (
            "@click.command()\ndef verb(" + ", ".join("abcdefghijk") + "): ...",
            "takes 11 parameters",
        ),
    ],
)
def test_the_budget_check_catches(text: str, words: str) -> None:
    """Each way of going over budget is named."""
    assert any(words in fault for fault in faults_of_module("seeded.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * 350,
        'def fine():\n    """Say.\n\n    More.\n    """\n' + "    x = 1\n" * 34,
        "class A:\n    def fine(self, a, b, *, c, d, e, f): ...",
        "class A:\n    def __exit__(self, kind, value, trace): ...",
    ],
)
def test_the_budget_check_lets_pass(text: str) -> None:
    """What is exactly within budget is not reported."""
    assert faults_of_module("seeded.py", text) == []

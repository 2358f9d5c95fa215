"""A walk over every command with bad input: each is refused in a few lines of our words, and none is a defect.

The commands and their options are read from the command line itself, so that a new one is walked as well. What a
bad value of an option is follows from what the option takes: ids, instants, numbers and scopes that are none must be
refused; whatever else is typed may be taken, and must never end in a traceback.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.ground import AGENTS, Result, a_decision, a_hold, a_report, a_store, run
from workbench.cli import find, root
from workbench.errors import WorkbenchError
from workbench.settings import Settings
from workbench.store.keeping import close_kept

NOT_WALKED = {
    ("demo",): "it starts a demonstration of half a minute; tests/demo has its refusals",
    ("lab",): "it starts JupyterLab; tests/cli/test_review_and_lab.py has its refusals",
}
GOOD = {
    "hold_id": "H-1",
    "report_id": "R-2",
    "decision_id": "D-1",
    "signoff_id": "S-1",
    "engine_id": "prefect",
    "automation_id": "order-sync",
    "public_hex": "0" * 64,
    "key_id": "0" * 16,
    "scope": AGENTS,
    "subject": "H-1",
    "records": "invoice/1",
    "target": "P-1",
    "host": "worker-1",
    "copy": "{place}/none.jsonl",
    "file": "{place}/none.toml",
    "files": "{place}/none.jsonl",
    "folder": "{place}/export",
    "words": "invoice",
    "name": "restart-decision",
    "text": "select 1",
    "person": "ann",
    "role": "ops-lead",
    "since": "2026-11-20T09:30:00Z",
    "environment": "staging",
    "origin": "{place}/other",
    "reason": "wrong amounts",
}
"""A good value for each parameter that some command needs, by its name."""
BESIDE = {
    ("resume",): ("--only", "automation=ticket-reply", "--runs", "1"),
    ("signoff", "request"): ("--only", "automation=ticket-reply", "--runs", "1"),
    ("load",): ("--table", "run"),
    ("sync",): ("prefect", "--url", "http://127.0.0.1:9", "--kind", "prefect"),
    ("serve",): ("--once",),
    ("triggers",): ("--once",),
    ("mirror",): ("--once",),
    ("pause",): ("--no-wait",),
}
"""What a command needs besides."""

INSTANTS = {"since", "until", "onset", "as_of", "review_by", "complete_until", "month"}
SCOPES = {"scope", "only"}
IDS = {"hold_id", "report_id", "decision_id", "signoff_id", "key_id", "engine_id", "public_hex"}
NO_INSTANT = ("yesterday", "2026-11-20T09:30:00", "0001-01-01T00:00:00+23:59", "nan", "\u202e1")
NO_NUMBER = ("many", "nan", "9" * 30, "-1", "1e400")
NO_SCOPE = ("kind=", "=", "kind=agent,kind=agent", "KIND=agent", "automation=nowhere", "\u0456d")
NO_ID = ("X-1", "h-1", "H-\uff11", "H-" + "9" * 25, "H-1 ", "../H-1", "'; drop table event; --")
ANYTHING = ("", "caf\udce9", "\x1b[2J\x07\u202e\n", "x" * 100_000, "{x.__class__}", "../../x")

MOST_LINES = 6
MOST_CHARACTERS = 3_000
PYTHONS = ("Traceback", "This is a defect", "Errno", "codec", "NoneType", "<class ", "object at 0x")
"""What only Python says."""
VERDICTS = {("gate",): {20, 21}, ("recheck",): {23, 24}, ("doctor",): {15}, ("pause",): {10}}
"""Exit codes that are an answer and no refusal: the answer stands in the print-out."""


def leaves(
    group: click.Group = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that does something, by the words that name it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (*path, name), command
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


LEAVES = dict(leaves())


def good_words(path: tuple[str, ...], *, without: str = "") -> list[str]:
    """Return a command with all that it needs; `without` is a parameter that the caller gives itself."""
    found, options = list(path), list(BESIDE.get(path, ()))
    for parameter in LEAVES[path].params:
        name = str(parameter.name)
        is_needed = parameter.required or name == "reason"
        if name != without and is_needed:
            assert name in GOOD, f"`workbench {' '.join(path)}` needs {name}: add a good one above"
            own = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
            (options if own else found).extend([*own, GOOD[name]])
        if name == "yes":
            options.append("--yes")
    if without and f"--{without.replace('_', '-')}" in options:
        at = options.index(f"--{without.replace('_', '-')}")
        del options[at : at + 2]
    return [*found, *options]


def bad_values(parameter: click.Parameter) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return values that must be refused, and values that must do no harm."""
    name, kind = str(parameter.name), parameter.type
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType | click.Choice):
        return NO_NUMBER if not isinstance(kind, click.Choice) else ("nonsense", ""), ()
    if name in INSTANTS:
        return NO_INSTANT, ANYTHING[:1]
    if name in SCOPES:
        return NO_SCOPE, ()
    if name in IDS:
        return NO_ID, ANYTHING[:1]
    return (), ANYTHING


def typed(path: tuple[str, ...], parameter: click.Parameter, value: str) -> list[str]:
    """Return a command in which one parameter has this value."""
    words = good_words(path, without=str(parameter.name))
    if isinstance(parameter, click.Argument):
        return [*words, "--", value] if value.startswith("-") else [*words, value]
    return [*words, f"{max(parameter.opts, key=len)}={value}"]


def faults_of(path: tuple[str, ...], found: Result, *, must_refuse: bool, is_json: bool) -> str:
    """Return what is wrong with how a command ended, or an empty text."""
    heard = [word for word in PYTHONS if word in found.said]
    if heard or found.code == WorkbenchError.exit_code:
        return f"it ended as a defect, {heard}"
    is_answer = found.code in VERDICTS.get(path, set())
    if must_refuse and (found.code == 0 or (is_answer and path != ("gate",))):
        return "it was taken"
    if found.code and not is_answer and not found.err.strip():
        return "nothing was said"
    if len(found.err.splitlines()) > MOST_LINES or len(found.err) > MOST_CHARACTERS:
        return "too much was said"
    if found.code and not is_answer and "next: " not in found.err and "Usage: " not in found.err:
        return "no next step was named"
    if is_json and found.out.strip():
        try:
            json.loads(found.out)
        except ValueError:
            return "its print-out is no JSON"
    return ""


def walk(path: tuple[str, ...], place: Path) -> Iterator[str]:
    """Yield every fault of one command: each of its parameters with each bad value, and with none."""
    as_json = any("--json" in parameter.opts for parameter in LEAVES[path].params)
    as_json = as_json and path != ("audit", "show")  # one document a line
    for parameter in LEAVES[path].params:
        if isinstance(parameter, click.Option) and parameter.is_flag:
            continue
        refused, harmless = bad_values(parameter)
        for value, must_refuse in [*((v, True) for v in refused), *((v, False) for v in harmless)]:
            words = [word.replace("{place}", str(place)) for word in typed(path, parameter, value)]
            at = words.index("--") if "--" in words else len(words)
            words[at:at] = ["--json"] * as_json
            found = run(*words)
            why = faults_of(path, found, must_refuse=must_refuse, is_json=as_json)
            if why:
                yield f"{' '.join(path)} {parameter.name}={value[:40]!r}: {why}: {found.code} {found.said[:300]!r}"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make one store with a hold, a decision and a report, which every walk begins with a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("pattern")
        for name in ("store", "gate", "home"):
            patch.setenv(f"WORKBENCH_{name.upper()}", str(place / name))
        a_store()
        a_hold()
        a_decision()
        a_report()
        close_kept()
        yield place


@pytest.fixture
def world(pattern: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder of its own with a copy of that store; no report is run."""
    settings = Settings.from_environment()
    for name, folder in (
        ("store", settings.store),
        ("gate", settings.gate),
        ("home", settings.home),
    ):
        shutil.copytree(pattern / name, folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def not_run(*_: Any, **__: Any) -> None:
        raise WorkbenchNotRun("No report is run by this walk.", next_step="nothing")

    monkeypatch.setattr("workbench.reports.runner._call_papermill", not_run)
    return tmp_path


class WorkbenchNotRun(WorkbenchError):
    """A report would have been run: the command took all that it was given."""

    exit_code = 12


@pytest.mark.parametrize("path", [p for p in LEAVES if p not in NOT_WALKED], ids=" ".join)
def test_bad_input_is_refused_in_a_few_of_our_words(path: tuple[str, ...], world: Path) -> None:
    """No command meets a bad value with a traceback, with silence, with a page of text, or by doing it."""
    assert list(walk(path, world)) == []


def test_every_command_is_walked_or_has_a_reason() -> None:
    """What is left out is there, and says why."""
    assert set(NOT_WALKED) <= set(LEAVES)
    assert all(NOT_WALKED.values())
    assert len(LEAVES) > 50


SEEDS: Sequence[tuple[str, Any]] = (
    ("defect", lambda *_, **__: {}["kind"]),
    ("taken", lambda *_, **__: 0),
    ("silent", lambda *_, **__: 3),
    ("endless", lambda *_, **__: click.echo("no\n" * 50, err=True) or 3),
    ("stuck", lambda *_, **__: click.echo("workbench: no", err=True) or 3),
)


@pytest.mark.parametrize(("kind", "body"), SEEDS, ids=[kind for kind, _ in SEEDS])
def test_the_walk_finds_what_it_looks_for(
    kind: str, body: Any, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that breaks, takes everything, is silent, does not stop or names no next step is found."""
    monkeypatch.setattr(LEAVES[("status",)], "callback", body)
    said = {"defect": "defect", "taken": "was taken", "silent": "nothing was said"}
    said |= {"endless": "too much", "stuck": "no next step"}
    assert said[kind] in "".join(itertools.islice(walk(("status",), world), 3))
    assert find.command.callback is not None

"""I1 to I7, I9 and I14 on walks of command lines, and the seeded bugs of the command line that they must catch.

The bugs of the store's own walk are in `tests/store/test_machine.py`; `make test-long` puts those under the
command line, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cli.command_machine import DEADLY, CommandMachine
from tests.postgres_server import Server, running_server
from tests.store import test_machine as of_store
from tests.store.conftest import use_database
from workbench.cli import gate, pause, registry, resume
from workbench.control import Control, reading
from workbench.errors import Refused, WorkbenchError

SHORT = settings(of_store.SETTINGS, max_examples=3, stateful_step_count=12)
LONG = settings(of_store.SETTINGS, max_examples=60, stateful_step_count=30)
Seed = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
def test_what_is_typed_does_what_the_log_says() -> None:
    """On random walks of commands the screens, exit codes and gates agree with a naive replay after every step."""
    run_state_machine_as_test(CommandMachine, settings=SHORT)  # type: ignore[no-untyped-call] # hypothesis


@pytest.mark.long
def test_the_same_on_long_walks() -> None:
    """The same on many and longer walks."""
    run_state_machine_as_test(CommandMachine, settings=LONG)  # type: ignore[no-untyped-call] # hypothesis


@pytest.mark.long
def test_the_same_with_a_store_on_a_server() -> None:
    """The same with the store in a PostgreSQL database."""
    with running_server() as server:
        walked = settings(LONG, max_examples=15)
        run_state_machine_as_test(on_server(server), settings=walked)  # type: ignore[no-untyped-call] # hypothesis


def on_server(server: Server) -> type[CommandMachine]:
    """Return a machine whose store is in a database."""

    class CommandMachineOnServer(CommandMachine):
        def choose_database(self) -> None:
            use_database(self.root, server)

    return CommandMachineOnServer


def seed_a_refusal_is_a_success(patch: pytest.MonkeyPatch) -> None:
    """A command that is refused ends with 0."""
    patch.setattr(Refused, "exit_code", 0)


def seed_the_command_id_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """`--command-id` is not passed on."""
    patch.setattr(Control, "new_id", staticmethod(lambda _: uuid.uuid4().hex))


def asked_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Control, Any], Any]) -> None:
    """Let `workbench resume` ask for something else than was typed."""
    right = resume.request_from

    def wrong(control: Control, hold_id: str, *, options: dict[str, object]) -> Any:
        return change(control, right(control, hold_id, options=options))

    patch.setattr(resume, "request_from", wrong)


def seed_narrow_is_taken_for_full(patch: pytest.MonkeyPatch) -> None:
    """`--only` and `--runs` are read and forgotten: the whole hold goes."""
    asked_otherwise(patch, lambda _, asked: replace(asked, only=None, runs=None))


def seed_a_narrow_restart_is_for_the_whole_hold(patch: pytest.MonkeyPatch) -> None:
    """`--only` is forgotten, the number of runs is not."""
    asked_otherwise(patch, lambda _, asked: replace(asked, only="*") if asked.only else asked)


def seed_the_newest_hold_is_released(patch: pytest.MonkeyPatch) -> None:
    """A resume is of the newest hold, whichever was named."""

    def newest(control: Control, asked: Any) -> Any:
        standing = control.state().standing_holds()
        return replace(asked, hold_id=standing[-1].hold_id) if standing else asked

    asked_otherwise(patch, newest)


def seed_the_screen_is_a_step_behind(patch: pytest.MonkeyPatch) -> None:
    """`status` shows narrow restarts as paused."""
    right = reading._state_word
    patch.setattr(reading, "_state_word", lambda a, covering, live: right(a, covering, set()))


def seed_the_gate_ends_with_success(patch: pytest.MonkeyPatch) -> None:
    """`workbench gate` prints PAUSED and ends with 0."""
    patch.setattr(gate, "_EXIT", dict.fromkeys(gate._EXIT, 0))


def seed_a_repeat_is_told_as_new(patch: pytest.MonkeyPatch) -> None:
    """The receipt of a command given again looks like that of a new hold."""
    right = pause.receipt_document
    patch.setattr(pause, "receipt_document", lambda r: {**right(r), "is_repeat": False})


def seed_the_last_automation_of_a_file_is_lost(patch: pytest.MonkeyPatch) -> None:
    """`registry apply` overlooks the end of its file."""
    right = registry.read_registry

    def short(path: Any) -> Any:
        found = right(path)
        return replace(found, automations=dict(list(found.automations.items())[:-1]))

    patch.setattr(registry, "read_registry", short)


SEEDS = [value for name, value in sorted(globals().items()) if name.startswith("seed_")]


def walk() -> int:
    """Walk the aimed walk by words, with both invariants looked at after each step, then kill at each point."""
    machine, count = CommandMachine(), 0

    def look() -> int:
        machine.nothing_is_said_wrongly()
        machine.nothing_opens_by_itself()
        return 1

    try:
        machine.begin()
        for _ in of_store.aimed_walk(machine):
            count += look()
        for number, point in enumerate(DEADLY):
            machine.pause_and_be_killed({"kind": "agent"}, point, bool(number % 2), 1)
            count += look()
        machine.pause_by_program({"category": "support"})
        count += look()
    finally:
        machine.teardown()
    return count


def test_the_aimed_walk_of_commands_finds_nothing_wrong() -> None:
    """The walk that goes where each mechanism matters, with a kill at each point and a program of its own."""
    assert walk() == 37 + len(DEADLY) + 1


def is_caught(seed: Seed) -> bool:
    """Tell whether the aimed walk fails with a bug in the workbench."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        try:
            walk()
        except (AssertionError, WorkbenchError, apsw.Error):
            return True
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_the_walk_of_commands_catches(seed: Seed) -> None:
    """Each bug of the command line makes the walk fail."""
    assert is_caught(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", of_store.SEEDS)
def test_the_walk_of_commands_catches_what_the_store_s_does(seed: Seed) -> None:
    """Each bug of store, fold and gate makes the walk of commands fail as well."""
    assert is_caught(seed)

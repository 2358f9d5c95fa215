"""`sync` and `engine probe` mean the same engine by a name, and say the same of one that nobody named."""

from __future__ import annotations

import pytest

from tests.cli.ground import Result, a_store, refused, run
from workbench.cli import engine_named
from workbench.engines.interface import EngineAddress
from workbench.settings import Settings

DEAD = EngineAddress("prefect", "prefect", "http://127.0.0.1:9/api")
ASKS = (("sync", "{}"), ("engine", "probe", "{}"))


def ask(words: tuple[str, ...], name: str) -> Result:
    """Run one of the two commands about an engine."""
    return run(*(word.format(name) for word in words))


@pytest.fixture(autouse=True)
def store() -> None:
    """Begin with a store and no file of engines."""
    a_store()


@pytest.mark.parametrize("words", ASKS)
def test_an_engine_that_nobody_named_is_put_into_the_file(words: tuple[str, ...]) -> None:
    """Both name the file, the table and what belongs into it; neither sends to a search."""
    found = ask(words, "nightly")
    file = str(Settings.from_environment().engines_file)
    refused(
        found, 4, f"no engine 'nightly' in {file}", "`[engines.nightly]` with `kind` (of airflow"
    )
    assert "workbench find" not in found.err


@pytest.mark.parametrize("words", ASKS)
def test_the_usual_place_of_a_server_is_tried_by_both(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing answers at the place that nobody configured, both say so rather than that it is unknown."""
    monkeypatch.setattr(engine_named, "LOCAL_PREFECT", DEAD)
    found = ask(words, "prefect")
    refused(found, 16, "names no prefect, so http://127.0.0.1:9/api was tried", "[engines.prefect]")


def test_who_loads_files_is_told_how_where_no_engine_is_named() -> None:
    """`sync --all` without an engine names the command that brings in files."""
    refused(
        run("sync", "--all"),
        4,
        "names no engine, so there is nothing to sync",
        "`workbench load --table run --source NAME FILE --complete-until INSTANT`",
    )


def test_an_unknown_engine_is_not_looked_for_among_automations() -> None:
    """A drill of what nobody named says what to put where, and that the gate can be drilled without."""
    found = run("drill", "nightly", "-y")
    refused(found, 4, "no engine 'nightly' in the file of engines", "or drill gate")

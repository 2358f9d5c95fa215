"""`workbench engine certify` at the terminal: what it brings, what it says, and that it touches no other gate."""

from __future__ import annotations

from pathlib import Path

from tests.cli.ground import a_store, events, refused, run
from tests.control.test_certifying import a_staging_store
from workbench.settings import Settings
from workbench.snapshot import read_snapshot


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder with its content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_drills_are_brought_from_a_folder(tmp_path: Path) -> None:
    """Each drill stands on a line with mode, kind, version and who held it; the staging store is only read."""
    a_store()
    origin = a_staging_store(tmp_path).store
    place = str(origin.backend.folder)
    before = [event.hash for event in origin.events()]
    this_store = read_snapshot(Settings.from_environment().gate).store_id
    found = run(
        "engine", "certify", "prefect", "--from", place, "--drilled-as", "prefect-lab", "-y"
    )
    assert found.code == 0, found.said
    assert "prefect, freeze, kind workflow: version 3.8.1, drilled 20" in found.out
    assert "by agent-owner (dee)" in found.out
    (event,) = events("drill.accept")
    assert (event.target, event.payload["from_store"]) == ("prefect", origin.head_note().store_id)
    assert [event.hash for event in origin.events()] == before
    assert read_snapshot(Settings.from_environment().gate).store_id == this_store


def test_nothing_is_brought_without_a_yes(tmp_path: Path) -> None:
    """Who vouches is asked; a no, and nobody at the terminal, record nothing and name the command."""
    a_store()
    place = str(a_staging_store(tmp_path).store.backend.folder)
    words = ("engine", "certify", "prefect", "--from", place, "--drilled-as", "prefect-lab")
    refused(run(*words), 2, "Nobody is at the terminal", " --yes`")
    assert run(*words, typed="n\n").code == 130
    assert events("drill.accept") == []


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """No store, and no drill of that name, end with their own codes; no gate folder changes."""
    a_store()
    gate = Settings.from_environment().gate
    before = files_in(gate)
    refused(run("engine", "certify", "prefect", "--from", str(tmp_path / "none"), "-y"), 15, "none")
    place = str(a_staging_store(tmp_path).store.backend.folder)
    refused(
        run("engine", "certify", "other", "--from", place, "-y"), 4, "No drill of other passed in"
    )
    assert files_in(gate) == before

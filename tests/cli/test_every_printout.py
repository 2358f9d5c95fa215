"""What every print-out has: the store, the head note, DEMO on a recorded clock, and no obeyed character."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.ground import (
    AGENTS,
    HOSTILE,
    OBEYED,
    RECORDED,
    REGISTRY,
    a_decision,
    a_hold,
    a_registry_file,
    a_report,
    a_store,
    events,
    inert,
    run,
)
from workbench.store.keys import key_id_of

READING = [
    ("status",),
    ("status", AGENTS),
    ("hold", "list"),
    ("hold", "list", "--all"),
    ("card", "*"),
    ("find", "agent"),
    ("audit", "verify"),
    ("audit", "show"),
    ("audit", "show", "--hold", "H-1"),
    ("report", "list"),
    ("doctor",),
]
WRITING = [
    ("pause", AGENTS, "-r", "x", "-y", "--no-wait"),
    ("resume", "H-1", "--only", AGENTS, "--runs", "1", "-y"),
    ("resume", "H-1", "--full", "--break-glass", "x", "-y"),
    ("decide", "R-2", "-y"),
    ("registry", "apply", "{registry}", "-y"),
]
DEMO = "DEMO, clock stands at 2026-11-20 09:30:00 UTC"


def filled(words: tuple[str, ...]) -> list[str]:
    """Return the words with the path of a changed registry put in."""
    changed = a_registry_file(REGISTRY.replace("pager 7", "pager 8"))
    return [word.format(registry=changed) for word in words]


@pytest.fixture(autouse=True)
def a_history() -> None:
    """Begin with a hold, a decision about it, and a report that is not decided on."""
    a_store()
    a_hold(reason=HOSTILE)
    a_decision()
    a_report(reason=HOSTILE)


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_every_print_out_ends_with_the_head_note(words: tuple[str, ...]) -> None:
    """The last line is where the log stands now: each copy of it is evidence against tampering."""
    found = run(*filled(words))
    assert found.err == ""
    newest = events()[-1]
    expected = (
        f"log head {newest.seq} {newest.hash[:16]} of store {newest.store_id} (staging), unsigned"
    )
    assert found.out.splitlines()[-1] == expected


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_every_print_out_says_who_signed_its_head(words: tuple[str, ...]) -> None:
    """Where the newest checkpoint is signed the last line names role, person and key, never "unsigned"."""
    public = run("key", "new").out.splitlines()[1]
    assert run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y").code == 0
    found = run(*filled(words))
    assert found.err == ""
    last = found.out.splitlines()[-1]
    assert last.startswith(f"log head {events()[-1].seq} ")
    signed = rf"\(staging\), signed by ops-lead \(ann, key {key_id_of(public)}\)$"
    assert re.search(signed, last), last


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_every_print_out_says_demo_on_a_recorded_clock(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes a demonstration for the real thing: DEMO and its instant stand first."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    found = run(*filled(words))
    assert found.out.startswith(DEMO), found.said


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_without_a_recorded_clock_nothing_says_demo(words: tuple[str, ...]) -> None:
    """The word DEMO is kept for demonstrations."""
    assert "DEMO" not in run(*filled(words)).said


@pytest.mark.parametrize("words", [*READING, *WRITING], ids=" ".join)
def test_hostile_reasons_are_inert_in_every_print_out(words: tuple[str, ...]) -> None:
    """A reason that clears screens and forges lines does neither, wherever it is printed."""
    inert(run(*filled(words)))


@pytest.mark.parametrize("words", [w for w in READING if w[:2] != ("audit", "show")], ids=" ".join)
def test_every_reading_command_has_json(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--json` the output is one JSON document, ASCII, nothing beside it, DEMO or not."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    found = run(*words, "--json")
    json.loads(found.out)
    assert found.out.isascii()
    assert found.err == ""
    assert not [c for c in OBEYED if c in found.out]


@pytest.mark.parametrize("words", [w for w in READING if w[0] not in ("doctor",)], ids=" ".join)
def test_reading_exits_0(words: tuple[str, ...]) -> None:
    """Whatever is held, reading it is not an error."""
    assert run(*words).code == 0


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_every_writing_command_names_the_store_first(words: tuple[str, ...]) -> None:
    """Who writes is told first into which store, of which environment and where."""
    first = run(*filled(words)).out.splitlines()[0]
    assert first.startswith(f"store {events()[0].store_id}  |  environment staging  |  ")


def test_a_gate_answers_for_now_whatever_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate speaks of what is published, not of a recorded instant."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    assert run("gate", "ticket-reply").out == "PAUSED by H-1\n"

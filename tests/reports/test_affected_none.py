"""`workbench affected none` on a real store and warehouse: where no source tells of records, a person's word does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_keys import a_person
from tests.reports import little_incident as story
from workbench.cli import main
from workbench.clock import to_text
from workbench.control import Control
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.saying_none import NoneWord, say_none
from workbench.reports.affected import look_for_none, read_ledger
from workbench.settings import Settings
from workbench.warehouse import Warehouse


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Settings, Control]:
    """Make the story without a source of records; a person of ops-lead has a key."""
    rows = story.tables()
    rows["source_watermark"] = [
        row for row in rows["source_watermark"] if row["table_name"] != "affected_record"
    ]
    monkeypatch.setattr(story, "tables", lambda: {**rows, "affected_record": []})
    settings, control = story.set_up(tmp_path)
    ann, public_hex = a_person(control, tmp_path, "ops-lead")
    enrol_key(ann, Enrolment(public_hex, "ops-lead", "ops-lead"))
    for name, value in (
        ("STORE", settings.store), ("GATE", settings.gate), ("HOME", settings.home),
        ("CLOCK", to_text(story.at(story.END_MINUTE))),
    ):  # fmt: skip
        monkeypatch.setenv(f"WORKBENCH_{name}", str(value))
    return settings, ann


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return the way to type a command: exit code, output, errors."""

    def type_it(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return type_it


def ann_says(settings: Settings, ann: Control) -> None:
    """Let ann say it of both agents, as the command does."""
    look = look_for_none(ann, settings, hold_id="H-1")
    asked = look.request
    word = NoneWord("H-1", asked.onset_at, asked.as_of, look.loaded, look.version)
    say_none(ann, word, reason="both only read")


def test_the_list_says_how_to_say_it_and_the_command_shows_what_it_is_about(
    silent: tuple[Settings, Control], typed: Any
) -> None:
    """Time, automations and runs are shown first; without a key, a reason or a person at the terminal it is refused."""
    code, _, said = typed("affected", "list", "H-1")
    assert (code, "`workbench affected none H-1`" in said) == (0, True)
    code, out, said = typed("affected", "none", "H-1", "--reason", "read the bank", "--yes")
    assert (code, "must be signed by an enrolled key" in said) == (3, True)
    assert "no change is loaded" in out
    assert all(name in out for name in story.AGENTS)
    code, _, said = typed("affected", "none", "H-1")
    assert (code, "how you know" in said) == (2, True)
    code, _, said = typed("affected", "none", "H-1", "--reason", "read the bank")
    assert (code, "Nobody is at the terminal to confirm" in said) == (2, True)
    assert typed("affected", "none", "H-9", "--reason", "x")[0] == 4


def test_the_word_is_shown_with_the_name_until_a_record_is_loaded(
    silent: tuple[Settings, Control], typed: Any, tmp_path: Path
) -> None:
    """Two persons say it in production; the list names them and calls it no evidence; the first record ends it."""
    settings, ann = silent
    ann_says(settings, ann)
    assert read_ledger(ann, settings, subject="H-1").answered_by == "", (
        "one person does not unblock"
    )
    bo, public_hex = a_person(ann, tmp_path, "agent-owner")
    enrol_key(ann, Enrolment(public_hex, "agent-owner", "agent-owner"))
    ann_says(settings, bo)
    found = read_ledger(ann, settings, subject="H-1")
    assert not found.is_whole
    assert "invoice-triage and ticket-reply wrote nothing" in found.answered_by
    _, out, said = typed("affected", "list", "H-1")
    assert "Nothing loaded shows it, but " in said
    assert "ops-lead (ops-lead" in said and "agent-owner (agent-owner" in said
    code, out, _ = typed("affected", "list", "H-1", "--json")
    assert (code, "both only read" in json.loads(out)["answered_by"]) == (0, True)
    load_a_record(settings, tmp_path)
    assert read_ledger(ann, settings, subject="H-1").answered_by == ""
    code, _, said = typed("affected", "none", "H-1", "--reason", "x", "--yes")
    assert (code, "Nobody can say that invoice-triage wrote nothing" in said) == (3, True)
    code, out, said = typed(
        "affected", "none", "H-1", "--only", "automation=ticket-reply", "-r", "x", "--yes"
    )
    assert (code, "must be signed" in said) == (3, True), "of the other it can still be said"


def load_a_record(settings: Settings, folder: Path) -> None:
    """Load one change by an agent since the onset, from a source that is complete until long before."""
    row = {
        "source_id": "bank", "run_id": "0044", "record_type": "invoice", "record_id": "INV-1", "change_seq": 1,
        "automation_id": "invoice-triage", "changed_at": story.text_at(story.ONSET_MINUTE + 2), "change": "update",
    }  # fmt: skip
    path = folder / "late.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert Warehouse.open(settings.home).load_rows("affected_record", path).rejected_count == 0


def test_a_source_that_declares_its_completeness_needs_no_word(
    silent: tuple[Settings, Control], typed: Any, tmp_path: Path
) -> None:
    """Who tells of records of a neighbour until now shows that there was none here; that is better than a word."""
    row = {
        "source_id": "bank", "run_id": "9001", "record_type": "order", "record_id": "O-1", "change_seq": 1,
        "automation_id": "order-sync", "changed_at": story.text_at(story.ONSET_MINUTE + 2), "change": "update",
    }  # fmt: skip
    path = tmp_path / "orders.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    until = to_text(story.at(story.END_MINUTE) - timedelta(seconds=1))
    load = ("load", "--table", "affected_record", "--complete-until", until, str(path))
    assert typed(*load)[0] == 0
    code, _, said = typed("affected", "none", "H-1", "--reason", "x", "--yes")
    assert (code, "better than a word" in said) == (3, True)

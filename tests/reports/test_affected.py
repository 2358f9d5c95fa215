"""`workbench affected` on a real store and warehouse: the ledger, the word, and what the next review makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.ground import run
from tests.control.test_keys import a_person
from tests.reports import hostile
from tests.reports import little_incident as story
from workbench.cli import main
from workbench.cli.affected import NOT_NAMED, _cells, _half_words
from workbench.clock import to_text
from workbench.control import Control
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.verifying import verify_records
from workbench.errors import NotFound, Refused
from workbench.reports import affected
from workbench.reports.affected import read_ledger
from workbench.reports.opened import Frozen, freeze, gather
from workbench.review.restart import LEDGER_RESTS_ON, restart_queries
from workbench.settings import Settings
from workbench.warehouse.changes import find_changes

LEAK = "invoice/INV-0157"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Control]:
    """Make the story once; a person of ops-lead has a key."""
    root = tmp_path_factory.mktemp("affected")
    settings, control = story.set_up(root)
    ann, public_hex = a_person(control, root, "ops-lead")
    enrol_key(ann, Enrolment(public_hex, "ops-lead", "ops-lead"))
    return settings, ann


@pytest.fixture(scope="module")
def bo(told: tuple[Settings, Control], tmp_path_factory: pytest.TempPathFactory) -> Control:
    """Return another member of a role as they give commands to the same store."""
    _, ann = told
    found, public_hex = a_person(ann, tmp_path_factory.mktemp("bo"), "agent-owner")
    enrol_key(ann, Enrolment(public_hex, "agent-owner", "agent-owner"))
    return found


@pytest.fixture
def command_line(
    told: tuple[Settings, Control],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Any]:
    """Return the way to type a command on the story's store: exit code, output, errors."""
    settings, _ = told
    for name, value in (
        ("STORE", settings.store), ("GATE", settings.gate), ("HOME", settings.home),
        ("CLOCK", to_text(story.at(story.END_MINUTE))),
    ):  # fmt: skip
        monkeypatch.setenv(f"WORKBENCH_{name}", str(value))

    def typed(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    yield typed


def test_the_list_names_what_blocks_and_what_to_type(command_line: Any) -> None:
    """By class with what to do; the next command can be typed as it stands, and no cell obeys anybody."""
    code, out, _ = command_line("affected", "list", "H-1")
    assert code == 0
    assert "irreversible: look at it" in out
    assert LEAK in out
    assert "Next: workbench affected mark-verified invoice/INV-0" in out
    code, out, _ = command_line("affected", "list", "kind=agent", "--json")
    found = json.loads(out)
    assert (code, found["hold_id"], found["is_whole"]) == (0, "H-1", True)
    assert sum(c["blocking_count"] for c in found["clean_up"]) == found["blocking_count"] == 7
    code, out, _ = command_line("affected", "list", "H-1", "--open", "--csv")
    assert code == 0
    assert len(out.splitlines()) == 1 + len(found["changes"])
    assert not any(
        cell.startswith(("=", "+", "@")) for line in out.splitlines() for cell in line.split(",")
    )
    assert hostile.FORMULA[:4] in out


@pytest.mark.parametrize(
    "asked", [("--class", "compensable"), ("--class", "reversible"), ("--open",)]
)
def test_a_filter_chooses_rows_and_no_total(command_line: Any, asked: tuple[str, ...]) -> None:
    """What blocks, what was written twice and what to type next are of the whole ledger, however little is shown."""
    _, out, _ = command_line("affected", "list", "H-1", "--json")
    whole = json.loads(out)
    code, out, _ = command_line("affected", "list", "H-1", *asked, "--json")
    found = json.loads(out)
    for name in ("change_count", "blocking_count", "clean_up", "duplicates"):
        assert (code, found[name]) == (0, whole[name])
    _, out, _ = command_line("affected", "list", "H-1")
    code, filtered, _ = command_line("affected", "list", "H-1", *asked)
    assert out.splitlines()[1] == filtered.splitlines()[1]
    assert out.splitlines()[-1] == filtered.splitlines()[-1]
    assert filtered.splitlines()[-1].startswith("Next: workbench affected mark-verified")


def test_the_list_runs_few_queries_and_says_what_the_whole_review_says(
    told: tuple[Settings, Control], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows, and whether they are all, are those of a review that ran every query and checked the log's chain."""
    settings, ann = told
    asked: list[Frozen] = []

    def kept(*args: Any, **more: Any) -> Frozen:
        asked.append(gather(*args, **more))
        return asked[-1]

    monkeypatch.setattr(affected, "gather", kept)
    few = read_ledger(ann, settings, subject="H-1")
    derived = {"review.alerts", "review.incidents"}
    assert set(asked[0].query_digests) - derived == set(LEDGER_RESTS_ON)
    assert "store.chain" not in asked[0].tables
    monkeypatch.setattr(affected, "ledger_queries", restart_queries)
    monkeypatch.setattr(affected, "gather", freeze)
    whole = read_ledger(ann, settings, subject="H-1")
    pd.testing.assert_frame_equal(few.changes, whole.changes)
    assert (few.is_whole, few.request) == (whole.is_whole, whole.request)


@pytest.mark.parametrize(
    ("verified_at", "verified_by", "said"),
    [
        (None, None, "NO"),
        (None, "ann", "NO"),
        ("2026-01-01T10:00Z", None, f"2026-01-01 10:00:00 UTC by {NOT_NAMED}"),
        ("2026-01-01T10:00Z", "ann", "2026-01-01 10:00:00 UTC by ann"),
    ],
)
def test_who_verified_is_a_name_or_said_to_be_none(
    verified_at: str | None, verified_by: str | None, said: str
) -> None:
    """An instant alone names nobody, a name alone is no verification, and who is one of two persons is named."""
    row = {
        "record_type": "invoice", "record_id": "1", "changed_at": story.at(0), "change": "update", "written": "",
        "run_id": "r", "attempt": 1, "blocks": False, "duplicate": "", "verified_by": verified_by,
        "verified_at": pd.Timestamp(verified_at) if verified_at else pd.NaT,
    }  # fmt: skip
    assert said in _cells(row, {})
    half = pd.DataFrame([{**row, "run_id": "other", "verified_by": "bo", "persons_lacking": 1}])
    assert said in _cells(row, _half_words(half))
    half = pd.DataFrame([{**row, "verified_by": "bo", "persons_lacking": 1}])
    expected = "NO, but by bo: 1 more person" if said == "NO" else said
    assert expected in _cells(row, _half_words(half))


def test_refusals_of_the_command_line_say_what_to_do(command_line: Any) -> None:
    """An unknown hold or record is 4, no reason is 2, a word without a key where policy asks for one is 3."""
    assert command_line("affected", "list", "H-9")[0] == 4
    code, _, said = command_line("affected", "mark-verified", "invoice/INV-9999", "-r", "ok")
    assert (code, "No change of a record invoice/INV-9999 is loaded" in said) == (4, True)
    code, _, said = command_line("affected", "mark-verified", "invoice/q\udc80", "-r", "ok")
    assert (code, "is not text in UTF-8" in said) == (2, True)
    assert command_line("affected", "mark-verified", LEAK)[0] == 2
    code, _, said = command_line("affected", "mark-verified", LEAK, "--reason", "looked")
    assert (code, "Nobody is at the terminal to confirm" in said) == (2, True)
    code, _, said = command_line("affected", "mark-verified", LEAK, "--reason", "looked", "--yes")
    assert (code, "must be signed by an enrolled key" in said) == (3, True)
    assert command_line("affected", "list", "H-1", "--csv", "--json")[0] == 2


def test_what_a_member_verified_blocks_no_more(told: tuple[Settings, Control]) -> None:
    """The ledger has the person and the instant, and the count of what blocks goes down by that one."""
    settings, ann = told
    before = read_ledger(ann, settings, subject="H-1").changes
    (change,) = find_changes(settings.home, LEAK)
    with pytest.raises(NotFound, match="of run 0001"):
        find_changes(settings.home, LEAK, run_id="0001")
    done = verify_records(ann, [change], reason="amount set back, customer told")
    assert (done.record_names, done.change_count, done.known_count) == ((LEAK,), 1, 0)
    after = read_ledger(ann, settings, subject="H-1").changes
    row = after[after["record_id"] == "INV-0157"].iloc[0]
    assert "ops-lead" in row["verified_by"]
    assert not row["blocks"]
    assert after["blocks"].sum() == before["blocks"].sum() - 1
    with pytest.raises(Refused, match="ops-lead verified it before"):
        verify_records(ann, [change], reason="again")


def test_a_row_that_a_later_load_tells_otherwise_is_unverified_again(
    told: tuple[Settings, Control], bo: Control, tmp_path: Path
) -> None:
    """Who verified saw other content, so the change is on the list again."""
    from workbench.warehouse import Warehouse

    settings, ann = told
    record = "invoice/INV-0090"
    verify_records(ann, find_changes(settings.home, record), reason="right amount")
    verify_records(bo, find_changes(settings.home, record), reason="as I see it, too")
    rows = [r for r in story.tables()["affected_record"] if r["record_id"] == "INV-0090"]
    path = tmp_path / "affected_record.jsonl"
    told = {**rows[0], "after": {"amount": "900.00"}, "change": ""}
    path.write_text(json.dumps(told) + "\n", encoding="utf-8")

    def is_open() -> bool:
        changes = read_ledger(ann, settings, subject="H-1").changes
        return bool(changes[changes["record_id"] == "INV-0090"]["blocks"].iloc[0])

    assert not is_open()
    assert Warehouse.open(settings.home).load_rows("affected_record", path).rejected_count == 0
    assert is_open()
    verify_records(ann, find_changes(settings.home, record), reason="set back")
    assert is_open(), "it cannot be undone, so that in production two persons look at it"
    verify_records(bo, find_changes(settings.home, record), reason="it is set back")
    assert not is_open(), "a kind that the source left empty stands in no one's way"


def test_a_person_sees_what_they_verify_and_only_what_they_looked_at(
    told: tuple[Settings, Control], command_line: Any, tmp_path: Path
) -> None:
    """The change is printed before it is asked about; one that changed since the list is refused, another is not."""
    from workbench.warehouse import Warehouse

    settings, ann = told
    record = "invoice/INV-0044"
    version = str(
        json.loads(command_line("affected", "list", "H-1", "--json")[1])["manifest_version"]
    )
    mark = ("affected", "mark-verified", record, "--based-on", version)
    _, out, _ = command_line(*mark)
    (row,) = (r for r in story.tables()["affected_record"] if r["record_id"] == "INV-0044")
    shown = next(line for line in out.splitlines() if line.startswith(record))
    assert json.dumps(row["after"], separators=(",", ":"))[:20] in shown.replace(" ", "")
    assert row["reversibility"] in shown

    asked = run(*mark, "-r", "looked", typed="n\n")
    assert shown in asked.out.splitlines()
    assert (asked.code != 0, "Record that you looked at each" in asked.out) == (True, True)

    def load(number: str) -> None:
        (other,) = (r for r in story.tables()["affected_record"] if r["record_id"] == number)
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps({**other, "after": {"amount": "1.00"}}) + "\n", encoding="utf-8")
        assert Warehouse.open(settings.home).load_rows("affected_record", path).rejected_count == 0

    load("INV-0045")
    code, _, said = command_line(*mark, "-r", "looked", "--yes")
    assert "must be signed by an enrolled key" in said, "what moved is another record"
    load("INV-0044")
    code, out, said = command_line(*mark, "-r", "looked", "--yes")
    assert (code, f"{record} changed since version {version}" in said, out) == (3, True, "")
    mark = (*mark[:-1], "99999")
    code, _, said = command_line(*mark, "-r", "looked", "--yes")
    assert (code, "Version 99999 of the warehouse does not have" in said) == (3, True)
    assert not [e for e in ann.store.events() if e.action == "record.verify" and e.target == record]


def test_a_word_that_was_taken_back_blocks_again(
    told: tuple[Settings, Control], command_line: Any
) -> None:
    """Whoever finds it wrong types one command, without a key; without a reason or a word it is refused."""
    settings, ann = told
    record = "invoice/INV-0046"
    verify_records(ann, find_changes(settings.home, record), reason="right amount")
    before = read_ledger(ann, settings, subject="H-1").changes
    assert command_line("affected", "withdraw", record)[0] == 2
    code, out, _ = command_line("affected", "withdraw", record, "-r", "it was the wrong one")
    assert (code, f"{record} was verified: 1 of its changes are open again" in out) == (0, True)
    after = read_ledger(ann, settings, subject="H-1").changes
    was, now = (rows[rows["record_id"] == "INV-0046"].iloc[0] for rows in (before, after))
    assert (pd.notna(was["verified_at"]), pd.isna(now["verified_at"])) == (True, True)
    code, _, said = command_line("affected", "withdraw", record, "-r", "again")
    assert (code, "Nobody verified" in said) == (4, True)
    assert command_line("affected", "withdraw", "H-1", "-r", "x")[0] == 4


def test_where_nothing_was_loaded_it_is_unknown_and_not_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An empty list says that no source of records tells of these automations, and proposes no review on it."""
    monkeypatch.setattr(story, "load", lambda *_: None)
    settings, _ = story.set_up(tmp_path)
    for name, value in (
        ("STORE", settings.store), ("GATE", settings.gate), ("HOME", settings.home),
        ("CLOCK", to_text(story.at(story.END_MINUTE))),
    ):  # fmt: skip
        monkeypatch.setenv(f"WORKBENCH_{name}", str(value))
    with pytest.raises(SystemExit) as end:
        main(["affected", "list", "H-1"])
    said = capsys.readouterr()
    assert (end.value.code or 0) == 0
    assert "0 changes loaded since the onset" in said.out
    assert "Next" not in said.out
    assert "UNKNOWN whether this is all" in said.err

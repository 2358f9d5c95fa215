"""`workbench audit` and `workbench doctor`: what is altered is named, what is wrong has a next step."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import (
    AGENTS,
    HOSTILE,
    REGISTRY,
    a_decision,
    a_hold,
    a_store,
    alter,
    block_gate,
    events,
    inert,
    last_seq,
    refused,
    run,
)
from workbench.cli import doctor
from workbench.settings import Settings

SHARED_MEMORY = Path("/dev/shm")
SOUND = REGISTRY.replace("asks_gate = true\n", "").replace(
    'environment = "staging"',
    'environment = "staging"\nasks_gate = true\nrestart_owner = "ops-lead"',
)
"""The registry with nothing for the doctor to complain about."""


def test_a_sound_log_verifies() -> None:
    """Verification says how far the log is sound, that no anchor is signed, and prints the head."""
    a_store()
    found = run("audit", "verify")
    assert (found.code, found.err) == (0, "")
    said, head = found.out.splitlines()
    assert said == "ok to 10, unanchored: no checkpoint outside of the store"
    assert head.startswith(f"log head 10 {events()[-1].hash[:16]} of store ")


def test_the_json_of_a_verification_has_exactly_these_fields() -> None:
    """Scripts read the finding by these names."""
    a_store()
    assert run("audit", "verify", "--json").document == {
        "is_ok": True,
        "event_count": 10,
        "broken_at": None,
        "finding": "ok to 10, unanchored: no checkpoint outside of the store",
        "stale_caches": [],
        "schema_faults": [],
        "schema_extras": [],
        "may_change": [],
        "anchored_seq": 0,
        "signed_seq": 0,
        "foreign_count": 0,
    }


def test_the_chain_of_a_long_log_can_be_verified_alone() -> None:
    """`--chain-only` says that nothing else was verified, still finds an altered row, and compares no head notes."""
    a_store()
    a_hold()
    found = run("audit", "verify", "--chain-only")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"chain ok to {last_seq()}, anchored (")
    assert found.out.endswith("; nothing else was verified\n")
    head = f"{last_seq()} {events()[-1].hash}"
    refused(run("audit", "verify", "--chain-only", "--head", head), 2, "are not compared")
    alter("update event set body = body || ' ' where seq = 4")
    refused(run("audit", "verify", "--chain-only"), 14, "broken at 4")


def test_each_command_leaves_a_checkpoint_that_vouches() -> None:
    """After a pause the log is anchored to its end; with an enrolled key signed, as `--require-anchor` asks."""
    a_store()
    a_hold()
    assert ", anchored (" in run("audit", "verify").out
    refused(run("audit", "verify", "--require-anchor"), 3, "No signed checkpoint vouches")
    public = run("key", "new").out.splitlines()[1]
    made = run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y")
    assert made.code == 0, made.said
    found = run("audit", "verify", "--require-anchor")
    assert (found.code, "signed to" in found.out) == (0, True)
    assert "WARNING, all on the disk of the store" in findings()["anchors"]["finding"]


def test_the_doctor_names_what_no_checkpoint_saw() -> None:
    """Missing checkpoints are warned of, and a log that went on without them is WRONG though all share a disk."""
    a_store(registry=SOUND)
    assert "WARNING, none yet" in findings()["anchors"]["finding"]
    a_hold()
    a_hold()
    settings = Settings.from_environment()
    (note,) = settings.anchor_folders[0].glob("*.checkpoints")
    note.write_text(note.read_text().split("\n----\n")[0] + "\n----\n")
    found = findings()["anchors"]
    assert (found["is_well"], "unanchored since event 11" in found["finding"]) == (False, True)


def test_what_others_anchored_where_they_keep_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another person's checkpoint lies in that home: here a hint; a folder that cannot be written is WRONG."""
    a_store(registry=SOUND)
    a_hold()
    with monkeypatch.context() as other:
        other.setattr("workbench.control.actor._name_of", lambda _: "bo")
        other.setenv("WORKBENCH_HOME", str(tmp_path / "bo"))
        a_hold()
    found = findings()["anchors"]
    assert found["is_well"], found
    assert "events were anchored by others, where they keep them" in found["finding"]
    assert found["next_step"] == "the next command of yours anchors them here too"
    monkeypatch.setattr("workbench.cli.doctor_anchors.os.access", lambda *_: False)
    found = findings()["anchors"]
    assert (found["is_well"], "cannot be written" in found["finding"]) == (False, True)


def test_checkpoints_on_another_disk_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on another disk than the store's is no warning; one that is gone is WRONG."""
    if SHARED_MEMORY.stat().st_dev == Settings.from_environment().home.parent.stat().st_dev:
        pytest.skip("this machine has no second disk")
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as elsewhere:
        monkeypatch.setenv("WORKBENCH_ANCHORS", f"{elsewhere}/a")
        a_store(registry=SOUND)
        a_hold()
        found = findings()["anchors"]
        assert (found["is_well"], "WARNING" in found["finding"]) == (True, False)
        monkeypatch.setenv("WORKBENCH_ANCHORS", f"{elsewhere}/a{os.pathsep}{elsewhere}/b")
        found = findings()["anchors"]
        assert (found["is_well"], "1 of these folders not there" in found["finding"]) == (
            False,
            True,
        )


def test_a_checkpoint_that_cannot_be_written_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The pause is recorded and confirmed as without it, and one line tells that nothing vouches for it."""
    a_store()
    home = Settings.from_environment().home
    home.mkdir(parents=True, exist_ok=True)
    (home / "anchors").write_text("in the way")
    found = run("pause", "kind=agent", "--reason", "wrong amounts", "-y", "--no-wait")
    assert (found.code, last_seq() > 10) == (10, True), found.said
    (said,) = [r.getMessage() for r in caplog.records if r.name.startswith("workbench.")]
    assert said.startswith("no checkpoint could be written to")
    assert said.endswith("the command itself is recorded.")


def test_an_export_is_made_once_and_verifies(tmp_path: Path) -> None:
    """`audit export` names the verifier to run, and writes over nothing."""
    a_store()
    a_hold()
    found = run("audit", "export", str(tmp_path / "out"))
    assert (found.code, "verify.py" in found.out) == (0, True)
    assert "with 2 different checkpoints as witnesses, 0 of them in reports" in found.out
    done = subprocess.run([sys.executable, "-I", tmp_path / "out" / "verify.py"], check=False)
    assert done.returncode == 0
    refused(run("audit", "export", str(tmp_path / "out")), 3, "is not empty")


def test_checkpoints_kept_elsewhere_find_a_cut_tail(tmp_path: Path) -> None:
    """A checkpoint in a named folder breaks a log that ends before it, with exit code 14."""
    a_store()
    a_hold()
    kept = Settings.from_environment().home / "anchors"
    (note,) = kept.glob("*.checkpoints")
    grown = note.read_text().replace("\n12\n", "\n99\n").replace("\n11\n", "\n99\n")
    (tmp_path / note.name).write_text(grown)
    refused(run("audit", "verify", "--anchors", str(tmp_path)), 14, "tail missing", "saw 99 events")


def test_a_head_note_from_a_print_out_is_compared() -> None:
    """The last line of an earlier command is a witness: it agrees, contradicts with 14, or is a usage fault."""
    a_store()
    printed = run("status").out.splitlines()[-1]
    a_hold()
    found = run("audit", "verify", "--head", printed)
    assert (found.code, "every head note given agrees" in found.out) == (0, True), found.said
    refused(run("audit", "verify", "--head", f"10 {'0' * 16}"), 14, "saw other events")
    refused(run("audit", "verify", "--head", f"99 {'0' * 16}"), 14, "tail missing")
    refused(run("audit", "verify", "--head", "10"), 2, "not a head note")


BREAKS = [
    (
        "update event set body = replace(body, 'wrong amounts', 'a small test') where seq = 11",
        11,
        "altered",
    ),
    ("update event set body = replace(body, 'os:', 'ox:') where seq = 11", 11, "altered"),
    ("update event set hash = replace(hash, substr(hash, 1, 1), 'x') where seq = 5", 5, ""),
    ("update event set prev_hash = hash where seq = 7", 7, "does not follow"),
    ("update event set body = 'not json' where seq = 9", 9, "cannot be read as an event"),
    ("update event set body = x'fffe00' where seq = 9", 9, "cannot be read as an event"),
    ("delete from event where seq = 6", 6, "stands at place 6"),
    ("delete from event where seq = 12", 12, "the head row says 12, the log ends at 11"),
    ("delete from event", 1, "the log ends at 0"),
    ("update event set seq = 99 where seq = 12", 12, "stands at place"),
]


@pytest.mark.parametrize(
    ("statement", "row", "part"), BREAKS, ids=[f"{b[1]} {b[2]}" for b in BREAKS]
)
def test_an_altered_log_is_found_and_the_row_named(statement: str, row: int, part: str) -> None:
    """Whatever was done to the file, verification names the row, exits 14, and in JSON says the same."""
    a_store()
    a_hold()
    alter(statement)
    refused(run("audit", "verify"), 14, f"broken at {row}", part, "compare it with the head notes")
    found = run("audit", "verify", "--json")
    assert found.code == 14
    assert found.document["is_ok"] is False
    assert found.document["broken_at"] == row
    assert found.document["event_count"] == row - 1


def test_a_whole_log_rewritten_to_its_head_is_told_by_the_head_notes() -> None:
    """A consistent rewrite passes the chain, so each print-out's head note is the evidence against it."""
    a_store()
    before = run("audit", "verify").out.splitlines()[-1]
    shutil.rmtree(Settings.from_environment().store)
    shutil.rmtree(Settings.from_environment().gate)
    assert run("store", "init", "-e", "staging").code == 0
    assert run("audit", "verify").out.splitlines()[-1] != before


def test_altered_caches_are_not_called_ok() -> None:
    """Rows beside the log that were altered exit 14, are named, and the log is said to win."""
    a_store()
    a_hold()
    alter("update projection set body = '{}' where entity_id = 'H-1'")
    found = run("audit", "verify")
    refused(found, 14, "were altered", "H-1", "the log itself holds to event 12 and wins")
    assert "The audit log is ok" not in found.err
    assert run("audit", "verify", "--json").document["stale_caches"]
    assert run("gate", "ticket-reply").code == 20


def test_a_hostile_row_is_named_inertly() -> None:
    """What was written into a damaged row comes back inert in the finding."""
    a_store()
    a_hold()
    body = json.dumps({**json.loads(events()[10].body), "actor": HOSTILE, "target": HOSTILE})
    escaped = body.replace("'", "''")
    alter(f"update event set body = '{escaped}' where seq = 11")
    for words in (("audit", "verify"), ("audit", "show"), ("doctor",), ("status",)):
        inert(run(*words))


def test_the_log_is_shown_in_order() -> None:
    """Each event is one line with number, instant, actor, action, target, outcome and reason."""
    a_store()
    a_hold(reason="wrong amounts\nsince noon")
    found = run("audit", "show")
    assert found.code == 0
    rows = found.out.splitlines()[3:-1]
    assert [int(row.split()[0]) for row in rows] == list(range(1, last_seq() + 1))
    assert "hold.place" in rows[10]
    assert "wrong amounts since noon" in rows[10]


def test_a_long_reason_is_marked_as_cut() -> None:
    """A reason that does not fit ends with dots, so that nobody takes the part for the whole."""
    a_store()
    a_hold(reason="x" * 200)
    line = next(row for row in run("audit", "show").out.splitlines() if "hold.place" in row)
    assert line.endswith("x" * 77 + "...")


def test_the_log_can_be_shown_from_an_event_on() -> None:
    """`--after` leaves out what was seen before."""
    a_store()
    a_hold()
    found = run("audit", "show", "--after", "10", "--json")
    assert [json.loads(line)["seq"] for line in found.out.splitlines()] == [11, 12]


def test_the_json_of_the_log_is_what_is_stored() -> None:
    """`--json` prints the exact stored text of each event, so that its hash can be recomputed."""
    a_store()
    found = run("audit", "show", "--json")
    assert found.out.splitlines() == [event.body for event in events()]


def test_everything_about_a_hold_is_shown() -> None:
    """The hold, its report, decision, narrow restarts with their ends, and release are one story."""
    a_store()
    a_hold(incident="I-2")
    a_hold("kind=workflow")
    a_decision()
    narrow = ("resume", "H-1", "--only", AGENTS, "-y", "--runs")
    run(*narrow, "2")
    run(*narrow, "5", "--break-glass", "more")
    run("resume", "H-1", "--full", "--break-glass", "over", "-y")
    lines = run("audit", "show", "--hold", "H-1", "--json").out.splitlines()
    found = [(json.loads(line)["action"], json.loads(line)["target"]) for line in lines]
    assert found == [
        ("hold.place", "H-1"),
        ("hold.observe", "H-1"),
        ("report.record", "R-1"),
        ("decision.record", "D-1"),
        ("probation.start", "P-1"),
        ("probation.end", "P-1"),
        ("probation.start", "P-2"),
        ("hold.release", "H-1"),
    ]


@pytest.mark.parametrize("hold_id", ["H-9", HOSTILE])
def test_a_hold_without_events_is_not_found(hold_id: str) -> None:
    """An unknown hold is refused, not answered with an empty table."""
    a_store()
    found = run("audit", "show", "--hold", hold_id)
    refused(found, 4, "The log has no event about", "`workbench hold list --all`")
    inert(found)


def findings() -> dict[str, dict[str, Any]]:
    """Return what the doctor finds, by what it is about."""
    return {finding["about"]: finding for finding in run("doctor", "--json").document}


def test_a_sound_set_up_is_well() -> None:
    """Where nothing is wrong the doctor exits 0, every line reads well, and the head is printed."""
    a_store(registry=SOUND)
    found = run("doctor")
    assert (found.code, found.err) == (0, ""), found.said
    assert "WRONG" not in found.out
    assert found.out.splitlines()[-1].startswith("log head 10 ")
    assert list(findings()) == [
        "SQLite", "store", "audit log", "schema", "store file", "clock", "anchors", "gate", "keys", "registry",
        "reach of a pause",
        "restart owners", "notifications",
        "warehouse",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [
        ("3.54.1", True), ("3.53.0", True), ("3.52.0", False), ("3.51.3", True), ("3.51.2", False),
        ("3.50.7", True), ("3.50.6", False), ("3.44.6", True), ("3.44.5", False), ("3.45.0", False),
        ("3.40.1", False), ("unheard of", False),
    ],
)  # fmt: skip
def test_an_sqlite_with_the_bug_is_named(
    version: str, is_fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every version that can lose a committed write is WRONG, back-ports are known, and the next step is said."""
    a_store(registry=SOUND)
    monkeypatch.setattr(doctor, "library_version", lambda: version)
    finding = findings()["SQLite"]
    assert (finding["is_well"], version in finding["finding"]) == (is_fixed, True)
    assert is_fixed or "apsw" in finding["next_step"]


def test_the_json_of_the_doctor_has_exactly_these_fields() -> None:
    """Each finding says what it is about, whether it is well, what was found, and what to do."""
    a_store()
    for finding in findings().values():
        assert list(finding) == ["about", "is_well", "finding", "next_step"]
        assert finding["is_well"] or finding["next_step"]


def test_automations_out_of_reach_and_without_restart_owner_are_named() -> None:
    """What no hold stops and what nobody may restart is WRONG, with the ids and what to do."""
    a_store()
    found = findings()
    assert found["reach of a pause"]["finding"] == "not stopped by a hold: price-lookup"
    assert found["restart owners"]["finding"] == "unclear for: ticket-reply"
    assert found["restart owners"]["next_step"] == "name a restart_owner"
    assert run("doctor").code == 15


def test_an_empty_registry_is_wrong() -> None:
    """A store in which nothing is registered stops nothing, and the doctor says what to type."""
    a_store(registry="")
    assert findings()["registry"]["next_step"] == "run `workbench registry apply FILE`"


def test_a_missing_store_is_found_and_not_made() -> None:
    """Without a store the doctor says where it looked and how to make one, and makes none."""
    found = run("doctor")
    assert found.code == 15
    assert "There is no store in" in found.out
    assert "workbench store init --environment E" in found.out
    assert not Settings.from_environment().store.exists()


def test_a_broken_log_is_found() -> None:
    """The doctor reads the audit log, too: an altered row is WRONG and named."""
    a_store()
    alter("update event set body = replace(body, 'ops-lead', 'ops-hero') where seq = 3")
    assert "broken at 3" in findings()["audit log"]["finding"]
    assert findings()["audit log"]["next_step"].startswith("keep the store as it is")


def test_a_gate_that_is_behind_is_found() -> None:
    """A gate folder that cannot be written is WRONG, with the event that it lacks."""
    a_store(registry=SOUND)
    block_gate()
    assert (
        "does not have the newest state, event 10; 0 automations asked"
        in (findings()["gate"]["finding"])
    )
    assert findings()["gate"]["next_step"].startswith("make the gate folder writable")
    assert run("doctor").code == 15


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b"null", b'{"x": 1}', b"\xff\x00", b"[" * 99_999]
)
def test_a_spoiled_warehouse_is_found(content: bytes) -> None:
    """A manifest that is none is WRONG in one line, whatever stands in it."""
    a_store(registry=SOUND)
    folder = Settings.from_environment().home / "warehouse"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(content)
    found = findings()["warehouse"]
    assert not found["is_well"]
    assert "manifest.json cannot be read" in found["finding"]
    assert run("doctor").code == 15


def test_an_old_sqlite_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite with the known corruption bug is WRONG, and the version to install is named."""
    a_store(registry=SOUND)
    monkeypatch.setattr(doctor, "library_version", lambda: "3.40.1")
    assert findings()["SQLite"] == {
        "about": "SQLite",
        "is_well": False,
        "finding": "version 3.40.1",
        "next_step": "install apsw 3.51.3 or newer",
    }


def put_store(how: str, folder: Path) -> None:
    """Put what is no store where the store should be."""
    file = folder / "store.sqlite"
    if how == "a file":
        folder.write_text("mine")
        return
    folder.mkdir()
    if how == "empty file":
        file.touch()
    elif how == "garbage":
        file.write_bytes(os.urandom(4096))
    elif how == "text":
        file.write_text("SQLite format 3\x00 not really" * 50)
    elif how == "foreign database":
        with sqlite3.connect(file) as connection:
            connection.execute("create table notes (id integer)")
        connection.close()
    elif how == "same version, no tables":
        with sqlite3.connect(file) as connection:
            connection.execute("create table notes (id integer)")
            connection.execute("pragma user_version = 1")
        connection.close()
    elif how == "newer schema":
        with sqlite3.connect(file) as connection:
            connection.execute("create table notes (id integer)")
            connection.execute("pragma user_version = 7")
        connection.close()
    elif how == "folder":
        file.mkdir()


STRANGE = [
    "a file", "empty folder", "empty file", "garbage", "text", "foreign database",
    "same version, no tables", "newer schema", "folder",
]  # fmt: skip
COMMANDS = [
    ("status",), ("status", "--json"), ("hold", "list"), ("card", "*"), ("find", "agent"),
    ("pause", "*", "-r", "x", "-y"), ("resume", "H-1", "--full", "-y"), ("decide", "R-1", "-y"),
    ("audit", "verify"), ("audit", "show"), ("report", "list"), ("review", "H-1"), ("lab", "--no-browser"),
]  # fmt: skip


@pytest.mark.parametrize("how", STRANGE)
@pytest.mark.parametrize(
    "words", [("status",), ("pause", "*", "-r", "x", "-y"), ("audit", "verify")]
)
def test_what_is_no_store_is_refused_and_left_alone(
    how: str, words: tuple[str, ...], own_folders: Path
) -> None:
    """Where WORKBENCH_STORE points at something else, the command says so, exits 15, and touches nothing."""
    put_store(how, own_folders / "store")
    before = {p: p.read_bytes() for p in own_folders.rglob("store*") if p.is_file()}
    refused(run(*words), 15, str(own_folders / "store"))
    assert {p: p.read_bytes() for p in own_folders.rglob("store*") if p.is_file()} == before


@pytest.mark.parametrize("how", STRANGE)
def test_the_doctor_names_what_is_no_store(how: str, own_folders: Path) -> None:
    """For each of these the doctor prints a WRONG line with a next step instead of failing itself."""
    put_store(how, own_folders / "store")
    found = run("doctor")
    assert (found.code, found.err) == (15, "")
    assert "WRONG" in found.out
    assert findings()["store"]["next_step"]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_makes_a_store(words: tuple[str, ...], own_folders: Path) -> None:
    """Without a store every command that needs one is refused with exit code 15, and none is made."""
    refused(run(*words), 15, "There is no store in", "`workbench store init --environment E`")
    assert not (own_folders / "store").exists()


@pytest.mark.parametrize(
    "words", [*COMMANDS, ("doctor",), ("store", "init", "-e", "staging"), ("sql", "select 1")]
)
def test_a_clock_that_is_none_is_bad_settings(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, own_folders: Path
) -> None:
    """WORKBENCH_CLOCK that is no instant is refused with exit code 17 by every command."""
    monkeypatch.setenv("WORKBENCH_CLOCK", "yesterday")
    refused(run(*words), 17, "WORKBENCH_CLOCK is not an instant")
    assert not (own_folders / "store").exists()

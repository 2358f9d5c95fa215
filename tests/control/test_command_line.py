"""The command line: one clear sentence, the exit code that scripts rely on, and JSON for machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.ground import a_sync
from tests.store.ground import (
    AGENTS,
    PLAIN_TABLE,
    a_report,
    raw_sql,
    start_asking,
    stop_asking,
    wait_until,
)
from workbench.cli import VERBS, main
from workbench.control import Control, open_control
from workbench.gate import Gate
from workbench.records import VerdictKind
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.lock import LOCK_FILE

REGISTRY = """\
[owners.ops-lead]
contact = "pager"

[categories.commerce]
owner = "ops-lead"
restart_owner = "ops-lead"

[automations.invoice-triage]
kind = "agent"
category = "commerce"
environment = "staging"
provider = "acme-llm"
title = "Stripe refunds"
asks_gate = true

[automations.order-sync]
kind = "workflow"
category = "commerce"
environment = "staging"
"""


class Said:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a way to give a command in this process."""

    def call(*words: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return call


def outside(*words: str, stdin: str | None = None, **environment: str) -> Said:
    """Give a command in a process of its own, as a shell does."""
    run = subprocess.run(
        [sys.executable, "-m", "workbench", *words],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **environment},
        check=False,
    )
    assert "Traceback" not in run.stderr
    return Said(run.returncode, run.stdout, run.stderr)


@pytest.fixture
def registry(own_folders: Path) -> Path:
    """Return a registry file."""
    file = own_folders / "automations.toml"
    file.write_text(REGISTRY)
    return file


@pytest.fixture
def place(say: Any, registry: Path) -> Path:
    """Make a store with two automations through the command line."""
    assert say("store", "init", "-e", "staging").code == 0
    assert say("registry", "apply", str(registry), "--yes").code == 0
    return registry.parent


def control() -> Control:
    """Open the store of this test."""
    return open_control(Settings.from_environment())


def one_sentence(said: Said) -> str:
    """Return what went wrong: one line, then perhaps the next step, and nothing on the other stream."""
    lines = said.err.splitlines()
    assert lines[0].startswith("workbench: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("    next: "))
    return lines[0].removeprefix("workbench: ")


def test_the_shell_gets_the_designs_exit_codes(registry: Path) -> None:
    """As separate processes: 15, 0, 17, 2, 4, 10, 20, 21, 3 and 14, each with one sentence and no traceback."""
    missing = outside("status")
    assert (missing.code, "There is no store" in one_sentence(missing)) == (15, True)
    assert not (registry.parent / "store").exists()
    assert outside("store", "init", "--environment", "staging").code == 0
    assert outside("registry", "apply", str(registry), "--yes").code == 0
    registry.write_text(REGISTRY.replace('"agent"', '"robot"'))
    assert "automations.toml:9:" in one_sentence(bad := outside("registry", "check", str(registry)))
    assert bad.code == 17
    assert outside("pause", "Kind=agent", "--yes", "-r", "x").code == 2
    assert outside("pause", "kind=agnt", "--yes", "-r", "x").code == 4
    paused = outside("pause", "kind=agent", "--yes", "-r", "wrong amounts", "--no-wait")
    assert (paused.code, "H-1 placed on kind=agent" in paused.out) == (10, True)
    assert [outside("gate", name).code for name in ("invoice-triage", "order-sync", "x")] == [
        20,
        0,
        21,
    ]
    refused = outside("resume", "H-1", "--full", "--yes")
    assert (refused.code, "not resumed without a decision" in one_sentence(refused)) == (3, True)
    store = open_store(settings := Settings.from_environment(), settings.clock())
    raw_sql(store, "update event set body = replace(body, 'wrong', 'right') where seq = 6")
    broken = outside("audit", "verify")
    assert (broken.code, "broken at 6: event 6 (hold.place H-1" in one_sentence(broken)) == (
        14,
        True,
    )


def test_a_confirmed_pause_leaves_with_0(place: Path) -> None:
    """Where every automation covered has seen the hold within the wait, the exit code is 0."""
    child = start_asking(place / "gate", "invoice-triage")
    try:
        said = outside("pause", "kind=agent", "--yes", "--reason", "wrong amounts")
    finally:
        stop_asking(child)
    assert (said.code, "1 of 1 automations confirmed" in said.out) == (0, True)


def test_a_clock_that_is_none_is_a_bad_setting(place: Path) -> None:
    """A WORKBENCH_CLOCK that is no instant ends with 17 before anything happens."""
    said = outside("status", WORKBENCH_CLOCK="noon")
    assert (said.code, "WORKBENCH_CLOCK" in one_sentence(said)) == (17, True)


def test_a_pause_that_cannot_be_delivered_says_so(place: Path, say: Any) -> None:
    """RECORDED, NOT DELIVERED with exit code 10, also where the gate folder is another store's."""
    (place / "gate/epoch").write_bytes(b"garbage")
    said = say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    assert said.code == 10
    assert "RECORDED, NOT DELIVERED: the gate folder" in said.out
    assert control().state().standing_holds()[0].hold_id == "H-1"
    flagged = say("status")
    assert (flagged.code, "does not have the newest state" in flagged.out) == (0, True)
    assert say("doctor").code == 15


def test_a_locked_store_names_who_locks_it(place: Path) -> None:
    """A pause that cannot get the lock says by whom it is held, is spooled, and is recorded afterwards."""
    words = f"import fcntl,os,time; f=open({str(place / 'store' / LOCK_FILE)!r},'r+'); fcntl.flock(f, 2); f.write(f'{{os.getpid():<15}}'); f.flush(); print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        code = "import sys; from workbench.store import sqlite; sqlite.SqliteBackend.writing.__wrapped__.__defaults__ = (0.1,); from workbench.cli import main; main(sys.argv[1:])"
        run = subprocess.run(
            [sys.executable, "-c", code, "pause", "*", "--yes", "-r", "x"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stop_asking(child)
    assert run.returncode == 11
    assert f"pid {child.pid}" in run.stderr
    assert "nothing was recorded" in run.stderr
    assert Gate(place / "gate").check("invoice-triage").holds[0].startswith("spool ")
    assert [h.scope for h in control().state().holds.values()] == ["*"]


def test_ctrl_c_is_one_sentence(place: Path) -> None:
    """An operator who stops the waiting is told about the recorded hold; no traceback is shown."""
    asker = start_asking(place / "gate", "invoice-triage", step_seconds=30)
    words = [sys.executable, "-m", "workbench", "pause", "kind=agent", "--yes", "-r", "x"]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: control().state().holds)
        time.sleep(0.3)
        run.send_signal(2)
        out, err = run.communicate(timeout=20)
    finally:
        stop_asking(asker)
    assert "Traceback" not in err
    assert (run.returncode, "H-1 placed on kind=agent" in out) == (10, True)


def test_pausing_loads_nothing_heavy(place: Path) -> None:
    """A whole pause from a cold shell imports no analysis, notebook or chart library."""
    code = "import sys; from workbench.cli import main\ntry:\n    main(sys.argv[1:])\nfinally:\n    print(sorted(m for m in ('duckdb','pandas','numpy','papermill','pydantic','altair','IPython') if m in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code, "pause", "*", "--yes", "-r", "x", "--no-wait"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 10
    assert run.stdout.splitlines()[-1] == "[]"


def test_nobody_at_the_terminal_is_not_a_yes(place: Path) -> None:
    """Without a terminal and without --yes nothing is placed."""
    said = outside("pause", "kind=agent", "-r", "x", stdin="y\n")
    assert (said.code, " --yes`" in said.err) == (2, True)
    assert control().state().holds == {}


def test_an_unanswered_question_is_a_no(place: Path) -> None:
    """A resume that nobody at a terminal confirms changes nothing, and says to add --yes."""
    assert outside("pause", "kind=agent", "--yes", "-r", "x", "--no-wait").code == 10
    before = control().head_note()
    said = outside("resume", "H-1", "--full", "--break-glass", "x", stdin="")
    assert (said.code, " --yes`" in said.err) == (2, True)
    assert control().head_note() == before


def test_status_json_has_the_designs_shape(place: Path, say: Any) -> None:
    """`status --json` gives the store and every automation with state and holds."""
    say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    found = say("status", "--json").json
    head = control().head_note()
    assert found["store"] == {
        "store_id": head.store_id,
        "environment": "staging",
        "place": str(place / "store"),
        "seq": head.seq,
    }
    assert found["automations"][0] == {
        "automation_id": "invoice-triage",
        "kind": "agent",
        "category": "commerce",
        "environment": "staging",
        "owner": "ops-lead",
        "state": "paused",
        "holds": ["H-1"],
        "at_work": "UNCONFIRMED: no process asks",
    }
    assert [a["state"] for a in found["automations"]] == ["paused", "running"]
    assert found["holds"][0]["hold_id"] == "H-1"
    narrowed = say("status", "kind=workflow", "--json").json
    assert [a["automation_id"] for a in narrowed["automations"]] == ["order-sync"]


def test_pause_json_is_a_receipt(place: Path, say: Any) -> None:
    """`pause --json` prints nothing but the receipt, with the four stages of each target."""
    said = say("pause", "kind=agent", "--json", "-r", "x", "--no-wait", "--command-id", "c1")
    (target,) = said.json["targets"]
    assert (said.code, said.json["hold_id"], said.json["is_repeat"]) == (10, "H-1", False)
    assert set(target) == {
        "automation_id",
        "state",
        "recorded_at",
        "delivered_at",
        "confirmed_at",
        "quiet_at",
        "note",
    }
    again = say("pause", "kind=agent", "--json", "-r", "x", "--no-wait", "--command-id", "c1")
    assert (again.json["hold_id"], again.json["is_repeat"]) == ("H-1", True)
    other = say("pause", "*", "--json", "-r", "x", "--no-wait", "--command-id", "c1")
    assert (other.code, "was used at event" in one_sentence(other)) == (3, True)


def test_every_reading_command_speaks_json(place: Path, say: Any) -> None:
    """Hold list, find, card, gate, audit verify and show, and doctor print one JSON document each."""
    say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    (hold,) = say("hold", "list", "--json").json
    assert (hold["hold_id"], hold["state"], hold["automation_ids"]) == (
        "H-1",
        "active",
        ["invoice-triage"],
    )
    assert say("find", "refunds", "--json").json[0]["automation_ids"] == ["invoice-triage"]
    assert say("find", "xylophone", "--json").json == []
    card = say("card", "kind=agent", "--json").json
    assert (card["automations"][0]["contact"], card["automations"][0]["holds"]) == (
        "pager",
        ["H-1"],
    )
    gate = say("gate", "invoice-triage", "--json")
    assert (gate.code, gate.json["state"], gate.json["holds"]) == (20, "PAUSED", ["H-1"])
    verified = say("audit", "verify", "--json").json
    assert (verified["is_ok"], verified["broken_at"], verified["stale_caches"]) == (True, None, [])
    shown = [
        json.loads(line)
        for line in say("audit", "show", "--json", "--hold", "H-1").out.splitlines()
    ]
    assert shown[0]["action"] == "hold.place"
    doctor = say("doctor", "--json")
    assert {f["about"]: f["is_well"] for f in doctor.json}["reach of a pause"] is False
    assert doctor.code == 15


def test_screens_name_the_store_and_carry_a_head_note(place: Path, say: Any) -> None:
    """Every print-out says which store and environment it is about and where the log stood."""
    say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    head = control().head_note()
    for words in (("status",), ("hold", "list"), ("card", "kind=agent"), ("audit", "show")):
        out = say(*words).out
        assert f"store {head.store_id}  |  environment staging" in out
        assert head.text in out
    assert head.text in say("audit", "verify").out


def test_a_preview_says_what_is_not_stopped(place: Path, say: Any) -> None:
    """Before a pause every automation is listed with what stops it."""
    out = say("pause", "*", "--yes", "-r", "x", "--no-wait").out
    assert "stops automations that ask the gate: 1 of 2; the others are NOT stopped" in out
    assert "NOTHING: not stopped" in out
    assert "Nothing new starts; a run in flight stops at its next step" in out


def test_hostile_text_reaches_no_terminal(place: Path, say: Any) -> None:
    """Escapes and direction marks in a reason are shown, not obeyed, on every screen."""
    say("pause", "kind=agent", "--yes", "-r", "a\x1b[2J\u202eb\nH-9  fake", "--no-wait")
    for words in (("status",), ("hold", "list"), ("audit", "show"), ("card", "kind=agent")):
        out = say(*words).out
        assert "\x1b[2J" not in out.replace(click.style("", dim=True), "")
        assert "\u202e" not in out
    listed = say("hold", "list").out
    assert not any(line.startswith("H-9") for line in listed.splitlines())
    assert not any(line.startswith("H-9") for line in say("status").out.splitlines())


def test_the_way_back_through_a_decision(place: Path, say: Any) -> None:
    """Report, decision, narrow restart and release by the command line, each naming the next step."""
    say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    a_report(control(), "H-1", VerdictKind.RESTART_NARROW, ("invoice-triage",))
    decided = say("decide", "R-1", "--yes")
    assert (decided.code, "D-1 accepts R-1: restart_narrow" in decided.out) == (0, True)
    assert "workbench resume H-1 --only SCOPE --runs N --decision D-1" in decided.out
    assert "load what happened since" in decided.out
    a_sync("invoice-triage")
    narrow = say("resume", "H-1", "--only", "automation=invoice-triage", "--runs", "2", "--yes")
    assert (narrow.code, "P-1: invoice-triage may run 2 times" in narrow.out) == (0, True)
    assert "P-1 0/2 runs" in say("hold", "list").out
    full = say("resume", "H-1", "--full", "--yes")
    assert (full.code, "does not allow restart_full" in one_sentence(full)) == (3, True)
    broken = say("resume", "H-1", "--full", "--break-glass", "customers wait", "--yes")
    assert (broken.code, "Break-glass: recorded" in broken.out) == (0, True)
    assert "flagged: H-1 was released by break-glass" in say("status").out
    assert say("hold", "list").out.count("No hold stands.") == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nonsense",), 2),
        (("pause",), 2),
        (("pause", "kind=agent", "--mode", "gently"), 2),
        (("pause", "kind=agent", "--yes"), 2),
        (("pause", "kind=agent", "--yes", "-r", "x", "--review-by", "tomorrow"), 2),
        (
            ("pause", "kind=agent", "--yes", "-r", "x", "--review-by", "0001-01-01T00:00:00+14:00"),
            2,
        ),
        (("pause", "automation=ghost", "--yes", "-r", "x"), 4),
        (("pause", "kind=agent", "--yes", "-r", "x", "--as", "boss"), 3),
        (("resume", "H-1", "--yes"), 2),
        (("resume", "H-1", "--full", "--only", "*", "--yes"), 2),
        (("resume", "H-1", "--only", "*", "--runs", "x", "--yes"), 2),
        (("resume", "H-9", "--full", "--break-glass", "x", "--yes"), 4),
        (("resume", "H-9", "--only", "*", "--runs", "1", "--until", "noon", "--yes"), 2),
        (("decide", "R-9", "--yes"), 4),
        (("decide", "R-9", "--override", "maybe"), 2),
        (("card", "kind=robot"), 4),
        (("card", "kind=Agent"), 2),
        (("find", "xylophone"), 4),
        (("status", "kind=Agent"), 2),
        (("store", "init", "-e", "Prod "), 2),
        (("store", "init", "-e", "staging"), 3),
        (("registry", "apply", "absent.toml"), 17),
        (("registry", "check", "absent.toml"), 17),
    ],
)
def test_mistakes_change_nothing(place: Path, say: Any, words: tuple[str, ...], code: int) -> None:
    """Each mistake ends with its exit code and a sentence, and leaves the log as it was."""
    before = control().head_note()
    said = say(*words)
    assert said.code == code
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert control().head_note() == before


def test_an_unattended_run_never_decides(
    place: Path, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody is at the screen a decision is refused."""
    say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait")
    a_report(control(), "H-1", ids=AGENTS)
    monkeypatch.setenv("WORKBENCH_UNATTENDED", "1")
    said = say("decide", "R-1", "--yes")
    assert (said.code, "writes reports, not decisions" in one_sentence(said)) == (3, True)
    assert control().state().decisions == {}


def test_a_damaged_log_is_named_and_still_takes_a_pause(place: Path, say: Any) -> None:
    """With a row that cannot be read: verify 14, doctor 15, resume 14, and a pause goes through."""
    store = open_store(settings := Settings.from_environment(), settings.clock())
    raw_sql(store, *PLAIN_TABLE, "update event set body = 'no json' where seq = 5")
    assert say("pause", "kind=agent", "--yes", "-r", "x", "--no-wait").code == 10
    verified = say("audit", "verify")
    assert (verified.code, "broken at 5" in one_sentence(verified)) == (14, True)
    assert say("audit", "verify", "--json").code == 14
    assert say("resume", "H-1", "--full", "--break-glass", "x", "--yes").code == 14
    assert "flagged: event 5 of the log" in say("status").out
    assert say("doctor").code == 15
    assert say("audit", "show").code == 0


def test_a_file_in_the_way_is_one_sentence(
    place: Path, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the file system is told in one sentence with exit code 15."""
    (place / "file").write_text("in the way")
    monkeypatch.setenv("WORKBENCH_STORE", str(place / "file/store"))
    said = say("store", "init", "-e", "staging")
    assert said.code == 15
    assert "No store can be made" in one_sentence(said)


def test_a_demo_clock_is_on_every_screen(
    place: Path, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a recorded clock each screen says DEMO and the time."""
    monkeypatch.setenv("WORKBENCH_CLOCK", "2026-11-20T09:30:00Z")
    for words in (("status",), ("hold", "list"), ("card", "kind=agent"), ("audit", "show")):
        assert "DEMO, clock stands at 2026-11-20 09:30:00 UTC" in say(*words).out


def test_the_help_lists_every_verb_without_loading_it(say: Any) -> None:
    """`--help` names every command of the table, and each core command has its own help."""
    out = say("--help").out
    assert all(name in out for name in VERBS)
    for name in ("pause", "resume", "status", "hold", "store", "registry", "audit", "gate", "card"):
        said = say(name, "--help")
        assert (said.code, "Usage" in said.out) == (0, True)


def test_the_version_is_that_of_the_package(say: Any) -> None:
    """`--version` prints the version of the installed package."""
    said = say("--version")
    assert (said.code, "0.1.0" in said.out) == (0, True)

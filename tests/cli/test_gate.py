"""`workbench gate`: three answers, three exit codes, whatever lies where the gate folder should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.ground import HOSTILE, a_hold, a_store, asking, inert, refused, run
from workbench.presence import read_presences
from workbench.settings import Settings
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE


def test_clear_exits_0() -> None:
    """A free automation may act: CLEAR, exit code 0, one line."""
    a_store()
    found = run("gate", "order-sync")
    assert (found.code, found.out, found.err) == (0, "CLEAR\n", "")


def test_paused_exits_20_and_names_the_holds() -> None:
    """A held automation may not act: PAUSED with every hold on it, exit code 20."""
    a_store()
    a_hold()
    a_hold("kind=agent")
    found = run("gate", "ticket-reply")
    assert (found.code, found.out) == (20, "PAUSED by H-1, H-2\n")


@pytest.mark.parametrize("automation_id", ["ghost", "Invoice-Triage", "../etc/passwd", "", HOSTILE])
def test_unknown_exits_21_and_says_why(automation_id: str, own_folders: Path) -> None:
    """What is not registered is UNKNOWN, never CLEAR; its name is shown inert and makes no file."""
    a_store()
    found = run("gate", automation_id)
    assert found.code == 21
    assert found.out.startswith("UNKNOWN: ")
    inert(found)
    assert not (own_folders / "etc").exists()


def test_the_json_of_an_answer_has_exactly_these_fields() -> None:
    """Scripts read the answer by these names, whatever it is."""
    control = a_store()
    a_hold()
    for name, state in (("order-sync", "CLEAR"), ("ticket-reply", "PAUSED"), ("ghost", "UNKNOWN")):
        answer = run("gate", name, "--json").document
        assert list(answer) == [
            "automation_id",
            "state",
            "holds",
            "as_of_seq",
            "age_seconds",
            "reason",
        ]
        assert (answer["automation_id"], answer["state"]) == (name, state)
        assert answer["as_of_seq"] == control.head_note().seq
        assert answer["holds"] == (["H-1"] if state == "PAUSED" else [])


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_gate_folder_the_answer_is_unknown(more: tuple[str, ...]) -> None:
    """No folder is no permission: UNKNOWN with the folder named, exit code 21, and none is made."""
    found = run("gate", "order-sync", *more)
    assert found.code == 21
    assert "UNKNOWN" in found.out
    assert str(Settings.from_environment().gate) in found.out
    assert not Settings.from_environment().gate.exists()


def narrowly(runs: int = 2) -> None:
    """Hold the agents and let one of them through for so many runs."""
    a_store()
    a_hold()
    done = run(
        "resume", "H-1", "--only", "automation=ticket-reply", "--runs", str(runs),
        "--break-glass", "shell test", "--yes",
    )  # fmt: skip
    assert done.code == 0, done.said


def test_a_run_takes_its_ticket_of_a_narrow_restart_once() -> None:
    """Each run id is let through however often it asks; when the tickets are used up the next is PAUSED."""
    narrowly()
    assert run("gate", "ticket-reply").code == 20
    for run_id in ("a", "a", "b", "a"):
        found = run("gate", "ticket-reply", "--run", run_id)
        assert (found.code, found.out.split(":")[0].strip()) == (0, "CLEAR")
    refused_one = run("gate", "ticket-reply", "--run", "c")
    assert refused_one.code == 20
    assert "PAUSED by H-1" in refused_one.out


def test_a_command_runs_as_the_run_and_passes_its_code_on(own_folders: Path) -> None:
    """What stands after `--` runs only when the gate lets the run through; its exit code comes back."""
    narrowly(1)
    mark = own_folders / "mark"
    script = f"echo x >> {mark}; exit 7"
    assert run("gate", "ticket-reply", "--run", "a", "--", "sh", "-c", script).code == 7
    found = run("gate", "ticket-reply", "--run", "b", "--", "sh", "-c", script)
    assert (found.code, mark.read_text()) == (20, "x\n")
    assert "sh was not run: ticket-reply is paused by H-1" in found.err


def test_a_command_needs_the_id_of_its_run() -> None:
    """Without `--run` no command is run, and one that is not there ends with 127."""
    narrowly()
    assert run("gate", "ticket-reply", "--", "true").code == 2
    found = run("gate", "order-sync", "--run", "a", "--", "no-such-command-here")
    assert found.code == 127
    assert "cannot be run" in found.err


@pytest.mark.parametrize("run_id", ["", "  "])
@pytest.mark.parametrize("words", [(), ("--", "true")])
def test_an_empty_run_id_is_refused(run_id: str, words: tuple[str, ...]) -> None:
    """A variable that was not set would give every run the same ticket, so no run has an empty id."""
    narrowly(1)
    refused(run("gate", "ticket-reply", "--run", run_id, *words), 2, "run id is empty")
    assert run("gate", "ticket-reply", "--run", "first").code == 0


def test_a_program_that_is_not_there_spends_no_ticket() -> None:
    """A mistyped command ends with 127 before a ticket is taken, so that the right one still has it."""
    narrowly(1)
    assert run("gate", "ticket-reply", "--run", "a", "--", "no-such-command-here").code == 127
    assert run("gate", "ticket-reply", "--run", "b", "--", "true").code == 0


def test_a_command_is_in_flight_for_as_long_as_it_runs(own_folders: Path) -> None:
    """While the command runs its run is in flight, and afterwards it is not, whatever its exit code."""
    a_store()
    gate, seen_then = Settings.from_environment().gate, own_folders / "then"
    copy = f"mkdir {seen_then}; cp -r {gate}/seen {seen_then}; exit 3"
    assert run("gate", "order-sync", "--run", "night-1", "--", "sh", "-c", copy).code == 3
    then, now = (read_presences(folder)["order-sync"] for folder in (seen_then, gate))
    assert [entry.in_flight for entry in then] == [("night-1",)]
    assert [entry.in_flight for entry in now] == [()]


def test_a_run_that_asks_again_learns_of_a_hold(own_folders: Path) -> None:
    """A command that asks again between its steps learns of a hold that came meanwhile."""
    a_store()
    assert run("gate", "order-sync", "--run", "night-1").code == 0
    a_hold("automation=order-sync")
    found = run("gate", "order-sync", "--run", "night-1")
    assert (found.code, found.out) == (20, "PAUSED by H-1\n")
    unknown = run("gate", "ghost", "--run", "night-1", "--", "touch", str(own_folders / "mark"))
    assert unknown.code == 21
    assert "touch was not run" in unknown.err
    assert not (own_folders / "mark").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_and_not_only_the_asker(own_folders: Path, number: int) -> None:
    """Who ends `workbench gate` ends the command: none goes on while its run counts as over."""
    a_store()
    mark = own_folders / "mark"
    script = f"trap 'echo ended >> {mark}; exit 9' {number}; echo up > {mark}; while :; do sleep 0.02; done"
    words = ["gate", "order-sync", "--run", "a", "--", "sh", "-c", script]
    asker = subprocess.Popen([sys.executable, "-m", "workbench", *words], env=dict(os.environ))
    try:
        deadline = time.monotonic() + 20
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        asker.send_signal(number)
        assert asker.wait(20) == 9
    finally:
        asker.kill()
        asker.wait()
    assert mark.read_text() == "up\nended\n"


def spoil(folder: Path, how: str) -> None:
    """Do to a published gate folder what accidents and strangers do."""
    epoch, snapshot = folder / EPOCH_FILE, folder / SNAPSHOT_FILE
    if how == "no snapshot":
        snapshot.unlink()
    elif how == "garbage snapshot":
        snapshot.write_bytes(b"\x00\xff garbage")
    elif how == "empty snapshot":
        snapshot.write_bytes(b"")
    elif how == "another format":
        snapshot.write_text(json.dumps({"format": 99, "automations": {}}))
    elif how == "a list":
        snapshot.write_text("[]")
    elif how == "garbage epoch":
        epoch.write_bytes(b"garbage" * 100)
    elif how == "empty epoch":
        epoch.write_bytes(b"")
    else:
        epoch.unlink()


SPOILED = [
    "no snapshot", "garbage snapshot", "empty snapshot", "another format", "a list",
    "garbage epoch", "empty epoch", "no epoch",
]  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_gate_folder_never_says_clear(how: str) -> None:
    """Whatever became of the published files, the answer is UNKNOWN with a reason and never a traceback."""
    a_store()
    spoil(Settings.from_environment().gate, how)
    found = run("gate", "order-sync")
    assert (found.code, found.err) == (21, "")
    assert found.out.startswith("UNKNOWN: ")
    assert len(found.out.strip()) > len("UNKNOWN: ")


@pytest.mark.parametrize("how", ["no snapshot", "garbage snapshot", "another format", "no epoch"])
def test_any_command_of_the_store_mends_what_can_be_mended(how: str) -> None:
    """A spoiled publication is published again by the next command, and the gate answers again."""
    a_store()
    a_hold()
    spoil(Settings.from_environment().gate, how)
    assert run("status").code == 0
    assert run("gate", "ticket-reply").code == 20
    assert run("gate", "order-sync").code == 0


def test_a_hostile_snapshot_is_shown_inert() -> None:
    """Hold ids that somebody wrote into the published file cannot play with the terminal."""
    a_store()
    a_hold()
    path = next(p for p in Settings.from_environment().gate.iterdir() if p.suffix == ".json")
    path.write_text(path.read_text().replace('"H-1"', json.dumps(HOSTILE)))
    inert(run("gate", "ticket-reply"))


def test_asking_needs_no_store(own_folders: Path) -> None:
    """The gate answers while the store's folder is away: it never opens it."""
    a_store()
    a_hold()
    (own_folders / "store").rename(own_folders / "unmounted")
    assert run("gate", "ticket-reply").code == 20
    assert run("gate", "order-sync").code == 0
    assert run("status").code == 15


def test_asking_from_a_shell_is_evidence_for_the_pause(own_folders: Path) -> None:
    """A question after the pause confirms it: the automation is known to have seen the hold."""
    a_store()
    a_hold(**{"command-id": "c-1"})
    for name in ("invoice-triage", "ticket-reply"):
        assert run("gate", name).code == 20
    again = run(
        "pause",
        "kind=agent,provider=acme-llm",
        "-r",
        "wrong amounts",
        "-y",
        "--json",
        "--command-id",
        "c-1",
    )
    assert (again.code, again.document["confirmed_count"]) == (0, 2)


def test_asking_takes_no_ticket() -> None:
    """`check` consumes nothing: a narrow restart for one run is still there after many questions."""
    a_store()
    a_hold()
    words = ("--only", "automation=ticket-reply", "--runs", "1", "--break-glass", "x", "-y")
    assert run("resume", "H-1", *words).code == 0
    for _ in range(5):
        run("gate", "ticket-reply")
    assert "P-1 0/1 runs" in run("hold", "list").out
    with asking() as gate, gate.run("ticket-reply", "run-1"):
        pass
    assert run("gate", "ticket-reply").code == 20

"""Narrow restarts over several hosts: never more runs than were decided, whoever is cut off, copied or killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.postgres_server import Server
from tests.store.ground import CLOCK, a_control, break_glass, pause, wait_until
from tests.store.several_hosts import a_mirror, as_mirror_account, mirrors_of, on_host
from tests.store.share_machine import NAME, ShareMachine
from tests.store.test_hosts import forge, hosts_seen, let_ask, row_of
from tests.store.test_machine import SETTINGS
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.control.sharing import parse_hosts
from workbench.control.usage import Counter
from workbench.errors import NotFound, Refused, UsageFault
from workbench.gate import Gate, GateState, Paused, admission, source
from workbench.restarts import Probation
from workbench.settings import Settings
from workbench.snapshot import read_snapshot
from workbench.store import hosts, publishing
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.hosts import Hosts
from workbench.store.log import Draft
from workbench.store.signoffs import plan_of
from workbench.store.store import Change, Command
from workbench.tickets import TicketBook

ONLY = f"automation={NAME}"


def walk(steps: int = 30, examples: int = 15) -> None:
    """Let hosts, mirrors and runs do anything in any order."""
    own = settings(SETTINGS, max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(ShareMachine, settings=own)  # type: ignore[no-untyped-call] # hypothesis


@pytest.mark.slow
def test_never_more_runs_than_were_decided() -> None:
    """On random walks over hosts that are cut off, copied, restored, restarted and killed, the number holds."""
    walk()


def whole_on_each(patch: pytest.MonkeyPatch) -> None:
    """Let each host have all the runs, as counting in each gate folder would."""
    patch.setattr(Probation, "runs_in", lambda self, _: self.max_runs)
    patch.setattr(admission, "_not_here", lambda *_: "")


def copies_count_too(patch: pytest.MonkeyPatch) -> None:
    """Let a gate believe what was published without looking whose folder it is in."""
    patch.setattr(admission, "_not_here", lambda *_: "")


def folders_by_number_alone(patch: pytest.MonkeyPatch) -> None:
    """Let a folder be known by the number that its copies have too."""
    for module in (import_module("workbench.snapshot"), source):
        patch.setattr(module, "folder_id", lambda number, _: f"gf-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [whole_on_each, copies_count_too, folders_by_number_alone])
def test_the_walk_catches(
    seed: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way of handing out a run twice is found by the same walk."""
    seed(monkeypatch)
    with pytest.raises(AssertionError, match="P-"):
        walk(examples=40)


def two_hosts(place: Path, clock: Any = CLOCK) -> tuple[Control, Settings, Settings]:
    """Make a store with a hold, and two hosts that report and where the automation has asked."""
    control = a_control(place, clock)
    a, b = on_host(place, "a"), on_host(place, "b")
    pause(control)
    for settings_there in (a, b):
        report(settings_there)
        let_ask(settings_there.gate, NAME)
        report(settings_there)
    return control, a, b


def report(settings_there: Settings) -> None:
    """Let the mirror of a host look once and report."""
    a_mirror(settings_there, CLOCK).once()


def runs_through(gate: Path, *run_ids: str) -> list[str]:
    """Return which of the runs a gate lets through."""
    found = []
    for run_id in run_ids:
        try:
            with Gate(gate).run(NAME, run_id, on_unknown="continue"):
                found.append(run_id)
        except Paused:
            pass
    return found


def why_not(gate: Path, run_id: str = "x") -> str:
    """Return why a gate refuses a run."""
    with pytest.raises(Paused) as caught, Gate(gate).run(NAME, run_id):
        pytest.fail("a run went on")
    return str(caught.value)


def test_one_host_has_all_the_runs(place: Path) -> None:
    """`--host b`: b lets them through, on the others the same restart is PAUSED with that reason."""
    control, a, b = two_hosts(place)
    probation = control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="b"))
    assert [(s.host, s.runs) for s in probation.shares] == [("b", 2)]
    report(a)
    report(b)
    assert runs_through(a.gate, "r1") == []
    assert "its runs are on b (2)" in why_not(a.gate)
    assert "its runs are on b (2)" in why_not(place / "gate")
    assert runs_through(b.gate, "r1", "r2", "r1", "r3") == ["r1", "r2", "r1"]
    assert "has used its 2 runs" in why_not(b.gate)
    assert not (a.gate / "tickets/P-1.jsonl").exists()


def test_shares_add_up(place: Path) -> None:
    """`--host a=1,b=2`: each has its own and no other's; a run id counts once on each."""
    control, a, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 3, hosts="a=1,b=2"))
    report(a)
    report(b)
    assert runs_through(a.gate, "r1", "r2", "r1") == ["r1", "r1"]
    assert runs_through(b.gate, "r1", "r2", "r3") == ["r1", "r2"]


@pytest.mark.parametrize("is_made_again", [False, True])
def test_a_lost_book_gives_no_fresh_tickets(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_made_again: bool
) -> None:
    """A host whose tickets went missing stays paused; a mirror that made them again would be seen here."""
    if is_made_again:
        right = publishing.GateFolder._make_books
        patched = lambda self, state, folder_id, *, told_seq: right(  # noqa: E731  # a seeded fault in one line
            self, state, folder_id, told_seq=0
        )
        monkeypatch.setattr(publishing.GateFolder, "_make_books", patched)
    control, _, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="b"))
    report(b)
    assert runs_through(b.gate, "r1") == ["r1"]
    (b.gate / "tickets/P-1.jsonl").unlink()
    pause(control, "automation=order-sync")
    report(b)
    assert runs_through(b.gate, "r2", "r3") == (["r2", "r3"] if is_made_again else [])


@pytest.mark.parametrize("told", [(), ("a",), ("b",)])
def test_a_host_that_is_cut_off_stays_paused(place: Path, told: tuple[str, ...]) -> None:
    """Before its mirror has told it a host lets nothing through, and later its own share and no more."""
    control, a, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="a=1,b=1"))
    for name in told:
        report(on_host(place, name))
    for settings_there in (a, b):
        wanted = ["r1"] if settings_there.host in told else []
        assert runs_through(settings_there.gate, "r1", "r2") == wanted
    report(a)
    report(b)
    assert [runs_through(s.gate, "r1", "r2") for s in (a, b)] == [["r1"], ["r1"]]


def test_the_host_where_it_was_seen_is_the_default(place: Path) -> None:
    """One host where the automation asked needs no name; several, or none, have to be named."""
    control = a_control(place)
    a, b = on_host(place, "a"), on_host(place, "b")
    pause(control)
    for settings_there in (a, b):
        report(settings_there)
    with pytest.raises(Refused, match="seen on no host yet, and there are several: a, b"):
        control.resume_narrow(break_glass("H-1", ONLY, 2))
    let_ask(b.gate, NAME)
    report(b)
    probation = control.resume_narrow(break_glass("H-1", ONLY, 2))
    assert [(s.host, s.runs) for s in probation.shares] == [("b", 2)]
    let_ask(a.gate, NAME)
    report(a)
    with pytest.raises(Refused, match="seen on several hosts: a, b") as caught:
        control.resume_narrow(break_glass("H-1", ONLY, 2))
    assert "--host" in caught.value.then
    assert list(control.state().probations) == ["P-1"]


def test_the_host_where_commands_are_given_can_have_a_share(place: Path) -> None:
    """Its gates are told at once; where nothing ever asked there it is not offered."""
    control, a, _ = two_hosts(place)
    control.store.host = "here"
    with pytest.raises(NotFound, match="No host here reports to this store; there are: a, b"):
        control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="here"))
    let_ask(place / "gate", NAME)
    control.resume_narrow(break_glass("H-1", ONLY, 3, hosts="here=1,a=2"))
    report(a)
    assert runs_through(place / "gate", "r1", "r2") == ["r1"]
    assert runs_through(a.gate, "r1", "r2", "r3") == ["r1", "r2"]


def test_on_a_server_a_lone_host_has_a_share_that_no_copy_has(database_place: Path) -> None:
    """A clone of the only machine that reports lets nothing through: both together never more than was decided."""
    control = a_control(database_place)
    pause(control)
    probation = control.resume_narrow(break_glass("H-1", ONLY, 2))
    own, clone = database_place / "gate", database_place / "clone"
    assert [s.runs for s in probation.shares] == [2]
    shutil.copytree(own, clone, copy_function=shutil.copy2)
    assert runs_through(clone, "c1", "c2") == []
    assert "its runs are on" in why_not(clone)
    assert runs_through(own, "r1", "r2", "r3") == ["r1", "r2"]


def test_for_a_file_without_other_hosts_it_is_as_it_always_was(tmp_path: Path) -> None:
    """One gate folder, no share in event, snapshot and projection; a name is refused with the way out."""
    control = a_control(tmp_path)
    pause(control)
    with pytest.raises(NotFound, match="leave `--host` out"):
        control.resume_narrow(break_glass("H-1", ONLY, 1, hosts="a"))
    control.resume_narrow(break_glass("H-1", ONLY, 1))
    (hold,) = read_snapshot(tmp_path / "gate").automations[NAME]
    assert "shares" not in hold["probation"]
    assert "shares" not in control.store.events()[-1].payload
    assert "shares" not in control.store.projection()["probation", "P-1"]
    assert runs_through(tmp_path / "gate", "r1", "r2") == ["r1"]


@pytest.mark.parametrize(
    ("text", "runs", "words"),
    [
        ("a=1,b=1", 3, "have 2 runs together, and 3 were asked for"),
        ("a=1,b", 2, "'b' does not say how many"),
        ("a=0,b=2", 2, "'a=0' does not say how many"),
        ("a=-1,b=3", 2, "'a=-1' does not say how many"),
        ("a=x", 2, "'a=x' does not say how many"),
        ("a=1,a=1", 2, "named twice"),
    ],
)
def test_shares_that_do_not_add_up_are_refused(
    place: Path, text: str, runs: int, words: str
) -> None:
    """Nothing is recorded for them."""
    control, _, _ = two_hosts(place)
    with pytest.raises(UsageFault, match=words):
        control.resume_narrow(break_glass("H-1", ONLY, runs, hosts=text))
    assert control.state().probations == {}
    assert parse_hosts("a=2, b=1", 0) == [("a", 2), ("b", 1)]


def test_a_silent_host_gets_no_share(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would see its runs; it is refused with its last heartbeat."""
    control, _, _ = two_hosts(place)
    monkeypatch.setattr(hosts, "SILENT_SECONDS", -1.0)
    with pytest.raises(Refused, match="Host a is UNREACHABLE: last heartbeat"):
        control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="a"))


def test_what_was_used_is_reported_back(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status says n of m for each host with the age of that knowledge; used up everywhere it ends by itself."""
    control, a, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 3, hosts="a=1,b=2"))
    (view,) = control.status().holds[0].live_probations
    assert view.runs_taken == 0
    for settings_there in (a, b):
        report(settings_there)
        runs_through(settings_there.gate, "r1")
        report(settings_there)
    (view,) = control.status().holds[0].live_probations
    assert view.runs_taken == 2
    assert view.used_words.startswith("2 of 3 runs used on a 1 of 1 (heard 0 s ago")
    assert "b 1 of 2 (heard" in view.used_words
    tickets = [t.run_id for use in view.uses for t in use.tickets]
    assert tickets == ["r1", "r1"]
    monkeypatch.setattr(hosts, "SILENT_SECONDS", -1.0)
    assert "b 1 of 2 (last heard" in control.status().holds[0].live_probations[0].used_words
    monkeypatch.undo()
    runs_through(b.gate, "r2")
    report(b)
    assert control.status().holds[0].live_probations == ()
    pause(control, "automation=order-sync")
    (ended,) = [e for e in control.store.events() if e.action == "probation.end"]
    assert (ended.target, ended.reason) == ("P-1", "used its 3 runs")


def test_a_host_that_lies_ends_a_restart_early_at_worst(place: Path) -> None:
    """Claims of a host count for its own share alone, and reach no gate."""
    control, a, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 3, hosts="a=1,b=2"))
    report(a)
    host = hosts_seen(control)["b"]
    text = row_of("b")["report"].replace('"taken_count": -5', '"taken_count": 1000000')
    assert forge(control, row_of("b", number=host.number, folder_id=host.folder_id, report=text))
    uses = Counter.of(control.store, control.state()).uses(control.state().probations["P-1"])
    assert [(use.host, use.taken_count) for use in uses] == [("a", 0), ("b", 2)]
    assert runs_through(a.gate, "r1", "r2") == ["r1"]
    report(b)
    assert runs_through(b.gate, "r1", "r2", "r3") == ["r1", "r2"]


def test_a_restarted_host_needs_a_new_restart(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its share was for the folder as it was: gates say so, and status that the rest is void."""
    control, _, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="b"))
    report(b)
    assert runs_through(b.gate, "r1") == ["r1"]
    report(b)
    before = control.store.hosts(control.state())
    monkeypatch.setattr("workbench.identity.boot_id", lambda: "started again")
    assert "as these hosts were when it was given" in why_not(b.gate, "r2")
    after = Hosts(tuple(replace(host, folder_id="gf-new") for host in before.known))
    (use,) = Counter(place / "gate", "", after).uses(control.state().probations["P-1"])
    assert use.words.endswith("restarted or made anew since, so the rest is void)")
    assert (use.taken_count, use.why_closed) == (1, "")


def test_an_old_gate_gives_no_more_than_its_share(place: Path) -> None:
    """A gate of an earlier version reads the number of runs alone: what is published to it is the share."""
    control, a, b = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 3, hosts="a=1,b=2"))
    for settings_there, runs in ((a, 1), (b, 2)):
        report(settings_there)
        (hold,) = read_snapshot(settings_there.gate).automations[NAME]
        assert hold["probation"]["max_runs"] == runs
    (hold,) = read_snapshot(place / "gate").automations[NAME]
    assert hold["probation"]["max_runs"] == 0


@pytest.mark.parametrize("runs", [(5, 5), (3, -1), (0, 2)])
def test_shares_in_the_log_that_do_not_add_up_are_not_obeyed(
    place: Path, runs: tuple[int, int]
) -> None:
    """Whoever writes such an event opens nothing, and it is shown."""
    control, a, b = two_hosts(place)
    shares = [
        {"host": h, "folder_id": hosts_seen(control)[h].folder_id, "runs": count}
        for h, count in zip("ab", runs, strict=True)
    ]
    payload = {
        "hold_id": "H-1",
        "scope": ONLY,
        "automation_ids": [NAME],
        "max_runs": 2,
        "until": None,
        "decision_id": "",
        "break_glass_reason": "x",
        "shares": shares,
    }
    draft = Draft(CLOCK.now(), "os:test", "probation.start", "P-1", payload=payload)
    control.store.transact(Command("c", {}), lambda _: Change([draft]))
    report(a)
    report(b)
    assert [runs_through(s.gate, "r1") for s in (a, b)] == [[], []]
    assert "NOT OBEYED" in " ".join(control.status().flags)
    assert fold(control.store.events()).probations == {}
    assert verify_store(control.store).is_ok


def test_a_sign_off_binds_the_shares(place: Path) -> None:
    """The plan that another person signs names the hosts and their runs."""
    control, _, _ = two_hosts(place)
    control.resume_narrow(break_glass("H-1", ONLY, 2, hosts="a=1,b=1"))
    payload = control.store.events()[-1].payload
    plan = plan_of("P-1", payload)
    assert [share["host"] for share in plan["shares"]] == ["a", "b"]


RUNNER = """
import sys
from workbench.gate import Gate, Paused, Unknown
gate = Gate(sys.argv[1])
for number in range(10**6):
    try:
        with gate.run("ticket-reply", f"{sys.argv[2]}-{number}"):
            print("through", flush=True)
    except (Paused, Unknown):
        pass
"""


def start_runner(gate: Path, name: str) -> subprocess.Popen[str]:
    """Start a process that tries one run after another."""
    words = [sys.executable, "-c", RUNNER, str(gate), name]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_processes_of_two_hosts_get_no_more_than_was_decided(
    database_place: Path, postgres_server: Server
) -> None:
    """Processes on two hosts race for the runs and are killed with -9 at any instant; mirrors watch."""
    control = a_control(database_place, SystemClock())
    pause(control)
    a = as_mirror_account(postgres_server, database_place, "a")
    b = replace(on_host(database_place, "b"), store_url=a.store_url)
    with mirrors_of(a, b):
        for settings_there in (a, b):
            wait_until(lambda s=settings_there: (s.gate / "snapshot.json").exists())
        wait_until(lambda: {"a", "b"} <= set(hosts_seen(control)))
        runners = [start_runner(s.gate, f"{s.host}{n}") for s in (a, b) for n in range(2)]
        control.resume_narrow(break_glass("H-1", ONLY, 30, hosts="a=12,b=18"))
        book = TicketBook(a.gate, "P-1", 12)
        wait_until(lambda: book.path.exists() and len(book.taken()) > 2)
        for runner in runners[::2]:
            os.kill(runner.pid, signal.SIGKILL)
        runners += [start_runner(s.gate, f"{s.host}late") for s in (a, b)]

        def used() -> int:
            (view,) = control.holds()[0].probations
            return view.runs_taken

        wait_until(lambda: used() == 30, seconds=60)
        for runner in runners:
            runner.kill()
        through = [line for runner in runners for line in runner.communicate()[0].split()]
    assert 0 < len(through) <= 30
    assert Gate(a.gate).check(NAME).state is GateState.PAUSED

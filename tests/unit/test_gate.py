"""The gate: three answers, always, and never CLEAR for what the store held."""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import START, SetClock
from tests.unit.published import a_document, a_hold, publish
from workbench.durable import write_durably
from workbench.gate import Gate, GateState, Paused, Unknown, source, view
from workbench.gate.asked import AskedRun
from workbench.presence import read_presences
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, Publisher
from workbench.tickets import TicketBook

STARTED = "2026-11-20T09:30:00Z"


def a_probation(name: str = "P-1", **more: Any) -> dict[str, Any]:
    """Return a narrow restart as it is published."""
    return {"probation_id": name, "max_runs": 2, "started_at": STARTED, "until": None, **more}


def on_a(*holds: dict[str, Any]) -> dict[str, Any]:
    """Return the published automations with holds on `a`, and `b` clear."""
    return {"automations": {"a": list(holds), "b": []}}


def a_gate(folder: Path, seconds: float = 60.0) -> Gate:
    """Return a gate whose clock stands so long after the start."""
    return Gate(folder, clock=SetClock(START + timedelta(seconds=seconds)))


def state(folder: Path, automation_id: str = "a") -> GateState:
    """Ask a fresh gate once."""
    return a_gate(folder).check(automation_id).state


def write_word(folder: Path, word: int, value: int) -> None:
    """Change one 64-bit word of the epoch file in place."""
    with open(folder / EPOCH_FILE, "r+b") as file, mmap.mmap(file.fileno(), 64) as area:
        area[8 * word : 8 * word + 8] = struct.pack("=Q", value)


def restat(gate: Gate) -> None:
    """Let the gate's second pass, so that it looks at the files again."""
    gate._restat_at = 0.0


def test_a_held_automation_is_paused_and_another_is_clear(tmp_path: Path) -> None:
    """PAUSED names the holds; CLEAR says for which position it speaks and how old it is."""
    publish(tmp_path, 4, **on_a(a_hold(), a_hold(hold_id="H-2")))
    gate = a_gate(tmp_path)
    held, free = gate.check("a"), gate.check("b", "read")
    assert (held.state, held.holds, held.as_of_seq) == (GateState.PAUSED, ("H-1", "H-2"), 4)
    assert (free.state, free.holds, free.as_of_seq, free.age_seconds) == (
        GateState.CLEAR,
        (),
        4,
        60.0,
    )


def test_an_unregistered_automation_is_unknown_unless_it_is_held(tmp_path: Path) -> None:
    """Without a hold an unregistered id is UNKNOWN; `*` and a hold of its own id pause it."""
    publish(tmp_path)
    assert state(tmp_path, "ghost") is GateState.UNKNOWN
    publish(tmp_path, 2, everything=[a_hold()])
    assert state(tmp_path, "ghost") is GateState.PAUSED
    publish(tmp_path, 3, named={"ghost": [a_hold(hold_id="H-3")]})
    assert a_gate(tmp_path).check("ghost").holds == ("H-3",)
    assert state(tmp_path, "ghost2") is GateState.UNKNOWN


def test_a_new_publication_is_seen_at_the_next_question(tmp_path: Path) -> None:
    """A gate that has answered CLEAR answers PAUSED to the very next question after a pause."""
    publisher = publish(tmp_path)
    gate = a_gate(tmp_path)
    for seq in range(2, 40, 2):
        assert gate.check("a").state is GateState.CLEAR
        publisher.begin(seq)
        publisher.complete(a_document(seq, automations={"a": [a_hold()]}))
        assert gate.check("a").state is GateState.PAUSED
        publisher.begin(seq + 1)
        publisher.complete(a_document(seq + 1))


def test_an_effect_is_read_or_write() -> None:
    """A misspelt effect is a mistake of the caller, not an answer."""
    with pytest.raises(ValueError, match="effect is"):
        Gate().check("a", "delete")  # type: ignore[arg-type] # the mistake under test


def spoil_epoch_missing(folder: Path) -> None:
    """Take the epoch file away."""
    (folder / EPOCH_FILE).unlink()


def spoil_epoch_empty(folder: Path) -> None:
    """Put an empty epoch file in its place."""
    (folder / EPOCH_FILE).unlink()
    (folder / EPOCH_FILE).write_bytes(b"")


def spoil_snapshot_missing(folder: Path) -> None:
    """Take the snapshot away."""
    (folder / SNAPSHOT_FILE).unlink()


def spoil_snapshot_garbage(folder: Path) -> None:
    """Write garbage over the snapshot."""
    (folder / SNAPSHOT_FILE).write_bytes(b'{"format": 1, "automations": 5}')


def spoil_snapshot_foreign(folder: Path) -> None:
    """Put another store's snapshot beside this store's epoch."""
    publish(folder / "other", store_id="st-2")
    write_durably(folder / SNAPSHOT_FILE, (folder / "other" / SNAPSHOT_FILE).read_bytes())


def spoil_epoch_foreign(folder: Path) -> None:
    """Put another store's epoch beside this store's snapshot."""
    publish(folder / "other", store_id="st-2")
    write_durably(folder / EPOCH_FILE, (folder / "other" / EPOCH_FILE).read_bytes())


def spoil_snapshot_of_another_seq(folder: Path) -> None:
    """Let the snapshot say another position than the epoch file."""
    write_word(folder, 4, 7)


def spoil_odd(folder: Path) -> None:
    """Leave the publication as a writer does that died in it."""
    write_word(folder, 3, 5)


SPOILERS = [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_what_cannot_be_told_is_unknown(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A missing, odd, foreign, garbled or contradicting publication is UNKNOWN with a reason."""
    publish(tmp_path)
    assert state(tmp_path) is GateState.CLEAR
    spoil(tmp_path)
    answer = a_gate(tmp_path).check("a")
    assert answer.state is GateState.UNKNOWN
    assert answer.reason


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_cached_clear_does_not_outlive_its_publication(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """A gate that had answered CLEAR says UNKNOWN within a second of the files going bad."""
    publisher = publish(tmp_path)
    gate = a_gate(tmp_path)
    assert gate.check("a").state is GateState.CLEAR
    if spoil.__name__.startswith("spoil_snapshot"):
        publisher.begin(1)  # a gate reads the snapshot again when the epoch has moved
        publisher.complete(a_document(1))
    spoil(tmp_path)
    restat(gate)
    assert gate.check("a").state is GateState.UNKNOWN


@pytest.mark.parametrize("spoil", SPOILERS)
def test_what_was_paused_stays_paused(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Not knowing never opens: a gate that knew of a hold keeps saying PAUSED, and why."""
    publisher = publish(tmp_path, **on_a(a_hold()))
    gate = a_gate(tmp_path)
    assert gate.check("a").state is GateState.PAUSED
    publisher.begin(1)
    publisher.complete(a_document(1, **on_a(a_hold())))
    spoil(tmp_path)
    restat(gate)
    answer = gate.check("a")
    assert answer.state is GateState.PAUSED
    assert "when last heard of" in answer.reason
    assert gate.check("b").state is GateState.UNKNOWN


def test_an_odd_epoch_is_waited_for_at_most_once(tmp_path: Path) -> None:
    """Ten threads that meet a publication in progress wait about 50 ms together, not one after another."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    gate.check("a")
    spoil_odd(tmp_path)
    answers: list[GateState] = []
    threads = [
        threading.Thread(target=lambda: answers.append(gate.check("a").state)) for _ in range(10)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [GateState.UNKNOWN] * 10
    assert time.monotonic() - begun < 0.35


def test_a_publication_that_completes_in_time_is_answered(tmp_path: Path) -> None:
    """A gate that meets an odd epoch waits, and answers from what is published meanwhile."""
    publisher = publish(tmp_path)
    gate = a_gate(tmp_path)
    publisher.begin(2)
    timer = threading.Timer(0.01, lambda: publisher.complete(a_document(2, **on_a(a_hold()))))
    timer.start()
    assert gate.check("a").state is GateState.PAUSED
    timer.join()


def test_a_fresh_process_under_a_hold_does_not_go_on_over_an_odd_epoch(tmp_path: Path) -> None:
    """In a narrow restart UNKNOWN is PAUSED whatever the caller says, even for one that just began."""
    publish(tmp_path, **on_a(a_hold(probation=a_probation())))
    spoil_odd(tmp_path)
    gate = a_gate(tmp_path)
    with pytest.raises(Paused), gate.run("a", "r1", on_unknown="continue"):
        pytest.fail("it was let through")


def test_a_replaced_epoch_file_is_noticed_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another inode in its place is opened again, even where its epoch word happens to be the same."""
    monkeypatch.setattr(source, "RESTAT_SECONDS", 0.05)
    publish(tmp_path)
    gate = a_gate(tmp_path)
    assert gate.check("a").state is GateState.CLEAR
    publish(tmp_path / "new", **on_a(a_hold()))
    for name in (EPOCH_FILE, SNAPSHOT_FILE):
        os.replace(tmp_path / "new" / name, tmp_path / name)
    time.sleep(0.06)
    assert gate.check("a").state is GateState.PAUSED


def test_a_doubtful_log_is_never_clear(tmp_path: Path) -> None:
    """Where an event of the log could not be taken in, gates say PAUSED or UNKNOWN, never CLEAR."""
    publish(tmp_path, doubt="event 3 cannot be read", **on_a(a_hold()))
    gate = a_gate(tmp_path)
    assert gate.check("a").state is GateState.PAUSED
    assert gate.check("b").state is GateState.UNKNOWN
    assert gate.check("b").reason == "event 3 cannot be read"
    publish(tmp_path, 2, doubt="event 3 cannot be read", **on_a(a_hold(probation=a_probation())))
    TicketBook(tmp_path, "P-1", 2).create()
    with pytest.raises(Paused, match="event 3"), gate.run("a", "r1", on_unknown="continue"):
        pytest.fail("it was let through")


def test_a_run_is_refused_or_let_through(tmp_path: Path) -> None:
    """`run` raises Paused under a hold and Unknown without an answer; a clear one runs."""
    publish(tmp_path, **on_a(a_hold()))
    gate = a_gate(tmp_path)
    with pytest.raises(Paused, match="a is paused by H-1") as caught, gate.run("a", "r1"):
        pytest.fail("it was let through")
    assert caught.value.answer.holds == ("H-1",)
    with pytest.raises(Unknown, match="not registered"), gate.run("ghost", "r1"):
        pytest.fail("it was let through")
    with gate.run("b", "r1") as answer:
        assert answer.state is GateState.CLEAR
        assert gate.pause_point().state is GateState.CLEAR


def test_the_caller_may_go_on_without_an_answer(tmp_path: Path) -> None:
    """`on_unknown='continue'` lets a run go on at its start and at its pause points, and says UNKNOWN."""
    with Gate(tmp_path).run("a", "r1", on_unknown="continue") as answer:
        assert answer.state is GateState.UNKNOWN
    publish(tmp_path)
    gate = a_gate(tmp_path)
    with gate.run("a", "r1", on_unknown="continue"):
        spoil_epoch_missing(tmp_path)
        restat(gate)
        assert gate.pause_point().state is GateState.UNKNOWN
    with gate.run("b", "r1", on_unknown="continue") as answer:
        assert answer.state is GateState.UNKNOWN


def test_a_pause_point_needs_a_run(tmp_path: Path) -> None:
    """Outside a run `pause_point` is a mistake of the caller; after a refused run, too."""
    publish(tmp_path, **on_a(a_hold()))
    gate = a_gate(tmp_path)
    with pytest.raises(Paused), gate.run("a", "r1"):
        pytest.fail("it was let through")
    with pytest.raises(RuntimeError, match="is called inside"):
        gate.pause_point()


@pytest.mark.parametrize(("mode", "goes_on"), [("drain", True), ("freeze", False), ("halt", False)])
def test_a_run_goes_on_in_another_process(tmp_path: Path, mode: str, goes_on: bool) -> None:
    """A step of a run that began elsewhere: under drain it goes on and is seen in flight, else it is refused."""
    publish(tmp_path, automations={"a": [a_hold(mode=mode)]})
    gate, run = Gate(tmp_path), AskedRun("a", "r1")
    with pytest.raises(Paused):
        gate.enter(run)
    if not goes_on:
        with pytest.raises(Paused):
            gate.go_on(run)
        return
    assert gate.go_on(run).state is GateState.CLEAR
    assert read_presences(tmp_path)["a"][0].in_flight == ("r1",)
    gate.leave(run)
    assert read_presences(tmp_path)["a"][0].in_flight == ()


@pytest.mark.parametrize(("mode", "goes_on"), [("drain", True), ("freeze", False), ("halt", False)])
def test_modes_at_a_pause_point(tmp_path: Path, mode: str, goes_on: bool) -> None:
    """Under drain a run in flight finishes and nothing new starts; under freeze and halt it stops."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    with gate.run("a", "r1"):
        publish(tmp_path, 2, **on_a(a_hold(mode=mode)))
        if goes_on:
            assert gate.pause_point().reason == "let through: in flight, and H-1 drains"
            assert gate.check("a").state is GateState.CLEAR
        else:
            with pytest.raises(Paused):
                gate.pause_point()
            assert gate.check("a").state is GateState.PAUSED
    assert gate.check("a").state is GateState.PAUSED
    with pytest.raises(Paused), gate.run("a", "r2"):
        pytest.fail("it was let through")


def test_the_strongest_mode_counts(tmp_path: Path) -> None:
    """A drain beside a freeze stops a run in flight like a freeze."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    with gate.run("a", "r1"):
        publish(tmp_path, 2, **on_a(a_hold(mode="drain"), a_hold(hold_id="H-2")))
        with pytest.raises(Paused):
            gate.pause_point()


def narrow(folder: Path, seq: int = 2, **more: Any) -> TicketBook:
    """Publish a hold on `a` with a narrow restart of two runs, and make its book."""
    book = TicketBook(folder, "P-1", 2)
    (folder / "tickets").mkdir(parents=True, exist_ok=True)
    book.create()
    publish(folder, seq, **on_a(a_hold(probation=a_probation(**more))))
    return book


def test_a_narrow_restart_lets_its_number_of_runs_through(tmp_path: Path) -> None:
    """Two runs go through, the third is stopped; outside a run the automation stays PAUSED."""
    book = narrow(tmp_path)
    gate = a_gate(tmp_path)
    for run_id in ("r1", "r2"):
        with gate.run("a", run_id) as answer:
            assert answer.state is GateState.CLEAR
            assert gate.pause_point().state is GateState.CLEAR
        assert gate.check("a").state is GateState.PAUSED
    with pytest.raises(Paused, match="used its 2 runs"), gate.run("a", "r3"):
        pytest.fail("it was let through")
    assert [t.run_id for t in book.taken()] == ["r1", "r2"]


def test_the_same_run_comes_back_without_another_ticket(tmp_path: Path) -> None:
    """A run that starts again, also with an id that is no text, takes one ticket in all."""
    book = narrow(tmp_path)
    for gate in (a_gate(tmp_path), a_gate(tmp_path)):
        with gate.run("a", 7):  # type: ignore[arg-type] # callers without types pass numbers
            assert gate.pause_point().state is GateState.CLEAR
    assert [t.run_id for t in book.taken()] == ["7"]


def test_check_never_takes_a_ticket(tmp_path: Path) -> None:
    """Inside a run from before the hold `check` says PAUSED and takes nothing; a pause point takes one."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    with gate.run("a", "r1"):
        book = narrow(tmp_path)
        assert gate.check("a").state is GateState.PAUSED
        assert book.taken() == []
        assert gate.pause_point().state is GateState.CLEAR
        assert gate.check("a").state is GateState.CLEAR
        assert len(book.taken()) == 1


def test_a_ticket_is_spent_only_where_the_run_may_go_on(tmp_path: Path) -> None:
    """Under two holds with narrow restarts a run refused by one spends no ticket of the other."""
    free = narrow(tmp_path)
    used = TicketBook(tmp_path, "P-2", 1)
    used.create()
    used.take("a", "earlier", now=START)
    publish(
        tmp_path,
        3,
        **on_a(
            a_hold(probation=a_probation()),
            a_hold(hold_id="H-2", probation=a_probation("P-2", max_runs=1)),
        ),
    )
    with pytest.raises(Paused, match="P-2 has used"), a_gate(tmp_path).run("a", "r1"):
        pytest.fail("it was let through")
    assert free.taken() == []


def test_a_hold_without_narrow_restart_stops_all_the_same(tmp_path: Path) -> None:
    """A narrow restart on one hold opens nothing while a second hold stands beside it."""
    book = narrow(tmp_path)
    publish(tmp_path, 3, **on_a(a_hold(probation=a_probation()), a_hold(hold_id="H-2")))
    with pytest.raises(Paused), a_gate(tmp_path).run("a", "r1"):
        pytest.fail("it was let through")
    assert book.taken() == []


def test_the_end_of_a_narrow_restart_closes_it_for_good(tmp_path: Path) -> None:
    """After its end nothing goes through, not in another process and not with the clock set back."""
    narrow(tmp_path, until="2026-11-20T09:40:00Z")
    clock = SetClock(START + timedelta(minutes=5))
    gate = Gate(tmp_path, clock=clock)
    with gate.run("a", "r1"):
        clock.move(600)
        with pytest.raises(Paused, match="ended at"):
            gate.pause_point()
    clock.move(-600)
    for asked in (gate, Gate(tmp_path, clock=clock)):
        with pytest.raises(Paused, match="ended at"), asked.run("a", "r1"):
            pytest.fail("time has opened it")


def test_a_gate_that_cannot_write_the_end_down_still_remembers_it(tmp_path: Path) -> None:
    """Where the book cannot be closed the gate's own memory keeps the narrow restart closed."""
    book = narrow(tmp_path, until="2026-11-20T09:40:00Z")
    clock = SetClock(START + timedelta(minutes=20))
    gate = Gate(tmp_path, clock=clock)
    book.path.unlink()
    with pytest.raises(Paused), gate.run("a", "r1"):
        pytest.fail("it was let through")
    book.create()
    clock.move(-900)
    with pytest.raises(Paused, match="ended at"), gate.run("a", "r1"):
        pytest.fail("time has opened it")


def test_the_time_of_the_publication_counts_where_the_clock_is_behind(tmp_path: Path) -> None:
    """A clock set back behind what the store said last does not prolong a narrow restart."""
    narrow(tmp_path, until="2026-11-20T09:30:00Z")
    with pytest.raises(Paused, match="ended at"), a_gate(tmp_path, -3600).run("a", "r1"):
        pytest.fail("time has opened it")


def test_a_missing_book_opens_nothing(tmp_path: Path) -> None:
    """Where the tickets are gone the narrow restart lets nothing through."""
    narrow(tmp_path).path.unlink()
    with pytest.raises(Paused, match="cannot be read"), a_gate(tmp_path).run("a", "r1"):
        pytest.fail("it was let through")


def test_a_process_says_what_it_has_seen_and_runs(tmp_path: Path) -> None:
    """Asking and running leave the position and the run in the gate folder, for the pause to confirm."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    with gate.run("a", "r1"):
        (found,) = read_presences(tmp_path)["a"]
        assert (found.seen_seq, found.in_flight) == (1, ("r1",))
        publish(tmp_path, 2, **on_a(a_hold()))
        with pytest.raises(Paused):
            gate.pause_point()
    (found,) = read_presences(tmp_path)["a"]
    assert (found.seen_seq, found.in_flight) == (2, ())


def test_a_forked_child_is_not_stopped_by_a_lock_of_its_parent(tmp_path: Path) -> None:
    """A child forked while another thread asks gets an answer: the lock is made anew in it."""
    publish(tmp_path)
    gate = a_gate(tmp_path)
    gate.check("a")
    with gate._lock, gate._presence._lock:
        child = os.fork()
        if child == 0:
            restat(gate)
            os._exit(0 if gate.check("a").state is GateState.CLEAR else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_never_get_a_stale_clear(tmp_path: Path) -> None:
    """While a writer pauses and releases, no thread gets CLEAR for a position that was held (I14)."""
    held = {seq for seq in range(2, 200) if seq % 2 == 0}
    publisher = publish(tmp_path)
    gate = a_gate(tmp_path)
    wrong: list[Any] = []
    acknowledged, is_over = [1], threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            before = acknowledged[0]
            answer = gate.check("a")
            if answer.state is GateState.UNKNOWN:
                continue
            seq = answer.as_of_seq or 0
            if (answer.state is GateState.PAUSED) != (seq in held) or seq < before:
                wrong.append((before, answer))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for seq in range(2, 200):
        publisher.begin(seq)
        holds = [a_hold()] if seq in held else []
        publisher.complete(a_document(seq, automations={"a": holds}))
        acknowledged[0] = seq
    is_over.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_gate_that_ignores_the_epoch_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seeded fault: a gate that keeps its cache over an odd or moved epoch says a stale CLEAR."""
    monkeypatch.setattr(view.View, "is_current", True)
    publish(tmp_path)
    gate = a_gate(tmp_path)
    assert gate.check("a").state is GateState.CLEAR
    Publisher(tmp_path, "st-1").begin(2)
    assert gate.check("a").state is GateState.CLEAR
    publish(tmp_path, 2, **on_a(a_hold()))
    assert gate.check("a").state is GateState.CLEAR
    monkeypatch.undo()
    assert gate.check("a").state is GateState.PAUSED


def test_a_position_that_is_new_is_noted_at_once(tmp_path: Path) -> None:
    """However lately it asked, the first question after a publication says that the process has seen it."""
    publish(tmp_path, 4, **on_a())
    gate = a_gate(tmp_path)
    for seq in (4, 5, 6):
        publish(tmp_path, seq, **on_a())
        assert [gate.check("a").as_of_seq for _ in range(3)] == [seq] * 3
        (said,) = read_presences(tmp_path)["a"]
        assert said.seen_seq == seq


def test_an_effect_that_is_none_is_refused_however_often(tmp_path: Path) -> None:
    """The quick way of a repeated question looks at the effect as well."""
    publish(tmp_path, 4, **on_a())
    gate = a_gate(tmp_path)
    gate.check("a")
    for _ in range(3):
        with pytest.raises(ValueError, match="effect is 'write' or 'read'"):
            gate.check("a", "delete")  # type: ignore[arg-type]

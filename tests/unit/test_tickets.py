"""A narrow restart lets exactly its number of runs through, whoever counts and whoever dies."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workbench import tickets
from workbench.tickets import TicketBook, TicketFault

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def a_book(folder: Path, max_runs: int = 3) -> TicketBook:
    """Make the book of a narrow restart as the store does."""
    book = TicketBook(folder, "P-1", max_runs)
    book.create()
    return book


def take_many(folder: Path, name: str, count: int) -> int:
    """Take tickets for many runs and return how many there were."""
    book = TicketBook(folder, "P-1", 20)
    return sum(book.take("a", f"{name}-{n}", now=NOW) == "" for n in range(count))


def test_each_run_takes_one_ticket_and_the_next_is_refused(tmp_path: Path) -> None:
    """After its number of runs the book is used up and says so."""
    book = a_book(tmp_path, 2)
    assert [book.take("a", run, now=NOW) for run in ("r1", "r2")] == ["", ""]
    assert book.take("a", "r3", now=NOW) == "the narrow restart P-1 has used its 2 runs"
    assert [t.run_id for t in book.taken()] == ["r1", "r2"]


def test_the_same_run_gets_its_ticket_again(tmp_path: Path) -> None:
    """Asking again for one run takes nothing more, even when the book is used up."""
    book = a_book(tmp_path, 1)
    assert [book.take("a", "r1", now=NOW) for _ in range(3)] == ["", "", ""]
    assert len(book.taken()) == 1


def test_run_ids_of_two_automations_are_apart(tmp_path: Path) -> None:
    """The same run id at another automation is another run."""
    book = a_book(tmp_path, 1)
    assert book.take("a", "r1", now=NOW) == ""
    assert "used its 1 runs" in book.take("b", "r1", now=NOW)


def test_processes_together_get_exactly_the_number(tmp_path: Path) -> None:
    """Four processes that race for twenty tickets get twenty between them."""
    a_book(tmp_path, 20)
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        found = pool.starmap(take_many, [(tmp_path, f"p{n}", 15) for n in range(4)])
    assert sum(found) == 20
    assert len(TicketBook(tmp_path, "P-1", 20).taken()) == 20


def test_threads_together_get_exactly_the_number(tmp_path: Path) -> None:
    """Eight threads of one process that race for twenty tickets get twenty between them."""
    a_book(tmp_path, 20)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(take_many(tmp_path, f"t{n}", 10)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 20


def test_a_missing_file_gives_no_fresh_tickets(tmp_path: Path) -> None:
    """Where somebody took the file away nothing is let through."""
    book = a_book(tmp_path)
    book.path.unlink()
    for ask in (lambda: book.take("a", "r", now=NOW), book.taken, book.why_closed):
        with pytest.raises(TicketFault, match="cannot be read"):
            ask()
    assert not book.path.exists()


@pytest.mark.parametrize(
    "rest", [b'{"run_id": "r9"', b"\xff\xfe", b"[" * 5000, b"5", b"null", b'"x"']
)
def test_a_line_cut_off_by_a_kill_counts_as_taken(tmp_path: Path, rest: bytes) -> None:
    """Half a line stands for a ticket nobody can name: too few runs rather than too many."""
    book = a_book(tmp_path, 2)
    book.take("a", "r1", now=NOW)
    with open(book.path, "ab") as file:
        file.write(rest)
    assert "used its 2 runs" in book.take("a", "r2", now=NOW)
    assert book.take("a", "r1", now=NOW) == ""
    bigger = TicketBook(tmp_path, "P-1", 3)
    assert bigger.take("a", "r2", now=NOW) == ""
    assert [t.run_id for t in bigger.taken()][-1] == "r2"
    assert len(bigger.taken()) == 3


def test_a_closed_book_stays_closed(tmp_path: Path) -> None:
    """Once somebody saw its end reached nothing opens it, not even for a run that holds a ticket."""
    book = a_book(tmp_path)
    book.take("a", "r1", now=NOW)
    book.close("ended at noon", now=NOW)
    book.close("ended again", now=NOW)
    assert book.take("a", "r1", now=NOW) == "ended at noon"
    assert book.take("a", "r2", now=NOW) == "ended at noon"
    assert (book.why_closed(), book.refusal("a", "r3")) == ("ended at noon", "ended at noon")
    assert not book.has_ticket("a", "r1")
    assert [t.run_id for t in book.taken()] == ["r1"]


def test_looking_takes_nothing(tmp_path: Path) -> None:
    """Asking what would happen, or what was taken, leaves the file as it was."""
    book = a_book(tmp_path, 1)
    assert (book.refusal("a", "r1"), book.has_ticket("a", "r1"), book.taken()) == ("", False, [])
    assert book.path.read_bytes() == b""
    book.take("a", "r1", now=NOW)
    before = book.path.read_bytes()
    assert (book.refusal("a", "r1"), book.has_ticket("a", "r1")) == ("", True)
    assert "used" in book.refusal("a", "r2")
    assert book.path.read_bytes() == before


def test_nobody_waits_for_a_process_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process that holds the lock lets no run through and keeps no reader waiting."""
    monkeypatch.setattr(tickets, "LOCK_WAIT_SECONDS", 0.05)
    book = a_book(tmp_path)
    book.take("a", "r1", now=NOW)
    with open(book.path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert [t.run_id for t in book.taken()] == ["r1"]
        assert book.why_closed() == ""
        with pytest.raises(TicketFault, match="locked by another"):
            book.take("a", "r2", now=NOW)
    assert book.take("a", "r2", now=NOW) == ""


def test_a_ticket_is_durable_before_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the ticket cannot be made durable the run is not let through."""
    book = a_book(tmp_path)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TicketFault, match="No space left"):
        book.take("a", "r1", now=NOW)


def test_making_a_book_twice_keeps_its_tickets(tmp_path: Path) -> None:
    """A command that is repeated hands out no fresh tickets."""
    book = a_book(tmp_path, 1)
    book.take("a", "r1", now=NOW)
    book.create()
    assert len(book.taken()) == 1

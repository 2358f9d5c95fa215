"""Addresses of roles are private, and how a sending went is said without them."""

from __future__ import annotations

import logging
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver import TOKEN, Receiver, receiving
from workbench.errors import BadSettings
from workbench.notify import AddressBook, read_book, send, unknown_addresses


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs while the test does."""
    with receiving() as found:
        yield found


def a_book(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of addresses."""
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_book_is_read(tmp_path: Path) -> None:
    """One address or several for a role; without a file there are none, and nothing of it is shown."""
    path = tmp_path / "notify.toml"
    assert not read_book(path).is_there
    book = read_book(
        a_book(path, '[roles]\na = "json://h/x"\nb = ["json://h/y", "json://h/z"]\nc = []\n')
    )
    assert dict(book.addresses) == {"a": ("json://h/x",), "b": ("json://h/y", "json://h/z")}
    assert "json" not in repr(book)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_book_that_is_open_to_others_is_not_used(tmp_path: Path, mode: int) -> None:
    """Its mode is said, and how to mend it."""
    path = a_book(tmp_path / "notify.toml", f'[roles]\na = "json://{TOKEN}"\n', mode)
    with pytest.raises(BadSettings, match=f"mode {mode:04o}") as refused:
        read_book(path)
    assert "chmod 600" in refused.value.then


@pytest.mark.parametrize(
    "text",
    [
        f"[roles]\na = json://{TOKEN}\n",
        f'[roles]\na = "json://{TOKEN}',
        f'[roles]\n"json://{TOKEN}" = "a"\n',
        f'[roles]\na = 7\nb = "json://{TOKEN}"\n',
        f'[roles]\na = ["", "json://{TOKEN}"]\n',
        f'a = "json://{TOKEN}"\n',
        f'roles = "json://{TOKEN}"\n',
        f'[roles]\na = "json://{TOKEN}"\na = "json://{TOKEN}"\n',
    ],
)
def test_a_book_that_is_none_quotes_no_address(tmp_path: Path, text: str) -> None:
    """Where it is wrong is said, and nothing that stands in it, not even by the cause of the error."""
    with pytest.raises(BadSettings) as refused:
        read_book(a_book(tmp_path / "notify.toml", text))
    assert TOKEN not in f"{refused.value.message}{refused.value.then}{refused.value.__cause__!r}"


def test_a_message_comes_with_its_text(receiver: Receiver) -> None:
    """A service that takes it has title and body as they are."""
    sent = send([receiver.address("a")], title="Streak", body="one\ntwo <b>")
    assert (sent.is_taken, sent.is_open, sent.why) == (True, False, "")
    (role, body) = receiver.got[0]
    assert (role, body["title"], body["message"]) == ("a", "Streak", "one\ntwo <b>")


def test_an_answer_that_is_no_yes_is_said_by_its_number(receiver: Receiver) -> None:
    """It surely did not come; one of two addresses that took it is enough, and the other is still said."""
    receiver.status["a"] = 403
    refused = send([receiver.address("a")], title="t", body="b")
    assert (refused.is_taken, refused.is_open, refused.why) == (
        False,
        False,
        "the service answered 403",
    )
    both = send([receiver.address("a"), receiver.address("b")], title="t", body="b")
    assert (both.is_taken, both.why) == (True, "the service answered 403")


@pytest.mark.parametrize(
    "body",
    ["3 of 4 runs failed: connection refused", "error=403 of host", "name\nerror=403\nrefused"],
)
def test_our_own_words_are_no_answer(receiver: Receiver, body: str) -> None:
    """A message that speaks of refusals and errors, taken without an answer, may have come."""

    def break_off(_: str) -> None:
        raise ConnectionAbortedError

    receiver.at_each = break_off
    sent = send([receiver.address("a")], title=body, body=body)
    assert (sent.is_taken, sent.is_open, len(receiver.got)) == (False, True, 1)


@pytest.mark.parametrize(
    ("status", "is_open"), [(503, True), (500, True), (408, True), (429, False)]
)
def test_an_answer_of_what_stands_between_leaves_it_open(
    receiver: Receiver, status: int, is_open: bool
) -> None:
    """A service that was given up on may have taken it; one that says there were too many did not."""
    receiver.status["a"] = status
    sent = send([receiver.address("a")], title="t", body="b")
    assert (sent.is_open, sent.why) == (is_open, f"the service answered {status}")


def test_nobody_there_is_told_from_no_answer(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A closed port surely took nothing; a connection that ends without an answer may have. Nothing is logged."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"json://x:{TOKEN}@127.0.0.1:{closed.getsockname()[1]}"
        away = send([address], title="t", body="b")
    assert (away.is_taken, away.is_open, away.why) == (
        False,
        False,
        "the service could not be reached",
    )

    def break_off(_: str) -> None:
        raise ConnectionAbortedError

    receiver.at_each = break_off
    silent = send([receiver.address("a")], title="t", body="b")
    assert (silent.is_taken, silent.is_open) == (False, True)
    assert TOKEN not in silent.why
    send([f"nothing-known://{TOKEN}"], title="t", body="b")
    assert caplog.records == [r for r in caplog.records if not r.name.startswith("apprise")]
    assert TOKEN not in "".join(capfd.readouterr())
    assert logging.getLogger("apprise").propagate


def test_two_that_send_at_once_leave_logger_and_warnings_as_they_were(receiver: Receiver) -> None:
    """The second waits for the first to end: overlapped, the one would put back what the other had put there."""
    logger = logging.getLogger("apprise")
    send([receiver.address("a")], title="t", body="b")  # loaded
    before = logger.level, list(logger.handlers), logger.propagate
    filters, seen = warnings.filters, []
    is_second_on = threading.Event()

    def other() -> None:
        is_second_on.set()
        send([receiver.address("b")], title="t", body="b")

    second = threading.Thread(target=other)

    def begin_another(role: str) -> None:
        seen.append((role, len(receiver.got)))
        assert warnings.filters is filters
        if role == "a":
            second.start()
            assert is_second_on.wait(60)
            second.join(0.3)
            seen.append(("a ends", len(receiver.got)))

    receiver.at_each = begin_another
    assert send([receiver.address("a")], title="t", body="b").is_taken
    second.join(60)
    assert [role for role, _ in seen] == ["a", "a ends", "b"]
    assert (logger.level, list(logger.handlers), logger.propagate) == before


def test_an_address_of_no_service_is_named_by_its_place() -> None:
    """Role and place in its list, never the address."""
    book = AddressBook(
        {"a": ("json://h/x", f"nothing-known://{TOKEN}"), "b": (TOKEN,)}, is_there=True
    )
    assert unknown_addresses(book) == ["a, address 2", "b, address 1"]
    assert send([TOKEN], title="t", body="b").why == "an address is none that Apprise can use"

"""`serve` looks for what fires beside the delivery; whatever goes wrong there, engines are delivered to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cli.ground import a_store as a_small_store
from tests.cli.ground import events, run, usage
from tests.cli.test_triggers import calm, load
from tests.delivery.shell import a_fleet
from tests.delivery.test_command_line import paused
from tests.engines.fake_engine import FakeEngine
from tests.receiver import receiving
from workbench import noticing
from workbench.cli import serve as serve_command
from workbench.cli.watching import leave, watch_beside
from workbench.clock import SystemClock
from workbench.control import open_control
from workbench.delivery.fleet import Fleet
from workbench.delivery.serving import serve
from workbench.engines.addresses import read_addresses
from workbench.errors import BadSettings, WarehouseError
from workbench.noticing import Noticed
from workbench.settings import Settings
from workbench.warehouse.connection import connect


def wait_for(question: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def serving(said: list[str]) -> Iterator[None]:
    """Serve as the command does, with looks in quick succession, while the block lasts."""
    settings, over = Settings.from_environment(), threading.Event()
    store = open_control(settings).store
    fleet = Fleet(read_addresses(settings.engines_file), store, SystemClock())

    def go_on() -> None:
        with serve_command._looking(settings, over, period_seconds=0.05), fleet:
            serve(fleet, over, say=said.append, period_seconds=3600)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()


def delivers(engine: FakeEngine) -> bool:
    """Tell whether a hold that is placed now reaches the engine."""
    assert run("pause", "category=commerce", "-r", "x", "-y", "--no-wait").code in (0, 10)
    wait_for(lambda: paused(engine) >= {"orders", "invoices"})
    return True


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("a defect"),
        MemoryError(),
        WarehouseError("The warehouse is away."),
        BadSettings("The key is open to others."),
        OSError("disk"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_a_look_that_fails_stops_no_delivery(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again and again meanwhile, and a hold is delivered after several failures."""
    tries: list[int] = []

    def fail(*_: object) -> None:
        tries.append(1)
        raise failure

    monkeypatch.setattr(noticing, "look_once", fail)
    engine = a_fleet(monkeypatch)
    with serving([]):
        wait_for(lambda: len(tries) > 2)
        assert delivers(engine)


def test_what_goes_wrong_in_a_look_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same failure is one line, however often it comes; after a look that went well it is said anew."""
    a_small_store()
    odd, key = RuntimeError("odd"), BadSettings("The key is open.")
    looks = [odd, odd, key, Noticed((), ()), key, key]
    over = threading.Event()

    def look(*_: object) -> Noticed:
        found = looks.pop(0)
        if not looks:
            over.set()
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(noticing, "look_once", look)
    said: list[str] = []
    watch_beside(Settings.from_environment(), over, period_seconds=0.01, say=said.append).join(60)
    assert said == [
        "CANNOT LOOK: RuntimeError('odd')",
        "CANNOT LOOK: The key is open.",
        "CANNOT LOOK: The key is open.",
    ]


def test_a_look_that_hangs_stops_neither_delivery_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A service that takes its time with a message is left behind at the end."""
    hangs, let_go = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hangs.set()
        let_go.wait(120)
        raise WarehouseError("It is over.")

    monkeypatch.setattr(noticing, "look_once", hang)
    monkeypatch.setattr(serve_command, "LEAVE_SECONDS", 0.1)
    engine = a_fleet(monkeypatch)
    try:
        with serving([]):
            assert hangs.wait(60)
            assert delivers(engine)
    finally:
        let_go.set()
        for thread in threading.enumerate():
            if thread.name == "triggers":
                thread.join(60)


def test_a_look_in_a_long_query_is_ended_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The query is interrupted: still running at the very end it would abort the program."""
    asks = threading.Event()

    def ask(*_: object) -> None:
        connection = connect()
        asks.set()
        while True:
            connection.execute(
                "select sum(a.range * b.range % 7) from range(100000) a, range(100000) b"
            )

    monkeypatch.setattr(noticing, "look_once", ask)
    a_small_store()
    over = threading.Event()
    looking = watch_beside(
        Settings.from_environment(), over, period_seconds=3600, say=lambda _: None
    )
    assert asks.wait(60)
    over.set()
    looking.join(0.1)
    assert looking.is_alive()
    leave(looking, over, seconds=5)
    assert not looking.is_alive()


def test_serve_looks_and_tells() -> None:
    """With its engine away, the owner is told of what fires, and that it is over, once each; it ends with 0 at a signal."""
    a_small_store()
    settings = Settings.from_environment()
    settings.engines_file.parent.mkdir(parents=True, exist_ok=True)
    settings.engines_file.write_text(
        '[engines.main]\nkind = "prefect"\nurl = "http://127.0.0.1:9/api"\n'
    )
    load(calm(invoice_triage="s" * 10 + "f" * 5))
    words = [sys.executable, "-m", "workbench", "serve", "--triggers-period", "1"]
    with receiving() as receiver:
        receiver.write_book(settings.notify_file, "agent-owner", "ops-lead")
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ.copy())
        try:
            wait_for(lambda: bool(events("notice.end")))
            load(calm(), batch="b")
            wait_for(lambda: bool(events("trigger.clear")) and len(receiver.roles) > 1)
            child.send_signal(signal.SIGTERM)
            out, _ = child.communicate(timeout=60)
        finally:
            child.kill()
            child.wait()
    assert child.returncode == 0
    assert receiver.roles == ["agent-owner", "agent-owner"]
    assert "FIRES  automation=invoice-triage  failure_streak" in out
    assert "over  automation=invoice-triage  failure_streak" in out


def test_the_unit_looks_at_its_usual_period() -> None:
    """A period of its own beside --unit is refused; its help says what 0 does."""
    usage(run("serve", "--unit", "user", "--triggers-period", "5"))
    assert "0 leaves them to" in " ".join(run("serve", "--help").out.split())
    assert "reconciling and triggers" in run("serve", "--unit", "user").out

"""The ground of the command line's tests: a small store, its registry, and commands run in this process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from workbench.cli import main
from workbench.clock import FixedClock, SystemClock, from_text
from workbench.control import Control, open_control
from workbench.control.deciding import DecideRequest, ReportEntry
from workbench.gate import Gate
from workbench.records import Decision, Event, ReportRef, VerdictKind
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store
from workbench.store.keeping import close_kept
from workbench.warehouse import Warehouse, Watermark

AGENTS = "kind=agent,provider=acme-llm"
AGENT_IDS = ("invoice-triage", "ticket-reply")
RECORDED = "2026-11-20T09:30:00Z"
"""An instant for WORKBENCH_CLOCK."""
HOSTILE = "\x1b[2J\x1b]0;all clear\x07\u202ederorrim\u202c\r\nlog head 99 all is well\x9b31m"
"""A reason that clears the screen, sets the title, reverses text and poses as a line of ours."""
OBEYED = ("\x1b", "\x07", "\x9b", "\r", "\u202e", "\u202c")
"""Characters that a terminal obeys."""

REGISTRY = """\
[owners.ops-lead]
members = ["duty officer"]
deputy = "support-lead"
contact = "pager 7"
[owners.support-lead]
contact = "support desk"
[owners.agent-owner]

[categories.commerce]
owner = "ops-lead"
restart_owner = "ops-lead"
[categories.support]
owner = "support-lead"

[automations.invoice-triage]
kind = "agent"
category = "commerce"
environment = "staging"
owner = "agent-owner"
provider = "acme-llm"
tools = ["stripe", "mail"]
title = "Sorts invoices"
asks_gate = true
expected_interval_seconds = 300
cleanup = ["void half-made drafts", "tell the finance desk"]
[automations.invoice-triage.checklist]
trigger = "each new invoice"
input_data = "invoice inbox"
output = "a booked draft"
approval_requirement = "above 500"
retry_behaviour = "three times"
failure_notification = "pager 7"
kill_switch = "workbench pause"

[automations.ticket-reply]
kind = "agent"
category = "support"
environment = "staging"
provider = "acme-llm"
asks_gate = true

[automations.order-sync]
kind = "workflow"
category = "commerce"
environment = "staging"
asks_gate = true

[automations.price-lookup]
kind = "custom_tool"
category = "commerce"
environment = "staging"
provider = "acme-llm"
tools = ["shop"]
"""
"""Three automations that ask the gate and one, price-lookup, that does not; support names no restart owner."""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything it printed, wherever."""
        return self.out + self.err


class Terminal(io.StringIO):
    """A keyboard with somebody at it, who types what was given."""

    def isatty(self) -> bool:
        return True


def run(*words: str, typed: str | None = None) -> Result:
    """Run one command in this process; `typed` is what somebody at a terminal answers."""
    out, err = io.StringIO(), io.StringIO()
    keyboard = io.StringIO() if typed is None else Terminal(typed)
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", keyboard),
    ):
        try:
            main(list(words))
        except SystemExit as stopped:
            code = stopped.code
    return Result(int(code or 0), out.getvalue(), err.getvalue())


def refused(result: Result, code: int, *parts: str) -> None:
    """Assert a refusal: its code, one sentence on the error stream with these parts, and a next step."""
    assert result.code == code, result.said
    first, *rest = result.err.splitlines()
    assert first.startswith("workbench: "), result.err
    assert "Traceback" not in result.err
    assert any(line.startswith("    next: ") for line in rest), result.err
    for part in parts:
        assert part in result.err, f"{part!r} is not in {result.err!r}"


def usage(result: Result, *parts: str) -> None:
    """Assert that click refused the words of the command, with exit code 2."""
    assert result.code == 2, result.said
    assert result.out == ""
    for part in parts:
        assert part in result.err, f"{part!r} is not in {result.err!r}"


def inert(result: Result) -> None:
    """Assert that nothing printed moves the cursor, and that no line is forged."""
    assert not [c for c in OBEYED if c in result.said], repr(result.said)
    assert not [line for line in result.said.splitlines() if line.startswith("log head 99")]


def a_store(environment: str = "staging", registry: str = REGISTRY) -> Control:
    """Put a store where the settings point, with a registry applied, and open it."""
    settings = Settings.from_environment()
    pattern = _pattern(environment, registry)
    shutil.copytree(pattern / "store", settings.store)
    shutil.copytree(pattern / "gate", settings.gate)
    return open_control(settings)


@functools.cache
def _pattern(environment: str, registry: str) -> Path:
    """Make a store once for all tests that begin with the same; copies of it are stores of their own."""
    root = Path(tempfile.mkdtemp(prefix="pattern-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    settings = Settings(root / "store", root / "gate", root / "home")
    init_store(settings, SystemClock(), environment=environment, actor="os:test (unverified)")
    if registry:
        path = root / "automations.toml"
        path.write_text(registry, encoding="utf-8")
        open_control(settings).apply_registry(read_registry(path))
    close_kept()  # a copy of a store that is open now may miss the log that is removed meanwhile
    return root


def a_registry_file(text: str = REGISTRY) -> Path:
    """Write a registry beside the store and return its path."""
    path = Settings.from_environment().store.parent / "automations.toml"
    path.write_text(text, encoding="utf-8")
    return path


def a_hold(scope: str = AGENTS, reason: str = "wrong amounts", **options: str) -> str:
    """Pause by the command line and return the hold's id."""
    more = [word for name, value in options.items() for word in (f"--{name}", value)]
    found = run("pause", scope, "-r", reason, "--yes", "--no-wait", "--json", *more)
    assert found.code in (0, 10), found.said
    return str(found.document["hold_id"])


def a_report(
    hold_id: str = "H-1",
    verdict: VerdictKind = VerdictKind.RESTART_NARROW,
    *,
    ids: tuple[str, ...] = (*AGENT_IDS, "price-lookup"),
    is_complete: bool = True,
    reason: str = "few runs",
) -> ReportRef:
    """Record a report about a hold, as a finished review does."""
    control = open_control(Settings.from_environment())
    head = control.head_note()
    entry = ReportEntry(
        name="restart-decision",
        hold_id=hold_id,
        verdict=verdict,
        is_complete=is_complete,
        digest="d" * 64,
        automation_ids=ids,
        manifest_version=1,
        log_seq=head.seq,
        log_hash=head.hash,
        as_of=control.clock.now(),
        reason=reason,
    )
    return control.record_report(entry)


def a_decision(
    hold_id: str = "H-1",
    verdict: VerdictKind = VerdictKind.RESTART_NARROW,
    ids: tuple[str, ...] = AGENT_IDS,
) -> Decision:
    """Record a report about a hold and a person's agreement with it, then load what happened since."""
    report = a_report(hold_id, verdict, ids=ids)
    made = open_control(Settings.from_environment()).decide(DecideRequest(report.report_id))
    a_sync(*ids)
    return made


def a_sync(*automation_ids: str, source_id: str = "prefect") -> None:
    """Put one run of each automation into the warehouse, and that its source is loaded until now, as a sync does."""
    settings = Settings.from_environment()
    now = settings.clock().now()
    rows = [
        {
            "source_id": source_id,
            "run_id": f"run-of-{automation_id}",
            "automation_id": automation_id,
            "environment": "staging",
            "kind": "agent",
            "category": "commerce",
            "engine": "prefect",
            "status": "succeeded",
            "first_seen_at": now - timedelta(hours=1),
            "updated_at": now - timedelta(hours=1),
        }
        for automation_id in automation_ids
    ]
    marks = [Watermark(source_id, table, now, now) for table in ("run", "step")]
    Warehouse.open(settings.home, settings.clock()).put_rows({"run": rows}, watermarks=marks)


def events(action: str = "") -> list[Event]:
    """Return the stored events, or those of one action."""
    settings = Settings.from_environment()
    found = open_control(settings, FixedClock(from_text(RECORDED))).store.events()
    return [event for event in found if action in ("", event.action)]


def last_seq() -> int:
    """Return the number of the newest event."""
    return events()[-1].seq


_PLAIN_TABLE = (
    "create table plain as select seq, prev_hash, hash, body from event",
    "drop table event",
    "alter table plain rename to event",
)
"""Statements after which anything can stand in the log: no trigger, check or computed column is left."""


def alter(*statements: str) -> None:
    """Do to the store's file what somebody with a SQLite shell could do."""
    connection = sqlite3.connect(Settings.from_environment().store / "store.sqlite")
    try:
        for name in ("event_no_update", "event_no_delete", "event_in_order"):
            connection.execute(f"drop trigger if exists {name}")
        for statement in (*_PLAIN_TABLE, *statements):
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def block_gate() -> None:
    """Let a file stand where the gate folder must be made, so that nothing can be published."""
    gate = Settings.from_environment().gate
    if gate.exists():
        gate.rename(gate.with_name("gate-moved"))
    gate.write_text("not a folder", encoding="utf-8")


@contextlib.contextmanager
def asking(*automation_ids: str) -> Iterator[Gate]:
    """Let automations of this process ask the gate all the time, as running ones do."""
    gate, is_over = Gate(Settings.from_environment().gate), threading.Event()

    def ask() -> None:
        while not is_over.wait(0.005):
            for automation_id in automation_ids:
                gate.check(automation_id)

    for automation_id in automation_ids:
        gate.check(automation_id)
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        is_over.set()
        thread.join()

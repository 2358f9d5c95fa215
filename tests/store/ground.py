"""A small real store under a folder, and the shortest ways to pause, report and decide in it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from workbench.clock import Clock, FixedClock
from workbench.control import Control
from workbench.control.deciding import DecideRequest, ReportEntry
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.control.views import PauseReceipt
from workbench.evidence import Evidence, EvidenceQuestion, EvidenceReader, SourceMark
from workbench.records import Automation, Category, Decision, Owner, ReportRef, VerdictKind
from workbench.registry import Registry
from workbench.settings import Settings, store_url
from workbench.store import Store, init_store
from workbench.store.sqlite import SqliteBackend

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CLOCK = FixedClock(START)
AGENTS = ("invoice-triage", "product-copy", "ticket-reply")
WORKFLOWS = ("order-sync", "stock-watch")


@dataclass
class SetClock:
    """A clock that a test sets, forward and backward."""

    at: datetime = START

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self.at

    def move(self, seconds: float) -> None:
        """Move the clock; a negative number sets it back."""
        self.at += timedelta(seconds=seconds)


DATABASE_FILE = "database-url"
"""Lies in a folder whose store is in a PostgreSQL database, so that other processes find it too."""


def settings_in(root: Path) -> Settings:
    """Return settings with store, gate and home under one folder, or with the store in its database."""
    named = root / DATABASE_FILE
    url = store_url(named.read_text()) if named.exists() else None
    return Settings(root / "store", root / "gate", root / "home", store_url=url)


def an_automation(automation_id: str, kind: str = "agent", **more: Any) -> Automation:
    """Return an automation of the commerce category that asks the gate, unless told otherwise."""
    values = {"category": "commerce", "environment": "staging", "owner": "ops-lead"}
    return Automation(automation_id, kind, **({"asks_gate": True} | values | more))


def a_registry(automations: Iterable[Automation] = ()) -> Registry:
    """Return one owner, two categories and the given automations, by default three agents and two others."""
    found = list(automations) or [
        *(an_automation(name, provider="acme-llm") for name in AGENTS),
        an_automation("order-sync", "workflow"),
        an_automation("stock-watch", "watcher", category="support"),
    ]
    categories = {name: Category(name, "ops-lead", "ops-lead") for name in ("commerce", "support")}
    owners = {"ops-lead": Owner("ops-lead", ("ann", "bo"), "", "pager")}
    return Registry(owners, categories, {a.automation_id: a for a in found})


def a_store(root: Path, clock: Clock | None = None, environment: str = "staging") -> Store:
    """Make an empty store."""
    used = clock or FixedClock(START)
    return init_store(settings_in(root), used, environment=environment, actor="os:test")


def loaded_by(clock: Clock) -> EvidenceReader:
    """Return what a caller brings along whose one source tells of every automation, loaded until now by a clock."""

    def read(question: EvidenceQuestion) -> Evidence:
        mark = SourceMark("engine", "run", clock.now(), "`workbench sync prefect`")
        return Evidence(question.automation_ids, (mark,))

    return read


def a_control(
    root: Path, clock: Clock | None = None, automations: Iterable[Automation] = ()
) -> Control:
    """Make a store with a registry applied and return the way to command it."""
    used = clock or FixedClock(START)
    control = Control(a_store(root, used), used, evidence=loaded_by(used))
    control.apply_registry(a_registry(automations))
    return control


def pause(control: Control, scope: str = "kind=agent", **more: Any) -> PauseReceipt:
    """Place a hold without waiting for anybody."""
    command_id = more.pop("command_id", None)
    request = PauseRequest(scope, more.pop("reason", "wrong amounts"), **more)
    return control.pause(request, command_id=command_id, wait_seconds=0)


def delivered(store: Store) -> set[str]:
    """Return the holds that are noted as published to the gate."""
    return {h for hold in store.state().holds.values() for h in store.delivered(hold)}


def break_glass(hold_id: str, only: str | None = None, runs: int | None = None, **more: Any) -> Any:
    """Return a request to resume without a decision."""
    return ResumeRequest(
        hold_id, only, runs, **({"break_glass_reason": "the customer waits"} | more)
    )


def a_report(
    control: Control,
    hold_id: str,
    verdict: VerdictKind = VerdictKind.RESTART_NARROW,
    ids: Iterable[str] = AGENTS,
    **more: Any,
) -> ReportRef:
    """Record a report about a hold."""
    head = control.head_note()
    entry = ReportEntry(
        name=more.pop("name", "restart-decision"),
        hold_id=hold_id,
        verdict=verdict,
        is_complete=more.pop("is_complete", True),
        digest="d" * 64,
        automation_ids=tuple(ids),
        manifest_version=3,
        log_seq=head.seq,
        log_hash=head.hash,
        as_of=more.pop("as_of", control.clock.now()),
        **more,
    )
    return control.record_report(entry)


def a_decision(
    control: Control,
    hold_id: str,
    verdict: VerdictKind = VerdictKind.RESTART_NARROW,
    ids: Iterable[str] = AGENTS,
) -> Decision:
    """Record a report and a decision that accepts its verdict."""
    report = a_report(control, hold_id, verdict, ids)
    return control.decide(DecideRequest(report.report_id))


def file_of(store: Store) -> Path:
    """Return the file of a store that is in one."""
    assert isinstance(store.backend, SqliteBackend)
    return store.backend.path


def raw_sql(store: Store, *statements: str, without_triggers: bool = True) -> None:
    """Do to the file what somebody with a SQLite shell could do."""
    connection = apsw.Connection(str(file_of(store)))
    try:
        if without_triggers:
            for name in ("event_no_update", "event_no_delete", "event_in_order"):
                connection.cursor().execute(f"drop trigger if exists {name}")
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        connection.close()


PLAIN_TABLE = (
    "create table plain as select seq, prev_hash, hash, body from event",
    "drop table event",
    "alter table plain rename to event",
)
"""Statements after which the log is a table without triggers or checks, so that anything can stand in it."""


ASKER = """
import sys, time
from workbench.gate import Gate, Paused, Unknown
gate = Gate(sys.argv[1])
print("up", flush=True)
for turn in range(100000):
    try:
        with gate.run(sys.argv[2], f"run-{turn}"):
            print("CLEAR", flush=True) if turn == 0 else None
            for _ in range(5):
                gate.pause_point()
                time.sleep(float(sys.argv[3]))
    except (Paused, Unknown):
        time.sleep(0.005)
"""


def start_asking(
    gate: Path, automation_id: str, step_seconds: float = 0.005
) -> subprocess.Popen[str]:
    """Start a process that runs again and again and asks the gate at each step; returns once it asks."""
    words = [sys.executable, "-c", ASKER, str(gate), automation_id, str(step_seconds)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    wait_until(lambda: any((gate / "seen").glob(f"{automation_id}.{child.pid}-*.json")))
    return child


def stop_asking(child: subprocess.Popen[str]) -> None:
    """End a process that asks, without giving it time to say good-bye."""
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def wait_until(is_so: Any, seconds: float = 10.0) -> None:
    """Wait for something to become true, and fail when it does not."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


REGISTRY_HEAD = """\
[owners.ops-lead]
members = ["ann", "bo"]
contact = "pager"
[categories.commerce]
owner = "ops-lead"
restart_owner = "ops-lead"
[categories.support]
owner = "ops-lead"
restart_owner = "ops-lead"
"""


def registry_text(automations: Iterable[Automation]) -> str:
    """Return the file of a registry with the owner and categories of `a_registry`, as people write one."""
    lines = [REGISTRY_HEAD]
    for a in automations:
        lines.append(
            f'[automations.{a.automation_id}]\nkind = "{a.kind}"\ncategory = "{a.category}"'
        )
        lines.append(f'environment = "{a.environment}"\nowner = "{a.owner}"\nasks_gate = true')
        lines += [
            f'{key} = "{value}"' for key in ("provider", "title") if (value := getattr(a, key))
        ]
    return "\n".join(lines) + "\n"

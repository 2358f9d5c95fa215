"""A small real store for the panel's tests, and a control layer that can be made to fail or to wait."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tests.store.ground import loaded_by
from workbench.clock import Clock
from workbench.control import Control
from workbench.control.deciding import DecideRequest, ReportEntry
from workbench.control.placing import PauseRequest
from workbench.control.views import PauseReceipt
from workbench.records import Automation, Category, Decision, Mode, Owner, Target, VerdictKind
from workbench.registry import Registry
from workbench.settings import Settings
from workbench.store import init_store

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&"
"""Run history and registries are written by strangers; nothing of this may become markup."""

AGENTS = "kind=agent,provider=acme-llm"


def an_automation(automation_id: str, kind: str, category: str, **more: Any) -> Automation:
    """Return an automation that asks the gate, with an owner, unless told otherwise."""
    values: dict[str, Any] = {"environment": "staging", "owner": "ops-lead", "asks_gate": True}
    return Automation(automation_id, kind, category, **(values | more))


def a_registry(*extra: Automation) -> Registry:
    """Return owners, categories and five automations; one agent does not ask the gate."""
    automations = (
        an_automation("invoice-triage", "agent", "commerce", provider="acme-llm"),
        an_automation("order-sync", "workflow", "commerce"),
        an_automation("product-copy", "agent", "content", provider="acme-llm", asks_gate=False),
        an_automation("stock-watch", "watcher", "commerce"),
        an_automation("ticket-reply", "agent", "support", provider="acme-llm"),
        *extra,
    )
    categories = {name: Category(name, "ops-lead") for name in ("commerce", "content", "support")}
    owners = {"ops-lead": Owner("ops-lead", contact="pager")}
    return Registry(owners, categories, {a.automation_id: a for a in automations})


def a_control(clock: Clock, *extra: Automation, environment: str = "staging") -> Control:
    """Make a store where the settings point, with the registry applied, and open it."""
    store = init_store(
        Settings.from_environment(), clock, environment=environment, actor="os:test (unverified)"
    )
    control = Control(store, clock, evidence=loaded_by(clock))
    control.apply_registry(a_registry(*extra))
    return control


def a_pause(control: Control, scope: str = AGENTS, **more: Any) -> PauseReceipt:
    """Place a hold without waiting for anybody."""
    request = PauseRequest(scope, "three agents fail since 02:40", **more)
    return control.pause(request, wait_seconds=0)


def a_decision(control: Control, hold_id: str, kind: VerdictKind, *ids: str) -> Decision:
    """Record a complete report about a hold, and somebody's agreement with its verdict."""
    head = control.head_note()
    entry = ReportEntry(
        name="restart-decision",
        hold_id=hold_id,
        verdict=kind,
        is_complete=True,
        digest="0" * 64,
        automation_ids=ids,
        manifest_version=1,
        log_seq=head.seq,
        log_hash=head.hash,
        as_of=control.clock.now(),
    )
    report = control.record_report(entry)
    return control.decide(DecideRequest(report.report_id))


def events_of(control: Control, action: str) -> list[Any]:
    """Return the stored events of one kind, as the log has them."""
    return [event for event in control.store.events() if event.action == action]


def break_store(control: Control) -> Path:
    """Move the store's folder away, as an unmounted disk would; returns where it went."""
    folder = control.store.backend.folder
    return folder.rename(folder.with_name("moved-away"))


class FaultyControl(Control):
    """The real control layer; fails the next call of a name, or lets `pause` wait at a gate.

    Attributes:
        faults: name of a call -> what it raises, once.
        is_in_pause: set while a pause is under way; `may_go_on` lets it finish.
        commands: ids of the pause commands that arrived.
    """

    def __init__(self, control: Control) -> None:
        super().__init__(control.store, control.clock, role=control.role, evidence=control.evidence)
        self.faults: dict[str, Exception] = {}
        self.is_in_pause = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.commands: list[str | None] = []
        self.fails_after_pause: Exception | None = None

    def _fail(self, name: str) -> None:
        if name in self.faults:
            raise self.faults.pop(name)

    def preview(self, scope_text: str, mode: Mode = Mode.FREEZE) -> Any:
        self._fail("preview")
        return super().preview(scope_text, mode)

    def pause(self, request: PauseRequest, *, command_id: str | None = None, **more: Any) -> Any:
        self.commands.append(command_id)
        self._fail("pause")
        self.is_in_pause.set()
        assert self.may_go_on.wait(10), "nobody let the pause go on"
        receipt = super().pause(request, command_id=command_id, wait_seconds=0)
        if self.fails_after_pause is not None:
            fault, self.fails_after_pause = self.fails_after_pause, None
            raise fault
        return receipt

    def status(self) -> Any:
        self._fail("status")
        return super().status()

    def targets(self, hold_id: str) -> tuple[Target, ...]:
        self._fail("targets")
        return super().targets(hold_id)

    def resume_full(self, request: Any, *, command_id: str | None = None) -> Any:
        self._fail("resume_full")
        return super().resume_full(request, command_id=command_id)

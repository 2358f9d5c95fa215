"""The command line over a store whose automations run in a fake engine, registered as an adapter would be."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from tests.cli.ground import a_store
from tests.engines.fake_engine import FakeEngine
from workbench.clock import SystemClock
from workbench.engines import connecting
from workbench.settings import Settings

HEAD = """\
[owners.ops-lead]
contact = "pager 7"
[categories.commerce]
owner = "ops-lead"
restart_owner = "ops-lead"
"""
ROW = """\
[automations.{name}]
kind = "workflow"
category = "commerce"
environment = "staging"
engine = "{engine}"
asks_gate = {asks}
"""
ENGINES = '[engines.main]\nkind = "fake"\nurl = "http://fake.example:1"\n'
JOBS = ("orders", "invoices")

_present: dict[str, FakeEngine] = {}


def connect_fake(*_: object, clock: object) -> FakeEngine:
    """What the entry point of the fake gives: the engine that the test made."""
    _present["main"].opened_count += 1
    return _present["main"]


def a_fleet(
    monkeypatch: pytest.MonkeyPatch, *jobs: str, asks: str = "false", engines: str = ENGINES
) -> FakeEngine:
    """Make a store with an automation for each job, and the file of engines; returns the engine."""
    engine = FakeEngine(SystemClock())
    engine.add(*(jobs or JOBS))
    _present["main"] = engine
    point = EntryPoint("fake", "tests.delivery.shell:connect_fake", connecting.ENTRY_POINTS)
    monkeypatch.setattr(connecting, "entry_points", lambda group: [point])
    rows = [ROW.format(name=job, engine="main", asks=asks) for job in jobs or JOBS]
    a_store(registry=HEAD + "".join(rows))
    file = Settings.from_environment().engines_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(engines)
    return engine

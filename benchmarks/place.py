"""A store of its own for a benchmark, with a registry of made-up size."""

from __future__ import annotations

from pathlib import Path

from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store

KINDS = ("workflow", "watcher", "agent", "playbook", "custom_tool")


def registry_text(count: int) -> str:
    """Return a registry file of so many automations, spread over the five kinds."""
    head = '[owners.ops-lead]\nmembers = ["ops-lead"]\n\n[categories.ops]\nowner = "ops-lead"\n'
    rows = [
        f'\n[automations.a-{n}]\nkind = "{KINDS[n % len(KINDS)]}"\ncategory = "ops"\n'
        'environment = "staging"\nasks_gate = true\n'
        for n in range(count)
    ]
    return head + "".join(rows)


def make_place(root: Path, *, automation_count: int) -> tuple[Settings, Control]:
    """Make a store under a folder and register automations in it."""
    settings = Settings(store=root / "store", gate=root / "gate", home=root / "home")
    init_store(settings, SystemClock(), environment="staging", actor="benchmark")
    file = root / "automations.toml"
    file.write_text(registry_text(automation_count), encoding="utf-8")
    control = open_control(settings, SystemClock())
    control.apply_registry(read_registry(file))
    return settings, control

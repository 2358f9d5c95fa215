"""A store of its own for a benchmark, with a registry of made-up size."""

from __future__ import annotations

from pathlib import Path

from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store

KINDS = ("workflow", "watcher", "agent", "playbook", "custom_tool")
PROVIDERS = ("acme-llm", "other-llm")

FOUR_KEYS = {
    "environment": "staging",
    "kind": "agent",
    "category": "ops",
    "provider": "acme-llm",
}
"""A scope of four keys, and the context in which a flag of the same meaning is on."""

HELD = "a-2"
"""An automation with all four."""
OPEN = "a-7"
"""An automation that differs in the last one."""


def registry_text(count: int) -> str:
    """Return a registry file of so many automations, spread over the five kinds and two providers."""
    head = '[owners.ops-lead]\nmembers = ["ops-lead"]\n\n[categories.ops]\nowner = "ops-lead"\n'
    rows = [
        f'\n[automations.a-{n}]\nkind = "{KINDS[n % len(KINDS)]}"\ncategory = "ops"\n'
        f'environment = "staging"\nprovider = "{PROVIDERS[n % 2]}"\nasks_gate = true\n'
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


def hold_by_four_keys(control: Control) -> None:
    """Place a hold whose scope has four keys."""
    scope = ",".join(f"{key}={value}" for key, value in FOUR_KEYS.items())
    control.pause(PauseRequest(scope, "benchmark"), wait_seconds=0)

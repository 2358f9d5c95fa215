"""The commands that are killed and failed at each call: a store as they find it, and how they tell of success."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.store.ground import (  # fmt: skip
    AGENTS,
    a_control,
    an_automation,
    break_glass,
    pause,
    registry_text,
    settings_in,
)
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.records import Event
from workbench.settings import KEY_FILE
from workbench.store.keeping import close_kept
from workbench.store.keys import make_key

NAMES = (*AGENTS, "order-sync", "stock-watch")
PLACED, RELEASED, NARROWED = "swept pause", "swept release", "swept narrow restart"
"""Command ids of what is swept, where a command takes one."""
NEXT = "next"
"""Command id of the command after it, which finds what was left and recovers."""
REGISTRY_FILE = "automations.toml"


def _nothing(root: Path) -> None:
    """Leave the store as it is."""


@dataclass(frozen=True)
class Scene:
    """One command on one store.

    Attributes:
        words: what stands after `workbench`; `{root}` and `{key}` are filled in.
        told: what it prints, on either stream, when it says that it is done.
        actions: what its events are about, for telling them from others.
        prepare: makes the store that it finds.
        again: gives the same command once more; None where the command line takes no id for it.
        mend: repairs what `prepare` broke, as an operator would.
    """

    name: str
    words: Sequence[str]
    told: str
    actions: frozenset[str]
    prepare: Callable[[Path], None] = _nothing
    again: Callable[[Control], object] | None = None
    mend: Callable[[Path], None] = _nothing
    exit_codes: frozenset[int] = field(default_factory=lambda: frozenset({0, 10, 11, 15, 17}))

    def make(self, root: Path) -> tuple[Event, ...]:
        """Make the store that the command finds, with nobody else in it, and return its log."""
        root.mkdir(parents=True)
        control = a_control(root, SystemClock())
        pause(control, "kind=agent", command_id="before")
        log = tuple(control.store.events())
        self.prepare(root)
        close_kept()
        return log

    def line(self, root: Path) -> list[str]:
        """Return the words of the command for a store."""
        key = (root / "public").read_text() if (root / "public").exists() else ""
        return [word.format(root=root, key=key) for word in self.words]

    def own(self, events: Sequence[Event]) -> list[Event]:
        """Return the events of the command among those that came after the store was made."""
        return [
            e for e in events if e.action in self.actions and e.payload["command"]["id"] != NEXT
        ]

    def is_told(self, text: str) -> bool:
        """Tell whether a print-out says that the command is done."""
        return re.search(self.told, text, re.MULTILINE) is not None


def _registry_file(root: Path) -> None:
    """Write a registry in which two automations changed and one is new."""
    found = [
        an_automation("invoice-triage", "agent", provider="acme-llm", title="Sorts invoices"),
        an_automation("ticket-reply", "agent", provider="acme-llm"),
        an_automation("order-sync", "workflow"),
        an_automation("stock-watch", "watcher", category="support"),
        an_automation("price-lookup", "custom_tool"),
    ]
    (root / REGISTRY_FILE).write_text(registry_text(found), encoding="utf-8")


def _key_file(root: Path) -> None:
    """Make a private key whose public half waits to be enrolled."""
    key = make_key(settings_in(root).home / KEY_FILE)
    (root / "public").write_text(key.public_hex, encoding="utf-8")


def _without_store(root: Path) -> None:
    """Empty the store's file, so that a pause must go to the spool."""
    file = root / "store" / "store.sqlite"
    file.rename(root / "whole.sqlite")
    file.touch()


def _with_store(root: Path) -> None:
    """Put the store's file back."""
    (root / "whole.sqlite").replace(root / "store" / "store.sqlite")


def _place_again(control: Control) -> object:
    request = PauseRequest("kind=workflow", "wrong amounts")
    return control.pause(request, command_id=PLACED, wait_seconds=0)


def _release_again(control: Control) -> object:
    return control.resume_full(break_glass("H-1"), command_id=RELEASED)


def _narrow_again(control: Control) -> object:
    request = ResumeRequest("H-1", "automation=ticket-reply", 2, break_glass_reason="the customer waits")  # fmt: skip
    return control.resume_narrow(request, command_id=NARROWED)


_PAUSE = ("pause", "kind=workflow", "-r", "wrong amounts", "--command-id", PLACED, "--yes", "--no-wait")  # fmt: skip
_GLASS = ("--break-glass", "the customer waits", "--yes", "--command-id")
SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            "pause", _PAUSE, r"^H-2 placed on", frozenset({"hold.place"}), again=_place_again
        ),
        Scene(
            "release",
            ("resume", "H-1", "--full", *_GLASS, RELEASED),
            r"^H-1 released at",
            frozenset({"hold.release"}),
            again=_release_again,
        ),
        Scene(
            "narrow",
            ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "2", *_GLASS, NARROWED),
            r"^P-1: ticket-reply may run",
            frozenset({"probation.start"}),
            again=_narrow_again,
        ),
        Scene(
            "registry",
            ("registry", "apply", "{root}/" + REGISTRY_FILE, "--yes"),
            r"^Recorded \d+ changes",
            frozenset({"automation.register", "automation.change", "automation.retire"}),
            prepare=_registry_file,
        ),
        Scene(
            "key",
            ("key", "enrol", "{key}", "--person", "ann", "--role", "ops-lead", "--yes"),
            r"^Key \w+ counts as ann",
            frozenset({"key.enrol"}),
            prepare=_key_file,
        ),
        Scene(
            "spool",
            _PAUSE,
            r"The pause is spooled, NOT recorded",
            frozenset({"hold.place"}),
            prepare=_without_store,
            again=_place_again,
            mend=_with_store,
        ),
    )
}  # fmt: skip

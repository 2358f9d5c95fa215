"""The engines that this workbench may switch: what each can do, connected when it is first asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from workbench.clock import Clock
from workbench.delivery import kept
from workbench.delivery.runs_only import runs_let_go
from workbench.delivery.stumbling import STUMBLES, stumble
from workbench.delivery.worker import Worker
from workbench.engines.binding import RegistryBinding
from workbench.engines.connecting import close, connect
from workbench.engines.interface import Connect, Engine, EngineAddress
from workbench.engines.switching import Capability, CatchUp, Firing, OnPause, ScopeKind
from workbench.errors import WorkbenchError
from workbench.records import Automation, Mode
from workbench.store.state import State
from workbench.store.store import Store


@dataclass
class Fleet:
    """Engines by id, as the file of engines names them; closed at the end of the outermost `with`.

    Attributes:
        faults: engine id -> why it cannot be connected at all.
    """

    addresses: Mapping[str, EngineAddress]
    store: Store
    clock: Clock
    make: Connect = connect
    faults: dict[str, str] = field(default_factory=dict)
    _engines: dict[str, Engine] = field(default_factory=dict)
    _depth: int = 0

    def __enter__(self) -> Fleet:
        """Begin a piece of work with engines; one inside of another closes nothing."""
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what was connected; an adapter that stumbles over its own end keeps no other from it."""
        self._depth -= 1
        while not self._depth and self._engines:
            _, engine = self._engines.popitem()
            with contextlib.suppress(*STUMBLES):
                close(engine)

    def engine(self, engine_id: str) -> Engine | None:
        """Return an engine's adapter; None where it is not in the file or cannot be connected."""
        address = self.addresses.get(engine_id)
        if address is None or engine_id in self.faults:
            return None
        if engine_id not in self._engines:
            automations = list(self.store.state().automations.values())
            binding = RegistryBinding(automations, engine_id)
            try:
                self._engines[engine_id] = self.make(address, binding, clock=self.clock)
            except WorkbenchError as exc:
                self.faults[engine_id] = exc.message
                return None
        return self._engines[engine_id]

    def worker(self, say: Callable[[str], None] = lambda _: None) -> Worker:
        """Return a worker over every engine that can be connected."""
        found = {name: engine for name in self.addresses if (engine := self.engine(name))}
        return Worker(self.store, found, self.clock, say=say)

    def capability(self, engine_id: str, mode: Mode) -> Capability:
        """Return what an engine does to one workflow in a mode; `cannot` where it cannot be asked either."""
        engine = self.engine(engine_id)
        why = self.faults.get(engine_id, f"{engine_id} is not in the file of engines")
        if engine is not None:
            try:
                for one in engine.capabilities():
                    if (one.scope_kind, one.mode) == (ScopeKind.WORKFLOW, mode):
                        return one
            except STUMBLES as exc:
                why = stumble(exc)
            else:
                why = f"{engine_id} has no switch for one workflow"
        return Capability(ScopeKind.WORKFLOW, mode, cannot=why)

    def stopped(self, automations: Iterable[Automation], mode: Mode) -> frozenset[str]:
        """Return the automations that their engines can pause in a mode."""
        found = [one for one in automations if one.engine in self.addresses]
        can = {name: not self.capability(name, mode).cannot for name in {a.engine for a in found}}
        return frozenset(one.automation_id for one in found if can[one.engine])

    def notes(self, automations: Iterable[Automation], mode: Mode) -> tuple[str, ...]:
        """Say for each engine in question what a pause in this mode does there, or why it does nothing."""
        engine_ids = sorted({one.engine for one in automations if one.engine in self.addresses})
        return tuple(_in_words(name, mode, self.capability(name, mode)) for name in engine_ids)

    def forecast(
        self, state: State, automation_ids: Iterable[str], *, catch_up: CatchUp
    ) -> tuple[Firing, ...]:
        """Say what would start in the engines if these automations were brought back now.

        A target that is not told of has no receipt of ours, so nothing of it is switched.
        """
        keys = set(automation_ids)
        found: list[Firing] = []
        for engine_id in sorted(self.addresses):
            ours = {
                target: receipt
                for target, receipt in kept.receipts_of(state, engine_id).items()
                if set(state.receipts[engine_id, target].get("automation_ids", ())) & keys
            }
            receipts = tuple(ours.values())
            engine = self.engine(engine_id) if receipts else None
            if engine is not None:
                try:
                    found += runs_let_go(engine.plan_resume(receipts, catch_up), ours).forecast
                except STUMBLES as exc:
                    found += [
                        Firing(r.target_id, r.name, None, f"cannot be told: {stumble(exc)}")
                        for r in receipts
                    ]
        return tuple(found)


_PLAIN = {
    OnPause.CONTINUES: "goes on",
    OnPause.FINISHES_STEP_THEN_WAITS: "finishes its step, then waits",
    OnPause.WAITS: "waits",
    OnPause.CANCELLED: "is cancelled",
    OnPause.DELETED: "is deleted",
    OnPause.DROPPED: "is DROPPED",
    OnPause.UNKNOWN: "is not known",
}


def _in_words(engine_id: str, mode: Mode, capability: Capability) -> str:
    if capability.cannot:
        return f"{engine_id} does NOT stop anything in mode {mode}: {capability.cannot}"
    by_outcome: dict[OnPause, list[str]] = {}
    for effect in capability.effects:
        by_outcome.setdefault(effect.on_pause, []).append(effect.work_class.replace("_", " "))
    said = "; ".join(f"{', '.join(names)}: {_PLAIN[how]}" for how, names in by_outcome.items())
    more = f" Also stopped: {capability.collateral}" if capability.collateral else ""
    return f"{engine_id}, {mode}: {said}.{more}"

"""What commands ask of engines, behind one port: delivering while one is followed, and what a resume starts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.clock import Clock
from workbench.control.engine_port import FleetPort, Joining, NoEngines
from workbench.control.engine_targets import with_engines
from workbench.control.shut_out import shut_out
from workbench.delivery.fleet import Fleet
from workbench.delivery.wanted import is_still_wanted
from workbench.delivery.worker import SOON_SECONDS, Worker
from workbench.engines.addresses import read_addresses
from workbench.engines.switching import CatchUp, Firing
from workbench.errors import WorkbenchError
from workbench.records import Automation, Hold, Mode, Target
from workbench.settings import Settings
from workbench.store.store import Store

CHOICES = {CatchUp.SKIP: "skip", CatchUp.LATEST: "one", CatchUp.ALL: "all"}
"""What a person types for each."""

BRING_BACK_SECONDS = 10.0
"""How long a resume waits for engines to let go; `workbench serve` goes on after it."""


@dataclass
class ControlFleet:
    """The fleet as commands see it."""

    fleet: Fleet

    @contextlib.contextmanager
    def following(self, *, is_waiting: bool) -> Iterator[Joining]:
        """Deliver while the block lasts, if somebody waits; otherwise `workbench serve` delivers.

        Where another worker has the lease, what that one recorded is shown.
        """
        with contextlib.ExitStack() as until:
            until.enter_context(self.fleet)
            worker = self.fleet.worker()
            if is_waiting:
                until.enter_context(worker)

            def look(targets: tuple[Target, ...], hold: Hold) -> tuple[Target, ...]:
                return self._joined(targets, hold, worker)

            yield look

    def joined(self, targets: tuple[Target, ...], hold: Hold) -> tuple[Target, ...]:
        """Return targets with what is recorded of the engines' part."""
        return self._joined(targets, hold, None)

    def stopped(self, automations: Iterable[Automation], mode: Mode) -> frozenset[str]:
        """Return the automations that their engines can pause in a mode."""
        with self.fleet:
            return self.fleet.stopped(automations, mode)

    def notes(self, automations: Iterable[Automation], mode: Mode) -> tuple[str, ...]:
        """Say what a pause in a mode does in each engine in question."""
        with self.fleet:
            return self.fleet.notes(automations, mode)

    def forecast(
        self, automation_ids: Iterable[str], catch_up: str = "", *, rate: int | None = None
    ) -> tuple[str, ...]:
        """Say what would start in the engines if these were brought back now, a sentence each.

        Without a choice each sentence is of the engine's own way, and ends with what each choice would start.
        What is more than a rate of runs a minute goes alone, and is said to.
        """
        ids = tuple(automation_ids)
        asked = (CatchUp(catch_up),) if catch_up else tuple(CatchUp)
        told = {policy: self._firings(ids, policy) for policy in asked}
        return tuple(
            f"{_said(firing)}{_by_choice(told, firing.target_id)}{_over(firing, rate)}"
            for firing in told[asked[-1]]
        )

    def catch_up_faults(self, automation_ids: Iterable[str], catch_up: str) -> tuple[str, ...]:
        """Say where missed starts cannot be treated so; an engine that does not answer says nothing."""
        found = self._firings(tuple(automation_ids), CatchUp(catch_up))
        return tuple(f"{firing.name}: {firing.cannot}" for firing in found if firing.cannot)

    def _firings(self, automation_ids: Sequence[str], policy: CatchUp) -> Sequence[Firing]:
        state = self.fleet.store.state()
        with self.fleet:
            return self.fleet.forecast(state, automation_ids, catch_up=policy)

    def bring_back(self) -> tuple[str, ...]:
        """Go over each engine until what is free is brought back, and say what is not."""
        state = self.fleet.store.state()
        if not state.receipts and not state.intents:
            return ()
        with self.fleet:
            waiting = self._brought_back(self.fleet.worker())
        return *waiting, *shut_out(self.fleet.store.state(), now=self.fleet.clock.now())

    def _brought_back(self, worker: Worker) -> tuple[str, ...]:
        end = time.monotonic() + BRING_BACK_SECONDS
        while True:
            looks = worker.once()
            waiting = [f"{name}: {why}" for name, why in sorted(self.fleet.faults.items())]
            theirs = self._not_yet(worker.others)
            waiting += [f"{name} is delivered to by another process" for name in theirs]
            waiting += [
                f"{name}: {look.fault or look.unresumed}"
                for name, look in sorted(looks.items())
                if look.fault or look.unresumed
            ]
            is_going_on = any(look.unresumed and not look.paced_seconds for look in looks.values())
            if not (is_going_on or theirs) or time.monotonic() > end:
                return tuple(waiting)
            time.sleep(SOON_SECONDS)

    def _not_yet(self, engine_ids: Iterable[str]) -> list[str]:
        """Return the engines that another process has not brought back yet where no hold wants them."""
        state, now = self.fleet.store.state(), self.fleet.clock.now()
        free = {
            engine_id
            for (engine_id, _), body in state.receipts.items()
            if not is_still_wanted(state, body["automation_ids"], instant=now)
        }
        return sorted(free & {*engine_ids})

    def _joined(
        self, targets: tuple[Target, ...], hold: Hold, worker: Worker | None
    ) -> tuple[Target, ...]:
        ids = set(self.fleet.addresses)
        looks = dict(worker.looks) if worker is not None else {}
        return with_engines(
            targets, hold, state=self.fleet.store.state(), engine_ids=ids, looks=looks
        )


def _said(firing: Firing) -> str:
    """Return a forecast with the name of its target, once."""
    named = firing.sentence.startswith(firing.name)
    return firing.sentence if named else f"{firing.name}: {firing.sentence}"


def _over(firing: Firing, rate: int | None) -> str:
    """Say where a rate will not hold: the backlog of one workflow cannot be split."""
    if rate is None or firing.count is None or firing.count <= rate:
        return ""
    return f"; MORE than {rate} a minute: it goes alone, and all of it at once"


def _by_choice(told: Mapping[CatchUp, Sequence[Firing]], target_id: str) -> str:
    """Return what each choice would start of one target, where they differ."""
    rows = {
        policy: firing
        for policy, found in told.items()
        for firing in found
        if firing.target_id == target_id
    }
    if len({(row.count, row.cannot) for row in rows.values()}) < 2:
        return ""
    said = (
        f"{CHOICES[policy]}: {'cannot' if row.cannot else row.count if row.count is not None else '?'}"
        for policy, row in rows.items()
    )
    return f" (--catch-up {', '.join(said)})"


def open_fleet(settings: Settings, store: Store, *, clock: Clock) -> FleetPort:
    """Return the engines of the settings' file; a file that cannot be read stops no pause."""
    try:
        addresses = read_addresses(settings.engines_file)
    except WorkbenchError as exc:
        return NoEngines(exc.message)
    return ControlFleet(Fleet(addresses, store, clock))

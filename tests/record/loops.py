"""Keeps the in-process automations running, each in a thread of its own, one run at a time."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from typing import Any

from tests.record.automations import IN_PROCESS_FLOWS
from tests.record.catalog import IN_PROCESS, Spec
from tests.record.context import shared_gate, shared_world
from workbench.gate import Paused, Unknown

logger = logging.getLogger("record")


class Loop(threading.Thread):
    """Starts one automation at its pace; asks the gate every second, so that a hold is seen at once."""

    def __init__(self, spec: Spec, *, pace: float, may_start: threading.Semaphore) -> None:
        super().__init__(name=spec.automation_id, daemon=True)
        self.spec = spec
        self.interval = max(min(10.0, spec.interval_seconds), spec.interval_seconds * pace)
        self.may_start = may_start
        self.numbers = itertools.count(1)
        self.ended = threading.Event()
        self.no_work_until = 0.0
        self.is_inside = False
        self.was_refused = False
        self.dice = random.Random(spec.automation_id)

    def run(self) -> None:
        """Start runs until ended."""
        due = time.monotonic() + self.dice.uniform(0, self.interval)
        while not self.ended.is_set():
            if time.monotonic() >= due:
                due = max(due + self.interval, time.monotonic())
                self.start_one()
            else:
                shared_gate().check(self.spec.automation_id)
                self.ended.wait(min(1.0, max(0.05, due - time.monotonic())))

    def start_one(self, **options: Any) -> None:
        """Start one run through the gate; what the gate refuses is not started at all."""
        if time.monotonic() < self.no_work_until:
            return
        name = f"{self.spec.automation_id}-{next(self.numbers)}" + ("-extra" if options else "")
        try:
            with shared_gate().run(self.spec.automation_id, name):
                self.is_inside = True
                self.was_refused = False
                with self.may_start:
                    self._run(name, options)
        except (Paused, Unknown) as exc:
            if not self.was_refused:
                shared_world().audit(
                    self.spec.automation_id,
                    "run.refused",
                    ("automation", self.spec.automation_id),
                    reason=str(exc),
                )
            self.was_refused = True
        except Exception:
            logger.exception("loop of %s", self.spec.automation_id)
        finally:
            self.is_inside = False

    def _run(self, name: str, options: dict[str, Any]) -> None:
        flow = IN_PROCESS_FLOWS[self.spec.automation_id].with_options(flow_run_name=name)
        trigger = {"watcher": "schedule", "workflow": "schedule"}.get(self.spec.kind, "event")
        flow(return_state=True, **{"trigger": trigger, **options})


def start_loops(pace: float) -> dict[str, Loop]:
    """Start every in-process automation; at most four runs at a time."""
    limit = threading.Semaphore(4)
    loops = {spec.automation_id: Loop(spec, pace=pace, may_start=limit) for spec in IN_PROCESS}
    for loop in loops.values():
        loop.start()
    return loops

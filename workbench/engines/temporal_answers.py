"""What one look at a Temporal namespace asks the server: each thing once, and side by side where it is many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.clock import Clock
from workbench.engines.at_once import side_by_side
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_schedules import Switch, switch_of
from workbench.engines.temporal_words import (
    OPEN_QUERY,
    attribute,
    parts_of,
    quoted,
    run_id_of,
    type_of,
)

MAX_ASKED = 200
"""Runs in flight that are asked about one by one; of more, the rest is taken from the list."""

READS_AT_ONCE = 32
"""Questions side by side; they change nothing, and Temporal has no single writer that they keep waiting."""

Row = dict[str, Any]


@dataclass(frozen=True)
class RunsOf:
    """Which runs in flight are meant: those of a workflow type, of a task queue or of a schedule; else all."""

    kind: str = ""
    queue: str = ""
    schedule_id: str = ""

    @property
    def query(self) -> str:
        """The same in Temporal's query language."""
        named = {
            "WorkflowType": self.kind,
            "TaskQueue": self.queue,
            "TemporalScheduledById": self.schedule_id,
        }
        said = [f"{name} = {quoted(value)}" for name, value in named.items() if value]
        return " AND ".join([*said, OPEN_QUERY])

    def has(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a run of the list is one of these."""
        by = str(attribute(row, "TemporalScheduledById") or "")
        return (
            self.kind in ("", type_of(row))
            and self.queue in ("", str(row.get("taskQueue") or ""))
            and self.schedule_id in ("", by)
        )


ALL = RunsOf()


@dataclass
class Answers:
    """The answers of one look."""

    namespace: Namespace
    clock: Clock
    _schedules: list[Row] | None = None
    _switches: dict[str, Switch | None] = field(default_factory=dict)
    _lists: dict[RunsOf, list[Row]] = field(default_factory=dict)
    _runs: dict[str, Row | None] = field(default_factory=dict)

    def fetch(self, schedule_ids: Sequence[str], wanted: Sequence[RunsOf]) -> None:
        """Ask now for these schedules and lists, and for each run that they tell of."""
        ids = list(dict.fromkeys(schedule_ids))
        found = side_by_side(self._ask_switch, ids, at_once=READS_AT_ONCE)
        self._switches.update(zip(ids, found, strict=True))
        # The list of all has those of each type, too.
        lists = [ALL] if ALL in wanted else list(dict.fromkeys(wanted))
        self._lists.update(zip(lists, side_by_side(self._ask_list, lists), strict=True))
        listed = [run_id_of(row.get("execution")) for one in lists for row in self._lists[one]]
        askable = [one for one in dict.fromkeys(listed) if is_askable(one)][:MAX_ASKED]
        switches = [self._switches[one] for one in ids]
        own = {run_id for one in switches if one is not None for run_id in one.running_ids}
        runs = [*askable, *sorted(own - set(listed))]
        told = side_by_side(self.namespace.run, runs, at_once=READS_AT_ONCE)
        self._runs.update(zip(runs, told, strict=True))

    def schedules(self) -> list[Row]:
        """Return every schedule as the list has it."""
        if self._schedules is None:
            self._schedules = self.namespace.schedules()
        return self._schedules

    def switch(self, schedule_id: str) -> Switch | None:
        """Return one schedule as it is now, or None where it is gone."""
        if schedule_id not in self._switches:
            self._switches[schedule_id] = self._ask_switch(schedule_id)
        return self._switches[schedule_id]

    def open_runs(self, of: RunsOf) -> list[Row]:
        """Return runs in flight as the list has them."""
        if of not in self._lists:
            every = self._lists.get(ALL)
            self._lists[of] = self._ask_list(of) if every is None else list(filter(of.has, every))
        return self._lists[of]

    def run(self, run_id: str) -> Row | None:
        """Return one run as it is now, or None where it is gone."""
        if run_id not in self._runs:
            self._runs[run_id] = self.namespace.run(run_id)
        return self._runs[run_id]

    def is_asked(self, run_id: str) -> bool:
        """Tell whether a run may be asked about, for it was or there is room."""
        return run_id in self._runs or len(self._runs) < MAX_ASKED

    def _ask_switch(self, schedule_id: str) -> Switch | None:
        return switch_of(self.namespace, schedule_id, now=self.clock.now())

    def _ask_list(self, of: RunsOf) -> list[Row]:
        return list(self.namespace.executions(of.query))


def is_askable(run_id: str) -> bool:
    """Tell whether the server's HTTP interface can name a run."""
    return "/" not in parts_of(run_id)[0]

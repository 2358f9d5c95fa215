"""Asks Airflow anew how its dags, pools, backfills and runs stand: what every plan and every read-back rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workbench.engines.airflow_audit import Entry, pool_switches, switches
from workbench.engines.airflow_calls import DRAINING, POOL
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_effects import NO_TRIGGER
from workbench.engines.airflow_reading import read_dags, tags_of, working_runs
from workbench.engines.airflow_words import RUNS_AT_WORK, instant_of, parts_of, run_key, run_path
from workbench.engines.http import BadStatus
from workbench.engines.switching import EngineScope, Reading, ScopeKind

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """What one look at Airflow found.

    Attributes:
        members: scope key -> ids of the targets that stand for it.
        cannot: scope key -> why nothing stands for it.
        runs: runs that have not ended, by our id.
        has_draining: this Airflow tells `scheduling_state` or `is_draining` of its dags, so that it can drain.
    """

    dags: Mapping[str, Row]
    readings: Mapping[str, Reading]
    members: Mapping[str, tuple[str, ...]]
    cannot: Mapping[str, str]
    runs: Mapping[str, Row]
    has_draining: bool


@dataclass
class Looking:
    """One look: everything is asked once, and only what these scopes need."""

    client: AirflowClient
    now: datetime
    dags: Mapping[str, Row] = field(default_factory=dict)
    runs: dict[str, Row] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)
    readings: dict[str, Reading] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cannot: dict[str, str] = field(default_factory=dict)

    def look(self, scopes: Sequence[EngineScope]) -> Look:
        """Read the switches first and the runs after them, so that no start between the two is overlooked."""
        self.dags = read_dags(self.client)
        for scope in scopes:
            found = self._targets(scope)
            self.members[scope.key] = tuple(
                dict.fromkeys((*self.members.get(scope.key, ()), *found))
            )
        wanted = list(dict.fromkeys(one for ids in self.members.values() for one in ids))
        path = f"{API}/dags/~/dagRuns"
        for run in self.client.pages(path, key="dag_runs", query={"state": RUNS_AT_WORK}):
            self.runs[run_key(run["dag_id"], run["dag_run_id"])] = run
        self.working = working_runs(self.client)
        self._read_dags([one.removeprefix("dag:") for one in wanted if one.startswith("dag:")])
        self._read_pools([one.removeprefix(POOL) for one in wanted if one.startswith(POOL)])
        self._read_runs([one.removeprefix("run:") for one in wanted if one.startswith("run:")])
        self._add_backfills()
        return Look(
            self.dags, self.readings, self.members, self.cannot, self.runs, has_draining(self.dags)
        )

    def _targets(self, scope: EngineScope) -> list[str]:
        """Return the targets of a scope, or note why there are none."""
        key, place = scope.key, self.client.place
        if scope.kind is ScopeKind.TRIGGER:
            self.cannot[key] = f"{key} at {place}: {NO_TRIGGER}"
            return []
        if scope.kind is ScopeKind.RUN:
            return [f"run:{key}"]
        if scope.kind is ScopeKind.CATEGORY and key.startswith(POOL):
            return [key]
        if scope.kind is ScopeKind.WORKFLOW:
            found = [key] if key in self.dags else self._shown_as(key)
            why = f"Airflow at {place} has no dag {key}: mend the binding, or look whether its file can be read"
        elif scope.kind is ScopeKind.CATEGORY:
            found = [dag_id for dag_id, dag in self.dags.items() if key in tags_of(dag)]
            why = f"no dag of Airflow at {place} has the tag {key}: name a tag, or a pool as pool:NAME"
        else:
            found = list(self.dags)
            why = f"Airflow at {place} lists no dag: look whether its dag processor is alive"
        if not found:
            self.cannot[key] = why
        return [f"dag:{dag_id}" for dag_id in found]

    def _shown_as(self, name: str) -> list[str]:
        """Return the dag that screens show under a name, where it is one alone."""
        found = [d for d, row in self.dags.items() if row.get("dag_display_name") == name]
        return found if len(found) == 1 else []

    def _read_dags(self, dag_ids: Sequence[str]) -> None:
        latest = _changes(self.client, self.dags, dag_ids) if dag_ids else {}
        by_dag: dict[str, list[str]] = {}
        for run_id, run in self.runs.items():
            by_dag.setdefault(str(run["dag_id"]), []).append(run_id)
        for dag_id in dag_ids:
            own = sorted(by_dag.get(dag_id, []))
            self.readings[f"dag:{dag_id}"] = self._of_dag(dag_id, own, latest.get(dag_id))

    def _of_dag(self, dag_id: str, run_ids: Sequence[str], last: Entry | None) -> Reading:
        dag = self.dags[dag_id]
        is_paused, lets_end = bool(dag.get("is_paused")), is_draining(dag)
        running = [r for r in run_ids if self.runs[r].get("state") == "running"]
        frozen = [r for r in running if is_paused and not lets_end and r not in self.working]
        is_told = last is not None and last.wants_paused == is_paused
        foreign = last.number if last is not None and last.by != self.client.user else None
        doubt = "" if last is None or is_told else _in_doubt(last)
        return Reading(
            f"dag:{dag_id}",
            dag_id,
            is_paused or lets_end,
            self.now,
            running_ids=tuple(r for r in running if r not in frozen),
            frozen_ids=tuple(frozen),
            waiting_ids=tuple(r for r in run_ids if self.runs[r].get("state") == "queued"),
            next_start_at=instant_of(dag.get("next_dagrun_run_after")),
            changed_at=last.at if last is not None and is_told else None,
            changed_by=last.by if last is not None and is_told else "",
            settings={"is_paused": is_paused or lets_end, "foreign_switch": foreign},
            note="; ".join(filter(None, (_of_frozen(frozen), doubt))),
        )

    def _read_pools(self, names: Sequence[str]) -> None:
        if not names:
            return
        pools = {str(p["name"]): p for p in self.client.listed(f"{API}/pools", key="pools")}
        latest = pool_switches(self.client)
        for name in names:
            if name not in pools:
                place = self.client.place
                self.cannot[f"{POOL}{name}"] = (
                    f"Airflow at {place} has no pool {name}: mend its name"
                )
                self.members[f"{POOL}{name}"] = ()
                continue
            self.readings[f"{POOL}{name}"] = self._of_pool(pools[name], latest.get(name))

    def _of_pool(self, pool: Row, last: Entry | None) -> Reading:
        name, slots = str(pool["name"]), pool.get("slots")
        path = f"{API}/dags/~/dagRuns/~/taskInstances"
        asked = {"pool": name, "state": ["running", "queued", "scheduled"]}
        found = list(self.client.pages(path, key="task_instances", query=asked))
        at_work = {_run_of(s) for s in found if s.get("state") != "scheduled"}
        waits = {_run_of(s) for s in found} - at_work - self.working
        foreign = last.number if last is not None and last.by != self.client.user else None
        return Reading(
            f"{POOL}{name}",
            f"pool {name}",
            slots == 0,
            self.now,
            running_ids=tuple(sorted(at_work)),
            frozen_ids=tuple(sorted(waits)) if slots == 0 else (),
            changed_at=last.at if last else None,
            changed_by=last.by if last else "",
            settings={
                "slots": slots,
                "include_deferred": bool(pool.get("include_deferred")),
                "foreign_switch": foreign,
            },
        )

    def _read_runs(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            run = self.runs.get(run_id) or self._found_run(run_id)
            if run is None:
                place = self.client.place
                self.cannot[run_id] = f"Airflow at {place} has no run {run_id}: write it as DAG/RUN"
                self.members[run_id] = ()
                continue
            is_held = bool(self.dags.get(parts_of(run_id)[0], {}).get("is_paused"))
            is_frozen = is_held and run_id not in self.working
            one, state = (run_id,), run.get("state")
            self.readings[f"run:{run_id}"] = Reading(
                f"run:{run_id}",
                run_id,
                None,
                self.now,
                running_ids=one if state == "running" and not is_frozen else (),
                frozen_ids=one if state == "running" and is_frozen else (),
                waiting_ids=one if state == "queued" else (),
                settings={"state": state},
            )

    def _found_run(self, run_id: str) -> Row | None:
        """Return a run that has ended, or None for what Airflow does not have."""
        dag_id, _, own = run_id.partition("/")
        if not dag_id or not own:
            return None
        try:
            found: Row = self.client.get(run_path(run_id))
        except BadStatus as exc:
            if exc.status != 404:
                raise
            return None
        return found

    def _add_backfills(self) -> None:
        """Add the backfills that still have runs of these dags: each has a switch of its own."""
        working_off = {
            str(r["dag_id"]) for r in self.runs.values() if r.get("run_type") == "backfill"
        }
        for dag_id in sorted(d for d in working_off if f"dag:{d}" in self.readings):
            asked = {"dag_id": dag_id, "order_by": "id"}
            for one in self.client.listed(f"{API}/backfills", key="backfills", query=asked):
                if one.get("completed_at") is None:
                    self._take_backfill(dag_id, one)

    def _take_backfill(self, dag_id: str, one: Row) -> None:
        target_id, is_paused = f"backfill:{one['id']}", bool(one.get("is_paused"))
        settings = {"is_paused": is_paused, "dag_id": dag_id}
        name = f"backfill {one['id']} of {dag_id}"
        self.readings[target_id] = Reading(target_id, name, is_paused, self.now, settings=settings)
        for key, ids in self.members.items():
            if f"dag:{dag_id}" in ids:
                self.members[key] = (*ids, target_id)


def _changes(
    client: AirflowClient, dags: Mapping[str, Row], wanted: Sequence[str]
) -> dict[str, Entry]:
    """Return what last changed each dag's switch: of several pauses in a row the first, the others changed nothing."""
    found: dict[str, Entry] = {}
    is_settled: set[str] = set()
    for dag_id, entry in switches(client, dags, wanted=wanted):
        if dag_id in found and found[dag_id].wants_paused != entry.wants_paused:
            is_settled.add(dag_id)
        if dag_id not in is_settled:
            found[dag_id] = entry
    return found


def has_draining(dags: Mapping[str, Row]) -> bool:
    """Tell whether this Airflow can let a dag's runs end: by what it says of dags, not by its version."""
    return any("scheduling_state" in dag or "is_draining" in dag for dag in dags.values())


def is_draining(dag: Row) -> bool:
    """Tell whether a dag starts nothing by itself any more and lets its runs end."""
    return dag.get("scheduling_state") == DRAINING or dag.get("is_draining") is True


def _run_of(step: Row) -> str:
    return run_key(step["dag_id"], step["dag_run_id"])


def _of_frozen(frozen: Sequence[str]) -> str:
    if not frozen:
        return ""
    runs = "1 run" if len(frozen) == 1 else f"{len(frozen)} runs"
    return f"{runs} that Airflow calls running cannot go on before the pause ends"


def _in_doubt(last: Entry) -> str:
    done = "paused" if last.wants_paused else "unpaused"
    return (
        f"Airflow's log says that {last.by} {done} it at {last.at:%H:%M:%S} UTC, but it is not so"
    )

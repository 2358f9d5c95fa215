"""Plans, sends and reads back pauses of Airflow.

A category or the whole engine is one bulk call, whose answer lists fewer dags than it changed: what counts is the
look that follows. Airflow keeps who switched a dag and when, but no reason; a run that a halt ends keeps it as note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.clock import Clock
from workbench.engines.airflow_calls import (
    POOL,
    close_pool,
    end_run,
    pause_all,
    pause_backfill,
    pause_one,
    refusal,
)
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_effects import (
    NO_DRAIN,
    NO_RUN,
    POOL_COLLATERAL,
    capabilities_of,
    effects_of,
)
from workbench.engines.airflow_resuming import plan_of_resume, scope_of
from workbench.engines.airflow_state import Look, Looking, is_draining
from workbench.engines.calls import send_call
from workbench.engines.switching import (
    CallOutcome,
    Capability,
    CatchUp,
    EngineScope,
    NativeCall,
    Note,
    Plan,
    Reading,
    Receipt,
    ScopeKind,
    Verification,
)
from workbench.errors import EngineError
from workbench.records import Mode

LOOK_BACK = 500
"""Newest tasks of a pool that are looked at to name the dags that use it."""


class AirflowSwitch:
    """The switching half for one Airflow."""

    engine = "airflow"
    _client: AirflowClient
    _clock: Clock

    def capabilities(self) -> Sequence[Capability]:
        """Return what it can and cannot do; drain where the dags say that this Airflow has it."""
        try:
            has_draining = self._look([]).has_draining
        except EngineError:
            has_draining = False
        return capabilities_of(has_draining=has_draining)

    def state(self, scopes: Sequence[EngineScope]) -> Sequence[Reading]:
        """Return a reading of each dag, pool, backfill or run that stands for these scopes."""
        return list(self._look(scopes).readings.values())

    def plan_pause(self, scopes: Sequence[EngineScope], mode: Mode) -> Plan:
        """Work out the calls; a dag that is paused already gets none, and what cannot be is said."""
        look = self._look(scopes)
        cannot = {**look.cannot, **dict(self._refused(scopes, look, mode=mode))}
        able = [scope for scope in scopes if scope.key not in cannot]
        calls = _unique([call for scope in able for call in self._calls(scope, look, mode=mode)])
        pools = [scope.key for scope in able if _is_pool(scope)]
        return Plan(
            self.engine,
            self._version(),
            tuple(scopes),
            mode,
            tuple(look.readings.values()),
            tuple(calls),
            effects=effects_of(mode, of_pools=bool(pools) and len(pools) == len(able)),
            collateral=tuple(self._collateral(key, scopes, look=look) for key in pools),
            cannot=cannot,
            members=look.members,
        )

    def apply(self, call: NativeCall, note: Note) -> CallOutcome:
        """Send one call; a run that it ends gets who and why as its note."""
        body = dict(call.body or {}) or None
        if call.run_id and body is not None:
            body["note"] = note.text
        return send_call(
            self._client,
            replace(call, body=body),
            clock=self._clock,
            refusal=lambda answer: refusal(call, answer),
        )

    def verify(self, plan: Plan) -> Verification:
        """Ask anew how everything in a plan stands."""
        readings = self._look(plan.scopes).readings
        if plan.mode is None:
            wanted = [call.target_id for call in plan.calls if not call.run_id]
            readings = {
                t: r for t, r in readings.items() if t in {b.target_id for b in plan.before}
            }
            unmet = {t: self._not_resumed(t, readings.get(t)) for t in wanted}
        else:
            known = {reading.target_id: reading.name for reading in plan.before}
            unmet = {t: self._not_paused(r, plan.mode) for t, r in readings.items()}
            unmet |= {t: self._gone(name) for t, name in known.items() if t not in readings}
        return Verification(tuple(readings.values()), {t: why for t, why in unmet.items() if why})

    def plan_resume(self, receipts: Sequence[Receipt], catch_up: CatchUp) -> Plan:
        """Work out the calls that unpause what these receipts paused and nobody switched since."""
        look = self._look(list(dict.fromkeys(map(scope_of, receipts))))
        return plan_of_resume(
            self._client, look, receipts=receipts, catch_up=catch_up, version=self._version()
        )

    def _look(self, scopes: Sequence[EngineScope]) -> Look:
        return Looking(self._client, self._clock.now()).look(scopes)

    def _version(self) -> str:
        told = self._client.get(f"{API}/version")
        return str(told.get("version", "")) if isinstance(told, dict) else ""

    def _refused(
        self, scopes: Sequence[EngineScope], look: Look, *, mode: Mode
    ) -> Iterator[tuple[str, str]]:
        place = self._client.place
        for scope in scopes:
            if scope.kind is ScopeKind.RUN and mode is not Mode.HALT:
                yield scope.key, f"{scope} at {place}: {NO_RUN}"
            elif _is_pool(scope) and mode is not Mode.FREEZE:
                why = (
                    "a pool only keeps tasks from starting; freeze it, or name the dags that use it"
                )
                yield scope.key, f"{scope} at {place}: {why}"
            elif mode is Mode.DRAIN and not look.has_draining:
                yield scope.key, f"Airflow at {place} cannot drain {scope}: {NO_DRAIN}"

    def _calls(self, scope: EngineScope, look: Look, *, mode: Mode) -> Iterator[NativeCall]:
        members = [look.readings[t] for t in look.members[scope.key] if t in look.readings]
        if _is_pool(scope):
            yield from (close_pool(pool) for pool in members if not pool.is_paused)
            return
        dags = [one for one in members if one.target_id.startswith("dag:")]
        # A dag that drains starts nothing by itself, but only a pause holds its runs in flight.
        holds = mode is not Mode.DRAIN
        to_pause = [
            one for one in dags if not one.is_paused or (holds and is_draining(look.dags[one.name]))
        ]
        if to_pause and scope.kind is not ScopeKind.WORKFLOW:
            yield pause_all(scope, to_pause, mode=mode)
        elif scope.kind is ScopeKind.WORKFLOW:
            yield from (pause_one(one, mode) for one in to_pause)
        if holds:
            yield from (
                pause_backfill(one)
                for one in members
                if one.target_id.startswith("backfill:") and not one.is_paused
            )
        if mode is Mode.HALT:
            for one in members:
                for run_id in (*one.running_ids, *one.frozen_ids):
                    yield end_run(one.target_id, run_id, stage=2)

    def _collateral(self, key: str, scopes: Sequence[EngineScope], *, look: Look) -> str:
        """Name the dags outside these scopes that were seen to use a pool."""
        asked = {"pool": key.removeprefix(POOL), "order_by": "-run_after"}
        path = f"{API}/dags/~/dagRuns/~/taskInstances"
        latest = self._client.listed(path, key="task_instances", query=asked, at_most=LOOK_BACK)
        found = {str(step["dag_id"]) for step in latest}
        inside = {t for scope in scopes for t in look.members.get(scope.key, ())}
        outside = sorted(dag for dag in found if f"dag:{dag}" not in inside)
        seen = f"; seen in it: {', '.join(outside)}" if outside else "; none was seen in it lately"
        return f"{key} at {self._client.place}: {POOL_COLLATERAL}{seen}"

    def _not_paused(self, reading: Reading, mode: Mode) -> str:
        place, name = self._client.place, reading.name
        if reading.is_paused is False:
            by = f"; {reading.changed_by} unpaused it" if reading.changed_by else ""
            return f"{name} at {place} is not paused{by}: pause it again, or pause it in Airflow's own pages"
        in_flight = (*reading.running_ids, *reading.frozen_ids)
        if mode is Mode.HALT and in_flight:
            return (
                f"{name} at {place} still has {_runs(in_flight)}: end them in Airflow's own pages"
            )
        if mode is Mode.DRAIN and reading.frozen_ids:
            return f"{name} at {place} was paused before {_runs(reading.frozen_ids)} ended: let it go on, or halt"
        return ""

    def _not_resumed(self, target_id: str, reading: Reading | None) -> str:
        if reading is None:
            return self._gone(target_id)
        if not reading.is_paused:
            return ""
        return f"{reading.name} at {self._client.place} is still paused: resume it again, or in Airflow's own pages"

    def _gone(self, name: str) -> str:
        return f"Airflow at {self._client.place} does not list {name} any more: look whether it was deleted or renamed"


def _is_pool(scope: EngineScope) -> bool:
    return scope.kind is ScopeKind.CATEGORY and scope.key.startswith(POOL)


def _unique(calls: Sequence[NativeCall]) -> list[NativeCall]:
    """Return each call once, without pauses of single dags that a bulk call covers."""
    covered = {target for call in calls for target in call.covers}
    found = {call.call_id: call for call in calls}
    kept = [c for c in found.values() if c.run_id or c.covers or c.target_id not in covered]
    return sorted(kept, key=lambda call: call.stage)


def _runs(run_ids: Sequence[str]) -> str:
    shown = ", ".join(run_ids[:3])
    more = f" and {len(run_ids) - 3} more" if len(run_ids) > 3 else ""
    return f"{'run' if len(run_ids) == 1 else 'runs'} {shown}{more} in flight"

"""Reads targets of a Prefect server back: whether they are switched off, and which runs work, wait or would start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.engines.at_once import side_by_side
from workbench.engines.prefect_api import PAGE, PrefectApi, Row
from workbench.engines.prefect_sight import HOLD_LIMIT, Sight
from workbench.engines.prefect_words import (
    OURS,
    Phase,
    instant_of,
    message_of,
    phase_of,
    schedule_of,
)
from workbench.engines.switching import Reading

IN_FLIGHT = ("RUNNING", "PENDING", "PAUSED", "CANCELLING")
SOONEST = "NEXT_SCHEDULED_START_TIME_ASC"

MOST_ASKED = 50
"""Deployments whose next start is asked for, each by itself; for the others it is not told."""

_WORKING = (Phase.RUNNING, Phase.HANDED_OVER, Phase.RETRYING)


@dataclass(frozen=True)
class Found:
    """Targets as they were at one moment.

    Attributes:
        runs: target id -> its runs that are not over.
        in_step: suspended runs that are still in the step that they were in.
    """

    sight: Sight
    runs: Mapping[str, Sequence[Row]]
    in_step: frozenset[str]

    def phase(self, run: Row) -> Phase:
        """Return how far a run has come."""
        return phase_of(run, self.sight.at)

    def readings(self) -> tuple[Reading, ...]:
        """Return a reading of each target."""
        return tuple(self.reading(target_id) for target_id in self.runs)

    def reading(self, target_id: str) -> Reading:
        """Return what is said of one target."""
        runs = self.runs[target_id]
        settings = settings_of(target_id, self.sight)
        planned = [
            due
            for run in runs
            if self.phase(run) is Phase.PLANNED
            and (due := instant_of(run.get("next_scheduled_start_time")))
        ]
        return Reading(
            target_id,
            self.sight.name_of(target_id),
            is_paused(target_id, settings),
            self.sight.at,
            running_ids=_ids(run for run in runs if self.is_working(run)),
            waiting_ids=_ids(run for run in runs if self.is_waiting(run)),
            next_start_at=min(planned, default=None),
            settings=settings,
            note=note_of(settings),
        )

    def is_working(self, run: Row) -> bool:
        """Tell whether a run goes on working, or soon will: a suspended one until its step has ended."""
        return self.phase(run) in _WORKING or str(run["id"]) in self.in_step

    def is_waiting(self, run: Row) -> bool:
        """Tell whether a run would go on at a resume: due, or suspended by us."""
        phase = self.phase(run)
        is_ours = message_of(run).startswith(OURS) and str(run["id"]) not in self.in_step
        return phase is Phase.DUE or (phase is Phase.SUSPENDED and is_ours)


def _ids(runs: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted(str(run["id"]) for run in runs))


def settings_of(target_id: str, sight: Sight) -> dict[str, Any]:
    """Return the switch of a target as it is now; nothing else that changes by itself."""
    kind, _, key = target_id.partition(":")
    if kind in ("pool", "queue"):
        row = (sight.pools if kind == "pool" else sight.queues)[key]
        return {"is_paused": bool(row.get("is_paused"))}
    if kind == "schedule":
        return {"active": bool(sight.schedule(key).get("active"))}
    if kind == "run":
        run = sight.runs[key]
        return {"state": f"{run.get('state_type')}/{run.get('state_name')}"}
    row = sight.deployments[key]
    limit = row.get("global_concurrency_limit") or {}
    return {
        "paused": bool(row.get("paused")),
        "limit_name": limit.get("name"),
        "limit_id": limit.get("id"),
        "limit": limit.get("limit"),
        "options": row.get("concurrency_options"),
        "schedules": {
            str(one["id"]): bool(one.get("active")) for one in row.get("schedules") or ()
        },
    }


def is_held(settings: Mapping[str, Any]) -> bool:
    """Tell whether our limit of 0 keeps a deployment's runs from every worker."""
    return str(settings.get("limit_name")).startswith(HOLD_LIMIT) and settings.get("limit") == 0


def is_paused(target_id: str, settings: Mapping[str, Any]) -> bool:
    """Tell whether nothing new of a target starts by itself."""
    kind = target_id.partition(":")[0]
    if kind == "run":
        return not str(settings["state"]).startswith(("SCHEDULED/", "PENDING/", "RUNNING/")) or (
            settings["state"] == "SCHEDULED/Held"
        )
    if kind == "schedule":
        return not settings["active"]
    return bool(settings["paused" if kind == "deployment" else "is_paused"])


def note_of(settings: Mapping[str, Any]) -> str:
    """Say what is half done with a deployment, where it is."""
    if settings.get("paused") is True and settings.get("limit") != 0:
        return "its schedules are paused; a run that is made by hand still starts"
    if settings.get("paused") is False and is_held(settings):
        return "its schedules plan starts, but our limit of 0 keeps every run from the workers"
    return ""


def find(api: PrefectApi, sight: Sight, *, target_ids: Sequence[str]) -> Found:
    """Ask for the open runs of these targets; a target that is not there any more is left out."""
    wanted = [one for one in dict.fromkeys(target_ids) if sight.has(one)]
    runs: dict[str, dict[str, Row]] = {one: {} for one in wanted}
    for run in _runs_of(api, sight, wanted):
        for target_id in _targets_of(run):
            if target_id in runs:
                runs[target_id][str(run["id"])] = run
    for target_id in wanted:
        if target_id.startswith("run:"):
            run = sight.runs[target_id.removeprefix("run:")]
            runs[target_id][str(run["id"])] = run
    found = {target_id: tuple(rows.values()) for target_id, rows in runs.items()}
    return Found(sight, found, _in_step(api, [run for rows in found.values() for run in rows]))


def _runs_of(api: PrefectApi, sight: Sight, target_ids: Sequence[str]) -> Iterator[Row]:
    for question in _questions(target_ids):
        yield from _open_runs(api, question, sight.at)
    ids = [one.removeprefix("deployment:") for one in target_ids if one.startswith("deployment:")]
    # No start is planned for these, so whatever is there was made by hand.
    paused = [one for one in ids if sight.deployments[one].get("paused")]
    waiting = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    for at in range(0, len(paused), PAGE):
        chosen = {"deployments": {"id": {"any_": paused[at : at + PAGE]}}}
        yield from api.pages("/flow_runs/filter", {**waiting, **chosen})
    asked = [one for one in ids if not sight.deployments[one].get("paused")][:MOST_ASKED]
    soonest = {**waiting, "limit": 1, "sort": SOONEST}
    bodies = [{**soonest, "deployments": {"id": {"any_": [one]}}} for one in asked]
    yield from api.answers("/flow_runs/filter", bodies)


def _questions(target_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the filters that together give every run of these targets."""
    deployments = dict.fromkeys(
        key.partition("/")[0]
        for kind, _, key in (one.partition(":") for one in target_ids)
        if kind in ("deployment", "schedule")
    )
    ids = list(deployments)
    asked: list[dict[str, Any]] = [
        {"deployments": {"id": {"any_": ids[at : at + PAGE]}}} for at in range(0, len(ids), PAGE)
    ]
    pools = dict.fromkeys(
        key.partition("/")[0]
        for kind, _, key in (one.partition(":") for one in target_ids)
        if kind in ("pool", "queue")
    )
    return asked + [{"work_pools": {"name": {"any_": [name]}}} for name in pools]


def _targets_of(run: Row) -> tuple[str, ...]:
    pool, deployment = run.get("work_pool_name"), run.get("deployment_id")
    return (
        f"deployment:{deployment}",
        f"schedule:{deployment}/{schedule_of(run)}",
        f"pool:{pool}",
        f"queue:{pool}/{run.get('work_queue_name')}",
    )


def _open_runs(api: PrefectApi, question: Mapping[str, Any], at: datetime) -> list[Row]:
    """Return what is in flight and what is due."""

    def asked(wanted: dict[str, Any], sort: str) -> dict[str, Any]:
        return {**question, "flow_runs": wanted, "sort": sort}

    in_flight = {"state": {"type": {"any_": list(IN_FLIGHT)}}}
    put_off = {"state": {"name": {"any_": ["AwaitingRetry", "Held"]}}}
    # 100 starts are written ahead for each schedule; only those whose time has come are asked for.
    due = {"next_scheduled_start_time": {"before_": to_text(at)}}
    bodies = [
        asked(one, "ID_DESC")
        for one in (in_flight, put_off, {"state": {"type": {"any_": ["SCHEDULED"]}}, **due})
    ]
    found = side_by_side(lambda body: list(api.pages("/flow_runs/filter", body)), bodies)
    return [run for rows in found for run in rows]


def _in_step(api: PrefectApi, runs: Sequence[Row]) -> frozenset[str]:
    """Return which suspended runs are still in a step: the state says so at once, the work stops after it."""
    ids = sorted({str(run["id"]) for run in runs if run.get("state_type") == "PAUSED"})
    found: set[str] = set()
    for at in range(0, len(ids), PAGE):
        wanted = {
            "flow_run_id": {"any_": ids[at : at + PAGE]},
            "state": {"type": {"any_": ["RUNNING"]}},
        }
        for step in api.pages("/task_runs/filter", {"task_runs": wanted}):
            found.add(str(step.get("flow_run_id")))
    return frozenset(found)

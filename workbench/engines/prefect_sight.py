"""What a Prefect server has at one moment: deployments, pools, queues, limits, and which of them a scope stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from workbench.engines.at_once import side_by_side
from workbench.engines.prefect_api import PrefectApi, Row
from workbench.engines.switching import EngineScope, ScopeKind

HOLD_LIMIT = "workbench-hold-"
"""How the name of a limit of ours begins; the deployment's id follows."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Sight:
    """What was there, each by its id or name.

    Attributes:
        place: host and port of the server, for messages.
        queues: `pool/queue` -> row; only read where a scope asks for a queue.
        runs: run id -> row; only those that a scope names.
    """

    at: datetime
    place: str
    flows: Mapping[str, str]
    deployments: Mapping[str, Row]
    pools: Mapping[str, Row]
    limits: Mapping[str, Row]
    queues: Mapping[str, Row] = field(default_factory=dict)
    runs: Mapping[str, Row] = field(default_factory=dict)

    def name_of(self, target_id: str) -> str:
        """Return a target as people know it: `flow/deployment`, or pool, queue, schedule, run with its name."""
        kind, _, key = target_id.partition(":")
        if kind == "deployment" and key in self.deployments:
            row = self.deployments[key]
            return f"{self.flows.get(str(row.get('flow_id')), '?')}/{row.get('name')}"
        if kind == "schedule":
            deployment, _, schedule = key.partition("/")
            return f"schedule {schedule} of {self.name_of(f'deployment:{deployment}')}"
        if kind == "run" and key in self.runs:
            return f"run {self.runs[key].get('name')} ({key})"
        return f"{kind} {key}"

    def has(self, target_id: str) -> bool:
        """Tell whether a target is still there."""
        kind, _, key = target_id.partition(":")
        if kind == "schedule":
            return bool(self.schedule(key))
        found: Mapping[str, Mapping[str, Row]] = {
            "deployment": self.deployments,
            "pool": self.pools,
            "queue": self.queues,
            "run": self.runs,
        }
        return key in found.get(kind, {})

    def schedule(self, key: str) -> Row:
        """Return the schedule `deployment id/schedule id`, or an empty row."""
        deployment, _, schedule = key.partition("/")
        own = self.deployments.get(deployment, {}).get("schedules") or ()
        return next((one for one in own if str(one.get("id")) == schedule), {})

    def members(self, scope: EngineScope) -> tuple[str, ...]:
        """Return the ids of the native targets that stand for a scope; none where it is not known."""
        if scope.kind is ScopeKind.ENGINE:
            return (
                *(f"pool:{name}" for name in sorted(self.pools)),
                *self._deployments(lambda _: True),
            )
        if scope.kind is ScopeKind.WORKFLOW:
            return self._deployments(lambda row: scope.key in self._names(row))
        if scope.kind is ScopeKind.CATEGORY:
            return self._category(scope.key)
        if scope.kind is ScopeKind.TRIGGER:
            return self._schedules(scope.key)
        return (f"run:{scope.key}",) if scope.key in self.runs else ()

    def _category(self, key: str) -> tuple[str, ...]:
        kind, _, name = key.partition(":")
        if kind == "pool" and name:
            return (f"pool:{name}",) if name in self.pools else ()
        if kind == "queue" and name:
            return (f"queue:{name}",) if name in self.queues else ()
        tag = name if kind == "tag" and name else key
        return self._deployments(lambda row: tag in (row.get("tags") or ()))

    def _schedules(self, key: str) -> tuple[str, ...]:
        return tuple(
            f"schedule:{deployment_id}/{one.get('id')}"
            for deployment_id, row in self.deployments.items()
            for one in row.get("schedules") or ()
            if key
            in (str(one.get("id")), f"{self.name_of(f'deployment:{deployment_id}')}/{one['slug']}")
        )

    def _deployments(self, is_wanted: Callable[[Row], bool]) -> tuple[str, ...]:
        found = [key for key, row in self.deployments.items() if is_wanted(row)]
        return tuple(sorted((f"deployment:{key}" for key in found), key=self.name_of))

    def _names(self, row: Row) -> tuple[str, ...]:
        """Return the names that bind a deployment, as those of the reading half."""
        flow = self.flows.get(str(row.get("flow_id")), "")
        return (flow, f"{flow}/{row.get('name')}", str(row.get("name")))

    def why_not(self, scope: EngineScope) -> str:
        """Say why a scope stands for nothing here, and what to write instead."""
        if scope.kind is ScopeKind.WORKFLOW and scope.key in self.flows.values():
            return (
                f"the flow {scope.key} has no deployment at {self.place}, so Prefect does not start it: "
                "stop the program that calls it, or let it ask the gate"
            )
        how = {
            ScopeKind.WORKFLOW: "name a flow, a deployment, or FLOW/DEPLOYMENT",
            ScopeKind.CATEGORY: "name a tag of deployments, pool:NAME or queue:POOL/NAME",
            ScopeKind.TRIGGER: "name a schedule's id, or FLOW/DEPLOYMENT/SLUG",
            ScopeKind.RUN: "name the id of a flow run that is not over",
            ScopeKind.ENGINE: "it has neither pools nor deployments",
        }[scope.kind]
        return f"Prefect at {self.place} has no {scope}; {how}"


def look(api: PrefectApi, scopes: Sequence[EngineScope], *, at: datetime) -> Sight:
    """Ask what there is, as far as these scopes need it."""
    run_ids = [s.key for s in scopes if s.kind is ScopeKind.RUN and _ID.fullmatch(s.key)]
    paths = ("/work_pools/filter", "/flows/filter", "/deployments/filter")
    pool_rows, flows, deployments = side_by_side(lambda path: list(api.pages(path, {})), paths)
    pools = {str(one["name"]): one for one in pool_rows}
    wanted = {
        s.key.removeprefix("queue:").partition("/")[0]
        for s in scopes
        if s.kind is ScopeKind.CATEGORY and s.key.startswith("queue:")
    }
    return Sight(
        at,
        api.place,
        flows={str(one["id"]): str(one["name"]) for one in flows},
        deployments={str(one["id"]): one for one in deployments},
        pools=pools,
        limits=api.read_limits(),
        queues={
            f"{pool}/{one['name']}": one
            for pool in sorted(wanted & set(pools))
            for one in api.pages(f"/work_pools/{quoted(pool)}/queues/filter", {})
        },
        runs={
            str(run["id"]): run
            for run in api.rows_of("/flow_runs/filter", "flow_runs", column="id", values=run_ids)
        },
    )


def quoted(name: str) -> str:
    """Return a name as it stands in a path."""
    return quote(name, safe="")


def scope_of(target_id: str, sight: Sight) -> EngineScope:
    """Return the scope that stands for one target alone."""
    kind, _, key = target_id.partition(":")
    if kind == "deployment":
        return EngineScope(ScopeKind.WORKFLOW, sight.name_of(target_id))
    if kind == "schedule":
        return EngineScope(ScopeKind.TRIGGER, key.partition("/")[2])
    if kind == "run":
        return EngineScope(ScopeKind.RUN, key)
    return EngineScope(ScopeKind.CATEGORY, target_id)

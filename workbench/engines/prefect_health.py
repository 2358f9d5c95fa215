"""Whether a Prefect server that says it is healthy also plans starts: `/health` is true even when its loops died."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import to_text
from workbench.engines.prefect_api import PAGE, PrefectApi, Row
from workbench.engines.prefect_words import instant_of

SETTLED = timedelta(minutes=2)
"""How long after a change a deployment may be without planned starts: the scheduler looks once a minute."""

OVERDUE = timedelta(minutes=5)
"""Late for longer than this is a doubt; a worker that polls every 15 seconds has come by often by then."""

MOST_ASKED = 20
"""Deployments that are asked about one by one; a dead scheduler shows in each of them."""


def findings_of(api: PrefectApi, now: datetime) -> tuple[str, ...]:
    """Return what makes it doubtful that starts are planned and made, a sentence each."""
    deployments = {str(one["id"]): one for one in api.pages("/deployments/filter", {})}
    pools = list(api.pages("/work_pools/filter", {}))
    return (
        *_without_starts(api, list(deployments.values()), now),
        *_never_marked(api, now),
        *_late(api, deployments, {str(p["name"]) for p in pools if p.get("is_paused")}, now=now),
        *(
            f"the work pool {pool['name']} at {api.place} has no worker that is alive: "
            "what is sent there waits; start one"
            for pool in pools
            if pool.get("status") == "NOT_READY"
        ),
    )


def _without_starts(api: PrefectApi, deployments: Sequence[Row], now: datetime) -> list[str]:
    asked = [one for one in deployments if _should_have_starts(one, now)][:MOST_ASKED]
    ahead = {"state": {"type": {"any_": ["SCHEDULED"]}}, **_planned("after_", now)}
    silent = [
        str(one["name"])
        for one in asked
        if not api.count(
            "/flow_runs/count",
            {"flow_runs": ahead, "deployments": {"id": {"any_": [one["id"]]}}},
        )
    ]
    if not silent:
        return []
    return [
        f"{len(silent)} of {len(asked)} deployments with an active schedule have no planned start "
        f"({', '.join(silent[:3])}): the scheduler at {api.place} does not plan; look at its log"
    ]


def _should_have_starts(deployment: Row, now: datetime) -> bool:
    changed = instant_of(deployment.get("updated"))
    is_settled = changed is None or changed < now - SETTLED
    schedules = deployment.get("schedules") or ()
    return (
        not deployment.get("paused")
        and is_settled
        and any(one.get("active") and not one.get("max_scheduled_runs") for one in schedules)
    )


def _never_marked(api: PrefectApi, now: datetime) -> list[str]:
    overdue = {"state": {"name": {"any_": ["Scheduled"]}}, **_planned("before_", now - SETTLED)}
    count = api.count("/flow_runs/count", {"flow_runs": overdue})
    if not count:
        return []
    return [
        f"{count} runs are overdue and {api.place} has not marked them Late: "
        "its own loops do not run; look at its log"
    ]


def _late(
    api: PrefectApi, deployments: dict[str, Row], paused_pools: set[str], *, now: datetime
) -> list[str]:
    """Say which runs wait though nothing holds them; a paused deployment or pool is no doubt."""
    wanted = {"state": {"name": {"any_": ["Late"]}}, **_planned("before_", now - OVERDUE)}
    body = {"flow_runs": wanted, "sort": "NEXT_SCHEDULED_START_TIME_ASC", "limit": PAGE}
    waiting = [
        run
        for run in api.listed(api.client.post("/flow_runs/filter", body))
        if run.get("work_pool_name") not in paused_pools
        and not is_held(deployments.get(str(run.get("deployment_id")), {}))
    ]
    if not waiting:
        return []
    since = waiting[0].get("next_scheduled_start_time")
    return [
        f"{len(waiting)} runs at {api.place} wait for a worker, the longest since {since}, "
        "though nothing holds them; start a worker or the serving program"
    ]


def is_held(deployment: Row) -> bool:
    """Tell whether nothing of a deployment can be handed to a worker: its limit of runs at a time is 0."""
    limit = deployment.get("global_concurrency_limit") or {}
    return limit.get("limit") == 0


def _planned(bound: str, instant: datetime) -> dict[str, Any]:
    return {"next_scheduled_start_time": {bound: to_text(instant)}}

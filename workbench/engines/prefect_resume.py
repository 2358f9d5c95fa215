"""Lets go again what receipts say that we stopped at a Prefect server, and says before what would start then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.engines.prefect_api import LIMITS, PrefectApi, Row
from workbench.engines.prefect_calls import (
    drop_call,
    path_of,
    put_off_call,
    state_call,
)
from workbench.engines.prefect_readings import Found, is_held, is_paused
from workbench.engines.prefect_sight import HOLD_LIMIT, quoted, scope_of
from workbench.engines.prefect_words import OURS, Phase, message_of
from workbench.engines.switching import CatchUp, Firing, NativeCall, Plan, Receipt


@dataclass
class _Drawn:
    """A plan while it is drawn up."""

    calls: list[NativeCall] = field(default_factory=list)
    cannot: dict[str, str] = field(default_factory=dict)
    forecast: list[Firing] = field(default_factory=list)


def plan_resume(
    api: PrefectApi, found: Found, *, receipts: Sequence[Receipt], catch_up: CatchUp
) -> Plan:
    """Work out the calls; engine and version are filled in by who asks."""
    drawn = _Drawn()
    for receipt in receipts:
        suspended = _let_go(api, receipt, drawn)
        if receipt.target_id not in found.runs:
            drawn.cannot[receipt.target_id] = f"{receipt.name} is not at {api.place} any more"
        elif _is_half_open(found, receipt):
            drawn.calls.append(_limit_away(receipt))
            said = (
                f"{receipt.name}: is open already, and our limit that was left over is taken away"
            )
            ids = tuple(suspended)
            drawn.forecast.append(Firing(receipt.target_id, receipt.name, len(ids), said, ids))
        elif why := _changed_since(found, receipt):
            drawn.cannot[receipt.target_id] = why
        else:
            _open(found, receipt, drawn, catch_up=catch_up, suspended=suspended)
    there = [receipt for receipt in receipts if receipt.target_id in found.runs]
    return Plan(
        receipts[0].engine if receipts else "",
        "",
        tuple(scope_of(receipt.target_id, found.sight) for receipt in there),
        None,
        found.readings(),
        tuple({call.call_id: call for call in drawn.calls}.values()),
        cannot=drawn.cannot,
        forecast=tuple(drawn.forecast),
        members={scope_of(r.target_id, found.sight).key: (r.target_id,) for r in there},
    )


def _let_go(api: PrefectApi, receipt: Receipt, drawn: _Drawn) -> list[str]:
    """Let runs go on that we suspended and that still are; returns their ids."""
    run_ids = list(receipt.altered_run_ids)
    rows = api.rows_of("/flow_runs/filter", "flow_runs", column="id", values=run_ids)
    ours = [run for run in rows if message_of(run).startswith(OURS)]
    suspended = [str(run["id"]) for run in ours if run.get("state_type") == "PAUSED"]
    drawn.calls += [
        NativeCall(
            f"run:{run_id}.resume",
            receipt.target_id,
            "POST",
            f"/flow_runs/{run_id}/resume",
            {},
            f"run {run_id}: goes on",
            3,
            run_id=run_id,
        )
        for run_id in suspended
    ]
    for run in ours:
        if run.get("state_type") == "SCHEDULED" and run.get("state_name") == "Held":
            drawn.calls.append(_planned_again(run, receipt.target_id))
    return suspended


def _planned_again(run: Row, target_id: str) -> NativeCall:
    due = {"scheduled_time": run.get("expected_start_time")}
    state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": due}
    return state_call(
        str(run["id"]), target_id, state=state, said="starts at its own time", stage=3
    )


def _is_half_open(found: Found, receipt: Receipt) -> bool:
    """Tell whether a deployment is open and our limit stands unused: our resume got no further than the switch.

    Whoever else opens it leaves our limit on it, or takes it away by deploying again.
    """
    kind, _, key = receipt.target_id.partition(":")
    now = found.reading(receipt.target_id).settings
    is_open = kind == "deployment" and not is_held(now) and not is_paused(receipt.target_id, now)
    return is_open and f"{HOLD_LIMIT}{key}" in found.sight.limits


def _changed_since(found: Found, receipt: Receipt) -> str:
    """Say what others did to a target's switch since we set it, or an empty text."""
    kind, place = receipt.target_id.partition(":")[0], found.sight.place
    now = found.reading(receipt.target_id).settings
    if kind == "run" or (kind == "deployment" and is_held(now)):
        # Our limit is still on it, so it is ours to take off, whatever was done to its schedules.
        return ""
    own = ("paused", "limit_name", "limit") if kind == "deployment" else ("is_paused", "active")
    if all(now[one] == receipt.after.get(one) for one in own if one in now):
        return ""
    if not is_paused(receipt.target_id, now):
        return (
            f"{receipt.name} is open at {place} already: somebody let it go since we paused it "
            "(Prefect does not say who), so it stays as it is"
        )
    return (
        f"{receipt.name} was changed at {place} since we paused it (Prefect does not say by whom) "
        "and stays paused: unpause it there"
    )


def _open(
    found: Found, receipt: Receipt, drawn: _Drawn, *, catch_up: CatchUp, suspended: Sequence[str]
) -> None:
    target_id = receipt.target_id
    kind = target_id.partition(":")[0]
    due = [run for run in found.runs[target_id] if _waits_here(found, run, kind)]
    starting, dropped, put_off = _sorted_out(due, catch_up)
    drawn.calls += [drop_call(run, target_id) for run in dropped]
    drawn.calls += [put_off_call(run, target_id) for run in put_off]
    told = _firing(found, receipt, starting=starting, left=(dropped, put_off), suspended=suspended)
    drawn.forecast.append(replace(told, cannot=_not_made_up(receipt, catch_up)))
    if kind == "run":
        return
    drawn.calls += _opening_calls(found, receipt)


def _not_made_up(receipt: Receipt, catch_up: CatchUp) -> str:
    """Say where missed starts of schedules cannot be made up for: Prefect plans none while they are paused."""
    schedules: Mapping[str, Any] = receipt.before.get("schedules") or {}
    if catch_up is CatchUp.SKIP or not any(schedules.values()) or receipt.before.get("paused"):
        return ""
    return (
        "Prefect plans no starts of a schedule while it is paused, so none can be made up for; what was planned "
        "before, or made by hand, starts"
    )


def _opening_calls(found: Found, receipt: Receipt) -> list[NativeCall]:
    target_id = receipt.target_id
    kind, _, key = target_id.partition(":")
    body, said = _opening(found, receipt)
    sentence = f"{receipt.name}: {said}"
    calls = [
        NativeCall(f"{target_id}.resume", target_id, "PATCH", path_of(target_id), body, sentence, 2)
    ]
    if kind == "deployment" and f"{HOLD_LIMIT}{key}" in found.sight.limits:
        calls.append(_limit_away(receipt))
    return calls


def _limit_away(receipt: Receipt) -> NativeCall:
    target_id = receipt.target_id
    path = f"{LIMITS}{quoted(HOLD_LIMIT + target_id.partition(':')[2])}"
    said = f"{receipt.name}: takes our limit away"
    return NativeCall(f"{target_id}.limit", target_id, "DELETE", path, None, said, 3)


def _opening(found: Found, receipt: Receipt) -> tuple[dict[str, Any], str]:
    """Return what brings a switch back as it was found, and how that is said."""
    kind = receipt.target_id.partition(":")[0]
    before = receipt.before
    if kind != "deployment":
        name = "active" if kind == "schedule" else "is_paused"
        return {name: before[name]}, "starts again as before"
    body: dict[str, Any] = {"paused": before["paused"]}
    said = "plans and hands over runs again"
    if is_held(found.reading(receipt.target_id).settings):
        known = {str(row.get("id")) for row in found.sight.limits.values()}
        is_own = str(before.get("limit_name")).startswith(HOLD_LIMIT)
        was = None if is_own else before.get("limit_id")
        body["global_concurrency_limit_id"] = was if was in known else None
        if was and was not in known:
            said += "; its own limit was deleted meanwhile, so it has none"
        if (before.get("options") or {}).get("collision_strategy") == "CANCEL_NEW":
            body["concurrency_options"] = before["options"]
    return body, said


def _waits_here(found: Found, run: Row, kind: str) -> bool:
    """Tell whether opening this target lets a run start that has not begun."""
    if kind not in ("deployment", "pool", "queue") or found.phase(run) is not Phase.DUE:
        return False
    deployment = found.sight.deployments.get(str(run.get("deployment_id")), {})
    limit = deployment.get("global_concurrency_limit") or {}
    return kind == "deployment" or limit.get("limit") != 0


def _sorted_out(due: Sequence[Row], catch_up: CatchUp) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the runs that start, those of schedules to cancel, and those made by hand to leave put off."""
    if catch_up is CatchUp.ALL:
        return list(due), [], []
    # What has begun once, such as a suspended run that somebody resumed meanwhile, is no start that was missed.
    newest = {str(run["id"]): run for run in due if run.get("run_count")}
    if catch_up is CatchUp.LATEST:
        for run in sorted(due, key=lambda run: str(run.get("expected_start_time"))):
            newest[str(run.get("deployment_id"))] = run
    starting = list(newest.values())
    left = [run for run in due if run not in starting]
    return (
        starting,
        [run for run in left if run.get("auto_scheduled")],
        [run for run in left if not run.get("auto_scheduled")],
    )


def _firing(
    found: Found,
    receipt: Receipt,
    *,
    starting: Sequence[Row],
    left: tuple[Sequence[Row], Sequence[Row]],
    suspended: Sequence[str],
) -> Firing:
    dropped, put_off = left
    by_hand = sum(1 for run in starting if not run.get("auto_scheduled"))
    said = [f"{receipt.name}: {len(starting)} runs that waited start at once"]
    if by_hand:
        said.append(f"{by_hand} of them made by hand")
    if suspended:
        said.append(
            f"{len(suspended)} suspended runs go on and repeat the steps whose results are not persisted"
        )
    if dropped:
        said.append(f"{len(dropped)} starts of schedules are cancelled")
    if put_off:
        some = ", ".join(str(run["id"]) for run in put_off[:3])
        said.append(f"{len(put_off)} made by hand stay put off until somebody starts them ({some})")
    ahead = [r for r in found.runs[receipt.target_id] if found.phase(r) is Phase.AHEAD]
    if ahead:
        said.append(f"{len(ahead)} made by hand for later start at their time")
    if receipt.target_id.startswith(("deployment:", "schedule:")):
        said.append("starts that were not planned during the pause are not made up")
    if _schedules_changed(found, receipt):
        said.append("its schedules were changed during the pause")
    run_ids = (*(str(run["id"]) for run in starting), *suspended)
    return Firing(receipt.target_id, receipt.name, len(run_ids), "; ".join(said), tuple(run_ids))


def _schedules_changed(found: Found, receipt: Receipt) -> bool:
    before: Mapping[str, Any] | None = receipt.after.get("schedules")
    return before is not None and dict(before) != found.reading(receipt.target_id).settings.get(
        "schedules"
    )


def unmet_after_resume(api: PrefectApi, found: Found, *, plan: Plan) -> dict[str, str]:
    """Say what is not as a resume wants it."""
    unmet: dict[str, str] = {}
    for call in plan.calls:
        if call.run_id or not isinstance(call.body, Mapping) or call.target_id not in found.runs:
            continue
        settings = found.reading(call.target_id).settings
        name = found.sight.name_of(call.target_id)
        if is_held(settings):
            unmet[call.target_id] = (
                f"{name} still has our limit of 0 at {api.place}: send the plan again"
            )
        for one in ("paused", "is_paused", "active"):
            if one in call.body and settings.get(one) != call.body[one]:
                unmet[call.target_id] = (
                    f"{name} is still paused at {api.place}: send the plan again"
                )
    resumed = [c.run_id for c in plan.calls if c.path.endswith("/resume")]
    for run in api.rows_of("/flow_runs/filter", "flow_runs", column="id", values=resumed):
        if run.get("state_type") == "PAUSED":
            target = next(c.target_id for c in plan.calls if c.run_id == str(run["id"]))
            unmet[target] = (
                f"run {run['id']} is still suspended at {api.place}: send the plan again"
            )
    return unmet

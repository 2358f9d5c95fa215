"""The native calls of Prefect: which one brings a target or a run where it is wanted, and what its answer means.

A deployment is stopped by two switches together. `paused` stops its schedules only: runs made by hand still start.
A limit of 0 runs at a time makes the server refuse each hand-over to a worker, so every run waits and none is
altered. (Tried and left: a run that waits and is set to PAUSED makes the worker that is just taking it end with all
its other runs; one that is set to CANCELLED while it starts runs all the same.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from workbench.engines.http import Answer
from workbench.engines.prefect_api import LIMITS, PrefectApi, Row
from workbench.engines.prefect_readings import Found
from workbench.engines.prefect_sight import HOLD_LIMIT, quoted
from workbench.engines.prefect_words import HELD, OURS, Phase, instant_of
from workbench.engines.switching import NativeCall, Note
from workbench.records import Mode

SOON = timedelta(minutes=1)
"""A run that is due within this may be in a worker's hands: workers take runs some seconds before their time."""

FAR = "9999-01-01T00:00:00Z"
"""When a run that is put off would start: no clock will say so, only a person or a resume."""


def switch_calls(found: Found, target_id: str) -> list[NativeCall]:
    """Return the calls that keep a target from starting anything; none where that is so already."""
    settings = found.reading(target_id).settings
    name = found.sight.name_of(target_id)
    kind, _, key = target_id.partition(":")
    if kind == "deployment":
        return _deployment_calls(found, key, settings)
    if kind == "run" or (settings.get("is_paused") or settings.get("active") is False):
        return []
    body = {"active": False} if kind == "schedule" else {"is_paused": True}
    said = "ends the schedule's planning" if kind == "schedule" else "sends no more runs to workers"
    return [
        NativeCall(
            f"{target_id}.pause", target_id, "PATCH", path_of(target_id), body, f"{name}: {said}"
        )
    ]


def path_of(target_id: str) -> str:
    """Return where a target is switched."""
    kind, _, key = target_id.partition(":")
    first, _, second = key.partition("/")
    return {
        "deployment": f"/deployments/{key}",
        "schedule": f"/deployments/{first}/schedules/{second}",
        "pool": f"/work_pools/{quoted(key)}",
        "queue": f"/work_pools/{quoted(first)}/queues/{quoted(second)}",
        "run": f"/flow_runs/{key}",
    }[kind]


def _deployment_calls(found: Found, key: str, settings: Mapping[str, Any]) -> list[NativeCall]:
    target_id, limit = f"deployment:{key}", f"{HOLD_LIMIT}{key}"
    name = found.sight.name_of(target_id)
    row = found.sight.limits.get(limit)
    if settings["paused"]:
        # With our limit on it there is nothing to do; without, somebody else paused it, and it stays as found.
        return []
    calls = []
    if row is None or row.get("limit") != 0:
        calls.append(
            NativeCall(
                f"{target_id}.limit",
                target_id,
                "POST",
                LIMITS,
                {"name": limit, "limit": 0, "active": True},
                f"{name}: makes a limit of 0 runs at a time",
            )
        )
    body: dict[str, Any] = {"paused": True, "global_concurrency_limit_id": limit}
    if (settings["options"] or {}).get("collision_strategy") == "CANCEL_NEW":
        # With this strategy a run that waits longer than a few seconds would be cancelled.
        body["concurrency_options"] = {**settings["options"], "collision_strategy": "ENQUEUE"}
    said = "plans no more starts, and hands no run to a worker"
    calls.append(
        NativeCall(
            f"{target_id}.pause", target_id, "PATCH", path_of(target_id), body, f"{name}: {said}", 2
        )
    )
    return calls


def run_calls(
    found: Found, target_id: str, *, mode: Mode
) -> tuple[list[NativeCall], dict[str, str]]:
    """Return the calls that stop a target's runs in flight, and for each run that cannot be stopped why."""
    calls, cannot = [], {}
    for run in found.runs[target_id]:
        why = why_not(found, run, mode=mode)
        if why:
            cannot[str(run["id"])] = why
        elif is_to_stop(found, run, mode=mode):
            calls.append(stop_call(run, target_id, mode=mode))
    return calls, cannot


def put_off_calls(
    found: Found, target_id: str, *, mode: Mode
) -> tuple[list[NativeCall], dict[str, str]]:
    """Return the call that puts off the one run that a target is, where it has not started, or why it cannot.

    A run that is about to start may be in a worker's hands already: only a cancellation reaches it for certain.
    """
    run = found.sight.runs.get(target_id.removeprefix("run:"), {})
    phase = found.phase(run)
    if phase in (Phase.AHEAD, Phase.PLANNED):
        due = instant_of(run.get("next_scheduled_start_time")) or found.sight.at
        if due - found.sight.at > SOON:
            is_off = run.get("state_name") == HELD
            return ([] if is_off else [put_off_call(run, target_id)]), {}
    if phase in (Phase.AHEAD, Phase.PLANNED, Phase.DUE) and mode is Mode.HALT:
        return [stop_call(run, target_id, mode=mode)], {}
    if (
        phase in (Phase.AHEAD, Phase.PLANNED, Phase.DUE, Phase.HANDED_OVER)
        and mode is not Mode.HALT
    ):
        name = found.sight.name_of(target_id)
        why = "is about to start, and a worker may have it already"
        return [], {str(run["id"]): f"{name} {why}: pause its workflow, or halt the run"}
    return [], {}


def is_to_stop(found: Found, run: Row, *, mode: Mode) -> bool:
    """Tell whether a mode stops a run that has come as far as this one."""
    phase = found.phase(run)
    if mode is Mode.FREEZE:
        return phase is Phase.RUNNING and run.get("state_type") == "RUNNING"
    stopped = (Phase.RUNNING, Phase.HANDED_OVER, Phase.RETRYING, Phase.PAUSED)
    return mode is Mode.HALT and phase in stopped and run.get("state_type") != "CANCELLING"


def why_not(found: Found, run: Row, *, mode: Mode) -> str:
    """Return why Prefect cannot suspend a run that works, or an empty text."""
    if mode is not Mode.FREEZE or not is_to_stop(found, run, mode=mode):
        return ""
    if run.get("parent_task_run_id"):
        return "it runs inside another flow run, which Prefect suspends or not at all; halt can cancel it"
    if not run.get("deployment_id"):
        return "it has no deployment, and Prefect suspends no such run; halt can cancel it"
    return ""


def stop_call(run: Row, target_id: str, *, mode: Mode) -> NativeCall:
    """Return the call that suspends or cancels a run in flight."""
    run_id = str(run["id"])
    if mode is Mode.FREEZE:
        # Without a time-out: the server would fail the run when that has passed.
        state = {
            "type": "PAUSED",
            "name": "Suspended",
            "state_details": {"pause_reschedule": True},
        }
        said = "suspends the run after its step"
    else:
        # CANCELLING and not CANCELLED: only that reaches the worker, and it leaves what has ended alone.
        state, said = {"type": "CANCELLING", "name": "Cancelling"}, "cancels the run"
    return state_call(
        run_id, target_id, state=state, said=said, stage=3, is_lossy=mode is Mode.HALT
    )


def put_off_call(run: Row, target_id: str, *, stage: int = 1) -> NativeCall:
    """Return the call that leaves a run that has not started for a person to start."""
    state = {"type": "SCHEDULED", "name": HELD, "state_details": {"scheduled_time": FAR}}
    said = "puts the run off until somebody starts it"
    return state_call(str(run["id"]), target_id, state=state, said=said, stage=stage)


def drop_call(run: Row, target_id: str) -> NativeCall:
    """Return the call that cancels a start that a schedule made and that never began."""
    state = {"type": "CANCELLED", "name": "Cancelled"}
    said = "cancels the start that fell into the pause"
    return state_call(str(run["id"]), target_id, state=state, said=said, is_lossy=True)


def state_call(
    run_id: str,
    target_id: str,
    *,
    state: Mapping[str, Any],
    said: str,
    stage: int = 1,
    is_lossy: bool = False,
) -> NativeCall:
    """Return the call that sets a run's state."""
    return NativeCall(
        f"run:{run_id}.{str(state['name']).lower()}",
        target_id,
        "POST",
        f"/flow_runs/{run_id}/set_state",
        {"state": dict(state), "force": False},
        f"run {run_id}: {said}",
        stage,
        is_lossy,
        run_id,
    )


def ready(api: PrefectApi, call: NativeCall, *, note: Note) -> NativeCall | str:
    """Return a call as it is sent, with the reason and what only the server knows, or why it must not be sent."""
    body = dict(call.body or {})
    if call.method == "DELETE" and _is_linked(api, call.target_id):
        # Without it, what stays paused would look like somebody else's pause, and never be let go again.
        return (
            "the deployment still has our limit, which stays until it is open; send the plan again"
        )
    if call.path == LIMITS and api.limit_named(str(body["name"]), is_remembered=True):
        path = f"{LIMITS}{quoted(str(body['name']))}"
        return replace(call, method="PATCH", path=path, body={"limit": 0, "active": True})
    linked = str(body.get("global_concurrency_limit_id", ""))
    if linked.startswith(HOLD_LIMIT):
        return _linked(api, call, linked)
    if "state" not in body:
        return call
    if body["state"]["type"] in ("SCHEDULED", "CANCELLED"):
        # The server would set even a run that has ended to these.
        now = api.row(path_of(f"run:{call.run_id}"))
        if now.get("state_type") != "SCHEDULED":
            return f"run {call.run_id} is {now.get('state_name')} by now and was left alone"
    state = {**body["state"], "message": OURS + note.text}
    return replace(call, body={**body, "state": state})


def _is_linked(api: PrefectApi, target_id: str) -> bool:
    """Tell whether a deployment still has our limit; one that is gone has none."""
    wanted = {"deployments": {"id": {"any_": [target_id.partition(":")[2]]}}}
    limits = (
        row.get("global_concurrency_limit") for row in api.pages("/deployments/filter", wanted)
    )
    return any(str((one or {}).get("name")).startswith(HOLD_LIMIT) for one in limits)


def _linked(api: PrefectApi, call: NativeCall, name: str) -> NativeCall | str:
    """Return the call with the id of our limit; where the server will have no limit, with the schedules alone."""
    body = dict(call.body or {})
    limit = api.limit_named(name)
    if limit is None:
        answer = api.client.send("POST", LIMITS, body={"name": name, "limit": 0, "active": True})
        if answer.status in (400, 401, 403, 404, 405, 422):
            # Better half a stop than none: what still starts is read back and said.
            return replace(call, body={"paused": True})
        limit = answer.body if isinstance(answer.body, dict) else {}
        if "id" not in limit:
            return f"the limit {name} could not be made ({answer.status}); send the plan again"
    return replace(call, body={**body, "global_concurrency_limit_id": limit["id"]})


def refusal_in(answer: Answer) -> str:
    """Return the no in an answer about a run whose status says yes, or an empty text."""
    body = answer.body
    if not isinstance(body, dict) or body.get("status") in (None, "ACCEPT"):
        return ""
    reason = str((body.get("details") or {}).get("reason") or body["status"])
    state = (body.get("state") or {}).get("type")
    # What is to be cancelled and has no process yet is cancelled at once; what has ended needs nothing.
    if state == "CANCELLED" or "terminal state" in reason:
        return ""
    return f"Prefect says {body['status']}: {reason}"

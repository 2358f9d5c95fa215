"""The calls that switch Airflow, and the no that some of its answers hold although they say 200."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from workbench.engines.airflow_client import API
from workbench.engines.airflow_words import run_path
from workbench.engines.http import Answer
from workbench.engines.switching import EngineScope, NativeCall, Reading, ScopeKind
from workbench.records import Mode

POOL = "pool:"
DRAINING = "draining"
BULK = f"{API}/dags?dag_id_pattern=%25&exclude_stale=false"
"""Without the pattern Airflow answers 200 and matches no dag."""


def end_run(target_id: str, run_id: str, *, stage: int) -> NativeCall:
    """Return the call that sets a run to failed, for good."""
    return NativeCall(
        f"{run_id}.end",
        target_id,
        "PATCH",
        run_path(run_id),
        {"state": "failed"},
        f"ends run {run_id}: marked failed with the reason, its task killed at the next heartbeat",
        stage=stage,
        is_lossy=True,
        run_id=run_id,
    )


def _wanted(mode: Mode) -> dict[str, object]:
    return {"scheduling_state": DRAINING} if mode is Mode.DRAIN else {"is_paused": True}


def pause_one(dag: Reading, mode: Mode) -> NativeCall:
    """Return the call that pauses or drains one dag."""
    path = f"{API}/dags/{quote(dag.name, safe='')}"
    words = "drains" if mode is Mode.DRAIN else "pauses"
    return NativeCall(
        f"{dag.name}.pause", dag.target_id, "PATCH", path, _wanted(mode), f"{words} dag {dag.name}"
    )


def pause_all(scope: EngineScope, dags: Sequence[Reading], *, mode: Mode) -> NativeCall:
    """Return the call that pauses all dags of a tag or of the engine; `dags` are those that are not paused yet."""
    is_tag = scope.kind is ScopeKind.CATEGORY
    tags = f"&tags={quote(scope.key, safe='')}" if is_tag else ""
    whose = f"with the tag {scope.key}" if is_tag else "of this Airflow"
    words = "drains" if mode is Mode.DRAIN else "pauses"
    return NativeCall(
        f"{scope.kind}.{scope.key}.pause",
        f"tag:{scope.key}" if is_tag else "engine:*",
        "PATCH",
        f"{BULK}{tags}",
        _wanted(mode),
        f"{words} all dags {whose}, {len(dags)} of them not paused yet",
        covers=tuple(dag.target_id for dag in dags),
    )


def close_pool(pool: Reading) -> NativeCall:
    """Return the call that takes a pool's slots away."""
    name = pool.target_id.removeprefix(POOL)
    body = {"pool": name, "slots": 0, "include_deferred": pool.settings["include_deferred"]}
    path = f"{API}/pools/{quote(name, safe='')}"
    words = f"takes all {pool.settings['slots']} slots of pool {name} away"
    return NativeCall(f"{pool.target_id}.pause", pool.target_id, "PATCH", path, body, words)


def pause_backfill(one: Reading) -> NativeCall:
    """Return the call that pauses a backfill."""
    number = one.target_id.removeprefix("backfill:")
    path = f"{API}/backfills/{number}/pause"
    return NativeCall(
        f"{one.target_id}.pause", one.target_id, "PUT", path, None, f"pauses {one.name}"
    )


def refusal(call: NativeCall, answer: Answer) -> str:
    """Return the no that an answer of 200 holds, or an empty text."""
    body = answer.body if isinstance(answer.body, dict) else {}
    if call.covers and not body.get("total_entries"):
        return f"Airflow took the call and matched no dag: {call.path}"
    wanted = call.body or {}
    for name in ("is_paused", "slots", "state"):
        if not call.covers and name in wanted and body.get(name) != wanted[name]:
            return f"Airflow took the call, and {name} is {body.get(name)!r}"
    return ""


def unpause(dag: Reading, *, stage: int) -> NativeCall:
    """Return the call that unpauses one dag."""
    path, body = f"{API}/dags/{quote(dag.name, safe='')}", {"is_paused": False}
    words = f"unpauses dag {dag.name}"
    return NativeCall(f"{dag.name}.resume", dag.target_id, "PATCH", path, body, words, stage=stage)


def unpause_backfill(one: Reading, *, stage: int) -> NativeCall:
    """Return the call that lets a backfill go on."""
    number = one.target_id.removeprefix("backfill:")
    path, words = f"{API}/backfills/{number}/unpause", f"lets {one.name} go on"
    return NativeCall(
        f"{one.target_id}.resume", one.target_id, "PUT", path, None, words, stage=stage
    )


def open_pool(pool: Reading, slots: int, *, stage: int) -> NativeCall:
    """Return the call that gives a pool its slots back."""
    name = pool.target_id.removeprefix(POOL)
    body = {"pool": name, "slots": slots, "include_deferred": pool.settings["include_deferred"]}
    path, words = f"{API}/pools/{quote(name, safe='')}", f"gives pool {name} its {slots} slots back"
    return NativeCall(
        f"{pool.target_id}.resume", pool.target_id, "PATCH", path, body, words, stage=stage
    )

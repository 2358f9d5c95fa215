"""Plans the resume of what our receipts paused in Airflow, with a forecast of what starts then.

How many missed times a dag makes up for is asked of Airflow itself (a dry run of a backfill over the pause): it
alone knows its timetables. It cannot leave missed times out, so that is said instead of promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.clock import to_text
from workbench.engines.airflow_calls import end_run, open_pool, unpause, unpause_backfill
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_state import Look
from workbench.engines.airflow_words import instant_of
from workbench.engines.at_once import side_by_side
from workbench.engines.http import BadStatus
from workbench.engines.switching import (
    CatchUp,
    EngineScope,
    Firing,
    NativeCall,
    Plan,
    Reading,
    Receipt,
    ScopeKind,
)
from workbench.errors import EngineError

FIRST, THEN = 1, 2
"""Runs that are not to start are ended before their dag is unpaused."""


@dataclass(frozen=True)
class Backlog:
    """What waits at one dag.

    Attributes:
        kept: runs that start at the resume.
        dropped: runs that are to be ended instead.
        later: runs that people planned for an instant to come.
        missed: missed times for which the engine makes runs; None where it does not tell.
        running_at_once: how many runs it lets work side by side.
    """

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    later: tuple[str, ...]
    missed: int | None
    running_at_once: int


def scope_of(receipt: Receipt) -> EngineScope:
    """Return the scope that holds a receipt's target."""
    kind, _, name = receipt.target_id.partition(":")
    if kind == "pool":
        return EngineScope(ScopeKind.CATEGORY, receipt.target_id)
    dag_id = str(receipt.before.get("dag_id", name)) if kind == "backfill" else name
    return EngineScope(ScopeKind.WORKFLOW, dag_id)


def plan_of_resume(
    client: AirflowClient,
    look: Look,
    *,
    receipts: Sequence[Receipt],
    catch_up: CatchUp,
    version: str,
) -> Plan:
    """Return the calls for what is as our receipts left it; the rest is in `cannot` and stays as it is."""
    cannot: dict[str, str] = {}
    ours: list[tuple[Receipt, Reading]] = []
    for receipt in receipts:
        reading = look.readings.get(receipt.target_id)
        why = _foreign(receipt, reading)
        if why or reading is None:
            cannot[receipt.target_id] = f"Airflow at {client.place} {why}"
        else:
            ours.append((receipt, reading))
    resumed = side_by_side(
        lambda one: _resumed(client, look, receipt=one[0], reading=one[1], catch_up=catch_up), ours
    )
    wanted = {receipt.target_id for receipt in receipts}
    return Plan(
        "airflow",
        version,
        tuple(dict.fromkeys(map(scope_of, receipts))),
        None,
        tuple(one for target_id, one in look.readings.items() if target_id in wanted),
        tuple(sorted((c for calls, _ in resumed for c in calls), key=lambda call: call.stage)),
        cannot=cannot,
        forecast=tuple(firing for _, firing in resumed),
        members=look.members,
    )


def _resumed(
    client: AirflowClient, look: Look, *, receipt: Receipt, reading: Reading, catch_up: CatchUp
) -> tuple[list[NativeCall], Firing]:
    """Return the calls that bring one target back, and what starts then."""
    if receipt.target_id.startswith("pool:"):
        return [open_pool(reading, int(receipt.before["slots"]), stage=THEN)], _of_pool(reading)
    if receipt.target_id.startswith("backfill:"):
        return [unpause_backfill(reading, stage=THEN)], _of_backfill(reading)
    backlog = _backlog(client, look, reading=reading, catch_up=catch_up)
    ended = [end_run(reading.target_id, one, stage=FIRST) for one in backlog.dropped]
    return [*ended, unpause(reading, stage=THEN)], _firing(reading, backlog, catch_up=catch_up)


def _foreign(receipt: Receipt, reading: Reading | None) -> str:
    """Return why a target is not ours to resume any more, or an empty text."""
    if reading is None:
        return f"does not have {receipt.name} any more, so there is nothing to resume"
    when = f" at {reading.changed_at:%Y-%m-%d %H:%M:%S} UTC" if reading.changed_at else ""
    who = f"{reading.changed_by or 'somebody'}{when}"
    if not reading.is_paused:
        return f"has {receipt.name} unpaused already: {who} did that; nothing is left to resume"
    known = {**reading.settings}
    for name in ("slots", "foreign_switch"):
        if name in receipt.after and known.get(name) != receipt.after[name]:
            return f"has {receipt.name} paused by {who}, after us: ask there, and unpause it in Airflow's own pages"
    return ""


def _backlog(client: AirflowClient, look: Look, *, reading: Reading, catch_up: CatchUp) -> Backlog:
    details = _details(client, reading.name)
    missed = _missed(client, reading, details)
    now = reading.observed_at
    due: list[str] = []
    later: list[str] = []
    for run_id in reading.waiting_ids:
        at = instant_of(look.runs[run_id].get("run_after"))
        (later if at is not None and at > now else due).append(run_id)
    dropped = _dropped(look, due, missed=missed, catch_up=catch_up)
    kept = tuple(run_id for run_id in due if run_id not in dropped)
    running_at_once = int(details.get("max_active_runs") or 0)
    return Backlog(kept, tuple(dropped), tuple(later), missed, running_at_once)


def _dropped(look: Look, due: Sequence[str], *, missed: int | None, catch_up: CatchUp) -> list[str]:
    """Return the waiting runs that are not wanted; a backfill's runs were asked for and are kept."""
    own = [run_id for run_id in due if look.runs[run_id].get("run_type") != "backfill"]
    if catch_up is CatchUp.SKIP:
        return own
    if catch_up is CatchUp.ALL:
        return []
    ticks = [run_id for run_id in own if look.runs[run_id].get("run_type") == "scheduled"]
    ticks.sort(key=lambda run_id: str(look.runs[run_id].get("run_after")))
    return ticks if missed else ticks[:-1]


def _details(client: AirflowClient, dag_id: str) -> Mapping[str, Any]:
    try:
        found = client.get(f"{API}/dags/{dag_id}/details")
    except BadStatus as exc:
        if exc.status != 404:
            raise
        return {}
    return found if isinstance(found, dict) else {}


def _missed(client: AirflowClient, reading: Reading, details: Mapping[str, Any]) -> int | None:
    """Return for how many missed times the dag makes runs; None where Airflow does not tell."""
    if reading.next_start_at is None or reading.next_start_at > reading.observed_at:
        return 0
    if not details.get("catchup"):
        return 1
    body: dict[str, Any] = {
        "dag_id": reading.name,
        "from_date": details.get("next_dagrun_logical_date") or to_text(reading.next_start_at),
        "to_date": to_text(reading.observed_at),
        "reprocess_behavior": "none",
        "run_backwards": False,
        "dag_run_conf": {},
    }
    try:
        answer = client.post(f"{API}/backfills/dry_run", body)
        return int(answer["total_entries"])
    except (EngineError, KeyError, TypeError, ValueError):
        return None


def _firing(reading: Reading, backlog: Backlog, *, catch_up: CatchUp) -> Firing:
    count = None if backlog.missed is None else backlog.missed + len(backlog.kept)
    cannot = ""
    starts = [_count(len(backlog.kept), "queued run")] if backlog.kept else []
    if backlog.missed is None:
        starts.append("as many runs for missed times as Airflow does not tell")
    elif backlog.missed:
        unwanted = backlog.missed - (catch_up is CatchUp.LATEST)
        is_asked = catch_up is CatchUp.ALL or unwanted <= 0
        unasked = "" if is_asked else ", which Airflow cannot leave out"
        starts.append(f"{_count(backlog.missed, 'run')} for missed times{unasked}")
        if not is_asked:
            made = _count(backlog.missed, "run")
            cannot = (
                f"Airflow makes {made} for missed times, and cannot leave out what is not wanted"
            )
    most = backlog.running_at_once
    said = [
        f"ends {_count(len(backlog.dropped), 'queued run')} first" if backlog.dropped else "",
        f"starts {' and '.join(starts) or 'nothing for the time of the pause'}",
        f"at most {most} at once" if most and (count is None or count > most) else "",
        f"starts {_count(len(backlog.later), 'run')} later, as planned" if backlog.later else "",
        f"lets {_count(len(reading.frozen_ids), 'frozen run')} go on" if reading.frozen_ids else "",
    ]
    sentence = f"{reading.name} {', '.join(filter(None, said))}"
    return Firing(reading.target_id, reading.name, count, sentence, backlog.kept, cannot)


def _of_backfill(reading: Reading) -> Firing:
    """Return a forecast without a number: Airflow makes the runs of a backfill bit by bit, and tells of no total."""
    said = f"{reading.name} goes on with what it has left, and Airflow does not tell how many runs that is"
    return Firing(reading.target_id, reading.name, None, said)


def _of_pool(reading: Reading) -> Firing:
    waiting = reading.frozen_ids
    sentence = f"{reading.name} lets {_count(len(waiting), 'waiting run')} go on"
    return Firing(reading.target_id, reading.name, len(waiting), sentence, waiting)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

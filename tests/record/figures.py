"""Counts what a recording holds, and says what is short of what a recording must hold.

`python -m tests.record.figures RECORDING_FOLDER`.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.record.catalog import BY_ID, HELD
from tests.record.place import from_text
from workbench.recordings import Recording
from workbench.warehouse.tables import table

Row = dict[str, Any]
MAIN = (
    "order-sync",
    "invoice-triage",
    "ticket-reply",
    "product-copy",
    "price-lookup",
    "refund-playbook",
)
"""The automations that the story and its reviews are about."""
LEAST_RUNS = 3_000
LEAST_RUNS_BEFORE = 60
LEAST_MINUTES = 90.0
STALE = timedelta(hours=1)
BAD = ("failed", "crashed")


def rows_at(recording: Recording, table_name: str, *, instant: str) -> list[Row]:
    """Return the rows of a table as they were known at an instant: the newest version of each."""
    key = table(table_name).key
    found: dict[tuple[Any, ...], Row] = {}
    for folder in recording.batches_until(instant):
        path = folder / f"{table_name}.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                rows = [json.loads(line) for line in lines]
            found.update({tuple(row[name] for name in key): row for row in rows})
    return list(found.values())


def events_of(recording: Recording, action: str) -> list[Row]:
    """Return the events of one action from our store's log."""
    bodies = [json.loads(line["body"]) for line in recording.store_log()]
    return [body for body in bodies if body["action"] == action]


def main_incident(recording: Recording) -> Row:
    """Return the incident that the first hold was placed for, as known last."""
    last = list(recording.instants)[-1]
    placed = events_of(recording, "hold.place")[0]
    rows = rows_at(recording, "incident", instant=last)
    return next(row for row in rows if row["incident_id"] == placed["payload"]["incident_id"])


def held_between(recording: Recording, hold_id: str) -> tuple[datetime, datetime]:
    """Return from when until when a hold held everything under it: a narrow restart ends that too."""
    placed = next(e for e in events_of(recording, "hold.place") if e["target"] == hold_id)
    ends = [
        from_text(e["occurred_at"])
        for e in events_of(recording, "hold.release")
        if e["target"] == hold_id
    ]
    ends += [
        from_text(e["occurred_at"])
        for e in events_of(recording, "probation.start")
        if e["payload"]["hold_id"] == hold_id
    ]
    return from_text(placed["occurred_at"]), min(
        [*ends, max(i.at for i in recording.instants.values())]
    )


def leaks(recording: Recording, hold_id: str) -> dict[str, int]:
    """Count the runs that started and the writes that happened under a hold."""
    last = list(recording.instants)[-1]
    since, until = held_between(recording, hold_id)

    def inside(rows: Iterable[Row], column: str) -> int:
        instants = [from_text(r[column]) for r in rows if r["automation_id"] in HELD and r[column]]
        return sum(since < instant <= until for instant in instants)

    return {
        "starts": inside(rows_at(recording, "run", instant=last), "started_at"),
        "writes": inside(rows_at(recording, "affected_record", instant=last), "changed_at"),
    }


def before_onset(runs: list[Row], onset: datetime) -> dict[str, int]:
    """Count each automation's finished runs that started before the onset."""
    ended = [r for r in runs if r["started_at"] and r["finished_at"]]
    counted = Counter(r["automation_id"] for r in ended if from_text(r["started_at"]) < onset)
    return {name: counted[name] for name in BY_ID}


def signatures_since(runs: list[Row], onset: datetime) -> dict[str, int]:
    """Count the error signatures of the held automations' failed runs since the onset."""
    counted = Counter(
        r["error_signature"]
        for r in runs
        if r["automation_id"] in HELD
        and r["status"] in BAD
        and r["started_at"]
        and from_text(r["started_at"]) >= onset
    )
    return dict(counted.most_common())


def cost_per_run(runs: list[Row], onset: datetime) -> dict[str, str]:
    """Return what a run of the held automations cost before and since the onset."""
    found = {}
    for name, is_since in (("before", False), ("since", True)):
        paid = [
            Decimal(repr(r["cost_amount"]))
            for r in runs
            if r["automation_id"] in HELD
            and r["cost_amount"] is not None
            and (from_text(r["started_at"]) >= onset) == is_since
        ]
        found[name] = f"{sum(paid) / len(paid):.6f} USD of {len(paid)}" if paid else "none"
    return found


def stale_runs(runs: list[Row]) -> dict[str, int]:
    """Count each automation's runs that acted on context older than an hour."""
    return dict(
        Counter(
            r["automation_id"]
            for r in runs
            if r["context_as_of"]
            and r["started_at"]
            and from_text(r["started_at"]) - from_text(r["context_as_of"]) > STALE
        )
    )


def steps_missing(recording: Recording, runs: list[Row], *, instant: str) -> str:
    """Say for how many finished runs Prefect had recorded no step when they were last read."""
    known = {r["run_id"] for r in rows_at(recording, "step", instant=instant)}
    ended = [r for r in runs if r["status"] in ("succeeded", "failed")]
    return f"{sum(r['run_id'] not in known for r in ended)} of {len(ended)}"


def open_at(recording: Recording) -> dict[str, dict[str, int]]:
    """Count what stood open at each instant: pending approvals, firing alerts, runs in flight."""
    found = {}
    for name in recording.instants:
        alerts = rows_at(recording, "alert", instant=name)
        found[name] = {
            "pending approvals": sum(
                r["decided_at"] is None for r in rows_at(recording, "approval", instant=name)
            ),
            "firing alerts": sum(r["resolved_at"] is None for r in alerts),
            "alerts never acknowledged": sum(r["acknowledged_at"] is None for r in alerts),
            "running": sum(
                r["status"] == "running" for r in rows_at(recording, "run", instant=name)
            ),
        }
    return found


def figures(recording: Recording) -> Row:
    """Return everything a reader wants to know of a recording before using it."""
    last = list(recording.instants)[-1]
    runs = rows_at(recording, "run", instant=last)
    onset = from_text(main_incident(recording)["started_at"])
    began = min(from_text(r["first_seen_at"]) for r in runs)
    ended = recording.as_of(last)
    return {
        "title": recording.title,
        "bytes": sum(p.stat().st_size for p in recording.folder.rglob("*") if p.is_file()),
        "began": began.isoformat(),
        "ended": ended.isoformat(),
        "minutes": round((ended - began).total_seconds() / 60, 1),
        "onset": onset.isoformat(),
        "runs": len(runs),
        "runs by status": dict(Counter(r["status"] for r in runs).most_common()),
        "runs before onset": before_onset(runs, onset),
        "signatures of the held since onset": signatures_since(runs, onset),
        "cost per run of the held": cost_per_run(runs, onset),
        "runs on stale context": stale_runs(runs),
        "finished runs without steps": steps_missing(recording, runs, instant=last),
        "leaks": {
            e["target"]: leaks(recording, e["target"]) for e in events_of(recording, "hold.place")
        },
        "open": open_at(recording),
        "events": sum(1 for _ in recording.store_log()),
        "break-glass": [
            e["target"]
            for action in ("hold.release", "probation.start")
            for e in events_of(recording, action)
            if e["payload"]["break_glass_reason"]
        ],
    }


def shortfalls(found: Row) -> list[str]:
    """Return in one sentence each what is short of what a recording must hold."""
    before, held = found["runs before onset"], found["leaks"]
    waits = {name: row["pending approvals"] for name, row in found["open"].items()}
    broken = {
        f"{found['runs']} runs, fewer than {LEAST_RUNS}": found["runs"] < LEAST_RUNS,
        f"{found['minutes']} minutes, fewer than {LEAST_MINUTES:g}": found["minutes"]
        < LEAST_MINUTES,
        "fewer than three signatures": len(found["signatures of the held since onset"]) < 3,
        "no run started under H-1": not held.get("H-1", {}).get("starts"),
        "nothing was written under H-1": not held.get("H-1", {}).get("writes"),
        f"leaks under H-2: {held.get('H-2')}": any(held.get("H-2", {"": 1}).values()),
        f"an instant without a pending approval: {waits}": not all(waits.values()),
    }
    few = {n: before[n] for n in MAIN if before[n] < LEAST_RUNS_BEFORE}
    broken[f"fewer than {LEAST_RUNS_BEFORE} runs before the onset: {few}"] = bool(few)
    return [sentence for sentence, is_broken in broken.items() if is_broken]


def main() -> None:
    """Print the figures of one recording, and what is short."""
    folder = Path(sys.argv[1]).resolve()
    found = figures(Recording.open(folder.name, folder.parent))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    for sentence in shortfalls(found) or ["nothing is short"]:
        sys.stdout.write(f"{sentence}\n")


if __name__ == "__main__":
    main()

"""What a monthly review of a million runs asks and works out: how long that takes, and what memory it needs.

It is asked of the warehouse that `benchmarks.scale` made, in a process of its own on two cores, over all of its
automations. Nothing was stopped by the holds that are put there, so that everything under them leaks: the dearest case.
Compared is what the review did before: every run of the month as a table in memory, and nothing worked out of it.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import beside
from benchmarks.made import AUTOMATION_COUNT, CATEGORY_SIZE, ONSET, STORE
from benchmarks.measure import Figure, Target, of_rounds
from workbench.clock import FixedClock
from workbench.review.ground import OBJECTIVES
from workbench.review.month import RUNS_LOOKBACK, MonthRequest, assess_month, month_queries
from workbench.review.request import of_store
from workbench.warehouse import Warehouse

FIRST_DAY = 30
"""Of the made days, so that the week before the month is there as well."""
DAYS = 31
ROUNDS = 3
COUNTS = {
    "hold": 100, "alert": 20_000, "affected_record": 100_000, "incident": 200, "change": 1_000, "audit_event": 5_000,
}  # fmt: skip
"""Rows of each table in the month."""
REVIEW, RUNS = "review", "runs"
TARGET = Target(30.0)
MEMORY_TARGET = Target(4.0)
BARE = "every run of it as a table in memory"
OBJECTIVE_PERCENT = "95"


def measure(home: Path) -> list[Figure]:
    """Put holds, alerts, records and the like into the month, then review it and read its runs, each by itself."""
    Warehouse.open(home, FixedClock(ONSET)).put_rows(
        {**{name: made(name, count) for name, count in COUNTS.items()}, "hold_target": _targets()}
    )
    asked = {kind: _asked(kind, home) for kind in (REVIEW, RUNS)}
    put = ", ".join(f"{count:,} {name.replace('_', ' ')}s" for name, count in COUNTS.items())
    note = f"{asked[RUNS]['row_count']:,} runs of {AUTOMATION_COUNT} automations; {put}"
    return [
        of_rounds(
            "monthly review",
            asked[REVIEW]["seconds"],
            asked[RUNS]["seconds"],
            bare=BARE,
            target=TARGET,
            note=f"{note}; queries and measures",
        ),
        Figure(
            "monthly review, memory",
            asked[REVIEW]["gigabytes"],
            unit="GB",
            bare=BARE,
            bare_value=asked[RUNS]["gigabytes"],
            target=MEMORY_TARGET,
            note="most that the process which asked ever held",
        ),
    ]


def question() -> MonthRequest:
    """Return the question about the month: all automations, by category."""
    since = ONSET + timedelta(days=FIRST_DAY)
    until = since + timedelta(days=DAYS)
    categories = {
        f"c-{n}": _members(f"c-{n}") for n in range((AUTOMATION_COUNT - 1) // CATEGORY_SIZE + 1)
    }
    return MonthRequest(f"{since:%Y-%m}", since, until, until, categories, environment="production")


def _members(category: str) -> tuple[str, ...]:
    first = int(category.removeprefix("c-")) * CATEGORY_SIZE
    return tuple(f"a-{n}" for n in range(first, min(first + CATEGORY_SIZE, AUTOMATION_COUNT)))


def made(name: str, count: int) -> Iterator[dict[str, Any]]:
    """Give so many rows of a table, spread over the month by a seed of their own."""
    chance, since = random.Random(name), ONSET + timedelta(days=FIRST_DAY)
    for number in range(count):
        at = since + timedelta(seconds=chance.randrange(DAYS * 86_400))
        about = f"a-{chance.randrange(AUTOMATION_COUNT)}"
        source = STORE if name == "hold" else "bench"
        yield {"source_id": source, **_ROWS[name](number, at, about)}


def _hold(number: int, at: datetime, about: str) -> dict[str, Any]:
    return {"hold_id": f"H-{number + 2}", "scope": f"category=c-{_category(about)}", "purpose": "incident",
            "mode": ("freeze", "drain")[number % 2], "reason": "made", "placed_at": at, "placed_by": "ops-lead",
            "placed_seq": number, "released_at": at + timedelta(minutes=30 + number * 7 % 300)}  # fmt: skip


def _alert(number: int, at: datetime, about: str) -> dict[str, Any]:
    seen = {"acknowledged_at": at + timedelta(minutes=number % 90), "acknowledged_by": "desk"}
    return {"alert_id": f"al-{number}", "fired_at": at, "automation_id": about, "rule": f"r-{number % 3}",
            "resolved_at": at + timedelta(minutes=number % 120), **(seen if number % 3 else {})}  # fmt: skip


def _record(number: int, at: datetime, about: str) -> dict[str, Any]:
    return {"run_id": f"run-{number}", "record_type": "order", "record_id": f"o-{number}", "change_seq": 1,
            "automation_id": about, "changed_at": at, "change": "update", "before": '{"total": 1}',
            "after": '{"total": 2}', "reversibility": "reversible", "customer_facing": True}  # fmt: skip


def _incident(number: int, at: datetime, about: str) -> dict[str, Any]:
    return {"incident_id": f"I-{number}", "title": "made", "started_at": at, "detected_at": at + timedelta(minutes=5),
            "resolved_at": at + timedelta(hours=2), "scope": f"category=c-{_category(about)}"}  # fmt: skip


def _change(number: int, at: datetime, about: str) -> dict[str, Any]:
    scope = f"automation={about}"
    return {"change_id": f"ch-{number}", "changed_at": at, "kind": "deploy", "target": scope}


def _event(number: int, at: datetime, about: str) -> dict[str, Any]:
    return {"event_id": f"e-{number}", "occurred_at": at, "actor": "desk", "action": "incident.noted",
            "target_kind": "automation", "target_id": about, "outcome": "success"}  # fmt: skip


_ROWS: dict[str, Callable[[int, datetime, str], dict[str, Any]]] = {
    "hold": _hold, "alert": _alert, "affected_record": _record, "incident": _incident, "change": _change,
    "audit_event": _event,
}  # fmt: skip


def _category(automation_id: str) -> int:
    return int(automation_id.removeprefix("a-")) // CATEGORY_SIZE


def _targets() -> Iterator[dict[str, Any]]:
    for hold in made("hold", COUNTS["hold"]):
        at = hold["placed_at"]
        told = {"source_id": STORE, "hold_id": hold["hold_id"], "recorded_at": at,
                "delivered_at": at + timedelta(seconds=1), "confirmed_at": at + timedelta(seconds=2)}  # fmt: skip
        for one in _members(hold["scope"].removeprefix("category=")):
            yield {**told, "automation_id": one}


def review(home: Path) -> int:
    """Ask and work out the monthly review; returns how many measures it found."""
    request = question()
    with Warehouse.open(home).snapshot() as snapshot:
        calls = [of_store(call, STORE) for call in month_queries(request)]
        tables = {call.name: snapshot.query(call.name, **call.parameters) for call in calls}
    stated = [
        (f"category={name}", one, len(ids), OBJECTIVE_PERCENT)
        for name, ids in request.categories.items()
        for one in ids
    ]
    columns = ["scope", "automation_id", "member_count", "objective_percent"]
    found = assess_month(request, {**tables, OBJECTIVES: pd.DataFrame(stated, columns=columns)})
    named = [name for name in found.sections if name.startswith("category-")]
    return sum(len(found.sections[name].tables["Measures of the month"]) for name in named)


def runs(home: Path) -> int:
    """Read every run of the month, and of the time before it that it looks at; returns how many there are."""
    request = question()
    window = {"since": request.since - RUNS_LOOKBACK, "as_of": request.until}
    ids = {"automation_ids": request.automation_ids, "environment": request.environment}
    with Warehouse.open(home).snapshot() as snapshot:
        return len(snapshot.query("review.runs", **ids, **window))


def ask(kind: str, home: Path) -> dict[str, object]:
    """Do it for some rounds; returns seconds of each, the rows, and the memory."""
    seconds, row_count = [], 0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        row_count = {REVIEW: review, RUNS: runs}[kind](home)
        seconds.append(time.perf_counter() - begun)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "row_count": row_count, "gigabytes": kilobytes / 1e6}


def _asked(kind: str, home: Path) -> dict[str, Any]:
    """Ask in a process of its own; raises CalledProcessError where it ends otherwise."""
    words = [sys.executable, "-m", "benchmarks.month", kind, str(home)]
    counts = map(str, (FIRST_DAY, DAYS, ROUNDS))
    out = subprocess.run([*words, *counts], stdout=subprocess.PIPE, check=True, text=True).stdout
    found: dict[str, Any] = json.loads(out)
    return found


if __name__ == "__main__":
    beside.on_two_cores()
    FIRST_DAY, DAYS, ROUNDS = map(int, sys.argv[3:6])
    sys.stdout.write(json.dumps(ask(sys.argv[1], Path(sys.argv[2]))))

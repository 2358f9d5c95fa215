"""Targets of a Temporal namespace as readings: what is paused, what works on, what stands still, who switched it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from workbench.engines.at_once import side_by_side
from workbench.engines.rows import AuditRow
from workbench.engines.switching import Reading
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_audit import ScheduleAudit
from workbench.engines.temporal_effects import BY_HAND
from workbench.engines.temporal_found import Found, Native, OpenRun
from workbench.engines.temporal_schedules import Limit, Switch
from workbench.engines.temporal_words import instant_of

MAX_WHO = 100
"""Schedules whose last switch is looked up; with more of them that is left out."""


def readings_of(
    found: Found, namespace: Namespace, *, now: datetime, expected: Iterable[str] = ()
) -> tuple[Reading, ...]:
    """Return a reading of each target; one that was expected and is over or gone is said to be so."""
    switches = sum(one.switch is not None for one in found.targets.values())
    audit = ScheduleAudit(namespace) if switches <= MAX_WHO else None
    last = _last_switches(found, audit) if audit else {}
    readings = [
        Reading(one.target_id, one.name, observed_at=now, **_said(one, found, last))
        for one in found.targets.values()
    ]
    readings += [
        Reading(gone, gone.partition(":")[2], None, now, note="over, or gone from Temporal")
        for gone in dict.fromkeys(expected)
        if gone not in found.targets
    ]
    return tuple(readings)


def _last_switches(found: Found, audit: ScheduleAudit) -> dict[str, AuditRow | None]:
    """Return who last switched each schedule, by its id."""
    ids = [one.switch.schedule_id for one in found.targets.values() if one.switch is not None]
    return dict(zip(ids, side_by_side(audit.last_switch, ids), strict=True))


def _said(
    target: Native, found: Found, last_switches: Mapping[str, AuditRow | None]
) -> dict[str, Any]:
    if target.switch is not None:
        return _of_schedule(target.switch, last_switches.get(target.switch.schedule_id))
    if target.limit is not None:
        return _of_queue(target.limit)
    if target.run is not None:
        return _of_run(target.run, found)
    return {"is_paused": None, "note": f"no schedule starts it. {BY_HAND}"}


def _of_schedule(switch: Switch, last: AuditRow | None) -> dict[str, Any]:
    said = f". Its note: {switch.notes}" if switch.notes else ""
    return {
        "is_paused": switch.is_paused,
        "next_start_at": switch.next_start_at,
        "changed_at": last.occurred_at if last else None,
        "changed_by": (last.actor or "") if last else "",
        "settings": switch.settings,
        "note": f"{BY_HAND}{said}",
    }


def _of_queue(limit: Limit) -> dict[str, Any]:
    eager = "a worker that asks for activities eagerly, as the Python one does, passes its limit by"
    return {
        "is_paused": limit.is_shut,
        "changed_at": limit.set_at,
        "changed_by": limit.set_by,
        "settings": limit.settings,
        "note": f"{limit.reason}; {eager}" if limit.reason else eager,
    }


def _of_run(run: OpenRun, found: Found) -> dict[str, Any]:
    is_still, own = found.is_still(run), (run.run_id,)
    begins = f"begins at {run.begins_at:%Y-%m-%d %H:%M:%S} UTC by itself" if run.begins_at else ""
    is_listed = not run.is_askable or not run.version
    lagging = "taken from Temporal's list, which lags by moments" if is_listed else ""
    return {
        "is_paused": run.word == "PAUSED",
        "running_ids": own if run.begins_at is None and not is_still else (),
        "frozen_ids": own if is_still else (),
        "waiting_ids": own if run.begins_at is not None and not is_still else (),
        "next_start_at": run.begins_at,
        "changed_at": instant_of(run.paused_at or None),
        "changed_by": run.paused_by,
        "settings": run.settings,
        "note": "; ".join(filter(None, (begins, lagging))),
    }

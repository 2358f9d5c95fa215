"""Who switched a Temporal schedule, and when: read from the run that keeps the schedule, where the server shows it.

A schedule itself remembers its last note only. Its keeper is a run of the system whose id is
`temporal-sys-scheduler:ID`; every patch is a signal to it, with the identity of who sent it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.engines.rows import AuditRow
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_words import OPEN_QUERY, instant_of, quoted, run_id_of, word_of

KEEPER = "temporal-sys-scheduler:"
_DIVISION = "TemporalNamespaceDivision = 'TemporalScheduler'"
_PATCH = {1: "trigger", 2: "backfill", 3: "pause", 4: "unpause"}
"""Fields of the message SchedulePatch, by number."""

SWITCHES = ("schedule.pause", "schedule.unpause", "schedule.update")


class ScheduleAudit:
    """Reads the acts on schedules."""

    def __init__(self, namespace: Namespace) -> None:
        """Read this namespace."""
        self._namespace = namespace

    def rows(self, since: datetime | None) -> list[AuditRow]:
        """Return the acts on every schedule since, the schedule's making included."""
        changed = "" if since is None else f" OR CloseTime >= {quoted(to_text(since))}"
        query = f"{_DIVISION} AND ({OPEN_QUERY}{changed})" if since else _DIVISION
        rows: list[AuditRow] = []
        for keeper in self._namespace.executions(query):
            run_id = run_id_of(keeper.get("execution"))
            for event in self._namespace.events(run_id, backwards=since is not None):
                at = instant_of(event.get("eventTime"))
                if at is None or (since is not None and at < since):
                    break
                rows += _rows_of(run_id, at, event)
        return rows

    def last_switch(self, schedule_id: str) -> AuditRow | None:
        """Return who last paused, unpaused or changed a schedule, or None where that is not shown."""
        for event in self._newest_events(f"{KEEPER}{schedule_id}"):
            at = instant_of(event.get("eventTime"))
            for row in _rows_of(f"{KEEPER}{schedule_id}/", at, event) if at else ():
                if row.action in SWITCHES:
                    return row
        return None

    def _newest_events(self, workflow_id: str) -> Iterator[dict[str, Any]]:
        # Without a run id the server takes the run that is in flight.
        return self._namespace.events(f"{workflow_id}/", backwards=True)


def _rows_of(run_id: str, at: datetime, event: Mapping[str, Any]) -> Iterator[AuditRow]:
    kind = word_of(event.get("eventType"), "EVENT_TYPE_")
    schedule_id = run_id.rpartition("/")[0].removeprefix(KEEPER)
    if kind == "WORKFLOW_EXECUTION_STARTED":
        said = event.get("workflowExecutionStartedEventAttributes") or {}
        # A keeper begins anew from time to time; only its first run is the making of the schedule.
        acts = {} if said.get("continuedExecutionRunId") else {"create": ""}
    elif kind == "WORKFLOW_EXECUTION_SIGNALED":
        said = event.get("workflowExecutionSignaledEventAttributes") or {}
        acts = _acts_of(said)
    else:
        return
    for verb, note in acts.items():
        yield AuditRow(
            event_id=f"{run_id}:{event.get('eventId')}:{verb}",
            occurred_at=at,
            action=f"schedule.{verb}",
            raw_action=f"{kind} {said.get('signalName') or ''}".strip(),
            actor=said.get("identity") or None,
            target_kind="schedule",
            target_id=schedule_id,
            outcome="success",
            reason=note or None,
        )


def _acts_of(signal: Mapping[str, Any]) -> dict[str, str]:
    """Return what a signal asked of a schedule, with the note that came with it."""
    if signal.get("signalName") == "update":
        return {"update": ""}
    if signal.get("signalName") != "patch":
        return {}
    payloads = (signal.get("input") or {}).get("payloads") or [{}]
    try:
        body = base64.b64decode(payloads[0]["data"])
        found = {number: value for number, value in _fields_of(body) if number in _PATCH}
    except (TypeError, KeyError, ValueError, IndexError, binascii.Error):
        return {"patch": ""}
    notes = {_PATCH[number]: value for number, value in found.items()}
    return {
        verb: value.decode("utf-8", "replace") if verb.endswith("pause") else ""
        for verb, value in notes.items()
    }


def _fields_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Give number and bytes of each field of a protobuf message whose fields are texts or messages.

    Source: the encoding page of Protocol Buffers; wire type 2 is a length and so many bytes.
    """
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        if key & 7 != 2:
            raise ValueError("another wire type")
        length, at = _varint(body, at)
        if at + length > len(body):
            raise ValueError("cut")
        yield key >> 3, body[at : at + length]
        at += length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at

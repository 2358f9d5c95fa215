"""What was forecast at each resume of an engine's targets, as the log has it, so that it can be compared afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.records import Event


@dataclass(frozen=True)
class Forecast:
    """What was said to start when a target was brought back.

    Attributes:
        count: runs that were to start for what fell into the pause; None where the engine could not tell.
        paused_at: when our pause of the target was read back.
        resumed_at: when bringing it back began.
    """

    seq: int
    engine_id: str
    hold_id: str
    target_id: str
    name: str
    automation_ids: tuple[str, ...]
    paused_at: datetime
    resumed_at: datetime
    count: int | None
    sentence: str


def forecasts(events: Iterable[Event], engine_id: str = "") -> Iterator[Forecast]:
    """Give each forecast of the log, oldest first, of one engine or of all."""
    receipts: dict[tuple[str, str], tuple[datetime, Mapping[str, Any]]] = {}
    for event in events:
        body = event.payload
        if event.action == "receipt.open":
            receipts[body["engine"], event.target] = event.occurred_at, body
        if event.action != "delivery.begin" or body["mode"] != "resume":
            continue
        if engine_id in ("", event.target):
            yield from _of_event(event, receipts)


def _of_event(
    event: Event, receipts: Mapping[tuple[str, str], tuple[datetime, Mapping[str, Any]]]
) -> Iterator[Forecast]:
    for row in event.payload["forecast"]:
        known = receipts.get((event.target, row["target_id"]))
        if known is None:
            continue
        opened_at, receipt = known
        yield Forecast(
            seq=event.seq,
            engine_id=event.target,
            hold_id=event.correlation_id,
            target_id=row["target_id"],
            name=str(receipt["name"]),
            automation_ids=tuple(receipt["automation_ids"]),
            paused_at=opened_at,
            resumed_at=event.occurred_at,
            count=row["count"],
            sentence=row["sentence"],
        )

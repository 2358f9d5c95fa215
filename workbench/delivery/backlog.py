"""What was forecast at each resume of an engine's targets, as the log has it, so that it can be compared afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from workbench.records import Event


@dataclass(frozen=True)
class Forecast:
    """What was said to start when what runs some automations was brought back, all their targets together.

    Attributes:
        seq: event of the last try; an earlier one of the same resume is not told again.
        automation_ids: none where safe mode paused what no automation is bound to.
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


@dataclass
class _Open:
    """A receipt that stands: when it was opened first, and for which automations."""

    opened_at: datetime
    name: str
    automation_ids: tuple[str, ...]


def forecasts(events: Iterable[Event], engine_id: str = "") -> list[Forecast]:
    """Return the forecast of each resume of the log, oldest first, of one engine or of all.

    Of several tries to bring the same receipts back the last one counts.
    """
    receipts: dict[tuple[str, str], _Open] = {}
    last: dict[tuple[str, str], Forecast] = {}
    done: list[Forecast] = []
    for event in events:
        if event.action == "receipt.open":
            _open(receipts, event)
        elif event.action == "delivery.begin" and event.payload["mode"] == "resume":
            last |= {(one.engine_id, one.target_id): one for one in _of_event(event, receipts)}
        elif event.action == "receipt.close":
            key = event.payload["engine"], event.target
            receipts.pop(key, None)
            done += [last.pop(key)] if key in last else []
    found = [one for one in (*done, *last.values()) if engine_id in ("", one.engine_id)]
    return _together(sorted(found, key=lambda one: (one.seq, one.target_id)))


def _open(receipts: dict[tuple[str, str], _Open], event: Event) -> None:
    body = event.payload
    key = body["engine"], event.target
    known = receipts.get(key)
    ids = {*body["automation_ids"], *(known.automation_ids if known else ())}
    opened_at = known.opened_at if known else event.occurred_at
    receipts[key] = _Open(opened_at, str(body["name"]), tuple(sorted(ids)))


def _of_event(event: Event, receipts: Mapping[tuple[str, str], _Open]) -> Iterator[Forecast]:
    for row in event.payload["forecast"]:
        known = receipts.get((event.target, row["target_id"]))
        if known is not None:
            yield Forecast(
                seq=event.seq,
                engine_id=event.target,
                hold_id=event.correlation_id,
                target_id=row["target_id"],
                name=known.name,
                automation_ids=known.automation_ids,
                paused_at=known.opened_at,
                resumed_at=event.occurred_at,
                count=row["count"],
                sentence=row["sentence"],
            )


def _together(found: Iterable[Forecast]) -> list[Forecast]:
    """Join the targets of one resume that run the same automations: their runs cannot be told apart."""
    joined: dict[tuple[int, str, tuple[str, ...]], Forecast] = {}
    for one in found:
        key = one.seq, one.engine_id, one.automation_ids
        known = joined.get(key)
        if known is None:
            joined[key] = one
            continue
        is_told = known.count is not None and one.count is not None
        joined[key] = replace(
            known,
            name=f"{known.name}, {one.name}",
            target_id=f"{known.target_id}, {one.target_id}",
            paused_at=min(known.paused_at, one.paused_at),
            count=(known.count or 0) + (one.count or 0) if is_told else None,
            sentence=f"{known.sentence}; {one.sentence}",
        )
    return list(joined.values())

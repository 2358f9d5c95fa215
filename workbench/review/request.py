"""What a review is about: scope, window and thresholds, derived from the hold by one documented rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd

from workbench.errors import NotFound, UsageFault
from workbench.review.covering import covered_ids, known_automations
from workbench.review.onset import Onset, find_onset
from workbench.review.thresholds import ReviewThresholds
from workbench.scope import Scope


class QueryCall(NamedTuple):
    """A query to run, by its dotted name, with its parameters."""

    name: str
    parameters: Mapping[str, Any]


RunQuery = Callable[[QueryCall], pd.DataFrame]

STORE_FED = (
    "review.registered_automations", "review.holds", "review.hold_targets", "review.decisions",
)  # fmt: skip
"""Queries over what our own log feeds: of it nothing comes late, and what changed later is no evidence of before."""

_OF_ONE_STORE = (
    *STORE_FED, "review.pause_reach", "review.pause_in_flight", "month.held_runs", "month.outcomes",
)  # fmt: skip


def of_store(call: QueryCall, store_id: str) -> QueryCall:
    """Return the call with the store whose rows count, where its query asks for one.

    A warehouse may serve several stores, and each has a hold H-1.
    """
    if call.name not in _OF_ONE_STORE:
        return call
    return call._replace(parameters={**call.parameters, "store_id": store_id})


ONSET_GIVEN = "given by the person who asked"


@dataclass(frozen=True)
class ReviewRequest:
    """The frozen question of a review.

    Attributes:
        scope: scope of the hold; `only` narrows it to what may restart, None for all of it.
        automation_ids: what the review is about, sorted; the frozen list a decision covers.
        environment: None where the automations are in several.
        baseline_since: where the time before the fault begins; `since` is where any query begins.
        onset_at: where the fault began, by the rule that `onset_rule` tells.
        paused_at: when the hold under review was placed.
        as_of: nothing that happened at or after it is looked at.
    """

    hold_id: str
    scope: str
    only: str | None
    automation_ids: tuple[str, ...]
    environment: str | None
    baseline_since: datetime
    onset_at: datetime
    paused_at: datetime
    since: datetime
    as_of: datetime
    thresholds: ReviewThresholds = field(default_factory=ReviewThresholds)
    onset_rule: str = "given"
    providers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a window that runs backwards."""
        ordered = (self.since, self.baseline_since, self.onset_at, self.paused_at, self.as_of)
        if any(earlier > later for earlier, later in pairwise(ordered)):
            raise UsageFault(
                "A review needs since <= baseline_since <= onset_at <= paused_at <= as_of; got "
                + ", ".join(instant.isoformat() for instant in ordered)
                + "."
            )


def registry_queries(
    as_of: datetime, thresholds: ReviewThresholds | None = None
) -> list[QueryCall]:
    """Return what must be read first to know what a hold covers."""
    limits = thresholds or ReviewThresholds()
    since = as_of - timedelta(days=limits.baseline_days * 13)
    return [
        QueryCall("review.holds", {"since": since, "as_of": as_of}),
        QueryCall("review.hold_targets", {"since": since, "as_of": as_of}),
        QueryCall("review.registered_automations", {"as_of": as_of}),
    ]


def onset_queries(
    hold_id: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    thresholds: ReviewThresholds | None = None,
) -> list[QueryCall]:
    """Return what must be read to find where the fault under a hold began."""
    limits = thresholds or ReviewThresholds()
    hold = hold_row(hold_id, tables)
    anchor = first_placed_at(hold, tables["review.holds"], limits=limits)
    ids = list(covered_ids(hold, tables))
    since = anchor - timedelta(hours=limits.lookback_hours)
    window = {"automation_ids": ids, "since": since, "as_of": anchor}
    return [
        QueryCall("review.runs", {**window, "environment": None}),
        QueryCall("review.alerts", window),
        QueryCall("review.incidents", {"since": since, "as_of": anchor}),
    ]


def derive_request(
    hold_id: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    as_of: datetime,
    only: str | None = None,
    onset_at: datetime | None = None,
    thresholds: ReviewThresholds | None = None,
) -> ReviewRequest:
    """Derive the whole question from a hold and the tables of `registry_queries` and `onset_queries`.

    A hold that belongs to the same incident as an earlier one, or covers the same scope within the relapse
    window after its release, continues it: the onset is looked for before the first hold of that chain, so
    that what was written in the first part of an incident is not forgotten in the second.
    """
    limits = thresholds or ReviewThresholds()
    hold = hold_row(hold_id, tables)
    anchor = first_placed_at(hold, tables["review.holds"], limits=limits)
    ids = covered_ids(hold, tables, only=only)
    if not ids:
        raise NotFound(f"{only or hold['scope']} covers no automation under {hold_id}.")
    known = known_automations(tables["review.registered_automations"])
    chosen = [known[i] for i in ids if i in known]
    onset = _onset(hold, tables, anchor=anchor, given=onset_at)
    baseline_since = onset.at - timedelta(days=limits.baseline_days)
    environments = {automation.environment for automation in chosen}
    return ReviewRequest(
        hold_id=hold_id,
        scope=str(hold["scope"]),
        only=str(Scope.parse(only)) if only else None,
        automation_ids=ids,
        environment=environments.pop() if len(environments) == 1 else None,
        baseline_since=baseline_since,
        onset_at=onset.at,
        paused_at=_instant(hold["placed_at"]),
        since=baseline_since,
        as_of=as_of,
        thresholds=limits,
        onset_rule=onset.rule,
        providers=tuple(sorted({a.provider for a in chosen if a.provider})),
    )


def _onset(
    hold: pd.Series[Any],
    tables: Mapping[str, pd.DataFrame],
    *,
    anchor: datetime,
    given: datetime | None,
) -> Onset:
    if given is not None:
        return Onset(min(given, anchor), ONSET_GIVEN)
    return find_onset(
        tables["review.runs"],
        tables["review.alerts"],
        paused_at=anchor,
        incident_began_at=_incident_began_at(hold, tables["review.incidents"]),
    )


def find_request(
    run: RunQuery,
    hold_id: str,
    *,
    as_of: datetime,
    only: str | None = None,
    onset_at: datetime | None = None,
    thresholds: ReviewThresholds | None = None,
) -> ReviewRequest:
    """Ask for the tables with `run` and derive the request; the same snapshot gives the same request."""
    tables = {call.name: run(call) for call in registry_queries(as_of, thresholds)}
    tables |= {
        call.name: run(call) for call in onset_queries(hold_id, tables, thresholds=thresholds)
    }
    return derive_request(
        hold_id, tables, as_of=as_of, only=only, onset_at=onset_at, thresholds=thresholds
    )


def hold_row(hold_id: str, tables: Mapping[str, pd.DataFrame]) -> pd.Series[Any]:
    """Return the hold's row; raises NotFound naming the holds there are."""
    holds = tables["review.holds"]
    found = holds[holds["hold_id"] == hold_id]
    if found.empty:
        known = ", ".join(holds["hold_id"]) or "none"
        raise NotFound(
            f"There is no hold {hold_id} in the warehouse at that instant; there is: {known}."
        )
    return found.iloc[0]


def hold_chain(
    hold: pd.Series[Any], holds: pd.DataFrame, *, limits: ReviewThresholds
) -> pd.DataFrame:
    """Return the hold and the earlier holds that it continues, in order."""
    chain = [hold["hold_id"]]
    current = hold
    earlier = holds[holds["placed_at"] < hold["placed_at"]].sort_values("placed_at", kind="stable")
    for _, other in earlier[::-1].iterrows():
        if _continues(current, other, limits):
            chain.append(other["hold_id"])
            current = other
    return holds[holds["hold_id"].isin(chain)].sort_values("placed_at", kind="stable")


def first_placed_at(
    hold: pd.Series[Any], holds: pd.DataFrame, *, limits: ReviewThresholds
) -> datetime:
    """Return when the first hold of the chain was placed."""
    return _instant(hold_chain(hold, holds, limits=limits)["placed_at"].iloc[0])


def _continues(hold: pd.Series[Any], earlier: pd.Series[Any], limits: ReviewThresholds) -> bool:
    incident = hold["incident_id"]
    if isinstance(incident, str) and incident:
        return bool(earlier["incident_id"] == incident)
    if earlier["scope"] != hold["scope"] or pd.isna(earlier["released_at"]):
        return False
    gap = hold["placed_at"] - earlier["released_at"]
    return bool(gap <= pd.Timedelta(hours=limits.relapse_hours))


def _incident_began_at(hold: pd.Series[Any], incidents: pd.DataFrame) -> datetime | None:
    mine = incidents[incidents["incident_id"] == hold["incident_id"]]
    return _instant(mine["started_at"].iloc[0]) if len(mine) else None


def _instant(value: Any) -> datetime:
    return pd.Timestamp(value).to_pydatetime()

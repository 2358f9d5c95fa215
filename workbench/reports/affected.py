"""The affected-record ledger of a hold for the command line: the same rows that a review judges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.control.commands import Control
from workbench.evidence import NothingLoaded
from workbench.reports.derive import ReviewWish, hold_for_scope, parameters_for_hold
from workbench.reports.make import take_positions
from workbench.reports.opened import gather
from workbench.reports.parameters import check_parameters
from workbench.reports.restart import NAME
from workbench.review.check_freshness import stale_tables
from workbench.review.check_records import by_too_few, records_since_onset
from workbench.review.ground import Ground
from workbench.review.request import ReviewRequest
from workbench.review.restart import ledger_queries
from workbench.review.said_none import TABLE, answer_of, faults_now, nothing_loaded
from workbench.settings import Settings
from workbench.store.state import State

EVER = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Ledger:
    """What automations wrote since the onset under one hold.

    Attributes:
        changes: one row per change, with who verified it, whether it blocks, and what it repeats.
        half: open changes that fewer persons verified than policy asks: who did, and how many lack.
        version: of the warehouse that the changes were read from; who verifies names it.
        is_whole: the sources of records were loaded far enough to say that this is all there was.
        answered_by: who says that nothing was written, where no source does; empty where nobody's word stands.
    """

    request: ReviewRequest
    changes: pd.DataFrame
    half: pd.DataFrame
    version: int
    is_whole: bool
    answered_by: str = ""


@dataclass(frozen=True)
class NoneLook:
    """What somebody looks at before they say that nothing was written under a hold.

    Attributes:
        loaded: what is loaded of each automation, from the onset until the request's `as_of`.
        faults: automation -> why such a word would not stand; none where it would.
        is_needed: no source of records tells enough by itself.
        unheard: why runs are not known either, so that the word does not count yet; empty where they are.
    """

    request: ReviewRequest
    version: int
    loaded: tuple[NothingLoaded, ...]
    faults: Mapping[str, Sequence[str]]
    is_needed: bool
    unheard: str


def read_ledger(control: Control, settings: Settings, *, subject: str, onset: str = "") -> Ledger:
    """Return the ledger of a hold, or of the newest hold on a scope, standing or over; raises NotFound or NoMatch."""
    ground, version = _ground(control, settings, _wish(control.state(), subject, onset))
    stale = stale_tables(ground)
    changes = records_since_onset(ground)
    return Ledger(
        ground.request,
        changes,
        half=by_too_few(ground, changes),
        version=version,
        is_whole=TABLE not in stale,
        answered_by=answer_of(ground, stale),
    )


def look_for_none(
    control: Control, settings: Settings, *, hold_id: str, only: str = ""
) -> NoneLook:
    """Return what is loaded of who is said to have written nothing; raises NotFound or NoMatch."""
    ground, version = _ground(control, settings, ReviewWish(hold_id, only=only))
    loaded = tuple(nothing_loaded(ground, i) for i in ground.request.automation_ids)
    found = {one.automation_id: faults_now(ground, one) for one in loaded}
    faults = {name: why for name, why in found.items() if why}
    stale = stale_tables(ground)
    return NoneLook(
        ground.request, version, loaded, faults, TABLE in stale, unheard=stale.get("run", "")
    )


def _ground(control: Control, settings: Settings, wish: ReviewWish) -> tuple[Ground, int]:
    """Return the ground of a review as of now, and the version of the warehouse that it was read from."""
    given = parameters_for_hold(control.state(), wish, as_of=control.clock.now())
    asked = check_parameters(NAME, given)
    sealed = take_positions(control, settings, asked=asked)
    pinned = {"manifest_version": sealed.manifest_version, "log_seq": sealed.head.seq}
    found = gather(
        control.store,
        control.store.state(until_seq=sealed.head.seq),
        parameters=check_parameters(NAME, {**asked.values(), **pinned}),
        home=settings.home,
        queries_of=ledger_queries,
    )
    return Ground(found.request, found.tables), found.manifest_version


def _wish(state: State, subject: str, onset: str) -> ReviewWish:
    if re.fullmatch(r"H-\d+", subject):
        return ReviewWish(subject, onset=onset)
    hold = hold_for_scope(state, subject, since=EVER, is_over_too=True)
    return ReviewWish(hold.hold_id, only=subject, onset=onset)

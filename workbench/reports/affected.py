"""The affected-record ledger of a hold for the command line: the same rows that a review judges."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from workbench.control.commands import Control
from workbench.reports.derive import ReviewWish, hold_for_scope, parameters_for_hold
from workbench.reports.make import take_positions
from workbench.reports.opened import freeze
from workbench.reports.parameters import check_parameters
from workbench.reports.restart import NAME
from workbench.review.check_freshness import stale_tables
from workbench.review.check_records import records_since_onset
from workbench.review.ground import Ground
from workbench.review.request import ReviewRequest
from workbench.review.restart import restart_queries
from workbench.settings import Settings
from workbench.store.folding import fold
from workbench.store.state import State

EVER = "1970-01-01T00:00:00Z"
TABLE = "affected_record"


@dataclass(frozen=True)
class Ledger:
    """What automations wrote since the onset under one hold.

    Attributes:
        changes: one row per change, with who verified it, whether it blocks, and what it repeats.
        version: of the warehouse that the changes were read from; who verifies names it.
        is_whole: the sources of records were loaded far enough to say that this is all there was.
    """

    request: ReviewRequest
    changes: pd.DataFrame
    version: int
    is_whole: bool


def read_ledger(control: Control, settings: Settings, *, subject: str) -> Ledger:
    """Return the ledger of a hold, or of the newest hold on a scope, standing or over; raises NotFound or NoMatch."""
    state = control.state()
    wish = _wish(state, subject)
    given = parameters_for_hold(state, wish, as_of=control.clock.now())
    asked = check_parameters(NAME, given)
    sealed = take_positions(control, settings, asked=asked)
    pinned = {"manifest_version": sealed.manifest_version, "log_seq": sealed.head.seq}
    found = freeze(
        control.store,
        fold(control.store.events(until_seq=sealed.head.seq)),
        parameters=check_parameters(NAME, {**asked.values(), **pinned}),
        home=settings.home,
        queries_of=restart_queries,
    )
    ground = Ground(found.request, found.tables)
    return Ledger(
        found.request,
        records_since_onset(ground),
        version=found.manifest_version,
        is_whole=TABLE not in stale_tables(ground),
    )


def _wish(state: State, subject: str) -> ReviewWish:
    if re.fullmatch(r"H-\d+", subject):
        return ReviewWish(subject)
    hold = hold_for_scope(state, subject, since=EVER, is_over_too=True)
    return ReviewWish(hold.hold_id, only=subject)

"""What a notebook opens first: the sealed snapshot, and whether this is a recorded run or one by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.control.usage import Counter
from workbench.errors import UsageFault
from workbench.records import HeadNote
from workbench.reports.parameters import ReportParameters
from workbench.reports.seal import Seal, code_digest, package_versions
from workbench.reports.shelf import Shelf
from workbench.reports.words import word_tables
from workbench.review.request import (
    STORE_FED,
    QueryCall,
    ReviewRequest,
    RunQuery,
    find_request,
    of_store,
)
from workbench.review.thresholds import ReviewThresholds, thresholds_under
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.anchors import read_notes
from workbench.store.attesting import signature_words
from workbench.store.audit import verify_events
from workbench.store.folding import fold
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Store
from workbench.tickets import TicketFault
from workbench.trigger_rules import rules_of
from workbench.warehouse import Warehouse

QueriesOf = Callable[[ReviewRequest], list[QueryCall]]


@dataclass(frozen=True)
class Opened:
    """The frozen ground of one report.

    Attributes:
        tables: result of each query by its dotted name, and what the log says beside them.
        is_recorded: a run that the runner started; otherwise the page says that it was run by hand.
        demo_clock_at: recorded instant at which everything stands, or None.
    """

    parameters: ReportParameters
    request: ReviewRequest
    seal: Seal
    tables: Mapping[str, pd.DataFrame]
    is_recorded: bool
    demo_clock_at: datetime | None

    @property
    def scope(self) -> str:
        """What the report is about."""
        return self.request.only or self.request.scope


def open_report(name: str, parameters: ReportParameters, *, queries_of: QueriesOf) -> Opened:
    """Run the queries over the sealed snapshot and return everything that the page is made from."""
    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    state = fold(store.events(until_seq=parameters.log_seq or None))
    ticket = Shelf(settings.home, state.store_id).ticket(parameters.run_ticket)
    found = freeze(store, state, parameters=parameters, home=settings.home, queries_of=queries_of)
    seal = Seal(
        report=name,
        manifest_version=found.manifest_version,
        log_head=_head(state, ticket, settings),
        query_digests=found.query_digests,
        code_digest=code_digest(),
        package_versions=package_versions(),
        parameters=parameters.asked(),
        checkpoint=str(ticket.get("checkpoint", "")),
        warehouse_digest=found.warehouse_digest,
    )
    return Opened(
        parameters, found.request, seal, found.tables, bool(ticket), settings.demo_clock_at
    )


@dataclass(frozen=True)
class Frozen:
    """What a question was asked of: the derived request and the result of each query at one pair of positions."""

    request: ReviewRequest
    tables: dict[str, pd.DataFrame]
    manifest_version: int
    query_digests: Mapping[str, str]
    warehouse_digest: str


def freeze(
    store: Store,
    state: State,
    *,
    parameters: ReportParameters,
    home: Path,
    queries_of: QueriesOf,
    pinned: Frozen | None = None,
) -> Frozen:
    """Run the queries at the warehouse's version and the state of the log that the parameters name.

    With `pinned` the question, but for its onset, and what our log feeds stay those of an earlier answer.
    """
    found = gather(
        store, state, parameters=parameters, home=home, queries_of=queries_of, pinned=pinned
    )
    found.tables["store.chain"] = chain_rows(store, parameters.log_seq)
    return found


def gather(
    store: Store,
    state: State,
    *,
    parameters: ReportParameters,
    home: Path,
    queries_of: QueriesOf,
    pinned: Frozen | None = None,
) -> Frozen:
    """Do as `freeze` does but for the log's chain, which takes its time and which no list of records rests on."""
    with Warehouse.open(home).snapshot(parameters.manifest_version or None) as snapshot:
        limits = replace(
            thresholds_under(state.policies.get(state.environment)),
            verifier_count=policy_of(state).verifiers_required,
        )

        def run(call: QueryCall) -> pd.DataFrame:
            asked = of_store(call, state.store_id)
            return snapshot.query(asked.name, **asked.parameters)

        request = _request(run, parameters, limits=limits)
        if pinned:
            request = _asked_again(pinned.request, request)
        tables = {call.name: run(call) for call in queries_of(request)}
        version, digests = snapshot.version, dict(snapshot.queries_used)
        content = snapshot.content_digest()
    tables["store.probation"] = probation_rows(state)
    tables["store.tickets"] = ticket_rows(store, state, until=request.as_of)
    tables |= word_tables(state)
    tables["store.objectives"] = objective_rows(state)
    if pinned:
        tables.update({name: pinned.tables[name] for name in STORE_FED})
    return Frozen(request, tables, version, digests, content)


def _asked_again(first: ReviewRequest, later: ReviewRequest) -> ReviewRequest:
    """Return the first question with the onset that later rows tell of, and the window that follows from it."""
    return replace(
        first,
        onset_at=later.onset_at,
        onset_rule=later.onset_rule,
        since=later.since,
        baseline_since=later.baseline_since,
    )


def _head(state: State, ticket: Mapping[str, Any], settings: Settings) -> HeadNote:
    """Return the sealed position with who signed its checkpoint: the run's own, else one that was left by a command."""
    if "checkpoint" in ticket:
        notes = [str(ticket["checkpoint"])]
    else:
        notes = [text for _, _, text in read_notes(settings.anchor_folders, state.store_id)]
    return replace(state.head, signature=signature_words(state, notes))


def _request(run: RunQuery, asked: ReportParameters, *, limits: ReviewThresholds) -> ReviewRequest:
    request = find_request(
        run,
        asked.hold_id,
        as_of=asked.instant("as_of"),
        only=asked.only or None,
        onset_at=asked.optional_instant("onset"),
        thresholds=limits,
    )
    since = asked.optional_instant("since")
    if since is None:
        return request
    if since >= request.onset_at:
        raise UsageFault(
            f"The window begins at {since:%Y-%m-%d %H:%M:%S} UTC, after the onset at "
            f"{request.onset_at:%Y-%m-%d %H:%M:%S} UTC; nothing is left to compare with."
        )
    return replace(request, since=since, baseline_since=since)


def chain_rows(store: Store, until_seq: int) -> pd.DataFrame:
    """Return one row that says whether the log's chain holds, up to the sealed position."""
    events = store.events(until_seq=until_seq or None)
    result = verify_events(events, store.meta()["store_id"])
    row = {
        "is_ok": result.broken_at is None,
        "event_count": result.event_count,
        "finding": result.finding,
    }
    return pd.DataFrame([row])


def ticket_rows(store: Store, state: State, *, until: datetime) -> pd.DataFrame:
    """Return the runs that took a ticket of a narrow restart before an instant, as far as hosts reported them.

    A book that is away has none.
    """
    rows, counter = [], Counter.of(store, state)
    for probation in state.probations.values():
        with contextlib.suppress(TicketFault):
            rows += [
                (probation.probation_id, t.run_id, t.automation_id, t.taken_at)
                for use in counter.uses(probation)
                for t in use.tickets
            ]
    found = pd.DataFrame(rows, columns=["probation_id", "run_id", "automation_id", "taken_at"])
    found["taken_at"] = pd.to_datetime(
        found["taken_at"], utc=True, errors="coerce", format="ISO8601"
    )
    return found[found["taken_at"] < until].reset_index(drop=True)


def probation_rows(state: State) -> pd.DataFrame:
    """Return one row per automation that a narrow restart lets through a hold."""
    columns = ["probation_id", "hold_id", "automation_id", "max_runs", "started_at", "ended_at"]
    rows: list[dict[str, Any]] = [
        {
            "probation_id": probation.probation_id,
            "hold_id": probation.hold_id,
            "automation_id": automation_id,
            "max_runs": probation.max_runs,
            "started_at": probation.started_at,
            "ended_at": probation.ended_at,
        }
        for probation in state.probations.values()
        for automation_id in probation.automation_ids
    ]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(
        started_at=pd.to_datetime(found["started_at"], utc=True),
        ended_at=pd.to_datetime(found["ended_at"], utc=True),
    )


def objective_rows(state: State) -> pd.DataFrame:
    """Return one row per objective of the registry and automation that it is about, a category's as well."""
    standing = {k: a for k, a in sorted(state.automations.items()) if not a.is_retired}
    stated = [(f"automation={k}", a.triggers, [k]) for k, a in standing.items()]
    for key, category in sorted(state.categories.items()):
        members = [k for k, a in standing.items() if a.category == key]
        stated.append((f"category={key}", category.triggers, members))
    rows = [
        (scope, member, len(members), percent)
        for scope, triggers, members in stated
        if (percent := rules_of(triggers).objective_percent)
        for member in members
    ]
    return pd.DataFrame(
        rows, columns=["scope", "automation_id", "member_count", "objective_percent"]
    )

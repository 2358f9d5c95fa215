"""The restart review: which queries it needs, and what their results say about starting again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from workbench.clock import to_text
from workbench.records import Check, Verdict, VerdictKind
from workbench.review.check_audit import check_approvals, check_audit_chain
from workbench.review.check_freshness import (
    check_freshness,
    sources_of,
    stale_tables,
    weigh_freshness,
)
from workbench.review.check_pause import check_pause
from workbench.review.check_people import (
    check_noise,
    check_ownership,
    check_prevention,
    ownership_table,
)
from workbench.review.check_provider import check_provider
from workbench.review.check_records import check_records
from workbench.review.check_runs import check_backlog, check_run_history
from workbench.review.check_steps import check_failed_steps
from workbench.review.error_budget import outcome_query
from workbench.review.ground import PROBATION, Finding, Ground, Headline, Section
from workbench.review.guarding import guarded
from workbench.review.headline import contrast
from workbench.review.periods import standings
from workbench.review.request import ONSET_GIVEN, QueryCall, ReviewRequest
from workbench.review.said_none import TABLE, answer_of, with_words_short
from workbench.review.verdict import ENGINE_TABLES, Proposal, conclude, decide_kind
from workbench.review.why import why_section

MAX_LOOKED_AT_ALONE = 12
"""Automations that are judged one by one to find which may start; beyond that a person narrows the scope."""

CHECKS = (
    check_pause,
    check_run_history,
    check_failed_steps,
    check_audit_chain,
    check_approvals,
    check_provider,
    check_records,
    check_backlog,
    check_prevention,
    check_ownership,
    check_noise,
    check_freshness,
)
"""In the order in which a person reads them."""


@dataclass(frozen=True)
class RestartReview:
    """What a restart review found: the verdict, its checks, the contrast, a section for each check and the cause."""

    verdict: Verdict
    checks: tuple[Check, ...]
    headline: Headline
    sections: Mapping[str, Section]


def restart_queries(request: ReviewRequest) -> list[QueryCall]:
    """Return the queries whose results `assess_restart` needs, each bounded by the request's window."""
    window = {"since": request.since, "as_of": request.as_of}
    ids = {"automation_ids": list(request.automation_ids)}
    environment = {"environment": request.environment}
    holds_since = request.since - timedelta(days=request.thresholds.baseline_days * 12)
    long_window = {"since": holds_since, "as_of": request.as_of}
    return [
        QueryCall("review.registered_automations", {"as_of": request.as_of}),
        QueryCall("review.holds", long_window),
        QueryCall("review.hold_targets", long_window),
        QueryCall("review.decisions", window),
        QueryCall("review.runs", {**ids, **environment, **window}),
        outcome_query(request),
        QueryCall("review.pause_reach", {**ids, **environment, **window}),
        QueryCall("review.pause_in_flight", {**ids, **environment, **window}),
        QueryCall("review.failed_steps", {**ids, **environment, **window}),
        QueryCall("review.audit_events", {**ids, **window}),
        QueryCall("review.approvals", {**ids, **window}),
        QueryCall("review.provider_status", {"providers": list(request.providers), **window}),
        QueryCall("review.affected_records", {**ids, **window, "record": None}),
        QueryCall("review.alerts", {**ids, **window}),
        QueryCall("review.changes", window),
        QueryCall("review.incidents", window),
        QueryCall("review.watermarks", {"as_of": request.as_of}),
        QueryCall(
            "review.serving_sources", {**ids, "providers": list(request.providers), **window}
        ),
    ]


LEDGER_RESTS_ON = frozenset(
    f"review.{name}"
    for name in (
        "registered_automations", "holds", "hold_targets", "runs", "failed_steps", "affected_records", "watermarks",
        "serving_sources",
    )
)  # fmt: skip


def ledger_queries(request: ReviewRequest) -> list[QueryCall]:
    """Return the queries that the ledger of affected records rests on, as a review asks them."""
    return [call for call in restart_queries(request) if call.name in LEDGER_RESTS_ON]


def assess_restart(request: ReviewRequest, tables: Mapping[str, pd.DataFrame]) -> RestartReview:
    """Judge whether what is held may start again, and how much of it: a pure function of its arguments."""
    ground = Ground(request, tables)
    findings = findings_of(ground)
    checks = tuple(finding.check for finding in findings)
    escalations = tuple(reason for finding in findings for reason in finding.escalations)
    verdict = conclude(
        checks, escalations, proposal=propose(ground, checks, escalations=escalations)
    )
    return RestartReview(
        verdict=verdict,
        checks=checks,
        headline=contrast(ground, findings, verdict=verdict),
        sections={
            **{finding.check.name: finding.section for finding in findings},
            "why": why_section(ground),
        },
    )


def findings_of(ground: Ground) -> list[Finding]:
    """Run every check, then weigh what rests on stale tables, and whose word stands for them."""
    stale = stale_tables(ground)
    answers = {TABLE: answer_of(ground, stale)}
    told = with_words_short(ground, stale)
    return weigh_freshness([check(ground) for check in CHECKS], told, answers=answers)


def propose(ground: Ground, checks: tuple[Check, ...], *, escalations: tuple[str, ...]) -> Proposal:
    """Return what could start: all that was asked about, or the automations that pass alone."""
    request = ground.request
    limits = request.thresholds
    kind = decide_kind(checks, escalations, is_proven=False)
    ids = narrow_ids(ground, kind)
    weakest, own = standings(ground)[0], standings(ground, ids)[0]
    count, failures, needed = own.run_count, own.failure_count, own.needed_run_count
    guard = guarded(ground, [own.automation_id])[0]
    run_count = (
        needed if count >= limits.narrow_run_count and needed else int(limits.narrow_run_count)
    )
    return Proposal(
        hold_id=request.hold_id,
        scope=request.only or request.scope,
        narrow_scope=_scope_text(request, ids),
        narrow_ids=ids,
        run_count=run_count,
        failure_count=failures,
        is_production=any(a.environment == "production" for a in ground.automations.values())
        or not ground.automations,
        clean_run_count=count - failures,
        needed_run_count=weakest.needed_run_count,
        candidates=tuple(s.automation_id for s in standings(ground)),
        missing_tables=tuple(missing := stale_tables(ground)),
        sources=sources_of(ground, tuple(missing)),
        engine=_one_engine(ground),
        aborting_count=guard.aborting_count(run_count),
        caught_rate=guard.caught_rate(run_count) if ids else None,
        aborted_scope=_aborted_scope(ground),
        escalate_to=_restart_owners(ground),
        onset=to_text(request.onset_at) if request.onset_rule == ONSET_GIVEN else "",
    )


def _restart_owners(ground: Ground) -> tuple[str, ...]:
    """Return who owns the restart of what is under review, each role once with its deputy."""
    found = []
    for _, row in ownership_table(ground).iterrows():
        owner, deputy = row["restart_owner"], row["deputy"]
        other = f" (deputy {deputy})" if deputy not in ("", owner) else ""
        found += [f"{owner}{other}"] if owner else []
    return tuple(dict.fromkeys(found))


def _aborted_scope(ground: Ground) -> str:
    """Return the automation whose guardrail says abort while a narrow restart of this hold still lets it through."""
    probations = ground.table(PROBATION)
    is_open = (probations["hold_id"] == ground.request.hold_id) & probations["ended_at"].isna()
    still = set(probations[is_open]["automation_id"])
    aborted = (one.automation_id for one in guarded(ground) if one.is_aborted)
    return next((f"automation={one}" for one in aborted if one in still), "")


def _one_engine(ground: Ground) -> str:
    """Return the engine that runs all of the automations and was read before, or an empty text.

    A registry may name what no adapter reads; `sync` of that would fail. So may it where files told of its runs.
    """
    engines = {one.engine for one in ground.automations.values()}
    marks = ground.table("watermarks")
    is_filed = marks["table_name"].isin(ENGINE_TABLES) & marks["is_from_file"].eq(True)
    read = {"prefect", *marks["source_id"]} - {*marks[is_filed]["source_id"]}
    return engines.pop() if len(engines) == 1 and engines <= read else ""


def narrow_ids(ground: Ground, kind: VerdictKind) -> tuple[str, ...]:
    """Return the automations to start with: one whose own review allows it.

    What still lacks clean runs comes first, then the least binding writer.
    """
    ids = ground.request.automation_ids
    if kind is VerdictKind.RESTART_NARROW and (len(ids) == 1 or ground.request.only):
        return ids
    if kind is VerdictKind.ESCALATE or len(ids) == 1 or len(ids) > MAX_LOOKED_AT_ALONE:
        return ()
    allowed = [i for i in ids if is_allowed_alone(ground, i)]
    proven = {s.automation_id for s in standings(ground) if not s.needed_run_count}
    return tuple(sorted(allowed, key=lambda i: (i in proven, _binding_count(ground, i), i))[:1])


def is_allowed_alone(ground: Ground, automation_id: str) -> bool:
    """Tell whether the review of one automation alone would let it start."""
    findings = findings_of(ground.narrowed_to(automation_id))
    escalations = [reason for finding in findings for reason in finding.escalations]
    kind = decide_kind([f.check for f in findings], escalations, is_proven=False)
    return kind is VerdictKind.RESTART_NARROW


def _binding_count(ground: Ground, automation_id: str) -> int:
    records = ground.table("affected_records")
    mine = records[records["automation_id"] == automation_id]
    return int(mine["reversibility"].isin(("irreversible", "unknown")).sum())


def _scope_text(request: ReviewRequest, ids: tuple[str, ...]) -> str:
    if not ids:
        return ""
    if request.only and set(ids) == set(request.automation_ids):
        return request.only
    return f"automation={ids[0]}" if len(ids) == 1 else request.scope

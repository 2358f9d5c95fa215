"""Check: do the providers work again, and does their trouble explain the failures?"""

from __future__ import annotations

import pandas as pd

from workbench.records import Check
from workbench.review.ground import Finding, Ground, Section, clock, counted, judged, listed, spoken
from workbench.review.overlap import TROUBLED, Overlap, provider_overlap
from workbench.review.periods import moments


def check_provider(ground: Ground) -> Finding:
    """Judge what the providers say of themselves at the end of the window."""
    rows = ground.table("provider_status")
    rows = rows[rows["provider"].isin(ground.request.providers)]
    now = rows[rows["until_at"].isna()]
    bad = now[now["status"].isin(TROUBLED)]
    unknown = now[now["status"].isin(("unknown",)) | now["status"].isna()]
    status = judged(is_bad=len(bad) > 0, is_lacking=len(unknown) > 0)
    overlap = provider_overlap(ground)
    sentence = (
        f"{_state_sentence(ground, rows, bad, len(unknown))} {overlap_sentence(overlap)}".strip()
    )
    check = Check(
        name="provider_status",
        question="Do the providers work, and does their trouble explain the failures?",
        status=status,
        sentence=sentence
        if ground.request.providers
        else "None of these automations uses a provider.",
        number=float(len(bad)),
        unit="components in trouble",
        threshold="every component operational at the end of the window",
        threshold_source="a restart on a provider in trouble repeats the fault",
        row_count=len(rows),
        query="review.provider_status",
        is_critical=True,
    )
    return Finding(check, _section(ground, rows, overlap, check.sentence))


def _state_sentence(
    ground: Ground, rows: pd.DataFrame, bad: pd.DataFrame, unknown_count: int
) -> str:
    if len(bad):
        worst = bad.sort_values("since_at").iloc[-1]
        said = f"{str(worst['status']).replace('_', ' ')} for {worst['component'] or 'everything'}"
        return f"{worst['provider']} says {said} since {clock(worst['since_at'])} ({worst['incident_ref']})."
    if unknown_count:
        return f"{counted(unknown_count, 'component')} of {listed(ground.request.providers)} in an unknown state."
    past = rows[rows["status"].isin(TROUBLED)]
    if past.empty:
        return f"{listed(ground.request.providers)} reported no trouble in the window."
    quiet = (ground.as_of - past["until_at"].max()).total_seconds()
    return f"{listed(ground.request.providers)} operational for {spoken(quiet)}."


def overlap_sentence(overlap: Overlap) -> str:
    """Say what the overlap explains, or that it does not explain it."""
    total = overlap.inside[0] + overlap.outside[0]
    if not total:
        return "There are no troubled runs to explain."
    if not overlap.inside[1]:
        return "The provider reported no trouble while these automations ran."
    counts = (
        f"{overlap.inside[0]} of {counted(total, 'troubled run')} fell into its trouble, {overlap.expected_count:.0f} "
        f"expected by chance (p {'< 0.001' if overlap.chance < 0.001 else f'= {overlap.chance:.2f}'}, one "
        "automation's burst within a minute counted once)"
    )
    return (
        f"It explains them: {counts}."
        if overlap.is_explained
        else f"It does not explain them: {counts}."
    )


def _section(ground: Ground, rows: pd.DataFrame, overlap: Overlap, sentence: str) -> Section:
    shown = rows[
        [
            "provider",
            "component",
            "status",
            "since_at",
            "until_at",
            "impact",
            "incident_ref",
            "title",
        ]
    ]
    where = pd.DataFrame(
        [("while the provider was in trouble", *overlap.inside), ("otherwise", *overlap.outside)],
        columns=["when", "troubled_run_count", "run_count"],
    )
    where["troubled_rate"] = where["troubled_run_count"] / where["run_count"].where(
        where["run_count"] > 0
    )
    spans = rows[["component", "since_at", "until_at", "status"]].copy()
    spans["until_at"] = spans["until_at"].fillna(ground.as_of)
    if rows.empty:
        return Section("Provider status", sentence)
    tables = {
        "What the providers said": shown.reset_index(drop=True),
        "Troubled runs inside and outside of the provider's trouble": where,
    }
    figures = {"status_bands": spans.reset_index(drop=True), "status_bands_marks": moments(ground)}
    return Section("Provider status", sentence, tables, figures)

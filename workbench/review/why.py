"""Why did it break? The section of a review: stretches of one failure rate, and candidates for the cause, or none.

The rules and their sources stand in `changepoints`, `attributes`, `lead_times` and `causes`; every number comes from
the rows of `review.runs`, `review.failed_steps`, `review.changes` and `review.registered_automations`.
"""

from __future__ import annotations

import pandas as pd

from workbench.review.attributes import CHANCE, SIGNIFICANCE, Candidate, Counts, counts_of
from workbench.review.causes import SIGNATURE, Evidence, Search, search_causes, why_not
from workbench.review.changepoints import rate_segments
from workbench.review.covering import touched_ids
from workbench.review.ground import Ground, Section, counted, filled, listed, spoken
from workbench.review.lead_times import touching
from workbench.review.onset import is_troubled
from workbench.review.periods import BASELINE, SINCE, with_period

TITLE = "Why did it break?"
NO_PROOF = "It is where to look first, and no proof."
CAPTION = "Candidates for the cause, the likeliest first (review.runs, review.failed_steps, review.changes)"
SEGMENTS = "Failure rate until the pause, in stretches of one rate each (review.runs)"


def why_section(ground: Ground) -> Section:
    """Return what may have been the cause, or that none was found, with the rows behind it."""
    if "why" not in ground.memo:
        ground.memo["why"] = _why_section(ground)
    found: Section = ground.memo["why"]
    return found


def _why_section(ground: Ground) -> Section:
    evidence = evidence_of(ground)
    search = search_causes(evidence)
    tables = {CAPTION: candidate_table(search), SEGMENTS: _segments(ground, evidence)}
    return Section(TITLE, f"{_rose(evidence)} {conclusion(search, evidence)}", filled(tables))


def evidence_of(ground: Ground) -> Evidence:
    """Return the runs and changes that a cause is searched in; what ran under a hold or since it tells nothing."""
    runs = with_period(ground)
    runs = runs[runs["is_counted"] & runs["period"].notna()].copy()
    runs["is_troubled"] = is_troubled(runs)
    runs["category"] = runs["automation_id"].map(
        {a.automation_id: a.category or None for a in ground.automations.values()}
    )
    failed = ground.table("failed_steps").drop_duplicates("run_id").set_index("run_id")
    own = runs["error_signature"].fillna(runs["run_id"].map(failed["error_signature"]))
    runs["error_signature"] = own.where(runs["is_troubled"], None)
    ordered = runs.sort_values(["started_at", "run_id"], kind="stable")
    changes = ground.table("changes")
    return Evidence(
        before=ordered[ordered["period"] == BASELINE],
        during=ordered[~ordered["period"].isin((BASELINE, SINCE))],
        changes=touching(changes, (_touched(ground, target) for target in changes["target"])),
        onset_at=ground.onset_at,
    )


def _touched(ground: Ground, target: object) -> frozenset[str]:
    text = target if isinstance(target, str) else ""
    return frozenset(touched_ids(text, ground.automations))


def conclusion(search: Search, evidence: Evidence) -> str:
    """Say what stands out, or that nothing does and over how much that was looked at."""
    looked = (
        f"{counted(search.attribute_count, 'attribute or pair', plural='attributes and pairs')}, "
        f"{counted(search.signature_count, 'error signature')} and {counted(search.change_count, 'change')}"
    )
    if search.named:
        first, *others = search.named
        more = f" Besides: {listed([name_of(one) for one in others])}." if others else ""
        said = f"Look first at {name_of(first)}: {_speaks(first)}; {_chance(first)} over {looked}."
        return f"{said}{more}{_nearest(search)} {NO_PROOF}"
    reason = why_not(evidence)
    because = f" {reason[0].upper()}{reason[1:]}." if reason else ""
    return (
        f"No cause found: none of {looked} stands out from chance (limit {SIGNIFICANCE:g}).{because}"
        f"{_nearest(search)}"
    )


def _nearest(search: Search) -> str:
    """Say how near the nearest change came that does not stand out, where no change does."""
    near = [one for one in search.candidates if one.lead_seconds is not None and one.chance < 1]
    if not near or any(one.is_named for one in near):
        return ""
    one = near[0]
    return f" The nearest change came {spoken(one.lead_seconds or 0.0)} before, as near by chance in {one.chance:.2g}."


def name_of(one: Candidate) -> str:
    """Write what a candidate is, with the other names that the runs cannot tell it from."""
    same = f" (the same runs as {listed(one.names[1:])})" if len(one.names) > 1 else ""
    kind = f"the {one.kind} " if one.lead_seconds is not None or one.kind == SIGNATURE else ""
    return f"{kind}{one.names[0]}{same}"


def _speaks(one: Candidate) -> str:
    if one.kind == SIGNATURE:
        return f"{_of(one.inside)} troubled runs of the incident say so, {_of(one.before)} before"
    if one.lead_seconds is not None:
        lead = spoken(one.lead_seconds)
        return (
            f"{lead} before the trouble began in what it touches, where {_of(one.inside)} runs were troubled, "
            f"{_of(one.elsewhere)} elsewhere and {_of(one.before)} before"
        )
    return f"{_of(one.inside)} runs with it were troubled, {_of(one.elsewhere)} without it and {_of(one.before)} before"


def _of(counts: Counts) -> str:
    return f"{counts[0]:,} of {counts[1]:,}"


def _chance(one: Candidate) -> str:
    return f"by chance as much in {one.chance:.2g} of incidents,"


def _rose(evidence: Evidence) -> str:
    before, during = counts_of(evidence.before), counts_of(evidence.during)
    return f"Troubled before the onset: {_of(before)} runs, from it until the pause {_of(during)}."


def candidate_table(search: Search) -> pd.DataFrame:
    """Return the candidates as rows; `chance` is over everything that was looked at."""
    rows = [
        (
            one.standing,
            one.kind,
            " = ".join(one.names),
            _of(one.inside),
            _of(one.elsewhere) if one.elsewhere[1] else "",
            _of(one.before),
            one.lead_seconds,
            f"{one.chance:.2g}",
        )
        for one in search.candidates
        if one.standing != CHANCE or one.chance < 1
    ]
    columns = [
        "standing", "kind", "candidate", "troubled_with_it", "without_it", "before_the_onset", "lead_seconds", "chance",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _segments(ground: Ground, evidence: Evidence) -> pd.DataFrame:
    runs = pd.concat([evidence.before, evidence.during])
    since = ground.onset_at - pd.Timedelta(hours=ground.limits.lookback_hours)
    shown = runs[(runs["started_at"] >= since) & (runs["started_at"] < ground.first_paused_at)]
    return rate_segments(shown["started_at"], shown["is_troubled"])

"""Checks on what is audited: is every story whole, was what needed approval approved, what still waits?"""

from __future__ import annotations

import pandas as pd

from workbench.records import Check, CheckStatus
from workbench.review.ground import (
    CHAIN,
    Finding,
    Ground,
    Section,
    counted,
    filled,
    seconds_from,
    spoken,
)
from workbench.review.stories import (
    FAULTS,
    NOT_AUDITED,
    STAGE_NAMES,
    granted_not_carried_out,
    stale_approvals,
    story_table,
    unaudited_writes,
)


def check_audit_chain(ground: Ground) -> Finding:
    """Judge our own log's chain and the stories that the automations' audit tells since the onset."""
    stories = story_table(ground)
    writes = unaudited_writes(ground)
    faults = stories[stories["fault"] != ""]
    broken = faults["fault"].value_counts().reindex(list(FAULTS), fill_value=0)
    broken[NOT_AUDITED] += len(writes)
    chain = ground.table(CHAIN)
    sentence, status = _judged(stories, broken, chain)
    check = Check(
        name="audit_chain",
        question="Is every action audited from proposal to completion, and is our own log untouched?",
        status=status,
        sentence=sentence,
        number=float(broken.sum()),
        unit="broken stories",
        threshold="0 broken stories; our log's chain verifies",
        threshold_source="an action that cannot be followed cannot be judged",
        row_count=len(stories),
        query="review.audit_events",
        is_critical=True,
    )
    return Finding(check, _story_section(sentence, stories, writes=writes))


def _story_section(sentence: str, stories: pd.DataFrame, *, writes: pd.DataFrame) -> Section:
    faults = stories[stories["fault"] != ""]
    tables = {
        "Stories since the onset, by automation and stage": _stages(stories),
        "Broken stories": faults[
            [
                "automation_id",
                "target_kind",
                "target_id",
                "began_at",
                "ended_at",
                "fault",
                "correlation_id",
            ]
        ],
        "Records written and not audited": writes[
            ["automation_id", "record_type", "record_id", "changed_at", "run_id"]
        ],
    }
    return Section("Audit chain", sentence, filled(tables))


def _judged(
    stories: pd.DataFrame, broken: pd.Series[int], chain: pd.DataFrame
) -> tuple[str, CheckStatus]:
    if len(chain) and not bool(chain["is_ok"].iloc[0]):
        return f"Our own log does not verify: {chain['finding'].iloc[0]}.", CheckStatus.FAIL
    own = (
        "our own log was not verified"
        if chain.empty
        else f"our own log verifies ({counted(int(chain['event_count'].iloc[0]), 'event')})"
    )
    if broken.sum():
        named = ", ".join(f"{count} {fault}" for fault, count in broken.items() if count)
        count = counted(int(broken.sum()), "story is", plural="stories are")
        whole = f"{count} broken ({named}) of {len(stories):,} since the onset"
        return f"{whole}; {own}.", CheckStatus.FAIL
    if stories.empty:
        return (
            f"No audited action of these automations since the onset; {own}.",
            CheckStatus.NO_EVIDENCE,
        )
    whole = f"All {counted(len(stories), 'story', plural='stories')} since the onset can be followed to the end; {own}."
    return whole, CheckStatus.NO_EVIDENCE if chain.empty else CheckStatus.PASS


def _stages(stories: pd.DataFrame) -> pd.DataFrame:
    columns = [f"{stage}_count" for stage in STAGE_NAMES]
    found = stories.groupby("automation_id", sort=True)[columns].sum().reset_index()
    broken = stories[stories["fault"] != ""].groupby("automation_id").size()
    found["broken_count"] = found["automation_id"].map(broken).fillna(0).astype(int)
    return found


def check_approvals(ground: Ground) -> Finding:
    """Judge the approvals that wait for people, and those granted that would fire on resume."""
    approvals = stale_approvals(ground)
    waiting = approvals[approvals["decided_at"].isna()].copy()
    waiting["age_seconds"] = (
        seconds_from(ground.as_of, waiting["requested_at"]) if len(waiting) else 0.0
    )
    waiting["is_expired"] = waiting["expires_at"].notna() & (waiting["expires_at"] <= ground.as_of)
    pending = waiting[~waiting["is_expired"]]
    granted = granted_not_carried_out(ground)
    sentence = _approval_sentence(ground, waiting, pending, len(granted))
    check = Check(
        name="pending_approvals",
        question="Does anything wait for an approval, and what would fire on resume?",
        status=CheckStatus.FAIL if len(pending) or len(granted) else CheckStatus.PASS,
        sentence=sentence,
        number=float(len(pending) + len(granted)),
        unit="approvals that could fire",
        threshold="0 undecided and 0 granted but not carried out",
        threshold_source="an approval asked for before the restart rests on other facts",
        row_count=len(approvals),
        query="review.approvals",
        is_critical=True,
    )
    return Finding(check, _approval_section(sentence, waiting, granted=granted))


def _approval_section(sentence: str, waiting: pd.DataFrame, *, granted: pd.DataFrame) -> Section:
    shown = [
        "approval_id",
        "automation_id",
        "action",
        "risk",
        "requested_at",
        "age_seconds",
        "expires_at",
        "is_expired",
    ]
    tables = {
        "Undecided approvals": waiting[shown],
        "Granted, not carried out: they fire on resume": granted[
            [
                "approval_id",
                "automation_id",
                "action",
                "risk",
                "requested_at",
                "decided_at",
                "decided_by",
            ]
        ],
    }
    return Section("Pending approvals", sentence, filled(tables))


def _approval_sentence(
    ground: Ground, waiting: pd.DataFrame, pending: pd.DataFrame, granted_count: int
) -> str:
    asks = needs_approvals(ground)
    if not asks:
        return "None of these automations asks people for approvals."
    parts = []
    if len(pending):
        oldest = spoken(float(pending["age_seconds"].max()))
        risky = int((pending["risk"] == "high").sum())
        parts.append(
            f"{counted(len(pending), 'approval')} undecided, {risky} of high risk, the oldest for {oldest}"
        )
    if granted_count:
        parts.append(f"{granted_count} granted but not carried out, which fire on resume")
    if expired := len(waiting) - len(pending):
        parts.append(f"{expired} expired without an answer")
    return (
        f"{'; '.join(parts)}."
        if parts
        else "No approval is undecided, and none that was granted waits to be carried out."
    )


def needs_approvals(ground: Ground) -> bool:
    """Tell whether any automation under review asks people; one that says `none` in its checklist does not."""
    answers = [a.checklist.get("approval_requirement", "") for a in ground.automations.values()]
    return (
        not answers
        or any(answer.strip().lower() != "none" for answer in answers)
        or len(ground.table("approvals")) > 0
    )

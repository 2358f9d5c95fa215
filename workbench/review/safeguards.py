"""Which safeguards worked, which did not, and for which there is no evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from workbench.review.ground import Ground, Section, counted, listed, spoken
from workbench.review.pausing import audit_pause
from workbench.review.stories import WITHOUT_APPROVAL, story_table, unaudited_writes

WORKED = "worked"
FAILED = "did not work"
UNKNOWN = "no evidence"


@dataclass(frozen=True)
class Safeguard:
    """One safeguard, how it did, and by which number that is known."""

    name: str
    state: str
    evidence: str


def safeguard_section(ground: Ground) -> Section:
    """Return the safeguards as rows, those that did not work first."""
    found = safeguards(ground)
    order = {FAILED: 0, UNKNOWN: 1, WORKED: 2}
    ordered = sorted(found, key=lambda s: order[s.state])
    table = pd.DataFrame(
        [(s.name, s.state, s.evidence) for s in ordered],
        columns=["safeguard", "result", "evidence"],
    )
    counts = [f"{sum(s.state == state for s in found)} {state}" for state in (WORKED, FAILED)]
    unknown = sum(s.state == UNKNOWN for s in found)
    sentence = f"Of {len(found)} safeguards {listed(counts)}, for {unknown} there is no evidence."
    return Section("Safeguards", sentence, {"Which safeguards worked": table})


def safeguards(ground: Ground) -> list[Safeguard]:
    """Return every safeguard that the tables can speak about."""
    parts: tuple[Callable[[Ground], Safeguard], ...] = (
        _alerting,
        _acknowledging,
        _switch,
        _gate,
        _retrying,
        _approvals,
        _auditing,
        _restarting,
        _drill,
    )
    return [part(ground) for part in parts]


def _alerting(ground: Ground) -> Safeguard:
    alerts = ground.table("alerts")
    before = alerts[alerts["fired_at"].between(ground.onset_at, ground.first_paused_at)]
    if before.empty:
        return Safeguard("An alert fires", FAILED, "no alert between the onset and the pause")
    waited = (before["fired_at"].min() - ground.onset_at).total_seconds()
    return Safeguard(
        "An alert fires",
        WORKED,
        f"{counted(len(before), 'alert')}, the first {spoken(waited)} after the onset",
    )


def _acknowledging(ground: Ground) -> Safeguard:
    alerts = ground.table("alerts")
    recent = alerts[alerts["fired_at"] >= ground.onset_at]
    if recent.empty:
        return Safeguard("A person takes the alert", UNKNOWN, "no alert to take")
    ignored = int(recent["acknowledged_at"].isna().sum())
    said = f"{ignored} of {counted(len(recent), 'alert')} never acknowledged"
    return Safeguard("A person takes the alert", FAILED if ignored else WORKED, said)


def _switch(ground: Ground) -> Safeguard:
    audits = [audit_pause(ground, hold) for _, hold in ground.chain.iterrows()]
    leaked = {audit.hold["hold_id"]: audit.leak_count for audit in audits if audit.leak_count}
    said = (
        ", ".join(f"{hold}: {counted(count, 'leak')}" for hold, count in leaked.items())
        or f"0 leaks past {listed(ground.chain['hold_id'])}"
    )
    return Safeguard("The pause stops the work", FAILED if leaked else WORKED, said)


def _gate(ground: Ground) -> Safeguard:
    refused = sum(audit_pause(ground, hold).refused_count for _, hold in ground.chain.iterrows())
    if not refused:
        return Safeguard(
            "The gate refuses what starts anyway", UNKNOWN, "no run started anyway and was refused"
        )
    return Safeguard(
        "The gate refuses what starts anyway",
        WORKED,
        f"{counted(refused, 'started run')} refused before any write",
    )


def _retrying(ground: Ground) -> Safeguard:
    failures = ground.table("failed_steps")
    runs = ground.table("runs").drop_duplicates("run_id").set_index("run_id")["attempt_count"]
    recent = failures[failures["failed_at"] >= ground.onset_at].drop_duplicates("run_id")
    retried = recent[recent["run_id"].map(runs).fillna(1) > 1]
    if retried.empty:
        return Safeguard("A retry helps", UNKNOWN, "no failed run was tried again")
    helped = int((retried["run_status"] == "succeeded").sum())
    said = f"{helped} of {counted(len(retried), 'run')} tried again succeeded"
    return Safeguard("A retry helps", WORKED if helped * 2 >= len(retried) else FAILED, said)


def _approvals(ground: Ground) -> Safeguard:
    stories = story_table(ground)
    asked = stories[stories["asked_count"] > 0]
    if asked.empty:
        return Safeguard(
            "What needs approval waits for it",
            UNKNOWN,
            "nothing asked for approval since the onset",
        )
    without = int((asked["fault"] == WITHOUT_APPROVAL).sum())
    said = f"{without} of {counted(len(asked), 'action')} that asked were executed without it"
    return Safeguard("What needs approval waits for it", FAILED if without else WORKED, said)


def _auditing(ground: Ground) -> Safeguard:
    stories = story_table(ground)
    if stories.empty:
        return Safeguard(
            "Everything done is audited", UNKNOWN, "nothing is audited since the onset"
        )
    broken = int((stories["fault"] != "").sum()) + len(unaudited_writes(ground))
    said = f"{broken} broken of {counted(len(stories), 'story', plural='stories')}"
    return Safeguard("Everything done is audited", FAILED if broken else WORKED, said)


def _restarting(ground: Ground) -> Safeguard:
    released = ground.chain[ground.chain["released_at"].notna()]
    if released.empty:
        return Safeguard("A restart needs a decision", UNKNOWN, "no hold was released")
    undecided = undecided_releases(ground)
    said = (
        f"{listed(undecided)} released without a decision"
        if undecided
        else "each release rests on a decision"
    )
    return Safeguard("A restart needs a decision", FAILED if undecided else WORKED, said)


def undecided_releases(ground: Ground) -> list[str]:
    """Return the holds of the chain that were released without a decision to restart in full."""
    decisions = ground.table("decisions")
    decided = set(decisions[decisions["decision"] == "restart_full"]["hold_id"])
    released = ground.chain[ground.chain["released_at"].notna()]
    return [str(hold_id) for hold_id in released["hold_id"] if hold_id not in decided]


def _drill(ground: Ground) -> Safeguard:
    rows = ground.table("registered_automations")
    tried = rows["last_drill_at"].notna().sum()
    if not tried:
        return Safeguard("The pause is rehearsed", UNKNOWN, "no drill is on record")
    return Safeguard(
        "The pause is rehearsed",
        WORKED,
        f"{tried} of {counted(len(rows), 'automation')} had a drill",
    )

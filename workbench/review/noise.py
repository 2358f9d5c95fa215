"""The section on noise and trust: what was ignored, what flaps, which watchers to revise; rules in `trust`."""

from __future__ import annotations

import pandas as pd

from workbench.records import Purpose
from workbench.review.covering import touched_ids
from workbench.review.ground import Ground, Section, counted, filled, percent
from workbench.review.trust import Trust, acts_of, judge_trust

TITLE = "Noise and trust"
SYSTEM = "system"
"""Who the log names for what the workbench did of itself."""


def trust_section(ground: Ground) -> Section:
    """Return which failures and alerts of the window nobody answered, and what to revise about it."""
    trust = judge_trust(ground.table("runs"), ground.table("alerts"), acts=human_acts(ground))
    tables = {
        "Failures in a row and who answered (review.runs)": trust.streaks,
        "Alert rules, firings and answers (review.alerts)": trust.rules,
        "Outcomes that changed, of the last 21 (review.runs)": trust.flaps,
        "Watchers to revise": trust.revisions,
    }
    return Section(TITLE, _sentence(trust), filled(tables))


def human_acts(ground: Ground) -> pd.DataFrame:
    """Return what people did about each automation: acknowledged, changed, paused, verified, or acted as audited."""
    changes = ground.table("changes")
    about = {
        target: touched_ids(target, ground.automations)
        for target in changes["target"].unique()
        if isinstance(target, str)
    }
    touched = [
        (automation_id, changed_at)
        for target, changed_at in zip(changes["target"], changes["changed_at"], strict=True)
        for automation_id in about.get(target, ())
    ]
    columns = ["automation_id", "acted_at"]
    return acts_of(
        {
            "review.alerts": _acted(ground.table("alerts"), "acknowledged_at"),
            "review.hold_targets": _acted(_by_people(ground), "recorded_at"),
            "review.affected_records": _acted(ground.table("affected_records"), "verified_at"),
            "review.operator_events": ground.table("operator_events").rename(
                columns={"target_id": "automation_id", "occurred_at": "acted_at"}
            )[columns],
            "review.changes": pd.DataFrame(touched, columns=columns),
        }
    )


def _by_people(ground: Ground) -> pd.DataFrame:
    """Return the targets of holds that a person placed: what a trigger or a registry placed is no answer."""
    holds, targets = ground.table("holds"), ground.table("hold_targets")
    by_itself = holds[(holds["placed_by"] == SYSTEM) | (holds["purpose"] == Purpose.GUARD)]
    return targets[~targets["hold_id"].isin(by_itself["hold_id"])]


def _acted(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows[rows[column].notna()].rename(columns={column: "acted_at"})


def _sentence(trust: Trust) -> str:
    streaks, rules = trust.streaks, trust.rules
    ignored = streaks[streaks["is_ignored"].astype(bool)]
    parts = [
        f"{len(ignored)} of {counted(len(streaks), 'row')} of failures went by without any act of a person"
    ]
    if len(ignored):
        worst = ignored.iloc[0]
        parts[0] += (
            f", the longest {counted(worst['troubled_run_count'], 'run')} of {worst['automation_id']}"
        )
    fired, missed = int(rules["alert_count"].sum()), int(rules["unacknowledged_alert_count"].sum())
    share = f" ({percent(missed / fired)})" if fired else ""
    parts.append(f"{missed} of {counted(fired, 'alert')} never acknowledged{share}")
    flapping = int(rules["is_flapping"].sum()) + int(trust.flaps["is_flapping"].sum())
    parts.append(f"{flapping} flapping")
    count = len(trust.revisions)
    return f"{'; '.join(parts)}; {counted(count, 'reason')} to revise a watcher."

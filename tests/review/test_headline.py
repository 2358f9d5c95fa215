"""The contrast: what the alert says, what the evidence says, and one sentence that puts them together."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.review.world import (
    Tables,
    at,
    calm_tables,
    every,
    request,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.review.ground import Headline, shaped
from workbench.review.restart import assess_restart


def _headline(tables: Tables) -> Headline:
    return assess_restart(request(), tables).headline


def _alerts(text: str) -> pd.DataFrame:
    return shaped(
        "review.alerts", rows(f"alert_id | fired_at | automation_id | resolved_at\n{text}")
    )


def test_a_green_alert_over_a_paused_scope_is_no_news() -> None:
    """All alerts are resolved, nothing was let through: the sentence says that green could not be anything else."""
    found = _headline(calm_tables())
    assert (
        found.alert_says
        == "All clear: 1 alert since the onset, all resolved, the last at 10:45:00 UTC (15 min ago)."
    )
    assert found.evidence_says.startswith(
        "0 runs since the pause and 0 leaks through it: 0 checks FAIL, 2 have NO EVIDENCE"
    )
    assert found.sentence == (
        "The alert is green, but nothing was let through since the pause, so it could not be anything else; "
        "the evidence says: restart narrowly."
    )


def test_a_firing_alert_is_named() -> None:
    """An alert that still fires is not green, and its id is told."""
    found = _headline({**calm_tables(), "review.alerts": _alerts("AL-7 | 10:05 | triage | -")})
    assert found.alert_says == "1 alert still firing: AL-7."
    assert found.sentence == "The alert still fires; the evidence says: keep paused."


def test_no_alert_at_all_is_a_quiet_board() -> None:
    """Without any alert since the onset the board is green and says nothing."""
    found = _headline({**calm_tables(), "review.alerts": _alerts("AL-0 | 07:00 | triage | 07:10")})
    assert found.alert_says == "No alert fired since the onset."
    assert found.sentence.startswith("The alert is green, but nothing was let through")


def test_runs_since_the_pause_are_evidence() -> None:
    """After a narrow restart the number of runs stands on both sides."""
    tables = with_probation(
        with_rows(
            calm_tables(),
            "review.runs",
            runs_of("triage", every(1, "10:52", "10:57", "succeeded", "n")),
        )
    )
    found = _headline(tables)
    assert found.evidence_says.startswith("5 runs since the pause and 0 leaks")
    assert found.sentence.startswith("The alert is green after 5 runs let through since the pause")


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ("review.runs", None, "1 leak through it"),
        (
            "review.approvals",
            "approval_id | automation_id | run_id | requested_at\nA-1 | triage | f1 | 10:10",
            "1 approval that could fire",
        ),
        (
            "review.affected_records",
            "run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing\n"
            "f1 | mail | M-7 | 1 | triage | 10:10 | send | irreversible | yes",
            "1 record to verify",
        ),
        (
            "review.provider_status",
            "provider | component | since_at | until_at | status | incident_ref\nacme | api | 10:50 | - | degraded | INC-2",
            "the provider still in trouble",
        ),
    ],
)
def test_the_evidence_counts_what_it_found(table: str, row: str | None, words: str) -> None:
    """Each thing that stands in the way is told with its number."""
    more = rows(row) if row else runs_of("triage", [("10:40", "succeeded", "leak")])
    found = _headline(with_rows(calm_tables(), table, more))
    assert words in found.evidence_says
    assert "1 checks FAIL" in found.evidence_says or "2 checks FAIL" in found.evidence_says


def test_the_sentence_ends_with_the_verdict() -> None:
    """Whatever the verdict, it stands at the end in plain words."""
    leak = with_rows(
        calm_tables(), "review.runs", runs_of("triage", [("10:40", "succeeded", "leak")])
    )
    assert _headline(leak).sentence.endswith("the evidence says: escalate.")
    tables = calm_tables()
    tables["review.provider_status"]["until_at"] = pd.NaT
    assert _headline(tables).sentence.endswith("the evidence says: keep paused.")


def test_a_hundred_alerts_are_counted_not_listed() -> None:
    """Many firing alerts are named up to four, the rest is a number."""
    text = "\n".join(f"AL-{n} | 10:0{n} | triage | -" for n in range(7))
    found = _headline({**calm_tables(), "review.alerts": _alerts(text)})
    assert found.alert_says == "7 alerts still firing: AL-0, AL-1, AL-2, AL-3 and 3 more."
    assert at("10:00") < at("10:06")

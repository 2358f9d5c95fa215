"""Given rows, expect rows: what loading, syncing and looking beside a review ask the warehouse."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.queries.given import WINDOW, Given
from tests.review.world import AS_OF, at
from workbench.warehouse.tables import table


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in frame[name]]


RECORDS = """
source_id | run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing
ledger    | r2     | invoice     | 4711      | 0          | triage        | 10:05      | -      | -             | -
ledger    | r1     | invoice     | 4711      | 0          | triage        | 10:00      | update | reversible    | no
ledger    | r1     | invoice     | 47        | 0          | triage        | 10:01      | update | reversible    | no
ledger    | r1     | ticket      | 4711      | 0          | triage        | 10:02      | send   | irreversible  | yes
"""


def test_a_named_record_has_all_its_changes_in_order() -> None:
    """Type and id both count; what a change does not say is taken for the worst."""
    asked = {"record": "invoice/4711", "automation_ids": None, **WINDOW}
    found = Given().table("affected_record", RECORDS).ask("review.affected_records", **asked)
    assert _column(found, "run_id") == ["r1", "r2"]
    assert _column(found, "change") == ["update", None]
    assert _column(found, "reversibility") == ["reversible", "unknown"]
    assert _column(found, "customer_facing") == [False, True]
    assert _column(found, "before") == [None, None]


RUNS = """
source_id | batch_id | run_id | automation_id | status    | raw_status | first_seen_at | vanished_at | run_mode
main      | b1       | r1     | triage        | running   | RUNNING    | 10:00         | -           | live
main      | b1       | r2     | triage        | succeeded | COMPLETED  | 10:00         | -           | dry_run
main      | b1       | r3     | triage        | unknown   | ODD        | 10:00         | -           | live
main      | b1       | r4     | triage        | unknown   | ODD        | 10:00         | -           | live
main      | b1       | r5     | triage        | unknown   | -          | 10:00         | -           | live
main      | b2       | r6     | triage        | unknown   | ODD        | 10:00         | 10:30       | live
file      | b3       | r1     | mailer        | queued    | WAITS      | 10:00         | -           | staging
"""


def test_a_named_run_is_told_by_each_source_that_knows_one() -> None:
    """An id is unique in its source only."""
    found = Given().table("run", RUNS).ask("load.named_run", run_id="r1")
    assert _column(found, "source_id") == ["file", "main"]
    assert _column(found, "automation_id") == ["mailer", "triage"]
    assert _column(found, "run_mode") == ["staging", "live"]


def test_unknown_words_of_a_batch_are_counted() -> None:
    """The most frequent word first; another batch's words are not this one's."""
    found = Given().table("run", RUNS).ask("load.unknown_status", batch_id="b1")
    assert list(zip(_column(found, "raw_status"), _column(found, "run_count"), strict=True)) == [
        ("ODD", 2),
        ("", 1),
    ]


def test_alerts_that_name_no_automation_are_counted() -> None:
    """An empty name names nothing either; another batch's alerts are not this one's."""
    given = Given().table(
        "alert",
        """
        batch_id | alert_id | fired_at | automation_id
        b1       | A-1      | 10:00    | -
        b1       | A-2      | 10:01    | triage
        b2       | A-3      | 10:02    | -
        """,
    )
    given.connection.execute("update alert set automation_id = '' where alert_id = 'A-2'")
    found = given.ask("load.unnamed_alert", batch_id="b1")
    assert _column(found, "alert_count") == [2]
    assert given.ask("load.unnamed_alert", batch_id="b9").empty


def test_unknown_words_of_steps_are_counted() -> None:
    """Each attempt counts, and a word that is known does not."""
    given = Given().table(
        "step",
        """
        batch_id | run_id | step_id | attempt | automation_id | status  | raw_status
        b1       | r1     | read    | 1       | triage        | unknown | ODD
        b1       | r1     | read    | 2       | triage        | unknown | ODD
        b1       | r1     | write   | 1       | triage        | failed  | FAILED
        b2       | r2     | write   | 1       | triage        | unknown | EVEN
        """,
    )
    found = given.ask("load.unknown_step_status", batch_id="b1")
    assert _column(found, "raw_status") == ["ODD"]
    assert _column(found, "attempt_count") == [2]


def test_open_runs_are_whole_and_those_of_one_source() -> None:
    """What is over or vanished is left out; every column but the batch comes, so that none is lost when written again."""
    found = Given().table("run", RUNS).ask("sync.open_runs", source_id="main")
    assert _column(found, "run_id") == ["r1", "r3", "r4", "r5"]
    assert list(found.columns) == [n for n in table("run").column_names if n != "batch_id"]


def test_changes_of_the_window_come_in_their_order() -> None:
    """Whatever they touch; what came at the window's end is not known yet."""
    given = Given().table(
        "change",
        """
        change_id | changed_at | kind   | target | actor
        c2        | 10:30      | prompt | triage | ops-lead
        c1        | 09:00      | deploy | mailer | ci
        c3        | 11:00      | deploy | triage | ci
        """,
    )
    found = given.ask("review.changes", **WINDOW)
    assert _column(found, "change_id") == ["c1", "c2"]
    assert _column(found, "kind") == ["deploy", "prompt"]


def test_incidents_do_not_know_their_future() -> None:
    """Each instant that lies at or after the end reads as not there yet."""
    given = Given().table(
        "incident",
        """
        incident_id | started_at | detected_at | paused_at | mitigated_at | resolved_at
        i2          | 10:40      | 10:50       | 11:00     | 11:10        | 11:20
        i1          | 10:00      | 10:01       | 10:02     | 10:03        | 10:04
        i3          | 11:00      | 11:01       | -         | -            | -
        """,
    )
    found = given.ask("review.incidents", **WINDOW)
    assert _column(found, "incident_id") == ["i1", "i2"]
    assert _column(found, "detected_at") == [at("10:01"), at("10:50")]
    assert _column(found, "paused_at") == [at("10:02"), None]
    assert _column(found, "resolved_at") == [at("10:04"), None]


def test_an_old_approval_makes_its_source_serve_only_while_it_was_undecided() -> None:
    """What was decided before the window serves no review; what was open then still does."""
    given = (
        Given()
        .table(
            "run",
            """
            source_id | run_id | automation_id | status    | first_seen_at
            engine    | r1     | triage        | succeeded | 10:00
            """,
        )
        .table(
            "approval",
            """
            source_id | approval_id | automation_id | requested_at | decided_at
            desk      | a1          | triage        | 08:00        | 08:10
            board     | a2          | triage        | 08:00        | 09:30
            queue     | a3          | triage        | 08:00        | -
            """,
        )
    )
    found = given.ask(
        "review.serving_sources", automation_ids=["triage"], providers=[], since=at("09:00"),
        as_of=AS_OF,
    )  # fmt: skip
    assert _column(found, "source_id") == ["board", "queue", "engine"]

"""Given rows, expect rows, one query after the other."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.queries.given import TRIAGE, WINDOW, Given
from tests.review.world import AS_OF, DAY, at
from workbench.queries import load_query

RUN = {**TRIAGE, **WINDOW, "environment": None}


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in frame[name]]


def test_registered_automations_leaves_out_the_retired() -> None:
    """An automation that was retired before the end is gone, one retired later is still there."""
    given = Given().table(
        "automation",
        """
        automation_id | kind  | retired_at
        gone          | agent | 09:00
        leaving       | agent | 12:00
        triage        | agent | -
        """,
    )
    assert _column(given.ask("review.registered_automations", as_of=AS_OF), "automation_id") == [
        "leaving",
        "triage",
    ]


def test_registered_automations_do_not_know_later_drills() -> None:
    """A drill after the end is not known yet, at the end neither; one before it is."""
    given = Given().table(
        "automation",
        """
        automation_id | kind  | last_drill_at
        a             | agent | 10:59
        b             | agent | 11:00
        c             | agent | -
        """,
    )
    found = given.ask("review.registered_automations", as_of=AS_OF)
    assert _column(found, "last_drill_at") == [at("10:59"), None, None]


def test_holds_do_not_know_their_future() -> None:
    """A release after the end is not known yet; a hold released before the window or placed after it is left out."""
    given = Given().table(
        "hold",
        """
        hold_id | placed_at | released_at | released_by
        H-1     | 02:00     | 03:00       | lead
        H-2     | 09:00     | 10:00       | lead
        H-3     | 10:30     | 11:30       | lead
        H-4     | 11:10     | -           | -
        """,
    )
    found = given.ask("review.holds", since=at("04:00"), as_of=AS_OF)
    assert _column(found, "hold_id") == ["H-2", "H-3"]
    assert _column(found, "released_at") == [at("10:00"), None]
    assert _column(found, "released_by") == ["lead", None]


def test_hold_targets_do_not_know_later_confirmations() -> None:
    """What was confirmed after the end reads as not confirmed."""
    given = (
        Given()
        .table("hold", "hold_id | placed_at | released_at\nH-1 | 10:59:50 | -")
        .table(
            "hold_target",
            """
        hold_id | automation_id | recorded_at | delivered_at | confirmed_at
        H-1     | triage        | 10:59:50    | 10:59:51     | 11:00:05
        """,
        )
    )
    found = given.ask("review.hold_targets", **WINDOW)
    assert _column(found, "delivered_at") == [at("10:59:51")]
    assert _column(found, "confirmed_at") == [None]


def test_targets_stay_for_as_long_as_their_hold_stands() -> None:
    """Those of a hold placed long before the window are there while it stands in it; those of one released before are not."""
    given = (
        Given()
        .table(
            "hold",
            """
            hold_id | placed_at | released_at
            H-1     | 01:00     | -
            H-2     | 01:00     | 10:30
            H-3     | 01:00     | 03:59
            H-4     | 10:59     | 11:30
            """,
        )
        .table(
            "hold_target",
            """
            hold_id | automation_id | recorded_at
            H-1     | triage        | 01:00:01
            H-2     | triage        | 01:00:02
            H-3     | triage        | 01:00:03
            H-4     | triage        | 10:59:01
            """,
        )
    )
    found = given.ask("review.hold_targets", since=at("04:00"), as_of=AS_OF)
    assert _column(found, "hold_id") == ["H-1", "H-2", "H-4"]
    holds = given.ask("review.holds", since=at("04:00"), as_of=AS_OF)
    assert set(_column(holds, "hold_id")) == set(_column(found, "hold_id"))


def test_decisions_of_the_window() -> None:
    """Decisions inside the window come in the order in which they were made."""
    given = Given().table(
        "decision",
        """
        decision_id | hold_id | verdict      | decision     | decided_at
        D-2         | H-1     | keep_paused  | restart_full | 10:50
        D-1         | H-1     | escalate     | escalate     | 10:40
        D-3         | H-1     | restart_full | restart_full | 11:00
        """,
    )
    assert _column(given.ask("review.decisions", **WINDOW), "decision_id") == ["D-1", "D-2"]


def test_runs_are_as_they_were_at_the_end() -> None:
    """A run that ended later is running, one that started later is scheduled, and other automations are not looked at."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | scheduled_at | started_at | finished_at | environment
        r1     | triage        | succeeded | 10:00         | 10:00        | 10:00      | 10:01       | production
        r2     | triage        | failed    | 10:59         | 10:59        | 10:59      | 11:02       | production
        r3     | triage        | succeeded | 10:59:30      | 11:05        | 11:05      | 11:06       | staging
        r4     | other         | succeeded | 10:00         | 10:00        | 10:00      | 10:01       | production
        """,
    )
    found = given.ask("review.runs", **RUN)
    assert _column(found, "run_id") == ["r1", "r2", "r3"]
    assert _column(found, "status") == ["succeeded", "running", "scheduled"]
    assert _column(found, "finished_at") == [at("10:01"), None, None]
    assert _column(found, "attempt_count") == [1, 1, 1]
    assert _column(given.ask("review.runs", **{**RUN, "environment": "staging"}), "run_id") == [
        "r3"
    ]


def _placed_runs() -> Given:
    return (
        Given()
        .table(
            "run",
            """
            run_id | automation_id | status | first_seen_at | started_at | finished_at | environment
            here   | triage        | failed | 10:00         | 10:00      | 10:31       | production
            silent | triage        | failed | 10:02         | 10:02      | 10:32       | -
            else   | triage        | failed | 10:04         | 10:04      | 10:33       | staging
            """,
        )
        .table("hold", "hold_id | placed_at\nH-1 | 10:30\nH-2 | 09:59")
        .table(
            "hold_target",
            """
            hold_id | automation_id | recorded_at | delivered_at
            H-1     | triage        | 10:30       | 10:30
            H-2     | triage        | 09:59       | 09:59
            """,
        )
    )


@pytest.mark.parametrize("name", ["runs", "failed_steps", "outcomes", "pause_in_flight"])
def test_a_run_that_does_not_say_its_environment_counts_in_each(name: str) -> None:
    """Not known is not another environment: such a run is there, one that says another is not."""
    given = _placed_runs()
    asked = load_query(f"review.{name}").parameters
    parameters = {key: value for key, value in RUN.items() if key in asked}
    found = given.ask(f"review.{name}", **{**parameters, "environment": "production"})
    assert _column(found, "run_id") == ["here", "silent"]
    assert len(given.ask(f"review.{name}", **parameters)) == 3


def test_a_start_after_the_pause_counts_where_its_environment_is_not_said() -> None:
    """A leak is not hidden by a run that does not say where it ran."""
    found = _placed_runs().ask("review.pause_reach", **{**RUN, "environment": "production"})
    assert dict(zip(found["hold_id"], found["start_count"], strict=True)) == {"H-2": 2, "H-1": 0}


def test_failed_steps_name_the_place_once() -> None:
    """A failed step speaks for its run; a failed run without one speaks for itself; a retry that helped is told."""
    given = (
        Given()
        .table(
            "run",
            """
            run_id | automation_id | status    | first_seen_at | started_at | finished_at | error_signature
            r1     | triage        | failed    | 10:00         | 10:00      | 10:01       | HTTP 500
            r2     | triage        | failed    | 10:02         | 10:02      | 10:03       | killed
            r3     | triage        | succeeded | 10:04         | 10:04      | 10:06       | -
            """,
        )
        .table(
            "step",
            """
            run_id | step_id | attempt | automation_id | status    | started_at | finished_at | error_signature
            r1     | ask     | 1       | triage        | failed    | 10:00      | 10:00:30    | HTTP 500
            r3     | ask     | 1       | triage        | crashed   | 10:04      | 10:04:30    | -
            r3     | ask     | 2       | triage        | succeeded | 10:05      | 10:05:30    | -
            """,
        )
    )
    found = given.ask("review.failed_steps", **RUN)
    assert _column(found, "run_id") == ["r1", "r2", "r3"]
    assert _column(found, "step_id") == ["ask", "", "ask"]
    assert _column(found, "error_signature") == ["HTTP 500", "killed", "(no error text)"]
    assert _column(found, "run_status") == ["failed", "failed", "succeeded"]


def test_audit_events_of_actor_run_and_target() -> None:
    """An event counts when the automation acted, was acted on, or a person acted within one of its runs."""
    given = (
        Given()
        .table(
            "run",
            "run_id | automation_id | status | first_seen_at\nr1 | triage | succeeded | 10:00",
        )
        .table(
            "audit_event",
            """
            event_id | occurred_at | actor  | action            | target_kind | target_id | correlation_id | payload
            e1       | 10:00       | triage | run.started       | run         | r1        | r1             | -
            e2       | 10:01       | desk   | approval.granted  | invoice     | INV-1     | r1             | {"approval_id": "A-1"}
            e3       | 10:02       | desk   | automation.change | automation  | triage    | -              | -
            e4       | 10:03       | other  | run.started       | run         | r9        | r9             | -
            e5       | 11:00       | triage | run.started       | run         | r1        | r1             | -
            """,
        )
    )
    found = given.ask("review.audit_events", **TRIAGE, **WINDOW)
    assert _column(found, "event_id") == ["e1", "e2", "e3"]
    assert _column(found, "automation_id") == ["triage", "triage", "desk"]
    assert _column(found, "approval_id") == [None, "A-1", None]


def test_operator_events_are_those_of_people() -> None:
    """What people did outside of runs is listed, what the automations did is not."""
    given = Given().table(
        "audit_event",
        """
        event_id | occurred_at | actor  | action           | correlation_id
        e1       | 10:00       | lead   | incident.opened  | -
        e2       | 10:01       | triage | incident.noted   | -
        e3       | 10:02       | lead   | approval.granted | r1
        e4       | 10:03       | -      | deployment.pause | -
        """,
    )
    assert _column(given.ask("review.operator_events", **TRIAGE, **WINDOW), "event_id") == [
        "e1",
        "e4",
    ]


def test_approvals_keep_what_is_undecided_whatever_its_age() -> None:
    """An old undecided request is listed, an old decided one is not, and an answer after the end is not known."""
    given = Given().table(
        "approval",
        """
        approval_id | automation_id | requested_at | decided_at | decision | decided_by
        A-1         | triage        | 01:00        | -          | -        | -
        A-2         | triage        | 01:10        | 01:20      | granted  | desk
        A-3         | triage        | 10:50        | 11:10      | granted  | desk
        """,
    )
    found = given.ask("review.approvals", **TRIAGE, since=at("09:00"), as_of=AS_OF)
    assert _column(found, "approval_id") == ["A-1", "A-3"]
    assert _column(found, "decision") == [None, None]


def test_provider_status_that_overlaps_the_window() -> None:
    """A stretch that began before the window and reached into it counts; one that ends later is open."""
    given = Given().table(
        "provider_status",
        """
        provider | component | since_at | until_at | status
        acme     | api       | 01:00    | 02:00    | degraded
        acme     | api       | 08:00    | 09:30    | degraded
        acme     | api       | 10:00    | 12:00    | partial_outage
        else     | api       | 10:00    | -        | degraded
        """,
    )
    found = given.ask("review.provider_status", providers=["acme"], since=at("09:00"), as_of=AS_OF)
    assert _column(found, "since_at") == [at("08:00"), at("10:00")]
    assert _column(found, "until_at") == [at("09:30"), None]


def test_affected_records_assume_the_worst_of_what_is_not_said() -> None:
    """Unsaid reversibility is unknown, unsaid visibility is customer-facing, a later verification is not known."""
    given = Given().table(
        "affected_record",
        """
        run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing | verified_at
        r1     | invoice     | INV-1     | 1          | triage        | 10:00      | update | -             | -               | 11:30
        r1     | invoice     | INV-2     | 2          | triage        | 10:01      | update | reversible    | no              | 10:30
        """,
    )
    found = given.ask("review.affected_records", **TRIAGE, **WINDOW, record=None)
    assert _column(found, "reversibility") == ["unknown", "reversible"]
    assert _column(found, "customer_facing") == [True, False]
    assert _column(found, "verified_at") == [None, at("10:30")]


def test_one_record_is_found_by_its_name_whoever_changed_it() -> None:
    """Without automations every change of the named record is there, and of no other whose name begins alike."""
    given = Given().table(
        "affected_record",
        """
        run_id | record_type | record_id | change_seq | automation_id | changed_at
        r1     | invoice     | INV-1     | 1          | triage        | 10:00
        r2     | invoice     | INV-1     | 1          | other         | 10:01
        r1     | invoice     | INV-10    | 2          | triage        | 10:02
        """,
    )
    found = given.ask(
        "review.affected_records", automation_ids=None, **WINDOW, record="invoice/INV-1"
    )
    assert _column(found, "run_id") == ["r1", "r2"]


def test_alerts_are_as_they_were() -> None:
    """An alert that went green after the end still fires."""
    given = Given().table(
        "alert",
        """
        alert_id | fired_at | automation_id | resolved_at | acknowledged_at | acknowledged_by
        AL-1     | 10:00    | triage        | 11:30       | 10:05           | desk
        AL-2     | 10:10    | other         | -           | -               | -
        """,
    )
    found = given.ask("review.alerts", **TRIAGE, **WINDOW)
    assert _column(found, "alert_id") == ["AL-1"]
    assert _column(found, "resolved_at") == [None]
    assert _column(found, "acknowledged_by") == ["desk"]


@pytest.mark.parametrize(
    ("name", "column", "instant"),
    [("changes", "change_id", "changed_at"), ("incidents", "incident_id", "started_at")],
)
def test_the_window_is_half_open(name: str, column: str, instant: str) -> None:
    """What happened at the begin counts, what happened at the end does not."""
    table = name.removesuffix("s")
    text = f"{column} | {instant}\nx1 | 00:00\nx2 | 11:00"
    assert _column(Given().table(table, text).ask(f"review.{name}", **WINDOW), column) == ["x1"]


@pytest.mark.parametrize("name", ["runs", "failed_steps"])
def test_windows_split_without_loss(name: str) -> None:
    """The rows of [a, c) are those of [a, b) and [b, c) together, each once."""
    lines = "\n".join(
        f"r{n} | triage | failed | {9 + n // 4:02d}:{15 * (n % 4):02d} | {9 + n // 4:02d}:{15 * (n % 4):02d} | {9 + n // 4:02d}:{15 * (n % 4):02d}:05"
        for n in range(8)
    )
    given = Given().table(
        "run",
        "run_id | automation_id | status | first_seen_at | started_at | finished_at\n" + lines,
    )
    parts = [(DAY, at("10:00")), (at("10:00"), AS_OF)]
    ask = {"automation_ids": ["triage"], "environment": None}
    whole = _column(given.ask(f"review.{name}", **ask, since=DAY, as_of=AS_OF), "run_id")
    split = [
        i
        for a, b in parts
        for i in _column(given.ask(f"review.{name}", **ask, since=a, as_of=b), "run_id")
    ]
    assert len(whole) == 8
    assert split == whole


def test_watermarks_tell_their_age() -> None:
    """The age is measured to the end of the window, 0 for what was read later; what no batch brought an engine did."""
    given = Given().table(
        "source_watermark",
        """
        source_id | table_name | loaded_until_at | checked_at
        a         | run        | 10:50           | 10:50
        b         | run        | 11:30           | 11:30
        """,
    )
    given.connection.execute("update source_watermark set batch_id = '' where source_id = 'b'")
    found = given.ask("review.watermarks", as_of=AS_OF)
    assert _column(found, "age_seconds") == [600.0, 0.0]
    assert _column(found, "is_from_file") == [True, False]


def test_sources_serve_by_what_they_told_of() -> None:
    """A source serves when it told of these automations, of others of their run source, or of their provider."""
    given = Given()
    given.table(
        "run",
        """
        source_id | run_id | automation_id | environment | status    | first_seen_at | started_at
        engine    | r1     | triage        | production  | succeeded | 10:00         | 10:00
        engine    | r2     | mailer        | production  | succeeded | 10:00         | 10:00
        other     | r3     | stranger      | production  | succeeded | 10:00         | 10:00
        """,
    )
    given.table(
        "affected_record",
        """
        source_id | run_id | record_type | record_id | change_seq | automation_id | changed_at | change
        ledger    | r2     | invoice     | INV-1     | 1          | mailer        | 10:00      | update
        foreign   | r3     | invoice     | INV-2     | 1          | stranger      | 10:00      | update
        """,
    )
    given.table(
        "provider_status",
        """
        source_id | provider | component | since_at | until_at | status
        page      | acme     | api       | 09:00    | 09:10    | degraded
        page-2    | else     | api       | 09:00    | 09:10    | degraded
        """,
    )
    found = given.ask("review.serving_sources", **TRIAGE, providers=["acme"], **WINDOW)
    assert list(zip(found["table_name"], found["source_id"], strict=True)) == [
        ("affected_record", "ledger"),
        ("provider_status", "page"),
        ("run", "engine"),
    ]


PAUSED = """
hold_id | automation_id | recorded_at | delivered_at | confirmed_at
H-1     | triage        | 10:30       | 10:30:02     | 10:30:03
H-2     | triage        | 10:50       | -            | -
"""
HOLDS = """
hold_id | scope      | mode   | placed_at | placed_by | released_at
H-1     | kind=agent | freeze | 10:30     | ops-lead  | 10:45
H-2     | kind=agent | freeze | 10:50     | ops-lead  | -
"""


def test_in_flight_at_a_pause_is_what_began_before_its_receipt_and_had_not_ended() -> None:
    """Each hold has its own; the last step that began or ended tells what is frozen, a later end is not known yet."""
    given = Given().table("hold_target", PAUSED)
    given.table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | started_at | finished_at | vanished_at
        over   | triage        | succeeded | 10:20         | 10:20      | 10:30:01    | -
        late   | triage        | succeeded | 10:29         | 10:29      | 10:31       | -
        frozen | triage        | running   | 10:29         | 10:29:30   | -           | -
        future | triage        | succeeded | 10:30         | 10:30:01   | 11:30       | -
        gone   | triage        | running   | 10:30         | 10:30:01.5 | -           | 10:40
        after  | triage        | running   | 10:46         | 10:46      | -           | -
        leak   | triage        | running   | 10:51         | 10:51      | -           | -
        """,
    )
    given.table(
        "step",
        """
        run_id | step_id | attempt | automation_id | status    | started_at | finished_at
        frozen | read    | 1       | triage        | succeeded | 10:29:30   | 10:29:50
        future | read    | 1       | triage        | succeeded | 10:30:10   | 11:20
        """,
    )
    found = given.ask("review.pause_in_flight", **RUN)
    first = found[found["hold_id"] == "H-1"]
    assert _column(first, "run_id") == ["late", "frozen", "future", "gone"]
    assert _column(first, "receipt_at") == [at("10:30:02")] * 4
    assert _column(first, "finished_at") == [at("10:31"), None, None, None]
    assert _column(first, "status") == ["succeeded", "running", "running", "running"]
    assert _column(first, "step_at") == [None, at("10:29:50"), at("10:30:10"), None]
    assert _column(first, "has_open_step") == [False, False, True, False]
    assert _column(first, "is_vanished") == [False, False, False, True]
    second = found[found["hold_id"] == "H-2"]
    assert _column(second, "run_id") == ["frozen", "future", "gone", "after"]


def test_what_a_pause_reached_counts_starts_and_writes_until_its_release() -> None:
    """From the receipt, which is the command where nothing was delivered, to the release or the end of the window."""
    given = Given().table("hold_target", PAUSED).table("hold", HOLDS)
    given.table(
        "run",
        """
        run_id | automation_id | environment | status    | first_seen_at | started_at
        before | triage        | production  | succeeded | 10:30         | 10:30:01
        leak   | triage        | production  | succeeded | 10:30         | 10:30:02
        leak2  | triage        | production  | running   | 10:44         | 10:44
        other  | mailer        | production  | running   | 10:44         | 10:44
        stage  | triage        | staging     | running   | 10:44         | 10:44
        free   | triage        | production  | succeeded | 10:46         | 10:46
        again  | triage        | production  | running   | 10:50         | 10:50
        """,
    )
    given.table(
        "affected_record",
        """
        run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing
        leak   | invoice     | INV-1     | 1          | triage        | 10:31      | update | reversible    | no
        free   | invoice     | INV-2     | 1          | triage        | 10:46      | update | reversible    | no
        """,
    )
    found = given.ask("review.pause_reach", **{**RUN, "environment": "production"})
    assert _column(found, "hold_id") == ["H-1", "H-2"]
    assert _column(found, "receipt_at") == [at("10:30:02"), at("10:50")]
    assert _column(found, "watched_until_at") == [at("10:45"), AS_OF]
    assert _column(found, "start_count") == [2, 1]
    assert _column(found, "last_start_at") == [at("10:44"), at("10:50")]
    assert _column(found, "write_count") == [1, 0]
    assert _column(found, "last_write_at") == [at("10:31"), None]

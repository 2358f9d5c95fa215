"""Each action item, timeline row and milestone comes from its finding, and goes away with it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.review.test_incident import SECOND, relapsed_tables
from tests.review.world import (
    PAUSED,
    Tables,
    at,
    calm_tables,
    ground,
    rows,
    runs_of,
    story,
    with_probation,
    with_rows,
)
from workbench.review.actions import action_items, action_section
from workbench.review.ground import shaped
from workbench.review.milestones import milestone_table, milestones
from workbench.review.pausing import audit_pause
from workbench.review.safeguards import safeguards
from workbench.review.switch import leak_rows, switch_section
from workbench.review.timeline import timeline

REFUSAL = "stopped before its next write: triage is paused by H-1"


def _done(tables: Tables) -> Tables:
    """Return the calm world without the one thing that is left to do in it."""
    tables["review.provider_status"] = tables["review.provider_status"].iloc[:0]
    return tables


def _leaked_start(tables: Tables) -> Tables:
    return with_rows(tables, "review.runs", runs_of("triage", [("10:40", "succeeded", "leak")]))


def _leaked_write(tables: Tables) -> Tables:
    row = rows(
        "source_id | run_id | record_type | record_id | change_seq | automation_id | changed_at | change | reversibility | customer_facing | verified_at\n"
        "ledger | f1 | invoice | X-1 | 1 | triage | 10:40 | update | reversible | no | 10:50"
    )
    return with_rows(tables, "review.affected_records", row)


def _pending(tables: Tables) -> Tables:
    row = rows("approval_id | automation_id | run_id | requested_at\nA-1 | triage | f1 | 10:10")
    return with_rows(tables, "review.approvals", row)


def _broken(tables: Tables) -> Tables:
    return with_rows(
        tables, "review.audit_events", story("f1", "10:02", "proposal.created", "invoice/I")
    )


def _unverified(tables: Tables) -> Tables:
    tables["review.affected_records"]["verified_at"] = pd.NaT
    return tables


def _suspect(tables: Tables) -> Tables:
    return {**tables, "review.changes": tables["review.changes"].iloc[:1]}


def _ignored(tables: Tables) -> Tables:
    tables["review.alerts"]["acknowledged_at"] = pd.NaT
    return tables


def _ownerless(tables: Tables) -> Tables:
    tables["review.registered_automations"]["restart_owner"] = None
    return tables


def _undrilled(tables: Tables) -> Tables:
    tables["review.registered_automations"]["last_drill_at"] = pd.NaT
    return tables


def _explained(tables: Tables) -> Tables:
    return {**tables, "review.provider_status": calm_tables()["review.provider_status"]}


CASES: tuple[tuple[Callable[[Tables], Tables], str, str, str, bool], ...] = (
    (
        _leaked_start,
        "prevent",
        "Make triage ask the gate before it starts: 1 run began past H-1",
        "desk",
        True,
    ),
    (
        _leaked_write,
        "prevent",
        "Make triage ask the gate before each write: 1 write came past H-1",
        "desk",
        True,
    ),
    (
        _pending,
        "clean-up",
        "Decide or withdraw 1 approval that could fire on resume",
        "ops-lead",
        True,
    ),
    (_broken, "clean-up", "Follow up 1 broken story of the audit chain", "ops-lead", True),
    (_unverified, "clean-up", "Verify 1 record of triage, 1 of them irreversible", "desk", True),
    (
        _suspect,
        "prevent",
        "Take back or clear the change 10 min before the onset: tokens up",
        "desk",
        True,
    ),
    (
        _ignored,
        "detect",
        "Give each alert a reader, or retire it: 1 alert never acknowledged",
        "ops-lead",
        False,
    ),
    (_ownerless, "runbook", "Name who may restart triage", "desk", True),
    (_undrilled, "runbook", "Rehearse the pause in staging for triage", "ops-lead", False),
    (
        _explained,
        "mitigate",
        "Stop early or switch when acme is in trouble: 15 troubled runs fell into it",
        "ops-lead",
        False,
    ),
)


def test_a_world_without_findings_has_nothing_to_do() -> None:
    """No finding, no action item; the section says so."""
    tables = _done(calm_tables())
    assert list(action_items(ground(tables))) == []
    section = action_section(ground(tables))
    assert (
        section.sentence == "0 action items follow from the findings, 0 of them before any restart."
    )
    assert section.tables == {}


@pytest.mark.parametrize(
    ("spoil", "kind", "what", "owner", "blocks"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_each_finding_has_its_action(
    spoil: Callable[[Tables], Tables], kind: str, what: str, owner: str, blocks: bool
) -> None:
    """One finding gives one item: its type, its words, who owns it, and whether a restart waits for it."""
    found = list(action_items(ground(spoil(_done(calm_tables())))))
    assert [(i.kind, i.what, i.owner, i.is_restart_blocking) for i in found] == [
        (kind, what, owner, blocks)
    ]


def test_a_signature_from_an_earlier_incident_is_mended_at_last() -> None:
    """What an earlier incident left open is an item that names it."""
    tables = _done(calm_tables())
    old = [
        {"source_id": "engine", "run_id": f"b3{n}", "step_id": "ask", "attempt": 1, "automation_id": "triage",
         "failed_at": at(f"07:0{n}:05"), "error_signature": "HTTP 500", "run_status": "failed"}
        for n in range(3)
    ]  # fmt: skip
    tables = with_rows(tables, "review.failed_steps", pd.DataFrame(old))
    tables["review.incidents"] = shaped(
        "review.incidents", rows("incident_id | started_at | resolved_at\nI-0 | 07:00 | 07:30")
    )
    assert [i.what for i in action_items(ground(tables))] == [
        "Mend what I-0 left open: its signature came back 15 times: HTTP 500"
    ]


def _said(tables: Tables, source: str) -> list[str]:
    found = timeline(ground(tables))
    return list(found[found["source"] == source]["what"])


def test_the_store_tells_holds_restarts_and_decisions() -> None:
    """Holds, narrow restarts with their end, and decisions with what was computed are rows of our own store."""
    tables = with_probation(calm_tables(), "10:52", "10:57")
    tables["review.decisions"] = shaped(
        "review.decisions",
        rows(
            "decision_id | hold_id | verdict | decision | decided_at | decided_by\nD-1 | H-1 | keep_paused | restart_narrow | 10:51 | lead"
        ),
    )
    assert _said(tables, "our store") == [
        "H-1 placed on kind=agent (freeze) by ops-lead: wrong",
        "D-1: restart_narrow (computed keep_paused) by lead",
        "P-1: triage let through for 100 runs",
        "P-1 ended",
    ]


def test_alerts_tell_firing_taking_and_clearing() -> None:
    """An alert has up to three rows."""
    assert _said(calm_tables(), "alerts") == [
        "AL-1 error-rate of triage fired",
        "AL-1 error-rate of triage acknowledged by desk",
        "AL-1 error-rate of triage resolved",
    ]


def test_first_failures_tell_whether_they_are_new() -> None:
    """Each signature has one row, at its first failure since the onset."""
    assert _said(calm_tables(), "steps") == [
        "first failure with a new signature in triage: HTTP 500"
    ]


def test_what_slipped_past_a_hold_is_told_apart_from_what_was_refused() -> None:
    """A leak and a refusal are different rows."""
    tables = with_rows(
        _leaked_start(calm_tables()),
        "review.runs",
        runs_of("triage", [("10:41", "cancelled", "no")], error_message=REFUSAL),
    )
    assert _said(tables, "runs") == [
        "triage started past H-1 (schedule)",
        "triage started and was refused under H-1 (schedule)",
    ]


def test_incidents_and_people_are_told() -> None:
    """The marks people set on the incident, and what they did by hand, stand in the timeline."""
    tables = calm_tables()
    tables["review.incidents"] = shaped(
        "review.incidents",
        rows(
            "incident_id | title | started_at | detected_at | mitigated_at\nI-1 | wrong | 09:59 | 10:08 | 10:50"
        ),
    )
    tables["review.operator_events"] = shaped(
        "review.operator_events",
        rows(
            "event_id | occurred_at | actor | action | target_id | reason\ne1 | 10:31 | lead | deployment.pause | triage | HTTP 200\ne2 | 10:32 | lead | record.verified | X | -"
        ),
    )
    assert _said(tables, "incidents") == ["I-1 opened: wrong", "I-1 mitigated: wrong"]
    assert _said(tables, "audit") == ["deployment.pause triage by lead: HTTP 200"]


def test_verified_records_are_gathered_by_the_minute() -> None:
    """Hundreds of verifications do not bury the timeline."""
    assert _said(calm_tables(), "records") == ["1 record of triage verified by unknown"]


def test_milestones_say_where_they_are_known_from() -> None:
    """Each has its source and its evidence, and the time since the onset."""
    one = ground(relapsed_tables(), **SECOND)
    table = milestone_table(milestones(one), one.onset_at).set_index("milestone")
    assert table.loc["first alert", "evidence"] == "AL-1 error-rate of triage"
    assert table.loc["last leak", "evidence"] == "2 past H-1"
    assert table.loc["narrow restart", "evidence"] == "P-1: triage for 100 runs"
    assert table.loc["pause command", "since_onset_seconds"] == 1800
    assert (table["source"] != "").all()


def test_a_final_release_is_a_full_restart() -> None:
    """A release that no hold followed is not called premature."""
    tables = calm_tables()
    tables["review.holds"]["released_at"] = pd.Series([at("10:50")]).astype("datetime64[us, UTC]")
    names = milestones(ground(tables))
    assert "full restart" in names
    assert "premature restart" not in names


def test_an_open_trouble_has_no_recovery() -> None:
    """While the provider is in trouble, or an alert fires, there is no such milestone."""
    tables = calm_tables()
    tables["review.provider_status"]["until_at"] = pd.NaT
    tables["review.alerts"]["resolved_at"] = pd.NaT
    names = milestones(ground(tables))
    assert "provider recovered" not in names
    assert "alert green" not in names


def test_leaks_stand_in_the_order_in_which_they_came() -> None:
    """Starts, writes and refusals of one hold are one list."""
    tables = _leaked_write(_leaked_start(calm_tables()))
    tables = with_rows(
        tables,
        "review.runs",
        runs_of("triage", [("10:39", "cancelled", "no")], error_message=REFUSAL),
    )
    one = ground(tables)
    found = leak_rows(audit_pause(one, one.hold))
    assert list(found["what"]) == ["a run started", "wrote invoice X-1", "a run started"]
    assert list(found["kind"]) == ["refused at the gate", "leak", "leak"]
    assert found["occurred_at"].is_monotonic_increasing


def test_the_switch_says_what_was_refused() -> None:
    """Runs that the gate refused are told, whether or not the hold leaked."""
    refused = runs_of("triage", [("10:39", "cancelled", "no")], error_message=REFUSAL)
    held = switch_section(ground(with_rows(calm_tables(), "review.runs", refused))).sentence
    leaked = switch_section(
        ground(with_rows(_leaked_start(calm_tables()), "review.runs", refused))
    ).sentence
    assert held == "H-1 held; 1 started run refused before any write."
    assert leaked.endswith(
        "the last 10 min after the command, and 1 started run refused before any write."
    )


@pytest.mark.parametrize(
    ("helped", "state"), [(0, "did not work"), (7, "did not work"), (8, "worked")]
)
def test_a_retry_helps_when_it_helps_half_of_the_time(helped: int, state: str) -> None:
    """Retries that mostly end in failure only cost money."""
    tables = calm_tables()
    tables["review.runs"].loc[
        tables["review.runs"]["run_id"].str.startswith("f"), "attempt_count"
    ] = 2.0
    tables["review.failed_steps"].loc[: helped - 1, "run_status"] = "succeeded"
    found = {s.name: s for s in safeguards(ground(tables))}["A retry helps"]
    assert (found.state, found.evidence) == (state, f"{helped} of 15 runs tried again succeeded")


def test_no_alert_before_the_pause_is_a_safeguard_that_failed() -> None:
    """When people paused before any alert, the alert did not work."""
    tables = calm_tables()
    tables["review.alerts"]["fired_at"] = pd.Series([PAUSED]).astype(
        "datetime64[us, UTC]"
    ) + pd.Timedelta(minutes=1)
    found = {s.name: s.state for s in safeguards(ground(tables))}
    assert found["An alert fires"] == "did not work"


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        (
            ["proposal.created", "approval.requested", "approval.granted", "record.updated"],
            "worked",
        ),
        (["proposal.created", "approval.requested", "record.updated"], "did not work"),
    ],
)
def test_approvals_worked_if_nothing_went_without(actions: list[str], state: str) -> None:
    """An execution without the grant it asked for means that the approval did not hold it."""
    events = [
        story("f1", f"10:02:{n:02d}", action, "invoice/I") for n, action in enumerate(actions)
    ]
    found = {
        s.name: s.state
        for s in safeguards(ground(with_rows(calm_tables(), "review.audit_events", *events)))
    }
    assert found["What needs approval waits for it"] == state

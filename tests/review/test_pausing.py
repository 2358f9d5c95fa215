"""What started and wrote after a pause is told apart: let through, refused, settling, leak."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tests.review.world import (
    Tables,
    at,
    calm_tables,
    ground,
    rows,
    runs_of,
    with_probation,
    with_rows,
)
from workbench.records import CheckStatus
from workbench.review.check_pause import check_pause
from workbench.review.ground import shaped
from workbench.review.pausing import audit_pause

REFUSAL = "stopped before its next write: triage is paused by H-1"


def _with_run(
    start: str, status: str = "succeeded", tables: Tables | None = None, **more: Any
) -> Tables:
    found = tables or calm_tables()
    return with_rows(
        found,
        "review.runs",
        runs_of("triage", [(start, status, more.pop("run_id", "late"))], **more),
    )


def _with_write(
    when: str, run_id: str = "late", tables: Tables | None = None, **more: Any
) -> Tables:
    row = {
        "source_id": "ledger", "run_id": run_id, "record_type": "invoice", "record_id": f"W-{when}", "change_seq": 1,
        "automation_id": "triage", "changed_at": at(when), "change": "update", "reversibility": "reversible",
        "customer_facing": False, **more,
    }  # fmt: skip
    return with_rows(tables or calm_tables(), "review.affected_records", pd.DataFrame([row]))


def _kinds(tables: Tables) -> list[str]:
    found = ground(tables)
    return list(audit_pause(found, found.hold).starts["kind"])


def test_nothing_after_the_pause_held() -> None:
    """No start and no write after the receipt, and the next start was due: the pause held."""
    found = check_pause(ground())
    assert (found.check.status, found.check.number, found.escalations) == (
        CheckStatus.PASS,
        0.0,
        (),
    )
    assert found.check.sentence.startswith("HELD")


def test_a_run_that_starts_later_leaked() -> None:
    """A run that began half a minute after the command is a leak, a FAIL, and reason to escalate."""
    tables = _with_run("10:30:40")
    assert _kinds(tables) == ["leak"]
    found = check_pause(ground(tables))
    assert (found.check.status, found.check.number) == (CheckStatus.FAIL, 1.0)
    assert "the pause leaked: 1 run and 0 writes after it, up to 40 s late" in found.escalations[0]


def test_a_run_that_the_gate_refused_is_no_leak() -> None:
    """A served deployment that starts, asks and is refused shows that the gate works."""
    tables = _with_run("10:30:40", "cancelled", error_message=REFUSAL)
    found = check_pause(ground(tables))
    assert _kinds(tables) == ["refused at the gate"]
    assert found.check.status is CheckStatus.PASS
    assert "1 started run refused at the gate before any write" in found.check.sentence


def test_a_refused_run_that_wrote_before_is_a_leak() -> None:
    """Being refused in the end does not undo the write that went before."""
    tables = _with_write(
        "10:30:50", tables=_with_run("10:30:40", "cancelled", error_message=REFUSAL)
    )
    assert _kinds(tables) == ["leak"]


def test_a_run_cancelled_for_another_reason_is_a_leak() -> None:
    """Only a refusal that names the pause counts as one."""
    assert _kinds(_with_run("10:30:40", "cancelled", error_message="cancelled by hand")) == ["leak"]


def test_what_still_settles_is_within_policy() -> None:
    """A start within the seconds that policy gives a pause counts into its latency, not as a leak."""
    tables = _with_run("10:30:03")
    found = ground(tables)
    assert _kinds(tables) == ["settling"]
    assert audit_pause(found, found.hold).latency_seconds == 3.0
    assert check_pause(found).check.status is CheckStatus.PASS


def test_a_run_before_the_receipt_is_no_start_after_it() -> None:
    """The receipt of the automation counts, not the second in which the command was typed."""
    assert _kinds(_with_run("10:30:00.1")) == []


def test_a_write_of_a_run_in_flight_leaks_under_freeze_and_not_under_drain() -> None:
    """Drain lets a run in flight finish; freeze stops it at its next step."""
    tables = _with_write("10:31", tables=_with_run("10:29:55", finished_at=at("10:31:10")))
    assert check_pause(ground(tables)).check.status is CheckStatus.FAIL
    tables["review.holds"]["mode"] = "drain"
    found = check_pause(ground(tables))
    assert found.check.status is CheckStatus.PASS
    assert "1 run in flight at the pause" in found.check.sentence


def test_a_narrow_restart_is_no_leak() -> None:
    """What a probation lets through, and what it then writes, is neither a leak nor a reason to escalate."""
    tables = with_probation(_with_write("10:55:05", tables=_with_run("10:55")))
    found = check_pause(ground(tables))
    assert _kinds(tables) == ["let through"]
    assert (found.check.status, found.escalations) == (CheckStatus.PASS, ())


@pytest.mark.parametrize(
    ("start", "kind"), [("10:50", "leak"), ("10:55", "let through"), ("10:58", "leak")]
)
def test_a_probation_lets_through_between_its_ends(start: str, kind: str) -> None:
    """Before it began and after it ended the hold counts as ever."""
    assert _kinds(with_probation(_with_run(start), "10:52", "10:57")) == [kind]


def test_a_probation_lets_through_as_many_as_it_has_tickets() -> None:
    """The runs beyond the number that a person allowed are leaks; a refused one takes no ticket."""
    tables = calm_tables()
    for number, status in enumerate(["succeeded", "cancelled", "succeeded", "succeeded"]):
        message = REFUSAL if status == "cancelled" else None
        tables = _with_run(
            f"10:5{number + 3}", status, tables, run_id=f"n{number}", error_message=message
        )
    tables = with_probation(tables)
    tables["store.probation"]["max_runs"] = 2.0
    assert _kinds(tables) == ["let through", "refused at the gate", "let through", "leak"]


def test_a_release_ends_the_hold() -> None:
    """What starts after the release is no leak of that hold."""
    tables = _with_run("10:55")
    tables["review.holds"]["released_at"] = pd.Series([at("10:50")]).astype("datetime64[us, UTC]")
    assert _kinds(tables) == []


def test_the_proof_waits_for_the_next_start() -> None:
    """Before the next start was due nothing is proven: NO EVIDENCE, and it says when that is."""
    tables = calm_tables()
    tables["review.registered_automations"]["expected_interval_seconds"] = 3600.0
    found = check_pause(ground(tables)).check
    assert found.status is CheckStatus.NO_EVIDENCE
    assert "NOT YET PROVEN" in found.sentence
    assert "11:30:00 UTC" in found.sentence


def test_without_a_schedule_the_usual_gap_counts() -> None:
    """Where the registry names no interval, the median gap between starts before the pause stands for it."""
    tables = calm_tables()
    tables["review.registered_automations"]["expected_interval_seconds"] = None
    due = check_pause(ground(tables)).section.tables["When the next start would have been due"]
    assert list(due["interval_seconds"]) == [120.0]


def test_a_slow_delivery_is_escalated() -> None:
    """A pause that reaches an automation late was slow, even if nothing happened meanwhile."""
    tables = calm_tables()
    tables["review.hold_targets"] = shaped(
        "review.hold_targets",
        rows(
            "hold_id | automation_id | recorded_at | delivered_at\nH-1 | triage | 10:30 | 10:30:20"
        ),
    )
    found = check_pause(ground(tables))
    assert found.check.status is CheckStatus.FAIL
    assert "the pause was slow" in found.escalations[0]


def test_an_unconfirmed_target_is_named() -> None:
    """A pause that nobody has confirmed says so, though nothing leaked."""
    tables = calm_tables()
    tables["review.hold_targets"]["confirmed_at"] = pd.NaT
    assert "not confirmed by triage" in check_pause(ground(tables)).check.sentence


def test_the_figure_marks_what_leaked() -> None:
    """The bars carry what each run was, the bands what held."""
    figures = check_pause(ground(_with_run("10:40"))).section.figures
    bars, bands = figures["pause_gantt"], figures["pause_gantt_bands"]
    assert set(bars["what"]) == {"clean", "failed", "leak"}
    assert list(bands["hold_id"]) == ["H-1"]


def test_what_still_says_running_is_told_apart() -> None:
    """A run without a step since the receipt is frozen; one that goes on, vanished or has no steps is not called so."""
    ids = ("frozen", "busy", "gone", "silent", "long")
    tables = calm_tables()
    for run_id in ids:
        tables = with_rows(tables, "review.runs", runs_of("triage", [("10:29", "running", run_id)]))
    held = runs_of("triage", [("10:29", "held", "held")], finished_at=None)
    tables = with_rows(tables, "review.runs", held)
    tables = with_rows(
        tables,
        "review.pause_in_flight",
        rows(
            """
            hold_id | source_id | run_id | automation_id | step_at  | has_open_step | is_vanished
            H-1     | engine    | frozen | triage        | 10:29:40 | no            | no
            H-1     | engine    | busy   | triage        | 10:31:00 | no            | no
            H-1     | engine    | gone   | triage        | 10:29:40 | no            | yes
            H-1     | engine    | long   | triage        | 10:29:50 | yes           | no
            H-1     | engine    | held   | triage        | 10:29:50 | no            | no
            H-0     | engine    | silent | triage        | 10:31:00 | no            | no
            """
        ),
    )
    found = check_pause(ground(tables))
    told = found.section.tables["Runs in flight at the pause"].set_index("run_id")["now"]
    assert told["held"] == "held by its engine"
    assert dict(told[list(ids)]) == {
        "long": "in a step that began before the pause",
        "frozen": "says running, no step since the pause",
        "busy": "still at work after the pause",
        "gone": "gone from its engine",
        "silent": "says running, no step of it is loaded",
    }
    assert (
        "1 of them still running by the engine's word, without a step since" in found.check.sentence
    )

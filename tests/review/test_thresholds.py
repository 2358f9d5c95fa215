"""What policy says about evidence reaches the checks, and the report says that it comes from there."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.reports import little_incident as story
from tests.review.world import calm_tables, ground, request, rows, watermarks, with_probation
from workbench.control.approving import apply_policy
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.signing import file_signer
from workbench.policy import Policy, default_policy
from workbench.records import CheckStatus
from workbench.reports.make import take_positions
from workbench.reports.opened import open_report
from workbench.reports.parameters import check_parameters
from workbench.review.check_freshness import check_freshness
from workbench.review.check_pause import check_pause
from workbench.review.check_runs import check_run_history
from workbench.review.ground import Ground, shaped
from workbench.review.periods import standings
from workbench.review.restart import assess_restart, restart_queries
from workbench.review.statistics import upper_bound
from workbench.review.thresholds import ReviewThresholds, thresholds_under
from workbench.settings import KEY_FILE
from workbench.store.keys import make_key

POLICY = Policy("production", pause_latency_seconds=30, evidence_max_age_seconds=60, clean_runs=10)
SAID = "policy of production"


def under(policy: Policy | None, **tables: object) -> Ground:
    """Return the calm ground under a policy, with tables in place of its own."""
    found = {**calm_tables(), **tables}
    return Ground(request(thresholds=thresholds_under(policy)), found)  # type: ignore[arg-type]


def test_without_a_policy_each_number_has_a_source_of_its_own() -> None:
    """Before a policy was applied nothing says that it comes from one."""
    limits = thresholds_under(None)
    assert limits == ReviewThresholds()
    names = [f.name for f in fields(limits) if f.name != "sources"]
    assert all(limits.source(name) and "policy" not in limits.source(name) for name in names)


@pytest.mark.parametrize(("latency", "is_slow"), [(5, True), (19, True), (20, False), (30, False)])
def test_policy_says_what_a_slow_pause_is(latency: int, is_slow: bool) -> None:
    """A delivery after 20 s is slow, and escalated, under a policy of less, and said to be by its policy."""
    late = rows(
        "hold_id | automation_id | recorded_at | delivered_at\nH-1 | triage | 10:30 | 10:30:20"
    )
    policy = Policy("production", pause_latency_seconds=latency)
    found = check_pause(
        under(policy, **{"review.hold_targets": shaped("review.hold_targets", late)})
    )
    assert found.check.threshold_source == SAID
    assert f"later than {latency} s after the command" in found.check.threshold
    assert bool(found.escalations) is is_slow
    assert (found.check.status is CheckStatus.FAIL) is is_slow


def test_policy_says_how_old_evidence_may_be() -> None:
    """Marks of two minutes are fresh enough by themselves, and NO EVIDENCE under a policy of one."""
    marks = {"review.watermarks": shaped("review.watermarks", watermarks(run=120.0))}
    assert check_freshness(under(None, **marks)).check.status is CheckStatus.PASS
    found = check_freshness(under(POLICY, **marks)).check
    assert (found.status, found.threshold_source) == (CheckStatus.NO_EVIDENCE, SAID)


@pytest.mark.parametrize("clean_runs", [1, 10, 59, 60, 300])
def test_policy_says_how_many_clean_runs_are_needed(clean_runs: int) -> None:
    """Exactly so many are asked for while none fails, and more once one did."""
    limits = thresholds_under(Policy("production", clean_runs=clean_runs))
    asked = Ground(request(thresholds=limits), calm_tables())
    assert standings(asked)[0].needed_run_count == clean_runs
    assert limits.narrow_run_count == min(20, clean_runs)
    assert upper_bound(1, clean_runs + 1) > limits.proven_rate
    check = check_run_history(asked).check
    assert (check.threshold_source, f"{clean_runs} clean runs are needed" in check.sentence) == (
        SAID,
        True,
    )


def test_fewer_clean_runs_hide_no_failure() -> None:
    """A policy of few clean runs does not make a failure rate pass that is too high for certain."""
    from tests.review.world import runs_of, with_rows

    spans = [(f"10:5{minute}", "failed", f"p{minute}") for minute in range(4, 9)]
    tables = with_rows(with_probation(calm_tables()), "review.runs", runs_of("triage", spans))
    for policy in (None, Policy("production", clean_runs=1)):
        found = Ground(request(thresholds=thresholds_under(policy)), tables)
        assert check_run_history(found).check.status is CheckStatus.FAIL


def test_the_ground_is_the_policy_of_the_sealed_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report reads the policy that held at its position of the log, so a rerun gives what it gave."""
    settings, control = story.set_up(tmp_path)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    before = control.head_note().seq
    key = make_key(settings.home / KEY_FILE)
    control.signer = file_signer(settings.home)
    enrol_key(control, Enrolment(key.public_hex, "ops-lead", "ops-lead"))
    apply_policy(control, replace(default_policy("production"), pause_latency_seconds=2))
    asked = {"hold_id": "H-1", "as_of": story.text_at(story.END_MINUTE)}
    for log_seq, latency in ((before, 5.0), (control.head_note().seq, 2.0)):
        parameters = check_parameters("restart-decision", {**asked, "log_seq": log_seq})
        take_positions(control, settings, asked=parameters)
        opened = open_report("restart-decision", parameters, queries_of=restart_queries)
        assert opened.request.thresholds.pause_effective_seconds == latency
        review = assess_restart(opened.request, opened.tables)
        said = next(c for c in review.checks if c.name == "pause_held").threshold_source
        assert (said == SAID) is (latency == 2.0)


def test_the_usual_thresholds_are_those_of_the_default_policy() -> None:
    """What a review uses before any policy is what `policy show` shows."""
    limits, policy = ReviewThresholds(), Policy("production")
    assert limits.pause_effective_seconds == policy.pause_latency_seconds
    assert limits.watermark_max_age_seconds == policy.evidence_max_age_seconds
    assert limits.clean_run_count == policy.clean_runs
    assert limits.drill_max_age_days == policy.drill_max_age_days
    assert ground().limits == limits


def test_policy_says_how_old_a_drill_may_be() -> None:
    """A review and a first run ask the same age of a drill, and the review names the policy for it."""
    limits = thresholds_under(Policy("production", drill_max_age_days=7))
    assert (limits.drill_max_age_days, limits.source("drill_max_age_days")) == (7, SAID)

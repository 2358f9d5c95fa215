"""Properties of a review: pure, blind to the future, and never more permissive for worse evidence."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.review.world import (
    AS_OF,
    Tables,
    at,
    calm_tables,
    request,
    runs_of,
    story,
    watermarks,
    with_rows,
)
from workbench.records import Verdict
from workbench.review.ground import CHAIN, shaped
from workbench.review.restart import assess_restart
from workbench.review.verdict import PERMISSIVENESS

FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


def _unmade(tables: Tables) -> Tables:
    return {**tables, "review.changes": tables["review.changes"].iloc[:1]}


def _leak(tables: Tables) -> Tables:
    return with_rows(tables, "review.runs", runs_of("triage", [("10:40", "succeeded", "leak")]))


def _unverified(tables: Tables) -> Tables:
    tables["review.affected_records"]["verified_at"] = pd.NaT
    return tables


def _degraded(tables: Tables) -> Tables:
    tables["review.provider_status"]["until_at"] = pd.NaT
    return tables


def _pending(tables: Tables) -> Tables:
    row = {
        "approval_id": "A-1",
        "automation_id": "triage",
        "run_id": "f1",
        "requested_at": at("10:10"),
    }
    return with_rows(tables, "review.approvals", pd.DataFrame([row]))


def _broken(tables: Tables) -> Tables:
    return with_rows(
        tables, "review.audit_events", story("f1", "10:02", "proposal.created", "invoice/I")
    )


def _tampered(tables: Tables) -> Tables:
    return {
        **tables,
        CHAIN: shaped(
            CHAIN, pd.DataFrame([{"is_ok": False, "event_count": 1, "finding": "broken at 2"}])
        ),
    }


def _stale(tables: Tables) -> Tables:
    return {**tables, "review.watermarks": shaped("review.watermarks", watermarks(run=5000.0))}


def _ownerless(tables: Tables) -> Tables:
    tables["review.registered_automations"]["restart_owner"] = None
    return tables


def _firing(tables: Tables) -> Tables:
    tables["review.alerts"]["resolved_at"] = pd.NaT
    return tables


SPOILERS = (
    _unmade,
    _leak,
    _unverified,
    _degraded,
    _pending,
    _broken,
    _tampered,
    _stale,
    _ownerless,
    _firing,
)


def _verdict(tables: Tables) -> Verdict:
    return assess_restart(request(), tables).verdict


def _rank(tables: Tables) -> int:
    return PERMISSIVENESS.index(_verdict(tables).kind)


@FEW
@given(st.lists(st.sampled_from(SPOILERS), unique=True, max_size=4), st.sampled_from(SPOILERS))
def test_spoiling_one_thing_more_never_permits_more(spoilers: list, one_more: object) -> None:
    """However the world is already spoiled, one more fault in the data leaves the verdict as it was or stricter."""
    tables = calm_tables()
    for spoil in spoilers:
        tables = spoil(tables)
    before = _rank(tables)
    assert callable(one_more)
    assert _rank(one_more(tables)) <= before


def test_each_fault_alone_is_seen() -> None:
    """Every fault but a missing change, which leaves a narrow restart possible, takes the narrow restart away."""
    ranks = {spoil.__name__: _rank(spoil(calm_tables())) for spoil in SPOILERS}
    allowed = {name for name, rank in ranks.items() if rank == _rank(calm_tables())}
    assert allowed == {"_unmade"}


@FEW
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(random: object) -> None:
    """The same rows in any order give the same verdict and the same checks, word for word."""
    tables = _leak(_pending(calm_tables()))
    shuffled = {
        name: frame.sample(frac=1, random_state=random.randrange(2**31))
        for name, frame in tables.items()
    }
    one, other = assess_restart(request(), tables), assess_restart(request(), shuffled)
    assert one.verdict == other.verdict
    assert one.checks == other.checks


def test_the_review_leaves_its_tables_alone() -> None:
    """The tables that go in come out unchanged, so that a second look sees the same."""
    tables = _leak(calm_tables())
    copies = {name: frame.copy() for name, frame in tables.items()}
    first = assess_restart(request(), tables)
    for name, frame in tables.items():
        pd.testing.assert_frame_equal(frame, copies[name])
    assert assess_restart(request(), tables).checks == first.checks


@FEW
@given(st.integers(0, 600))
def test_late_data_can_only_add_what_it_says(seconds: int) -> None:
    """A run that arrives late and started before the pause changes no check about the time after it."""
    start = AS_OF - timedelta(seconds=2400 + seconds)
    late = with_rows(
        calm_tables(),
        "review.runs",
        runs_of("triage", [(f"{start:%H:%M:%S}", "succeeded", "late")]),
    )
    calm = {c.name: c for c in assess_restart(request(), calm_tables()).checks}
    now = {c.name: c for c in assess_restart(request(), late).checks}
    assert now["pause_held"].status == calm["pause_held"].status
    assert now["affected_records"] == calm["affected_records"]
    assert now["backlog"].status == calm["backlog"].status


def test_late_data_that_shows_a_leak_changes_the_verdict() -> None:
    """A leak that is loaded later turns a narrow restart into an escalation: the verdict is of the data, not of the day."""
    assert _verdict(calm_tables()).kind == "restart_narrow"
    assert _verdict(_leak(calm_tables())).kind == "escalate"


def test_a_narrower_scope_sees_no_more_than_the_wider_one() -> None:
    """Reviewing one of two automations shows no fault that the review of both does not show."""
    tables = calm_tables()
    other = tables["review.registered_automations"].assign(automation_id="mailer")
    tables["review.registered_automations"] = pd.concat(
        [tables["review.registered_automations"], other]
    )
    tables = with_rows(tables, "review.runs", runs_of("mailer", [("10:40", "succeeded", "m1")]))
    both = assess_restart(request(automation_ids=("mailer", "triage")), tables)
    alone = assess_restart(request(only="automation=triage"), tables)
    assert both.verdict.kind == "escalate"
    assert alone.verdict.kind == "restart_narrow"
    for wide, narrow in zip(both.checks, alone.checks, strict=True):
        assert narrow.status != "FAIL" or wide.status == "FAIL"


def test_a_wide_review_names_what_may_start_alone() -> None:
    """Where the whole scope stays paused, an automation that passes on its own is proposed for a review of its own."""
    tables = calm_tables()
    other = tables["review.registered_automations"].assign(automation_id="mailer")
    tables["review.registered_automations"] = pd.concat(
        [tables["review.registered_automations"], other]
    )
    row = {
        "approval_id": "A-1",
        "automation_id": "mailer",
        "run_id": "m1",
        "requested_at": at("10:10"),
    }
    tables = with_rows(tables, "review.approvals", pd.DataFrame([row]))
    found = assess_restart(request(automation_ids=("mailer", "triage")), tables).verdict
    assert found.kind == "keep_paused"
    assert found.next_command == "workbench review H-1 --only automation=triage"

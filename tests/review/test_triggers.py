"""A look fires on each of the four causes, stays quiet on what is ordinary, and says what it cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.queries.given import Given
from tests.review.world import AS_OF
from workbench.clock import to_text
from workbench.review.triggers import Look, evaluate, look_queries
from workbench.trigger_rules import Subject, TriggerFinding, TriggerRules, TriggerState

FIRES, QUIET, CANNOT_TELL = TriggerState.FIRES, TriggerState.QUIET, TriggerState.CANNOT_TELL
TRIAGE = Subject("automation=triage", ("triage",), TriggerRules(), ("ops-lead",))
GOOD, BAD = "succeeded", "failed"
Row = dict[str, Any]


def runs(*statuses: str, minutes_ago: float = 60, **more: Any) -> list[Row]:
    """Return a run a minute, oldest first, the first one so many minutes ago; each takes ten seconds."""
    begin = AS_OF - timedelta(minutes=minutes_ago)
    return [
        {"begin": begin + timedelta(minutes=n), "status": status, "customers": 0, **more}
        for n, status in enumerate(statuses)
    ]


def look(
    found: list[Row],
    subject: Subject = TRIAGE,
    *,
    age_seconds: float | None = 0,
    firing: frozenset[str] = frozenset(),
) -> dict[str, TriggerFinding]:
    """Load runs into an empty warehouse, look with the shipped queries, and return the findings by rule."""
    given = Given()
    for n, row in enumerate(found):
        began = to_text(row["begin"])
        given.connection.execute(
            "insert into run (source_id, batch_id, run_id, automation_id, status, first_seen_at, started_at,"
            " finished_at, cost_amount, cost_currency, context_as_of, error_message) values"
            " ('engine', 'b', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                f"r{n}", row.get("automation_id", "triage"), row["status"], began, began,
                to_text(row["begin"] + timedelta(seconds=10)), row.get("cost"), row.get("currency", "USD"),
                to_text(row["begin"] - timedelta(seconds=row["context"])) if "context" in row else None,
                row.get("error"),
            ],
        )  # fmt: skip
        for m in range(row["customers"]):
            given.connection.execute(
                "insert into affected_record (source_id, batch_id, run_id, record_type, record_id, change_seq,"
                " automation_id, changed_at, change, customer_facing) values"
                " ('ledger', 'b', ?, 'mail', ?, 1, ?, ?, 'send', true)",
                [f"r{n}", f"m{n}-{m}", row.get("automation_id", "triage"), began],
            )
    for source, table in (("engine", "run"), ("ledger", "affected_record")):
        if age_seconds is not None:
            given.connection.execute(
                "insert into source_watermark (source_id, batch_id, table_name, loaded_until_at, checked_at)"
                " values (?, 'b', ?, ?, ?)",
                [source, table, *[to_text(AS_OF - timedelta(seconds=age_seconds))] * 2],
            )
    tables = {name: given.ask(name, **p) for name, p in look_queries([subject], AS_OF).items()}
    seen = evaluate([subject], Look(tables, AS_OF, 900, firing))
    return {one.rule: one for one in seen}


def firing(found: dict[str, TriggerFinding]) -> list[str]:
    """Return the rules that fire."""
    return [rule for rule, one in found.items() if one.state is FIRES]


def with_rules(**rules: Any) -> Subject:
    """Return the automation with other rules."""
    return replace(TRIAGE, rules=TriggerRules(**rules), stated=tuple(rules))


def test_an_ordinary_hour_is_quiet() -> None:
    """One failure in twenty, steady costs, fresh context and mails sent: nothing fires, nothing is in doubt."""
    found = look(runs(*[GOOD] * 40, BAD, *[GOOD] * 9, cost=1.0, context=4, customers=2))
    assert firing(found) == []
    assert {one.state for one in found.values()} == {QUIET}


@pytest.mark.parametrize(("count", "is_firing"), [(4, False), (5, True)])
def test_failures_in_a_row(count: int, is_firing: bool) -> None:
    """Five in a row fire at the fifth, with number, threshold, its source and the query."""
    found = look(runs(*[GOOD] * 30, *[BAD] * count))["failure_streak"]
    assert (found.state is FIRES) is is_firing
    assert (found.number, found.threshold) == (str(count), "5 or more")
    assert found.query == "triggers.recent_runs"
    assert found.source.startswith("chance")


def test_a_cancelled_run_neither_ends_nor_makes_a_streak() -> None:
    """What a pause cancelled says nothing (traps 17 and 19)."""
    found = look(runs(*[GOOD] * 30, *[BAD] * 3, "cancelled", "skipped", *[BAD] * 2))
    assert "failure_streak" in firing(found)
    assert firing(look(runs(*[GOOD] * 30, *["cancelled"] * 9))) == []


@pytest.mark.parametrize(("failed", "is_firing"), [(6, False), (7, True)])
def test_the_rate_must_be_above_for_certain(failed: int, is_firing: bool) -> None:
    """Seven of twenty are above 10 % at 99 % (at least 12.9 %), six are not (9.8 %)."""
    mixed = [BAD, GOOD] * failed + [GOOD] * (20 - 2 * failed)
    found = look(runs(*mixed))["failure_rate_percent"]
    assert (found.state is FIRES) is is_firing
    assert found.number == ("12.9" if is_firing else "9.8")


def test_an_episode_ends_well_below_its_threshold_only() -> None:
    """Six of twenty keep a firing open and begin none, so that it does not begin again with every run."""
    rows = runs(*([BAD, GOOD] * 6 + [GOOD] * 8))
    key = "automation=triage/failure_rate_percent"
    assert "failure_rate_percent" not in firing(look(rows))
    assert "failure_rate_percent" in firing(look(rows, firing=frozenset([key])))
    calm = runs(*([BAD, GOOD] * 2 + [GOOD] * 16))
    assert firing(look(calm, firing=frozenset([key]))) == []


def test_spend_against_its_own_history() -> None:
    """Three times the usual, as medians, fires; one dear run does not."""
    usual = runs(*[GOOD] * 40, cost=2.0)
    dear = runs(*[GOOD] * 10, minutes_ago=15, cost=6.0)
    assert firing(look([*usual, *dear])) == ["spend_ratio"]
    one = runs(*[GOOD] * 9, minutes_ago=15, cost=2.0) + runs(GOOD, minutes_ago=2, cost=900.0)
    assert firing(look([*usual, *one])) == []
    short = look([*usual[:20], *dear])["spend_ratio"]
    assert (short.state, "20 before" in short.sentence) == (CANNOT_TELL, True)


def test_budgets_are_exact_and_in_their_own_currency() -> None:
    """A budget that is just used up is kept, a cent more is not, and other currencies are never added."""
    subject = with_rules(budget_per_hour="0.30 USD", spend_ratio=0)
    rows = runs(GOOD, GOOD, GOOD, minutes_ago=30, cost=0.1)
    assert look(rows, subject)["budget_per_hour"].state is QUIET
    more = [*rows, *runs(GOOD, minutes_ago=10, cost=0.01)]
    found = look(more, subject)["budget_per_hour"]
    assert (found.state, found.number, found.source) == (
        FIRES,
        "0.310000",
        "registry, [triggers]",
    )
    euros = look([*rows, *runs(GOOD, minutes_ago=9, cost=5, currency="EUR")], subject)
    assert euros["budget_per_hour"].state is CANNOT_TELL


def test_context_that_was_too_old() -> None:
    """Two runs on old context fire, one does not; what never tells its context is asked only when that is stated."""
    fresh = runs(*[GOOD] * 8, context=4)
    stale = runs(GOOD, GOOD, minutes_ago=20, context=7200)
    assert firing(look([*fresh, *stale])) == ["context_max_age_seconds"]
    assert firing(look([*fresh, *stale[:1]])) == []
    silent = runs(*[GOOD] * 20)
    assert look(silent)["context_max_age_seconds"].state is QUIET
    asked = look(silent, with_rules(context_max_age_seconds=60))
    assert asked["context_max_age_seconds"].state is CANNOT_TELL


def test_records_that_customers_see() -> None:
    """Three changed by runs that failed or began on old context fire; a limit for all changes is the registry's."""
    rows = runs(*[GOOD] * 30, minutes_ago=40, customers=1)
    suspect = [
        *runs(BAD, minutes_ago=5, customers=2),
        *runs(GOOD, minutes_ago=4, customers=1, context=7200),
    ]
    assert firing(look([*rows, *suspect])) == ["suspect_changes"]
    assert firing(look([*rows, *suspect[:1]])) == []
    assert firing(look(rows, with_rules(customer_changes_per_hour=29))) == [
        "customer_changes_per_hour"
    ]
    assert firing(look(rows, with_rules(customer_changes_per_hour=30))) == []


def test_late_or_no_data_is_cannot_tell() -> None:
    """Quiet on old data is no quiet; it is said once for an automation, and what fires there fires."""
    rows = runs(*[GOOD] * 40)
    for age in (901, None):
        found = look(rows, age_seconds=age)
        assert [(k, v.state) for k, v in found.items()] == [("evidence", CANNOT_TELL)]
    assert "engine was loaded until" in look(rows, age_seconds=901)["evidence"].sentence
    assert "no run of the last 7 days" in look([])["evidence"].sentence
    late = look(runs(*[GOOD] * 20, *[BAD] * 5), age_seconds=9999)
    assert firing(late) == ["failure_streak"]
    assert "; of old data, for engine was loaded until" in late["failure_streak"].sentence


def test_too_few_runs_is_cannot_tell() -> None:
    """Nine runs are no rate and four no streak."""
    found = look(runs(*[BAD] * 4))
    assert found["failure_streak"].state is found["failure_rate_percent"].state is CANNOT_TELL


def test_what_was_before_a_restart_is_not_held_against_it_again() -> None:
    """Failures from before a release do not fire after it; the same number after it does."""
    restarted = replace(TRIAGE, restarted_at=AS_OF - timedelta(minutes=30))
    before = runs(*[BAD] * 20, minutes_ago=60, customers=1)
    assert "failure_streak" in firing(look(before))
    assert firing(look(before, restarted)) == []
    relapse = runs(*[BAD] * 5, minutes_ago=20)
    assert firing(look([*before, *relapse], restarted)) == ["failure_streak"]


def test_a_rule_that_is_switched_off_is_quiet() -> None:
    """0 says that nobody wants to know."""
    off = with_rules(failure_streak=0, failure_rate_percent=0, suspect_changes=0, spend_ratio=0)
    assert firing(look(runs(*[BAD] * 30, customers=3), off)) == []


def test_a_category_counts_its_automations_together() -> None:
    """Rates and records are pooled; streaks, context and usual costs are each automation's own."""
    both = replace(TRIAGE, scope="category=commerce", automation_ids=("triage", "sync"))
    rows = [
        *runs(*[BAD] * 10, minutes_ago=30),
        *runs(*[GOOD] * 10, minutes_ago=29.5, automation_id="sync"),
    ]
    assert firing(look(rows, both)) == ["failure_rate_percent"]
    alone = replace(both, automation_ids=("sync",))
    assert firing(look(rows, alone)) == []

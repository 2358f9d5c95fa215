"""The verdict follows its documented precedence, for every combination of what checks can say."""

from __future__ import annotations

import re
import shlex
from itertools import product

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.review.world import at, calm_tables, request, runs_of, with_probation, with_rows
from workbench.records import Check, CheckStatus, VerdictKind
from workbench.review.restart import CHECKS, assess_restart
from workbench.review.verdict import (
    CRITICAL,
    PERMISSIVENESS,
    Proposal,
    conclude,
    decide_kind,
    first_blocker,
)

PASS, FAIL, NONE = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.NO_EVIDENCE
NAMES = tuple(check.name for check in assess_restart(request(), calm_tables()).checks)
PROPOSAL = Proposal("H-1", "kind=agent", narrow_scope="automation=triage", narrow_ids=("triage",))
STATUS = st.sampled_from(list(CheckStatus))


def _checks(**statuses: CheckStatus) -> tuple[Check, ...]:
    return tuple(
        Check(name, "?", statuses.get(name, PASS), f"{name} says so.", is_critical=name in CRITICAL)
        for name in NAMES
    )


def _expected(checks: tuple[Check, ...], is_escalated: bool, is_proven: bool) -> VerdictKind:
    """The rule once more, as a person would read it out."""
    if is_escalated:
        return VerdictKind.ESCALATE
    for check in checks:
        if check.status == FAIL or (check.status == NONE and check.name in CRITICAL):
            return VerdictKind.KEEP_PAUSED
    if not is_proven or any(check.status == NONE for check in checks):
        return VerdictKind.RESTART_NARROW
    return VerdictKind.RESTART_FULL


def test_the_critical_checks_are_the_five_of_the_rule() -> None:
    """Pause held, audit chain, approvals, provider and records are critical, and their checks say so."""
    found = {
        check.name for check in assess_restart(request(), calm_tables()).checks if check.is_critical
    }
    assert found == set(CRITICAL) == {
        "pause_held", "audit_chain", "pending_approvals", "provider_status", "affected_records"
    }  # fmt: skip
    assert len(CHECKS) == len(NAMES) == 12


@pytest.mark.parametrize(("is_escalated", "is_proven"), list(product([True, False], repeat=2)))
def test_each_check_alone_and_in_pairs(is_escalated: bool, is_proven: bool) -> None:
    """Every status of every pair of checks gives what the rule says."""
    reasons = ("the pause leaked",) if is_escalated else ()
    for first, second in product(NAMES, repeat=2):
        for one, other in product(CheckStatus, repeat=2):
            checks = _checks(**{first: one, second: other})
            assert decide_kind(checks, reasons, is_proven=is_proven) is _expected(
                checks, is_escalated, is_proven
            )


@given(st.lists(STATUS, min_size=12, max_size=12), st.booleans(), st.booleans())
def test_any_combination_of_all_checks(
    statuses: list[CheckStatus], is_escalated: bool, is_proven: bool
) -> None:
    """Whatever all twelve checks say together, the verdict is the rule's."""
    checks = _checks(**dict(zip(NAMES, statuses, strict=True)))
    reasons = ("r",) if is_escalated else ()
    assert decide_kind(checks, reasons, is_proven=is_proven) is _expected(
        checks, is_escalated, is_proven
    )


@given(st.lists(STATUS, min_size=12, max_size=12), st.sampled_from(NAMES), st.booleans())
def test_worse_evidence_never_permits_more(
    statuses: list[CheckStatus], name: str, is_proven: bool
) -> None:
    """Turning any check into FAIL, or a PASS into NO EVIDENCE, never makes the verdict more permissive."""
    before = dict(zip(NAMES, statuses, strict=True))
    steps = [FAIL] + ([NONE] if before[name] is PASS else [])
    was = PERMISSIVENESS.index(decide_kind(_checks(**before), (), is_proven=is_proven))
    for worse in steps:
        now = decide_kind(_checks(**{**before, name: worse}), (), is_proven=is_proven)
        assert PERMISSIVENESS.index(now) <= was


def test_a_missing_critical_check_keeps_paused() -> None:
    """A check that was not run at all is not a check that passed."""
    assert decide_kind(_checks()[1:], (), is_proven=True) is VerdictKind.KEEP_PAUSED


def test_only_run_history_and_steps_lacking_is_the_way_out() -> None:
    """Under a hold nothing runs: a narrow restart is proposed with its size, what it can show, and the command."""
    found = conclude(_checks(run_history=NONE, failed_steps=NONE), (), proposal=PROPOSAL)
    assert found.kind is VerdictKind.RESTART_NARROW
    assert (found.narrow_scope, found.narrow_run_count) == ("automation=triage", 20)
    assert found.detectable_failure_rate == pytest.approx(0.139, abs=0.001)
    assert found.next_command == "workbench resume H-1 --only automation=triage --runs 20"
    assert "13.9 %" in found.reason


def test_no_check_failed_is_not_nothing_failed() -> None:
    """The reason speaks of checks, for runs may have failed before the pause; each other blocker is named."""
    narrow = conclude(_checks(run_history=NONE), (), proposal=PROPOSAL).reason
    assert narrow.startswith("No check failed, but evidence is lacking on run history: ")
    kept = conclude(_checks(pause_held=FAIL, noise=FAIL, audit_chain=NONE), (), proposal=PROPOSAL)
    assert kept.reason.endswith(" And 2 more checks stand in the way: noise and audit chain.")


def test_production_restarts_in_full_only_after_clean_runs() -> None:
    """With every check passed, production still asks for a narrow restart first; staging does not."""
    proven = Proposal("H-1", "kind=agent", clean_run_count=59, needed_run_count=0)
    staging = Proposal("H-1", "kind=agent", is_production=False)
    assert conclude(_checks(), (), proposal=PROPOSAL).kind is VerdictKind.RESTART_NARROW
    assert conclude(_checks(), (), proposal=proven).kind is VerdictKind.RESTART_FULL
    assert conclude(_checks(), (), proposal=staging).kind is VerdictKind.RESTART_FULL
    assert conclude(_checks(), (), proposal=proven).next_command == "workbench resume H-1 --full"


def test_escalation_names_its_reasons() -> None:
    """The reason of an escalation is what triggered it, and the next step is to find out who restarts."""
    found = conclude(_checks(pause_held=FAIL), ("the pause leaked: 2 runs",), proposal=PROPOSAL)
    assert found.kind is VerdictKind.ESCALATE
    assert found.escalation_reasons == ("the pause leaked: 2 runs",)
    assert found.reason == "The pause leaked: 2 runs; 1 check failed."
    assert found.next_command == "workbench card kind=agent"


def test_an_escalation_says_whom_to_tell() -> None:
    """The role that owns the restart stands in the reason with its deputy, each once."""
    tables = calm_tables()
    known = tables["review.registered_automations"]
    for deputy, said in (
        ("desk", "ops-lead (deputy desk)"),
        (None, "ops-lead"),
        ("ops-lead", "ops-lead"),
    ):
        tables["review.registered_automations"] = known.assign(deputy=deputy)
        late = pd.DataFrame([{"source_id": "ledger", "run_id": "f0", "record_type": "invoice", "record_id": "X",
                              "change_seq": 1, "automation_id": "triage", "changed_at": at("10:40")}])  # fmt: skip
        found = assess_restart(request(), with_rows(tables, "review.affected_records", late))
        assert found.verdict.kind is VerdictKind.ESCALATE
        assert found.verdict.reason.endswith(f" Tell {said}.")


def test_the_first_blocker_is_the_gravest() -> None:
    """A FAIL stands before a critical gap, and that before any other gap."""
    order = (("noise", NONE), ("provider_status", NONE), ("ownership", FAIL))
    for count, (name, _) in enumerate(order, 1):
        blocker = first_blocker(_checks(**dict(order[:count])))
        assert blocker is not None
        assert blocker.name == name
    assert first_blocker(_checks()) is None


def test_after_a_clean_narrow_restart_the_rest_is_asked_for() -> None:
    """With twenty clean runs made, the next narrow restart is for the thirty-nine that are missing."""
    spans = [(f"10:{52 + n // 20:02d}:{3 * (n % 20):02d}", "succeeded", f"n{n}") for n in range(20)]
    tables = with_probation(with_rows(calm_tables(), "review.runs", runs_of("triage", spans)))
    found = assess_restart(request(), tables).verdict
    assert found.next_command == "workbench resume H-1 --only automation=triage --runs 39"
    assert found.detectable_failure_rate == pytest.approx(0.0495, abs=0.0001)
    assert found.reason.endswith("a full restart needs 39 more clean runs.")


def test_the_whole_way_from_paused_to_full() -> None:
    """Narrow at first; after 59 clean runs of the narrow restart, everything."""
    assert assess_restart(request(), calm_tables()).verdict.kind is VerdictKind.RESTART_NARROW
    spans = [(f"10:{52 + n // 20:02d}:{3 * (n % 20):02d}", "succeeded", f"n{n}") for n in range(59)]
    tables = with_probation(with_rows(calm_tables(), "review.runs", runs_of("triage", spans)))
    assert assess_restart(request(), tables).verdict.kind is VerdictKind.RESTART_FULL


def test_no_automation_proves_another() -> None:
    """Sixty clean runs of one automation and none of another are no full restart, and name the other."""
    tables = calm_tables()
    for name in (
        "review.registered_automations",
        "review.hold_targets",
        "review.runs",
        "review.audit_events",
    ):
        twin = tables[name].assign(automation_id="payer")
        if name == "review.audit_events":
            twin["correlation_id"] = "p-" + twin["correlation_id"]
        if name == "review.runs":
            twin["run_id"] = "p-" + twin["run_id"]
        tables = with_rows(tables, name, twin)
    spans = [(f"10:{52 + n // 20:02d}:{3 * (n % 20):02d}", "succeeded", f"n{n}") for n in range(60)]
    tables = with_probation(with_rows(tables, "review.runs", runs_of("triage", spans)))
    found = assess_restart(request(automation_ids=("triage", "payer")), tables)
    history = next(check for check in found.checks if check.name == "run_history")
    assert history.status is NONE
    assert "0 runs of payer" in history.sentence
    assert found.verdict.kind is VerdictKind.RESTART_NARROW
    assert found.verdict.next_command == "workbench resume H-1 --only automation=payer --runs 20"


LOAD = re.compile(r"workbench load --table \w+ --source NAME FILE --complete-until INSTANT")
KNOWN = {
    "card": set(),
    "affected": set(),
    "resume": {"--only", "--runs", "--full"},
    "review": {"--only"},
}


@pytest.mark.parametrize("scope", ["kind=agent,provider=acme", "*"])
@pytest.mark.parametrize("ids", [(), ("triage",)])
@pytest.mark.parametrize("candidates", [(), ("triage", "payer")])
def test_every_next_command_can_be_typed(
    scope: str, ids: tuple[str, ...], candidates: tuple[str, ...]
) -> None:
    """Whatever the verdict and the proposal, the next command has a value for each of its known options."""
    narrow = f"automation={ids[0]}" if ids else ""
    proposal = Proposal("H-1", scope, narrow_scope=narrow, narrow_ids=ids, candidates=candidates)
    reasons: tuple[tuple[str, ...], ...] = ((), ("it leaked",))
    for name, status, why in product(NAMES, CheckStatus, reasons):
        found = conclude(_checks(**{name: status}), why, proposal=proposal)
        if found.next_command.startswith("workbench load "):
            assert LOAD.fullmatch(found.next_command)
            continue
        program, verb, target, *rest = shlex.split(found.next_command.replace(" list ", " "))
        assert (program, target) == ("workbench", scope if verb == "card" else "H-1")
        options = [word for word in rest if word.startswith("--")]
        assert set(options) <= KNOWN[verb]
        assert "let none through" not in found.reason
        valued = [word for word in options if word != "--full"]
        values = [word for word in rest if not word.startswith("--")]
        assert len(values) == len(valued)
        assert all(values)

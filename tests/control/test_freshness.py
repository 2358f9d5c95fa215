"""A resume on a decision rests on what was loaded since: at the command path, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.control.test_signoffs import FULL, PLAN, a_house, clock_of
from tests.store.ground import (
    AGENTS,
    START,
    SetClock,
    a_control,
    a_decision,
    a_registry,
    an_automation,
    break_glass,
    pause,
)
from workbench.control import Control, freshness
from workbench.control import commands as commanding
from workbench.control.approving import apply_policy, give_signoff, request_signoff
from workbench.control.resuming import ResumeRequest
from workbench.errors import Refused, UsageFault
from workbench.evidence import Evidence, EvidenceQuestion, SourceMark
from workbench.policy import default_policy
from workbench.store.documents import documents

RELEASE = ResumeRequest("H-1", decision_id="D-1")


class Source:
    """A source whose mark a test sets; it keeps what it was asked."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        self.asked: list[EvidenceQuestion] = []

    def __call__(self, question: EvidenceQuestion) -> Evidence:
        """Answer with the mark."""
        self.asked.append(question)
        mark = SourceMark("billing", "run", self.until, "`workbench load --table run FILE`")
        return Evidence(question.automation_ids, (mark,))


def a_decided_hold(root: Path, clock: SetClock | None = None) -> tuple[Control, Source, SetClock]:
    """Make a hold H-1 with a decision D-1 for a full restart, one minute after its source was loaded."""
    used = clock or SetClock()
    control, source = a_control(root, used), Source(used.at)
    control.evidence = source
    pause(control)
    used.move(60)
    a_decision(control, "H-1", FULL)
    return control, source, used


def check_loaded_since_the_decision(root: Path) -> None:
    """What was loaded before the decision carries nothing, narrow or full; loaded again, it does."""
    control, source, clock = a_decided_hold(root)
    for attempt in (
        lambda: control.resume_full(RELEASE),
        lambda: control.resume_narrow(PLAN),
    ):
        with pytest.raises(Refused, match=r"run of billing .* 1 min ago and before") as caught:
            attempt()
        assert "workbench load --table run FILE" in caught.value.then
    source.until = clock.at
    assert control.resume_narrow(PLAN).probation_id == "P-1"
    event = control.store.events()[-1]
    assert event.payload["evidence"] == [["billing", "run", "2026-11-20T09:31:00.000000Z"]]
    assert control.store.projection() == documents(control.state())


def check_as_young_as_policy_says(root: Path) -> None:
    """Loaded since the decision and older than policy allows is too old, also when the clock goes back."""
    control, source, clock = a_decided_hold(root)
    source.until = clock.at
    clock.move(901)
    with pytest.raises(Refused, match=r"15 min 1 s ago; policy allows 15 min"):
        control.resume_full(RELEASE)
    pause(control, "kind=watcher")  # the log has seen this time
    clock.move(-600)
    with pytest.raises(Refused, match="policy allows 15 min"):
        control.resume_full(RELEASE)
    clock.move(600)
    source.until = clock.at
    assert control.resume_full(RELEASE).released_seq


def check_what_came_under_the_hold_meanwhile(root: Path) -> None:
    """Evidence about other automations than would run is none."""
    control, source, clock = a_decided_hold(root)
    source.until = clock.at

    def about_one(question: EvidenceQuestion) -> Evidence:
        return replace(source(question), automation_ids=AGENTS[:1])

    control.evidence = about_one
    with pytest.raises(Refused, match="H-1 changed while it was resumed"):
        control.resume_full(RELEASE)
    assert control.state().holds["H-1"].released_seq is None


CHECKS = (
    check_loaded_since_the_decision,
    check_as_young_as_policy_says,
    check_what_came_under_the_hold_meanwhile,
)


@pytest.mark.parametrize("check", CHECKS)
def test_a_resume_rests_on_what_was_loaded(check: Callable[[Path], None], tmp_path: Path) -> None:
    """Each rule about fresh evidence holds at the command path."""
    check(tmp_path)


def seed_nothing_is_asked(patch: pytest.MonkeyPatch) -> None:
    """Evidence is not looked at."""
    patch.setattr(commanding, "with_evidence", lambda state, change, **_: change)


def seed_age_alone(patch: pytest.MonkeyPatch) -> None:
    """What is young enough need not be newer than the decision."""
    right = freshness.staleness
    long_ago = START - timedelta(days=1)
    patch.setattr(
        freshness,
        "staleness",
        lambda found, **more: right(found, **{**more, "decided_at": long_ago}),
    )


def seed_no_age(patch: pytest.MonkeyPatch) -> None:
    """Any age will do."""
    right = freshness.staleness
    patch.setattr(
        freshness,
        "staleness",
        lambda found, **more: right(found, **{**more, "max_age_seconds": 10**9}),
    )


def seed_about_anything(patch: pytest.MonkeyPatch) -> None:
    """Evidence about some automation counts for all."""
    patch.setattr(freshness, "_opened", lambda body: ())


SEEDS = (
    (seed_nothing_is_asked, check_loaded_since_the_decision),
    (seed_nothing_is_asked, check_as_young_as_policy_says),
    (seed_age_alone, check_loaded_since_the_decision),
    (seed_no_age, check_as_young_as_policy_says),
    (seed_about_anything, check_what_came_under_the_hold_meanwhile),
)


@pytest.mark.parametrize(("seed", "check"), SEEDS)
def test_the_checks_catch(
    seed: Callable[[pytest.MonkeyPatch], None], check: Callable[[Path], None], tmp_path: Path
) -> None:
    """Each seeded bug makes its check fail."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception, Refused, LookupError)):
            check(tmp_path)


def test_a_control_without_a_reader_opens_by_break_glass_only(tmp_path: Path) -> None:
    """Whoever brings no evidence along is refused with the command that loads; break-glass is flagged."""
    control, _, _ = a_decided_hold(tmp_path)
    bare = Control(control.store, control.clock)
    with pytest.raises(Refused, match="no loaded source tells of runs of invoice-triage") as caught:
        bare.resume_full(RELEASE)
    assert "workbench sync ENGINE" in caught.value.then
    assert bare.resume_full(break_glass("H-1")).released_seq
    assert any(f.startswith("H-1 was released by break-glass: ") for f in bare.status().flags)


def test_the_warehouse_is_asked_only_where_it_matters(tmp_path: Path) -> None:
    """A refusal for another reason, a break-glass resume and a repeated command read no warehouse."""
    control, source, clock = a_decided_hold(tmp_path)
    with pytest.raises(Refused, match="without a decision"):
        control.resume_full(ResumeRequest("H-1"))
    control.resume_narrow(break_glass("H-1", "automation=product-copy", 1))
    assert source.asked == []
    source.until = clock.at
    first = control.resume_full(RELEASE, command_id="c")
    assert [q.automation_ids for q in source.asked] == [AGENTS]
    assert source.asked[0].providers == ("acme-llm",)
    assert source.asked[0].since < START
    assert control.resume_full(RELEASE, command_id="c") == first
    assert len(source.asked) == 1


def test_what_is_registered_meanwhile_is_not_let_run(tmp_path: Path) -> None:
    """An automation that comes under the hold while the warehouse is read is not released with the others."""
    control, source, clock = a_decided_hold(tmp_path)
    source.until = clock.at
    others = list(a_registry().automations.values())
    newcomer = an_automation("newcomer", provider="acme-llm")

    def reading(question: EvidenceQuestion) -> Evidence:
        Control(control.store, clock).apply_registry(a_registry([*others, newcomer]))
        return source(question)

    control.evidence = reading
    with pytest.raises(Refused, match="newcomer"):
        control.resume_full(RELEASE)
    assert control.state().holds["H-1"].released_seq is None


def test_a_signed_off_resume_needs_fresh_evidence_too(tmp_path: Path) -> None:
    """A sign-off carries its plan, not old evidence; and policy says how old."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    apply_policy(ann, replace(default_policy("production"), evidence_max_age_seconds=60))
    source = Source(clock_of(ann).at)
    ann.evidence = source
    request_signoff(ann, PLAN)
    give_signoff(bo, "S-1")
    clock_of(ann).move(61)
    with pytest.raises(Refused, match="1 min 1 s ago; policy allows 1 min"):
        ann.resume_narrow(PLAN)
    assert ann.state().signoffs["S-1"].used_seq is None
    source.until = clock_of(ann).at
    assert ann.resume_narrow(PLAN).probation_id == "P-1"
    assert ann.state().refused == {}


def test_narrow_and_full_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    """A narrow restart that names no part releases nothing, and a full one takes no part."""
    control, _, _ = a_decided_hold(tmp_path)
    for attempt in (lambda: control.resume_narrow(RELEASE), lambda: control.resume_full(PLAN)):
        with pytest.raises(UsageFault, match="A narrow restart names a part"):
            attempt()
    assert control.state().standing_holds()

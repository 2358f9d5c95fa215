"""First run: what comes to production and is not ready is held, until its runs were reviewed and a person releases it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control.test_keys import a_person, by_two, enrol_all
from tests.control.test_policy import agrees, forge
from tests.store.ground import SetClock, a_registry, a_store, an_automation, break_glass, pause
from workbench.clock import Clock, to_text
from workbench.control import Control, first_run
from workbench.control.approving import apply_policy, request_signoff
from workbench.control.first_run import guards_of
from workbench.control.resuming import ResumeRequest
from workbench.control.reviewing import review_run
from workbench.errors import Refused, UsageFault
from workbench.evidence import LoadedRun
from workbench.gate import Gate, GateState
from workbench.policy import Policy, default_policy
from workbench.records import CHECKLIST, Automation, Kind, Owner, Purpose
from workbench.registry import Registry
from workbench.store import making, readiness, trusting
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.signoffs import policy_of
from workbench.store.store import Change, Command

WHOLE = dict.fromkeys(CHECKLIST, "said")
RELEASE = ResumeRequest("H-1")
NEW = ("new-agent",)


def production(*names: str, **more: object) -> list[Automation]:
    """Return automations of production with a whole checklist."""
    return [
        an_automation(name, **{"environment": "production", "checklist": WHOLE, **more})
        for name in names
    ]


def registry(*automations: Automation) -> Registry:
    """Return a registry of these automations, with three members of ops-lead."""
    owners = {"ops-lead": Owner("ops-lead", ("ann", "bo", "cy"), "", "pager")}
    found = replace(a_registry(), owners=owners)
    return replace(found, automations={a.automation_id: a for a in automations})


def a_company(root: Path, *names: str, is_gate_drilled: bool = True) -> list[Control]:
    """Make a production store whose people have keys, where the gate was drilled, and no automation is known yet."""
    clock: Clock = SetClock()
    plain = Control(a_store(root, clock, environment="production"), clock)
    plain.apply_registry(registry())
    people = [a_person(plain, root, name) for name in names]
    enrol_all(people, names)
    if is_gate_drilled:
        vouch_for_the_gate(people[0][0])
    return [person for person, _ in people]


def vouch_for_the_gate(control: Control) -> None:
    """Bring drills of the gate, for each kind, as `workbench engine certify gate` does."""
    now = control.clock.now()
    drills = [
        {
            "engine": "gate", "version": "0.1.0", "kind": str(kind), "mode": "freeze", "environment": "staging",
            "command_at": to_text(now), "is_passed": True, "outcome": "passed", "drilled_by": "agent-owner",
            "effects": [], "differences": [], "leaks": [], "cannot": [], "left": [], "not_held": [],
        }
        for kind in Kind
    ]  # fmt: skip
    drafts = [Draft(now, "", "drill.accept", "gate", payload=body) for body in drills]
    command = Command("gate-drills", {"name": "engine certify", "engine": "gate", "drills": drills})
    control.transact(
        command, lambda _, who: Change([replace(draft, actor=who.text) for draft in drafts])
    )


def a_run(number: int, **more: str) -> LoadedRun:
    """Return a clean dry run of the new agent."""
    values = {"automation_id": "new-agent", "status": "succeeded", "run_mode": "dry_run", **more}
    return LoadedRun("prefect", f"r{number}", **values)


def reviewed(control: Control, *numbers: int) -> tuple[str, ...]:
    """Review runs of the new agent; returns what it still lacks."""
    lacking: tuple[str, ...] = ()
    for number in numbers:
        lacking = review_run(control, a_run(number), reason="its drafts are right")
    return lacking


def check_held_until_ready_and_released(root: Path) -> None:
    """Born held, released by a person once the runs were reviewed by somebody else, and not before."""
    ann, bo = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    hold = ann.state().holds["H-1"]
    assert (hold.scope, hold.purpose) == ("automation=new-agent", Purpose.GUARD)
    assert hold.reason == "not ready: lacks reviewed runs (0 of 3)"
    gate = Gate(root / "gate")
    assert gate.check("new-agent").state is GateState.PAUSED
    with pytest.raises(Refused, match=r"H-1 holds what is not ready: it lacks reviewed runs") as no:
        ann.resume_full(RELEASE)
    assert "workbench reviewed RUN_ID" in no.value.then
    assert reviewed(bo, 1, 2) == ("reviewed runs (2 of 3)",)
    with pytest.raises(Refused, match=r"reviewed runs \(2 of 3\)"):
        ann.resume_full(RELEASE)
    assert reviewed(bo, 3) == ()
    assert gate.check("new-agent").state is GateState.PAUSED, "a person releases, not a number"
    with pytest.raises(Refused, match="were reviewed by 0 of 1 persons other than bo"):
        bo.resume_full(RELEASE)
    assert ann.resume_full(RELEASE).released_seq
    assert ann.store.events()[-1].reason == "ready for its first run"
    assert gate.check("new-agent").state is GateState.CLEAR
    assert (ann.state().refused, ann.status().flags) == ({}, ())
    agrees(ann)


def check_only_counted_reviews(root: Path) -> None:
    """Unsigned words, the same run twice and runs of others make nothing ready."""
    ann, bo = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production("new-agent", "other-agent")))
    nobody = Control(ann.store, ann.clock)
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        reviewed(nobody, 1)
    reviewed(bo, 1)
    with pytest.raises(Refused, match="You reviewed r1 before"):
        reviewed(bo, 1)
    assert reviewed(ann, 1) == ("reviewed runs (1 of 3)",)
    for number in (2, 3):
        review_run(bo, a_run(number, automation_id="other-agent"), reason="fine")
    assert reviewed(bo, 4) == ("reviewed runs (2 of 3)",)
    body = {
        "source_id": "prefect",
        "run_id": "r5",
        "automation_id": "new-agent",
        "run_mode": "live",
    }
    forge(ann, Draft(ann.clock.now(), "eve", "run.review", "prefect/r5", payload=body))
    with pytest.raises(Refused, match=r"reviewed runs \(2 of 3\)"):
        ann.resume_full(RELEASE)
    agrees(ann)


def check_the_fold_obeys_no_early_release(root: Path) -> None:
    """A release or a writing restart past the command path is not obeyed while the automation is not ready."""
    ann, bo = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    free = {"covered": list(NEW), "decision_id": "", "break_glass_reason": ""}
    part = {"hold_id": "H-1", "automation_ids": list(NEW), "scope": "automation=new-agent"}
    part |= {"max_runs": 3, "until": None, "decision_id": "", "break_glass_reason": ""}
    forge(ann, Draft(ann.clock.now(), "eve", "hold.release", "H-1", payload=free))
    forge(ann, Draft(ann.clock.now(), "eve", "probation.start", "P-1", payload=part))
    assert ann.state().holds["H-1"].released_seq is None and not ann.state().probations
    reviewed(bo, 1)
    early = Draft(ann.clock.now(), "ann", "hold.release", "H-1", payload=free)
    ann.transact(Command("signed", free), lambda state, who: Change([early]))
    assert ann.state().holds["H-1"].released_seq is None, "signed by who may, and too early"
    reviewed(bo, 2, 3)
    forge(ann, Draft(ann.clock.now(), "eve", "hold.release", "H-1", payload=free))
    assert ann.state().holds["H-1"].released_seq is None, "ready, and released by nobody with a key"
    assert len(ann.state().refused) == 4
    agrees(ann)


def check_what_runs_is_left_alone(root: Path) -> None:
    """Neither an edit, a policy that asks for more, nor the same file again holds what is in production already."""
    ann, bo = a_company(root, "ann", "bo")
    by_two(ann, bo, replace(default_policy("production"), is_first_run_guarded=False))
    ann.apply_registry(registry(*production("old-agent")))
    assert ann.state().holds == {}
    apply_policy(ann, replace(default_policy("production"), is_drill_required=True))
    edited = production("old-agent", title="Old", checklist={})
    assert ann.apply_registry(registry(*edited)) == 1
    assert ann.apply_registry(registry(*edited)) == 0
    assert ann.state().holds == {}
    ann.apply_registry(registry(*edited, *production("newer-agent")))
    assert [h.scope for h in ann.state().holds.values()] == ["automation=newer-agent"]
    agrees(ann)


CHECKS = (
    check_held_until_ready_and_released,
    check_only_counted_reviews,
    check_the_fold_obeys_no_early_release,
    check_what_runs_is_left_alone,
)


@pytest.mark.parametrize("check", CHECKS)
def test_a_first_run_is_guarded(check: Callable[[Path], None], tmp_path: Path) -> None:
    """Each rule about first runs holds at the command and in the fold."""
    check(tmp_path)


def seed_no_guard(patch: pytest.MonkeyPatch) -> None:
    """A registry places no hold."""
    from workbench.control import enrolling

    patch.setattr(enrolling, "guards_among", lambda *_, **__: [])


def seed_guard_whatever_is_edited(patch: pytest.MonkeyPatch) -> None:
    """What is in production already is held when its entry is edited."""
    patch.setattr(
        first_run, "_comes_to_production", lambda s, record: record.environment == "production"
    )


def seed_ready_without_reviews(patch: pytest.MonkeyPatch) -> None:
    """The command does not ask whether it is ready."""
    from workbench.control import grounds

    patch.setattr(grounds, "refuse_unready", lambda *_, **__: None)


def seed_unsigned_reviews_count(patch: pytest.MonkeyPatch) -> None:
    """Anybody's word counts."""
    patch.setattr(
        readiness, "reviewers_of", lambda state, review: {*review.key_ids, *review.unsigned}
    )


def seed_every_run_counts(patch: pytest.MonkeyPatch) -> None:
    """Runs of other automations count."""
    patch.setattr(
        readiness, "counted_reviews", lambda state, automation_id: list(state.run_reviews.values())
    )


def seed_reviewer_may_release(patch: pytest.MonkeyPatch) -> None:
    """Who reviewed the runs releases on their own word."""
    patch.setattr(readiness, "release_fault", lambda *_, **__: "")
    patch.setattr(first_run, "release_fault", lambda *_, **__: "")
    patch.setattr(trusting, "release_fault", lambda *_, **__: "")


def seed_fold_forgets_readiness(patch: pytest.MonkeyPatch) -> None:
    """The fold obeys an early release."""
    patch.setattr(trusting, "unready", lambda *_, **__: "")


SEEDS = (
    (seed_no_guard, check_held_until_ready_and_released),
    (seed_guard_whatever_is_edited, check_what_runs_is_left_alone),
    (seed_ready_without_reviews, check_held_until_ready_and_released),
    (seed_unsigned_reviews_count, check_only_counted_reviews),
    (seed_every_run_counts, check_only_counted_reviews),
    (seed_reviewer_may_release, check_held_until_ready_and_released),
    (seed_reviewer_may_release, check_the_fold_obeys_no_early_release),
    (seed_fold_forgets_readiness, check_the_fold_obeys_no_early_release),
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


ENVIRONMENTS = st.sampled_from(["production", "staging"])
FILES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), ENVIRONMENTS, max_size=3), max_size=6
)


@settings(max_examples=25, deadline=None)
@given(files=FILES)
def test_an_edit_un_pauses_nothing_and_guards_what_is_new(
    tmp_path_factory: pytest.TempPathFactory, files: list[dict[str, str]]
) -> None:
    """Whatever files come: what was held stays held, and exactly what comes to production is held anew."""
    clock: Clock = SetClock()
    store = a_store(tmp_path_factory.mktemp("edits"), clock, environment="production")
    control = Control(store, clock)
    there: set[str] = set()
    wanted: list[str] = []
    for file in files:
        before = {h.hold_id for h in control.state().standing_holds()}
        found = [an_automation(name, environment=where) for name, where in file.items()]
        control.apply_registry(registry(*found))
        in_production = {name for name, where in file.items() if where == "production"}
        wanted += sorted(in_production - there)
        there = in_production
        state = control.state()
        assert before <= {h.hold_id for h in state.standing_holds()}
        assert [h.scope for h in state.holds.values()] == [f"automation={n}" for n in wanted]
        assert all(state.paused_by(name, clock.now()) for name in set(wanted))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"run_mode": "live"}, "it ran live; what counts is read_only, dry_run, staging"),
        ({"run_mode": ""}, "does not say how it ran"),
        ({"status": "failed"}, "it is failed; what counts is a run that succeeded"),
        ({"automation_id": "stranger"}, "it is of stranger, which is not in the registry"),
    ],
)
def test_a_run_that_says_nothing_is_refused(
    tmp_path: Path, more: dict[str, str], words: str
) -> None:
    """Live runs, failed ones and those of nobody known are refused with the reason."""
    (ann,) = a_company(tmp_path, "ann")
    ann.apply_registry(registry(*production(*NEW)))
    with pytest.raises(Refused, match=words):
        review_run(ann, a_run(1, **more), reason="fine")
    with pytest.raises(UsageFault, match="Say what you found"):
        review_run(ann, a_run(1), reason="  ")
    assert ann.state().run_reviews == {}


def test_reads_may_run_before_it_is_ready(tmp_path: Path) -> None:
    """A narrow restart of a first-run hold reads only until the automation is ready."""
    ann, _ = a_company(tmp_path, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    narrow = ResumeRequest("H-1", "automation=new-agent", 2)
    with pytest.raises(Refused, match="is not ready"):
        ann.resume_narrow(narrow)
    with pytest.raises(Refused, match="not resumed without a decision"):
        ann.resume_narrow(replace(narrow, effects="read"))


def test_break_glass_opens_it_and_is_flagged(tmp_path: Path) -> None:
    """Not ready and urgent: a recorded reason opens it, and two others must look at it."""
    (ann,) = a_company(tmp_path, "ann")
    ann.apply_registry(registry(*production(*NEW)))
    assert ann.resume_full(break_glass("H-1")).released_seq
    assert any(f.startswith("H-1 was released by break-glass: ") for f in ann.status().flags)


def test_a_first_run_hold_has_no_sign_off(tmp_path: Path) -> None:
    """Its reviews are its sign-offs; asking for one names the release."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    reviewed(bo, 1, 2, 3)
    with pytest.raises(Refused, match="the reviews of its runs are its sign-offs") as caught:
        request_signoff(ann, RELEASE)
    assert "workbench hold release H-1" in caught.value.then


def test_another_hold_on_it_is_not_touched(tmp_path: Path) -> None:
    """Ready and released, it stays under whatever else holds it."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    pause(ann, "*")
    reviewed(bo, 1, 2, 3)
    ann.resume_full(RELEASE)
    assert Gate(tmp_path / "gate").check("new-agent").holds == ("H-2",)


def test_what_runs_already_is_taken_over_and_flagged(tmp_path: Path) -> None:
    """Said to run already, it is not held; the status says who said so until it would be ready."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    nobody = Control(ann.store, ann.clock)
    with pytest.raises(Refused, match="A waiver of first-run holds must be signed"):
        nobody.apply_registry(registry(*production(*NEW)), already_running="since 2024")
    ann.apply_registry(registry(*production(*NEW)), already_running="since 2024")
    assert ann.state().holds == {}
    (flag,) = ann.status().flags
    assert flag.startswith("taken over as already running, not ready for a first run: new-agent (")
    assert "since 2024" in flag and "ann" in flag
    assert "since 2024" in ann.card("automation=new-agent").entries[0].first_run
    reviewed(bo, 1, 2, 3)
    assert ann.status().flags == ()


def test_what_lacks_nothing_is_not_held(tmp_path: Path) -> None:
    """A policy that asks for no reviewed run holds only whose checklist has gaps, and names them."""
    ann, bo = a_company(tmp_path, "ann", "bo")
    by_two(ann, bo, Policy("production", 0, is_first_run_guarded=True, reviewed_runs=0))
    wanted = registry(*production("whole"), *production("gappy", checklist={"trigger": "x"}))
    (guard,) = guards_of(ann, wanted)
    assert guard.automation_id == "gappy"
    assert "of its checklist input data, output, approval requirement" in guard.reason
    ann.apply_registry(wanted)
    assert [h.scope for h in ann.state().holds.values()] == ["automation=gappy"]


def test_other_environments_are_not_guarded(tmp_path: Path) -> None:
    """Staging holds nothing back, and a store of staging does not either."""
    clock: Clock = SetClock()
    control = Control(a_store(tmp_path, clock), clock)
    control.apply_registry(registry(*production(*NEW), an_automation("tried")))
    assert control.state().holds == {}


def test_a_log_from_before_drills_were_asked_for_keeps_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older version released without a drill stays released; only a store made since asks for one."""
    with monkeypatch.context() as older:
        older.setattr(making, "PRODUCTION", "")
        ann, bo = a_company(tmp_path / "old", "ann", "bo", is_gate_drilled=False)
    assert "asks_drills" not in ann.store.events()[0].payload
    ann.apply_registry(registry(*production(*NEW)))
    reviewed(bo, 1, 2, 3)
    ann.resume_full(RELEASE)
    state = fold(ann.store.events())
    assert (state.standing_holds(), state.refused) == ([], {})
    assert Gate(tmp_path / "old" / "gate").check("new-agent").state is GateState.CLEAR
    agrees(ann)
    (cy,) = a_company(tmp_path / "new", "cy", is_gate_drilled=False)
    assert policy_of(cy.state()) == default_policy("production")
    assert policy_of(ann.state()) == replace(
        default_policy("production"), is_drill_required=False, verifiers_required=1
    )
    staging = a_store(tmp_path / "staging")
    assert "asks_drills" not in staging.events()[0].payload

"""I8: a sign-off works only for its hold, its decision, its plan, its time, and of another person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control.test_keys import a_person, by_two, enrol_all
from tests.store.ground import (
    AGENTS,
    SetClock,
    a_decision,
    a_registry,
    a_report,
    a_store,
    an_automation,
    break_glass,
    pause,
)
from workbench.clock import Clock
from workbench.control import Control
from workbench.control.approving import apply_policy, give_signoff, request_signoff
from workbench.control.deciding import DecideRequest
from workbench.control.enrolling_keys import Enrolment, enrol_key, request_enrolment, revoke_key
from workbench.control.resuming import ResumeRequest
from workbench.control.reviewing import review_break_glass
from workbench.errors import BadSettings, NotFound, Refused
from workbench.policy import Policy, default_policy, read_policy
from workbench.records import Owner, VerdictKind
from workbench.registry import Registry
from workbench.store.audit import verify_store
from workbench.store.documents import documents
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.store import Change, Command

FULL, NARROW = VerdictKind.RESTART_FULL, VerdictKind.RESTART_NARROW
PLAN = ResumeRequest("H-1", "automation=ticket-reply", 3, decision_id="D-1")


def registry(members: tuple[str, ...] = ("ann", "bo")) -> Registry:
    """Return the usual registry with these members of ops-lead."""
    return replace(a_registry(), owners={"ops-lead": Owner("ops-lead", members, "", "pager")})


def a_house(
    root: Path, *names: str, members: tuple[str, ...] = ("ann", "bo", "cy")
) -> list[Control]:
    """Make a production store with a registry, people with keys, a hold H-1 and a full decision D-1."""
    clock: Clock = SetClock()
    plain = Control(a_store(root, clock, environment="production"), clock)
    plain.apply_registry(registry(members))
    people = [a_person(plain, root, name) for name in names]
    enrol_all(people, names)
    pause(plain)
    found = [person for person, _ in people]
    a_decision(found[0] if found else plain, "H-1", FULL)
    return found or [plain]


def clock_of(control: Control) -> SetClock:
    """Return the clock that the test sets."""
    assert isinstance(control.clock, SetClock)
    return control.clock


def test_a_resume_goes_with_another_person_s_sign_off(tmp_path: Path) -> None:
    """Asked by one, signed by another, used once: projection, fold and chain agree afterwards."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    with pytest.raises(Refused, match="none was asked for") as caught:
        ann.resume_narrow(PLAN)
    assert (
        "workbench signoff request H-1 --only kind=agent,automation=ticket-reply --runs 3"
        in caught.value.then
    )
    asked = request_signoff(ann, PLAN)
    with pytest.raises(Refused, match="S-1 has 0 of 1 sign-offs that count") as caught:
        ann.resume_narrow(PLAN)
    assert "workbench signoff give S-1" in caught.value.then
    give_signoff(bo, asked.signoff_id)
    probation = ann.resume_narrow(PLAN)
    state = ann.state()
    assert state.signoffs["S-1"].used_seq == probation.started_seq
    assert state.refused == {}
    assert ann.store.projection() == documents(state)
    assert verify_store(ann.store).is_ok


def test_shares_that_do_not_add_up_use_up_no_sign_off(tmp_path: Path) -> None:
    """A restart in the log whose hosts have other runs than were signed is refused before it takes the sign-off."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    asked = request_signoff(ann, PLAN)
    give_signoff(bo, asked.signoff_id)
    ann.resume_narrow(PLAN)
    *before, started = ann.store.events()
    shares = [{"host": "a", "folder_id": "gf-1", "runs": 1}]
    state = fold(before)
    assert state.signoffs["S-1"].used_seq is None
    signed = state.signoffs["S-1"]
    state.signoffs["S-1"] = replace(signed, plan={**signed.plan, "shares": shares})
    wrong = replace(started, payload={**started.payload, "shares": shares})
    state = fold([wrong], state)
    assert "not its runs in all" in state.refused[wrong.seq]
    assert (state.signoffs["S-1"].used_seq, state.probations) == (None, {})


def test_who_asked_does_not_sign_off(tmp_path: Path) -> None:
    """No exception: not with the same key, and not with a second key of the same person."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    with pytest.raises(Refused, match="was asked for by ann; another person signs off"):
        give_signoff(ann, "S-1")
    again, public_hex = a_person(ann, tmp_path, "ann-laptop")
    enrol_key(ann, Enrolment(public_hex, "ann", "ops-lead"))
    with pytest.raises(Refused, match="was asked for by ann; another person signs off"):
        give_signoff(again, "S-1")


def test_who_signed_off_does_not_resume(tmp_path: Path) -> None:
    """The signer cannot carry out what they signed when nobody else signed it."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    give_signoff(bo, "S-1")
    with pytest.raises(Refused, match=r"0 of 1 sign-offs that count.*; given, but bo resumes"):
        bo.resume_narrow(PLAN)


def test_a_stranger_is_not_sent_to_somebody_who_never_can(tmp_path: Path) -> None:
    """Who asked is not named as the one to sign off, though entitled."""
    ann, _, eve = a_house(tmp_path, "ann", "bo", "eve")
    request_signoff(ann, PLAN)
    with pytest.raises(Refused, match="eve may not sign off") as caught:
        give_signoff(eve, "S-1")
    assert caught.value.then.startswith("ask bo to type it")


def a_newcomer(ann: Control, bo: Control) -> None:
    """Let a new agent come under the hold."""
    found = registry(("ann", "bo", "cy"))
    new = an_automation("late-agent", provider="acme-llm")
    ann.apply_registry(replace(found, automations={**found.automations, "late-agent": new}))


def bo_revoked(ann: Control, bo: Control) -> None:
    """Take away the signer's key."""
    key_id = next(k.key_id for k in ann.state().keys.values() if k.person == "bo")
    revoke_key(ann, key_id, reason="stolen")


@pytest.mark.parametrize(
    ("spoil", "request_", "why"),
    [
        (lambda a, b: None, replace(PLAN, runs=4), "for another plan"),
        (lambda a, b: None, replace(PLAN, only="automation=invoice-triage"), "for another plan"),
        (lambda a, b: None, replace(PLAN, only=None, runs=None), "for another plan"),
        (lambda a, b: clock_of(a).move(3600), PLAN, "expired at"),
        (a_newcomer, PLAN, "superseded: late-agent came under H-1"),
        (bo_revoked, PLAN, "0 of 1 sign-offs that count.* of bo was revoked at event"),
        (
            lambda a, b: a.apply_registry(registry(("ann",))),
            PLAN,
            "0 of 1 sign-offs that count.*bo may not sign off as ops-lead",
        ),
        (
            lambda a, b: a.resume_narrow(break_glass("H-1", "automation=product-copy", 1)),
            PLAN,
            "superseded: H-1 changed",
        ),
    ],
)
def test_anything_else_than_what_was_signed_is_refused(
    tmp_path: Path,
    spoil: Callable[[Control, Control], object],
    request_: ResumeRequest,
    why: str,
) -> None:
    """Other runs, scope or form, time passed, news in scope, a lost key or role: the hold stays."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    give_signoff(bo, "S-1")
    spoil(ann, bo)
    resume = ann.resume_full if request_.only is None else ann.resume_narrow
    with pytest.raises(Refused, match=why):
        resume(request_)


def test_a_clock_set_back_revives_no_sign_off(tmp_path: Path) -> None:
    """F22: once the log has seen a later time, an expired sign-off stays expired."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    give_signoff(bo, "S-1")
    clock_of(ann).move(3600)
    pause(ann, "kind=watcher")
    clock_of(ann).move(-300)
    with pytest.raises(Refused, match="expired at"):
        ann.resume_narrow(PLAN)


@settings(max_examples=25, deadline=None)
@given(
    asker=st.integers(0, 2),
    signers=st.sets(st.integers(0, 2)),
    resumer=st.integers(0, 2),
    seconds=st.sampled_from([0, 1800, 3599, 3600, 4000]),
    runs=st.sampled_from([2, 3]),
)
def test_i8(
    tmp_path_factory: pytest.TempPathFactory,
    asker: int,
    signers: set[int],
    resumer: int,
    seconds: int,
    runs: int,
) -> None:
    """I8: it opens exactly when somebody else than asker and resumer signed this plan in time."""
    people = a_house(tmp_path_factory.mktemp("i8"), "ann", "bo", "cy")
    request_signoff(people[asker], PLAN)
    for signer in sorted(signers - {asker}):
        give_signoff(people[signer], "S-1")
    clock_of(people[0]).move(seconds)
    is_entitled = bool(signers - {asker, resumer}) and seconds < 3600 and runs == PLAN.runs
    try:
        people[resumer].resume_narrow(replace(PLAN, runs=runs))
    except Refused:
        assert not is_entitled
    else:
        assert is_entitled
    assert bool(people[0].state().probations) == is_entitled


def test_without_keys_production_goes_by_break_glass_only(tmp_path: Path) -> None:
    """No key enrolled: a decision is not enough, break-glass is, and it is flagged."""
    (plain,) = a_house(tmp_path)
    with pytest.raises(Refused, match=r"no key is enrolled .* by break-glass only") as caught:
        plain.resume_full(ResumeRequest("H-1", decision_id="D-1"))
    assert "--break-glass" in caught.value.then
    plain.resume_full(break_glass("H-1"))
    assert any("break-glass" in flag for flag in plain.status().flags)


def forged_openings(control: Control) -> None:
    """Write a release and a narrow restart on D-1 into a log past the command path, as who may write there could."""
    ids = sorted(control.state().covered["H-1"])
    free = {"covered": ids, "decision_id": "D-1", "break_glass_reason": ""}
    part = {"hold_id": "H-1", "automation_ids": ids, "scope": "kind=agent", "max_runs": 3}
    part |= {"until": None, "decision_id": "D-1", "break_glass_reason": ""}
    for action, target, payload in (
        ("hold.release", "H-1", free),
        ("probation.start", "P-1", part),
    ):
        draft = Draft(control.clock.now(), "eve", action, target, payload=payload)
        control.store.transact(Command(f"past {action}", payload), lambda _, d=draft: Change([d]))


def test_without_keys_the_fold_opens_nothing_on_a_decision(tmp_path: Path) -> None:
    """In production with no key nobody can sign off, so a release in the log on a decision alone is not obeyed."""
    (plain,) = a_house(tmp_path)
    forged_openings(plain)
    state = plain.state()
    assert state.holds["H-1"].released_seq is None and state.probations == {}
    assert len(state.refused) == 2
    assert any(flag.startswith("NOT OBEYED") for flag in plain.status().flags)
    assert plain.store.projection() == documents(state)


def test_a_fold_that_trusts_a_young_log_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: where a store without keys is obeyed whatever its environment asks for, the hold is gone."""
    from workbench.store import trusting

    monkeypatch.setattr(trusting, "opening_fault", lambda *_: "")
    (plain,) = a_house(tmp_path)
    forged_openings(plain)
    assert plain.state().holds["H-1"].released_seq is not None


def test_unsigned_hands_ask_give_and_resume_nothing(tmp_path: Path) -> None:
    """Where policy asks for a sign-off, who has no enrolled key is told how to get one."""
    ann, _bo = a_house(tmp_path, "ann", "bo")
    nobody = Control(ann.store, ann.clock)
    request_signoff(ann, PLAN)
    for attempt in (
        lambda: request_signoff(nobody, PLAN),
        lambda: give_signoff(nobody, "S-1"),
        lambda: nobody.resume_narrow(PLAN),
        lambda: apply_policy(nobody, Policy("production")),
        lambda: nobody.apply_registry(registry(("eve",))),
    ):
        with pytest.raises(Refused, match="must be signed by an enrolled key") as caught:
            attempt()
        assert "workbench key enrol" in caught.value.then
    with pytest.raises(NotFound, match="no sign-off S-9; newest: S-1"):
        give_signoff(ann, "S-9")


def review_past(control: Control, target: str) -> None:
    """Write a signed review into the log without asking what the command asks."""
    draft = Draft(control.clock.now(), "ops-lead", "break_glass.review", target, reason="so")
    control.transact(Command(control.new_id(None), {"name": "past"}), lambda *_: Change([draft]))


def test_no_second_key_reviews_a_break_glass_of_one_s_own(tmp_path: Path) -> None:
    """F71: who did it is refused with another key of theirs as well, by the command and by the fold."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    ann.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3))
    again, public_hex = a_person(ann, tmp_path, "ann-again")
    enrol_key(ann, Enrolment(public_hex, "ann", "ops-lead"))
    with pytest.raises(Refused, match="ann did P-1 and does not review it"):
        review_break_glass(again, "P-1", reason="it was right")
    review_past(again, "P-1")
    assert review_break_glass(bo, "P-1", reason="it was right") == 1
    assert any("P-1" in flag for flag in ann.status().flags)
    assert review_break_glass(cy, "P-1", reason="it was right") == 0
    assert ann.store.projection() == documents(ann.state())


def test_nothing_is_reviewed_before_it_is_done(tmp_path: Path) -> None:
    """A review in the log of a break-glass resume that is not there yet takes no flag from it later."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    for one in (bo, cy):
        review_past(one, "P-1")
    ann.resume_narrow(break_glass("H-1", "automation=ticket-reply", 3))
    assert not ann.state().is_reviewed("P-1")


def test_an_override_needs_a_second_person(tmp_path: Path) -> None:
    """Under a policy of no sign-offs an override still needs one, and not of who decided it."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    by_two(ann, cy, Policy("production", 0, is_override_signed=True))
    a_report(ann, "H-1", VerdictKind.KEEP_PAUSED)
    bo.decide(DecideRequest("R-2", FULL, "the provider confirmed"))
    wanted = ResumeRequest("H-1", decision_id="D-2")
    request_signoff(ann, wanted)
    with pytest.raises(Refused, match="D-2 is the override of bo, whose sign-off") as no:
        give_signoff(bo, "S-1")
    assert "or bo asks, `workbench signoff request H-1 --full --decision D-2`" in no.value.then
    with pytest.raises(Refused, match="0 of 1 sign-offs that count"):
        ann.resume_full(wanted)
    give_signoff(cy, "S-1")
    assert ann.resume_full(wanted).released_seq


def test_the_fold_obeys_no_release_that_nobody_signed_off(tmp_path: Path) -> None:
    """A release written past the command path stands in the log, flagged, and the hold stays."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    body = {"covered": sorted(AGENTS), "decision_id": "D-1", "break_glass_reason": ""}
    draft = Draft(ann.clock.now(), "ops-lead", "hold.release", "H-1", payload=body)
    ann.store.transact(Command("forged", body), lambda _: Change([draft]))
    assert [h.hold_id for h in ann.state().standing_holds()] == ["H-1"]
    assert any("NOT OBEYED" in flag for flag in ann.status().flags)
    assert verify_store(ann.store).is_ok


def test_a_policy_changes_under_the_old_one(tmp_path: Path) -> None:
    """Who may change it is said by the policy before; unknown roles are refused."""
    ann, cy, bo = a_house(tmp_path, "ann", "cy", "bo", members=("ann", "cy"))
    with pytest.raises(
        Refused, match="bo may not change the policy: the registry does not name them"
    ):
        apply_policy(bo, Policy("production"))
    with pytest.raises(Refused, match="names boss; registered roles: ops-lead"):
        apply_policy(ann, Policy("production", may_sign=("boss",)))
    by_two(ann, cy, Policy("production"))
    ann.resume_narrow(PLAN)
    assert ann.store.projection() == documents(ann.state())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[production]\nsignoffs = 1", r":2: production: unknown key 'signoffs'"),
        ("[production]\n\nsignoffs_required = -1", r":3: production: .* number from 0"),
        ("[production]\nsignoff_valid_seconds = 900000000000000", r":2: .* from 1 to 1000000000"),
        ("[production]\nevidence_max_age_seconds = 9999999999", r":2: .* to 1000000000"),
        ("[production]\nsignoffs_required = true", r":2: .* whole number"),
        ("[production]\nmay_sign = 'ann'", r":2: .* a list of roles"),
        ("[production]\nis_override_signed = 1", r":2: .* true or false"),
        ("[staging]\n", r"no table \[production\]; it has staging"),
        ("[production\n", "not valid TOML"),
        ("signoffs_required = 1\n", "a table for each environment"),
    ],
)
def test_a_policy_file_is_read_strictly(tmp_path: Path, text: str, why: str) -> None:
    """Each fault of a policy file is named with its line."""
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=why):
        read_policy(path, "production")


def test_the_defaults_ask_in_production_only(tmp_path: Path) -> None:
    """Before a policy was applied production asks for one sign-off, other environments for none."""
    assert default_policy("production").signoffs_required == 1
    assert default_policy("staging").signoffs_required == 0
    path = tmp_path / "policy.toml"
    path.write_text('[production]\nsignoffs_required = 2\nmay_sign = ["ops-lead"]\n')
    found = read_policy(path, "production")
    assert (found.signoffs_required, found.may_sign) == (2, ("ops-lead",))


def test_break_glass_is_flagged_until_two_others_reviewed_it(tmp_path: Path) -> None:
    """Who did it, who is unsigned and who reviewed before do not count; two others end the flag."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    ann.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    with pytest.raises(Refused, match="ann did P-1 and does not review it"):
        review_break_glass(ann, "P-1", reason="fine")
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        review_break_glass(Control(ann.store, ann.clock), "P-1", reason="fine")
    with pytest.raises(NotFound, match="H-1 is no break-glass resume"):
        review_break_glass(bo, "H-1", reason="fine")
    assert review_break_glass(bo, "P-1", reason="the customer did wait") == 1
    with pytest.raises(Refused, match="bo reviewed P-1 before"):
        review_break_glass(bo, "P-1", reason="again")
    assert any("P-1 restarted" in flag for flag in ann.status().flags)
    assert review_break_glass(cy, "P-1", reason="right call") == 0
    assert not any("P-1 restarted" in flag for flag in ann.status().flags)
    assert ann.store.projection() == documents(ann.state())


def test_one_person_washes_no_flag_off_a_key(tmp_path: Path) -> None:
    """By a made-up second person who asks for the next key and is revoked, nor after that one signed something off."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    (bo_key,) = (key.key_id for key in ann.state().keys.values() if key.person == "bo")
    revoke_key(ann, bo_key, reason="lost")
    made_up, cy_hex = a_person(ann, tmp_path, "cy-of-ann")
    cy_key = enrol_key(ann, Enrolment(cy_hex, "cy", "ops-lead")).key_id
    other, bo_hex = a_person(ann, tmp_path, "bo-of-ann")
    request_enrolment(made_up, Enrolment(bo_hex, "bo", "ops-lead"))
    new_key = enrol_key(ann, Enrolment(bo_hex, "bo", "ops-lead")).key_id
    revoke_key(ann, cy_key, reason="a mistake")
    flagged = [flag for flag in ann.status().flags if "ann alone enrolled" in flag]
    assert [cy_key in flag or new_key in flag for flag in flagged] == [True, True]
    plan = ResumeRequest("H-1", decision_id="D-1")
    give_signoff(other, request_signoff(ann, plan).signoff_id)
    ann.resume_full(plan)
    revoke_key(ann, new_key, reason="no longer")
    flagged = [flag for flag in ann.status().flags if "ann alone enrolled" in flag]
    assert [new_key in flag for flag in flagged] == [True]

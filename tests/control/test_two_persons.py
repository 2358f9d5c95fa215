"""What would weaken the rules needs two persons: a weaker policy, and a key in another's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.control.test_first_run import a_company
from tests.control.test_keys import a_person, by_two, enrolled
from tests.control.test_policy import agrees, forge
from tests.control.test_signoffs import a_house, clock_of
from workbench.control import Control, enrolling_keys
from workbench.control import signoff as signing_off
from workbench.control.approving import apply_policy, request_policy
from workbench.control.enrolling_keys import Enrolment, enrol_key, request_enrolment, revoke_key
from workbench.errors import Refused
from workbench.policy import Policy, default_policy
from workbench.store import countersigning, trusting
from workbench.store.log import Draft
from workbench.store.signoffs import policy_of
from workbench.store.store import Change, Command

USUAL = default_policy("production")
WEAK = replace(USUAL, signoffs_required=0, evidence_max_age_seconds=3600)


def check_a_weaker_policy(root: Path) -> None:
    """One person applies a stronger policy; a weaker one waits for another person, who applies exactly it."""
    ann, bo = a_house(root, "ann", "bo")
    stronger = replace(USUAL, clean_runs=100)
    assert apply_policy(ann, stronger) == stronger
    with pytest.raises(Refused, match=r"weaker in signoffs_required, evidence_max_age_se") as no:
        apply_policy(ann, WEAK)
    assert "no other person asked for exactly this" in no.value.message
    assert "`workbench policy request FILE`, then another person" in no.value.then
    asked = request_policy(ann, WEAK)
    assert asked.about.startswith("asked by ann: a policy that is weaker in signoffs_required")
    assert any(flag.startswith("asked by ann: a policy") for flag in ann.status().flags)
    with pytest.raises(Refused, match="ann asked for it and does not do it alone") as no:
        apply_policy(ann, WEAK)
    assert "another person types `workbench policy apply FILE`" in no.value.then
    with pytest.raises(Refused, match="no other person asked for exactly this"):
        apply_policy(bo, replace(WEAK, clean_runs=1))
    with pytest.raises(Refused, match="ann asked for exactly this at event"):
        request_policy(bo, WEAK)
    assert apply_policy(bo, WEAK) == WEAK
    assert not any("asked by ann" in flag for flag in ann.status().flags)
    assert ann.state().refused == {}
    agrees(ann)


def check_the_fold_takes_no_weaker_policy(root: Path) -> None:
    """A weaker policy that one person signed past the command path stands in the log and is not obeyed."""
    ann, bo = a_house(root, "ann", "bo")
    content = {"policy": countersigning.policy_content(WEAK)["policy"]}
    draft = Draft(ann.clock.now(), "ann", "policy.apply", "production", payload=content)
    for number in (1, 2):
        ann.transact(Command(f"past {number}", content), lambda s, who: Change([draft]))
    asking = Draft(ann.clock.now(), "bo", "policy.request", "x", payload=content)
    forge(ann, asking)  # bo's name on it, and not bo's key
    ann.transact(Command("past 3", content), lambda s, who: Change([draft]))
    assert policy_of(ann.state()) == USUAL
    assert len(ann.state().refused) == 4
    by_two(bo, ann, WEAK)
    assert policy_of(ann.state()) == WEAK
    agrees(ann)


def check_a_request_wears_out(root: Path) -> None:
    """After its time, after another policy and after it was done a request carries nothing, however the clock stands."""
    ann, bo = a_house(root, "ann", "bo")
    request_policy(ann, WEAK)
    clock_of(ann).move(3600)
    with pytest.raises(Refused, match="it was asked for until"):
        apply_policy(bo, WEAK)
    request_policy(ann, WEAK)
    apply_policy(ann, replace(USUAL, clean_runs=100))
    with pytest.raises(Refused, match="the policy changed at event"):
        apply_policy(bo, WEAK)
    request_policy(ann, WEAK)
    apply_policy(bo, WEAK)
    apply_policy(ann, USUAL)
    with pytest.raises(Refused, match="it was done at event"):
        apply_policy(bo, WEAK)
    request_policy(ann, WEAK)
    clock_of(ann).move(3601)
    request_policy(bo, replace(WEAK, clean_runs=1))  # the log has seen this time
    clock_of(ann).move(-600)
    with pytest.raises(Refused, match="it was asked for until"):
        apply_policy(bo, WEAK)
    agrees(ann)


def check_a_key_in_anothers_name(root: Path) -> None:
    """With two persons a third's key needs both; one's own new key needs one, and a wish for oneself none."""
    ann, bo = a_house(root, "ann", "bo")
    _, fresh = a_person(ann, root, "cy")
    wanted = Enrolment(fresh, "cy", "ops-lead")
    with pytest.raises(Refused, match="A key of cy as ops-lead needs two persons: no other") as no:
        enrol_key(ann, wanted)
    assert f"`workbench key request {fresh} --person cy --role ops-lead`" in no.value.then
    request_enrolment(ann, wanted)
    with pytest.raises(Refused, match="ann asked for it and does not do it alone"):
        enrol_key(ann, wanted)
    with pytest.raises(Refused, match="no other person asked for exactly this"):
        enrol_key(bo, replace(wanted, person="dan"))
    key = enrol_key(bo, wanted)
    assert ann.store.events()[-1].reason == "cy as ops-lead, enrolled by ann and bo"
    _, laptop = a_person(ann, root, "ann-laptop")
    own = Enrolment(laptop, "ann", "ops-lead")
    with pytest.raises(Refused, match="needs no second person"):
        request_enrolment(ann, own)
    assert enrol_key(ann, own).person == "ann"
    body = {"public_hex": "ab" * 32, "person": "mallory", "role": "ops-lead"}
    draft = Draft(ann.clock.now(), "ann", "key.enrol", "feed", payload=body)
    ann.transact(Command("past", body), lambda s, who: Change([draft]))
    assert "feed" not in ann.state().keys and key.key_id in ann.state().keys
    agrees(ann)


def check_time_makes_no_one_person_of_two(root: Path) -> None:
    """When the other person's key has expired nobody enrols alone before its revocation stands in the log."""
    (ann,) = a_house(root, "ann")
    _, bos = a_person(ann, root, "bo")
    until = ann.clock.now() + timedelta(hours=1)
    bo = enrol_key(ann, Enrolment(bos, "bo", "ops-lead", until))
    wanted = Enrolment(a_person(ann, root, "cy")[1], "cy", "ops-lead")
    clock_of(ann).move(3600)
    for _ in range(2):  # before and after the log has seen that time
        with pytest.raises(Refused, match=f"signs any more .{bo.key_id} of bo has expired") as no:
            enrol_key(ann, wanted)
        assert f"`workbench key revoke {bo.key_id} --reason TEXT`, then `workbench" in no.value.then
        ann.transact(Command("seen", {}), lambda s, who: Change([note_by(ann)]))
    with pytest.raises(Refused, match="has expired") as no:
        apply_policy(ann, WEAK)
    assert "--reason TEXT`, then enrol another person's key" in no.value.then
    body = {"public_hex": "ab" * 32, "person": "mallory", "role": "ops-lead"}
    draft = Draft(ann.clock.now(), "ann", "key.enrol", "feed", payload=body)
    ann.transact(Command("past", body), lambda s, who: Change([draft]))
    assert "feed" not in ann.state().keys
    revoke_key(ann, bo.key_id, reason="left, and the key has ended")
    enrol_key(ann, wanted)
    assert ann.store.events()[-1].reason == "cy as ops-lead, enrolled by ann alone"
    agrees(ann)


def check_one_word_for_two_is_flagged(root: Path) -> None:
    """Who revokes the others' keys and enrols the next alone is named on every screen; the request is used up."""
    ann, _ = a_house(root, "ann", "bo")
    (bos,) = (key for key in ann.state().keys.values() if key.person == "bo")
    _, fresh = a_person(ann, root, "bo-again")
    wanted = Enrolment(fresh, "bo", "ops-lead")
    request_enrolment(ann, wanted)
    assert not any("alone enrolled" in flag for flag in ann.status().flags)
    revoke_key(ann, bos.key_id, reason="they say it is lost")
    key = enrol_key(ann, wanted)
    (flag,) = [flag for flag in ann.status().flags if "alone enrolled" in flag]
    assert flag.startswith(f"ann alone enrolled the key {key.key_id} of bo, after the keys of bo")
    assert not any("asked by ann" in flag for flag in ann.status().flags)
    agrees(ann)


def note_by(control: Control) -> Draft:
    """Return an event that changes nothing but what time the log has seen."""
    return Draft(control.clock.now(), "ann", "note", "x")


CHECKS = (
    check_a_weaker_policy,
    check_the_fold_takes_no_weaker_policy,
    check_a_request_wears_out,
    check_a_key_in_anothers_name,
    check_time_makes_no_one_person_of_two,
    check_one_word_for_two_is_flagged,
)


@pytest.mark.parametrize("check", CHECKS)
def test_two_persons_are_asked(check: Callable[[Path], None], tmp_path: Path) -> None:
    """Each rule of two persons holds at the command and in the fold."""
    check(tmp_path)


def seed_command_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """The commands let one person do it."""
    patch.setattr(signing_off, "refuse_alone", lambda *_, **__: None)
    patch.setattr(enrolling_keys, "refuse_alone", lambda *_, **__: None)


def seed_fold_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """The fold obeys one person."""
    patch.setattr(trusting, "weakened", lambda *_: ())
    patch.setattr(trusting, "is_for_another", lambda *_, **__: False)


def seed_the_asker_may_do_it(patch: pytest.MonkeyPatch) -> None:
    """Who asked counts as the second person."""

    def fault(state: object, action: str, *, content: object, doer: object, now: object) -> str:
        known = countersigning.request_id(action, content) in state.requests  # type: ignore[attr-defined,arg-type]
        return "" if known else "no other person asked for exactly this"

    for module in (trusting, countersigning):
        patch.setattr(module, "second_fault", fault)
    from workbench.control import countersigning as asking

    patch.setattr(asking, "second_fault", fault)


def seed_a_request_is_for_anything(patch: pytest.MonkeyPatch) -> None:
    """A request names the kind of thing only, not what exactly."""
    from workbench.control import countersigning as asking

    for module in (countersigning, trusting, asking):
        patch.setattr(module, "request_id", lambda action, content: action)


def seed_a_request_lasts(patch: pytest.MonkeyPatch) -> None:
    """A request can be used at any time, again and again."""
    from workbench.control import countersigning as asking

    for module in (countersigning, asking):
        patch.setattr(module, "request_state", lambda *_, **__: "")


SEEDS = (
    (seed_command_asks_nobody, check_a_weaker_policy),
    (seed_command_asks_nobody, check_a_key_in_anothers_name),
    (seed_fold_asks_nobody, check_the_fold_takes_no_weaker_policy),
    (seed_fold_asks_nobody, check_a_key_in_anothers_name),
    (seed_the_asker_may_do_it, check_a_weaker_policy),
    (seed_a_request_is_for_anything, check_a_weaker_policy),
    (seed_a_request_is_for_anything, check_a_key_in_anothers_name),
    (seed_a_request_lasts, check_a_request_wears_out),
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


def test_the_only_person_weakens_nothing(tmp_path: Path) -> None:
    """Alone, one is told to enrol another person's key first; the first may enrol the second alone, and it is shown."""
    (ann,) = a_company(tmp_path, "ann")
    request_policy(ann, WEAK)
    with pytest.raises(Refused, match="enrol another person's key first"):
        apply_policy(ann, WEAK)
    bo, public_hex = a_person(ann, tmp_path, "bo")
    enrol_key(ann, Enrolment(public_hex, "bo", "ops-lead"))
    assert ann.store.events()[-1].reason == "bo as ops-lead, enrolled by ann alone"
    assert apply_policy(bo, WEAK) == WEAK


def test_who_lost_key_or_role_is_no_second_person(tmp_path: Path) -> None:
    """A request of a revoked key, or of somebody the registry names no more, carries nothing."""
    ann, bo, cy = a_house(tmp_path, "ann", "bo", "cy")
    request_policy(bo, WEAK)
    key_id = next(k.key_id for k in ann.state().keys.values() if k.person == "bo")
    revoke_key(cy, key_id, reason="left")
    with pytest.raises(Refused, match="bo, who asked for it, may not do it"):
        apply_policy(ann, WEAK)


def test_unsigned_hands_ask_for_nothing(tmp_path: Path) -> None:
    """Without an enrolled key nobody asks for a policy or a key."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    nobody = Control(ann.store, ann.clock)
    for attempt in (
        lambda: request_policy(nobody, WEAK),
        lambda: request_enrolment(nobody, Enrolment("ab" * 32, "eve", "ops-lead")),
    ):
        with pytest.raises(Refused, match="must be signed by an enrolled key"):
            attempt()
    with pytest.raises(Refused, match="weaker in nothing that needs a second person"):
        request_policy(ann, replace(USUAL, clean_runs=100))


def test_where_nobody_is_asked_to_sign_one_person_is_enough(tmp_path: Path) -> None:
    """A store whose policy asks for no sign-off lets one person change it, and enrol others, and shows who did."""
    ann, bo, cy = enrolled(tmp_path, "ann", "bo", "cy")
    apply_policy(ann, Policy("staging", clean_runs=1))
    apply_policy(bo, Policy("staging", evidence_max_age_seconds=7200))
    reasons = [e.reason for e in cy.store.events() if e.action == "key.enrol"]
    assert reasons[1:] == [f"{n} as ops-lead, enrolled by ann alone" for n in ("bo", "cy")]

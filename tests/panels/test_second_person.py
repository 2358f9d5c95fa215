"""What waits for another person in the panel: who may give it, policies and keys, and what nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.control.test_keys import a_person
from tests.control.test_signoffs import PLAN, a_house, registry
from tests.panels.stage import HOSTILE, events_of
from workbench.control import Control, pending
from workbench.control.approving import apply_policy, give_signoff, request_policy, request_signoff
from workbench.control.enrolling_keys import Enrolment, request_enrolment, revoke_key
from workbench.control.pending import PendingRequest, PendingSignoff, rule_in_words
from workbench.panels.control_model import ControlModel
from workbench.panels.control_text import write_summary
from workbench.panels.signoff_html import draw_armed_signoff, draw_pending, draw_signoff_head
from workbench.panels.signoff_model import SignoffModel
from workbench.panels.signoff_view import SignoffForm
from workbench.policy import Policy, default_policy
from workbench.store.signoffs import policy_of

USUAL = default_policy("production")
WEAK = replace(USUAL, signoffs_required=0, evidence_max_age_seconds=3600)


def form_of(control: Control) -> SignoffModel:
    """Return the form as the panel of one person shows it."""
    model = SignoffModel(control.desk, actor="somebody")
    model.follow()
    return model


def only(model: SignoffModel) -> PendingSignoff | PendingRequest:
    """Return the one thing that waits."""
    (found,) = model.pending
    return found


def test_who_may_sign_is_named(tmp_path: Path) -> None:
    """Persons whose sign-off would count are listed: not who asked, not whose key was revoked, not another role's."""
    ann, bo, _ = a_house(tmp_path, "ann", "bo", "cy")
    request_signoff(ann, PLAN)
    assert only(form_of(bo)).may_sign == ("bo (ops-lead)", "cy (ops-lead)")
    key_id = next(k.key_id for k in ann.state().keys.values() if k.person == "cy")
    revoke_key(ann, key_id, reason="lost")
    assert "May sign: bo (ops-lead)." in draw_pending(only(form_of(bo)))
    ann.apply_registry(registry(("ann",)))
    assert "May sign: nobody" in draw_pending(only(form_of(bo)))


@pytest.mark.parametrize("name", ["bo", "cy"])
def test_who_is_named_is_not_refused(tmp_path: Path, name: str) -> None:
    """Each person that the list names can sign, through the same command path."""
    people = dict(zip(("ann", "bo", "cy"), a_house(tmp_path, "ann", "bo", "cy"), strict=True))
    request_signoff(people["ann"], PLAN)
    model = form_of(people[name])
    assert f"{name} (ops-lead)" in only(model).may_sign
    model.arm("S-1")
    model.confirm()
    assert only(form_of(people[name])).plan_in_words and not model.message.is_alert
    assert people["ann"].resume_narrow(PLAN).max_runs == 3


def test_a_list_that_names_who_asked_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: where nobody is barred, the list names a person whom the command refuses."""
    ann, _ = a_house(tmp_path, "ann", "bo")
    request_signoff(ann, PLAN)
    monkeypatch.setattr(pending, "barred_persons", lambda *_, **__: set())
    model = form_of(ann)
    assert "ann (ops-lead)" in only(model).may_sign
    model.arm("S-1")
    model.confirm()
    assert model.message.is_alert and "another person signs off" in model.message.text


def test_a_weaker_policy_waits_and_is_applied(tmp_path: Path) -> None:
    """Each setting stands with its old and new value; who asked is refused in words, another's word lets it count."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_policy(ann, WEAK)
    own, other = form_of(ann), form_of(bo)
    found = only(other)
    drawn = draw_pending(found)
    assert "signoffs_required 1 -&gt; 0 (weaker): persons, other than" in drawn
    assert "evidence_max_age_seconds 900 -&gt; 3600 (weaker)" in drawn
    assert "Asked by ann, can be done until" in drawn and "May sign: bo (ops-lead)." in drawn
    own.arm(found.name)
    own.confirm()
    assert "ann asked for it and does not do it alone" in own.message.text
    assert policy_of(ann.state()) == USUAL
    other.arm(found.name)
    assert "signoffs_required 1 -&gt; 0" in draw_armed_signoff(other)
    other.confirm()
    other.confirm()
    assert other.message.text == "The weaker policy is in force."
    assert policy_of(ann.state()) == WEAK and len(events_of(bo, "policy.apply")) == 1
    other.follow()
    assert other.pending == () and "asks for no sign-off" in other.rule


def test_a_key_waits_and_is_enrolled(tmp_path: Path) -> None:
    """Whose key, in which role, the whole key: and another person's word enrols exactly it."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    cy, public_hex = a_person(ann, tmp_path, "cy")
    request_enrolment(ann, Enrolment(public_hex, "cy", "ops-lead"))
    view = SignoffForm(form_of(bo))
    (row,) = view.rows.values()
    assert row.sign.description == "Enrol a key of cy…"
    assert f"cy as ops-lead: {public_hex}" in row.text.value
    row.sign.click()
    assert view.confirm.description == "Confirm: enrol a key of cy"
    view.confirm.click()
    assert view.model.message.text == "The key of cy is enrolled."
    request_signoff(ann, PLAN)
    assert len(give_signoff(cy, "S-1").signer_keys) == 1


def test_a_request_that_was_overtaken_is_disarmed(tmp_path: Path) -> None:
    """A policy that came in between takes the request out of the list and out of the hand."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_policy(ann, WEAK)
    model = form_of(bo)
    model.arm(only(model).name)
    apply_policy(ann, replace(USUAL, clean_runs=100))
    model.follow()
    assert (model.armed, model.pending) == (None, ())
    assert "The weaker policy changed or waits no longer" in model.message.text


def test_a_decision_that_nobody_asked_for_is_named(tmp_path: Path) -> None:
    """A decision that needs a sign-off says so with the command to type, until somebody asked."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    head = draw_signoff_head(form_of(bo))
    assert "D-1, restart_full, by ops-lead (ann" in head
    assert "<code>workbench signoff request H-1 --full --decision D-1</code>" in head
    request_signoff(ann, PLAN)
    assert "nobody asked for" not in draw_signoff_head(form_of(bo))
    give_signoff(bo, "S-1")
    ann.resume_narrow(PLAN)
    assert "nobody asked for" not in draw_signoff_head(form_of(bo))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy("staging"), "asks for no sign-off of a resume"),
        (USUAL, "asks for a sign-off of another person before a resume, used within 60 min"),
        (
            replace(USUAL, signoffs_required=2, may_sign=("ops-lead", "finance")),
            "asks for a sign-off of 2 other persons in the role ops-lead or finance before",
        ),
        (
            Policy("staging", is_override_signed=True),
            "asks for no sign-off of a resume, but of one against its report",
        ),
    ],
)
def test_the_rule_is_said(policy: Policy, words: str) -> None:
    """Whose word a resume needs stands above the list, as the policy in force says it."""
    assert rule_in_words(policy).startswith(words)


def test_the_summary_names_what_waits(tmp_path: Path) -> None:
    """The panel's plain form counts policies and keys that wait among sign-offs."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_policy(ann, WEAK)
    said = write_summary(ControlModel(bo))
    assert "to apply the weaker policy waits: signoffs_required 1 -> 0 (weaker)" in said


def test_no_request_becomes_markup(tmp_path: Path) -> None:
    """A person or setting written by a stranger is shown as text."""
    ann, bo = a_house(tmp_path, "ann", "bo")
    request_policy(ann, WEAK)
    model = form_of(bo)
    found = only(model)
    assert isinstance(found, PendingRequest)
    drawn = draw_pending(replace(found, changes=(HOSTILE,), asked_by=HOSTILE, may_sign=(HOSTILE,)))
    assert "<script>" not in drawn and "<img" not in drawn
    assert drawn.count("&lt;script&gt;") >= 3

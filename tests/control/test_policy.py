"""What a policy says is obeyed at each command and again by the fold, and refused in plain words."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.control.test_keys import a_person
from tests.control.test_signoffs import FULL, NARROW, PLAN
from tests.store.ground import AGENTS, SetClock, a_registry, a_report, a_store, pause
from workbench.clock import Clock
from workbench.control import Control
from workbench.control.approving import apply_policy
from workbench.control.deciding import DecideRequest
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.resuming import ResumeRequest
from workbench.errors import BadSettings, Refused
from workbench.policy import MEANING, Policy, default_policy, policy_from, policy_to, read_policy
from workbench.records import Owner
from workbench.store import trusting
from workbench.store.audit import verify_store
from workbench.store.documents import documents
from workbench.store.log import Draft
from workbench.store.store import Change, Command

OWNERS = {
    "ops-lead": Owner("ops-lead", ("ann", "bo"), "", "pager"),
    "agent-owner": Owner("agent-owner", ("cy",), "", "desk"),
}


def two_roles(root: Path, **policy: object) -> tuple[Control, Control]:
    """Make a staging store with ann of ops-lead and cy of agent-owner, under a policy."""
    clock: Clock = SetClock()
    plain = Control(a_store(root, clock), clock)
    plain.apply_registry(replace(a_registry(), owners=OWNERS))
    (ann, ann_key), (cy, cy_key) = (a_person(plain, root, name) for name in ("ann", "cy"))
    enrol_key(ann, Enrolment(ann_key, "ann", "ops-lead"))
    enrol_key(ann, Enrolment(cy_key, "cy", "agent-owner"))
    apply_policy(ann, Policy("staging", **policy))  # type: ignore[arg-type] # settings by name
    pause(plain)
    return ann, cy


def forge(control: Control, draft: Draft) -> None:
    """Write an event past the command path, unsigned."""
    payload = dict(draft.payload or {})
    command = Command(f"forged {uuid.uuid4().hex}", payload)
    control.store.transact(command, lambda _: Change([draft]))


def check_who_decides(root: Path) -> None:
    """Where policy names who may decide, nobody else does, at the command and in the fold."""
    ann, cy = two_roles(root, may_decide=("ops-lead",))
    report = a_report(ann, "H-1", FULL)
    with pytest.raises(Refused, match="cy as agent-owner may not decide; the policy") as caught:
        cy.decide(DecideRequest(report.report_id))
    assert "ask ann to type it" in caught.value.then
    nobody = Control(ann.store, ann.clock)
    with pytest.raises(Refused, match=r"Who may decide .* must be signed by an enrolled key"):
        nobody.decide(DecideRequest(report.report_id))
    made = ann.decide(DecideRequest(report.report_id))
    event = next(e for e in ann.store.events() if e.action == "decision.record")
    body = {key: value for key, value in event.payload.items() if key != "command"}
    forge(ann, Draft(ann.clock.now(), "cy", "decision.record", "D-2", payload=body))
    assert list(ann.state().decisions) == [made.decision_id]
    assert any("D-2 by cy: it is not signed" in flag for flag in ann.status().flags)
    agrees(ann)


def check_who_resumes(root: Path) -> None:
    """Named roles count where no sign-off is asked for, for a narrow restart and for a release apart."""
    ann, cy = two_roles(root, may_resume=("agent-owner",), may_release=("ops-lead",))
    ann.decide(DecideRequest(a_report(ann, "H-1", FULL).report_id))
    with pytest.raises(Refused, match="ann as ops-lead may not restart narrowly"):
        ann.resume_narrow(PLAN)
    release = ResumeRequest("H-1", decision_id="D-1")
    with pytest.raises(Refused, match="cy as agent-owner may not release a hold"):
        cy.resume_full(release)
    for action, target, payload in (
        ("hold.release", "H-1", {"covered": sorted(AGENTS)}),
        ("probation.start", "P-1", {"hold_id": "H-1", "automation_ids": [AGENTS[0]]}),
    ):
        body = {**payload, "decision_id": "D-1", "break_glass_reason": ""}
        forge(ann, Draft(ann.clock.now(), "eve", action, target, payload=body))
    assert [h.hold_id for h in ann.state().standing_holds()] == ["H-1"]
    assert ann.state().probations == {}
    assert cy.resume_narrow(PLAN).probation_id == "P-1"
    assert ann.resume_full(release).released_seq
    agrees(ann)


def agrees(control: Control) -> None:
    """Assert that projection, fold and chain agree."""
    assert control.store.projection() == documents(control.state())
    assert verify_store(control.store).is_ok


CHECKS = (check_who_decides, check_who_resumes)


@pytest.mark.parametrize("check", CHECKS)
def test_what_policy_says_is_obeyed(check: Callable[[Path], None], tmp_path: Path) -> None:
    """Each rule of the policy holds at the command and in the fold."""
    check(tmp_path)


def seed_fold_takes_any_decision(patch: pytest.MonkeyPatch) -> None:
    """A decision in the log counts whoever wrote it."""
    from workbench.store import folding

    patch.setattr(folding, "is_entitled_to_decide", lambda *_: True)


def seed_command_lets_anybody_decide(patch: pytest.MonkeyPatch) -> None:
    """The command does not ask who decides."""
    from workbench.control import deciding

    patch.setattr(deciding, "require_role", lambda *_, **__: None)


def seed_roles_count_with_sign_offs_only(patch: pytest.MonkeyPatch) -> None:
    """Where no sign-off is asked for, the command lets anybody resume."""
    from workbench.control import signoff

    patch.setattr(signoff, "require_role", lambda *_, **__: None)


def seed_one_list_for_both(patch: pytest.MonkeyPatch) -> None:
    """Who may restart narrowly may release, too."""
    from workbench.control import signoff

    patch.setattr(signoff, "roles_for", lambda state, body: ("agent-owner",))


def seed_fold_obeys_everybody(patch: pytest.MonkeyPatch) -> None:
    """A release in the log counts whoever wrote it."""
    patch.setattr(trusting, "opening_fault", lambda *_: "")


SEEDS = (
    (seed_fold_takes_any_decision, check_who_decides),
    (seed_command_lets_anybody_decide, check_who_decides),
    (seed_roles_count_with_sign_offs_only, check_who_resumes),
    (seed_one_list_for_both, check_who_resumes),
    (seed_fold_obeys_everybody, check_who_resumes),
)


@pytest.mark.parametrize(("seed", "check"), SEEDS)
def test_the_checks_catch(
    seed: Callable[[pytest.MonkeyPatch], None], check: Callable[[Path], None], tmp_path: Path
) -> None:
    """Each seeded bug makes its check fail, so that the silence of the checks means something."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception, Refused, LookupError)):
            check(tmp_path)


def test_a_policy_file_leaves_the_rest_as_it_was(tmp_path: Path) -> None:
    """What a file does not name stays the environment's default: no line left out weakens production."""
    path = tmp_path / "policy.toml"
    path.write_text('[production]\nclean_runs = 100\nmay_decide = ["ops-lead"]\n')
    found = read_policy(path, "production")
    wanted = replace(default_policy("production"), clean_runs=100, may_decide=("ops-lead",))
    assert found == wanted
    assert (found.signoffs_required, found.is_override_signed) == (1, True)


@pytest.mark.parametrize(
    "line",
    ["evidence_max_age_seconds = 0", "pause_latency_seconds = 0", "clean_runs = 0"],
)
def test_a_limit_of_nothing_is_refused(tmp_path: Path, line: str) -> None:
    """A limit of 0 would never hold, and is named with its line."""
    path = tmp_path / "policy.toml"
    path.write_text(f"[production]\n{line}\n")
    with pytest.raises(BadSettings, match=r":2: production: .* number from 1 to"):
        read_policy(path, "production")


def test_older_logs_keep_their_policy() -> None:
    """Events and rows hold later settings only where they say something; those without are read as usual."""
    older = Policy("staging", may_resume=("ops-lead",))
    assert set(policy_to(older)) == {
        "environment", "signoffs_required", "signoff_valid_seconds", "is_override_signed",
        "may_sign", "may_resume", "may_release", "may_change_policy",
    }  # fmt: skip
    for policy in (older, replace(older, clean_runs=3, may_decide=("ops-lead",))):
        assert policy_from(policy_to(policy)) == policy
    assert "clean_runs" in policy_to(replace(older, clean_runs=3))


def test_every_setting_has_its_meaning() -> None:
    """Screens and files know exactly the settings that there are."""
    assert set(MEANING) == set(vars(Policy("x"))) - {"environment"}


def test_a_narrow_decision_does_not_release(tmp_path: Path) -> None:
    """Who may release still needs a decision that allows it: a role is no ground."""
    ann, _ = two_roles(tmp_path, may_release=("ops-lead",))
    ann.decide(DecideRequest(a_report(ann, "H-1", NARROW).report_id))
    with pytest.raises(Refused, match="does not allow restart_full"):
        ann.resume_full(ResumeRequest("H-1", decision_id="D-1"))

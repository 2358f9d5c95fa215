"""A first-run hold that a person keeps although it is ready: what is written past the commands opens it as little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.control.test_first_run import NEW, RELEASE, a_company, production, registry, reviewed
from tests.store.ground import a_decision
from workbench.control import Control
from workbench.control.approving import give_signoff, request_signoff
from workbench.control.deciding import DecideRequest
from workbench.control.resuming import ResumeRequest
from workbench.errors import Refused
from workbench.gate import Gate
from workbench.gate.view import GateState
from workbench.records import VerdictKind
from workbench.store import trusting
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.log import Draft
from workbench.store.store import Change, Command

FREE = {"covered": list(NEW), "decision_id": "", "break_glass_reason": ""}
PART: dict[str, Any] = {
    "hold_id": "H-1", "automation_ids": list(NEW), "scope": "automation=new-agent", "max_runs": 3, "until": None,
    "decision_id": "D-1", "break_glass_reason": "",
}  # fmt: skip


def signed(control: Control, action: str, target: str, body: dict[str, Any]) -> None:
    """Write an event past the decision of any command, with the signature of the person whose control it is."""
    content = {"name": "forged", "action": action, **body}
    draft = Draft(control.clock.now(), "ann", action, target, reason="ready", payload=body)
    control.transact(Command(control.new_id(None), content), lambda *_: Change([draft]))


def ready_and_kept(root: Path, verdict: VerdictKind) -> tuple[Control, Control]:
    """Return two people whose new agent is ready and about whose hold the newest decision is another than to release."""
    ann, bo = a_company(root, "ann", "bo")
    ann.apply_registry(registry(*production(*NEW)))
    assert reviewed(bo, 1, 2, 3) == ()
    a_decision(ann, "H-1", verdict, NEW)
    return ann, bo


def check_a_kept_hold_stays(root: Path) -> None:
    """The command refuses, and the same event in the log is not obeyed, in the fold that every reader makes."""
    ann, _ = ready_and_kept(root, VerdictKind.KEEP_PAUSED)
    with pytest.raises(Refused, match="that it is ready is no answer to it"):
        ann.resume_full(RELEASE)
    signed(ann, "hold.release", "H-1", FREE)
    signed(ann, "hold.release", "H-1", {**FREE, "decision_id": "D-1"})
    signed(ann, "probation.start", "P-1", PART)
    for state in (ann.state(), fold(ann.store.events())):
        assert state.holds["H-1"].released_seq is None
        assert state.probations == {}
        why = [
            text for text in state.refused.values() if "D-1 decided keep_paused about H-1" in text
        ]
        assert len(why) == 3
    assert Gate(root / "gate").check("new-agent").state is GateState.PAUSED
    assert verify_store(ann.store).is_ok


def test_an_event_past_the_commands_opens_no_hold_that_is_kept(tmp_path: Path) -> None:
    """A log replay alone refuses what the commands refuse."""
    check_a_kept_hold_stays(tmp_path)


def test_a_fold_that_asks_no_decision_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: readiness alone opens in the log."""
    monkeypatch.setattr(trusting, "kept_fault", lambda *_, **__: "")
    with pytest.raises(AssertionError):
        check_a_kept_hold_stays(tmp_path)


def test_an_unsigned_word_frees_nothing_that_is_kept(tmp_path: Path) -> None:
    """Neither an override nor a later *keep paused* of somebody without a key lets readiness open the hold again."""
    ann, _ = ready_and_kept(tmp_path, VerdictKind.ESCALATE)
    nobody = Control(ann.store, ann.clock)
    nobody.decide(DecideRequest("R-1", VerdictKind.KEEP_PAUSED, "wait"))
    nobody.decide(DecideRequest("R-1", VerdictKind.RESTART_FULL, "I say so"))
    with pytest.raises(Refused, match="that it is ready is no answer to it"):
        ann.resume_full(RELEASE)
    signed(ann, "hold.release", "H-1", FREE)
    state = fold(ann.store.events())
    assert state.holds["H-1"].released_seq is None
    assert Gate(tmp_path / "gate").check("new-agent").state is GateState.PAUSED


@pytest.mark.parametrize("verdict", [VerdictKind.ESCALATE, VerdictKind.RESTART_NARROW])
def test_no_release_goes_on_a_decision_for_less(tmp_path: Path, verdict: VerdictKind) -> None:
    """Who escalated or let a part run said more than that it was not ready."""
    ann, _ = ready_and_kept(tmp_path, verdict)
    signed(ann, "hold.release", "H-1", {**FREE, "decision_id": "D-1"})
    assert ann.state().holds["H-1"].released_seq is None


def by_decision(ann: Control, bo: Control) -> None:
    """Decide otherwise: a report that says so, and then the release on readiness."""
    a_decision(ann, "H-1", VerdictKind.RESTART_FULL, NEW)
    ann.resume_full(RELEASE)


def by_override(ann: Control, bo: Control) -> None:
    """Decide against a report that keeps it."""
    report = ann.state().reports["R-1"]
    ann.decide(DecideRequest(report.report_id, VerdictKind.RESTART_FULL, "I watched it run"))
    with pytest.raises(Refused, match="that it is ready is no answer to it"):
        ann.resume_full(RELEASE)
    wanted = ResumeRequest("H-1", decision_id="D-2")
    with pytest.raises(Refused, match="with a sign-off of another person only"):
        ann.resume_full(wanted)
    give_signoff(bo, request_signoff(ann, wanted).signoff_id)
    ann.resume_full(wanted)


def by_glass(ann: Control, bo: Control) -> None:
    """Break the glass, which is flagged."""
    ann.resume_full(ResumeRequest("H-1", break_glass_reason="the customer waits"))


@pytest.mark.parametrize("way", [by_decision, by_override, by_glass])
def test_the_ways_out_that_the_commands_have_stay_open(
    tmp_path: Path, way: Callable[[Control, Control], None]
) -> None:
    """What a command lets through is obeyed: nothing is refused in the fold alone."""
    ann, bo = ready_and_kept(tmp_path, VerdictKind.KEEP_PAUSED)
    way(ann, bo)
    state = fold(ann.store.events())
    assert state.holds["H-1"].released_seq is not None
    assert state.refused == {}

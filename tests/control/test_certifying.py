"""Drills before a first run: brought from staging by a person who vouches, aged, of the right engine, kind and version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from tests.control.test_first_run import RELEASE, a_company, production, registry, reviewed
from tests.control.test_keys import by_two
from tests.control.test_policy import agrees, forge
from tests.control.test_signoffs import clock_of
from tests.store.ground import SetClock, a_store
from workbench.clock import Clock
from workbench.control import Control
from workbench.control.certifying import accept_drills
from workbench.control.first_run import guards_of
from workbench.delivery.certificate import certificate_draft
from workbench.delivery.drilling import Drilled
from workbench.engines.switching import Effect, Evidence, OnPause, OnResume, WorkClass
from workbench.errors import AuditBroken, NotFound, Refused
from workbench.policy import default_policy
from workbench.records import Mode
from workbench.store import engine_events, rehearsed
from workbench.store.log import Draft
from workbench.store.store import Store

STRICT = default_policy("production")
"""What holds before a policy was applied asks for drills."""
SEEN = Effect(
    WorkClass.RUNNING,
    OnPause.FINISHES_STEP_THEN_WAITS,
    OnResume.CONTINUES,
    Evidence.OBSERVED,
    "3.8.1",
)
BOUND = {"engine": "prefect", "kind": "workflow"}


def a_staging_store(root: Path, *, passed: bool = True, environment: str = "staging") -> Control:
    """Make a store in which an engine was drilled, as `workbench drill` records it."""
    clock: Clock = SetClock()
    control = Control(a_store(root / "staging", clock, environment=environment), clock)
    drilled = Drilled(
        engine_id="prefect-lab",
        engine="prefect",
        version="3.8.1",
        mode=Mode.FREEZE,
        command_at=clock.now(),
        confirmed_at=clock.now() if passed else None,
        quiet_at=None,
        last_start_at=None,
        effects=(SEEN,),
        differences=(),
        leaks=(),
        not_held=(),
        undeclared=(),
        cannot=(),
        left=(),
    )
    forge(
        control,
        certificate_draft(
            drilled, kind="workflow", actor="agent-owner (dee)", environment=environment
        ),
    )
    return control


def bring(control: Control, origin: Store) -> list[dict[str, object]]:
    """Vouch for the drills of the staging engine as for those of production's."""
    return accept_drills(control, origin, drilled_id="prefect-lab", engine_id="prefect")


def a_strict_company(root: Path) -> tuple[Control, Control]:
    """Make a production store that asks for drills, with a new workflow on an engine."""
    ann, bo = a_company(root, "ann", "bo", is_gate_drilled=False)
    ann.apply_registry(registry(*production("new-agent", **BOUND)))
    return ann, bo


def check_held_until_drilled(root: Path) -> None:
    """Reviewed runs alone do not let it in; the drill that a person brings from staging does."""
    ann, bo = a_strict_company(root)
    never = "a drill certificate (prefect was never drilled for kind workflow)"
    assert reviewed(bo, 1, 2, 3) == (never,)
    with pytest.raises(Refused, match="it lacks a drill certificate") as no:
        ann.resume_full(RELEASE)
    assert "`workbench drill prefect --kind workflow` in the staging store" in no.value.then
    assert "`workbench engine certify prefect --from STAGING-STORE`" in no.value.then
    assert "workbench reviewed" not in no.value.then
    (body,) = bring(bo, a_staging_store(root).store)
    assert (body["drilled_by"], body["from_engine"]) == ("agent-owner (dee)", "prefect-lab")
    assert "freeze PASSED" in ann.card("automation=new-agent").entries[0].last_drill
    assert ann.resume_full(RELEASE).released_seq
    agrees(ann)


def check_drills_age(root: Path) -> None:
    """After the days that policy says, or on another version, a drill vouches for nothing; a clock set back revives none."""
    ann, bo = a_strict_company(root)
    reviewed(bo, 1, 2, 3)
    bring(bo, a_staging_store(root).store)
    clock_of(ann).move(timedelta(days=32).total_seconds())
    with pytest.raises(Refused, match=r"the drill of prefect is 32 days old, of at most 31"):
        ann.resume_full(RELEASE)
    (view,) = ann.status().holds
    assert "32 days old" in view.lacks[0] and "workbench drill prefect" in view.way_out
    free = {"covered": ["new-agent"], "decision_id": "", "break_glass_reason": ""}
    late = Draft(ann.clock.now(), "ann", "hold.release", "H-1", payload=free)
    forge(ann, late)
    assert ann.state().holds["H-1"].released_seq is None
    by_two(ann, bo, replace(STRICT, drill_max_age_days=60))
    state = replace(ann.state(), engine_versions={"prefect": "3.9.0"})
    why = rehearsed.drill_fault(state, state.automations["new-agent"], reached=state.newest_at)
    assert why == "prefect 3.8.1 was drilled, and it is version 3.9.0 now"
    assert ann.resume_full(RELEASE).released_seq


def check_the_fold_believes_no_drill_of_its_own(root: Path) -> None:
    """In production neither a drill that was written there nor one that nobody signed for counts."""
    ann, bo = a_strict_company(root)
    reviewed(bo, 1, 2, 3)
    origin = a_staging_store(root)
    (event,) = (e for e in origin.store.events() if e.action == "drill.record")
    body = {**event.payload, "engine": "prefect"}
    forge(ann, Draft(ann.clock.now(), "eve", "drill.record", "prefect", payload=body))
    body |= {"from_store": "st", "from_seq": 1, "from_hash": "0", "drilled_by": "eve"}
    forge(ann, Draft(ann.clock.now(), "eve", "drill.accept", "prefect", payload=body))
    assert ann.state().drills == {} and len(ann.state().refused) == 2
    with pytest.raises(Refused, match="must be signed by an enrolled key"):
        bring(Control(ann.store, ann.clock), origin.store)
    agrees(ann)


CHECKS = (
    check_held_until_drilled,
    check_drills_age,
    check_the_fold_believes_no_drill_of_its_own,
)


@pytest.mark.parametrize("check", CHECKS)
def test_a_drill_comes_before_a_first_run(check: Callable[[Path], None], tmp_path: Path) -> None:
    """Each rule about drills holds at the command and in the fold."""
    check(tmp_path)


def seed_no_drill_asked(patch: pytest.MonkeyPatch) -> None:
    """Policy asks for a drill and nobody looks."""
    from workbench.store import readiness

    patch.setattr(readiness, "drill_fault", lambda *_, **__: "")


def seed_drills_never_age(patch: pytest.MonkeyPatch) -> None:
    """A drill that passed once vouches for ever."""
    patch.setattr(rehearsed, "_fault", lambda *_: "")


def seed_unsigned_drills_count(patch: pytest.MonkeyPatch) -> None:
    """The fold believes whoever says that an engine was drilled."""
    patch.setattr(engine_events, "acceptance_fault", lambda *_: "")


@pytest.mark.parametrize(
    "seed", [seed_no_drill_asked, seed_drills_never_age, seed_unsigned_drills_count]
)
def test_each_seeded_bug_is_caught(
    seed: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in asking, ageing or believing makes at least one of the rules above fail."""
    seed(monkeypatch)
    caught = 0
    for number, check in enumerate(CHECKS):
        try:
            check(tmp_path / str(number))
        except (AssertionError, pytest.fail.Exception):
            caught += 1
    assert caught


def test_what_has_no_engine_needs_a_drill_of_the_gate(tmp_path: Path) -> None:
    """What only asks the gate is drilled as `gate`; what neither an engine nor the gate stops is never ready."""
    ann, _ = a_company(tmp_path, "ann", "bo", is_gate_drilled=False)
    wanted = registry(*production("gated"), *production("loose", asks_gate=False))
    reasons = {guard.automation_id: guard.reason for guard in guards_of(ann, wanted)}
    assert "a drill certificate (gate was never drilled for kind agent)" in reasons["gated"]
    assert "a drill certificate (no engine and no gate stops it)" in reasons["loose"]


def test_another_kind_is_not_vouched_for(tmp_path: Path) -> None:
    """A drill for workflows says nothing of agents on the same engine."""
    ann, bo = a_company(tmp_path, "ann", "bo", is_gate_drilled=False)
    bring(bo, a_staging_store(tmp_path).store)
    (guard,) = guards_of(ann, registry(*production("new-agent", engine="prefect", kind="agent")))
    assert "prefect was never drilled for kind agent" in guard.reason


def test_what_did_not_pass_is_not_brought(tmp_path: Path) -> None:
    """A failed drill, none, one of production and one of this very store are refused with what to do."""
    ann, bo = a_company(tmp_path, "ann", "bo", is_gate_drilled=False)
    failed = a_staging_store(tmp_path / "1", passed=False)
    with pytest.raises(NotFound, match="No drill of prefect-lab passed in") as no:
        bring(bo, failed.store)
    assert "`workbench drill prefect-lab --kind " in no.value.then
    with pytest.raises(Refused, match="is a production store; drills are brought from"):
        bring(bo, a_staging_store(tmp_path / "2", environment="production").store)
    assert ann.state().drills == {}


def test_a_staging_log_that_was_altered_vouches_for_nothing(tmp_path: Path) -> None:
    """Where the log of the drills does not verify, nothing of it is brought."""
    _, bo = a_company(tmp_path, "ann", "bo", is_gate_drilled=False)
    origin = a_staging_store(tmp_path)
    path = next(p for p in origin.store.backend.folder.iterdir() if p.suffix in (".db", ".sqlite"))
    connection = apsw.Connection(str(path))
    names = [
        row[0] for row in connection.execute("select name from sqlite_master where type='trigger'")
    ]
    for name in names:
        connection.execute(f'drop trigger "{name}"')
    connection.close()
    with pytest.raises(AuditBroken):
        bring(bo, origin.store)

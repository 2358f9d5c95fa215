"""The operator of a recording can still restart on a decision: production asks for keys meanwhile."""

from __future__ import annotations

from tests.cli.ground import AGENTS, REGISTRY, a_decision, a_hold, a_store, run
from tests.record.commands import enrol
from workbench.control import open_control
from workbench.records import VerdictKind
from workbench.settings import Settings

MEMBERS = REGISTRY.replace('members = ["duty officer"]', 'members = ["ops-lead"]').replace(
    "[owners.agent-owner]", '[owners.agent-owner]\nmembers = ["agent-owner"]'
)


def test_one_operator_with_a_key_restarts_on_a_decision() -> None:
    """After `enrol` a production store resumes on the operator's own decision, signed and not break-glass."""
    a_store("production", MEMBERS)
    enrol()
    a_hold(AGENTS)
    control = open_control(Settings.from_environment())
    assert control.state().policies["production"].signoffs_required == 0
    a_decision(verdict=VerdictKind.RESTART_NARROW)
    done = run(
        "resume",
        "H-1",
        "--only",
        "automation=ticket-reply",
        "--runs",
        "2",
        "--decision",
        "D-1",
        "-y",
    )
    assert done.code == 0, done.said
    assert control.state().probations["P-1"].started_by.startswith("ops-lead (ops-lead, key ")

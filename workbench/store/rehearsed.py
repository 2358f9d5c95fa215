"""Whether an automation's pause was rehearsed: the drill certificate that a first run needs, its age and version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.policy import PRODUCTION
from workbench.records import Automation, Event
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State


def drill_fault(state: State, automation: Automation, *, reached: datetime | None) -> str:
    """Return why no drill vouches for the pause of an automation, or an empty text.

    One that only asks the gate has no engine that could be drilled, and lacks nothing here.
    """
    if not automation.engine:
        return "" if automation.asks_gate else "no engine and no gate stops it"
    known = [
        body
        for body in state.drills.values()
        if (body["engine"], body["kind"]) == (automation.engine, automation.kind)
    ]
    if not known:
        return f"{automation.engine} was never drilled for kind {automation.kind}"
    faults = [_fault(state, body, reached) for body in known]
    return "" if "" in faults else faults[-1]


def _fault(state: State, body: Mapping[str, Any], reached: datetime | None) -> str:
    engine, at = body["engine"], from_text(body["command_at"])
    if not body["is_passed"]:
        return f"the drill of {engine} failed on {at:%Y-%m-%d}"
    version = state.engine_versions.get(engine, body["version"])
    if version != body["version"]:
        return f"{engine} {body['version']} was drilled, and it is version {version} now"
    days, most = (reached - at).days if reached else 0, policy_of(state).drill_max_age_days
    return f"the drill of {engine} is {days} days old, of at most {most}" if days > most else ""


def acceptance_fault(state: State, event: Event) -> str:
    """Return why a certificate from another store is not obeyed, or an empty text."""
    if event.payload["environment"] == PRODUCTION:
        return "drills are held outside production"
    policy = policy_of(state)
    if not policy.signoffs_required:
        return ""
    signer = signer_of(state, event)
    if signer is None or not holds_role(state, signer, roles=policy.may_sign):
        return "it is not signed by an enrolled key of who may sign"
    return ""

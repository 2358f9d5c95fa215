"""Whether an automation's pause was rehearsed: the drill certificate that a first run needs, its age and version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.drills import GATE, DrillOutcome
from workbench.policy import PRODUCTION
from workbench.records import Automation, Event
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State


def drill_fault(state: State, automation: Automation, *, reached: datetime | None) -> str:
    """Return why no drill vouches for the pause of an automation, or an empty text.

    What only asks the gate needs a drill of the gate. A drill that did as declared vouches, too: what it does not
    hold is named on the card.
    """
    if not automation.engine and not automation.asks_gate:
        return "no engine and no gate stops it"
    engine = automation.engine or GATE
    known = [
        body
        for body in state.drills.values()
        if (body["engine"], body["kind"]) == (engine, automation.kind)
    ]
    if not known:
        return f"{engine} was never drilled for kind {automation.kind}"
    faults = [_fault(state, body, reached) for body in known]
    return "" if "" in faults else faults[-1]


def vouches(body: Mapping[str, Any]) -> bool:
    """Tell whether a recorded drill passed, plainly or as declared."""
    return bool(body["is_passed"]) or body.get("outcome") == DrillOutcome.AS_DECLARED


def _fault(state: State, body: Mapping[str, Any], reached: datetime | None) -> str:
    engine, at = body["engine"], from_text(body["command_at"])
    if not vouches(body):
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

"""One look: the warehouse is asked, what is new is recorded, what must be is paused, and whoever must be is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.control import Control
from workbench.control.triggering import (
    lasting,
    pauses_due,
    place_guard,
    record_look,
    subjects_of,
)
from workbench.errors import WorkbenchError
from workbench.records import Event
from workbench.review.triggers import Look, evaluate, look_queries
from workbench.settings import Settings
from workbench.store.signoffs import policy_of
from workbench.telling import Told, tell_due
from workbench.trigger_rules import TriggerFinding, TriggerState
from workbench.warehouse import Warehouse


@dataclass(frozen=True)
class Noticed:
    """What a look found.

    Attributes:
        events: what it recorded: only what is new.
        hold_ids: guard holds that it placed.
        kept_back: why it placed none although the registry asks for one, or an empty text.
        told: whom it told of what fires.
    """

    findings: tuple[TriggerFinding, ...]
    events: tuple[Event, ...]
    hold_ids: tuple[str, ...] = ()
    kept_back: str = ""
    told: Told = field(default_factory=Told)

    @property
    def firing(self) -> tuple[TriggerFinding, ...]:
        """What fires now."""
        return tuple(f for f in self.findings if f.state is TriggerState.FIRES)


def look_once(control: Control, settings: Settings) -> Noticed:
    """Look at every automation and category; raises WarehouseError where the warehouse cannot be read.

    Whoever is due to be told of what fires already is told even then.
    """
    try:
        findings, events = _look(control, settings)
        held, kept_back = _pause(control, settings)
    except WorkbenchError:
        tell_due(control, settings)
        raise
    return Noticed(findings, events, held, kept_back, tell_due(control, settings))


def _look(
    control: Control, settings: Settings
) -> tuple[tuple[TriggerFinding, ...], tuple[Event, ...]]:
    state, now = control.state(), control.clock.now()
    subjects = subjects_of(state)
    with Warehouse.open(settings.home, control.clock).snapshot() as snapshot:
        asked = look_queries(subjects, now)
        tables = {name: snapshot.query(name, **values) for name, values in asked.items()}
    age = policy_of(state).evidence_max_age_seconds
    findings = tuple(evaluate(subjects, Look(tables, now, age, lasting(state, subjects))))
    return findings, record_look(control, subjects, findings=findings)


def _pause(control: Control, settings: Settings) -> tuple[tuple[str, ...], str]:
    """Place the holds that are due; never on a recorded clock, and never where policy keeps that for persons."""
    state = control.state()
    due = pauses_due(state, subjects_of(state), now=control.clock.now())
    if due and policy_of(state).is_pause_by_person:
        return (), "policy keeps pauses for persons (is_pause_by_person)"
    if due and settings.demo_clock_at:
        return (), "the clock is a recorded one"
    return tuple(place_guard(control, key).hold.hold_id for _, key in due), ""

"""Drilling from a command: the marked hold, the drill, its certificate in the log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from workbench.control.commands import Control
from workbench.control.drill_end import decide_drill_end, drill_end_command
from workbench.control.placing import PauseRequest
from workbench.delivery.certificate import certificate_draft
from workbench.delivery.drilling import Drill, Drilled, Pace
from workbench.delivery.fleet import Fleet
from workbench.delivery.gate_engine import GateEngine
from workbench.delivery.hand import Hand
from workbench.drills import GATE
from workbench.engines.interface import Engine
from workbench.errors import EngineError, NotFound, Refused
from workbench.records import Hold, Kind, Mode, Purpose
from workbench.registry import PRODUCTION
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class DrillRequest:
    """What is asked: drill an engine in a mode, for a kind of automation."""

    engine_id: str
    mode: Mode
    kind: Kind = Kind.WORKFLOW
    pace: Pace = field(default_factory=Pace)


Say = Callable[[str], None]
"""Told how far a drill is, a clause each time, for it takes minutes."""


def run_drill(
    control: Control, fleet: Fleet, *, request: DrillRequest, say: Say = lambda _: None
) -> Drilled:
    """Drill an engine and record the certificate; whoever else delivers to it stands aside meanwhile.

    Raises Refused in production and where another process delivers, NotFound for an engine that is not named,
    EngineError where it does not answer.
    """
    state = control.state()
    if state.environment == PRODUCTION:
        raise Refused(
            "A drill starts and stops made-up work, so it is held outside production.",
            next_step="point WORKBENCH_STORE at the staging store and drill the staging engine",
        )
    with _engine(control, fleet, request.engine_id) as engine:
        drilled = _drilled(control, engine, request=request, say=say)
    _record(control, drilled, request)
    return drilled


@contextlib.contextmanager
def _engine(control: Control, fleet: Fleet, engine_id: str) -> Iterator[Engine]:
    """Give the engine to drill; `gate` is the gate alone, unless an engine of that name is in the file."""
    if engine_id == GATE and engine_id not in fleet.addresses:
        gate = GateEngine(control.store.gate_folder, clock=control.clock)
        with contextlib.closing(gate):
            yield gate
        return
    engine = fleet.engine(engine_id)
    if engine is None:
        if why := fleet.faults.get(engine_id):
            raise EngineError(f"{engine_id}: {why}")
        known = ", ".join([*sorted(fleet.addresses), f"{GATE} (what asks the gate)"])
        raise NotFound(
            f"There is no engine {engine_id!r} in the file of engines; there are {known}.",
            next_step=f"put `[engines.{engine_id}]` with `kind` and `url` into `engines.toml` in WORKBENCH_HOME, "
            f"or drill {GATE}",
        )
    yield engine


def _drilled(control: Control, engine: Engine, *, request: DrillRequest, say: Say) -> Drilled:
    """Carry the drill out while nobody else delivers to the engine."""
    hand = Hand(request.engine_id, engine, control.store, control.clock)
    drill = Drill(
        hand,
        engine,
        request.mode,
        lambda: _place(control, request),
        lambda hold: _release(control, hold),
        request.pace,
        say,
    )
    with control.store.backend.leasing(f"deliver-{request.engine_id}") as is_ours:
        if not is_ours:
            raise Refused(
                f"Another process delivers to {request.engine_id} now, so it cannot be drilled.",
                next_step="stop `workbench serve` for the drill, then start it again",
            )
        for hold in _left_behind(control, request.engine_id):
            _release(control, hold)
        return drill.run()


def _left_behind(control: Control, engine_id: str) -> list[Hold]:
    """Return holds of drills that were broken off; the lease shows that nobody else drills this engine."""
    return [
        hold
        for hold in control.state().standing_holds()
        if hold.purpose is Purpose.DRILL and hold.scope == _scope(engine_id)
    ]


def _scope(engine_id: str) -> str:
    return f"automation=drill-{engine_id}"


def _place(control: Control, request: DrillRequest) -> Hold:
    asked = PauseRequest(
        _scope(request.engine_id),
        f"drill of {request.engine_id} in mode {request.mode}",
        mode=request.mode,
        purpose=Purpose.DRILL,
        is_unregistered=True,
    )
    return control.pause(asked, wait_seconds=0).hold


def _release(control: Control, hold: Hold) -> None:
    now = control.clock.now()
    command = drill_end_command(hold.hold_id, control.new_id(None))
    control.transact(
        command, lambda s, who: decide_drill_end(s, hold.hold_id, actor=who.text, now=now)
    )


def _record(control: Control, drilled: Drilled, request: DrillRequest) -> None:
    environment = control.state().environment
    content = {"name": "drill", "engine": drilled.engine_id, "mode": str(drilled.mode)}
    control.transact(
        Command(control.new_id(None), content),
        lambda _, who: Change(
            [
                certificate_draft(
                    drilled, kind=str(request.kind), actor=who.text, environment=environment
                )
            ]
        ),
    )

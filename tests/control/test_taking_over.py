"""Taking over an overdue hold: somebody else answers for it, and it goes on pausing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.ground import START, SetClock, a_control
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.control.taking_over import take_over
from workbench.errors import NotFound, Refused, UsageFault
from workbench.gate import Gate, GateState
from workbench.records import HoldState
from workbench.store.audit import verify_store
from workbench.store.documents import documents

HOUR = timedelta(hours=1)


def held(root: Path) -> tuple[Control, SetClock]:
    """Return a store with a hold that is due for review in an hour."""
    clock = SetClock()
    control = a_control(root, clock)
    control.role = "ops-lead"
    request = PauseRequest("kind=agent", "wrong amounts", review_by=START + HOUR)
    control.pause(request, wait_seconds=0.0)
    return control, clock


def test_an_overdue_hold_is_taken_over_and_stays(tmp_path: Path) -> None:
    """Who takes it over answers for it, its review is due again later, and nothing is opened."""
    control, clock = held(tmp_path)
    clock.move(3700)
    assert control.holds()[0].state is HoldState.LAPSED
    hold = take_over(control, "H-1", reason="night shift", review_by=START + 9 * HOUR)
    assert hold.keeper.startswith("ops-lead (os:")
    assert control.holds()[0].state is HoldState.ACTIVE
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED
    assert control.store.projection() == documents(control.state())
    assert verify_store(control.store).is_ok


@pytest.mark.parametrize("seconds", [0, 3000, -86400])
def test_a_hold_that_is_not_overdue_stays_with_its_keeper(tmp_path: Path, seconds: float) -> None:
    """Before its review is due a hold is not taken over, and the message says whom to talk to."""
    control, clock = held(tmp_path)
    clock.move(seconds)
    with pytest.raises(Refused, match="only an overdue hold is taken over") as caught:
        take_over(control, "H-1", reason="mine now")
    assert "ops-lead" in caught.value.then


def test_what_cannot_be_taken_over_is_refused(tmp_path: Path) -> None:
    """No such hold, no reason, and a review in the past each get their own sentence."""
    control, clock = held(tmp_path)
    clock.move(3700)
    with pytest.raises(NotFound, match="There is no hold H-9"):
        take_over(control, "H-9", reason="x")
    with pytest.raises(UsageFault, match="needs a reason"):
        take_over(control, "H-1", reason=" ")
    with pytest.raises(UsageFault, match="in the past"):
        take_over(control, "H-1", reason="x", review_by=START)

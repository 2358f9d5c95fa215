"""The ground of the contract for Temporal: a workflow type stands for its schedule and for each run in flight.

The suite looks at one reading for a workflow; here that is the schedule's, with the runs of the type taken together.
"""

from __future__ import annotations

from dataclasses import replace

from tests.engines.contract import Ground
from workbench.engines.switching import Reading


class TemporalGround(Ground):
    def reading(self, name: str) -> Reading:
        found = self.engine.state(self.scope(name))
        switches = [one for one in found if one.target_id.startswith("schedule:")]
        runs = [one for one in found if one.target_id.startswith("run:")]
        assert len(switches) == 1, f"{name} has one schedule, not {[r.target_id for r in found]}"
        assert len(switches) + len(runs) == len(found)
        return replace(
            switches[0],
            running_ids=tuple(i for one in runs for i in one.running_ids),
            frozen_ids=tuple(i for one in runs for i in one.frozen_ids),
            waiting_ids=tuple(i for one in runs for i in one.waiting_ids),
        )

"""What people do in the recording: decide approvals, verify records, note incidents and changes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.record.place import now_text
from tests.record.world import World

DECIDERS = {
    "refund-playbook": "support-lead",
    "ticket-reply": "support-lead",
    "invoice-triage": "ops-lead",
}


class Deciders(threading.Thread):
    """Decides some approvals after a while; about a third are never decided."""

    def __init__(
        self, world: World, *, every_seconds: float, wait_seconds: tuple[float, float]
    ) -> None:
        super().__init__(name="deciders", daemon=True)
        self.world = world
        self.every_seconds = every_seconds
        self.wait_seconds = wait_seconds
        self.ended = threading.Event()
        self.at_rest: set[str] = set()
        self.due: dict[str, float] = {}

    def run(self) -> None:
        """Decide until ended."""
        while not self.ended.wait(self.every_seconds):
            for approval_id, row in self.world.latest("approval").items():
                self._look_at(approval_id, row)

    def _look_at(self, approval_id: str, row: dict[str, Any]) -> None:
        dice = random.Random(approval_id)
        fate = dice.random()
        wait = dice.uniform(*self.wait_seconds)
        due = self.due.setdefault(approval_id, time.monotonic() + wait)
        is_at_rest = row["automation_id"] in self.at_rest
        if row["decided_at"] or time.monotonic() < due or is_at_rest:
            return
        by = DECIDERS[row["automation_id"]]
        if fate < 0.52:
            decide(self.world, row, decision="granted", by=by, reason="looks right")
        elif fate < 0.66:
            why = "amount does not match the order"
            decide(self.world, row, decision="denied", by=by, reason=why)


def decide(world: World, row: dict[str, Any], *, decision: str, by: str, reason: str) -> None:
    """Record a person's decision on one approval, and what follows from a denial."""
    world.revise(
        "approval",
        row["approval_id"],
        decided_at=now_text(),
        decided_by=by,
        decision=decision,
        reason=reason,
    )
    target = (row["target"][0], row["target"][1])
    world.audit(
        by,
        f"approval.{decision}",
        target,
        run_id=row["run_id"],
        reason=reason,
        payload={"approval_id": row["approval_id"]},
    )
    if decision == "denied":
        world.audit(
            row["automation_id"],
            "proposal.withdrawn",
            target,
            run_id=row["run_id"],
            reason="approval denied",
        )


def settle_approvals(world: World, automation_id: str, *, by: str) -> int:
    """Decide every pending approval of one automation, and withdraw what was granted but not carried out."""
    rows = [r for r in world.latest("approval").values() if r["automation_id"] == automation_id]
    pending = [r for r in rows if not r["decided_at"]]
    for row in pending:
        why = "proposed before or during the incident; to be proposed again"
        decide(world, row, decision="denied", by=by, reason=why)
    for row in rows:
        if row["decision"] == "granted" and not row["is_applied"]:
            world.revise("approval", row["approval_id"], is_applied=True)
            world.audit(
                by,
                "proposal.withdrawn",
                (row["target"][0], row["target"][1]),
                run_id=row["run_id"],
                reason="granted before the pause, not carried out; to be proposed again",
            )
    return len(pending)


def verify_records(
    world: World, automation_id: str, *, by: str, is_wanted: Callable[[dict[str, Any]], bool]
) -> int:
    """Verify records that an automation wrote, correcting the wrong ones; returns how many."""
    count = 0
    for key, row in world.latest("affected_record").items():
        if row["automation_id"] != automation_id or row["verified_at"] or not is_wanted(row):
            continue
        world.revise("affected_record", key, verified_at=now_text(), verified_by=by)
        world.audit(
            by, "record.verified", (row["record_type"], row["record_id"]), run_id=row["run_id"]
        )
        count += 1
    return count

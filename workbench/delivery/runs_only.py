"""Lets runs go on whose target somebody else had paused before us: they are ours, the target is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench.engines.switching import Firing, NativeCall, Plan, Receipt


def runs_let_go(plan: Plan, receipts: Mapping[str, Receipt]) -> Plan:
    """Return a resume plan in which such targets stay as found, and only the runs that we stopped go on.

    An adapter plans a receipt as if its target were ours; whether others changed the target since keeps none of
    the runs.
    """
    ours = {target: one for target, one in receipts.items() if one.is_runs_only}
    if not ours:
        return plan
    calls = tuple(call for call in plan.calls if _is_ours(call, ours))
    by_target = {target: [c.run_id for c in calls if c.target_id == target] for target in ours}
    others = tuple(firing for firing in plan.forecast if firing.target_id not in ours)
    told = tuple(_told(receipt, by_target[target]) for target, receipt in ours.items())
    cannot = {target: why for target, why in plan.cannot.items() if target not in ours}
    return replace(plan, calls=calls, cannot=cannot, forecast=(*others, *told))


def _is_ours(call: NativeCall, ours: Mapping[str, Receipt]) -> bool:
    receipt = ours.get(call.target_id)
    return receipt is None or call.run_id in receipt.altered_run_ids


def _told(receipt: Receipt, run_ids: list[str]) -> Firing:
    runs = "1 run" if len(run_ids) == 1 else f"{len(run_ids)} runs"
    said = f"{runs} that we stopped may go on; it stays paused as it was found"
    return Firing(receipt.target_id, receipt.name, len(run_ids), said, tuple(run_ids))

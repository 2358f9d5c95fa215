"""Finds calls whose effect came after nobody wanted it any more, and takes the target for ours again.

A pause whose answer was lost may take effect late. When its hold was released meanwhile, the target stands paused
without a receipt, and would for ever count as somebody else's.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import timedelta

from workbench.clock import from_text, to_text
from workbench.delivery import kept
from workbench.delivery.hand import Hand
from workbench.engines.switching import EngineScope, ScopeKind
from workbench.store.log import Draft

LATEST_EFFECT = timedelta(minutes=10)
"""How long after a call that was not answered its effect is looked for."""


def stray_receipts(hand: Hand, wanted: Set[str]) -> list[Draft]:
    """Return receipts for targets that an unanswered call of ours paused although nothing wants it now.

    Raises EngineError where the engine cannot be asked.
    """
    drafts, now, engine_id = [], hand.clock.now(), hand.engine_id
    state = hand.state()
    for (own, target), intent in state.intents.items():
        is_ours = own == engine_id and intent["mode"] != "resume" and not intent["was_paused"]
        is_late = now - from_text(intent["begun_at"]) > LATEST_EFFECT
        if not is_ours or is_late or target in wanted or (own, target) in state.receipts:
            continue
        kind = ScopeKind.ENGINE if intent["scope"] in ("", "*") else ScopeKind.WORKFLOW
        for reading in hand.engine.state([EngineScope(kind, intent["scope"] or "*")]):
            if reading.target_id == target and reading.is_paused:
                payload = {
                    "engine": engine_id,
                    "name": reading.name,
                    "hold_id": "",
                    "before": intent["before"],
                    "after": kept.plain(reading.settings),
                    "opened_at": to_text(reading.observed_at),
                    "altered_run_ids": intent["run_ids"],
                    "automation_ids": [],
                }
                drafts.append(Draft(now, kept.ACTOR, "receipt.open", target, payload=payload))
    return drafts

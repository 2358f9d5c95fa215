"""Forgets intents of which nothing is to come any more: what they were about is as wanted, is gone, or is long past.

An intent says that a call of ours may still take effect. Kept for ever it would claim for ours, months later, what
somebody else paused by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.clock import from_text
from workbench.delivery import kept
from workbench.delivery.hand import Hand
from workbench.delivery.pausing import Paused
from workbench.delivery.strays import LATEST_EFFECT
from workbench.store.log import Draft


def settled_intents(hand: Hand, done: Sequence[Paused]) -> list[Draft]:
    """Return the event that forgets them; none where each may still take effect."""
    state, now = hand.state(), hand.clock.now()
    unmet = {target for one in done for target in one.unmet}
    wanted = {target for one in done for target in one.targets}
    over = []
    for (engine_id, target), intent in state.intents.items():
        if engine_id != hand.engine_id or target in unmet:
            continue
        is_past = now - from_text(intent["begun_at"]) > LATEST_EFFECT
        is_retried = (engine_id, target) in state.receipts and target not in wanted
        if _is_over(target, intent, done) or (is_past and not is_retried):
            over.append(target)
    return [kept.settled(hand.engine_id, over, now=now)] if over else []


def _is_over(target: str, intent: Mapping[str, Any], done: Sequence[Paused]) -> bool:
    """Tell whether a pause came about, or its target left the engine: a run that was cancelled and has ended."""
    if intent["mode"] == "resume":
        return False  # it may still un-pause what is wanted paused again, and that is nobody else's doing
    return any(
        target in one.met or (intent["scope"] in one.scopes and target not in one.targets)
        for one in done
    )

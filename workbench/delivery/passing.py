"""One pass over one engine: what the log wants, compared with what is, brought there, read back and recorded."""

from __future__ import annotations

from workbench.delivery.hand import Hand
from workbench.delivery.parts import Look, Part
from workbench.delivery.pausing import pause
from workbench.delivery.resuming import resume
from workbench.delivery.settling import settled_intents
from workbench.delivery.stumbling import STUMBLES, stumble
from workbench.delivery.wanted import by_mode, wanted_of
from workbench.engines.switching import CatchUp
from workbench.errors import StorageUnavailable


def pass_over(hand: Hand) -> Look:
    """Bring the engine where the log wants it now and return how far that is; one at a time, under its lease."""
    now = hand.clock.now()
    wants = wanted_of(hand.state(), hand.engine_id, instant=now)
    try:
        done = [pause(hand, of_mode) for of_mode in by_mode(wants).values()]
        reached = {target for one in done for target in one.targets}
        left = resume(hand, reached, catch_up=CatchUp.ALL)
        hand.record(settled_intents(hand, done))
    except StorageUnavailable:
        raise  # that is not the engine's doing
    except STUMBLES as exc:
        away = {want.automation_id: Part(why=stumble(exc)) for want in wants}
        return Look(hand.engine_id, now, stumble(exc), away, is_settled=False)
    parts = {key: part for one in done for key, part in one.parts.items()}
    is_brought_about = all(part.quiet_at or part.is_final for part in parts.values())
    return Look(
        hand.engine_id,
        now,
        parts=parts,
        is_settled=is_brought_about and not left.why,
        unresumed=left.why,
        paced_seconds=left.paced_seconds if is_brought_about else 0.0,
    )

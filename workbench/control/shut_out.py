"""Says where a narrow restart comes to nothing: a safe mode keeps a whole engine paused, whoever is let through."""

from __future__ import annotations

from datetime import datetime

from workbench.store.state import State, scope_of


def shut_out(state: State, *, now: datetime) -> tuple[str, ...]:
    """Return a sentence for each engine that a safe mode keeps paused although something it runs is let through.

    Safe mode also pauses what is not registered, so an engine cannot be opened for one workflow under it.
    """
    whole = [h.hold_id for h in state.standing_holds() if scope_of(h.scope).is_everything]
    switched = {engine_id for engine_id, _ in state.receipts}
    found: dict[str, list[str]] = {}
    for automation_id, automation in sorted(state.automations.items()):
        is_bound = automation.engine in switched and automation.asks_gate
        if whole and is_bound and not state.paused_by(automation_id, now):
            found.setdefault(automation.engine, []).append(automation_id)
    return tuple(_sentence(name, ids, whole) for name, ids in sorted(found.items()))


def _sentence(engine_id: str, ids: list[str], whole: list[str]) -> str:
    verb = "is" if len(ids) == 1 else "are"
    holds = " and ".join(whole)
    return (
        f"{engine_id}: {', '.join(ids)} {verb} let through, but {holds} on `*` keeps all of {engine_id} paused; "
        f"hold what is to stay by another scope, then `workbench resume {whole[-1]} --full`"
    )

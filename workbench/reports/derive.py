"""From what a person or a scheduler says to the parameters of a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench.clock import from_text, to_text
from workbench.errors import NoMatch, NotFound, UsageFault
from workbench.records import Hold
from workbench.scope import Scope, why_no_match
from workbench.store.state import State


@dataclass(frozen=True)
class ReviewWish:
    """What is asked about one hold; empty parts are derived."""

    hold_id: str
    only: str = ""
    since: str = ""
    onset: str = ""


def parameters_for_hold(state: State, wish: ReviewWish, *, as_of: datetime) -> dict[str, str]:
    """Return the parameters of a review of a hold; raises NotFound naming the holds there are."""
    hold = state.holds.get(wish.hold_id)
    if hold is None:
        known = ", ".join(list(state.holds)[-5:]) or "none"
        raise NotFound(
            f"There is no hold {wish.hold_id}; newest: {known}.",
            next_step="`workbench hold list --all`",
        )
    only = _inside(state, hold, wish.only) if wish.only else ""
    return {
        "hold_id": hold.hold_id,
        "only": only,
        "since": wish.since,
        "onset": wish.onset,
        "as_of": to_text(as_of),
    }


def _inside(state: State, hold: Hold, only: str) -> str:
    scope = Scope.parse(only, state.automations.values())
    if str(scope) == hold.scope:
        return ""
    covered = {a.automation_id for a in scope.select(state.automations.values())}
    if not covered:
        raise NoMatch(f"{scope}: {why_no_match(scope, state.automations.values())}")
    if not covered & state.covered[hold.hold_id]:
        raise NoMatch(
            f"{scope} covers nothing that {hold.hold_id} holds ({hold.scope}).",
            next_step=f"`workbench review {hold.hold_id}`",
        )
    return str(scope)


def hold_for_scope(state: State, scope_text: str, *, since: str, is_over_too: bool) -> Hold:
    """Return the newest hold that covers all of a scope, standing or, where asked for, over too."""
    scope = Scope.parse(scope_text, state.automations.values())
    wanted = {a.automation_id for a in scope.select(state.automations.values())}
    if not wanted:
        raise NoMatch(f"{scope}: {why_no_match(scope, state.automations.values())}")
    begin = _instant(since)
    found = [
        hold
        for hold in state.holds.values()
        if wanted <= state.covered[hold.hold_id]
        and (hold.released_seq is None or (is_over_too and hold.placed_at >= begin))
    ]
    if not found:
        kind = "hold since then" if is_over_too else "standing hold"
        raise NotFound(
            f"No {kind} covers {scope}, so there is nothing to review.",
            next_step="`workbench status`",
        )
    return max(found, key=lambda hold: hold.placed_seq)


def _instant(text: str) -> datetime:
    try:
        return from_text(text)
    except ValueError as exc:
        raise UsageFault(f"--since: {exc}.") from exc

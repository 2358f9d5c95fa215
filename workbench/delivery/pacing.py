"""What a resume asked for about catching up and speed, and how much of it an engine may be let go now.

The rate counts runs that the forecast says start: so many in any minute, over all passes and processes, for the
log says when each was let go. A target whose own backlog is larger than the rate is let go alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from workbench.engines.switching import CatchUp, Plan, Receipt
from workbench.store.state import State

WINDOW = timedelta(minutes=1)
_CAREFUL = (CatchUp.SKIP, CatchUp.LATEST, CatchUp.ALL)


@dataclass(frozen=True)
class Choice:
    """What the newest resume of a target's automations asked for.

    Attributes:
        catch_up: what is to become of missed starts; None where nobody said.
        rate_per_minute: runs that may be let go in a minute; None for no limit.
    """

    catch_up: CatchUp | None = None
    rate_per_minute: int | None = None


@dataclass(frozen=True)
class Paced:
    """A resume plan cut to what may go now.

    Attributes:
        counts: target -> runs that count against the rate.
        later: targets that wait for their turn.
    """

    plan: Plan
    counts: Mapping[str, int]
    later: frozenset[str]


def choice_of(state: State, engine_id: str, *, target: str) -> Choice:
    """Return what was asked for a target; of several automations on it the most careful one."""
    body = state.receipts[engine_id, target]
    keys = body["automation_ids"] or [body["hold_id"]]
    said = [state.resume_choices.get(key, {}) for key in keys]
    policies = [CatchUp(one["catch_up"]) for one in said if "catch_up" in one]
    rates = [int(one["rate_per_minute"]) for one in said if "rate_per_minute" in one]
    return Choice(min(policies, key=_CAREFUL.index, default=None), min(rates, default=None))


def spent(state: State, engine_id: str, *, now: datetime) -> int:
    """Return how many runs were let go in the minute that ends now."""
    gone = state.let_go.get(engine_id, ())
    return sum(count for at, count in gone if now - at < WINDOW)


def seconds_to_wait(state: State, engine_id: str, *, now: datetime) -> float:
    """Return how long it is until something more may be let go."""
    times = [at for at, _ in state.let_go.get(engine_id, ()) if now - at < WINDOW]
    return max(1.0, (min(times) + WINDOW - now).total_seconds()) if times else 1.0


def within_rate(plan: Plan, free: Mapping[str, Receipt], *, rate: int, already: int) -> Paced:
    """Return the part of a plan that may go out now; what cannot be told of counts as a whole minute's worth."""
    told = {f.target_id: rate if f.count is None else max(1, f.count) for f in plan.forecast}
    counts, later = {}, set()
    for target in free:
        if target in plan.cannot and not any(c.target_id == target for c in plan.calls):
            continue
        count = told.get(target) or _untold(plan, target, rate)
        if already and already + count > rate:
            later.add(target)
            continue
        counts[target], already = count, already + count
    cut = replace(
        plan,
        calls=tuple(call for call in plan.calls if not later & {*call.target_ids}),
        forecast=tuple(firing for firing in plan.forecast if firing.target_id not in later),
    )
    return Paced(cut, counts, frozenset(later))


def _untold(plan: Plan, target: str, rate: int) -> int:
    """Return what counts for a target without a forecast: one for a run, a minute's worth for all else that opens."""
    is_opened = any(target in call.target_ids for call in plan.calls)
    is_run = any(target.partition(":")[2] in firing.run_ids for firing in plan.forecast)
    return rate if is_opened and not is_run else 1

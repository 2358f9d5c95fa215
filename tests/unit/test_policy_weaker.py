"""Which policy is weaker than another: a pure question of each setting, answered for every setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import policy as policies
from workbench.policy import MEANING, ROLES, Policy, weaker_fields

NAMES = st.sampled_from(["ops-lead", "agent-owner", "support-lead"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    name: st.lists(NAMES, unique=True, max_size=3).map(tuple)
    if name in ROLES
    else st.booleans()
    if name.startswith("is_")
    else st.integers(1, 5)
    for name in MEANING
}
POLICIES = st.builds(Policy, st.just("production"), **VALUES)


def everybody(roles: tuple[str, ...]) -> set[str]:
    """Return whom a list of roles lets: none named lets everybody."""
    return set(roles) or {"ops-lead", "agent-owner", "support-lead", "anybody"}


def asks_less(name: str, old: Any, new: Any) -> bool:
    """Say in other words whether a setting asks for less, or lets more people."""
    if name in ROLES:
        return bool(everybody(new) - everybody(old))
    if name.endswith(("_seconds", "_days")):
        return bool(new > old)
    return bool(new < old)


def check_each_setting(old: Policy, new: Policy) -> None:
    """Assert that exactly the settings are named that ask for less or let more people."""
    wanted = {n for n in MEANING if asks_less(n, getattr(old, n), getattr(new, n))}
    assert set(weaker_fields(old, new)) == wanted


@given(old=POLICIES, new=POLICIES)
def test_exactly_what_is_weaker_is_named(old: Policy, new: Policy) -> None:
    """Fewer persons or runs, longer times, a rule switched off, a role let in: named, and nothing else."""
    check_each_setting(old, new)


@given(old=POLICIES, middle=POLICIES, new=POLICIES)
def test_no_way_round(old: Policy, middle: Policy, new: Policy) -> None:
    """What is weaker than the first is weaker in one of two steps: no detour weakens unseen."""
    through = {*weaker_fields(old, middle), *weaker_fields(middle, new)}
    assert set(weaker_fields(old, new)) <= through
    assert weaker_fields(old, old) == ()


@given(old=POLICIES, new=POLICIES)
def test_every_difference_has_a_direction(old: Policy, new: Policy) -> None:
    """A setting that differs is weaker one way or the other, or both for roles: none is left out."""
    there, back = weaker_fields(old, new), weaker_fields(new, old)
    for name in MEANING:
        was, will = getattr(old, name), getattr(new, name)
        is_same = set(was) == set(will) if name in ROLES else was == will
        everyone = name in ROLES and {bool(was), bool(will)} == {True, False}
        assert (name in there or name in back) is (not is_same), name
        assert not (name in there and name in back and not everyone and name not in ROLES)


def seed_times_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """A longer time is not weaker."""
    right = policies._is_weaker
    patch.setattr(
        policies, "_is_weaker", lambda n, a, b: not n.endswith("_seconds") and right(n, a, b)
    )


def seed_more_runs_are_weaker(patch: pytest.MonkeyPatch) -> None:
    """The direction of counts is taken the wrong way round."""
    patch.setattr(policies, "_LESS_ASKS_LESS", {"signoffs_required"})


def seed_nobody_named_is_nobody(patch: pytest.MonkeyPatch) -> None:
    """A list of roles that is emptied is thought to let nobody."""
    right = policies._is_weaker
    patch.setattr(policies, "_is_weaker", lambda n, a, b: (b != () or a == b) and right(n, a, b))


def seed_switched_off_is_not_seen(patch: pytest.MonkeyPatch) -> None:
    """A rule that is switched off is not weaker."""
    right = policies._is_weaker
    patch.setattr(
        policies, "_is_weaker", lambda n, a, b: not n.startswith("is_") and right(n, a, b)
    )


SEEDS = [value for name, value in sorted(globals().items()) if name.startswith("seed_")]
STRICT = Policy(
    "production", 2, 60, is_override_signed=True, may_sign=("ops-lead",), clean_runs=60,
    is_first_run_guarded=True,
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_the_check_catches(seed: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Each seeded bug is seen by the same comparison."""
    changes: list[dict[str, Any]] = [
        {"signoff_valid_seconds": 61}, {"clean_runs": 59}, {"may_sign": ()}, {"is_override_signed": False},
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises(AssertionError):
            for change in changes:
                check_each_setting(STRICT, replace(STRICT, **change))

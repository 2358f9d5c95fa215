"""Who may give a command under the policy: an enrolled key, in a role that the policy names."""

from __future__ import annotations

from collections.abc import Collection

from workbench.control.signing import Who, key_of
from workbench.errors import Refused
from workbench.records import EnrolledKey
from workbench.store.signoffs import holds_role
from workbench.store.state import State


def require_role(state: State, who: Who, *, roles: tuple[str, ...], doing: str) -> None:
    """Refuse who is not in one of the roles that policy names; where it names none, everybody may."""
    if roles:
        key = key_of(who, f"Who may {doing} is said by the policy of {state.environment}; it")
        check_role(state, key, roles=roles, doing=doing)


def check_role(
    state: State,
    key: EnrolledKey,
    *,
    roles: tuple[str, ...],
    doing: str,
    barred: Collection[str] = (),
) -> None:
    """Refuse a key whose person is no member of its role in the registry, or whose role policy does not name.

    Who may is named as the one to ask, but for those whom another rule bars from it.
    """
    if holds_role(state, key, roles=roles):
        return
    entitled = {k.person for k in state.keys.values() if holds_role(state, k, roles=roles)}
    others = sorted(entitled - set(barred))
    is_member = holds_role(state, key, roles=())
    raise Refused(
        f"{key.person} as {key.role} may not {doing}; the policy of {state.environment} lets "
        f"{', '.join(roles)}."
        if is_member
        else f"{key.person} may not {doing}: the registry does not name them as a member of {key.role}.",
        next_step=f"ask {', '.join(others)} to type it; `workbench policy show` says who may"
        if others
        else "`workbench registry apply FILE` with the members of that role, then `workbench key enrol`",
    )

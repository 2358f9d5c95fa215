"""What the doctor says of the addresses of roles: who can be told that something fires, and who cannot."""

from __future__ import annotations

from workbench.control.notices import roles_to_tell
from workbench.errors import BadSettings
from workbench.notify import read_book, unknown_addresses
from workbench.settings import Settings
from workbench.store.store import Store


def telling_words(settings: Settings, store: Store) -> tuple[bool, str, str]:
    """Return whether it is well, what was found, and what to do; roles without an address are a warning."""
    roles, path = roles_to_tell(store.state()), settings.notify_file
    try:
        book = read_book(path)
    except BadSettings as exc:
        return False, exc.message.rstrip("."), exc.then
    if odd := unknown_addresses(book):
        mend = "write them as Apprise's list of services shows"
        return False, f"no service takes: {'; '.join(odd)}", mend
    lacking = ", ".join(role for role in roles if role not in book.addresses)
    if not lacking:
        return (
            True,
            f"every role has an address ({len(roles)})" if roles else "no role is to be told",
            "",
        )
    mend = f"give them addresses under [roles] in {path}"
    return True, f"WARNING, cannot be told that something fires: {lacking}", mend

"""Whose checkpoints are missing: others keep theirs where they like, so that only own ones that failed are wrong."""

from __future__ import annotations

import os
import re

from workbench.control.actor import operating_system_user
from workbench.control.hub import hub_user
from workbench.control.signing import own_key
from workbench.settings import KEY_FILE, Settings
from workbench.store.audit import AuditResult
from workbench.store.store import Store


def behind_words(settings: Settings, store: Store, *, result: AuditResult) -> tuple[bool, str, str]:
    """Say of checkpoints that end before the log whether that is well, what was found, and what to do.

    Who gave a command copies its checkpoint into a folder of their own. What others gave is anchored there; what
    this person gave and no checkpoint here saw could not be written, or was given from another WORKBENCH_HOME.
    """
    size = result.anchored.size
    where = ", ".join(str(folder) for folder in settings.anchor_folders)
    folders = [folder for folder in settings.anchor_folders if folder.exists()]
    shut = [str(folder) for folder in folders if not os.access(folder, os.W_OK)]
    since = f"{where}: unanchored since event {size}"
    if shut:
        mend = "make the folders writable, and see what was recorded since: `workbench audit show`"
        return False, f"{since}; {', '.join(shut)} cannot be written", mend
    late = store.events(size)
    if any(_is_own(settings, event.actor, set(store.state().keys)) for event in late):
        mend = (
            "see that the folders can be written and the disk has room, then give any command; those of another "
            "WORKBENCH_HOME are anchored there"
        )
        return False, f"{since}, and some of it is yours", mend
    count = result.event_count - size
    events = "event was" if count == 1 else f"{count} events were"
    said = f"{where}: the last {events} anchored by others, where they keep them"
    return True, said, "the next command of yours anchors them here too"


def _is_own(settings: Settings, actor: str, enrolled: set[str]) -> bool:
    """Tell whether a command is this person's: by the key, where one is enrolled, else by the account."""
    key = own_key(settings.home / KEY_FILE)
    if key is not None and key.key_id in enrolled:
        return f"key {key.key_id}" in actor
    if any(f"key {key_id}," in actor for key_id in enrolled):
        return False  # somebody's with a key, whatever the account
    hub = hub_user()
    user = f"hub:{hub}" if hub else f"os:{operating_system_user()}"
    return re.search(rf"(?<![\w:]){re.escape(user)}(?![\w.-])", actor) is not None

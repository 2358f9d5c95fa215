"""The user as JupyterHub knows them: asked of the Hub itself, for a variable can be set by anybody."""

from __future__ import annotations

import functools

from workbench.settings import hub_access

WAIT_SECONDS = 1.0
"""A pause waits no longer than this for the Hub; then the person is the system's user, unverified."""

_LARGEST_ANSWER_BYTES = 65536


def hub_user() -> str | None:
    """Return the name that the Hub gives the holder of this process's token; None without a Hub or an answer."""
    url, token = hub_access()
    return _asked(url, token) if url and token else None


@functools.lru_cache(maxsize=8)
def _asked(url: str, token: str) -> str | None:
    """Ask once a process: GET /user of the Hub's REST interface, with the token that the Hub itself gave."""
    if not url.startswith(("http://", "https://")):
        return None
    import http.client  # only where a Hub is: a cold pause is not to wait for an HTTP client
    import json
    import urllib.request

    try:
        request = urllib.request.Request(
            f"{url.rstrip('/')}/user", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            body = json.loads(answer.read(_LARGEST_ANSWER_BYTES))
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return None
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) and name and name.isprintable() else None

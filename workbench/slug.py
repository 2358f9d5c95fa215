"""The form of every id and value of a scope."""

from __future__ import annotations

import re

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""An allow-list, so that look-alike letters, spaces and other case never match by accident."""

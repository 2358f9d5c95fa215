"""What an adapter may raise over an answer that nobody foresaw: a doubt about one engine, never the end of a pause."""

from __future__ import annotations

from workbench.errors import WorkbenchError

STUMBLES = (WorkbenchError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError)
"""Adapters come from other packages too; a bug in one must not make a recorded pause look unrecorded."""


def stumble(error: BaseException) -> str:
    """Return what to say of it: the engine's own sentence, or that its adapter cannot read the answer."""
    if isinstance(error, WorkbenchError):
        return error.message
    return f"its adapter cannot read the answer ({type(error).__name__}: {str(error)[:120]})"

"""One wrapper around every action of a panel: one at a time, and every failure is shown in place."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import traitlets

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Message:
    """One sentence for the person at the screen, and the next thing to do where there is one."""

    text: str = ""
    next_step: str = ""
    is_alert: bool = False

    @classmethod
    def of_error(cls, error: WorkbenchError) -> Message:
        """Take sentence and next step over from an error of the workbench."""
        return cls(error.message, error.then, is_alert=True)

    @classmethod
    def of_surprise(cls, error: BaseException) -> Message:
        """Name an error that nobody foresaw, with its type, so that it can be looked up."""
        return cls(
            f"{type(error).__name__}: {error}",
            "look at the list of holds below to see what was recorded, and run `workbench doctor`",
            is_alert=True,
        )


NOTHING = Message()
PATIENCE_SECONDS = 3.0
"""An action waits so long for another one of the same form to end, then says that it did not run."""


class GuardedModel(traitlets.HasTraits):
    """State of a part of a panel whose actions may be clicked twice, from two threads at once.

    Attributes:
        message: what the last action said.
        last_error: type and text of the last error nobody foresaw; empty when there was none.
        is_busy: an action is under way.
    """

    message = traitlets.Instance(Message, default_value=NOTHING)
    last_error = traitlets.Unicode()
    is_busy = traitlets.Bool()

    def __init__(self, **traits: Any) -> None:
        """Start idle."""
        super().__init__(**traits)
        self._action_lock = threading.Lock()
        self._under_way = ""


M = TypeVar("M", bound=GuardedModel)
P = ParamSpec("P")


def guarded(
    action: Callable[Concatenate[M, P], None],
) -> Callable[Concatenate[M, P], None]:
    """Run an action alone: the same one while it is under way is a repeat and is dropped."""
    name = action.__name__

    @functools.wraps(action)
    def run(model: M, *args: P.args, **kwargs: P.kwargs) -> None:
        # Callbacks come on the main thread and on a subshell thread at the same time. The same action
        # again is the second half of a double click. Another one waits: Confirm may be pressed while
        # the thread that has just shown it is still at the last line of arming.
        if model._under_way == name:
            return
        if not model._action_lock.acquire(timeout=PATIENCE_SECONDS):
            model.message = Message(
                f"Still busy with {model._under_way}; nothing else was done.", is_alert=True
            )
            return
        try:
            model._under_way, model.is_busy = name, True
            action(model, *args, **kwargs)
        except WorkbenchError as error:
            model.message = Message.of_error(error)
        except Exception as error:
            model.last_error = f"{type(error).__name__}: {error}"
            model.message = Message.of_surprise(error)
            raise
        finally:
            model._under_way, model.is_busy = "", False
            model._action_lock.release()

    return cast(Callable[Concatenate[M, P], None], run)

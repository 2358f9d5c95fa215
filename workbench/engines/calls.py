"""Sends native calls and says how each ended; what an adapter needs beside its own words."""

from __future__ import annotations

from collections.abc import Callable

from workbench.clock import Clock
from workbench.engines.http import Answer, JsonClient, Unanswered
from workbench.engines.switching import CallOutcome, CallResult, NativeCall
from workbench.errors import EngineError

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


def send_call(
    client: JsonClient,
    call: NativeCall,
    *,
    clock: Clock,
    refusal: Callable[[Answer], str] = lambda _: "",
) -> CallOutcome:
    """Send one call and return how it ended; `refusal` finds the no in an answer whose status says yes.

    A status that says busy may have taken effect, so it counts as unknown, as no answer does.
    """
    began_at = clock.now()

    def ended(result: CallResult, answer: str, *, can_retry: bool = False) -> CallOutcome:
        return CallOutcome(
            call.call_id, result, answer[:500], began_at, clock.now(), can_retry=can_retry
        )

    try:
        answer = client.send(call.method, call.path, body=call.body)
    except Unanswered as exc:
        return ended(CallResult.UNKNOWN, exc.message, can_retry=True)
    except EngineError as exc:
        return ended(CallResult.REFUSED, exc.message, can_retry=True)
    if answer.status in _BUSY:
        return ended(CallResult.UNKNOWN, f"{answer.status} {answer.text}", can_retry=True)
    if answer.status >= 300:
        return ended(CallResult.REFUSED, f"{answer.status} {answer.text}")
    if no := refusal(answer):
        return ended(CallResult.REFUSED, no)
    return ended(CallResult.DONE, f"{answer.status} {answer.text}".strip())

"""One of several processes that give random commands to one store and write down what they asked and heard.

`python -m tests.store.history_worker NAME COUNT [BUG]`; it waits for a line before it begins. Instants are of
the monotonic clock, in nanoseconds, which processes of one machine share.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.store.ground import START, SetClock, break_glass
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.control.taking_over import take_over
from workbench.errors import Conflict, NotFound, Refused
from workbench.gate import Gate
from workbench.settings import Settings

SCOPES = ("kind=agent", "automation=order-sync", "*")
ASKED = ("ticket-reply", "order-sync", "stock-watch")
SHARED = 3
"""How many command ids all processes use, one after the other and at once."""
Said = dict[str, Any]


class Worker:
    """Gives one command after the other; what was seen of the store last may be old."""

    def __init__(self, name: str, control: Control, gate: Gate) -> None:
        """Act on a store; the name seeds what is done."""
        self.name, self.control, self.gate = name, control, gate
        self.chance = random.Random(name)
        self.seen_seq: int | None = None

    def say(self, **what: Any) -> None:
        """Write down one line, at once."""
        sys.stdout.write(
            json.dumps({"worker": self.name, "at": time.monotonic_ns(), **what}) + "\n"
        )
        sys.stdout.flush()

    def act(self, number: int) -> None:
        """Do one thing and write down what came of it."""
        kinds = (
            "place",
            "place",
            "release",
            "release",
            "narrow",
            "take over",
            "shared",
            "ask",
            "look",
        )
        what = self.chance.choice(kinds)
        asked = self.asked(what, f"{self.name}-{number}")
        self.say(number=number, asked=asked)
        try:
            said = getattr(self, f"_{what.replace(' ', '_')}")(asked)
        except (Refused, NotFound, Conflict) as exc:
            said = {"no": type(exc).__name__}
        except Exception as exc:  # noqa: BLE001 # the checker reports whatever it is
            said = {"error": f"{type(exc).__name__}: {exc}"[:300]}
        self.say(number=number, said=said)

    def asked(self, what: str, command_id: str) -> Said:
        """Return what is asked for: few holds, so that the processes meet at them."""
        hold_id = f"H-{max(1, self.known() - self.chance.randint(-1, 2))}"
        base = self.chance.choice((None, self.seen_seq))
        scope = self.chance.choice(SCOPES)
        if what == "shared":
            number = self.chance.randrange(SHARED)
            is_other = self.chance.random() < 0.2
            return {
                "do": "place",
                "id": f"shared-{number}",
                "scope": SCOPES[(number + is_other) % 3],
                "due": False,
            }
        return {
            "place": {"do": "place", "id": command_id, "scope": scope, "due": self.chance.random() < 0.5},
            "release": {"do": "release", "id": command_id, "hold": hold_id, "based_on": base},
            "narrow": {"do": "narrow", "id": command_id, "hold": hold_id, "based_on": base},
            "take over": {"do": "take over", "id": command_id, "hold": hold_id},
            "ask": {"do": "ask", "automation": self.chance.choice(ASKED)},
            "look": {"do": "look"},
        }[what]  # fmt: skip

    def known(self) -> int:
        """Count the holds there are, as far as this process knows."""
        return len(self.control.state().holds)

    def _place(self, asked: Said) -> Said:
        review_by = START - timedelta(seconds=60) if asked["due"] else None
        request = PauseRequest(asked["scope"], "why", review_by=review_by)
        done = self.control.pause(request, command_id=asked["id"], wait_seconds=0)
        return {"yes": done.hold.hold_id, "again": done.is_repeat}

    _shared = _place

    def _release(self, asked: Said) -> Said:
        request = break_glass(asked["hold"], based_on=asked["based_on"])
        return {"yes": self.control.resume_full(request, command_id=asked["id"]).hold_id}

    def _narrow(self, asked: Said) -> Said:
        request = break_glass(asked["hold"], "*", 1, based_on=asked["based_on"])
        return {"yes": self.control.resume_narrow(request, command_id=asked["id"]).probation_id}

    def _take_over(self, asked: Said) -> Said:
        return {
            "yes": take_over(
                self.control, asked["hold"], reason="mine", command_id=asked["id"]
            ).hold_id
        }

    def _ask(self, asked: Said) -> Said:
        answer = self.gate.check(asked["automation"])
        said = {"state": str(answer.state), "holds": sorted(answer.holds), "seq": answer.as_of_seq}
        return said if not answer.reason else {**said, "reason": answer.reason}

    def _look(self, asked: Said) -> Said:
        state = self.control.state()
        self.seen_seq = state.seq
        return {"seq": state.seq, "standing": [h.hold_id for h in state.standing_holds()]}


def main() -> None:
    """Wait for the start, then act."""
    name, count, bug = sys.argv[1], int(sys.argv[2]), (*sys.argv[3:], "")[0]
    if bug:
        from tests.store import history_bugs

        getattr(history_bugs, bug)(random.Random(name))
    settings = Settings.from_environment()
    worker = Worker(name, open_control(settings, SetClock()), Gate(Path(settings.gate)))
    worker.say(ready=True)
    sys.stdin.readline()
    for number in range(count):
        worker.act(number)


if __name__ == "__main__":
    main()

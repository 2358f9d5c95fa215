"""The random walk of the store's tests, given by words: every step is a command line, every screen is read back.

Most commands run in this process, through the same `main` that the program calls; some are programs of their
own, and some of a forked child that is killed in the middle.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.cli.ground import Result, run
from tests.store.ground import registry_text, settings_in
from tests.store.machine import IDS, SCOPES, Machine, matches, text_of
from workbench.cli import main
from workbench.clock import to_text
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.errors import Conflict, NoMatch, Refused
from workbench.gate import Gate, GateState
from workbench.records import Automation
from workbench.snapshot import Publisher

GLASS = ("--break-glass", "the customer waits", "--yes")
EXITS = {GateState.CLEAR: 0, GateState.PAUSED: 20, GateState.UNKNOWN: 21}
PROGRAMS = 1
"""Steps of one walk that start a program of their own; each takes as long as fifty others."""
DEADLY = (
    "insert_event",
    "commit",
    "mark_outbox_delivered",
    "begin_beside",
    "complete",
    "replace",
    "fsync",
)
"""Where a command is killed: statements of the store, parts of the publication, calls of the machine."""


class CommandMachine(Machine):
    """Commands by their words, on a recorded clock that the walk sets."""

    program_count = 0

    def words(self, *words: str) -> Result:
        """Run one command in this process."""
        with mock.patch.dict(os.environ, self.environment()):
            return run(*words)

    def environment(self) -> dict[str, str]:
        """Return what the environment says of store, gate, home and clock."""
        named = settings_in(self.root).as_environment()
        return {**named, "WORKBENCH_CLOCK": to_text(self.clock.at)}

    def give_pause(self, request: PauseRequest, command_id: str) -> tuple[str, bool]:
        """Pause by `workbench pause --json`; a repeat whose hold was released meanwhile is refused by its name."""
        done = self.words(*pause_words(request, command_id))
        said = re.search(r"command id placed (H-\d+), which was released", done.err)
        if said is not None:
            assert (done.code, said[1] in self.standing()) == (3, False), done.said
            return said[1], True
        checked(done)
        return done.document["hold_id"], done.document["is_repeat"]

    def give_release(self, hold_id: str) -> None:
        """Release by `workbench resume --full`; whichever hold it says it released is the one that was named."""
        done = checked(self.words("resume", hold_id, "--full", *GLASS))
        assert f"{hold_id} released at" in done.out, done.said

    def give_narrow(self, request: ResumeRequest) -> tuple[str, set[str]]:
        """Restart by `workbench resume --only`, and read from its print-out what was let through."""
        until = ("--until", to_text(request.until)) if request.until else ()
        limits = ("--only", request.only or "*", "--runs", str(request.runs), *until)
        done = checked(self.words("resume", request.hold_id, *limits, *GLASS))
        said = re.search(r"^(P-\d+): (.*) may run (\d+) times", done.out, re.MULTILINE)
        assert said is not None, done.said
        assert said[3] == str(request.runs)
        return said[1], set(said[2].split(", "))

    def give_registry(self, automations: list[Automation]) -> bool:
        """Apply by `workbench registry apply`."""
        path = self.root / "automations.toml"
        path.write_text(registry_text(automations), encoding="utf-8")
        done = checked(self.words("registry", "apply", str(path), "--yes"))
        return "Nothing differs" not in done.out

    def read_screen(self) -> dict[str, str]:
        """Read `status --json`, and ask `gate --json` about each automation: word, holds and exit code agree."""
        document = checked(self.words("status", "--json")).document
        for name in (*IDS, "ghost"):
            asked, known = self.words("gate", name, "--json"), self.gate.check(name)
            answer = asked.document
            assert (answer["state"], answer["holds"]) == (str(known.state), list(known.holds))
            assert asked.code == EXITS[known.state], asked.said
        standing = [h["hold_id"] for h in document["holds"]]
        assert sorted(standing) == sorted(self.standing())
        return {row["automation_id"]: row["state"] for row in document["automations"]}

    def read_audit(self) -> str:
        """Verify by `workbench audit verify`, and the caches besides."""
        done = self.words("audit", "verify")
        return super().read_audit() if done.code == 0 else done.said

    @precondition(lambda self: self.program_count < PROGRAMS)
    @rule(wanted=SCOPES)
    def pause_by_program(self, wanted: dict[str, str]) -> None:
        """Pause by a program of its own, as a person does."""
        self.program_count += 1

        def program(*words: str) -> Result:
            done = subprocess.run(
                [sys.executable, "-m", "workbench", *words],
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment()},
            )  # fmt: skip
            return Result(done.returncode, done.stdout, done.stderr)

        with mock.patch.object(self, "words", program):
            self.pause(wanted, False)

    @rule(
        wanted=SCOPES, point=st.sampled_from(DEADLY), is_after=st.booleans(), nth=st.integers(1, 2)
    )
    def pause_and_be_killed(
        self, wanted: dict[str, str], point: str, is_after: bool, nth: int
    ) -> None:
        """A pause killed anywhere is there or not, and is there where it was told of (I9); no gate opens (I14)."""
        command_id = f"c{len(self.sent)}"
        request = PauseRequest(text_of(wanted), "why", is_unregistered="automation" in wanted)
        with mock.patch.dict(os.environ, self.environment()):
            out = killed(pause_words(request, command_id), Deadly(point, is_after, nth))
        told = {name: Gate(self.root / "gate", clock=self.clock).check(name) for name in IDS}
        store = self.control.store
        placed = [e for e in store.events() if e.payload["command"]["id"] == command_id]
        for name, answer in told.items():
            if answer.state is GateState.CLEAR:
                assert not store.state(answer.as_of_seq).holds_on(name)
                assert not store.state().holds_on(name)
        is_told = '"hold_id"' in out
        assert placed or not is_told
        if placed:
            self.history += [("command",), ("hold", placed[0].target, wanted)]
            self.sent.append((command_id, request))
        else:
            known = self.truth.automations.items()
            assert not is_told or any(matches(wanted, n, v) for n, v in known)
        self.killed_seq = store.head_note().seq
        checked(self.words("status"))  # any command repairs what the kill left


def pause_words(request: PauseRequest, command_id: str) -> list[str]:
    """Return the words of a pause."""
    words = ["pause", request.scope, "-r", request.reason, "--command-id", command_id]
    words += ["--unregistered"] if request.is_unregistered else []
    words += ["--review-by", to_text(request.review_by)] if request.review_by else []
    return [*words, "--yes", "--no-wait", "--json"]


def checked(result: Result) -> Result:
    """Return a result that is a success, and raise for a refusal what the same command raises in Python."""
    if result.code in (0, 10):
        return result
    assert result.code in (3, 4), f"exit code {result.code}: {result.said}"
    assert "Traceback" not in result.err
    if "was used at event" in result.err and "other content" in result.err:
        raise Conflict(result.err)
    raise (NoMatch if result.code == 4 else Refused)(result.err)


class Deadly:
    """Kills its own process before or after the n-th call of something; put into a forked child alone."""

    def __init__(self, point: str, is_after: bool, nth: int) -> None:
        """Remember where."""
        self.point, self.is_after, self.left = point, is_after, nth

    def put(self) -> None:
        """Put it into this process."""
        if self.point in ("begin_beside", "complete"):
            setattr(Publisher, self.point, self._around(getattr(Publisher, self.point)))
        elif self.point in ("replace", "fsync"):
            setattr(os, self.point, self._around(getattr(os, self.point)))
        else:
            for driver in ("workbench.store.sqlite", "workbench.store.postgres"):
                if driver in sys.modules:
                    module: Any = sys.modules[driver]
                    module.run = self._around(module.run, self.point)

    def _around(self, function: Callable[..., Any], only: str = "") -> Callable[..., Any]:
        def called(*given: Any, **more: Any) -> Any:
            is_it = not only or only in given
            self.left -= is_it
            is_now = is_it and self.left == 0
            if is_now and not self.is_after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = function(*given, **more)
            if is_now:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return called


def killed(words: Sequence[str], deadly: Deadly) -> str:
    """Run a command in a forked child that kills itself, and return what it had printed."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the other threads of a test run hold nothing of ours
        child = os.fork()
    if child == 0:
        try:
            sys.stdout = os.fdopen(write_end, "w")
            deadly.put()
            main(list(words))
        finally:
            os._exit(99)
    os.close(write_end)
    with os.fdopen(read_end) as printed:
        out = printed.read()
    os.waitpid(child, 0)
    return out

"""The operator's commands: our own command line as a subprocess, and Prefect's own calls, each recorded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.record.catalog import HELD, SERVED
from tests.record.place import Place, now_text
from tests.record.prefect_side import PrefectSide
from tests.record.world import World

logger = logging.getLogger("record")
DONE = (0, 10)
"""Exit codes of a command that was carried out: 10 is recorded, not confirmed."""


@dataclass
class Operator:
    """Runs commands and keeps what they printed."""

    place: Place
    python: Path
    prefect: PrefectSide
    world: World
    code: Path

    def run(self, *words: str, wait_seconds: float = 90) -> bool:
        """Run one workbench command and keep what it printed; returns whether it was done."""
        return self._run("workbench.cli", words, wait_seconds) is not None

    def load_batches(self) -> bool:
        """Load the batches taken so far into the operator's warehouse; returns whether all were taken."""
        words = ("load", str(self.place.root))
        return self._run("tests.record.commands", words, wait_seconds=120) is not None

    def enrol(self) -> bool:
        """Make and enrol the operator's key, with a policy that lets one person restart; says whether it worked."""
        return self._run("tests.record.commands", ("enrol", ""), wait_seconds=60) is not None

    def last_report(self, hold_id: str) -> str:
        """Return the id of the newest report about a hold, or an empty text."""
        return self._run("tests.record.commands", ("last-report", hold_id), wait_seconds=60) or ""

    def _run(self, module: str, words: tuple[str, ...], wait_seconds: float) -> str | None:
        """Run one module of the operator's copy; returns what it printed, or None where it failed."""
        began = now_text()
        try:
            done = subprocess.run(
                [str(self.python), "-m", module, *words],
                capture_output=True,
                text=True,
                timeout=wait_seconds,
                cwd=self.place.root,
                env={**os.environ, "PYTHONPATH": str(self.code)},
                check=False,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except (OSError, subprocess.TimeoutExpired) as exc:
            code, out, err = -1, "", repr(exc)
        entry = {
            "at": began,
            "ended_at": now_text(),
            "module": module,
            "words": words,
            "code": code,
            "stdout": out[-8000:],
            "stderr": err[-4000:],
        }
        with open(self.place.root / "operator.jsonl", "a") as log:
            log.write(json.dumps(entry) + "\n")
        logger.info("%s %s -> %s %s", module, " ".join(words), code, err[-200:].strip())
        return out.strip() if code in DONE else None

    def switch_deployments(self, verb: str) -> None:
        """Pause or resume the served deployments in scope by Prefect's own call; records each HTTP status."""
        for spec in SERVED:
            if spec.automation_id not in HELD:
                continue
            began = now_text()
            try:
                status = self.prefect.switch(spec.automation_id, verb)
            except OSError as exc:
                status = -1
                logger.warning("prefect %s: %s", verb, exc)
            self.world.audit(
                "ops-lead",
                f"deployment.{verb}",
                ("deployment", spec.automation_id),
                outcome="success" if status in (200, 201, 204) else "failure",
                reason=f"HTTP {status}",
                payload={"http_status": status, "called_at": began},
            )

    def cancel_waiting(self, message: str) -> None:
        """Cancel the runs in scope that Prefect has not started yet."""
        for spec in SERVED:
            if spec.automation_id in HELD:
                count = self.prefect.cancel_waiting(spec.automation_id, message)
                self.world.audit(
                    "ops-lead",
                    "run.cancel",
                    ("deployment", spec.automation_id),
                    reason=message,
                    payload={"count": count},
                )

    def wait_until_quiet(self, seconds: float) -> bool:
        """Wait until Prefect has no run in flight in scope."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not any(self.prefect.in_flight(name) for name in HELD):
                return True
            time.sleep(0.5)
        return False

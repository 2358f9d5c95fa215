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


@dataclass
class Operator:
    """Runs commands and keeps what they printed."""

    place: Place
    python: Path
    prefect: PrefectSide
    world: World
    code: Path

    def run(self, *words: str, wait_seconds: float = 90) -> bool:
        """Run one workbench command, and where that fails the same through Control; returns whether it was done."""
        has_command_line = (self.code / "workbench" / "cli" / "__init__.py").is_file()
        modules = ["workbench"] if has_command_line else []
        if words[0] not in ("review", "decide"):
            modules.append("tests.record.commands")
        return any(self._run(module, words, wait_seconds) for module in modules)

    def _run(self, module: str, words: tuple[str, ...], wait_seconds: float) -> bool:
        began = now_text()
        try:
            done = subprocess.run(
                [str(self.python), "-m", module, *words], capture_output=True, text=True, timeout=wait_seconds,
                cwd=self.place.root, env={**os.environ, "PYTHONPATH": str(self.code)}, check=False,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except (OSError, subprocess.TimeoutExpired) as exc:
            code, out, err = -1, "", repr(exc)
        with open(self.place.root / "operator.jsonl", "a") as log:
            log.write(json.dumps({"at": began, "ended_at": now_text(), "module": module, "words": words, "code": code,
                                  "stdout": out[-8000:], "stderr": err[-4000:]}) + "\n")
        logger.info("%s %s -> %s %s", module, " ".join(words), code, err[-200:].strip())
        return code in (0, 10)

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
                "ops-lead", f"deployment.{verb}", ("deployment", spec.automation_id),
                outcome="success" if status in (200, 201, 204) else "failure", reason=f"HTTP {status}",
                payload={"http_status": status, "called_at": began},
            )

    def cancel_waiting(self, message: str) -> None:
        """Cancel the runs in scope that Prefect has not started yet."""
        for spec in SERVED:
            if spec.automation_id in HELD:
                count = self.prefect.cancel_waiting(spec.automation_id, message)
                self.world.audit("ops-lead", "run.cancel", ("deployment", spec.automation_id), reason=message, payload={"count": count})

    def wait_until_quiet(self, seconds: float) -> bool:
        """Wait until Prefect has no run in flight in scope."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not any(self.prefect.in_flight(name) for name in HELD):
                return True
            time.sleep(0.5)
        return False

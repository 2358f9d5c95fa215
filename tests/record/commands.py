"""The few store commands a recording needs, without the command line: `python -m tests.record.commands pause SCOPE ...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.registry import read_registry
from workbench.settings import Settings
from workbench.store import init_store


def main() -> None:
    """Do one command as ops-lead and print what it returned."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="+")
    for name in ("mode", "reason", "environment", "only", "break-glass", "incident", "as"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--runs", type=int)
    for name in ("yes", "full"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    settings = Settings.from_environment()
    verb = options.words[0]
    if verb == "store":
        init_store(settings, settings.clock(), environment=options.environment, actor="ops-lead")
        return
    control = open_control(settings, role=None if verb == "registry" else "ops-lead")
    if verb == "registry":
        sys.stdout.write(f"{control.apply_registry(read_registry(Path(options.words[2])))} events\n")
    elif verb == "pause":
        request = PauseRequest(options.words[1], options.reason, incident_id=options.incident)
        sys.stdout.write(f"{control.pause(request)}\n")
    elif verb == "resume":
        request = ResumeRequest(options.words[1], only=options.only or None, runs=options.runs, break_glass_reason=options.break_glass)
        sys.stdout.write(f"{control.resume_full(request) if options.full else control.resume_narrow(request)}\n")
    elif verb == "observe":
        sys.stdout.write(f"{control.observe(options.words[1])}\n")
    else:
        raise SystemExit(f"no command {verb}")


if __name__ == "__main__":
    main()

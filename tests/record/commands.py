"""What the operator of a recording does that is no command of the workbench.

`python -m tests.record.commands load RUN_FOLDER` puts the batches taken so far into the operator's
warehouse, as a company's nightly load would; `... last-report HOLD` prints the id of its newest report;
`... enrol ''` makes the operator's key.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.record.pack import pack_batch
from workbench.control import open_control
from workbench.control.approving import apply_policy, request_policy
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.policy import Policy
from workbench.settings import KEY_FILE, Settings
from workbench.store.keys import make_key
from workbench.warehouse import LoadOptions, Warehouse


def load(run: Path) -> int:
    """Load every batch taken so far in the form that ships; returns how many lines were rejected."""
    settings = Settings.from_environment()
    warehouse = Warehouse.open(settings.home)
    rejected = 0
    for name in sorted(json.loads((run / "instants.json").read_text())):
        packed = settings.home / "packed" / name
        if not packed.exists():
            packed.parent.mkdir(parents=True, exist_ok=True)
            pack_batch(run / "batches" / name, packed)
        reports = warehouse.load_folder(packed, options=LoadOptions(shows_progress=False))
        rejected += sum(report.rejected_count for report in reports)
    return rejected


def enrol() -> None:
    """Make the operator's key, enrol it, and let this company restart on one person's word.

    A production store without keys resumes by break-glass only, and the story has one operator. Two people
    agree to that once: a second key, of agent-owner, is used for nothing else.
    """
    settings = Settings.from_environment()
    key = make_key(settings.home / KEY_FILE)
    operator = open_control(settings)
    enrol_key(operator, Enrolment(key.public_hex, "ops-lead", "ops-lead"))
    with tempfile.TemporaryDirectory() as folder:
        second = make_key(Path(folder) / KEY_FILE)
        enrol_key(operator, Enrolment(second.public_hex, "agent-owner", "agent-owner"))
        other = open_control(replace(settings, home=Path(folder)))
        policy = Policy("production", signoffs_required=0)
        request_policy(operator, policy)
        apply_policy(other, policy)


def last_report(hold_id: str) -> str:
    """Return the id of the newest report about a hold, or an empty text."""
    reports = open_control(Settings.from_environment()).state().reports.values()
    return next((r.report_id for r in reversed(list(reports)) if r.hold_id == hold_id), "")


def main() -> None:
    """Do one of the three."""
    verb, word = sys.argv[1:]
    if verb == "last-report":
        sys.stdout.write(last_report(word))
    elif verb == "enrol":
        enrol()
    elif verb == "load":
        if rejected := load(Path(word)):
            raise SystemExit(f"{rejected} lines were rejected")
    else:
        raise SystemExit(f"no command {verb}")


if __name__ == "__main__":
    main()

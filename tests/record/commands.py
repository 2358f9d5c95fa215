"""What the operator of a recording does that is no command of the workbench.

`python -m tests.record.commands load RUN_FOLDER` puts the batches taken so far into the operator's
warehouse, as a company's nightly load would; `... last-report HOLD` prints the id of its newest report.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.record.pack import pack_batch
from workbench.control import open_control
from workbench.settings import Settings
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


def last_report(hold_id: str) -> str:
    """Return the id of the newest report about a hold, or an empty text."""
    reports = open_control(Settings.from_environment()).state().reports.values()
    return next((r.report_id for r in reversed(list(reports)) if r.hold_id == hold_id), "")


def main() -> None:
    """Do one of the two."""
    verb, word = sys.argv[1:]
    if verb == "last-report":
        sys.stdout.write(last_report(word))
    elif verb == "load":
        if rejected := load(Path(word)):
            raise SystemExit(f"{rejected} lines were rejected")
    else:
        raise SystemExit(f"no command {verb}")


if __name__ == "__main__":
    main()

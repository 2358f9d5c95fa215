"""Serves the four deployments with their schedules: `python -m tests.record.serve`."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta

from prefect import serve
from prefect.schedules import Interval

from tests.record import automations
from tests.record.catalog import SERVED
from tests.record.context import shared_gate


def _keep_asking() -> None:
    while True:
        for spec in SERVED:
            shared_gate().check(spec.automation_id)
        time.sleep(1.0)


def main() -> None:
    """Serve until the process is ended."""
    threading.Thread(target=_keep_asking, daemon=True).start()
    scale = float(os.environ["RECORD_PACE"])
    now = datetime.now(UTC)
    serve(
        *[
            getattr(automations, spec.automation_id.replace("-", "_")).to_deployment(
                name=spec.automation_id,
                tags=[spec.category],
                # Started apart from each other: each run is a process of its own and two cores carry them.
                schedule=Interval(
                    timedelta(seconds=max(24.0, spec.interval_seconds * scale)),
                    anchor_date=now + timedelta(seconds=7 * place),
                ),
            )
            for place, spec in enumerate(SERVED)
        ]
    )


if __name__ == "__main__":
    main()

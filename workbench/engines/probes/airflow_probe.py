"""Made-up work of each class for a drill of Airflow: copy this file into the dag folder of a STAGING Airflow.

It does nothing but sleep. All dags have the tag `workbench-probe`; the one with a schedule is paused until a drill
unpauses it, and the drill's clean-up pauses it again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, task
from airflow.sdk.exceptions import AirflowException

STEP_SECONDS = 5.0
RETRY_SECONDS = 15
TICK_SECONDS = 20


def probe(name: str, **options: Any) -> DAG:
    """Return an empty probe dag; without a schedule it starts nothing by itself, so it need not be paused."""
    begun_at = datetime(2026, 1, 1, tzinfo=UTC)
    usual = {"schedule": None, "is_paused_upon_creation": False, "catchup": False}
    return DAG(
        f"workbench_probe_{name}",
        start_date=begun_at,
        tags=["workbench-probe"],
        **{**usual, **options},
    )


@task
def sleep() -> None:
    """Take some seconds."""
    time.sleep(STEP_SECONDS)


@task(retries=1, retry_delay=timedelta(seconds=RETRY_SECONDS))
def fail_once(**context: Any) -> None:
    """Fail at the first try."""
    if context["ti"].try_number == 1:
        raise AirflowException("made up by the workbench's probe")


with probe("run") as run:
    sleep.override(task_id="first")() >> sleep.override(task_id="second")()

with probe("queue", max_active_runs=1) as queue:
    sleep()

with probe("retry") as retry:
    fail_once()

with probe("event", schedule=[Asset("workbench-probe")]) as event:
    sleep()

with probe("tick", schedule=timedelta(seconds=TICK_SECONDS), is_paused_upon_creation=True) as tick:
    sleep()

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except ImportError:  # without this provider Airflow cannot ask people, so there is nothing to probe
    pass
else:
    with probe("ask") as ask:
        ApprovalOperator(
            task_id="may_i", subject="The workbench's probe waits here. No answer is needed."
        )

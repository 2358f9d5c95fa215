"""Work for the live suite: steps of two seconds, made to be paused in the middle."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowException

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RETRY_SECONDS = 5


@task
def step(seconds: float = 2.0) -> None:
    """Take some time."""
    time.sleep(seconds)


def steps(dag_id: str, *, tags: tuple[str, ...] = (), count: int = 2, **options) -> DAG:
    """Return a dag of steps, one after the other."""
    with DAG(dag_id, start_date=BEGAN, tags=list(tags), **{"schedule": None, **options}) as dag:
        before = None
        for number in range(count):
            one = step.override(task_id=f"step_{number}")()
            if before is not None:
                before >> one
            before = one
    return dag


orders = steps("orders", tags=("finance",))
invoices = steps("invoices", tags=("finance", "nightly"))
attic = steps("attic", tags=("finance",), is_paused_upon_creation=True)
other = steps("other")
gated = steps("gated")


with DAG("flaky", schedule=None, start_date=BEGAN) as flaky:

    @task(retries=1, retry_delay=timedelta(seconds=RETRY_SECONDS))
    def fail_once(**context) -> None:
        """Fail at the first try."""
        if context["ti"].try_number == 1:
            raise AirflowException("HTTP 503 from acme-llm")

    fail_once()

with DAG("pooled", schedule=None, start_date=BEGAN) as pooled:

    @task(pool="gpu")
    def train() -> None:
        """Need a slot."""
        time.sleep(1)

    train()

with DAG("writes", schedule=None, start_date=BEGAN) as writes:

    @task
    def write(**context) -> None:
        """Leave a mark at the begin and another at the end, for who wants to know whether it was killed."""
        folder = Path(os.environ["AIRFLOW_HOME"])
        (folder / f"{context['run_id']}.began").touch()
        time.sleep(8)
        (folder / f"{context['run_id']}.ended").touch()

    write()

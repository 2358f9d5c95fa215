"""Schedules of a few seconds, paused at creation, so that a pause misses some of them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

BEGAN = datetime.fromisoformat(os.environ["LIVE_TEST_BEGAN_AT"])

for name, catchup in (("tick_all", True), ("tick_one", False)):
    with DAG(
        name,
        schedule=timedelta(seconds=8),
        catchup=catchup,
        start_date=BEGAN,
        is_paused_upon_creation=True,
        max_active_runs=50,
        tags=["ticks"],
    ) as dag:
        EmptyOperator(task_id="nothing")
    globals()[name] = dag

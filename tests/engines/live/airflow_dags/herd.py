"""More dags than an answer lists (50), so that reading back has to turn pages."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for number in range(55):
    with DAG(
        f"herd_{number:02}",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        tags=["herd"],
    ) as dag:
        EmptyOperator(task_id="nothing")
    globals()[dag.dag_id] = dag

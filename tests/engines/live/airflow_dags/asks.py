"""A run that asks a person."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

with DAG("asks", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as asks:
    ApprovalOperator(task_id="may_i", subject="Send 12 refunds?", body="They sum up to 340 EUR.")

"""Airflow 3: reads and switches it over its public REST interface; its package is not needed."""

from __future__ import annotations

from typing import Any

from workbench.clock import Clock
from workbench.engines.airflow_client import AirflowClient
from workbench.engines.airflow_reading import AirflowReader
from workbench.engines.interface import Binding, EngineAddress


class Airflow(AirflowReader):
    """One Airflow, both halves."""


def connect(address: EngineAddress, binding: Binding, clock: Clock, **options: Any) -> Airflow:
    """Return the adapter for one address; nothing is asked yet."""
    return Airflow(AirflowClient(address, **options), binding, clock=clock)

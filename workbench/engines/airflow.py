"""Airflow 3: reads and switches it over its public REST interface; its package is not needed."""

from __future__ import annotations

from typing import Any

from workbench.clock import Clock
from workbench.engines.airflow_client import AirflowClient
from workbench.engines.airflow_probes import AirflowProbes, Started
from workbench.engines.airflow_reading import AirflowReader
from workbench.engines.airflow_switching import AirflowSwitch
from workbench.engines.interface import Binding, EngineAddress


class Airflow(AirflowReader, AirflowSwitch, AirflowProbes):
    """One Airflow: both halves, and the work of a drill."""

    def __init__(self, client: AirflowClient, binding: Binding, *, clock: Clock) -> None:
        """Use this client; `binding` says which automation a dag is."""
        super().__init__(client, binding, clock=clock)
        self._started = Started()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def connect(address: EngineAddress, binding: Binding, *, clock: Clock, **options: Any) -> Airflow:
    """Return the adapter for one address; nothing is asked yet."""
    return Airflow(AirflowClient(address, **options), binding, clock=clock)

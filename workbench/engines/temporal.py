"""Temporal over its JSON interface: reading, switching and probes in one adapter; no package of Temporal is needed.

`EngineAddress.url` names the server's HTTP port; of the options, `namespace` says which namespace is meant
(`default`), and `probe_task_queue` where made-up work of drills runs (`workbench-probes`).
"""

from __future__ import annotations

from workbench.clock import Clock
from workbench.engines.http import JsonClient
from workbench.engines.interface import Binding, EngineAddress
from workbench.engines.temporal_asking import DEFAULT_NAMESPACE, Namespace, headers_of
from workbench.engines.temporal_probes import TemporalProbes
from workbench.engines.temporal_reading import TemporalReader
from workbench.engines.temporal_switching import TemporalSwitch
from workbench.engines.temporal_words import PROBE_QUEUE


class Temporal(TemporalReader, TemporalSwitch, TemporalProbes):
    """One namespace of one Temporal server: both halves of the contract, and probes for drills."""

    engine = "temporal"

    def __init__(
        self,
        namespace: Namespace,
        binding: Binding,
        *,
        clock: Clock,
        probe_queue: str = PROBE_QUEUE,
    ) -> None:
        """Speak with this namespace; nothing is asked yet."""
        TemporalReader.__init__(self, namespace, binding, clock=clock)
        TemporalSwitch.__init__(self, namespace, clock)
        TemporalProbes.__init__(self, namespace, probe_queue)

    def close(self) -> None:
        """Close the connections to the server."""
        self._namespace.client.close()


def connect(address: EngineAddress, binding: Binding, *, clock: Clock) -> Temporal:
    """Return the adapter for one namespace; nothing is asked yet."""
    url = address.url.rstrip("/").removesuffix("/api/v1")
    client = JsonClient(url, headers=headers_of(address))
    name = address.options.get("namespace", DEFAULT_NAMESPACE)
    queue = address.options.get("probe_task_queue", PROBE_QUEUE)
    return Temporal(Namespace(client, name), binding, clock=clock, probe_queue=queue)

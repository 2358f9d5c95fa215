"""The four flows of the live demo, and a worker that takes their runs from the server.

Run by the engine's own interpreter as `python -m workbench.demo.on_prefect.flows POOL PROVIDER-URL FOLDER`. It
is a small worker over Prefect's own client: a run is a thread here, not a process that imports Prefect for seconds, so
that two cores carry four automations. What is handed to it, and what is not, the server decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
from prefect import flow, task
from prefect.client.orchestration import PrefectClient, get_client
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, PrefectSignal
from prefect.flow_engine import run_flow
from prefect.states import Pending
from prefect.utilities.engine import propose_state

from workbench.gate import Gate, Paused, Unknown

TAG = "automation:"
RECORDS, AUDIT = "records.jsonl", "audit.jsonl"
"""Files in the folder: the drafts that were written, and what was done, a line each."""

STEP_SECONDS = 0.2
ASK_SECONDS = 1.0
LOOK_SECONDS = 0.5
LOOKS_PER_HEARTBEAT = 20

_writing = threading.Lock()
_place: dict[str, str] = {}


@task
def read_item() -> int:
    """Take some time, as a read does."""
    time.sleep(STEP_SECONDS)
    return int(time.time() * 1000)


@task
def ask_model(provider: str, item: int) -> str:
    """Ask a provider over HTTP; what it refuses fails the step, in the provider's own words."""
    body = json.dumps({"item": item}).encode()
    asked = urllib.request.Request(f"{_place['provider']}/{provider}", body, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return str(json.load(answer)["text"])
    except urllib.error.HTTPError as exc:
        raise RuntimeError(f"{provider}: {json.load(exc)['error']}") from None


@task
def write_draft(automation_id: str, item: int) -> None:
    """Write a draft, which a person can throw away: note it as a changed record, and in the audit."""
    record = {"record_type": "draft", "record_id": f"{automation_id}-{item}", "change_seq": 1}
    classes = {"change": "create", "reversibility": "reversible", "customer_facing": False}
    whose = {"run_id": _run_id(), "automation_id": automation_id, "changed_at": _now()}
    _note(RECORDS, {**whose, **record, **classes})
    _audit(automation_id, "record.created", target=("draft", f"{automation_id}-{item}"))


def _work(automation_id: str, provider: str) -> None:
    _audit(automation_id, "run.started")
    try:
        item = read_item()
        if provider:
            ask_model(provider, item)
        write_draft(automation_id, item)
    except RuntimeError as exc:
        _audit(automation_id, "run.failed", reason=str(exc))
        raise
    except PrefectSignal:
        _audit(automation_id, "run.stopped", reason="suspended")
        raise
    _audit(automation_id, "run.completed")


def _audit(
    automation_id: str, action: str, *, target: tuple[str, str] = ("", ""), reason: str = ""
) -> None:
    """Note what an automation did, as its own audit."""
    kind, name = target if target[0] else ("run", _run_id())
    now = _now()
    row = {
        "event_id": str(uuid.uuid4()),
        "occurred_at": now,
        "recorded_at": now,
        "actor": automation_id,
        "action": action,
        "target_kind": kind,
        "target_id": name,
        "outcome": "failure" if action == "run.failed" else "success",
        "reason": reason or None,
        "correlation_id": _run_id(),
    }
    _note(AUDIT, row)


def _note(file: str, row: dict[str, Any]) -> None:
    with _writing, open(os.path.join(_place["folder"], file), "a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


def _run_id() -> str:
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else ""


def _now() -> str:
    return datetime.now(UTC).isoformat()


@flow(name="invoice-triage")
def invoice_triage() -> None:
    """Read, ask the provider, write a draft."""
    _work("invoice-triage", "acme-llm")


@flow(name="ticket-reply")
def ticket_reply() -> None:
    """Read, ask the provider, write a draft."""
    _work("ticket-reply", "acme-llm")


@flow(name="product-copy")
def product_copy() -> None:
    """Read, ask another provider, write a draft."""
    _work("product-copy", "birch-llm")


@flow(name="order-sync")
def order_sync() -> None:
    """Read and write, without any provider."""
    _work("order-sync", "")


FLOWS = {one.name: one for one in (invoice_triage, ticket_reply, product_copy, order_sync)}


def carry_out(name: str, flow_run: Any) -> None:
    """Run one flow; that it was suspended or taken away meanwhile stands in its state."""
    with contextlib.suppress(PrefectSignal):
        run_flow(FLOWS[name], flow_run=flow_run, return_type="state")


class Worker:
    """Takes runs from a pool of the server and carries each out in a thread; asks the gate before it takes one."""

    def __init__(self, gate: Gate, pool: str, *, client: PrefectClient) -> None:
        """Take from a pool, as this client."""
        self.gate, self.pool, self.client = gate, pool, client
        self.taken: set[str] = set()

    async def work(self) -> None:
        """Ask the server for runs that are due, again and again."""
        async with anyio.create_task_group() as group:
            for look in itertools.count():
                if look % LOOKS_PER_HEARTBEAT == 0:
                    await self.client.send_worker_heartbeat(self.pool, "demo-live")
                now = datetime.now(UTC)
                due = await self.client.get_scheduled_flow_runs_for_work_pool(
                    self.pool, scheduled_before=now
                )
                for one in due:
                    if str(one.flow_run.id) not in self.taken:
                        self.taken.add(str(one.flow_run.id))
                        group.start_soon(self.take, one.flow_run)
                await anyio.sleep(LOOK_SECONDS)

    async def take(self, flow_run: Any) -> None:
        """Ask the gate, then the server; a run that either refuses stays with the server, to be offered again.

        Asked any later, a run that is refused would stand in the server as one that a worker has begun.
        """
        name = next(tag for tag in flow_run.tags if tag.startswith(TAG)).removeprefix(TAG)
        try:
            async with self.gate.run_async(name, str(flow_run.id)):
                state = await propose_state(self.client, Pending(), flow_run_id=flow_run.id)
                if state.is_pending():
                    flow_run.state = state
                    await anyio.to_thread.run_sync(carry_out, name, flow_run)
        except (Paused, Unknown, Abort):
            pass
        finally:
            self.taken.discard(str(flow_run.id))


def _keep_asking(gate: Gate, parent: int) -> None:
    """Ask the gate once a second, so that a hold is seen without a run; end with the demo."""
    while os.getppid() == parent:
        for name in FLOWS:
            gate.check(name)
        time.sleep(ASK_SECONDS)
    os._exit(0)


def main(words: list[str]) -> None:
    """Work until the demo that started this ends."""
    gate = Gate()
    pool, _place["provider"], _place["folder"] = words
    threading.Thread(target=_keep_asking, args=(gate, os.getppid()), daemon=True).start()
    asyncio.run(_work_in(gate, pool))


async def _work_in(gate: Gate, pool: str) -> None:
    async with get_client() as client:
        await Worker(gate, pool, client=client).work()


if __name__ == "__main__":
    main(sys.argv[1:])

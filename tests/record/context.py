"""What one run of an automation carries: its ids, its evidence, its provider and its gate."""

from __future__ import annotations

import json
import os
import random
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.record.catalog import BY_ID, Spec
from tests.record.place import Place, to_text
from tests.record.provider import INPUT_PRICE, OUTPUT_PRICE
from tests.record.world import Row, World
from workbench.gate import Gate, GateState, Paused, Unknown

PROVIDER_WAIT_SECONDS = 4.0
_shared: dict[str, Any] = {}


class ProviderFault(Exception):
    """The provider did not give a usable answer."""


class ShopFault(Exception):
    """The shop service did not give the item."""


def shared_world() -> World:
    """Return this program's one World."""
    if "world" not in _shared:
        _shared["world"] = World(Place.from_environment().world)
    return _shared["world"]


def shared_gate() -> Gate:
    """Return this program's one Gate."""
    if "gate" not in _shared:
        _shared["gate"] = Gate(Path(os.environ["WORKBENCH_GATE"]))
    return _shared["gate"]


class RunContext:
    """One run: writes its audit events, its facts and its changes under one run id."""

    def __init__(self, automation_id: str, run_id: str, *, attempt: int) -> None:
        self.spec: Spec = BY_ID[automation_id]
        self.run_id = run_id
        self.attempt = attempt
        self.world = shared_world()
        self.gate = shared_gate()
        self.dice = random.Random(f"{run_id}/{attempt}")
        self.open_proposal: tuple[str, str] | None = None

    @property
    def automation_id(self) -> str:
        """Id of the automation."""
        return self.spec.automation_id

    def audit(self, action: str, target: tuple[str, str] | None = None, **more: Any) -> None:
        """Append an audit event of this run."""
        if action == "proposal.created":
            self.open_proposal = target
        elif action in (
            "record.updated",
            "record.created",
            "email.sent",
            "approval.requested",
            "proposal.withdrawn",
        ):
            self.open_proposal = None
        self.world.audit(
            self.automation_id, action, target or ("run", self.run_id), run_id=self.run_id, **more
        )

    def facts(self, **values: Any) -> None:
        """Add to what Prefect does not know of a run: cost, tokens, context, trigger."""
        self.world.revise("run_fact", self.run_id, **values)

    def may_write(self) -> None:
        """Ask the gate in the way this automation asks before a write; raises Paused or Unknown."""
        if self.spec.is_served:
            answer = self.gate.check(self.automation_id, effect="write")
            if answer.state is GateState.PAUSED:
                raise Paused(self.automation_id, answer)
            if answer.state is GateState.UNKNOWN:
                raise Unknown(self.automation_id, answer)
        else:
            self.gate.pause_point()

    def shop_item(self) -> str:
        """Read one item of the shop over HTTP; raises ShopFault."""
        item = self.dice.randrange(100_000, 999_999)
        try:
            with urllib.request.urlopen(
                f"{os.environ['RECORD_PROVIDER']}/shop?item={item}", timeout=10
            ) as answer:
                return str(json.load(answer)["item"])
        except urllib.error.HTTPError as exc:
            raise ShopFault(f"HTTP {exc.code} {json.load(exc)['error']} (item {item})") from exc

    def ask_provider(self, prompt: str) -> Row:
        """Ask acme-llm over HTTP; what it used is paid whether or not the answer is of use."""
        max_tokens = int((self.world.read("config", "acme-llm") or {}).get("max_tokens", 512))
        asked = {"caller": self.automation_id, "prompt": prompt, "max_tokens": max_tokens}
        paid_input = (180 + len(prompt), INPUT_PRICE * (180 + len(prompt)))
        output_count = int(max_tokens * 0.35)
        paid_both = (paid_input[0] + output_count, paid_input[1] + output_count * OUTPUT_PRICE)
        paid = paid_input
        try:
            body = _post(f"{os.environ['RECORD_PROVIDER']}/v1/complete", asked)
            paid = paid_both
            found: Row = json.loads(body)
            paid = (sum(found["usage"].values()), Decimal(found["cost"]))
            self.facts(context_as_of=found["context_as_of"])
            return found
        except urllib.error.HTTPError as exc:
            request = f" (request {self.run_id[:8]})" if exc.code == 429 else ""
            raise ProviderFault(f"HTTP {exc.code} {json.load(exc)['error']}{request}") from exc
        except TimeoutError as exc:
            paid = paid_both
            raise ProviderFault(
                f"read timed out after {PROVIDER_WAIT_SECONDS:.1f} s waiting for acme-llm /v1/complete"
            ) from exc
        except json.JSONDecodeError as exc:
            raise ProviderFault(
                "answer of acme-llm does not match the schema: JSON cut off at line "
                f"{exc.lineno} column {exc.colno} (char {exc.pos})"
            ) from exc
        finally:
            self._pay(*paid)

    def _pay(self, tokens: int, cost: Decimal) -> None:
        paid = self.world.latest("run_fact").get(self.run_id, {}) if self.attempt > 1 else {}
        self.facts(
            token_count=int(paid.get("token_count") or 0) + tokens,
            cost_amount=str(
                (Decimal(paid.get("cost_amount") or "0") + cost).quantize(Decimal("0.000001"))
            ),
            cost_currency="USD",
        )

    def change(
        self,
        target: tuple[str, str],
        body: Row,
        *,
        how: str = "update",
        reversibility: str = "reversible",
        customer_facing: bool = False,
    ) -> None:
        """Write one record with its before and after."""
        self.world.write(
            (self.run_id, self.automation_id),
            target,
            alter=lambda before: {**(before or {}), **body},
            change=how,
            reversibility=reversibility,
            customer_facing=customer_facing,
        )
        self.audit(
            {"send": "email.sent", "create": "record.created"}.get(how, "record.updated"), target
        )

    def request_approval(
        self, action: str, target: tuple[str, str], *, risk: str, apply: Row
    ) -> None:
        """Propose an action and ask people; the next run applies what they granted."""
        approval_id = f"A-{self.run_id[:8]}"
        now = datetime.now(UTC)
        self.audit("proposal.created", target, payload={"action": action})
        self.world.add(
            "approval",
            approval_id,
            {
                "approval_id": approval_id,
                "run_id": self.run_id,
                "automation_id": self.automation_id,
                "action": action,
                "risk": risk,
                "requested_at": to_text(now),
                "requested_by": self.automation_id,
                "expires_at": to_text(now + timedelta(hours=2)),
                "decided_at": None,
                "decided_by": None,
                "decision": None,
                "reason": None,
                "apply": apply,
                "target": list(target),
                "is_applied": False,
            },
        )
        self.audit(
            "approval.requested",
            target,
            outcome="pending",
            payload={"approval_id": approval_id, "risk": risk},
        )

    def apply_granted(
        self, *, reversibility: str, customer_facing: bool, how: str = "update"
    ) -> None:
        """Carry out one approval that people granted, on the audit chain of the run that asked."""
        granted = [
            r
            for r in self.world.latest("approval").values()
            if r["automation_id"] == self.automation_id
            and r["decision"] == "granted"
            and not r["is_applied"]
        ]
        for row in granted[:1]:
            self.may_write()
            target = (row["target"][0], row["target"][1])
            self.world.write(
                (self.run_id, self.automation_id),
                target,
                alter=lambda before, row=row: {**(before or {}), **row["apply"]},
                change=how,
                reversibility=reversibility,
                customer_facing=customer_facing,
            )
            self.world.revise("approval", row["approval_id"], is_applied=True)
            self.world.audit(
                self.automation_id,
                "email.sent" if how == "send" else "record.updated",
                target,
                run_id=row["run_id"],
                payload={"approval_id": row["approval_id"], "carried_out_by_run": self.run_id},
            )


def _post(url: str, body: Row) -> bytes:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=PROVIDER_WAIT_SECONDS) as answer:
        content: bytes = answer.read()
    return content

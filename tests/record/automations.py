"""The twelve automations as Prefect flows of two or three steps each."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from prefect import flow, task
from prefect.runtime import flow_run
from prefect.states import Cancelled

from tests.record.context import ProviderFault, RunContext
from tests.record.world import Row
from workbench.gate import Paused, Unknown

Ctx = RunContext


def _step(name: str, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    step = task(call, name=name, retries=0, persist_result=False, cache_policy=None)
    return step(*args, **named)


def _carry_out(automation_id: str, body: Callable[[Ctx], None], **facts: Any) -> Any:
    ctx = RunContext(automation_id, str(flow_run.id), attempt=int(flow_run.run_count or 1))
    if ctx.attempt == 1:
        ctx.facts(
            version=ctx.spec.version,
            provider=ctx.spec.provider or None,
            tool=ctx.spec.tool,
            run_mode="live",
            **facts,
        )
        ctx.audit("run.started")
    else:
        ctx.audit("run.retried", payload={"attempt": ctx.attempt})
    try:
        body(ctx)
    except (Paused, Unknown) as exc:
        _withdraw(ctx, "the run was stopped by a hold")
        ctx.audit("run.stopped", reason=str(exc))
        return Cancelled(message=f"stopped before its next write: {exc}")
    except Exception as exc:
        _withdraw(ctx, "the run failed")
        ctx.audit("run.failed", outcome="failure", reason=f"{type(exc).__name__}: {exc}")
        raise
    ctx.audit("run.completed")
    return None


def _withdraw(ctx: Ctx, reason: str) -> None:
    if ctx.open_proposal:
        ctx.audit("proposal.withdrawn", ctx.open_proposal, reason=reason)


def _read_item(ctx: Ctx) -> str:
    return ctx.shop_item()


def _ask(ctx: Ctx, prompt: str) -> Row:
    return ctx.ask_provider(prompt)


def _amount(ctx: Ctx, factor: str = "1.00") -> str:
    base = Decimal(ctx.dice.randrange(900, 99_000)) / 100
    return str((base * Decimal(factor)).quantize(Decimal("0.01")))


def _invoice(ctx: Ctx) -> None:
    ctx.apply_granted(reversibility="reversible", customer_facing=False)
    item = _step("read_invoice", _read_item, ctx)
    answer = _step("classify_invoice", _ask, ctx, f"account and amount of invoice {item}")
    target = ("invoice", f"INV-{item}")
    amount = Decimal(_amount(ctx, answer["factor"]))
    booked = {
        "account": ctx.dice.choice(["4400", "4410", "6800"]),
        "amount": str(amount),
        "currency": "USD",
        "status": "booked",
    }
    if amount > 880:
        propose = ctx.request_approval
        _step("propose_booking", propose, "book_invoice", target, risk="high", apply=booked)
        return
    ctx.audit("proposal.created", target)
    _step("book_invoice", _write, ctx, target, booked, {})


def _write(ctx: Ctx, target: tuple[str, str], body: Row, how: Row) -> None:
    ctx.may_write()
    ctx.change(target, body, **how)


def _ticket(ctx: Ctx) -> None:
    ctx.apply_granted(reversibility="irreversible", customer_facing=True, how="send")
    item = _step("read_ticket", _read_item, ctx)
    answer = _step("draft_reply", _ask, ctx, f"polite reply to ticket {item}")
    target = ("email", f"TCK-{item}")
    reply = {
        "to": f"customer-{item}",
        "text": answer["text"],
        "quoted_amount": _amount(ctx, answer["factor"]),
    }
    if ctx.dice.random() < 0.15:
        propose = ctx.request_approval
        _step("propose_reply", propose, "send_reply", target, risk="medium", apply=reply)
        return
    ctx.audit("proposal.created", target)
    _step(
        "send_reply",
        _write,
        ctx,
        target,
        reply,
        {"how": "send", "reversibility": "irreversible", "customer_facing": True},
    )


def _copy(ctx: Ctx, slow_republish: bool = False) -> None:
    item = _step("read_product", _read_item, ctx)
    answer = (
        {"text": "seasonal text", "factor": "1.00"}
        if slow_republish
        else _step("write_copy", _ask, ctx, f"copy for product {item}")
    )
    body = {"copy": answer["text"], "price_shown": _amount(ctx, answer["factor"])}
    target = ("product", f"SKU-{int(item) % 400}")
    if slow_republish:  # staged: this path keeps its first gate answer and never asks again
        _step("republish_copy", _republish, ctx, target, body)
        return
    ctx.audit("proposal.created", target)
    _step(
        "publish_copy",
        _write,
        ctx,
        target,
        body,
        {"reversibility": "compensable", "customer_facing": True},
    )


def _republish(ctx: Ctx, target: tuple[str, str], body: Row) -> None:
    ctx.audit("proposal.created", target)
    for part in range(4):
        time.sleep(8)
        one = (target[0], f"{target[1]}-{part}")
        ctx.change(one, body, reversibility="compensable", customer_facing=True)


def _price(ctx: Ctx) -> None:
    item = _step("read_item", _read_item, ctx)
    try:
        answer = _step("look_up_price", _ask, ctx, f"market price of {item}")
    except (ProviderFault, OSError) as exc:
        ctx.audit("fallback.used", ("price", item), reason=f"{type(exc).__name__}: {exc}")
        return
    _step(
        "keep_price",
        _write,
        ctx,
        ("price", f"P-{int(item) % 500}"),
        {"price": _amount(ctx, answer["factor"])},
        {},
    )


def _refund(ctx: Ctx) -> None:
    ctx.apply_granted(reversibility="irreversible", customer_facing=True)
    item = _step("check_order", _read_item, ctx)
    target = ("refund", f"REF-{item}")
    refund = {"amount": _amount(ctx), "currency": "USD", "status": "paid"}
    if ctx.dice.random() < 0.3:
        propose = ctx.request_approval
        _step("propose_refund", propose, "pay_refund", target, risk="high", apply=refund)
    else:
        _step(
            "pay_small_refund",
            _write,
            ctx,
            target,
            {**refund, "amount": "15.00"},
            {"reversibility": "irreversible", "customer_facing": True},
        )


def _plain(steps: tuple[str, str], record_type: str, **how: Any) -> Callable[[Ctx], None]:
    def body(ctx: Ctx) -> None:
        item = _step(steps[0], _read_item, ctx)
        value = {"value": ctx.dice.randrange(1000), "status": "done"}
        _step(steps[1], _write, ctx, (record_type, f"{record_type}-{int(item) % 700}"), value, how)

    return body


_BODIES: dict[str, Callable[..., None]] = {
    "invoice-triage": _invoice,
    "ticket-reply": _ticket,
    "product-copy": _copy,
    "price-lookup": _price,
    "refund-playbook": _refund,
    "order-sync": _plain(("fetch_orders", "upsert_orders"), "order"),
    "stock-watch": _plain(("read_stock", "note_level"), "stock_note"),
    "seo-refresh": _plain(("read_pages", "rewrite_title"), "page", customer_facing=True),
    "sentiment-watch": _plain(("sample_tickets", "score_sample"), "sentiment"),
    "escalation-playbook": _plain(("pick_ticket", "assign_ticket"), "escalation"),
    "campaign-send": _plain(
        ("pick_audience", "send_campaign"),
        "email",
        how="send",
        reversibility="irreversible",
        customer_facing=True,
    ),
    "audience-export": _plain(
        ("select_audience", "write_export"),
        "audience_file",
        how="create",
        reversibility="compensable",
    ),
}


def _flow_of(automation_id: str, retries: int) -> Any:
    def automation(
        slow_republish: bool = False, trigger: str = "event", triggered_by: str = ""
    ) -> Any:
        facts = {"trigger": trigger, "triggered_by": triggered_by or None}
        body = _BODIES[automation_id]
        if slow_republish:
            return _carry_out(automation_id, lambda ctx: body(ctx, slow_republish=True), **facts)
        return _carry_out(automation_id, body, **facts)

    automation.__name__ = automation_id.replace("-", "_")
    return flow(automation, name=automation_id, retries=retries, retry_delay_seconds=2)


IN_PROCESS_FLOWS = {
    name: _flow_of(name, retries)
    for name, retries in {
        "invoice-triage": 1,
        "refund-playbook": 0,
        "price-lookup": 0,
        "sentiment-watch": 0,
        "escalation-playbook": 0,
        "product-copy": 1,
        "campaign-send": 0,
        "audience-export": 0,
    }.items()
}


@flow(name="order-sync", retries=1, retry_delay_seconds=2)
def order_sync(triggered_by: str = "") -> Any:
    """Copy new orders into the ledger."""
    return _served("order-sync", triggered_by)


@flow(name="stock-watch")
def stock_watch(triggered_by: str = "") -> Any:
    """Watch the stock levels."""
    return _served("stock-watch", triggered_by)


@flow(name="ticket-reply", retries=1, retry_delay_seconds=2)
def ticket_reply(triggered_by: str = "") -> Any:
    """Answer a ticket; asks the gate before it writes, not before it starts."""
    return _served("ticket-reply", triggered_by)


@flow(name="seo-refresh")
def seo_refresh(triggered_by: str = "") -> Any:
    """Refresh the titles of pages."""
    return _served("seo-refresh", triggered_by)


def _served(automation_id: str, triggered_by: str) -> Any:
    trigger = "manual" if triggered_by else "schedule"
    return _carry_out(
        automation_id, _BODIES[automation_id], trigger=trigger, triggered_by=triggered_by or None
    )

"""Draws what waits for another person's word; every text from the store is escaped."""

from __future__ import annotations

from html import escape

from workbench.control.pending import Pending, PendingRequest, PendingSignoff
from workbench.panels.form_html import decision_facts, draw_decision, draw_facts, scope_words
from workbench.panels.html_parts import commands_marked, day_and_time, element
from workbench.panels.signoff_model import SignoffModel
from workbench.records import Decision

NOBODY = "nobody: no other person who may has a key that signs"


def draw_signoff_head(model: SignoffModel) -> str:
    """Say whose word counts, who would sign here, and what waits for nobody yet."""
    said = " ".join(
        [model.rule, *([f"You would sign as {model.actor}."] if model.actor else [])]
    ).strip()
    rule = element("div", said, css="wb-words") if said else ""
    nothing = element("div", "No sign-off waits.", css="wb-empty") if not model.pending else ""
    return f"{rule}{''.join(map(_unasked, model.unasked))}{nothing}"


def draw_pending(found: Pending) -> str:
    """Draw one thing that waits: what it does, who asked, who may give their word, until when."""
    return draw_signoff(found) if isinstance(found, PendingSignoff) else draw_request(found)


def draw_signoff(found: PendingSignoff) -> str:
    """Draw a sign-off that waits: what it opens, under which hold and decision, who asked, until when."""
    css = "wb-chip" if found.lacking else "wb-chip wb-chip-quiet"
    lacking = found.lacking.removeprefix(f"{found.signoff_id} ")
    state = element("span", lacking or "ready, the resume may go", css=css)
    if found.decision.is_override:
        state += " " + element(
            "span", f"AGAINST {found.decision.report_id}", css="wb-chip wb-chip-warn"
        )
    return (
        f"<div><b class='wb-hold-id'>{escape(found.signoff_id)}</b> {state}</div>"
        f"{element('div', found.plan_in_words, css='wb-reason')}"
        f"{element('div', f'{found.hold.hold_id}: {found.hold.reason}', css='wb-words')}"
        f"{draw_decision(found.decision, 'It rests on ')}"
        f"{_persons(found, 'used')}"
    )


def draw_request(found: PendingRequest) -> str:
    """Draw a weaker policy or a key that waits: each thing it changes on a line, who asked, who may do it."""
    title = "Weaker policy" if found.is_policy else f"Key of {found.content['person']}"
    chip = element("span", "needs another person", css="wb-chip")
    changes = "".join(element("div", line, css="wb-reason") for line in found.changes)
    return (
        f"<div><b class='wb-hold-id'>{escape(title)}</b> {chip}</div>"
        f"{changes}{_persons(found, 'done')}"
    )


def draw_armed_signoff(model: SignoffModel) -> str:
    """Draw what confirming signs, as it stood when it was armed."""
    armed = model.armed
    if armed is None:
        return ""
    found = armed.pending
    facts = [("Opens" if isinstance(found, PendingSignoff) else "Changes", found.plan_in_words)]
    if isinstance(found, PendingSignoff):
        hold = found.hold
        facts += [("Hold", f"{hold.hold_id} {scope_words(hold.scope)}: {hold.reason}")]
        facts += decision_facts(found.decision)
    facts += [("Asked by", found.asked_by), ("You sign as", model.actor)]
    return draw_facts("Armed. Nothing is signed until you confirm.", facts)


def _persons(found: Pending, verb: str) -> str:
    asked = element("span", f"Asked by {found.asked_by}, can be {verb} until ")
    may = f"May sign: {', '.join(found.may_sign) or NOBODY}."
    return (
        f"<div class='wb-words'>{asked}{day_and_time(found.expires_at)}</div>"
        f"{element('div', may, css='wb-words') if found.is_wanting else ''}"
    )


def _unasked(decision: Decision) -> str:
    form = "--only SCOPE --runs N" if decision.decision == "restart_narrow" else "--full"
    text = (
        f"{decision.decision_id} needs a sign-off that nobody asked for: "
        f"`workbench signoff request {decision.hold_id} {form} --decision {decision.decision_id}`"
    )
    return f"{draw_decision(decision)}<div class='wb-words'>{commands_marked(text)}</div>"

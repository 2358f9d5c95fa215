"""Draws the state of the control panel as HTML; every text that comes from the store is escaped."""

from __future__ import annotations

from html import escape

from workbench.control.views import AutomationStatus, HoldView, Preview, ProbationView
from workbench.panels.control_model import ControlModel
from workbench.panels.guard import Message
from workbench.panels.html_parts import (
    counted,
    day_and_time,
    draw_message,
    element,
    instant,
    row,
    table,
)
from workbench.panels.pause_model import PauseModel
from workbench.panels.resume_model import ResumeModel
from workbench.records import Automation, Decision, HoldState, Target, TargetState
from workbench.scope import EVERYTHING, Proposal

_BAND_CLASSES = {"production": "wb-band-production", "staging": "wb-band-staging"}
_STATE_WORDS = {
    TargetState.RECORDED: "recorded",
    TargetState.DELIVERED: "delivered",
    TargetState.CONFIRMED: "confirmed",
    TargetState.QUIET: "quiet",
    TargetState.UNCONFIRMED: "UNCONFIRMED",
}


def draw_band(model: ControlModel) -> str:
    """Draw whose store this is; the colour comes from the environment written inside the store."""
    if model.head is None:
        return f"<div class='wb-band wb-band-unknown'>{element('b', 'NO STORE READ', css='wb-env')}</div>"
    css = _BAND_CLASSES.get(model.head.environment, "wb-band-other")
    facts = (
        ("store", model.head.store_id),
        ("at", model.head.place),
        ("log head", f"{model.head.seq} {model.head.hash[:12]}"),
        ("you are", model.actor),
    )
    shown = "".join(
        f"<span>{element('i', name)} {element('b', value)}</span>" for name, value in facts
    )
    demo = ""
    if model.recorded_at is not None:
        recorded = day_and_time(model.recorded_at)
        demo = f"<div class='wb-demo'><b>DEMO</b> recorded clock: it is {recorded} here</div>"
    environment = element("b", model.head.environment.upper(), css="wb-env")
    return (
        f"{demo}<div class='wb-band {css}'>{environment}<div class='wb-facts'>{shown}</div></div>"
    )


def draw_headline(model: ControlModel) -> str:
    """Draw the state in one large line: how much is paused, by how many holds, what needs an eye."""
    total = counted(len(model.statuses), "automation")
    css, big, sub = "wb-open", f"Nothing is paused; {total} may run", "No hold stands."
    if model.holds:
        css, big = "wb-held", f"{model.paused_count} of {total} paused"
        sub = f"By {counted(len(model.holds), 'hold')}: {', '.join(v.hold.hold_id for v in model.holds)}."
    if model.narrow_count:
        sub += f" {model.narrow_count} of the paused in a narrow restart."
    overdue = ""
    if model.overdue_count:
        overdue = element(
            "b", f"{model.overdue_count} overdue, still paused", css="wb-chip wb-chip-overdue"
        )
    flags = "".join(element("li", flag) for flag in model.flags)
    listed = f"<ul class='wb-flags' aria-label='To look at'>{flags}</ul>" if flags else ""
    return (
        f"<div class='wb-headline {css}'>{element('div', big, css='wb-big')}"
        f"<div>{element('span', sub)} {overdue}</div>{listed}</div>{_problems(model)}"
    )


def _problems(model: ControlModel) -> str:
    found = ""
    if model.publication_fault:
        text = f"Gates may not know the newest state: {model.publication_fault}."
        found += draw_message(Message(text, "run `workbench doctor`", is_alert=True))
    if model.read_problem:
        text = f"The store cannot be read now; what is shown is old. {model.read_problem}"
        found += draw_message(Message(text, is_alert=True))
    return found


def draw_read(model: ControlModel) -> str:
    """Draw when the store was last read; apart, because it changes each second."""
    return f"<span class='wb-words'>read from the store {instant(model.read_at)} UTC</span>"


def proposal_options(proposals: tuple[Proposal, ...]) -> list[tuple[str, Proposal | None]]:
    """Return the lines of the list of matches; the first one chooses nothing."""
    head = (
        f"{counted(len(proposals), 'match', 'matches')}; choose one"
        if proposals
        else "no search yet"
    )
    lines = [(f"{p.scope}   ({counted(p.count, 'automation')}; {p.why})", p) for p in proposals]
    return [(head, None), *lines]


def draw_preview(pause: PauseModel) -> str:
    """Draw every automation the scope covers, what will NOT be stopped on top."""
    if pause.preview_problem:
        return draw_message(Message(pause.preview_problem))
    if pause.preview is None:
        return element("div", "Choose a scope to see every automation it covers.", css="wb-empty")
    return _preview(pause.preview)


def _preview(preview: Preview) -> str:
    not_stopped = {automation.automation_id for automation in preview.not_stopped}
    ordered = sorted(
        preview.automations, key=lambda a: (a.automation_id not in not_stopped, a.automation_id)
    )
    title = element(
        "div",
        f"{counted(len(ordered), 'automation')} under {scope_words(str(preview.scope))}",
        css="wb-title",
    )
    warning = ""
    if not_stopped:
        warning = element(
            "div", f"{counted(len(not_stopped), 'automation')} will NOT be stopped.", css="wb-warn"
        )
    notes = "".join(element("li", note) for note in preview.notes)
    rows = (_preview_row(automation, preview) for automation in ordered)
    drawn = table(
        ("Automation", "This pause", "Kind", "Category", "Owner"),
        rows,
        label="What the scope covers",
    )
    return f"{title}{warning}<ul class='wb-notes'>{notes}</ul>{drawn}"


def _preview_row(automation: Automation, preview: Preview) -> str:
    effect = element("span", "stops", css="wb-chip wb-chip-held")
    if automation in preview.not_stopped:
        effect = element("span", "NOT STOPPED", css="wb-chip wb-chip-warn")
    if automation.automation_id in preview.already_paused:
        effect += element("span", " also held already", css="wb-words")
    name = element("b", automation.automation_id, title=automation.title)
    cells = (
        element("span", text) for text in (automation.kind, automation.category, automation.owner)
    )
    return row(
        (name, effect, *cells), css="wb-row-warn" if automation in preview.not_stopped else ""
    )


def draw_targets(model: ControlModel) -> str:
    """Draw how far the watched hold has come, each step apart, what is not there yet on top."""
    if not model.watched_id:
        return element("div", "No hold stands; nothing to watch.", css="wb-empty")
    targets: tuple[Target, ...] = model.targets
    total = len(targets)
    steps = (
        ("recorded", sum(t.recorded_at is not None for t in targets)),
        ("delivered", sum(t.delivered_at is not None for t in targets)),
        ("confirmed", sum(t.confirmed_at is not None for t in targets)),
        ("quiet", sum(t.quiet_at is not None for t in targets)),
    )
    bars = "".join(_step(name, count, total) for name, count in steps)
    title = element("div", f"{model.watched_id}: how far the pause has come", css="wb-title")
    headings = ("Automation", "State", "Recorded", "Delivered", "Confirmed", "Quiet", "")
    drawn = table(
        headings, map(_target_row, targets), label=f"Targets of {model.watched_id}, times in UTC"
    )
    return f"{title}<div class='wb-steps'>{bars}</div>{drawn}"


def _step(name: str, count: int, total: int) -> str:
    css = "wb-step wb-step-all" if count == total else "wb-step"
    return f"<div class='{css}'>{element('b', f'{count} of {total}')} {element('span', name)}</div>"


def _target_row(target: Target) -> str:
    is_unconfirmed = target.state is TargetState.UNCONFIRMED
    css = "wb-chip wb-chip-warn" if is_unconfirmed else f"wb-chip wb-chip-{target.state}"
    quiet = instant(target.quiet_at)
    if target.quiet_at is None and target.in_flight_count:
        quiet = element("b", f"{target.in_flight_count} in flight", css="wb-warn")
    return row(
        (
            element("b", target.automation_id),
            element("span", _STATE_WORDS[target.state], css=css),
            instant(target.recorded_at),
            instant(target.delivered_at),
            instant(target.confirmed_at),
            quiet,
            element("span", target.note, css="wb-words"),
        ),
        css="wb-row-warn" if is_unconfirmed else "",
    )


def draw_hold(view: HoldView) -> str:
    """Draw one hold: what it covers, how hard, why, by whom, since when, and what gets through it."""
    hold = view.hold
    css = "wb-chip wb-chip-overdue" if view.state is HoldState.LAPSED else "wb-chip wb-chip-held"
    chips = element("span", view.state_in_words, css=css) + "".join(
        element("span", word, css="wb-chip")
        for word in (hold.mode, hold.purpose, hold.incident_id)
        if word
    )
    review = f", review by {day_and_time(hold.review_by)}" if hold.review_by else ""
    facts = f"{counted(len(view.automations), 'automation')}, by {hold.placed_by}, since "
    through = "".join(map(_probation, view.probations))
    decided = "".join(map(_decision, view.decisions))
    return (
        f"<div><b class='wb-hold-id'>{escape(hold.hold_id)}</b> {element('code', scope_words(hold.scope))} "
        f"{chips}</div>{element('div', hold.reason, css='wb-reason')}"
        f"<div class='wb-words'>{element('span', facts)}{day_and_time(hold.placed_at)}{review}</div>"
        f"{through}{decided}"
    )


def scope_words(scope: str) -> str:
    """Write a scope as screens do: everything is safe mode."""
    return "* (safe mode: everything)" if scope == EVERYTHING else scope


def _probation(view: ProbationView) -> str:
    probation = view.probation
    until = f", until {probation.until:%Y-%m-%d %H:%M} UTC" if probation.until else ""
    grounds = probation.decision_id or "break-glass"
    used = f"{view.runs_taken} of {counted(probation.max_runs, 'run')} used"
    state = f"ended: {view.why_over}" if view.why_over else "runs may pass now"
    names = ", ".join(probation.automation_ids)
    text = (
        f"Narrow restart {probation.probation_id} of {names}: {used}{until}, on {grounds}; {state}."
    )
    return element("div", text, css="wb-through" if view.is_live else "wb-through wb-words")


def _decision(decision: Decision) -> str:
    text = (
        f"{decision.decision_id}: {decision.decision}, by {decision.decided_by}. {decision.reason}"
    )
    return element("div", text, css="wb-words")


def draw_no_holds(model: ControlModel) -> str:
    """Say that no hold stands, where the list would be."""
    return "" if model.holds else element("div", "No hold stands.", css="wb-empty")


def draw_resume_title(resume: ResumeModel) -> str:
    """Name the hold that the form opens."""
    return element("div", f"Resume {resume.hold_id}", css="wb-title")


def draw_automations(model: ControlModel) -> str:
    """Draw every automation with its owner and state, what is held on top."""
    ordered = sorted(model.statuses, key=lambda s: (not s.hold_ids, s.automation.automation_id))
    headings = ("Automation", "State", "Held by", "Kind", "Category", "Owner", "Restarts")
    return table(headings, map(_automation_row, ordered), label="All automations")


def _automation_row(status: AutomationStatus) -> str:
    automation = status.automation
    css = "wb-chip wb-chip-held" if status.hold_ids else "wb-chip"
    restarts = automation.restart_owner or automation.owner
    texts = (
        ", ".join(status.hold_ids),
        automation.kind,
        automation.category,
        automation.owner,
        restarts,
    )
    return row(
        (
            element("b", automation.automation_id, title=automation.title),
            element("span", status.state, css=css),
            *(element("span", text) for text in texts),
        )
    )


def draw_summary(model: ControlModel) -> str:
    """Draw the last state as read-only HTML, for executed notebooks and exports where no kernel answers."""
    how = "Read-only. To act, open the control panel or type: workbench pause"
    holds = "".join(f"<div class='wb-hold'>{draw_hold(view)}</div>" for view in model.holds)
    return (
        f"<div class='wb-summary'>{draw_band(model)}{draw_headline(model)}{draw_targets(model)}"
        f"<div class='wb-title'>Holds</div>{holds}{draw_no_holds(model)}"
        f"<div class='wb-title'>All automations</div>{draw_automations(model)}"
        f"{element('div', how, css='wb-words')}</div>"
    )

"""Draws the state of the control panel as HTML; every text that comes from the store is escaped."""

from __future__ import annotations

from workbench.control.views import AutomationStatus, HostView
from workbench.panels.control_model import NARROW, ControlModel
from workbench.panels.form_html import draw_hold
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
from workbench.panels.signoff_html import draw_pending, draw_signoff_head
from workbench.records import Target, TargetState

_BAND_CLASSES = {"production": "wb-band-production", "staging": "wb-band-staging"}
PAUSE_WITHOUT_STORE = (
    "a pause still goes, by the form below or by `workbench pause SCOPE --reason TEXT` in a terminal: without the "
    "store it is spooled, and gates obey it; nothing can be resumed meanwhile"
)
"""What can be done while the store cannot be read."""

MOST_FLAGS = 3
"""The newest flags are shown beside those that are never folded away; `workbench status` lists all."""

SEEN_NOW = "seen now, not recorded"
"""What stands instead of an instant that no event holds."""

_NOT_THERE = (TargetState.UNCONFIRMED, TargetState.UNREACHABLE, TargetState.CANNOT)
_STATE_WORDS = {
    TargetState.RECORDED: "recorded",
    TargetState.DELIVERED: "delivered",
    TargetState.CONFIRMED: "confirmed",
    TargetState.QUIET: "quiet",
    TargetState.UNCONFIRMED: "UNCONFIRMED",
    TargetState.UNREACHABLE: "UNREACHABLE",
    TargetState.CANNOT: "CANNOT be stopped so",
}


def draw_band(model: ControlModel) -> str:
    """Draw whose store this is; the colour comes from the environment written inside the store."""
    if model.head is None:
        return f"<div class='wb-band wb-band-unknown'>{element('b', 'NO STORE READ', css='wb-env')}</div>"
    css = _BAND_CLASSES.get(model.head.environment, "wb-band-other")
    facts = (
        ("store", model.head.store_id),
        ("at", model.head.place),
        ("log head", f"{model.head.seq} {model.head.hash[:12]}, {model.head.signature}"),
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
        css, big = "wb-held", f"{model.stopped_count} of {total} paused"
        sub = f"By {counted(len(model.holds), 'hold')}: {', '.join(v.hold.hold_id for v in model.holds)}."
    if doubts := _not_the_whole(model):
        css, big = "wb-unread", f"{doubts}: {big[0].lower()}{big[1:]}"
    facts = (
        (
            model.not_stopped_count,
            "held and NOT stopped: no gate or engine confirms it",
            "wb-chip-warn",
        ),
        (model.unconfirmed_count, f"of {model.watched_id} not confirmed yet", "wb-chip-warn"),
        (model.overdue_count, "overdue, still paused", "wb-chip-overdue"),
        (model.narrow_count, "in a narrow restart", "wb-chip-through"),
    )
    chips = " ".join(
        element("b", f"{count} {text}", css=f"wb-chip {chip}")
        for count, text, chip in facts
        if count
    )
    return (
        f"<div class='wb-headline {css}'>{element('div', big, css='wb-big')}"
        f"<div>{element('span', sub)} {chips}</div></div>{_problems(model)}"
    )


def _not_the_whole(model: ControlModel) -> str:
    """Say why the large line is not all that is so now: gates obey the spool, and what was read may be old."""
    found = ["besides the spool"] if model.spooled else []
    found += ["when last read"] if model.read_problem else []
    return ", ".join(found).capitalize()


def _problems(model: ControlModel) -> str:
    found = ""
    if model.publication_fault:
        text = f"Gates may not know the newest state: {model.publication_fault}."
        found += draw_message(Message(text, "run `workbench doctor`", is_alert=True))
    if model.read_problem:
        text = f"The store cannot be read now; what is shown is old. {model.read_problem} {model.spooled}"
        found += draw_message(Message(text.strip(), PAUSE_WITHOUT_STORE, is_alert=True))
    elif model.spooled:
        found += draw_message(Message(f"NOT RECORDED yet: {model.spooled}", is_alert=True))
    return found


def draw_read(model: ControlModel) -> str:
    """Draw when the store was last read; apart, because it changes each second."""
    return f"<span class='wb-words'>read from the store {instant(model.read_at)} UTC</span>"


def draw_targets(model: ControlModel) -> str:
    """Draw how far the watched hold has come, each step apart, what is not there yet on top."""
    if not model.watched_id:
        return element("div", "No hold stands; nothing to watch.", css="wb-empty")
    targets: tuple[Target, ...] = model.targets
    bars = "".join(_step(name, targets) for name in ("recorded", "delivered", "confirmed", "quiet"))
    title = element("div", f"{model.watched_id}: how far the pause has come", css="wb-title")
    headings = ("Automation", "State", "Recorded", "Delivered", "Confirmed", "Quiet")
    drawn = table(
        headings, map(_target_row, targets), label=f"Targets of {model.watched_id}, times in UTC"
    )
    return f"{title}<div class='wb-steps'>{bars}</div>{drawn}"


def _step(name: str, targets: tuple[Target, ...]) -> str:
    total, field = len(targets), f"{name}_at"
    count = sum(getattr(target, field) is not None for target in targets)
    seen = sum(field in target.unrecorded for target in targets)
    css = "wb-step wb-step-all" if count == total else "wb-step"
    now = element("div", f"{seen} {SEEN_NOW}", css="wb-words") if seen else ""
    done = element("b", f"{count} of {total}")
    return f"<div class='{css}'>{done} {element('span', name)}{now}</div>"


def _step_instant(target: Target, name: str) -> str:
    """Write when a step was recorded; one that is only seen to be so now has no instant of its own."""
    if name in target.unrecorded:
        return element("span", SEEN_NOW, css="wb-absent")
    return instant(getattr(target, name))


def _target_row(target: Target) -> str:
    is_unconfirmed = target.state in _NOT_THERE
    css = "wb-chip wb-chip-warn" if is_unconfirmed else f"wb-chip wb-chip-{target.state}"
    quiet = _step_instant(target, "quiet_at")
    if target.quiet_at is None and target.in_flight_count:
        quiet = element("b", f"{target.in_flight_count} in flight", css="wb-warn")
    note = element("div", target.remark, css="wb-words") if target.remark else ""
    return row(
        (
            element("b", target.automation_id) + note,
            element("span", _STATE_WORDS[target.state], css=css),
            instant(target.recorded_at),
            _step_instant(target, "delivered_at"),
            _step_instant(target, "confirmed_at"),
            quiet,
        ),
        css="wb-row-warn" if is_unconfirmed else "",
    )


def draw_hosts(model: ControlModel) -> str:
    """Draw the hosts whose mirrors report, the silent ones on top; nothing where none does."""
    if not model.hosts:
        return ""
    headings = ("Host", "Its gates are", "At event", "Last heartbeat")
    return table(headings, map(_host_row, model.hosts), label="Hosts, times in UTC")


def _host_row(view: HostView) -> str:
    is_bad = view.host.is_silent or not view.is_told
    css = "wb-chip wb-chip-warn" if is_bad else "wb-chip wb-chip-quiet"
    return row(
        (
            element("b", view.label, title=view.host.gate_folder),
            element("span", view.state_in_words, css=css),
            element("span", f"{view.host.seq} of {view.wanted_seq}"),
            element("span", view.host.last_heard.removeprefix("last heartbeat ")),
        ),
        css="wb-row-warn" if is_bad else "",
    )


def draw_flags(model: ControlModel) -> str:
    """Draw what somebody should look at: all break-glass resumes and overrides, and the newest of the rest."""
    if not model.flags:
        return ""
    rest = [flag for flag in model.flags if flag not in model.pressing]
    newest = rest[-MOST_FLAGS:]
    older = len(rest) - len(newest)
    listed = "".join(element("li", flag, css="wb-flag-warn") for flag in model.pressing)
    listed += "".join(element("li", flag) for flag in newest)
    more = element("li", f"and {older} more: type workbench status") if older else ""
    return f"<ul class='wb-flags' aria-label='Flagged'>{listed}{more}</ul>"


def draw_no_holds(model: ControlModel) -> str:
    """Say that no hold stands, where the list would be."""
    return "" if model.holds else element("div", "No hold stands.", css="wb-empty")


def draw_automations(model: ControlModel) -> str:
    """Draw every automation with its owner and state, what is held on top."""
    ordered = sorted(model.statuses, key=lambda s: (not s.hold_ids, s.automation.automation_id))
    headings = ("Automation", "State", "Held by", "Kind", "Category", "Owner", "Restarts")
    return table(headings, map(_automation_row, ordered), label="All automations")


def _automation_row(status: AutomationStatus) -> str:
    automation = status.automation
    css = "wb-chip wb-chip-held" if status.hold_ids else "wb-chip"
    css = "wb-chip wb-chip-through" if status.state == NARROW else css
    state = status.state_in_words
    if status.hold_ids and not automation.asks_gate:
        css, state = "wb-chip wb-chip-warn", "held, NOT STOPPED"
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
            element("span", state, css=css),
            *(element("span", text) for text in texts),
        )
    )


def draw_summary(model: ControlModel) -> str:
    """Draw the last state as read-only HTML, for executed notebooks and exports where no kernel answers."""
    how = "Read-only. To act, open the control panel or type: workbench pause"
    holds = "".join(f"<div class='wb-hold'>{draw_hold(view)}</div>" for view in model.holds)
    waiting = model.signoff.pending
    signoffs = "".join(f"<div class='wb-hold'>{draw_pending(found)}</div>" for found in waiting)
    return (
        f"<div class='wb-summary'>{draw_band(model)}{draw_headline(model)}{draw_targets(model)}"
        f"{draw_hosts(model)}<div class='wb-title'>Holds</div>{draw_flags(model)}{holds}{draw_no_holds(model)}"
        f"<div class='wb-title'>Sign-offs</div>{draw_signoff_head(model.signoff)}{signoffs}"
        f"<div class='wb-title'>All automations</div>{draw_automations(model)}"
        f"{element('div', how, css='wb-words')}</div>"
    )

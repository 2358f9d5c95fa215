"""Draws the pause and resume forms of the control panel and its holds; every text from the store is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from workbench.control.pending import decision_in_words, report_said
from workbench.control.spooling import Told
from workbench.control.views import HoldView, Preview, ProbationView
from workbench.panels.guard import Message
from workbench.panels.html_parts import counted, day_and_time, draw_message, element, row, table
from workbench.panels.pause_model import PauseModel
from workbench.panels.resume_model import ResumeModel
from workbench.records import Automation, Decision, HoldState
from workbench.scope import EVERYTHING, Proposal


def proposal_options(proposals: tuple[Proposal, ...]) -> list[tuple[str, Proposal | None]]:
    """Return the lines of the list of matches; the first one chooses nothing."""
    head = f"{counted(len(proposals), 'scope')} to choose from"
    lines = [
        (f"{counted(p.count, 'automation')}: {scope_words(str(p.scope))}", p) for p in proposals
    ]
    return [(head, None), *lines]


def draw_preview(pause: PauseModel) -> str:
    """Draw every automation the scope covers, what will NOT be stopped on top."""
    if pause.preview_problem:
        return draw_message(Message(pause.preview_problem))
    if pause.told is not None:
        return _told(pause.told)
    if pause.preview is None:
        return element("div", "Choose a scope to see every automation it covers.", css="wb-empty")
    return _preview(pause.preview)


def draw_armed(pause: PauseModel) -> str:
    """Draw what confirming records, as it stood when it was armed."""
    armed = pause.armed
    if armed is None:
        return ""
    told = armed.told
    facts = (
        ("Scope", scope_words(armed.scope)),
        ("How", armed.mode.in_plain_words),
        ("Reason", armed.reason),
        ("Covers", _told_names(told) if told else ""),
        ("No preview", told.cause if told else ""),
        ("What happens", _by_spool(told) if told else ""),
    )
    return draw_facts("Armed. Nothing is paused until you confirm.", facts)


def _by_spool(told: Told) -> str:
    return (
        f"unless the store can be reached again, the pause is spooled, not recorded: gates of {told.gate_folder} "
        "hold it at once, and the next command that works records it as a hold. What asks no gate of this "
        "folder is NOT stopped, and no engine is told"
    )


def _told_names(told: Told) -> str:
    everything = "everything; by name " if told.scope.is_everything else ""
    return f"{everything}{', '.join(told.automation_ids) or 'nothing that is registered'}"


def _told(told: Told) -> str:
    """Say what is known of a scope while the store cannot be asked: what gates were told last."""
    count = counted(len(told.automation_ids), "automation")
    title = element(
        "div",
        f"{count} under {scope_words(str(told.scope))}, as gates were told last",
        css="wb-title",
    )
    why = f"The store cannot be reached, so that nobody can say what will NOT be stopped. {told.cause}"
    return (
        f"{title}{element('div', why, css='wb-warn')}"
        f"{element('div', _told_names(told), css='wb-reason')}"
    )


def draw_armed_resume(resume: ResumeModel) -> str:
    """Draw what confirming would let run, and what stays paused all the same."""
    armed = resume.armed
    if armed is None:
        return ""
    held = ", ".join(
        f"{automation_id} (by {hold_ids})" for automation_id, hold_ids in armed.plan.still_held
    )
    reason = armed.request.break_glass_reason
    grounds = armed.request.decision_id or (
        f"break-glass: {reason}" if reason else "ready for its first run, as reviewed"
    )
    facts = (
        ("May run", ", ".join(armed.plan.lets_run) or "nothing: other holds stand"),
        ("Still held", held),
        (f"Stays in {armed.request.hold_id}", ", ".join(armed.plan.stays)),
        ("Engines would start", "; ".join(armed.plan.starts)),
        ("At most", f"{rate} runs a minute" if (rate := armed.request.rate_per_minute) else ""),
        ("Grounds", grounds),
        *(fact for decision in _rests_on(resume) for fact in decision_facts(decision)),
    )
    return draw_facts("Armed. Nothing runs until you confirm.", facts)


def _rests_on(resume: ResumeModel) -> list[Decision]:
    decided = resume.hold.decisions if resume.hold else ()
    armed = resume.armed
    return [d for d in decided if armed and d.decision_id == armed.request.decision_id]


def draw_facts(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """Draw what is armed as named facts; an empty one is left out, an override is a warning."""
    lines = "".join(
        f"{element('dt', name, css=css)}{element('dd', text, css=css)}"
        for name, text in facts
        if text
        for css in ("wb-warn" if name == "OVERRIDE" else "",)
    )
    return f"{element('div', title, css='wb-title')}<dl>{lines}</dl>"


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
        effect += " " + element("span", "held already", css="wb-words")
    name = element("b", automation.automation_id, title=automation.title)
    cells = (
        element("span", text) for text in (automation.kind, automation.category, automation.owner)
    )
    return row(
        (name, effect, *cells), css="wb-row-warn" if automation in preview.not_stopped else ""
    )


def draw_resume_title(resume: ResumeModel) -> str:
    """Name the hold that the form opens."""
    return element("div", f"Resume {resume.hold_id}", css="wb-title")


def draw_hold(view: HoldView) -> str:
    """Draw one hold: what it covers, how hard, why, by whom, since when, and what gets through it."""
    hold = view.hold
    css = "wb-chip wb-chip-overdue" if view.state is HoldState.LAPSED else "wb-chip wb-chip-held"
    chips = element("span", view.state_in_words, css=css) + "".join(
        " " + element("span", word, css="wb-chip")
        for word in (hold.mode, hold.purpose, hold.incident_id)
        if word
    )
    review = f", review by {day_and_time(hold.review_by)}" if hold.review_by else ""
    facts = f"{counted(len(view.automations), 'automation')}, by {hold.placed_by}, since "
    through = "".join(map(_probation, view.probations))
    decided = "".join(map(draw_decision, view.decisions))
    return (
        f"<div><b class='wb-hold-id'>{escape(hold.hold_id)}</b> {element('code', scope_words(hold.scope))} "
        f"{chips}</div>{element('div', view.reason_in_words, css='wb-reason')}"
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
    shares = f" ({', '.join(use.words for use in view.uses)})" if view.uses else ""
    where = f"{shares}{view.cut_off_words}"
    state = f"ended: {view.why_over}" if view.why_over else "runs may pass now"
    names = ", ".join(probation.automation_ids)
    text = f"Narrow restart {probation.probation_id} of {names}: {used}{where}{until}, on {grounds}; {state}."
    return element("div", text, css="wb-through" if view.is_live else "wb-through wb-words")


def draw_decision(decision: Decision, before: str = "") -> str:
    """Draw a decision and what its report said; one AGAINST its report in words and colour of a warning."""
    said = f"{report_said(decision)}."
    if not decision.is_override:
        words = f"{before}{decision_in_words(decision).rstrip('.')}. {said}"
        return element("div", words, css="wb-words")
    return (
        f"{element('div', f'{before}{decision_in_words(decision)}', css='wb-warn')}"
        f"{element('div', f'An override: {said}', css='wb-warn')}"
    )


def decision_facts(decision: Decision) -> list[tuple[str, str]]:
    """Return what an armed box says of the decision it rests on."""
    fact = "OVERRIDE" if decision.is_override else "Report"
    return [("Rests on", decision_in_words(decision)), (fact, report_said(decision))]

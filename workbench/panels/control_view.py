"""Lays the control panel out and links it to its model; decides nothing."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from traitlets import dlink, link

from workbench.panels import control_html as html
from workbench.panels import form_html as forms
from workbench.panels.control_model import ControlModel
from workbench.panels.heartbeat import Heartbeat
from workbench.panels.html_parts import STYLE, draw_message, styled_page
from workbench.panels.resume_model import FIELDS, CatchUpChoice, ResumeWay, only_example
from workbench.panels.signoff_view import SignoffForm
from workbench.panels.view_parts import (
    LABEL,
    beside,
    button,
    confirming,
    drawn,
    field,
    in_place,
    number,
    placed,
    radio,
    section,
    styled,
)
from workbench.records import Mode

_HEADLINE = ("statuses", "holds", "targets", "publication_fault", "read_problem", "spooled")


class ControlView(widgets.VBox):
    """The control panel as a person sees it: state on top, then pause, progress, holds, sign-offs, automations."""

    def __init__(self, model: ControlModel) -> None:
        """Build every part once; afterwards only values change."""
        self.model = model
        self.heartbeat = Heartbeat()
        self.pause_form = PauseForm(model)
        self.resume_form = ResumeForm(model)
        self.hold_list = HoldList(model, self.resume_form)
        self.signoff_form = SignoffForm(model.signoff)
        pause = model.pause
        preview = drawn(
            lambda: forms.draw_preview(pause), pause, "preview", "preview_problem", "told"
        )
        targets = drawn(lambda: html.draw_targets(model), model, "targets", "watched_id")
        hosts = drawn(lambda: html.draw_hosts(model), model, "hosts")
        flags = drawn(lambda: html.draw_flags(model), model, "flags", "pressing")
        automations = drawn(lambda: html.draw_automations(model), model, "statuses")
        super().__init__(
            [
                widgets.HTML(f"<style>{STYLE}</style>", layout=widgets.Layout(display="none")),
                drawn(lambda: html.draw_band(model), model, "head"),
                styled(
                    widgets.HBox(
                        [self.heartbeat, drawn(lambda: html.draw_read(model), model, "read_at")]
                    ),
                    "wb-live",
                ),
                drawn(lambda: html.draw_headline(model), model, *_HEADLINE),
                styled(
                    widgets.Box(
                        [
                            section("Pause", self.pause_form),
                            widgets.VBox(
                                [
                                    section("What it covers", preview, self.pause_form.armed),
                                    section("Progress of the pause", targets, hosts),
                                ]
                            ),
                        ]
                    ),
                    "wb-columns",
                ),
                section("Holds", flags, self.hold_list),
                section("Sign-offs", self.signoff_form),
                section("All automations", automations),
            ]
        )
        dlink((model, "reach"), (self.heartbeat, "trouble"))
        self.add_class("wb-panel")

    def start(self) -> None:
        """Begin to beat and to re-read the store."""
        self.heartbeat.start()
        self.model.start()

    def stop(self) -> None:
        """Stop both; the panel then says that it is closed."""
        self.model.stop()
        self.heartbeat.stop()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Add the last state as plain HTML, for viewers that have no kernel to show a widget with."""
        return {
            **super()._repr_mimebundle_(**kwargs),
            "text/html": styled_page(html.draw_summary(self.model)),
        }


class PauseForm(widgets.VBox):
    """Search, scope, mode, reason; arm, then confirm beside the list of what is covered.

    The confirmation stands away from the Pause button, so that no double click can reach it.
    """

    def __init__(self, model: ControlModel) -> None:
        """Link every field to the pause model."""
        pause = model.pause
        self.search = field("Find", "for example: refunds")
        self.find = button("Find", pause.find)
        self.matches = widgets.Select(
            options=[("", None)], rows=6, description="Matches", style=LABEL
        )
        self.scope = field("Scope", "kind=agent, or * for all")
        self.mode = radio(
            "How", {f"{mode.capitalize()}. {mode.in_plain_words}": mode for mode in Mode}
        )
        self.reason = field("Reason", "what you saw, incident id")
        self.arm = button("Pause…", pause.arm, "wb-pause")
        self.confirm = button("Confirm", pause.confirm, "wb-confirm")
        self.cancel = button("Cancel", pause.cancel)
        self.armed = styled(
            widgets.VBox(
                [
                    drawn(lambda: forms.draw_armed(pause), pause, "armed"),
                    confirming(self.confirm, self.cancel),
                ]
            ),
            "wb-armed",
        )
        for trait in ("search", "scope", "mode", "reason"):
            link((pause, trait), (getattr(self, trait), "value"))
        dlink((pause, "proposals"), (self.matches, "options"), forms.proposal_options)
        dlink(
            (pause, "armed"),
            (self.confirm, "description"),
            lambda it: getattr(it, "sentence", "Confirm"),
        )
        dlink((pause, "armed"), (self.armed.layout, "display"), lambda it: placed(it is not None))
        self.search.observe(lambda _: pause.find(), "value")
        self.matches.observe(lambda change: pause.choose(change["new"]), "value")
        super().__init__(
            [
                widgets.HBox([self.search, self.find]),
                self.matches,
                self.scope,
                self.mode,
                self.reason,
                self.arm,
                drawn(lambda: draw_message(pause.message), pause, "message"),
            ]
        )


class HoldList(widgets.VBox):
    """One row for each hold that stands, with buttons that name it, and the resume form under the chosen one."""

    def __init__(self, model: ControlModel, form: ResumeForm) -> None:
        """Follow the holds of the model."""
        super().__init__()
        self.model = model
        self.form = form
        self.rows: dict[str, HoldRow] = {}
        self.nothing = drawn(lambda: html.draw_no_holds(model), model, "holds")
        model.observe(lambda _: self.follow(), "holds")
        model.resume.observe(lambda _: self.follow(), "shown_at")
        self.follow()

    def follow(self) -> None:
        """Show one row a hold; a row that stays is kept, so that the focus on its buttons is kept."""
        views = {view.hold.hold_id: view for view in self.model.holds}
        self.rows = {
            hold_id: self.rows.get(hold_id) or HoldRow(self.model, hold_id) for hold_id in views
        }
        for hold_id, view in views.items():
            self.rows[hold_id].text.value = forms.draw_hold(view)
        under = in_place(self.rows, self.form, at=self.model.resume.shown_at)
        self.children = [self.nothing, *under]


class HoldRow(widgets.HBox):
    """A hold, with a button to watch its progress and one to open its resume form."""

    def __init__(self, model: ControlModel, hold_id: str) -> None:
        """Name the hold on both buttons, so that neither is ever pressed for another one."""
        self.text = widgets.HTML()
        self.watch = button(f"Progress of {hold_id}", lambda: model.watch(hold_id))
        self.resume = button(f"Resume {hold_id}…", lambda: model.choose_resume(hold_id))
        super().__init__(
            [self.text, styled(widgets.HBox([self.watch, self.resume]), "wb-row-buttons")]
        )
        self.add_class("wb-hold")


class ResumeForm(widgets.VBox):
    """How far to open the chosen hold and on what grounds; arm, then confirm with another button."""

    def __init__(self, model: ControlModel) -> None:
        """Link every field to the resume model."""
        resume = model.resume
        self.way = radio("How far", {way.in_plain_words: way for way in ResumeWay})
        self.only = field("Only", "automation=invoice-triage")
        self.runs = number("Runs")
        self.hosts = field("Host", "worker-1, or worker-1=5,worker-2=5")
        self.catch_up = radio("Missed starts", {c.in_plain_words: c for c in CatchUpChoice})
        self.rate_per_minute = number("Runs a minute")
        self.decision_id = field("Decision", "for example D-3")
        self.break_glass_reason = field("Break-glass reason", "only without a decision")
        self.arm = button("Resume…", resume.arm, "wb-resume")
        self.close_form = button("Close", lambda: resume.choose(None))
        self.confirm = button("Confirm", resume.confirm, "wb-confirm")
        self.cancel = button("Cancel", resume.cancel)
        armed = styled(
            widgets.VBox(
                [
                    drawn(lambda: forms.draw_armed_resume(resume), resume, "armed"),
                    confirming(self.confirm, self.cancel),
                ]
            ),
            "wb-armed",
        )
        narrow = widgets.VBox([self.only, self.runs, self.hosts])
        rate = beside(self.rate_per_minute, "0: as fast as the engines start them")
        engines = widgets.VBox([self.catch_up, rate])
        for trait in FIELDS:
            link((resume, trait), (getattr(self, trait), "value"))
        dlink(
            (resume, "way"), (narrow.layout, "display"), lambda way: placed(way is ResumeWay.NARROW)
        )
        dlink((model, "hosts"), (self.hosts.layout, "display"), lambda known: placed(bool(known)))
        dlink((resume, "has_engine"), (engines.layout, "display"), placed)
        dlink(
            (resume, "armed"),
            (self.confirm, "description"),
            lambda it: getattr(it, "sentence", "Confirm"),
        )
        dlink((resume, "armed"), (armed.layout, "display"), lambda it: placed(it is not None))
        dlink((resume, "hold"), (self.only, "placeholder"), only_example)
        title = drawn(lambda: forms.draw_resume_title(resume), resume, "hold")
        fields = widgets.VBox(
            [
                title,
                self.way,
                narrow,
                engines,
                self.decision_id,
                self.break_glass_reason,
                widgets.HBox([self.arm, self.close_form]),
                armed,
            ]
        )
        fields.add_class("wb-form")
        dlink((resume, "hold"), (fields.layout, "display"), lambda hold: placed(hold is not None))
        super().__init__([fields, drawn(lambda: draw_message(resume.message), resume, "message")])

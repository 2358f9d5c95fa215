"""Lays out the sign-offs that wait and links them to their model; decides nothing."""

from __future__ import annotations

import ipywidgets as widgets
from traitlets import dlink

from workbench.panels import form_html as forms
from workbench.panels.html_parts import draw_message
from workbench.panels.signoff_model import SignoffModel
from workbench.panels.view_parts import button, drawn, placed, styled


class SignoffForm(widgets.VBox):
    """One row for each sign-off that waits, with a button that names it; arm, then confirm with another."""

    def __init__(self, model: SignoffModel) -> None:
        """Follow what waits."""
        self.model = model
        self.rows: dict[str, SignoffRow] = {}
        self.listed = widgets.VBox()
        self.confirm = button("Confirm", model.confirm, "wb-confirm")
        self.cancel = button("Cancel", model.cancel)
        self.armed = styled(
            widgets.VBox(
                [
                    drawn(lambda: forms.draw_armed_signoff(model), model, "armed"),
                    widgets.HBox([self.confirm, self.cancel]),
                ]
            ),
            "wb-armed",
        )
        dlink(
            (model, "armed"),
            (self.confirm, "description"),
            lambda it: getattr(it, "sentence", "Confirm"),
        )
        dlink((model, "armed"), (self.armed.layout, "display"), lambda it: placed(it is not None))
        nothing = drawn(lambda: forms.draw_no_signoffs(model), model, "pending")
        message = drawn(lambda: draw_message(model.message), model, "message")
        super().__init__([nothing, self.listed, self.armed, message])
        model.observe(lambda _: self.follow(), "pending")
        self.follow()

    def follow(self) -> None:
        """Show one row a sign-off; a row that stays is kept, so that the focus on its button is kept."""
        self.rows = {
            found.signoff_id: self.rows.get(found.signoff_id)
            or SignoffRow(self.model, found.signoff_id)
            for found in self.model.pending
        }
        for found in self.model.pending:
            self.rows[found.signoff_id].text.value = forms.draw_signoff(found)
        self.listed.children = list(self.rows.values())


class SignoffRow(widgets.HBox):
    """A sign-off that waits, with a button that names it."""

    def __init__(self, model: SignoffModel, signoff_id: str) -> None:
        """Name the sign-off on the button, so that it is never pressed for another one."""
        self.text = widgets.HTML()
        self.sign = button(f"Sign off {signoff_id}…", lambda: model.arm(signoff_id))
        super().__init__([self.text, self.sign])
        self.add_class("wb-hold")

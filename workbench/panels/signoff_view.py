"""Lays out what waits for another person and links it to its model; decides nothing."""

from __future__ import annotations

import ipywidgets as widgets
from traitlets import dlink

from workbench.control.pending import Pending
from workbench.panels import signoff_html as forms
from workbench.panels.html_parts import draw_message
from workbench.panels.signoff_model import SignoffModel
from workbench.panels.view_parts import button, confirming, drawn, in_place, placed, styled


class SignoffForm(widgets.VBox):
    """One row for each thing that waits, with a button that names it; arm, then confirm with another beside it."""

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
                    confirming(self.confirm, self.cancel),
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
        head = drawn(lambda: forms.draw_signoff_head(model), model, "pending", "rule", "unasked")
        message = drawn(lambda: draw_message(model.message), model, "message")
        self.box = widgets.VBox([self.armed, message])
        super().__init__([head, self.listed])
        model.observe(lambda _: self.follow(), ["pending", "shown_at"])
        self.follow()

    def follow(self) -> None:
        """Show one row a sign-off; a row that stays is kept, so that the focus on its button is kept."""
        self.rows = {
            found.name: self.rows.get(found.name) or SignoffRow(self.model, found)
            for found in self.model.pending
        }
        for found in self.model.pending:
            self.rows[found.name].text.value = forms.draw_pending(found)
            self.rows[found.name].sign.layout.display = placed(found.is_wanting)
        self.listed.children = in_place(self.rows, self.box, at=self.model.shown_at)


class SignoffRow(widgets.HBox):
    """One thing that waits, with a button that names it."""

    def __init__(self, model: SignoffModel, found: Pending) -> None:
        """Name what it does on the button, so that it is never pressed for another one."""
        self.text = widgets.HTML()
        deed = found.deed[0].upper() + found.deed[1:]
        self.sign = button(f"{deed}…", lambda: model.arm(found.name))
        super().__init__([self.text, self.sign])
        self.add_class("wb-hold")

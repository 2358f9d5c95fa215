"""Widgets that every panel is laid out with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, TypeVar

import ipywidgets as widgets
import traitlets

_PLACED = {True: "", False: "none"}
LABEL = {"description_width": "5.5em"}
"""Labels stand in a column of their own."""

W = TypeVar("W", bound=widgets.DOMWidget)


def styled(widget: W, *css: str) -> W:
    """Give a widget the style classes of the panel's style sheet."""
    for name in css:
        widget.add_class(name)
    return widget


def placed(is_there: bool) -> str:
    """Return the display of a part that takes room only when it is there."""
    return _PLACED[is_there]


def field(label: str, hint: str) -> widgets.Text:
    """Return a labelled text field that tells its value when it is left or Enter is pressed."""
    return styled(
        widgets.Text(description=label, placeholder=hint, continuous_update=False, style=LABEL),
        "wb-field",
    )


def number(label: str) -> widgets.IntText:
    """Return a labelled field for a whole number."""
    return styled(widgets.IntText(description=label, style=LABEL), "wb-number")


def beside(widget: widgets.Widget, words: str) -> widgets.HBox:
    """Return a widget with what its values mean, in words, to the right of it."""
    said = widgets.HTML(f"<span class='wb-empty'>{escape(words)}</span>")
    return styled(widgets.HBox([widget, said]), "wb-beside")


def radio(label: str, options: Mapping[str, Any]) -> widgets.RadioButtons:
    """Return a labelled choice whose options are whole sentences."""
    return styled(
        widgets.RadioButtons(description=label, options=list(options.items()), style=LABEL),
        "wb-field",
    )


def button(text: str, action: Callable[[], None], *css: str) -> widgets.Button:
    """Return a button with text on it, never an icon alone."""
    made = styled(widgets.Button(description=text), "wb-button", *css)
    made.on_click(lambda _: action())
    return made


def confirming(confirm: widgets.Button, cancel: widgets.Button) -> widgets.HBox:
    """Return both buttons of an armed box on one line."""
    return styled(widgets.HBox([confirm, cancel]), "wb-confirming")


def in_place(
    rows: Mapping[str, widgets.Widget], part: widgets.Widget, *, at: str
) -> list[widgets.Widget]:
    """Return rows with a part right under the one that it belongs to; on top where that row is gone."""
    placed_under: dict[str, list[widgets.Widget]] = {
        "": [],
        **{name: [row] for name, row in rows.items()},
    }
    placed_under.get(at, placed_under[""]).append(part)
    return [widget for found in placed_under.values() for widget in found]


def section(title: str, *parts: widgets.Widget) -> widgets.VBox:
    """Return a titled part of the panel."""
    heading = widgets.HTML(f"<h3 class='wb-heading'>{escape(title)}</h3>")
    return styled(widgets.VBox([heading, *parts]), "wb-section")


def drawn(draw: Callable[[], str], model: traitlets.HasTraits, *names: str) -> widgets.HTML:
    """Return HTML that is drawn again whenever one of the model's traits changes."""
    made = widgets.HTML(draw())
    model.observe(lambda _: made.set_trait("value", draw()), list(names))
    return made

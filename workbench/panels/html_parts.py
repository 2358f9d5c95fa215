"""Small escaped pieces of HTML that the panels are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from pathlib import Path

from workbench.panels.guard import Message

STYLE = Path(__file__).with_name("control_panel.css").read_text(encoding="utf-8")
"""The style sheet of the panels."""


def element(tag: str, text: object, *, css: str = "", role: str = "", title: str = "") -> str:
    """Return one element whose text and attributes are escaped."""
    attributes = {"class": css, "role": role, "title": title}
    written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
    return f"<{tag}{written}>{escape(str(text))}</{tag}>"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, `1 hold`, `2 holds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def instant(at: datetime | None, absent: str = "not yet") -> str:
    """Write an instant as a time of day, with the full instant on hover; or say that there is none."""
    if at is None:
        return element("span", absent, css="wb-absent")
    return element("time", f"{at:%H:%M:%S}", title=f"{at:%Y-%m-%d %H:%M:%S.%f} UTC")


def day_and_time(at: datetime) -> str:
    """Write an instant with its day."""
    return element("time", f"{at:%Y-%m-%d %H:%M:%S} UTC")


def table(headings: Iterable[str], rows: Iterable[str], *, label: str) -> str:
    """Return a table of rows that are already HTML."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(rows)
    return (
        f'<div class="wb-scroll"><table class="wb-table" aria-label="{escape(label)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def row(cells: Iterable[str], css: str = "") -> str:
    """Return one table row of cells that are already HTML."""
    return f'<tr class="{css}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def draw_message(message: Message) -> str:
    """Draw what the last action said; an alert is announced, and names what to do next."""
    if not message.text:
        return ""
    role, css = ("alert", "wb-alert") if message.is_alert else ("status", "wb-note")
    step = (
        f"<div class='wb-next'>Next: {commands_marked(message.next_step)}</div>"
        if message.next_step
        else ""
    )
    return f"<div role='{role}' class='{css}'>{commands_marked(message.text)}{step}</div>"


def commands_marked(text: str) -> str:
    """Escape a sentence and set what stands between backticks as a command to type."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts)
    )


def styled_page(body: str) -> str:
    """Return HTML that stands alone, with the panel's style around it."""
    return f"<style>{STYLE}</style><div class='wb-panel'>{body}</div>"
